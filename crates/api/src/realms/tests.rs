//! Realms that are made, changed and deleted, on a kernel over fake ends.

use auth::limits::MAX_CONFIG_BYTES;
use auth::{
    ApiKey, Change, Clock, EndReason, Event, KeyId, Moment, RealmFault, RealmName, Role, RoleName,
    SessionToken, User, UserId,
};
use testkit::suites::realms::username;

use super::{Described, MAX_REALMS, change, create, delete, fault, id_of, read};
use crate::error::Error;
use crate::page::Page;
use crate::precondition::Precondition;
use crate::roles;
use crate::sessions::tests::house::{House, token, user};

fn input(name: &str) -> create::Input {
    create::Input {
        name: name.to_owned(),
        kind: "fake".to_owned(),
        enabled: true,
        roles: Vec::new(),
        config: "{}".to_owned(),
    }
}

fn alice_of(realm: &str) -> User {
    let realm = RealmName::parse(realm).unwrap();
    User { id: UserId::of(&realm, &username("alice")), realm, ..user("alice") }
}

fn field(error: &Error) -> String {
    match error {
        Error::Invalid { field, .. } => field.to_string(),
        Error::Conflict(_) => "conflict".to_owned(),
        other => format!("{other:?}"),
    }
}

impl House {
    async fn put(&self, changes: Vec<Change>) {
        let event = Event::Operated { operation: "test", detail: Box::default() };
        let made = self.services.kernel.directory().change(|_| Ok::<_, Error>((changes, event, ())));
        made.await.unwrap();
    }

    async fn make(&self, input: create::Input) -> Result<Described, Error> {
        create::run(&self.services, &self.permit_of_nobody(create::NAME), input).await
    }

    async fn set(&self, name: &str, input: change::Input) -> Result<Described, Error> {
        let permit = self.permit_of_nobody(change::NAME);
        change::run(&self.services, &permit, id_of(name), input, &Precondition::None).await
    }

    async fn delete(&self, name: &str, users: bool) -> Result<(), Error> {
        let permit = self.permit_of_nobody(delete::NAME);
        delete::run(&self.services, &permit, id_of(name), users, &Precondition::None).await
    }

    async fn login_at(&self, realm: &str, number: u64) {
        self.login_as("alice", number, |request| request.realm = auth::RealmChoice::Named(Box::from(realm)))
            .await;
    }

    async fn list(&self, name: Option<&str>, kind: Option<&str>) -> Vec<String> {
        let page = Page { after: None, limit: 1_000 };
        let filter = read::Filter { name: name.map(str::to_owned), kind: kind.map(str::to_owned), page };
        let (found, more) =
            read::run(&self.services, &self.permit_of_nobody(read::NAME), &filter).await.unwrap();
        assert!(!more && found.is_sorted_by_key(|realm| id_of(realm.record.name.as_str())));
        let mut names: Vec<_> = found.iter().map(|realm| realm.record.name.to_string()).collect();
        names.sort_unstable();
        names
    }

    fn one(&self, name: &str) -> Result<Described, Error> {
        read::one(&self.services, &self.permit_of_nobody(read::NAME_ONE), &id_of(name))
    }
}

fn switched(enabled: bool) -> change::Input {
    change::Input { enabled: Some(enabled), ..change::Input::default() }
}

#[tokio::test]
async fn a_realm_is_made_seen_changed_and_deleted() {
    let house = House::new().await;
    let made = house.make(input("partners")).await.unwrap();
    assert!(made.record.enabled && !made.in_settings);
    assert_eq!(house.list(None, None).await, ["native", "partners"]);
    assert_eq!(house.list(Some("partners"), Some("fake")).await, ["partners"]);
    assert!(
        house.list(Some("Partners"), None).await.is_empty()
            && house.list(None, Some("ldap")).await.is_empty()
    );
    assert_eq!(house.one("partners").unwrap().record, made.record);
    assert_eq!(field(&house.make(input("partners")).await.unwrap_err()), "conflict");
    let changed = house.set("partners", switched(false)).await.unwrap();
    assert!(
        !changed.record.enabled && changed.record.updated > made.record.updated,
        "in the same millisecond"
    );
    let stale = Precondition::LastChanged(vec![made.record.updated]);
    let permit = house.permit_of_nobody(delete::NAME);
    let refused = delete::run(&house.services, &permit, id_of("partners"), false, &stale).await;
    assert!(matches!(refused, Err(Error::PreconditionFailed)));
    house.delete("partners", false).await.unwrap();
    assert!(matches!(house.one("partners"), Err(Error::NotFound)));
    assert!(matches!(house.delete("partners", false).await, Err(Error::NotFound)));
    assert!(matches!(house.set("partners", switched(true)).await, Err(Error::NotFound)));
}

#[tokio::test]
async fn what_is_wrong_with_a_realm_is_named() {
    let house = House::new().await;
    let wrong = async |input: create::Input| field(&house.make(input).await.unwrap_err());
    assert_eq!(wrong(input("a/b")).await, "name");
    assert_eq!(wrong(create::Input { kind: "nothing".to_owned(), ..input("x") }).await, "realmType");
    assert_eq!(wrong(create::Input { roles: vec!["nobody".to_owned()], ..input("x") }).await, "roleNames");
    assert_eq!(wrong(create::Input { config: "[]".to_owned(), ..input("x") }).await, "config");
    let marked = create::Input { config: r#"{"a":{"password":"***"}}"#.to_owned(), ..input("x") };
    assert_eq!(wrong(marked).await, "config.a.password");
    let of_maker = |name: &str| fault(RealmFault { field: Some(name.to_owned()), why: String::new() });
    assert_eq!(
        (field(&of_maker("host")), field(&of_maker(""))),
        ("config.host".to_owned(), "config".to_owned())
    );
    house.make(input("x")).await.unwrap();
    let other = change::Input { kind: Some("other".to_owned()), ..change::Input::default() };
    assert_eq!(field(&house.set("x", other).await.unwrap_err()), "realmType");
    // What stands in the settings file is changed there.
    assert!(house.one("native").unwrap().in_settings);
    assert_eq!(field(&house.set("native", change::Input::default()).await.unwrap_err()), "conflict");
    assert_eq!(field(&house.delete("native", true).await.unwrap_err()), "conflict");
}

#[tokio::test]
async fn every_limit_of_a_realm_has_two_sides() {
    let house = House::new().await;
    let config = |length: usize| format!(r#"{{"a":"{}"}}"#, "x".repeat(length - r#"{"a":""}"#.len()));
    let with = |length| create::Input { config: config(length), ..input("big") };
    assert_eq!(field(&house.make(with(MAX_CONFIG_BYTES + 1)).await.unwrap_err()), "config");
    house.make(with(MAX_CONFIG_BYTES)).await.unwrap();
    let more = change::Input { config: Some(config(MAX_CONFIG_BYTES + 1)), ..change::Input::default() };
    assert_eq!(field(&house.set("big", more).await.unwrap_err()), "config");
    for number in 2..MAX_REALMS {
        house.make(input(&format!("realm {number}"))).await.unwrap();
    }
    assert_eq!(field(&house.make(input("more")).await.unwrap_err()), "conflict");
    house.delete("big", false).await.unwrap();
    house.make(input("more")).await.unwrap();
}

#[tokio::test]
async fn asvs_16_the_secrets_of_a_config_stay() {
    let house = House::new().await;
    let config = r#"{"host":"a","bindPassword":"s3cret"}"#.to_owned();
    let made = house.make(create::Input { config, ..input("ldap") }).await.unwrap();
    let shown = r#"{"host":"a","bindPassword":"***"}"#;
    assert_eq!((&*made.record.config, &*house.one("ldap").unwrap().record.config), (shown, shown));
    let back = change::Input { config: Some(shown.replace("\"a\"", "\"b\"")), ..change::Input::default() };
    let changed = house.set("ldap", back).await.unwrap();
    assert_eq!(&*changed.record.config, r#"{"host":"b","bindPassword":"***"}"#);
    let snapshot = house.services.kernel.directory().held();
    let stored = &snapshot.realm("ldap").unwrap().record;
    assert_eq!(&*stored.config, r#"{"host":"b","bindPassword":"s3cret"}"#);
    let told = super::detail(house.services.kernel.directory().maker(), stored);
    assert!(!format!("{stored:?}{changed:?}{told}").contains("s3cret"), "{told}");
}

#[tokio::test]
async fn a_realm_that_is_switched_off_has_no_sessions_and_none_come_back() {
    let house = House::new().await;
    house.make(input("partners")).await.unwrap();
    house.put(vec![Change::PutUser(Box::new(alice_of("partners")))]).await;
    house.login_at("partners", 1).await;
    house.login("alice", 2).await;
    let wrong = change::Input { roles: Some(vec!["nobody".to_owned()]), ..switched(false) };
    assert_eq!(field(&house.set("partners", wrong).await.unwrap_err()), "roleNames");
    assert!(house.is_live(1).await, "no session ends for a change that is not made");
    house.set("partners", switched(false)).await.unwrap();
    assert!(!house.is_live(1).await && house.is_live(2).await);
    house.set("partners", switched(true)).await.unwrap();
    assert!(!house.is_live(1).await);
    house.login_at("partners", 3).await;
    // Whoever comes from there would saw off the branch that he sits on; others may.
    let permit = house.permit(3, change::NAME).await;
    let id = id_of("partners");
    let off = change::run(&house.services, &permit, id, switched(false), &Precondition::None).await;
    assert_eq!(field(&off.unwrap_err()), "conflict");
    let permit = house.permit(3, delete::NAME).await;
    let gone = delete::run(&house.services, &permit, id, true, &Precondition::None).await;
    assert_eq!(field(&gone.unwrap_err()), "conflict");
    assert!(house.is_live(3).await);
}

#[tokio::test]
async fn a_realm_goes_with_its_users_their_keys_and_sessions_or_not_at_all() {
    let house = House::new().await;
    house.make(input("partners")).await.unwrap();
    let partners = RealmName::parse("partners").unwrap();
    let others = (0..delete::MOST_USERS_AT_ONCE).map(|number| {
        let username = username(&format!("partner {number}"));
        User { id: UserId::of(&partners, &username), username, ..alice_of("partners") }
    });
    let users: Vec<_> = others.chain([alice_of("partners")]).collect();
    assert_eq!(users.len(), delete::MOST_USERS_AT_ONCE + 1, "one more than go at once");
    house.put(users.into_iter().map(|user| Change::PutUser(Box::new(user))).collect()).await;
    let key = |number: u8, user: UserId| {
        Change::PutKey(Box::new(ApiKey {
            id: KeyId::from_random([number; 16]),
            hash: SessionToken::from_text(&format!("key-{number}")).unwrap().hash(),
            name: String::new(),
            user,
            permissions: None,
            expires: None,
            created: house.clock.now(),
        }))
    };
    house.put(vec![key(1, alice_of("partners").id), key(2, user("alice").id)]).await;
    house.login_at("partners", 1).await;
    house.login("alice", 2).await;
    assert_eq!(field(&house.delete("partners", false).await.unwrap_err()), "conflict");
    assert!(house.is_live(1).await);
    house.delete("partners", true).await.unwrap();
    let snapshot = house.services.kernel.directory().held();
    assert!(snapshot.realm("partners").is_none());
    let left: Vec<_> = snapshot.accounts().map(|account| account.user.realm.as_str()).collect();
    assert_eq!(left, ["native", "native"]);
    let keys: Vec<_> = snapshot.keys().map(|compiled| compiled.key.user).collect();
    assert_eq!(keys, [user("alice").id]);
    let table = house.services.kernel.sessions().table();
    let ended = table.find(&token(1).hash()).unwrap().ended(house.clock.now()).unwrap();
    assert_eq!(ended.reason, EndReason::UserChanged);
    assert!(house.is_live(2).await);
}

#[tokio::test]
async fn a_role_that_is_deleted_is_inherited_by_nobody() {
    let house = House::new().await;
    let name = RoleName::parse("tester").unwrap();
    let role = Role {
        name: name.clone(),
        description: String::new(),
        permissions: Vec::new(),
        ui_permissions: Vec::new(),
        created: Moment::default(),
        updated: Moment::default(),
    };
    house.put(vec![Change::PutRole(role.clone())]).await;
    let roles = vec!["tester".to_owned(), "tester".to_owned()];
    let made = house.make(create::Input { roles, ..input("partners") }).await.unwrap();
    assert_eq!(made.record.roles, [name]);
    let permit = house.permit_of_nobody(roles::delete::NAME);
    roles::delete::run(&house.services, &permit, roles::id_of("tester"), &Precondition::None).await.unwrap();
    let after = house.one("partners").unwrap();
    assert!(after.record.roles.is_empty() && after.record.updated > made.record.updated);
    house.put(vec![Change::PutRole(role)]).await;
    assert!(house.one("partners").unwrap().record.roles.is_empty(), "another role of the same name");
}
