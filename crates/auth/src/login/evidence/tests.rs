//! Tests of the memory of verified credentials. With the kernel around it: `tests/kernel/`.

use std::collections::HashMap;
use std::time::Duration;

use zeroize::Zeroizing;

use super::*;
use crate::directory::Snapshot;
use crate::realm::{Realm, RealmFault, RealmMaker, Unmakeable};
use crate::store::DirectoryImage;
use crate::words::credential::PasswordHash;
use crate::words::ids::UserId;
use crate::words::names::RealmName;
use crate::words::records::{RealmRecord, User};

const START: Moment = Moment::from_millis(1_748_441_115_000);

struct NoRealm;

impl RealmMaker for NoRealm {
    fn make(&self, _: &RealmRecord) -> Result<Arc<dyn Realm>, RealmFault> {
        Ok(Arc::new(Unmakeable))
    }
}

fn name(text: &str) -> Username {
    Username::presented(text).unwrap()
}

fn password(text: &str) -> Password {
    Password::presented(Zeroizing::new(text.to_owned())).unwrap()
}

fn user(text: &str) -> User {
    User {
        id: UserId::of(&RealmName::native(), &name(text)),
        realm: RealmName::native(),
        username: name(text),
        roles: Vec::new(),
        permissions: Vec::new(),
        enabled: true,
        password: None,
        vouched: crate::Vouched::default(),
        password_version: 1,
        created: START,
        updated: START,
    }
}

fn account(user: User) -> Arc<Account> {
    let id = user.id;
    let image = DirectoryImage { users: vec![user], ..DirectoryImage::default() };
    let snapshot = Snapshot::new(image, Vec::new(), HashMap::new(), &NoRealm);
    Arc::clone(snapshot.account(&id).unwrap())
}

/// The realm `native` of this type.
fn realm(kind: &str) -> RealmState {
    let record = RealmRecord {
        name: RealmName::native(),
        kind: Box::from(kind),
        enabled: true,
        roles: Vec::new(),
        config: Box::from("{}"),
        created: START,
        updated: START,
    };
    RealmState { record, in_settings: false, realm: Arc::new(Unmakeable) }
}

/// That `account`'s secret was shown to a realm of type `native`.
fn proof(account: &Arc<Account>) -> Proven {
    Proven { account: Arc::clone(account), realm: Arc::new(realm("native").record) }
}

/// A memory that remembers alice's password.
fn remembering(alice: &Arc<Account>) -> Remembered {
    let remembered = Remembered::new(&[7; 32]);
    let proven = proof(alice);
    remembered.remember("native", &name("alice"), &password("secret"), &proven, START);
    remembered
}

#[test]
fn is_remembered_for_its_time_and_not_longer() {
    let alice = account(user("alice"));
    let remembered = remembering(&alice);
    let native = realm("native");
    let present = Some((&alice, &native));
    let recall =
        |now| remembered.recall("native", &name("Alice"), &password("secret"), |_| present, now).is_some();
    assert!(recall(START));
    assert!(recall(START.plus(EVIDENCE_KEPT).minus(Duration::from_millis(1))));
    assert!(!recall(START.plus(EVIDENCE_KEPT)));
    assert!(!recall(START), "what was too old once is forgotten");
}

#[test]
fn case_25_the_key_is_realm_user_and_secret() {
    let alice = account(user("alice"));
    let remembered = remembering(&alice);
    let native = realm("native");
    let recall = |realm: &str, user: &str, secret: &str| {
        let present = Some((&alice, &native));
        remembered.recall(realm, &name(user), &password(secret), |_| present, START).is_some()
    };
    assert!(recall("native", "alice", "secret"));
    assert!(!recall("ldap", "alice", "secret"));
    assert!(!recall("native", "bob", "secret"));
    for other in ["Secret", "secret ", "secre", "secret\0"] {
        assert!(!recall("native", "alice", other), "{other:?}");
    }
    assert!(recall("native", "alice", "secret"), "wrong guesses forget nothing");
}

#[test]
fn parts_cannot_slide_into_each_other() {
    let remembered = Remembered::new(&[7; 32]);
    let digest =
        |realm: &str, user: &str, secret: &str| remembered.digest(realm, &name(user), &password(secret));
    assert_ne!(digest("ab", "c", "d"), digest("a", "bc", "d"));
    assert_ne!(digest("a", "bc", "d"), digest("a", "b", "cd"));
    assert_ne!(digest("a", "b", "c"), Remembered::new(&[8; 32]).digest("a", &name("b"), &password("c")));
}

#[test]
fn case_24_any_change_of_the_user_or_of_the_realms_source_voids_it() {
    let alice = account(user("alice"));
    let changed = account(user("alice"));
    let (native, other) = (realm("native"), realm("other"));
    for present in [Some((&changed, &native)), Some((&alice, &other)), None] {
        let remembered = remembering(&alice);
        let alice = Some((&alice, &native));
        assert!(
            remembered.recall("native", &name("alice"), &password("secret"), |_| present, START).is_none()
        );
        assert!(
            remembered.recall("native", &name("alice"), &password("secret"), |_| alice, START).is_none(),
            "what was void once does not come back"
        );
    }
}

#[test]
fn case_24_another_password_of_his_that_counts_voids_it() {
    let alice = account(user("alice"));
    let remembered = remembering(&alice);
    let native = realm("native");
    let recall = |secret: &str| {
        let present = Some((&alice, &native));
        remembered.recall("native", &name("alice"), &password(secret), |_| present, START).is_some()
    };
    remembered.note_secret(&alice.user.id, &password("secret"));
    remembered.note_secret(&user("bob").id, &password("new"));
    assert!(recall("secret"), "others' passwords are others'");
    remembered.note_secret(&alice.user.id, &password("new"));
    assert!(!recall("secret"));
    remembered.remember("native", &name("alice"), &password("new"), &proof(&alice), START);
    assert!(recall("new"));
    // Somebody who waited all the while brings the old one.
    remembered.remember("native", &name("alice"), &password("secret"), &proof(&alice), START);
    assert!(!recall("secret") && recall("new"));
}

#[test]
fn the_memory_is_bounded() {
    let alice = account(user("alice"));
    let remembered = remembering(&alice);
    let proven = proof(&alice);
    for number in 0..MAX_EVIDENCE + 5_000 {
        remembered.remember("native", &name("alice"), &password(&format!("secret{number}")), &proven, START);
        if number == MAX_EVIDENCE / 2 {
            assert!(remembered.entries.len() > MAX_EVIDENCE / 2);
        }
    }
    assert!(remembered.entries.len() <= MAX_EVIDENCE, "{}", remembered.entries.len());
    for number in 0..MAX_EVIDENCE + 5_000 {
        remembered.note_secret(&user(&format!("user{number}")).id, &password("secret"));
    }
    assert!(remembered.secrets.len() <= MAX_EVIDENCE, "{}", remembered.secrets.len());
}

#[test]
fn what_is_proven_holds_for_the_same_user_with_the_same_password() {
    let proven = proof(&account(user("alice")));
    let (native, other) = (realm("native"), realm("other"));
    let holds = |user: User| proven.holds_for(&account(user), &native);
    assert!(!proven.holds_for(&account(user("alice")), &other), "another source of users");
    assert!(holds(user("alice")));
    assert!(holds(User {
        password: Some(PasswordHash::from_phc("costlier")),
        enabled: false,
        ..user("alice")
    }));
    assert!(!holds(User { password_version: 2, ..user("alice") }));
    assert!(
        !holds(User { created: START.plus(Duration::from_millis(1)), ..user("alice") }),
        "deleted and made anew"
    );
    assert!(!holds(user("bob")));
}
