//! What every directory store must do, whatever it is made of.
//!
//! Called by the tests of every store room with a closure that makes empty stores. Must never know a store by name, nor
//! test what only one of them can do (that is the room's own test).

use std::time::Duration;

use auth::{
    AttemptRecord, Change, DirectoryImage, DirectoryStore, Initialised, Moment, Role, User, UserId, Username,
};

use super::clock::START;
use super::samples::{HOSTILE, attempts, facts_of_role, facts_of_user, role, user};

/// Runs every case, each on an empty store of its own.
///
/// # Panics
/// If the store does not do what a store must.
pub async fn directory_store_suite<S: DirectoryStore>(make: impl AsyncFn() -> S) {
    starts_empty(&make().await).await;
    keeps_users(&make().await).await;
    keeps_roles(&make().await).await;
    changes_all_or_nothing(&make().await).await;
    changes_in_order(&make().await).await;
    notes_the_setup(&make().await).await;
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
    assert!(all_attempts(store).await.is_empty());
    store.apply(Vec::new()).await.expect("no change");
    store.put_attempts(Vec::new()).await.expect("no attempts");
    let absent = vec![Change::DeleteUser(user("nobody").id), Change::DeleteRole(role("none").name)];
    store.apply(absent).await.expect("what is not there is gone");
}

async fn keeps_users(store: &impl DirectoryStore) {
    let bare = User {
        roles: Vec::new(),
        permissions: Vec::new(),
        enabled: false,
        password: None,
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

async fn changes_all_or_nothing(store: &impl DirectoryStore) {
    put(store, user("alice")).await;
    // Another id for a name that is taken: no store may keep both.
    let impostor = User { id: UserId::from_bytes([7; 16]), ..user("Alice") };
    let refused = vec![
        Change::PutUser(Box::new(user("bob"))),
        Change::PutRole(role("search")),
        Change::DeleteUser(user("alice").id),
        Change::Initialise(Initialised { version: "1".to_owned(), at: START }),
        Change::PutUser(Box::new(user("alice"))),
        Change::PutUser(Box::new(impostor)),
    ];
    assert!(store.apply(refused).await.is_err());
    let image = load(store).await;
    assert_eq!(users(&image.users), users(&[user("alice")]));
    assert!(image.roles.is_empty() && image.initialised.is_none());
    put(store, user("bob")).await;
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

async fn case_27_no_field_alters_another(store: &impl DirectoryStore) {
    let (mut some_users, mut some_roles, mut some_attempts) = (Vec::new(), Vec::new(), Vec::new());
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
    }
    let changes = some_users.iter().cloned().map(|user| Change::PutUser(Box::new(user)));
    store
        .apply(changes.chain(some_roles.iter().cloned().map(Change::PutRole)).collect())
        .await
        .expect("apply");
    store.put_attempts(some_attempts.clone()).await.expect("put");
    let image = load(store).await;
    assert_eq!(users(&image.users), users(&some_users));
    assert_eq!(roles(&image.roles), roles(&some_roles));
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
