//! Ends that are not on disk yet: nobody is told "done" before they are, and none is forgotten.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use auth::sessions::{MOST_IN_STEP, Session, Sessions};
use auth::{Clock, EndReason, Ended, Moment, Pending, SessionRecord, SessionStore, StoreError, TokenHash};
use proptest::prelude::{Strategy, prop_oneof};
use testkit::suites::{FixedClock, MemoryStore};
use tokio::sync::watch;

use crate::house::{House, token};

/// A store in memory whose ends can be held before they are written.
struct SlowStore {
    inner: MemoryStore,
    open: watch::Sender<bool>,
}

impl SessionStore for SlowStore {
    fn insert(&self, session: SessionRecord) -> Pending<'_, Result<(), StoreError>> {
        self.inner.insert(session)
    }

    fn end(&self, ends: Vec<(TokenHash, Ended)>) -> Pending<'_, Result<(), StoreError>> {
        let mut open = self.open.subscribe();
        Box::pin(async move {
            open.wait_for(|open| *open).await.map_err(|_| StoreError("gone".to_owned()))?;
            self.inner.end(ends).await
        })
    }

    fn touch(&self, touches: Vec<(TokenHash, Moment)>) -> Pending<'_, Result<(), StoreError>> {
        self.inner.touch(touches)
    }

    fn find(&self, token: TokenHash) -> Pending<'_, Result<Option<SessionRecord>, StoreError>> {
        self.inner.find(token)
    }

    fn load<'a>(
        &'a self,
        take: &'a mut (dyn FnMut(Vec<SessionRecord>) + Send),
    ) -> Pending<'a, Result<(), StoreError>> {
        SessionStore::load(&self.inner, take)
    }

    fn forget(&self, before: Moment) -> Pending<'_, Result<u64, StoreError>> {
        self.inner.forget(before)
    }
}

/// A keeper of sessions over a slow store, and sessions in it.
struct Keeper {
    store: Arc<SlowStore>,
    sessions: Arc<Sessions>,
    live: Vec<Arc<Session>>,
}

impl Keeper {
    async fn with(count: u64) -> Self {
        let house = House::new().await;
        let mut records = Vec::new();
        for number in 0..count {
            records.push(house.login("alice", number).await.session.record());
        }
        let store = SlowStore { inner: MemoryStore::default(), open: watch::Sender::new(true) };
        for record in records {
            store.inner.insert(record).await.unwrap();
        }
        let store = Arc::new(store);
        let clock: Arc<dyn Clock> = Arc::new(FixedClock::new());
        let sessions = Sessions::new(Arc::clone(&store) as Arc<dyn SessionStore>, clock);
        sessions.load().await.unwrap();
        let find = |number| sessions.table().find(&token(number).hash()).unwrap();
        let live = (0..count).map(find).collect();
        Self { store, sessions: Arc::new(sessions), live }
    }

    async fn end(&self, which: std::ops::Range<usize>) -> Result<usize, StoreError> {
        self.sessions.end(&self.live[which], EndReason::Revoked, |_, _| {}).await
    }

    /// Begins to end sessions, and goes away while the store is at it.
    fn abandon(&self, which: std::ops::Range<usize>) {
        self.store.open.send_replace(false);
        let mut ending = std::pin::pin!(self.end(which));
        let polled = ending.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(polled, Poll::Pending | Poll::Ready(Ok(0))), "it waits for the store");
        self.store.open.send_replace(true);
    }

    async fn has_end(&self, number: usize) -> bool {
        self.store.inner.find(self.live[number].token).await.unwrap().unwrap().ended.is_some()
    }
}

#[tokio::test]
async fn who_asks_again_after_a_failure_is_told_by_what_is_on_disk() {
    let keeper = Keeper::with(3).await;
    keeper.store.inner.refuse(Some("disk full"));
    keeper.end(0..2).await.unwrap_err();
    // It finds nobody live any more, and still it is not done.
    keeper.end(0..0).await.unwrap_err();
    keeper.sessions.settle().await.unwrap_err();
    keeper.store.inner.refuse(None);
    assert!(!keeper.has_end(0).await);
    assert_eq!(keeper.end(0..0).await.unwrap(), 0);
    assert!(keeper.has_end(0).await && keeper.has_end(1).await && !keeper.has_end(2).await);
}

#[tokio::test]
async fn the_sweep_writes_what_is_late() {
    let keeper = Keeper::with(1).await;
    keeper.store.inner.refuse(Some("disk full"));
    keeper.end(0..1).await.unwrap_err();
    keeper.store.inner.refuse(None);
    keeper.sessions.sweep(|_, _| ()).await.unwrap();
    assert!(keeper.has_end(0).await);
}

#[tokio::test]
async fn an_end_whose_client_has_gone_is_not_forgotten() {
    let keeper = Keeper::with(2).await;
    keeper.abandon(0..1);
    assert!(!keeper.has_end(0).await);
    assert_eq!(keeper.end(1..2).await.unwrap(), 1);
    assert!(keeper.has_end(0).await && keeper.has_end(1).await);
}

#[tokio::test]
async fn who_finds_a_session_dead_does_not_say_done_before_its_end_is_written() {
    let keeper = Arc::new(Keeper::with(1).await);
    keeper.store.open.send_replace(false);
    let ending = tokio::spawn({
        let keeper = Arc::clone(&keeper);
        async move { keeper.end(0..1).await }
    });
    while keeper.live[0].ended(FixedClock::new().now()).is_none() {
        tokio::task::yield_now().await;
    }
    let settling = tokio::spawn({
        let keeper = Arc::clone(&keeper);
        async move { keeper.sessions.settle().await }
    });
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(!settling.is_finished() && !ending.is_finished());
    keeper.store.open.send_replace(true);
    settling.await.unwrap().unwrap();
    assert!(keeper.has_end(0).await);
    assert_eq!(ending.await.unwrap().unwrap(), 1);
}

#[tokio::test]
async fn of_two_ends_of_the_same_moment_one_counts() {
    let keeper = Keeper::with(2).await;
    assert_eq!(keeper.end(0..2).await.unwrap(), 2);
    let mut told = 0;
    let again = keeper.sessions.end(&keeper.live, EndReason::Revoked, |_, _| told += 1).await;
    assert_eq!((again.unwrap(), told), (0, 0));
}

#[tokio::test]
async fn ends_of_many_give_the_thread_away_between_their_steps() {
    let keeper = Keeper::with(1).await;
    // A step marks them, and a step looks for them in a table that was exchanged.
    for (count, pauses) in [(MOST_IN_STEP, 0), (MOST_IN_STEP + 1, 2), (3 * MOST_IN_STEP, 4)] {
        let many = vec![Arc::clone(&keeper.live[0]); count];
        let mut ending = std::pin::pin!(keeper.sessions.end(&many, EndReason::Revoked, |_, _| {}));
        let mut paused = 0;
        while ending.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending() {
            paused += 1;
        }
        assert_eq!(paused, pauses, "{count}");
    }
}

#[derive(Clone, Debug)]
enum Event {
    End(usize, usize),
    Abandon(usize, usize),
    Settle,
    Sweep,
    Refuse(bool),
}

const MOST: usize = 6;

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        4 => (0..MOST, 0..=2usize).prop_map(|(first, count)| Event::End(first, count)),
        2 => (0..MOST, 0..=2usize).prop_map(|(first, count)| Event::Abandon(first, count)),
        1 => proptest::strategy::Just(Event::Settle),
        1 => proptest::strategy::Just(Event::Sweep),
        3 => proptest::bool::ANY.prop_map(Event::Refuse),
    ];
    proptest::collection::vec(event, 1..40)
}

async fn run(events: Vec<Event>) {
    let keeper = Keeper::with(MOST as u64).await;
    let (now, mut refusal) = (FixedClock::new().now(), None);
    for event in events {
        let done = match event {
            Event::End(first, count) => keeper.end(first..(first + count).min(MOST)).await.is_ok(),
            Event::Abandon(first, count) => {
                keeper.abandon(first..(first + count).min(MOST));
                false
            }
            Event::Settle => keeper.sessions.settle().await.is_ok(),
            Event::Sweep => keeper.sessions.sweep(|_, _| ()).await.is_ok(),
            Event::Refuse(refuse) => {
                refusal = refuse.then_some("disk full");
                false
            }
        };
        // A full disk can be read.
        keeper.store.inner.refuse(None);
        for number in (0..MOST).filter(|_| done) {
            let dead = keeper.live[number].ended(now).is_some();
            assert_eq!(keeper.has_end(number).await, dead, "whoever says done says it of all that are dead");
        }
        keeper.store.inner.refuse(refusal);
    }
}

#[test]
fn nothing_is_done_while_a_dead_session_would_live_again() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    proptest::proptest!(|(events in events())| runtime.block_on(run(events)));
}
