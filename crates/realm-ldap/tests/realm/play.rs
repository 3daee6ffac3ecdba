//! The rehearsal: every step, and no password in any of them.

use auth::{Realm, RehearsedStep};
use serde_json::json;
use testkit::ldap::{Certificate, Group, Slapd, User};
use testkit::suites::realms::{presented, username};

use super::house::{House, by_search, by_template, with};

const PASSWORD: &str = "alices-own-secret";

async fn play(house: &House, name: &str, password: Option<&str>) -> Vec<RehearsedStep> {
    let password = password.and_then(presented);
    let steps = house.realm.rehearsal().unwrap().play(&username(name), password.as_ref()).await;
    for step in &steps {
        for text in [&step.what, &step.said] {
            assert!(!text.contains(PASSWORD) && !text.contains(Slapd::SERVICE_PASSWORD), "{step:?}");
        }
    }
    steps
}

fn told(steps: &[RehearsedStep]) -> Vec<String> {
    steps
        .iter()
        .map(|step| format!("{}{}: {}", if step.is_good { "" } else { "NOT " }, step.what, step.said))
        .collect()
}

fn slapd() -> Slapd {
    Slapd::new()
        .user(User::named("alice", PASSWORD).mail("alice@example.org"))
        .group(Group::named("staff").user("alice"))
        .start()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_step_is_told() {
    let slapd = slapd();
    let config = with(
        by_search(&[]),
        json!({
            "host": [format!("localhost:{}", slapd.tls_port()), "localhost:1"],
            "ssl": true,
            "ca": slapd.authority().pem(),
            "attributes": { "mail": "mail" },
            "groups": { "roleMapping": [["staff", "user"]] },
        }),
    );
    let house = House::of(&config);
    let steps = play(&house, "alice", Some(PASSWORD)).await;
    let text = told(&steps);
    let expected = [
        "resolve localhost: ".to_owned(),
        format!("connect to localhost:{}: connected", slapd.tls_port()),
        format!(
            "TLS with localhost:{}: a good certificate for localhost, 127.0.0.1, issued by",
            slapd.tls_port()
        ),
        format!(
            "bind as the service account {} at localhost:{}: success (0)",
            Slapd::SERVICE_DN,
            slapd.tls_port()
        ),
        "resolve localhost: ".to_owned(),
        "NOT connect to localhost:1: ".to_owned(),
        format!("search {} for (uid=alice): {}", Slapd::PEOPLE, Slapd::user_dn("alice")),
        format!("bind as {}: success (0)", Slapd::user_dn("alice")),
        "his name: alice".to_owned(),
        "ask whether he is disabled, by (|".to_owned(),
        "ask for his groups: staff".to_owned(),
        "his roles: user".to_owned(),
        "his attributes: mail=alice@example.org".to_owned(),
    ];
    assert_eq!(text.len(), expected.len(), "{text:#?}");
    for (text, expected) in text.iter().zip(&expected) {
        assert!(text.starts_with(expected), "{text}\nis not\n{expected}");
    }
    assert!(steps[2].said.contains("until "), "{text:#?}");
    // Without a password, as far as one comes.
    let without: Vec<_> = told(&play(&house, "alice", None).await);
    assert_eq!(without.len(), expected.len() - 1);
    assert!(without.iter().all(|step| !step.starts_with(&format!("bind as {}", Slapd::user_dn("alice")))));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_ends_where_a_login_would() {
    let slapd = slapd();
    let last = async |house: &House, name: &str, password: &str| {
        told(&play(house, name, Some(password)).await).pop().unwrap_or_default()
    };
    let searching = House::of(&by_search(&[slapd.port()]));
    assert!(last(&searching, "nobody", PASSWORD).await.starts_with("NOT search"));
    let wrong = last(&searching, "alice", "another").await;
    assert!(wrong.starts_with("NOT bind as uid=alice") && wrong.contains("WrongPassword"), "{wrong}");
    let refused = with(by_search(&[slapd.port()]), json!({ "login": { "bindPassword": "not it" } }));
    let refused = last(&House::of(&refused), "alice", PASSWORD).await;
    assert!(refused.starts_with("NOT bind as the service account") && refused.contains("49"), "{refused}");
    let mistrusted = Slapd::new().certificate(Certificate::WrongName).start();
    let config = with(
        by_search(&[]),
        json!({ "host": format!("localhost:{}", mistrusted.port()), "startTls": true, "ca": mistrusted.authority().pem() }),
    );
    let tls = last(&House::of(&config), "alice", PASSWORD).await;
    assert!(tls.starts_with("NOT StartTLS with localhost") && tls.contains("certificate"), "{tls}");
    let direct = House::of(&by_template(slapd.port()));
    assert!(last(&direct, "alice", PASSWORD).await.starts_with("his attributes"));
    for odd in ["alice ", "al  ice", "stra\u{df}e"] {
        let steps = told(&play(&direct, odd, Some(PASSWORD)).await);
        assert!(steps.last().unwrap().starts_with("NOT look at the name: for a direct bind"), "{steps:#?}");
    }
    let without = told(&play(&direct, "alice", None).await).pop().unwrap();
    assert!(without.starts_with("read the entry: only the user himself"), "{without}");
    assert!(slapd.binds().iter().all(|dn| !dn.is_empty()));
}
