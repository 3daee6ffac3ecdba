//! Who is let in and who is not, by search and by template, and what slapd's password policy says.

use std::sync::Arc;

use auth::Rejection;
use serde_json::json;
use testkit::ldap::{Entry, Slapd, User};
use testkit::suites::realm_suite;
use testkit::suites::realms::KnownUser;

use super::house::{House, by_search, by_template, nobody, rejected, with};

/// The suite tries every user dozens of times with a wrong password.
fn patient() -> testkit::ldap::SlapdPlan {
    Slapd::new().policy("pwdLockout", "FALSE")
}

fn known(users: &[KnownUser]) -> impl Iterator<Item = User> {
    users.iter().map(|known| {
        let user = User::named(known.name, known.password);
        if known.enabled { user } else { user.with("employeeType", "gone") }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_realm_passes_the_suite_of_realms() {
    let slapd = patient().users(known(&testkit::suites::realms::KNOWN)).start();
    let config =
        with(by_search(&[slapd.port()]), json!({ "login": { "disabledFilter": "(employeeType=gone)" } }));
    realm_suite(async |_: &[KnownUser]| (House::of(&config).realm, Arc::new(nobody()))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn by_template_it_passes_the_suite_but_for_unknown_names() {
    let users = testkit::suites::realms::KNOWN;
    let slapd = patient().users(known(&users)).start();
    let config =
        with(by_template(slapd.port()), json!({ "login": { "disabledFilter": "(employeeType=gone)" } }));
    let house = House::of(&config);
    for user in &users {
        let expected = if user.enabled { user.name.to_owned() } else { rejected(Rejection::Disabled) };
        assert_eq!(house.says(user.name, user.password).await, expected);
        assert_eq!(house.says(user.name, "something else").await, rejected(Rejection::WrongPassword));
    }
    for unknown in ["nobody", "*", "alice,ou=people", "alice+cn=x", "#alice", "a)(uid=*"] {
        assert_eq!(house.says(unknown, "alice's password").await, rejected(Rejection::WrongPassword));
    }
    // OpenLDAP ignores blanks at the ends and compares without case; we do not ignore blanks.
    assert_eq!(house.says("alice ", "alice's password").await, rejected(Rejection::WrongPassword));
    assert_eq!(house.says(" alice", "alice's password").await, rejected(Rejection::WrongPassword));
    assert_eq!(house.says("ALICE", "alice's password").await, "alice");
    assert_eq!(house.says("alice\0", "alice's password").await, "NotMine");
    assert!(slapd.filters().iter().all(|filter| !filter.contains("uid=")), "nobody is searched");
}

#[tokio::test(flavor = "multi_thread")]
async fn by_template_without_a_sight_of_the_entry_he_is_called_as_he_typed() {
    let slapd =
        Slapd::new().hides_own_entry().user(User::named("alice", "secret").mail("a@example.org")).start();
    let config = with(
        by_template(slapd.port()),
        json!({ "attributes": { "mail": "mail" }, "groups": { "roleMapping": [["staff", "user"]] } }),
    );
    let house = House::of(&config);
    let verified = house.lets_in("alice", "secret").await;
    assert_eq!((verified.username.shown(), verified.roles.len(), verified.attributes.len()), ("alice", 0, 0));
    assert_eq!(house.says("alice", "other").await, rejected(Rejection::WrongPassword));
    for played in ["alice ", " alice", "al  ice", "al\u{130}ce"] {
        assert_eq!(house.says(played, "secret").await, rejected(Rejection::WrongPassword));
    }
    // With a service account it is read all the same.
    let service =
        json!({ "login": { "bindDn": Slapd::SERVICE_DN, "bindPassword": Slapd::SERVICE_PASSWORD } });
    let house = House::of(&with(config, service));
    assert_eq!(&*house.lets_in("alice", "secret").await.attributes[0].value, "a@example.org");
}

/// What the defaults ask for, a directory looks at itself before it lets somebody bind; of what an administrator chose nobody else
/// knows.
#[tokio::test(flavor = "multi_thread")]
async fn by_template_without_a_sight_of_the_entry_no_chosen_filter_is_passed_over() {
    let slapd = Slapd::new().hides_own_entry().user(User::named("alice", "secret")).start();
    for filter in ["(uid=alice)", "(uid=somebody else)"] {
        let config = with(by_template(slapd.port()), json!({ "login": { "disabledFilter": filter } }));
        let (why, _) = House::of(&config).unavailable("alice", "secret").await;
        assert!(why.contains("login.disabledFilter"), "{why}");
        let service =
            json!({ "login": { "bindDn": Slapd::SERVICE_DN, "bindPassword": Slapd::SERVICE_PASSWORD } });
        let says = House::of(&with(config, service)).says("alice", "secret").await;
        assert_eq!(
            says,
            if filter == "(uid=alice)" { rejected(Rejection::Disabled) } else { "alice".to_owned() }
        );
    }
    let nobody = with(by_template(slapd.port()), json!({ "login": { "disabledFilter": "" } }));
    assert_eq!(House::of(&nobody).says("alice", "secret").await, "alice");
}

#[tokio::test(flavor = "multi_thread")]
async fn anonymous_searching_will_do_where_the_server_allows_it() {
    let slapd = Slapd::new().anonymous_reading().user(User::named("alice", "secret")).start();
    let mut config = by_search(&[slapd.port()]);
    config["login"] = json!({ "searchBase": Slapd::PEOPLE });
    assert_eq!(House::of(&config).says("alice", "secret").await, "alice");
    let closed = Slapd::new().user(User::named("alice", "secret")).start();
    config["host"] = json!(format!("127.0.0.1:{}", closed.port()));
    let (why, _) = House::of(&config).unavailable("alice", "secret").await;
    assert!(why.contains(Slapd::PEOPLE), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_password_policy_says_is_told() {
    let slapd = Slapd::new()
        .user(User::named("alice", "secret"))
        .user(User::named("locked", "secret").disabled())
        .user(User::named("reset", "secret"))
        .user(User::named("shouted", "secret"))
        .start();
    slapd.set_password("reset", "new secret");
    for config in [by_search(&[slapd.port()]), by_template(slapd.port())] {
        let house = House::of(&config);
        assert_eq!(house.says("alice", "secret").await, "alice");
        assert_eq!(house.says("locked", "secret").await, rejected(Rejection::Locked));
        assert_eq!(house.says("reset", "new secret").await, rejected(Rejection::MustChangePassword));
        assert_eq!(house.says("reset", "secret").await, rejected(Rejection::WrongPassword));
        for _ in 0..4 {
            house.says("shouted", "wrong").await;
        }
        house.says("shouted", "wrong").await;
        assert_eq!(house.says("shouted", "secret").await, rejected(Rejection::Locked));
    }
    let old = Slapd::new()
        .policy("pwdMaxAge", "1")
        .user(User::named("alice", "secret").with("pwdChangedTime", "20200101000000Z"))
        .start();
    let house = House::of(&by_search(&[old.port()]));
    assert_eq!(house.says("alice", "secret").await, rejected(Rejection::PasswordExpired));
    assert_eq!(house.says("alice", "wrong").await, rejected(Rejection::WrongPassword));
}

#[tokio::test(flavor = "multi_thread")]
async fn several_entries_of_one_name_are_nobody() {
    let twice = |cn: &str| {
        Entry::new(&format!("cn={cn},{}", Slapd::PEOPLE), &["inetOrgPerson"])
            .with("cn", cn)
            .with("sn", cn)
            .with("uid", "alice")
            .with("userPassword", "secret")
    };
    let slapd = Slapd::new().entry(twice("one")).entry(twice("other")).start();
    let house = House::of(&by_search(&[slapd.port()]));
    let (why, _) = house.unavailable("alice", "secret").await;
    assert!(why.contains("several entries"), "{why}");
    assert_eq!(slapd.binds(), [Slapd::SERVICE_DN], "nobody's password was sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_account_that_is_refused_is_not_the_users_fault() {
    let slapd = Slapd::new().user(User::named("alice", "secret")).start();
    let config = with(by_search(&[slapd.port()]), json!({ "login": { "bindPassword": "not the password" } }));
    let (why, _) = House::of(&config).unavailable("alice", "secret").await;
    assert!(why.contains("service account") && why.contains("49"), "{why}");
    assert!(!why.contains("not the password"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_user_has_one_name_whichever_way_he_writes_it() {
    let slapd = Slapd::new()
        .user(User::named("alice", "secret").mail("Alice@Example.org").with("displayName", "Al"))
        .start();
    let config = with(
        by_search(&[slapd.port()]),
        json!({
            "login": { "searchFilter": "(|(uid={})(mail={}))" },
            "attributes": { "mail": "mail", "name": "displayName", "none": "title" },
        }),
    );
    let house = House::of(&config);
    for name in ["alice", "ALICE", "alice@example.org", "ALICE@example.ORG"] {
        let verified = house.lets_in(name, "secret").await;
        assert_eq!(verified.username.shown(), "alice", "{name}");
        let told: Vec<_> =
            verified.attributes.iter().map(|one| format!("{}={}", one.name, one.value)).collect();
        assert_eq!(told, ["mail=Alice@Example.org", "name=Al"]);
    }
    // The directory ignores blanks in a name; we do not.
    assert_eq!(house.says("alice  ", "secret").await, "NotMine");
}

#[tokio::test(flavor = "multi_thread")]
async fn case_28_an_unknown_name_costs_the_same_answers() {
    let slapd = Slapd::new().user(User::named("alice", "secret")).start();
    let house = House::of(&by_search(&[slapd.port()]));
    assert_eq!(house.says("alice", "secret").await, "alice");
    let mut asked = Vec::new();
    for name in ["alice", "nobody", "alice ", "*"] {
        slapd.clear_log();
        house.says(name, "not the password").await;
        asked.push((slapd.filters().len(), slapd.binds().len()));
    }
    assert_eq!(asked, [(1, 1); 4]);
    let of_nobody = slapd.binds();
    assert!(of_nobody[0].starts_with("cn=") && of_nobody[0].ends_with(Slapd::PEOPLE), "{of_nobody:?}");
}
