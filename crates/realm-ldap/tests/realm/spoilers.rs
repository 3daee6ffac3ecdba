//! One user who makes something of his own entry, or of his groups, that no look can take in: nobody else is left alone because of
//! him, and he is out himself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use auth::{Realm, Standing, Username};
use serde_json::{Value, json};
use testkit::ldap::{Entry, Group, Slapd, SlapdPlan, User};
use testkit::suites::realms::username;

use super::house::{House, by_search, by_template, roles, with};

/// More users than one search is for, so that somebody is in another batch than the spoiler.
const CROWD: usize = 70;
/// More values than a message may have elements.
const TOO_MANY_VALUES: usize = 66_000;

/// Everybody in the group that is a role; the last one leaves the house, and the spoiler is one of those before.
fn crowd(plan: SlapdPlan) -> SlapdPlan {
    let staff = (0..CROWD).fold(Group::named("staff"), |group, number| group.user(&format!("user{number}")));
    let users = (0..CROWD).map(|number| User::named(&format!("user{number}"), "secret"));
    plan.users(users).group(staff)
}

async fn standings(house: &House) -> Vec<(String, String)> {
    let names = (0..CROWD).map(|number| format!("user{number}")).chain(["mallory".to_owned()]);
    // Where he stands among them decides nothing.
    let mut names: Vec<_> = names.collect();
    names.swap(3, CROWD);
    let users: Vec<Username> = names.iter().map(|name| username(name)).collect();
    let look = house.realm.recheck().expect("it can look").look(&users).await.expect("it is available");
    let said = look.into_iter().map(|standing| match standing {
        Standing::Good(verified) => roles(&verified),
        Standing::Out(rejection) => format!("{rejection:?}"),
        Standing::Gone => "Gone".to_owned(),
        Standing::Untold(why) => format!("Untold: {}", why.0),
    });
    names.into_iter().zip(said).collect()
}

/// Mallory is out, who is disabled is out, who is gone is out, and everybody else stays.
async fn each_has_what_is_his(slapd: &Slapd, houses: &[House]) {
    slapd.replace(&Slapd::user_dn("user1"), "employeeType", &[b"gone"]);
    slapd.replace(&Slapd::user_dn("user69"), "employeeType", &[b"gone"]);
    slapd.delete(&Slapd::user_dn("user2"));
    for house in houses {
        for (name, said) in standings(house).await {
            let expected = match &*name {
                "mallory" => "NotAllowed",
                "user1" | "user69" => "Disabled",
                "user2" => "Gone",
                _ => "user",
            };
            assert_eq!(said, expected, "{name}");
        }
    }
}

fn grouped(config: Value, groups: Value) -> House {
    let groups = with(groups, json!({ "roleMapping": [["staff", "user"]] }));
    let login = json!({
        "disabledFilter": "(employeeType=gone)",
        "bindDn": Slapd::SERVICE_DN,
        "bindPassword": Slapd::SERVICE_PASSWORD,
    });
    let attributes = json!({ "mail": "mail" });
    House::of(&with(config, json!({ "groups": groups, "login": login, "attributes": attributes })))
}

fn houses(slapd: &Slapd) -> [House; 3] {
    let searched = json!({ "source": "search", "searchBase": Slapd::GROUPS });
    [
        grouped(by_search(&[slapd.port()]), json!({ "source": "memberOf" })),
        grouped(by_search(&[slapd.port()]), searched),
        grouped(by_template(slapd.port()), json!({ "source": "memberOf" })),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn case_24_an_entry_that_is_too_large_keeps_nobody_else_in() {
    let slapd = crowd(Slapd::new()).user(User::named("mallory", "secret")).start();
    let houses = Arc::new(houses(&slapd));
    for house in &*houses {
        assert_eq!(house.says("mallory", "secret").await, "mallory");
    }
    let values: Vec<_> = (0..TOO_MANY_VALUES).map(|number| format!("m{number}@example.org")).collect();
    let values: Vec<_> = values.iter().map(String::as_bytes).collect();
    slapd.replace(&Slapd::user_dn("mallory"), "mail", &values);
    // Nor do her logins meanwhile, whose answers end the connections that others ask over.
    let goes_on = Arc::new(AtomicBool::new(true));
    let logins = tokio::spawn({
        let (houses, goes_on) = (Arc::clone(&houses), Arc::clone(&goes_on));
        async move {
            while goes_on.load(Ordering::Relaxed) {
                for house in &*houses {
                    let said = house.says("mallory", "secret").await;
                    assert!(said.starts_with("Unavailable"), "{said}");
                }
            }
        }
    });
    each_has_what_is_his(&slapd, &*houses).await;
    goes_on.store(false, Ordering::Relaxed);
    logins.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn case_24_groups_that_are_too_deep_keep_nobody_else_in() {
    let plan = crowd(Slapd::new()).user(User::named("mallory", "secret"));
    let plan = plan.group(Group::named("l0").user("mallory"));
    let plan = (1..=realm_ldap::limits::MAX_GROUP_LEVELS).fold(plan, |plan, level| {
        plan.group(Group::named(&format!("l{level}")).nested(&format!("l{}", level - 1)))
    });
    let slapd = plan.start();
    each_has_what_is_his(&slapd, &houses(&slapd)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn case_24_groups_without_number_keep_nobody_else_in() {
    let group = |number: usize| {
        Entry::new(&Slapd::group_dn(&format!("g{number}")), &["groupOfNames"])
            .with("cn", format!("g{number}"))
            .with("member", Slapd::user_dn("mallory"))
    };
    let plan = crowd(Slapd::new().size_limit(500)).user(User::named("mallory", "secret"));
    let slapd = (0..=realm_ldap::limits::MAX_GROUPS).map(group).fold(plan, SlapdPlan::entry).start();
    let searched = json!({ "source": "search", "searchBase": Slapd::GROUPS, "nested": false });
    each_has_what_is_his(&slapd, &[grouped(by_search(&[slapd.port()]), searched)]).await;
}
