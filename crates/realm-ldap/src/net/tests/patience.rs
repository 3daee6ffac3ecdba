//! One search or one bind that takes long, beside a server that does not answer at all.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::net::Cause;
use crate::net::fake::{Asked, FakeServer, bind_answer, end_of_search, entry};

/// A server that never answers what it is asked while it is told so: a search, or a bind, or anything at all.
struct Lazy {
    server: FakeServer,
    is_slow: Arc<AtomicBool>,
    binds_slowly: Arc<AtomicBool>,
    is_dead: Arc<AtomicBool>,
}

impl Lazy {
    async fn start() -> Self {
        let [is_slow, binds_slowly, is_dead] = <[Arc<AtomicBool>; 3]>::default();
        let [slow, slow_bind, dead] = [&is_slow, &binds_slowly, &is_dead].map(Arc::clone);
        let server = FakeServer::start(move |number, asked| {
            let said = match asked {
                _ if dead.load(Ordering::Relaxed) => Vec::new(),
                Asked::Search if slow.load(Ordering::Relaxed) => Vec::new(),
                Asked::Bind if slow_bind.load(Ordering::Relaxed) => Vec::new(),
                Asked::Bind => bind_answer(number, 0),
                Asked::Easy => end_of_search(number, 50),
                Asked::Search => {
                    let found = entry(number, "uid=alice", &[("uid", &[b"alice"])]);
                    [found, end_of_search(number, 0)].concat()
                }
            };
            (said, false)
        });
        Self { server: server.await, is_slow, binds_slowly, is_dead }
    }

    fn network(&self) -> Arc<Network> {
        let mut config = config_of(&[self.server.port]);
        config["timeout"] = "600ms".into();
        config["connectTimeout"] = "600ms".into();
        let settings = crate::parse(&config.to_string()).unwrap();
        Arc::new(Network::new(settings, Handle::current(), Arc::new(FixedClock::new())))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_search_that_takes_long_shuts_nobody_else_out() {
    let lazy = Lazy::start().await;
    let network = lazy.network();
    for number in 0..3 {
        lazy.is_slow.store(true, Ordering::Relaxed);
        let untold = match number {
            2 => network.search_apart(for_alice()).await.unwrap_err(),
            _ => network.search(for_alice()).await.unwrap_err(),
        };
        assert_eq!(untold.cause, Cause::User);
        assert!(untold.why.0.contains("one search took longer than 600ms"), "{untold:?}");
        lazy.is_slow.store(false, Ordering::Relaxed);
        use_it(&network).await;
    }
    // As somebody who is bound, too.
    let (bound, _) = network.bind("uid=alice", "secret").await.unwrap();
    lazy.is_slow.store(true, Ordering::Relaxed);
    assert!(bound.search(for_alice()).await.is_err());
    drop(bound);
    lazy.is_slow.store(false, Ordering::Relaxed);
    use_it(&network).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bind_that_takes_long_shuts_nobody_out_while_others_are_answered() {
    let lazy = Lazy::start().await;
    let network = lazy.network();
    let slow = {
        lazy.binds_slowly.store(true, Ordering::Relaxed);
        let (network, before) = (Arc::clone(&network), lazy.server.requests());
        let slow = tokio::spawn(async move { network.bind("uid=mallory", "secret").await.err() });
        until(|| lazy.server.requests() > before).await;
        lazy.binds_slowly.store(false, Ordering::Relaxed);
        slow
    };
    use_it(&network).await;
    let why = slow.await.unwrap().unwrap().0;
    assert!(why.contains("no answer to a bind within 600ms"), "{why}");
    use_it(&network).await;
    // Where nobody else is answered, nobody can know.
    lazy.binds_slowly.store(true, Ordering::Relaxed);
    assert!(network.bind("uid=mallory", "secret").await.is_err());
    let why = network.bind("uid=alice", "secret").await.err().unwrap().0;
    assert!(why.contains("left alone"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_answers_nothing_is_left_alone_at_once() {
    let lazy = Lazy::start().await;
    let network = lazy.network();
    // Both connections for searches.
    use_it(&network).await;
    use_it(&network).await;
    lazy.is_dead.store(true, Ordering::Relaxed);
    let untold = network.search(for_alice()).await.unwrap_err();
    assert_eq!(untold.cause, Cause::Server);
    assert!(untold.why.0.contains("no answer to a search within 600ms"), "{untold:?}");
    let untold = network.search(for_alice()).await.unwrap_err();
    assert_eq!(untold.cause, Cause::Server);
    assert!(untold.why.0.contains("left alone"), "{untold:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_more_is_asked_where_the_answer_is_not_late() {
    let lazy = Lazy::start().await;
    let network = lazy.network();
    for _ in 0..10 {
        use_it(&network).await;
    }
    // Ten of each, and the service account's two binds.
    assert_eq!(lazy.server.requests(), 22);
}
