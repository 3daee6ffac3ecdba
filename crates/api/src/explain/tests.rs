//! What is explained is what would happen, on a directory over fake ends.

use auth::{ApiKey, DirectoryImage, Role, TokenHash, User};
use proptest::prelude::*;
use testkit::suites::{FakeMaker, FakeRealm, maker};

use super::*;
use crate::sessions::tests::house::{House, user};

const NOW: Moment = Moment::from_millis(1_000);

fn permissions(texts: &[&str]) -> Vec<Permission> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// A directory in which alice has these entries of her own and a role with those, and perhaps a key.
fn directory(own: &[&str], role: &[&str], key: Option<&[&str]>, tell: impl FnOnce(&mut User)) -> Snapshot {
    let name = RoleName::parse("desk").unwrap();
    let mut alice = User { roles: vec![name.clone()], permissions: permissions(own), ..user("alice") };
    tell(&mut alice);
    let role = Role {
        name,
        description: String::new(),
        permissions: permissions(role),
        ui_permissions: Vec::new(),
        created: Moment::default(),
        updated: Moment::default(),
    };
    let key = key.map(|texts| ApiKey {
        id: KeyId::from_random([7; 16]),
        hash: TokenHash::from_bytes([7; 32]),
        name: "reports".to_owned(),
        user: alice.id,
        permissions: Some(permissions(texts)),
        expires: Some(NOW),
        created: Moment::from_millis(5),
    });
    let image = DirectoryImage {
        users: vec![alice],
        roles: vec![role],
        keys: key.into_iter().collect(),
        ..DirectoryImage::default()
    };
    maker::snapshot(image, maker::settings([maker::state("native", Arc::new(FakeRealm::default()))]))
}

fn explain_at(snapshot: &Snapshot, method: Method, path: &str, place: Place, now: Moment) -> Explained {
    let account = snapshot.account(&user("alice").id).unwrap();
    let key = snapshot.keys().next().map(|key| &**key);
    Asked { snapshot, account, key, method, path, matrix: Matrix::Strict }.explain(place, now)
}

fn explain(snapshot: &Snapshot, method: Method, path: &str) -> Explained {
    explain_at(snapshot, method, path, Place::Permission, Moment::default())
}

fn decision(source: &str, permission: Option<&str>) -> Option<Decision> {
    let source = match (source, source.split_once(' ')) {
        ("public", _) => Source::Public,
        ("login", _) => Source::Login,
        ("user", _) => Source::User,
        (_, Some(("role", name))) => Source::Role(RoleName::parse(name).unwrap()),
        other => panic!("{other:?}"),
    };
    Some(Decision { source, permission: permission.map(str::to_owned) })
}

#[test]
fn what_decides_is_named_with_its_place() {
    let snapshot = directory(&["GET:/own/**"], &["POST:/role", "DELETE:/own/**"], None, |_| {});
    let told = explain(&snapshot, Method::Get, "/own/x");
    assert!(told.allowed && told.why.is_none() && told.grant.is_none());
    assert_eq!(told.decided_by, decision("user", Some("GET:/own/**")));
    assert_eq!(
        explain(&snapshot, Method::Post, "/role").decided_by,
        decision("role desk", Some("POST:/role"))
    );
    let told = explain(&snapshot, Method::Delete, "/own/x");
    assert_eq!(
        (told.allowed, told.decided_by, told.why.as_deref()),
        (false, None, Some("no entry allows it"))
    );
    assert_eq!(told.grant.as_deref(), Some("DELETE:/own/x"));
    let misses: Vec<_> =
        told.near_misses.iter().map(|miss| (miss.source.to_string(), &*miss.permission)).collect();
    assert_eq!(misses, [("user".to_owned(), "GET:/own/**"), ("role desk".to_owned(), "DELETE:/own/**")]);
    assert_eq!(told.near_misses[0].why, ["does not grant DELETE"]);
    assert_eq!(told.near_misses[1].why, ["is replaced by an entry of the user itself for the same path"]);
}

#[test]
fn what_needs_no_permission_is_told() {
    let snapshot = directory(&[], &[], None, |_| {});
    let at = |place| explain_at(&snapshot, Method::Get, "/x", place, NOW);
    let rule = "GET:/x/**".to_owned();
    assert_eq!(at(Place::Public(Some(rule.clone()))).decided_by, decision("public", Some(&rule)));
    assert_eq!(at(Place::Public(None)).decided_by, decision("public", None));
    assert_eq!(at(Place::Login).decided_by, decision("login", None));
    for place in [Place::NotAllowed("GET, HEAD"), Place::Nothing, Place::OtherMount("/api/x".to_owned())] {
        let told = at(place);
        assert!(!told.allowed && told.why.is_some() && told.grant.is_none());
    }
}

#[test]
fn who_may_not_come_in_is_told_so() {
    let all = &["*:/**"][..];
    let disabled = directory(all, &[], None, |user| user.enabled = false);
    for place in [Place::Login, Place::Permission, Place::Nothing] {
        let told = explain_at(&disabled, Method::Get, "/x", place, NOW);
        assert_eq!((told.allowed, told.why.as_deref()), (false, Some("the user is disabled")));
    }
    assert!(explain_at(&disabled, Method::Get, "/x", Place::Public(None), NOW).allowed, "nobody looks there");
    let why = |snapshot: &Snapshot, now| explain_at(snapshot, Method::Get, "/x", Place::Permission, now).why;
    let keyed = directory(all, &[], Some(all), |_| {});
    assert_eq!(why(&keyed, Moment::from_millis(999)), None);
    assert_eq!(why(&keyed, NOW).as_deref(), Some("the API key has expired"));
    let anew = directory(all, &[], Some(all), |user| user.created = Moment::from_millis(6));
    assert!(why(&anew, Moment::from_millis(6)).unwrap().contains("an earlier user's"));
    let mut state = maker::state("native", Arc::new(FakeRealm::default()));
    state.record.enabled = false;
    let image = DirectoryImage { users: vec![user("alice")], ..DirectoryImage::default() };
    assert_eq!(
        why(&maker::snapshot(image.clone(), maker::settings([state])), NOW).unwrap(),
        "the realm native is off"
    );
    let none = Snapshot::new(image, Vec::new(), maker::settings([]), &FakeMaker::default());
    assert_eq!(why(&none, NOW).unwrap(), "there is no realm native any more");
}

#[test]
fn a_key_that_was_made_for_less_is_told_so() {
    let snapshot = directory(&["*:/**"], &[], Some(&["GET:/reports/*"]), |_| {});
    assert!(explain(&snapshot, Method::Get, "/reports/x").allowed);
    let told = explain(&snapshot, Method::Post, "/reports/x");
    assert_eq!(told.why.as_deref(), Some("the user may, but the API key was made for less"));
    assert_eq!((told.grant.as_deref(), told.lacks_in_key), (Some("POST:/reports/x"), true));
    assert_eq!(
        (&*told.near_misses[0].source.to_string(), &*told.near_misses[0].why[0]),
        ("key reports", "does not grant POST")
    );
    let login = explain_at(&snapshot, Method::Get, "/session", Place::Login, Moment::default());
    assert!(!login.allowed, "a login door takes a key that reaches it");
}

#[test]
fn what_would_have_to_be_granted_can_be_said_for_odd_paths_too() {
    let snapshot = directory(&[], &[], None, |_| {});
    for (path, grant) in [
        ("/", "GET:/"),
        ("/a/", "GET:/a/"),
        ("/a*b/c", "GET:/*/c"),
        ("/a;b=c/d", "GET:/*/d"),
        ("/a%3Bb/d", "GET:/*/d"),
        ("/a:b", r#"{"methods":["GET"],"path":"/a:b"}"#),
        ("/a%2Ab", "GET:/a%2Ab"),
    ] {
        assert_eq!(explain(&snapshot, Method::Get, path).grant.as_deref(), Some(grant), "{path}");
    }
}

#[tokio::test]
async fn the_question_names_one_user_one_method_and_one_path() {
    let house = House::new().await;
    let permit = house.permit_of_nobody(NAME);
    let ask = |input: Input| {
        run(&house.services, &permit, &input, Matrix::Strict, |_, _| Place::Permission)
            .map(|(account, told)| (account.user.username.shown().to_owned(), told))
    };
    let alice = user("alice").id;
    let input = || Input {
        user: Some(alice),
        realm: "native".to_owned(),
        method: "GET".to_owned(),
        path: "/a%7Eb".to_owned(),
        ..Input::default()
    };
    let (name, told) = ask(input()).unwrap();
    assert_eq!(
        (&*name, told.grant.as_deref()),
        ("alice", Some("GET:/a~b")),
        "the path as it would be matched"
    );
    let by_name = Input { user: None, username: Some("ALICE".to_owned()), ..input() };
    assert_eq!(ask(by_name.clone()).unwrap().0, "alice");
    let wrong = [
        (Input { method: "get".to_owned(), ..input() }, "method"),
        (Input { path: "/a/../b".to_owned(), ..input() }, "path"),
        (Input { path: "/a%2fb".to_owned(), ..input() }, "path"),
        (Input { path: "/a?b".to_owned(), ..input() }, "path"),
        (Input { path: "a".to_owned(), ..input() }, "path"),
        (Input { username: Some("alice".to_owned()), ..input() }, "username"),
        (Input { user: None, ..input() }, "userId"),
        (Input { realm: "a/b".to_owned(), ..by_name.clone() }, "realmName"),
        (Input { username: Some(String::new()), ..by_name.clone() }, "username"),
    ];
    for (input, field) in wrong {
        match ask(input) {
            Err(Error::Invalid { field: named, .. }) => assert_eq!(named, field),
            other => panic!("{field}: {other:?}"),
        }
    }
    for nobody in [
        Input { user: Some(UserId::from_bytes([0; 16])), ..input() },
        Input { realm: "other".to_owned(), ..by_name },
        Input { key: Some(KeyId::from_random([7; 16])), ..input() },
    ] {
        assert!(matches!(ask(nobody), Err(Error::NotFound)));
    }
    let other = house.permit_of_nobody("user.list");
    let refused = run(&house.services, &other, &input(), Matrix::Strict, |_, _| Place::Permission);
    assert!(refused.is_err(), "a permit for something else is none");
}

fn texts() -> impl Strategy<Value = Vec<String>> {
    let methods = prop_oneof![Just("GET"), Just("POST"), Just("*"), Just("GET,POST")];
    let path = prop_oneof![
        Just("/a"),
        Just("/a/**"),
        Just("/*/b"),
        Just("/{x}/b:x=a"),
        Just("/**:!/a"),
        Just("/a/")
    ];
    proptest::collection::vec((methods, path).prop_map(|(methods, path)| format!("{methods}:{path}")), 0..4)
}

proptest! {
    /// It says what the judge says, and what it says would have to be granted is what would have to be granted.
    #[test]
    fn the_explanation_is_the_verdict(
        own in texts(),
        role in texts(),
        key in proptest::option::of(texts()),
        get in any::<bool>(),
        path in prop_oneof![Just("/a"), Just("/a/b"), Just("/b/b"), Just("/a/"), Just("/"), Just("/a;x/b"), Just("/a*/b")],
    ) {
        fn list(texts: &[String]) -> Vec<&str> { texts.iter().map(String::as_str).collect() }
        let method = if get { Method::Get } else { Method::Post };
        let keyed = key.as_deref().map(list);
        let snapshot = directory(&list(&own), &list(&role), keyed.as_deref(), |_| {});
        let told = explain(&snapshot, method, path);
        let account = snapshot.account(&user("alice").id).unwrap();
        let may = snapshot.permission(account, method, path, Matrix::Strict).is_some();
        let reached = snapshot.keys().next().is_none_or(|key| key.reaches(account, method, path, Matrix::Strict));
        prop_assert_eq!(told.allowed, may && reached);
        prop_assert_eq!(told.allowed, told.decided_by.is_some() && told.why.is_none() && told.grant.is_none());
        if let Some(grant) = told.grant {
            let mut granted = list(&own);
            granted.push(&grant);
            let wider = keyed.map(|mut key| { key.push(&grant); key });
            let snapshot = directory(&granted, &list(&role), wider.as_deref(), |_| {});
            prop_assert!(explain(&snapshot, method, path).allowed, "{}", grant);
        } else {
            prop_assert!(told.allowed, "everything can be granted");
        }
    }
}
