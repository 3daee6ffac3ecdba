//! The look again: who is good, gone, disabled, has lost a group; and what it costs the server.

use std::time::Duration;

use auth::{Realm, Standing, Username};
use serde_json::{Value, json};
use testkit::ldap::{Group, Slapd, User};
use testkit::suites::realms::username;

use super::house::{House, by_search, by_template, roles, with};

fn people(count: usize) -> impl Iterator<Item = User> {
    (0..count).map(|number| User::named(&format!("user{number}"), "secret"))
}

fn names(count: usize) -> Vec<Username> {
    (0..count).map(|number| username(&format!("user{number}"))).collect()
}

async fn standings(house: &House, users: &[Username]) -> Vec<String> {
    let look = house.realm.recheck().expect("it can look").look(users).await.expect("it is available");
    look.into_iter()
        .map(|standing| match standing {
            Standing::Good(verified) => format!("{}: {}", verified.username.shown(), roles(&verified)),
            Standing::Out(rejection) => format!("{rejection:?}"),
            Standing::Gone => "Gone".to_owned(),
            Standing::Untold(why) => format!("Untold: {}", why.0),
        })
        .collect()
}

fn grouped(config: Value, groups: Value) -> Value {
    with(
        config,
        json!({
            "groups": with(groups, json!({ "roleMapping": [["staff", "user"], ["top", "top"]] })),
            "login": { "disabledFilter": "(employeeType=gone)" },
        }),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn the_account_of_who_is_logged_in_is_looked_at() {
    let slapd = Slapd::new()
        .users(people(4))
        .group(Group::named("staff").user("user0").user("user1").user("user2").user("user3"))
        .group(Group::named("top").nested("staff"))
        .start();
    let service =
        json!({ "login": { "bindDn": Slapd::SERVICE_DN, "bindPassword": Slapd::SERVICE_PASSWORD } });
    let houses = [
        grouped(by_search(&[slapd.port()]), json!({ "source": "memberOf" })),
        grouped(by_search(&[slapd.port()]), json!({ "source": "search", "searchBase": Slapd::GROUPS })),
        grouped(with(by_template(slapd.port()), service), json!({ "source": "memberOf" })),
    ]
    .map(|config| House::of(&config));
    let users = names(5);
    for house in &houses {
        let all: Vec<_> =
            (0..4).map(|number| format!("user{number}: user top")).chain(["Gone".to_owned()]).collect();
        assert_eq!(standings(house, &users).await, all);
    }
    slapd.delete(&Slapd::user_dn("user0"));
    slapd.replace(&Slapd::user_dn("user1"), "employeeType", &[b"gone"]);
    slapd.remove_member("staff", &Slapd::user_dn("user2"));
    for house in &houses {
        assert_eq!(
            standings(house, &users).await,
            ["Gone", "Disabled", "user2: ", "user3: user top", "Gone"]
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_users_are_one_search_and_one_for_the_disabled() {
    let slapd = Slapd::new().users(people(65)).group(Group::named("staff").user("user0")).start();
    let flat = json!({ "source": "memberOf", "nested": false });
    let with_filter = House::of(&grouped(by_search(&[slapd.port()]), flat.clone()));
    let without = House::of(&with(
        grouped(by_search(&[slapd.port()]), flat),
        json!({ "login": { "disabledFilter": "" } }),
    ));
    for (house, users, searches) in [(&without, 64, 1), (&without, 65, 2), (&with_filter, 64, 2)] {
        slapd.clear_log();
        let standings = standings(house, &names(users)).await;
        assert_eq!(standings[0], "user0: user");
        assert_eq!(standings.len(), users);
        assert_eq!(slapd.filters().len(), searches, "{users} users");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_that_many_share_are_asked_for_once() {
    let staff = (0..64).fold(Group::named("staff"), |group, number| group.user(&format!("user{number}")));
    let slapd =
        Slapd::new().users(people(64)).group(staff).group(Group::named("top").nested("staff")).start();
    let config = with(
        grouped(by_search(&[slapd.port()]), json!({ "source": "memberOf" })),
        json!({ "login": { "disabledFilter": "" } }),
    );
    let house = House::of(&config);
    slapd.clear_log();
    assert!(standings(&house, &names(64)).await.iter().all(|standing| standing.ends_with("user top")));
    // The users; what `staff` is in, for the first few at a time; what `top` is in, likewise.
    assert!(slapd.filters().len() <= 1 + 2 * 8, "{}", slapd.filters().len());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_filter_for_users_asks_beside_the_name_goes_on_being_asked() {
    let slapd =
        Slapd::new().user(User::named("alice", "secret").mail("a@example.org").with("title", "in")).start();
    let config = with(
        by_search(&[slapd.port()]),
        json!({ "login": { "searchFilter": "(&(mail={})(title=in))", "disabledFilter": "" } }),
    );
    let house = House::of(&config);
    assert_eq!(house.says("a@example.org", "secret").await, "alice");
    assert_eq!(standings(&house, &[username("alice")]).await, ["alice: "]);
    slapd.replace(&Slapd::user_dn("alice"), "title", &[b"out"]);
    assert_eq!(house.says("a@example.org", "secret").await, "NotMine");
    assert_eq!(standings(&house, &[username("alice")]).await, ["Gone"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_gone_because_nobody_can_be_asked() {
    let mut slapd = Slapd::new().users(people(1)).start();
    let house = House::of(&by_search(&[slapd.port()]));
    assert_eq!(standings(&house, &names(1)).await, ["user0: "]);
    slapd.kill();
    for most in [Duration::from_millis(900), Duration::from_millis(400)] {
        let began = std::time::Instant::now();
        assert!(house.realm.recheck().unwrap().look(&names(1)).await.is_err());
        assert!(began.elapsed() < most, "{:?}", began.elapsed());
    }
    slapd.start_again();
    house.clock.advance(Duration::from_secs(1));
    assert_eq!(standings(&house, &names(1)).await, ["user0: "]);
    // A base that is not there, or that the service account must not see, is a fault of the settings.
    let typo =
        with(by_search(&[slapd.port()]), json!({ "login": { "searchBase": "ou=typo,dc=example,dc=org" } }));
    assert!(House::of(&typo).realm.recheck().unwrap().look(&names(1)).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_offered_where_it_can_be_done() {
    let slapd = Slapd::new().start();
    let can = |config: &Value| {
        House::of(config).realm.recheck().map(|recheck| (recheck.interval(), recheck.staleness()))
    };
    let minutes = |count: u64| Duration::from_secs(count * 60);
    assert_eq!(can(&by_search(&[slapd.port()])), Some((minutes(5), minutes(8 * 60))));
    assert_eq!(
        can(&with(by_search(&[slapd.port()]), json!({ "recheck": "1m", "staleness": "1h" }))),
        Some((minutes(1), minutes(60)))
    );
    assert_eq!(can(&by_template(slapd.port())), None);
    assert_eq!(can(&with(by_search(&[slapd.port()]), json!({ "recheck": 0 }))), None);
}
