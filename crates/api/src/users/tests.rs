//! What ends with a user, on a kernel over fake ends; and how much a user may have.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use auth::directory::Snapshot;
use auth::limits::MAX_ROLES_PER_USER;
use auth::permission::Permission;
use auth::{DirectoryImage, Moment, Role, RoleName, SessionStore, StoreError};
use testkit::suites::maker;

use super::{MAX_PERMISSIONS, change, check_permissions, delete, existing_roles};
use crate::error::Error;
use crate::precondition::Precondition;
use crate::sessions::revoke;
use crate::sessions::tests::house::{House, token, user};

/// A house where bob has a session, and alice's is dead in memory while its end waits for the store.
async fn with_an_end_under_way(then: impl AsyncFnOnce(&House)) {
    let house = House::new().await;
    house.login("alice", 1).await;
    house.login("bob", 2).await;
    let permit = house.permit(2, revoke::NAME_ALL).await;
    let alice = user("alice").id;
    let mut revoking = pin!(revoke::all(&house.services, &permit, &alice));
    let held = async || {
        let polled = revoking.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(polled, Poll::Pending), "an exchange holds ends back");
        Err::<Snapshot, _>(StoreError("nothing is exchanged".to_owned()))
    };
    house.services.kernel.adopt(held).await.unwrap_err();
    assert!(house.services.kernel.sessions().live_of(&alice).is_empty());
    assert!(house.store.find(token(1).hash()).await.unwrap().unwrap().ended.is_none());
    then(&house).await;
    assert!(!house.is_live(1).await, "dead on disk, too");
    assert!(house.is_live(2).await);
}

#[tokio::test]
async fn whoever_is_disabled_is_out_on_disk_whoever_else_is_ending_his_sessions() {
    with_an_end_under_way(async |house| {
        let permit = house.permit(2, change::NAME).await;
        let input = change::Input { enabled: Some(false), ..change::Input::default() };
        let alice = user("alice").id;
        change::run(&house.services, &permit, alice, input, &Precondition::None).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn whoever_is_deleted_is_out_on_disk_whoever_else_is_ending_his_sessions() {
    with_an_end_under_way(async |house| {
        let permit = house.permit(2, delete::NAME).await;
        delete::run(&house.services, &permit, user("alice").id, &Precondition::None).await.unwrap();
    })
    .await;
}

#[test]
fn a_user_has_limits() {
    let is_refused = |checked: Result<(), Error>, name: &str| match checked {
        Ok(()) => false,
        Err(Error::Invalid { field, .. }) => field == name,
        Err(other) => panic!("{other:?}"),
    };
    let permissions = |count| vec!["GET:/x".parse::<Permission>().unwrap(); count];
    check_permissions(&permissions(MAX_PERMISSIONS)).unwrap();
    assert!(is_refused(check_permissions(&permissions(MAX_PERMISSIONS + 1)), "permissions"));

    let role = |number: usize| Role {
        name: RoleName::parse(&format!("role{number}")).unwrap(),
        description: String::new(),
        permissions: Vec::new(),
        ui_permissions: Vec::new(),
        created: Moment::default(),
        updated: Moment::default(),
    };
    let image =
        DirectoryImage { roles: (0..=MAX_ROLES_PER_USER).map(role).collect(), ..DirectoryImage::default() };
    let snapshot = maker::snapshot(image, maker::settings([]));
    let names = |count| (0..count).map(|number| format!("role{number}")).collect::<Vec<_>>();
    let most = existing_roles(&snapshot, &names(MAX_ROLES_PER_USER)).unwrap();
    assert_eq!(most.len(), MAX_ROLES_PER_USER);
    let one_more = existing_roles(&snapshot, &names(MAX_ROLES_PER_USER + 1));
    assert!(is_refused(one_more.map(|_| ()), "roleNames"));
}
