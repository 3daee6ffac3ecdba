//! Active Directory, as Samba plays it: names of two kinds, nested groups by one search, and what its sub-codes mean.

use auth::{Realm, Rejection, Standing};
use serde_json::{Value, json};
use testkit::ldap::{DomainGroup, DomainUser, Samba};
use testkit::suites::realms::{presented, username};

use super::house::{House, rejected, roles, said, with};

const PASSWORD: &str = "Alice's own 1";

fn domain() -> Samba {
    Samba::new()
        .user(
            DomainUser::named("alice", PASSWORD)
                .cn("Doe, Alice")
                .principal("a.doe@corp.example.org")
                .mail("alice@example.org")
                .display_name("Alice Doe"),
        )
        .user(DomainUser::named("bob", PASSWORD))
        .user(DomainUser::named("disabled", PASSWORD).disabled())
        .user(DomainUser::named("expired", PASSWORD).expired())
        .user(DomainUser::named("old", PASSWORD).password_expired())
        .user(DomainUser::named("reset", PASSWORD).must_change())
        .user(DomainUser::named("locked", PASSWORD).locked())
        .group(DomainGroup::named("Staff").member("CN=Doe\\, Alice,OU=People,DC=ad,DC=example,DC=org"))
        .group(DomainGroup::named("Engineers").nested("Staff"))
        .group(DomainGroup::named("Everybody").nested("Engineers"))
        .group(DomainGroup::named("Bobs").user("bob"))
        .start()
}

fn by_search(samba: &Samba) -> Value {
    json!({
        "directory": "active-directory",
        "host": samba.tls_address().to_string(),
        "ssl": true,
        "ca": samba.authority().pem(),
        "login": {
            // The whole domain: its searches end with references to elsewhere.
            "searchBase": Samba::SUFFIX,
            "bindDn": Samba::SERVICE_DN,
            "bindPassword": Samba::SERVICE_PASSWORD,
        },
        "groups": { "roleMapping": [["staff", "user"], ["everybody", "all"], ["bobs", "bob"]] },
    })
}

/// A domain takes seconds to make, and so there is one.
#[tokio::test(flavor = "multi_thread")]
async fn a_domain_controller_is_understood() {
    let samba = domain();
    let house = House::of(&by_search(&samba));
    names_groups_and_attributes(&house).await;
    states(&house).await;
    bound_by_principal(&samba).await;
    in_clear(&samba).await;
    rehearsed(&house).await;
    looked_at_again(&samba, &house).await;
}

async fn names_groups_and_attributes(house: &House) {
    for name in ["alice", "ALICE", "a.doe@corp.example.org", "A.Doe@CORP.example.org"] {
        let verified = house.lets_in(name, PASSWORD).await;
        assert_eq!(verified.username.shown(), "alice", "{name}");
        assert_eq!(roles(&verified), "user all", "{name}");
        let told: Vec<_> = verified.attributes.iter().map(|one| &*one.value).collect();
        assert_eq!(told, ["alice@example.org", "Alice Doe"]);
    }
    assert_eq!(house.roles("bob", PASSWORD).await, "bob");
    for unknown in ["nobody", "*", "alice ", "álice", "EXAMPLE\\alice", "a)(sAMAccountName=*", "Doe, Alice"]
    {
        assert_eq!(house.says(unknown, PASSWORD).await, "NotMine", "{unknown}");
    }
}

async fn states(house: &House) {
    for (name, rejection) in [
        ("disabled", Rejection::Disabled),
        ("expired", Rejection::Expired),
        ("old", Rejection::PasswordExpired),
        ("reset", Rejection::MustChangePassword),
        ("locked", Rejection::Locked),
    ] {
        assert_eq!(house.says(name, PASSWORD).await, rejected(rejection), "{name}");
    }
    for name in ["alice", "disabled", "expired", "old", "reset"] {
        assert_eq!(house.says(name, "another").await, rejected(Rejection::WrongPassword), "{name}");
    }
    // Not to be locked by what the next ones try.
    assert_eq!(house.says("alice", PASSWORD).await, "alice");
}

async fn bound_by_principal(samba: &Samba) {
    for template in [format!("{{}}@{}", Samba::DOMAIN), format!("{}\\{{}}", Samba::SHORT_DOMAIN)] {
        let mut config = by_search(samba);
        config["login"] = json!({ "bindDnTemplate": template, "searchBase": Samba::PEOPLE });
        let searched = House::of(&config);
        assert_eq!(searched.roles("alice", PASSWORD).await, "user all", "read by himself");
        assert_eq!(searched.says("alice", "another").await, rejected(Rejection::WrongPassword));
        assert_eq!(searched.says("alice@elsewhere", PASSWORD).await, "NotMine");
        assert!(searched.realm.recheck().is_none());
        // To Windows the first of them is alice, and each of them would be counted for itself.
        for spelling in ["\u{e1}lice", "alice ", "al\u{378}ice"] {
            assert_eq!(
                searched.says(spelling, PASSWORD).await,
                rejected(Rejection::WrongPassword),
                "{spelling}"
            );
        }
        assert_eq!(
            searched.says("administrator", "Root of the test 1").await,
            rejected(Rejection::NotAllowed)
        );
    }
}

/// The suffix of their `userPrincipalName`s. (Samba makes none that another could have by his account in the domain's own.)
const SUFFIX: &str = "corp.example.org";

/// But for the last, everybody's `userPrincipalName` begins with another's `sAMAccountName`, so that a name means one to the bind
/// and another to the search.
const CROSSED: [(&str, &str, &str); 5] = [
    ("jsmith", "john", "John's own 1"),
    ("jane", "jsmith", "Jane's own 1"),
    ("john", "jack", "Johanna's own 1"),
    ("jack", "jane", "Jack's own 1"),
    ("plain", "plain", "Everybody's own 1"),
];

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_let_in_as_another_by_a_name_that_means_two() {
    let people = CROSSED.map(|(account, principal, password)| {
        DomainUser::named(account, password).principal(&format!("{principal}@{SUFFIX}"))
    });
    let samba =
        Samba::new().users(people).group(DomainGroup::named("Admins of search").user("jsmith")).start();
    // They fail often, and it is not about that.
    samba.replace(Samba::SUFFIX, "lockoutThreshold", &[b"0"]);
    let as_principal = samba.bind(&format!("jsmith@{SUFFIX}"), CROSSED[1].2);
    assert_eq!(as_principal.code, 0, "Jane binds by what is John's account: {as_principal:?}");
    let mut searching = by_search(&samba);
    searching["groups"] = json!({ "roleMapping": [["admins of search", "admin"]] });
    let mut configs = vec![searching.clone()];
    for template in [format!("{{}}@{SUFFIX}"), format!("{}\\{{}}", Samba::SHORT_DOMAIN)] {
        searching["login"] = json!({ "bindDnTemplate": template, "searchBase": Samba::SUFFIX });
        configs.push(searching.clone());
    }
    let mut let_in = Vec::new();
    for config in &configs {
        let house = House::of(config);
        let mut names = Vec::new();
        for (typed, ..) in CROSSED {
            for (account, _, password) in CROSSED {
                match house.verify(typed, password).await {
                    auth::Verdict::Verified(verified) => {
                        assert_eq!(verified.username.shown(), account, "{typed} by {password}: {config}");
                        assert_eq!(roles(&verified) == "admin", account == "jsmith", "{typed}: {config}");
                        names.push(format!("{typed}={account}"));
                    }
                    other => assert_eq!(said(other), rejected(Rejection::WrongPassword), "{typed}: {config}"),
                }
            }
        }
        let_in.push(names.join(" "));
    }
    let everybody = CROSSED.map(|(account, ..)| format!("{account}={account}")).join(" ");
    assert_eq!(let_in, [everybody.as_str(), "plain=plain", everybody.as_str()]);
    // The operator is told which step it was.
    let house = House::of(&configs[1]);
    let steps = house.realm.rehearsal().unwrap();
    let steps = steps.play(&username("jsmith"), presented(CROSSED[1].2).as_ref()).await;
    let last = steps.last().unwrap();
    assert!(!last.is_good && last.what.starts_with("bind as CN=jsmith,"), "{steps:#?}");
}

/// It refuses passwords without TLS, which is no user's fault.
async fn in_clear(samba: &Samba) {
    let plain = with(
        by_search(samba),
        json!({ "host": samba.address().to_string(), "ssl": false, "insecure": true, "ca": null }),
    );
    let (why, _) = House::of(&without_nulls(plain)).unavailable("alice", PASSWORD).await;
    assert!(why.contains("strongerAuthRequired"), "{why}");
    let start_tls = with(
        by_search(samba),
        json!({ "host": samba.address().to_string(), "ssl": false, "startTls": true }),
    );
    assert_eq!(House::of(&start_tls).says("alice", PASSWORD).await, "alice");
}

fn without_nulls(mut config: Value) -> Value {
    if let Some(fields) = config.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    config
}

async fn rehearsed(house: &House) {
    let steps =
        house.realm.rehearsal().unwrap().play(&username("disabled"), presented(PASSWORD).as_ref()).await;
    let last = steps.last().unwrap();
    assert!(!last.is_good && last.said.contains("data 533") && last.said.contains("Disabled"), "{last:?}");
    let steps = house.realm.rehearsal().unwrap().play(&username("alice"), presented(PASSWORD).as_ref()).await;
    assert!(steps.iter().all(|step| step.is_good), "{steps:#?}");
}

async fn looked_at_again(samba: &Samba, house: &House) {
    let users = ["alice", "bob", "disabled", "expired", "nobody"].map(username);
    let recheck = house.realm.recheck().unwrap();
    let told = async || {
        let standings = recheck.look(&users).await.unwrap();
        standings
            .into_iter()
            .map(|standing| match standing {
                Standing::Good(verified) => format!("{}: {}", verified.username.shown(), roles(&verified)),
                Standing::Out(rejection) => format!("{rejection:?}"),
                Standing::Gone => "Gone".to_owned(),
                Standing::Untold(why) => format!("Untold: {}", why.0),
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(told().await, ["alice: user all", "bob: bob", "Disabled", "Expired", "Gone"]);
    samba.remove_member("Engineers", &Samba::group_dn("Staff"));
    samba.disable(&Samba::user_dn("bob"));
    assert_eq!(told().await, ["alice: user", "Disabled", "Disabled", "Expired", "Gone"]);
    samba.delete(&Samba::user_dn("bob"));
    assert_eq!(told().await, ["alice: user", "Gone", "Disabled", "Expired", "Gone"]);
}
