//! Groups that become roles: by attribute, by search, nested, in circles, and very many of them.

use auth::{Realm, RoleName};
use serde_json::{Value, json};
use testkit::ldap::{Entry, Group, PosixGroup, Slapd, User};

use super::house::{House, by_search, by_template, with};

const MAPPING: &str = r#"[["staff","user"],["admins","admin"],["cn=Top , ou=groups,dc=example,dc=org","top"],["a","ra"],["b","rb"]]"#;

fn nested() -> testkit::ldap::SlapdPlan {
    Slapd::new()
        .user(User::named("alice", "secret"))
        .user(User::named("bob", "secret"))
        .user(User::named("nobody", "secret"))
        .group(Group::named("staff").user("alice").user("bob"))
        .group(Group::named("admins").user("alice"))
        .group(Group::named("others").nested("admins"))
        .group(Group::named("top").nested("others"))
}

fn grouped(slapd: &Slapd, groups: Value) -> Value {
    let mapping: Value = serde_json::from_str(MAPPING).unwrap();
    let groups = with(json!({ "roleMapping": mapping }), groups);
    with(by_search(&[slapd.port()]), json!({ "groups": groups }))
}

fn searched() -> Value {
    json!({ "source": "search", "searchBase": Slapd::GROUPS })
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_become_roles_in_the_mappings_order() {
    let slapd = nested().start();
    for groups in [json!({ "source": "memberOf" }), searched()] {
        let flat = House::of(&grouped(&slapd, with(groups.clone(), json!({ "nested": false }))));
        assert_eq!(flat.roles("alice", "secret").await, "user admin", "{groups}");
        assert_eq!(flat.roles("bob", "secret").await, "user");
        assert_eq!(flat.roles("nobody", "secret").await, "");
        let nested = House::of(&grouped(&slapd, with(groups.clone(), json!({ "nested": true }))));
        assert_eq!(nested.roles("alice", "secret").await, "user admin top", "{groups}");
        assert_eq!(nested.roles("bob", "secret").await, "user");
    }
    let none = with(by_search(&[slapd.port()]), json!({ "groups": { "source": "none" } }));
    assert_eq!(House::of(&none).roles("alice", "secret").await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_is_bound_directly_reads_his_groups_himself() {
    let slapd = nested().start();
    for groups in [json!({ "source": "memberOf" }), searched()] {
        let groups = with(groups, json!({ "roleMapping": [["staff", "user"], ["admins", "admin"]] }));
        let config = with(by_template(slapd.port()), json!({ "groups": groups }));
        assert_eq!(House::of(&config).roles("alice", "secret").await, "user admin");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_that_are_in_each_other_come_to_an_end() {
    let slapd = Slapd::new()
        .user(User::named("alice", "secret"))
        .group(Group::named("a").user("alice"))
        .group(Group::named("b").nested("a"))
        .start();
    slapd.add_member("a", &Slapd::group_dn("b"));
    slapd.add_member("a", &Slapd::group_dn("a"));
    for groups in [json!({ "source": "memberOf" }), searched()] {
        assert_eq!(House::of(&grouped(&slapd, groups)).roles("alice", "secret").await, "ra rb");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_of_rfc_2307_have_members_by_name() {
    let slapd = Slapd::new()
        .user(User::named("alice", "secret"))
        .posix_group(PosixGroup::named("staff", 1000).user("alice"))
        .posix_group(PosixGroup::named("admins", 1001).user("staff"))
        .start();
    let groups = with(searched(), json!({ "searchFilter": "(&(objectClass=posixGroup)(memberUid={name}))" }));
    assert_eq!(House::of(&grouped(&slapd, groups)).roles("alice", "secret").await, "user");
}

/// So many groups, all with this member, loaded before the server starts.
fn many(count: usize, member: &str) -> impl Iterator<Item = Entry> {
    (0..count).map(move |number| {
        Entry::new(&Slapd::group_dn(&format!("g{number}")), &["groupOfNames"])
            .with("cn", format!("g{number}"))
            .with("member", Slapd::user_dn(member))
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn more_groups_than_a_search_gives_are_read_in_pages() {
    let plan = Slapd::new()
        .size_limit(500)
        .user(User::named("alice", "secret"))
        .user(User::named("bob", "secret"))
        .user(User::named("carol", "secret"));
    let plan = many(4_000, "alice").fold(plan, testkit::ldap::SlapdPlan::entry);
    let own = |number: usize| {
        Entry::new(&Slapd::group_dn(&format!("h{number}")), &["groupOfNames"])
            .with("cn", format!("h{number}"))
            .with("member", Slapd::user_dn("carol"))
    };
    let slapd = (0..1_000).map(own).fold(plan, testkit::ldap::SlapdPlan::entry).start();
    let mapping =
        json!({ "roleMapping": [["g0", "first"], ["g3999", "last"], ["h999", "other"]], "nested": false });
    let house = House::of(&grouped(&slapd, with(searched(), mapping)));
    assert_eq!(house.roles("alice", "secret").await, "first last");
    assert_eq!(house.roles("bob", "secret").await, "");
    let (alice, carol) = tokio::join!(house.roles("alice", "secret"), house.roles("carol", "secret"));
    assert_eq!((&*alice, &*carol), ("first last", "other"), "pages of two users do not mix");
}

#[tokio::test(flavor = "multi_thread")]
async fn more_groups_than_anybody_has_are_unavailable_and_never_cut() {
    let plan = Slapd::new().size_limit(500).user(User::named("alice", "secret"));
    let slapd =
        many(realm_ldap::limits::MAX_GROUPS + 1, "alice").fold(plan, testkit::ldap::SlapdPlan::entry).start();
    let groups = with(searched(), json!({ "roleMapping": [["g0", "first"]] }));
    let (why, _) = House::of(&grouped(&slapd, groups)).unavailable("alice", "secret").await;
    assert!(why.contains("a user with more than 4096 groups"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn more_levels_than_anybody_has_are_unavailable() {
    let levels = realm_ldap::limits::MAX_GROUP_LEVELS;
    let tower = |height: usize| {
        let plan = Slapd::new().user(User::named("alice", "secret")).group(Group::named("l0").user("alice"));
        (1..height)
            .fold(plan, |plan, level| {
                plan.group(Group::named(&format!("l{level}")).nested(&format!("l{}", level - 1)))
            })
            .start()
    };
    let mapping = json!({ "roleMapping": [["l15", "highest"]] });
    for groups in [json!({ "source": "memberOf" }), searched()] {
        let groups = with(groups, mapping.clone());
        let slapd = tower(levels);
        assert_eq!(House::of(&grouped(&slapd, groups.clone())).roles("alice", "secret").await, "highest");
        let slapd = tower(levels + 1);
        let (why, _) = House::of(&grouped(&slapd, groups)).unavailable("alice", "secret").await;
        assert!(why.contains("levels"), "{why}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_base_that_is_not_there_is_a_fault_and_not_no_groups() {
    let slapd = nested().start();
    let groups = json!({ "source": "search", "searchBase": "ou=typo,dc=example,dc=org" });
    let (why, _) = House::of(&grouped(&slapd, groups)).unavailable("alice", "secret").await;
    assert!(why.contains("ou=typo"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_stand_for_the_roles_of_the_mapping_and_no_others() {
    let slapd = Slapd::new().start();
    let house = House::of(&grouped(&slapd, json!({ "source": "memberOf" })));
    for (role, is_granted) in
        [("user", true), ("top", true), ("rb", true), ("staff", false), ("Admin", false)]
    {
        assert_eq!(house.realm.grants(&RoleName::parse(role).unwrap()), is_granted, "{role}");
    }
}
