//! The realm alone: the suite that every realm passes, and what each look costs.

use std::collections::HashMap;
use std::sync::Arc;

use auth::{DirectoryImage, PasswordHash, Realm, RealmName, Rejection, User, UserId, Verdict};
use realm_native::{HashPool, HashSettings, NativeRealm};
use testkit::suites::realms::{evidence, presented};
use testkit::suites::{maker, realm_suite};

use crate::house::{CHEAP, House, WORK, hashed, realm_of, user};

#[tokio::test]
async fn passes_the_suite_of_realms() {
    realm_suite(realm_of).await;
}

/// security.md case 28: whoever is asked for, the pool computes one hash with the present parameters. Counted, not
/// timed: what the clock says is for the bench.
#[tokio::test]
async fn case_28_unknown_wrong_disabled_and_odd_users_cost_the_same() {
    let present = hashed(CHEAP, "right").await;
    let cheaper = hashed(HashSettings { memory_kib: 8, passes: 1, ..CHEAP }, "right").await;
    let bcrypt = PasswordHash::from_phc("$2b$12$EXRkfkdmXn2gzds2SSitu.MW9.gAVqa9eLS1//RYtYCmB1eLHg.9q");
    let monstrous = PasswordHash::from_phc(
        "$argon2id$v=19$m=4194304,t=100,p=1$c29tZXNhbHRzb21lc2FsdA$iekCn0Y3spW+sCcFanM2xBT63UP2sghkUoHLIUpWRS8",
    );
    let users = vec![
        user("known", Some(present.clone()), true),
        user("disabled", Some(present), false),
        user("weak", Some(cheaper.clone()), true),
        user("weak and disabled", Some(cheaper), false),
        user("of another kind", None, true),
        user("of another kind and disabled", None, false),
        user("imported badly", Some(bcrypt), true),
        user("imported worse", Some(monstrous), true),
    ];
    let house = House::new(CHEAP, users);
    for (name, password, expected) in [
        ("unknown", "right", "NotMine"),
        ("unknown", "wrong", "NotMine"),
        ("known", "right", "Verified"),
        ("known", "wrong", "Rejected(WrongPassword)"),
        ("disabled", "right", "Rejected(Disabled)"),
        ("disabled", "wrong", "Rejected(WrongPassword)"),
        ("weak", "wrong", "Rejected(WrongPassword)"),
        ("weak and disabled", "right", "Rejected(Disabled)"),
        ("weak and disabled", "wrong", "Rejected(WrongPassword)"),
        ("of another kind", "right", "NotMine"),
        ("of another kind and disabled", "right", "NotMine"),
        ("imported badly", "right", "Rejected(WrongPassword)"),
        ("imported worse", "right", "Rejected(WrongPassword)"),
    ] {
        let (verdict, spent) = house.spent(house.verify(name, password)).await;
        let told = format!("{verdict:?}");
        assert!(told.starts_with(expected), "{told} for {name} with {password}");
        assert_eq!(spent.kib_passes, WORK, "{name} with {password}");
        assert!(spent.hashes == 1 || name.starts_with("weak"), "{name} with {password}");
    }
}

#[tokio::test]
async fn asvs_64_hashes_below_the_settings_are_made_anew_at_the_login() {
    let cheaper = hashed(HashSettings { memory_kib: 8, ..CHEAP }, "right").await;
    let costlier = hashed(HashSettings { memory_kib: 32, ..CHEAP }, "right").await;
    let house =
        House::new(CHEAP, vec![user("weak", Some(cheaper), true), user("strong", Some(costlier), true)]);
    for (name, renewed) in [("weak", true), ("strong", false)] {
        let Verdict::Verified(verified) = house.verify(name, "right").await else {
            panic!("{name} has the right password");
        };
        assert_eq!(verified.username.shown(), name);
        assert_eq!(verified.rehashed.is_some(), renewed, "{name}");
        if let Some(hash) = verified.rehashed {
            assert!(hash.expose().starts_with("$argon2id$v=19$m=16,t=2,p=1$"));
            realm_native::check_hash(&hash).unwrap();
        }
    }
}

#[tokio::test]
async fn case_19_passwords_that_differ_after_byte_72_are_two() {
    let long = "x".repeat(72);
    let hash = hashed(CHEAP, &format!("{long}A")).await;
    let house = House::new(CHEAP, vec![user("alice", Some(hash), true)]);
    for wrong in [format!("{long}B"), long.clone(), format!("{long}AA"), format!("{long}A\0")] {
        let verdict = house.verify("alice", &wrong).await;
        assert!(matches!(verdict, Verdict::Rejected(Rejection::WrongPassword)), "{wrong:?}");
    }
    let verdict = house.verify("alice", &format!("{long}A")).await;
    assert!(matches!(verdict, Verdict::Verified(_)));
}

#[tokio::test]
async fn asvs_53_passwords_are_compared_exactly() {
    let thousand = "p".repeat(999);
    for (right, wrong) in [
        (format!("{thousand}x"), format!("{thousand}y")),
        ("trailing ".to_owned(), "trailing".to_owned()),
        (" leading".to_owned(), "leading".to_owned()),
        ("nul\0inside".to_owned(), "nul".to_owned()),
        ("nul\0inside".to_owned(), "nul\0other".to_owned()),
        ("Case".to_owned(), "case".to_owned()),
        ("ﬁ".to_owned(), "fi".to_owned()),
    ] {
        let house = House::new(CHEAP, vec![user("alice", Some(hashed(CHEAP, &right).await), true)]);
        let verdict = house.verify("alice", &wrong).await;
        assert!(matches!(verdict, Verdict::Rejected(Rejection::WrongPassword)), "{wrong:?} is not {right:?}");
        assert!(matches!(house.verify("alice", &right).await, Verdict::Verified(_)), "{right:?}");
    }
}

#[tokio::test]
async fn asvs_54_and_case_20_passwords_up_to_the_limit_are_taken_and_longer_ones_never_hashed() {
    for bytes in [64, 128, 1_024] {
        let right = "\u{e4}".repeat(bytes / 2);
        let house = House::new(CHEAP, vec![user("alice", Some(hashed(CHEAP, &right).await), true)]);
        assert!(matches!(house.verify("alice", &right).await, Verdict::Verified(_)), "{bytes}");
    }
    // There is no evidence to be made of more: the type is the refusal.
    assert!(presented(&"x".repeat(1_025)).is_none());
    assert!(presented(&"x".repeat(1_000_000)).is_none());
}

#[tokio::test]
async fn asvs_65_both_normal_forms_are_one_password() {
    let (composed, decomposed) = ("r\u{e9}sum\u{e9} 123", "re\u{301}sume\u{301} 123");
    for (stored, shown) in [(composed, decomposed), (decomposed, composed)] {
        let house = House::new(CHEAP, vec![user("alice", Some(hashed(CHEAP, stored).await), true)]);
        assert!(matches!(house.verify("alice", shown).await, Verdict::Verified(_)));
    }
}

#[tokio::test]
async fn asvs_58_two_realms_of_this_type_keep_their_users_apart() {
    let (native, branch) = (RealmName::native(), RealmName::parse("branch").unwrap());
    let here = user("alice", Some(hashed(CHEAP, "here").await), true);
    let there = User {
        id: UserId::of(&branch, &here.username),
        realm: branch.clone(),
        password: Some(hashed(CHEAP, "there").await),
        ..here.clone()
    };
    let image = DirectoryImage { users: vec![here, there], ..DirectoryImage::default() };
    let directory = maker::snapshot(image, HashMap::new());
    let pool = Arc::new(HashPool::start(CHEAP).unwrap());
    for (name, right, wrong) in [(native, "here", "there"), (branch, "there", "here")] {
        let realm = NativeRealm::new(name, Arc::clone(&pool));
        assert!(realm.keeps_passwords());
        let verdict = realm.verify(&evidence("alice", right), &directory).await;
        assert!(matches!(verdict, Verdict::Verified(_)), "{verdict:?}");
        let verdict = realm.verify(&evidence("alice", wrong), &directory).await;
        assert!(matches!(verdict, Verdict::Rejected(Rejection::WrongPassword)), "{verdict:?}");
    }
    let nobodys = NativeRealm::new(RealmName::parse("empty").unwrap(), pool);
    let verdict = nobodys.verify(&evidence("alice", "here"), &directory).await;
    assert!(matches!(verdict, Verdict::NotMine), "{verdict:?}");
}

#[tokio::test]
async fn a_password_is_judged_by_the_directory_that_is_shown() {
    let of = async |password: &str| {
        let users = vec![user("alice", Some(hashed(CHEAP, password).await), true)];
        maker::snapshot(DirectoryImage { users, ..DirectoryImage::default() }, HashMap::new())
    };
    let (before, after) = (of("before").await, of("after").await);
    let realm = NativeRealm::new(RealmName::native(), Arc::new(HashPool::start(CHEAP).unwrap()));
    for (directory, right, wrong) in [(&before, "before", "after"), (&after, "after", "before")] {
        assert!(matches!(realm.verify(&evidence("alice", right), directory).await, Verdict::Verified(_)));
        assert!(matches!(realm.verify(&evidence("alice", wrong), directory).await, Verdict::Rejected(_)));
    }
}
