//! What every directory store must do, whatever it is made of.
//!
//! Called by the tests of every store room with a closure that makes empty stores. Must never know a store by name, nor
//! test what only one of them can do (that is the room's own test).

use std::time::Duration;

use auth::{
    ApiKey, App, AttemptRecord, Change, DirectoryImage, DirectoryStore, Initialised, KeyUse, Moment,
    RealmRecord, Role, User, UserId, Username,
};

use super::clock::START;
use super::samples::{
    HOSTILE, api_key, app, attempts, facts_of_key, facts_of_key_ring, facts_of_role, facts_of_user, key_ring,
    realm, role, user,
};

/// Runs every case, each on an empty store of its own.
///
/// # Panics
/// If the store does not do what a store must.
pub async fn directory_store_suite<S: DirectoryStore>(make: impl AsyncFn() -> S) {
    starts_empty(&make().await).await;
    keeps_users(&make().await).await;
    keeps_roles(&make().await).await;
    keeps_realms(&make().await).await;
    keeps_apps(&make().await).await;
    keeps_keys(&make().await).await;
    refuses_a_key_whose_id_or_hash_is_taken(&make().await).await;
    notes_the_last_use_of_keys(&make().await).await;
    changes_all_or_nothing(&make().await).await;
    changes_in_order(&make().await).await;
    notes_the_setup(&make().await).await;
    keeps_the_last_key_ring(&make().await).await;
    case_27_no_field_alters_another(&make().await).await;
    case_15_keeps_attempts(&make().await).await;
    forgets_only_settled_attempts(&make().await).await;
}

async fn load(store: &impl DirectoryStore) -> DirectoryImage {
    store.load().await.expect("load")
}

async fn put(store: &impl DirectoryStore, user: User) {
    store.apply(vec![Change::PutUser(Box::new(user))]).await.expect("apply");
}

fn users(users: &[User]) -> Vec<String> {
    let mut facts: Vec<String> = users.iter().map(facts_of_user).collect();
    facts.sort();
    facts
}

fn roles(roles: &[Role]) -> Vec<String> {
    let mut facts: Vec<String> = roles.iter().map(facts_of_role).collect();
    facts.sort();
    facts
}

fn keys(keys: &[ApiKey]) -> Vec<String> {
    let mut facts: Vec<String> = keys.iter().map(facts_of_key).collect();
    facts.sort();
    facts
}

fn realms(image: &DirectoryImage) -> Vec<RealmRecord> {
    let mut realms = image.realms.clone();
    realms.sort_by(|one, other| one.name.cmp(&other.name));
    realms
}

fn apps(image: &DirectoryImage) -> Vec<App> {
    let mut apps = image.apps.clone();
    apps.sort_by(|one, other| one.id.cmp(&other.id));
    apps
}

fn put_key(key: ApiKey) -> Change {
    Change::PutKey(Box::new(key))
}

fn put_key_ring(number: u8) -> Change {
    Change::PutKeyRing(Box::new(key_ring(number)))
}

fn later(seconds: u64) -> Moment {
    START.plus(Duration::from_secs(seconds))
}

async fn all_attempts(store: &impl DirectoryStore) -> Vec<AttemptRecord> {
    let mut all = store.load_attempts().await.expect("load");
    all.sort_by(|one, other| one.key.cmp(&other.key));
    all
}

async fn starts_empty(store: &impl DirectoryStore) {
    let image = load(store).await;
    assert!(image.users.is_empty() && image.roles.is_empty() && image.initialised.is_none());
    assert!(image.realms.is_empty() && image.apps.is_empty() && image.keys.is_empty());
    assert!(image.key_ring.is_none());
    assert!(all_attempts(store).await.is_empty());
    store.apply(Vec::new()).await.expect("no change");
    store.put_attempts(Vec::new()).await.expect("no attempts");
    let absent = vec![
        Change::DeleteUser(user("nobody").id),
        Change::DeleteRole(role("none").name),
        Change::DeleteRealm(realm("none").name),
        Change::DeleteApp(app("none").id),
        Change::DeleteKey(api_key(1).id),
    ];
    store.apply(absent).await.expect("what is not there is gone");
}

async fn keeps_users(store: &impl DirectoryStore) {
    let bare = User {
        roles: Vec::new(),
        permissions: Vec::new(),
        enabled: false,
        password: None,
        vouched: auth::Vouched::default(),
        password_version: 0,
        ..user("Bare")
    };
    put(store, user("alice")).await;
    put(store, bare.clone()).await;
    assert_eq!(users(&load(store).await.users), users(&[user("alice"), bare.clone()]));
    let changed = User { enabled: false, password_version: 4, updated: later(9), ..user("ALICE") };
    put(store, changed.clone()).await;
    assert_eq!(users(&load(store).await.users), users(&[changed, bare]));
    store.apply(vec![Change::DeleteUser(user("alice").id)]).await.expect("delete");
    assert_eq!(load(store).await.users.len(), 1);
    put(store, user("alice")).await;
    assert_eq!(load(store).await.users.len(), 2, "who was deleted may come again");
}

async fn keeps_roles(store: &impl DirectoryStore) {
    let bare = Role {
        description: String::new(),
        permissions: Vec::new(),
        ui_permissions: Vec::new(),
        ..role("bare")
    };
    let put = vec![Change::PutRole(role("search")), Change::PutRole(bare.clone())];
    store.apply(put).await.expect("apply");
    assert_eq!(roles(&load(store).await.roles), roles(&[role("search"), bare]));
    let changed = Role { description: "other".to_owned(), updated: later(5), ..role("bare") };
    let change = vec![Change::PutRole(changed.clone()), Change::DeleteRole(role("search").name)];
    store.apply(change).await.expect("apply");
    assert_eq!(roles(&load(store).await.roles), roles(&[changed]));
}

async fn keeps_realms(store: &impl DirectoryStore) {
    let bare = RealmRecord {
        kind: Box::from(""),
        enabled: false,
        roles: Vec::new(),
        config: Box::from("{}"),
        ..realm("bare")
    };
    let large = RealmRecord { config: Box::from("\"x'\0\r\n".repeat(11_000)), ..realm("large") };
    let put = [&bare, &realm("Acme"), &realm("acme"), &large];
    store
        .apply(put.map(|realm| Change::PutRealm(Box::new(realm.clone()))).into())
        .await
        .expect("64 KiB, and two names that differ by case");
    let kept = [realm("Acme"), realm("acme"), bare.clone(), large.clone()];
    assert_eq!(realms(&load(store).await), kept);
    let changed = RealmRecord { enabled: true, config: Box::from("{\"a\":1}"), updated: later(9), ..bare };
    let change = vec![
        Change::PutRealm(Box::new(changed.clone())),
        Change::DeleteRealm(realm("Acme").name),
        Change::DeleteRealm(large.name),
    ];
    store.apply(change).await.expect("apply");
    assert_eq!(realms(&load(store).await), [realm("acme"), changed.clone()]);
    store.apply(vec![Change::PutRealm(Box::new(realm("Acme")))]).await.expect("it may come again");
    assert_eq!(realms(&load(store).await), [realm("Acme"), realm("acme"), changed]);
}

async fn keeps_apps(store: &impl DirectoryStore) {
    let bare =
        App { name: String::new(), description: String::new(), properties: Box::from("{}"), ..app("bare") };
    let put = [app("Ärzte Co"), bare.clone(), app("demo")];
    store.apply(put.map(|app| Change::PutApp(Box::new(app))).into()).await.expect("apply");
    assert_eq!(apps(&load(store).await), [bare.clone(), app("demo"), app("Ärzte Co")]);
    let changed = App { name: "other".to_owned(), updated: later(4), ..bare };
    let change = vec![Change::DeleteApp(app("demo").id), Change::PutApp(Box::new(changed.clone()))];
    store.apply(change).await.expect("apply");
    assert_eq!(apps(&load(store).await), [changed, app("Ärzte Co")]);
}

async fn keeps_keys(store: &impl DirectoryStore) {
    let all: Vec<ApiKey> = (0..6).map(api_key).collect();
    let nothing = ApiKey { permissions: Some(Vec::new()), name: String::new(), ..api_key(6) };
    let everything = ApiKey { permissions: None, expires: Some(Moment::from_millis(0)), ..api_key(8) };
    let all = [all, vec![nothing.clone(), everything.clone()]].concat();
    store.apply(all.iter().cloned().map(put_key).collect()).await.expect("apply");
    let image = load(store).await;
    assert_eq!(keys(&image.keys), keys(&all));
    let find = |key: &ApiKey| image.keys.iter().find(|kept| kept.id == key.id).expect("it is there");
    assert!(find(&nothing).permissions.as_ref().is_some_and(Vec::is_empty), "nothing is not everything");
    assert!(find(&everything).permissions.is_none(), "everything is not nothing");
    store.apply(all.iter().take(7).map(|key| Change::DeleteKey(key.id)).collect()).await.expect("delete");
    assert_eq!(keys(&load(store).await.keys), keys(&[everything]));
    store.apply(vec![put_key(api_key(0))]).await.expect("what is gone leaves its id and hash free");
}

async fn refuses_a_key_whose_id_or_hash_is_taken(store: &impl DirectoryStore) {
    store.apply(vec![put_key(api_key(1)), put_key(api_key(2))]).await.expect("apply");
    let same_id = ApiKey { id: api_key(1).id, ..api_key(3) };
    let same_hash = ApiKey { hash: api_key(2).hash, ..api_key(3) };
    for refused in [same_id, same_hash, api_key(1)] {
        assert!(store.apply(vec![put_key(api_key(4)), put_key(refused)]).await.is_err());
    }
    assert_eq!(keys(&load(store).await.keys), keys(&[api_key(1), api_key(2)]));
    let swap = vec![
        Change::DeleteKey(api_key(1).id),
        put_key(ApiKey { hash: api_key(1).hash, ..api_key(5) }),
        put_key(api_key(4)),
    ];
    store.apply(swap).await.expect("in order: the hash is free again");
}

async fn notes_the_last_use_of_keys(store: &impl DirectoryStore) {
    let used =
        |seconds, address: &str| KeyUse { at: later(seconds), address: address.parse().expect("an address") };
    let uses = async || {
        let mut uses = load(store).await.key_uses;
        uses.sort_by_key(|(id, _)| *id.as_bytes());
        uses
    };
    let [one, two, unknown] = [1, 2, 3].map(|number| api_key(number).id);
    store.apply(vec![put_key(api_key(1)), put_key(api_key(2))]).await.expect("apply");
    assert!(uses().await.is_empty());
    store.note_key_uses(Vec::new()).await.expect("none");
    let first = vec![(one, used(5, "192.0.2.1")), (unknown, used(9, "192.0.2.1"))];
    store.note_key_uses(first).await.expect("unknown ones are passed over");
    assert_eq!(uses().await, [(one, used(5, "192.0.2.1"))]);
    // Within one list the latest counts, and what was noted later before stays.
    let more = vec![
        (two, used(7, "2001:db8::1")),
        (two, used(6, "192.0.2.2")),
        (one, used(4, "192.0.2.3")),
        (two, used(7, "2001:db8::1")),
    ];
    store.note_key_uses(more).await.expect("note");
    let mut expected = vec![(one, used(5, "192.0.2.1")), (two, used(7, "2001:db8::1"))];
    expected.sort_by_key(|(id, _)| *id.as_bytes());
    assert_eq!(uses().await, expected);
    store.note_key_uses(vec![(one, used(8, "192.0.2.3"))]).await.expect("note");
    store.apply(vec![Change::DeleteKey(two)]).await.expect("delete");
    assert_eq!(uses().await, [(one, used(8, "192.0.2.3"))]);
    store.apply(vec![put_key(api_key(2))]).await.expect("apply");
    assert_eq!(uses().await.len(), 1, "a key of the same id begins anew");
    assert_eq!(
        keys(&load(store).await.keys),
        keys(&[api_key(1), api_key(2)]),
        "the keys themselves are as they were"
    );
}

async fn changes_all_or_nothing(store: &impl DirectoryStore) {
    put(store, user("alice")).await;
    // Another id for a name that is taken: no store may keep both.
    let impostor = User { id: UserId::from_bytes([7; 16]), ..user("Alice") };
    let refused = vec![
        Change::PutUser(Box::new(user("bob"))),
        Change::PutRole(role("search")),
        Change::PutRealm(Box::new(realm("acme"))),
        Change::PutApp(Box::new(app("demo"))),
        put_key(api_key(1)),
        Change::DeleteUser(user("alice").id),
        Change::Initialise(Initialised { version: "1".to_owned(), at: START }),
        put_key_ring(1),
        Change::PutUser(Box::new(user("alice"))),
        Change::PutUser(Box::new(impostor)),
    ];
    assert!(store.apply(refused).await.is_err());
    let image = load(store).await;
    assert_eq!(users(&image.users), users(&[user("alice")]));
    assert!(image.roles.is_empty() && image.initialised.is_none() && image.key_ring.is_none());
    assert!(image.realms.is_empty() && image.apps.is_empty() && image.keys.is_empty());
    put(store, user("bob")).await;
    store.apply(vec![put_key(api_key(1))]).await.expect("what was undone leaves its id and hash free");
}

async fn changes_in_order(store: &impl DirectoryStore) {
    let changes = vec![
        Change::PutUser(Box::new(user("alice"))),
        Change::DeleteUser(user("alice").id),
        Change::PutUser(Box::new(user("bob"))),
        Change::PutUser(Box::new(User { enabled: false, ..user("bob") })),
        Change::PutRole(role("search")),
        Change::DeleteRole(role("search").name),
    ];
    store.apply(changes).await.expect("apply");
    let image = load(store).await;
    assert_eq!(users(&image.users), users(&[User { enabled: false, ..user("bob") }]));
    assert!(image.roles.is_empty());
}

async fn notes_the_setup(store: &impl DirectoryStore) {
    let first = Initialised { version: "0.1.0".to_owned(), at: START };
    let second = Initialised { version: "0.2.0".to_owned(), at: later(1) };
    store.apply(vec![Change::Initialise(first.clone())]).await.expect("apply");
    assert_eq!(load(store).await.initialised, Some(first));
    store.apply(vec![Change::Initialise(second.clone())]).await.expect("apply");
    assert_eq!(load(store).await.initialised, Some(second), "the last one stays");
}

async fn keeps_the_last_key_ring(store: &impl DirectoryStore) {
    let kept = async || load(store).await.key_ring.as_ref().map(facts_of_key_ring);
    store.apply(vec![put_key_ring(1)]).await.expect("apply");
    assert_eq!(kept().await, Some(facts_of_key_ring(&key_ring(1))));
    store.apply(vec![put_key_ring(2), put_key_ring(3)]).await.expect("apply");
    assert_eq!(kept().await, Some(facts_of_key_ring(&key_ring(3))), "the last one stays, alone");
}

async fn case_27_no_field_alters_another(store: &impl DirectoryStore) {
    let (mut some_users, mut some_roles, mut some_attempts) = (Vec::new(), Vec::new(), Vec::new());
    let (mut some_realms, mut some_apps, mut some_keys) = (Vec::new(), Vec::new(), Vec::new());
    for (number, hostile) in HOSTILE.iter().enumerate() {
        let mut one = user("placeholder");
        one.username = Username::presented(hostile).expect("a login takes any name");
        one.id = UserId::of(&one.realm, &one.username);
        one.password = Some(auth::PasswordHash::from_phc(hostile));
        some_users.push(one);
        let mut other = role(&format!("role{number}"));
        other.description = (*hostile).to_owned();
        other.ui_permissions = vec![(*hostile).to_owned(), String::new(), hostile.repeat(500)];
        some_roles.push(other);
        some_attempts.push(attempts(hostile));
        let (kind, config) = (Box::from(*hostile), Box::from(hostile.repeat(500)));
        some_realms.push(RealmRecord { kind, config, ..realm(&format!("realm{number:03}")) });
        let (name, description) = ((*hostile).to_owned(), hostile.repeat(3));
        let properties = Box::from(*hostile);
        some_apps.push(App { name, description, properties, ..app(&format!("app{number:03}")) });
        some_keys.push(ApiKey { name: (*hostile).to_owned(), ..api_key(number as u64) });
    }
    let changes = some_users.iter().cloned().map(|user| Change::PutUser(Box::new(user)));
    let changes = changes.chain(some_roles.iter().cloned().map(Change::PutRole));
    let changes = changes.chain(some_realms.iter().cloned().map(|realm| Change::PutRealm(Box::new(realm))));
    let changes = changes.chain(some_apps.iter().cloned().map(|app| Change::PutApp(Box::new(app))));
    let changes = changes.chain(some_keys.iter().cloned().map(put_key));
    store.apply(changes.collect()).await.expect("apply");
    store.put_attempts(some_attempts.clone()).await.expect("put");
    let image = load(store).await;
    assert_eq!(users(&image.users), users(&some_users));
    assert_eq!(roles(&image.roles), roles(&some_roles));
    assert_eq!((realms(&image), apps(&image)), (some_realms, some_apps));
    assert_eq!(keys(&image.keys), keys(&some_keys));
    some_attempts.sort_by(|one, other| one.key.cmp(&other.key));
    assert_eq!(all_attempts(store).await, some_attempts);
}

async fn case_15_keeps_attempts(store: &impl DirectoryStore) {
    let bare = AttemptRecord { known: Vec::new(), failures: u32::MAX, pauses: 0, ..attempts("b") };
    store.put_attempts(vec![attempts("a"), bare.clone()]).await.expect("put");
    assert_eq!(all_attempts(store).await, [attempts("a"), bare.clone()]);
    let risen = AttemptRecord { failures: 9, pauses: 2, paused_until: later(99), ..attempts("a") };
    store.put_attempts(vec![attempts("a"), risen.clone(), attempts("A")]).await.expect("put");
    assert_eq!(all_attempts(store).await, [attempts("A"), risen, bare], "the last one stays, keys are exact");
}

async fn forgets_only_settled_attempts(store: &impl DirectoryStore) {
    let record = |key: &str, since: u64, paused_until: u64, known: Option<u64>| AttemptRecord {
        since: later(since),
        paused_until: later(paused_until),
        known: known.map(|seen| ([10, 0, 0, 1].into(), later(seen))).into_iter().collect(),
        ..attempts(key)
    };
    store
        .put_attempts(vec![
            record("counted", 10, 0, None),
            record("known", 0, 0, Some(5)),
            record("known long ago", 0, 0, Some(4)),
            record("paused", 0, 10, None),
            record("settled", 9, 9, None),
        ])
        .await
        .expect("put");
    assert_eq!(store.forget_attempts(later(10), later(5)).await.expect("forget"), 2);
    let left: Vec<String> = all_attempts(store).await.iter().map(|record| record.key.to_string()).collect();
    assert_eq!(left, ["counted", "known", "paused"]);
}
