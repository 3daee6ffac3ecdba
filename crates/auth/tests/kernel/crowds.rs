//! Many first logins at once: the records of those who wait while another's is written are written together, and each is still
//! judged, told and answered for itself.

use std::sync::Arc;

use auth::limits::MAX_USERS_IN_CHANGE;
use auth::{Change, RealmRecord, Reason, UserRecords};
use testkit::suites::FakeRealm;
use tokio::task::JoinHandle;

use crate::ends::Changes;
use crate::house::{House, PASSWORD, noted};
use crate::several::{named, put_realm, record};

/// A first login on its way.
type Login = JoinHandle<Result<(), Reason>>;

/// A house with the realm `a`, which knows `guest0`, `guest1` … and whose users come with their first login. The store holds all
/// changes back.
async fn with_a_crowd(people: u64) -> Arc<House> {
    let house = House::new().await;
    let realm = house.add("a", FakeRealm::default()).await;
    realm.keep(UserRecords::AtFirstLogin);
    for number in 0..people {
        realm.put(&format!("guest{number}"), PASSWORD, true);
    }
    house.notebook.told();
    house.held.changes(Changes::Held);
    Arc::new(house)
}

/// Begins these logins, each from an address of its own, and lets them come as far as they can.
async fn come(house: &Arc<House>, numbers: std::ops::Range<u64>) -> Vec<Login> {
    let mut logins = Vec::new();
    for number in numbers {
        let house = Arc::clone(house);
        logins.push(tokio::spawn(async move {
            let (name, address) = (format!("guest{number}"), format!("192.0.2.{}", number % 250 + 1));
            house.login_from(&address, &named("a"), &name, PASSWORD, number).await
        }));
    }
    wait().await;
    logins
}

/// Lets everybody come as far as he can.
async fn wait() {
    for _ in 0..64 {
        tokio::task::yield_now().await;
    }
}

async fn answers(logins: Vec<Login>) -> Vec<Result<(), Reason>> {
    let mut answers = Vec::new();
    for login in logins {
        answers.push(login.await.unwrap());
    }
    answers
}

impl House {
    fn guests(&self, people: u64) -> usize {
        (0..people).filter(|number| self.record_of("a", &format!("guest{number}")).is_some()).count()
    }
}

#[tokio::test]
async fn a_crowd_is_written_in_one_change_after_the_first_of_them() {
    for (waiting, changes) in [(MAX_USERS_IN_CHANGE, 2), (MAX_USERS_IN_CHANGE + 1, 3)] {
        let people = waiting as u64 + 1;
        let house = with_a_crowd(people).await;
        let logins = come(&house, 0..people).await;
        assert_eq!(house.guests(people), 0, "nobody is known before he is written");
        house.held.changes(Changes::Written);
        assert!(answers(logins).await.iter().all(Result::is_ok));
        let order = house.notebook.order();
        let count = |word: &str| order.iter().filter(|line| *line == word).count();
        assert_eq!((count("+apply"), count("directory_changed")), (changes, waiting + 1));
        let last = order.iter().rposition(|line| line == "directory_changed").unwrap();
        assert!(last < order.iter().rposition(|line| line == "+apply").unwrap(), "told before it is written");
        assert_eq!(house.guests(people), waiting + 1);
        assert_eq!(house.restarted().await.guests(people), waiting + 1);
    }
}

#[tokio::test]
async fn what_was_changed_before_their_turn_holds_for_all_who_wait() {
    let house = with_a_crowd(10).await;
    let first = come(&house, 0..1).await;
    let administrator = {
        let house = Arc::clone(&house);
        tokio::spawn(async move { house.switch("a", false).await })
    };
    wait().await;
    let rest = come(&house, 1..10).await;
    house.held.changes(Changes::Written);
    administrator.await.unwrap();
    assert_eq!(answers(rest).await, vec![Err(Reason::RealmDisabled); 9]);
    assert_eq!(house.guests(10), 1);
    drop(first);
}

#[tokio::test]
async fn one_who_is_refused_is_refused_alone() {
    let house = with_a_crowd(10).await;
    let logins = come(&house, 0..10).await;
    // A second login of one who waits: when it is its turn, he needs no record any more.
    let again = {
        let house = Arc::clone(&house);
        tokio::spawn(async move { house.login_by(&named("a"), "guest3", PASSWORD, 500).await })
    };
    wait().await;
    house.held.changes(Changes::Written);
    assert!(answers(logins).await.iter().all(Result::is_ok));
    assert_eq!(again.await.unwrap(), Ok(()));
    assert_eq!(house.changes_told().len(), 10);
    // A realm that is another one by then vouches for nobody.
    let house = with_a_crowd(3).await;
    let first = come(&house, 0..1).await;
    let other = RealmRecord { kind: Box::from("fake"), ..record("a") };
    let administrator = {
        let house = Arc::clone(&house);
        tokio::spawn(async move {
            house.kernel.directory().change(|_| Ok::<_, ()>(noted(vec![put_realm(other)]))).await.unwrap();
        })
    };
    wait().await;
    let rest = come(&house, 1..3).await;
    house.held.changes(Changes::Written);
    administrator.await.unwrap();
    assert_eq!(answers(rest).await, vec![Err(Reason::WrongPassword); 2]);
    assert_eq!(house.guests(3), 1);
    drop(first);
}

#[tokio::test]
async fn where_the_store_fails_it_fails_for_all_of_them() {
    let house = with_a_crowd(10).await;
    let logins = come(&house, 0..10).await;
    house.held.changes(Changes::Refused);
    assert_eq!(answers(logins).await, vec![Err(Reason::StoreFailed); 10]);
    assert_eq!((house.guests(10), house.store.session_count()), (0, 0));
    house.held.changes(Changes::Written);
    let logins = come(&house, 0..10).await;
    assert!(answers(logins).await.iter().all(Result::is_ok));
}

#[tokio::test]
async fn one_who_leaves_takes_nobody_along_for_good() {
    let house = with_a_crowd(10).await;
    let mut logins = come(&house, 0..10).await;
    // The first writes himself alone; the second is next, and takes the others along.
    for leaves in 0..2 {
        logins.remove(0).abort();
        wait().await;
        assert_eq!(house.guests(10), 0, "{leaves}");
    }
    house.held.changes(Changes::Written);
    assert_eq!(
        answers(logins).await,
        vec![Err(Reason::StoreFailed); 8],
        "their change may be written or not"
    );
    let logins = come(&house, 0..10).await;
    assert!(answers(logins).await.iter().all(Result::is_ok));
    assert_eq!(house.guests(10), 10);
    house.make(vec![Change::DeleteUser(house.record_of("a", "guest3").unwrap().id)]).await;
    assert_eq!(house.guests(10), 9);
}
