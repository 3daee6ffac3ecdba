//! When a token is signed anew, and when the one of before is good.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use auth::trust::Authenticated;
use auth::{Change, Clock, Moment, Signatory, SigningAlgorithm};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use serde_json::json;
use testkit::suites::maker;

use crate::claims::said;
use crate::house::{House, audience, role, role_name, user};

/// The id of the key that signed it.
fn key_of(token: &str) -> String {
    let header = token.split('.').next().unwrap();
    let header: serde_json::Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

fn is_same(one: &Arc<str>, other: &Arc<str>) -> bool {
    Arc::ptr_eq(one, other)
}

#[tokio::test]
async fn the_same_token_while_nothing_changed_that_it_says() {
    let house = House::new().await;
    house.login("alice", 1).await;
    let first = house.token(&house.by_session(1).await);
    assert!(is_same(&first, &house.token(&house.by_session(1).await)));
    // Changes of the directory that are none of his: found true again, and remembered as that.
    house.change("bob", |user| user.roles = vec![role_name("editor")]).await;
    house.make(vec![Change::PutRole(role("another"))]).await;
    for _ in 0..2 {
        assert!(is_same(&first, &house.token(&house.by_session(1).await)));
    }
    house.kernel.directory().replace_settings(HashMap::new()).await;
    assert!(is_same(&first, &house.token(&house.by_session(1).await)));
}

#[tokio::test]
async fn another_token_after_whatever_changes_what_it_says() {
    let house = House::new().await;
    house.login("alice", 1).await;
    let mut before = house.token(&house.by_session(1).await);
    let mut renewed = async |house: &House, roles: &[&str]| {
        let token = house.token(&house.by_session(1).await);
        assert!(!is_same(&before, &token), "{roles:?}");
        assert_eq!(said(&token)["roles"], json!(roles));
        assert!(is_same(&token, &house.token(&house.by_session(1).await)));
        before = token;
    };
    house.change("alice", |user| user.roles.push(role_name("editor"))).await;
    renewed(&house, &["reader", "editor"]).await;
    let mut native = maker::record("native");
    native.roles = vec![role_name("everybody")];
    house.make(vec![Change::PutRole(role("everybody")), Change::PutRealm(Box::new(native.clone()))]).await;
    renewed(&house, &["reader", "editor", "everybody"]).await;
    native.roles = vec![role_name("renamed")];
    house.make(vec![Change::PutRole(role("renamed")), Change::PutRealm(Box::new(native))]).await;
    renewed(&house, &["reader", "editor", "renamed"]).await;
    house.make(vec![Change::DeleteRole(role_name("editor"))]).await;
    renewed(&house, &["reader", "renamed"]).await;
    house.make(vec![Change::PutRole(role("gone"))]).await;
    renewed(&house, &["reader", "gone", "renamed"]).await;
    house.rotate().await;
    renewed(&house, &["reader", "gone", "renamed"]).await;
}

#[tokio::test]
async fn half_a_life_has_two_sides() {
    let house = House::new().await;
    house.login("alice", 1).await;
    house.clock.advance(Duration::from_millis(400));
    let audience = audience("a", 60);
    let first = house.token_for(&house.by_session(1).await, &audience);
    // The token began 400 ms before it was signed: its seconds are whole.
    house.clock.advance(Duration::from_millis(29_600));
    let same = house.token_for(&house.by_session(1).await, &audience);
    assert!(is_same(&first, &same), "exactly half of it is left");
    house.clock.advance(Duration::from_millis(1));
    let second = house.token_for(&house.by_session(1).await, &audience);
    assert!(!is_same(&first, &second));
    assert_eq!(said(&second)["iat"].as_u64(), said(&first)["iat"].as_u64().map(|iat| iat + 30));
}

/// The wall clock is set while house time goes on: what is given is good by the wall in any case, with half of its life left, and
/// signed once as long as nobody sets the clock.
#[test]
fn whatever_the_wall_does_a_token_is_good_by_it() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let house = runtime.block_on(House::new());
    runtime.block_on(house.login("alice", 1));
    let known = runtime.block_on(house.by_session(1));
    let audience = audience("a", 60);
    // Milliseconds that pass on both clocks, and by which the wall is set.
    let steps = (0..40_000_u64, prop_oneof![3 => Just(0), 1 => -400_000..400_000_i64]);
    proptest!(|(steps in proptest::collection::vec(steps, 1..50))| {
        for (pass, set) in &steps {
            house.clock.advance(Duration::from_millis(*pass));
            let wall = house.clock.wall().as_millis().saturating_add_signed(*set);
            house.clock.set_wall(Moment::from_millis(wall));
            let token = house.token_for(&known, &audience);
            let claims = said(&token);
            let (issued, expires) = (claims["iat"].as_u64().unwrap(), claims["exp"].as_u64().unwrap());
            prop_assert!(issued * 1_000 <= wall, "not yet good: {} > {}", issued, wall);
            prop_assert!(expires * 1_000 >= wall + 30_000, "half over: {} < {}", expires, wall);
            let again = house.token_for(&known, &audience);
            prop_assert!(is_same(&token, &again));
        }
    });
}

#[tokio::test]
async fn what_a_withdrawn_key_signed_is_signed_anew() {
    let house = House::new().await;
    house.login("alice", 1).await;
    let first = house.token(&house.by_session(1).await);
    let keys = house.signer.key_set(&house.snapshot());
    house.withdraw().await;
    let second = house.token(&house.by_session(1).await);
    assert_ne!(key_of(&first), key_of(&second));
    let left = house.signer.key_set(&house.snapshot());
    assert!(keys.contains(&key_of(&first)) && !left.contains(&key_of(&first)), "{left}");
    assert!(left.contains(&key_of(&second)), "{left}");
}

#[tokio::test]
async fn each_audience_life_session_and_secret_has_its_own() {
    let house = House::new().await;
    house.login("alice", 1).await;
    house.login("alice", 2).await;
    let (one, two) = (house.by_session(1).await, house.by_session(2).await);
    let by_key = house.by_key("alice", 1).await;
    let by_password = house.by_password("alice").await;
    let tokens = [
        house.token_for(&one, &audience("a", 60)),
        house.token_for(&one, &audience("b", 60)),
        house.token_for(&one, &audience("a", 61)),
        house.token_for(&two, &audience("a", 60)),
        house.token_for(&by_key, &audience("a", 60)),
        house.token_for(&by_password, &audience("a", 60)),
    ];
    for (place, token) in tokens.iter().enumerate() {
        assert!(tokens[..place].iter().all(|other| other != token));
    }
    assert!(is_same(&tokens[0], &house.token_for(&one, &audience("a", 60))));
    // Two keys of one user say the same of him.
    let other_key = house.by_key("alice", 2).await;
    let again = house.by_key("alice", 3).await;
    assert!(is_same(&house.token(&other_key), &house.token(&again)));
}

/// A request holds the account of one snapshot while the next one comes into force.
#[tokio::test]
async fn a_proof_of_an_earlier_snapshot_leaves_nothing_behind() {
    let house = House::new().await;
    house.login("alice", 1).await;
    let early = house.by_session(1).await;
    house.change("alice", |user| user.roles = vec![role_name("editor")]).await;
    let stale = house.token(&early);
    assert_eq!(said(&stale)["roles"], json!(["reader"]), "he is judged by the state that he came in");
    let late = house.token(&house.by_session(1).await);
    assert_eq!(said(&late)["roles"], json!(["editor"]));
}

/// Somebody deleted and made anew has the same id.
#[tokio::test]
async fn asvs_58_a_user_made_anew_is_another() {
    let house = House::new().await;
    let before = house.token(&house.by_password("alice").await);
    let anew = auth::User { roles: Vec::new(), created: house.clock.now(), ..user("alice") };
    house.make(vec![Change::DeleteUser(anew.id), Change::PutUser(Box::new(anew))]).await;
    let after = house.token(&house.by_password("alice").await);
    assert_ne!(before, after);
    assert_eq!(said(&after)["roles"], json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn never_a_token_of_another() {
    const USERS: usize = 16;
    const THREADS: usize = 64;
    let names: Vec<String> = (0..USERS).map(|number| format!("user{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let house = House::with(SigningAlgorithm::EdDsa, &names).await;
    let mut known: Vec<Authenticated> = Vec::new();
    for (number, name) in names.iter().enumerate() {
        house.login(name, number as u64).await;
        known.push(house.by_session(number as u64).await);
        known.push(house.by_password(name).await);
    }
    let audiences = [audience("a", 60), audience("b", 60)];
    let ask = |thread: usize| {
        for round in 0..400 {
            let place = (thread * 7 + round * 13) % known.len();
            let (known, audience) = (&known[place], &audiences[round % 2]);
            let snapshot = house.snapshot();
            let token = house.signer.identity_token(known, &snapshot, audience, house.clock.now()).unwrap();
            let claims = said(&token);
            assert_eq!(claims["sub"], *known.account().id_text);
            assert_eq!(claims["name"], known.account().user.username.shown());
            assert_eq!(claims["aud"], audience.name());
            assert_eq!(claims["sid"].as_str(), known.session().map(|one| one.id.to_string()).as_deref());
        }
    };
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || ask(thread));
        }
        // Meanwhile the directory changes, keys rotate and time passes.
        let handle = tokio::runtime::Handle::current();
        let house = &house;
        scope.spawn(move || {
            for round in 0..40 {
                house.clock.advance(Duration::from_secs(7));
                handle.block_on(house.make(vec![Change::PutRole(role(&format!("role{round}")))]));
                if round % 4 == 0 {
                    house.clock.advance(Duration::from_secs(3_700));
                    handle.block_on(house.rotate());
                }
            }
        });
    });
}
