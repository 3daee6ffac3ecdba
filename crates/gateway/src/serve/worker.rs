//! Worker threads: each has its own runtime, its own listeners, and its own connections to the backends. Nothing of a
//! request crosses to another worker.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;

use arc_swap::ArcSwap;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc, watch};

use super::connection;
use super::listener::{self, Endpoint};
use crate::house::House;
use crate::limits::{ACCEPT_PAUSE, DRAIN_TIME, MAX_CONNECTIONS, POLLS_BETWEEN_LOOKS, POOL_SWEEP};
use crate::upstream::Pool;

/// A gateway that serves.
pub struct Served {
    /// Where it listens, in the order of the endpoints.
    pub addresses: Vec<SocketAddr>,
    workers: Vec<JoinHandle<()>>,
}

impl Served {
    /// Waits until every worker has stopped.
    pub fn join(self) {
        for worker in self.workers {
            // A worker that panicked has said so; the others go on.
            let _ = worker.join();
        }
    }
}

/// Serves `house` on these endpoints with this many workers, until `stop` says true: then no new request is taken,
/// and those that have begun get [`DRAIN_TIME`].
///
/// # Errors
/// Where an address cannot be listened on; nothing is served then.
pub fn serve(
    house: &Arc<ArcSwap<House>>,
    endpoints: &[Endpoint],
    workers: usize,
    stop: &watch::Receiver<bool>,
) -> Result<Served, (SocketAddr, io::Error)> {
    let mut addresses = Vec::with_capacity(endpoints.len());
    let mut shares: Vec<Vec<(std::net::TcpListener, Endpoint)>> = (0..workers).map(|_| Vec::new()).collect();
    for endpoint in endpoints {
        let opened = listener::open(endpoint.address, workers).map_err(|error| (endpoint.address, error))?;
        addresses.push(opened.0);
        for (share, socket) in shares.iter_mut().zip(opened.1) {
            share.push((socket, endpoint.clone()));
        }
    }
    let first = endpoints.first().map_or(SocketAddr::from(([0, 0, 0, 0], 0)), |endpoint| endpoint.address);
    let mut threads = Vec::with_capacity(workers);
    for (number, share) in shares.into_iter().enumerate() {
        let (house, stop) = (Arc::clone(house), stop.clone());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .event_interval(POLLS_BETWEEN_LOOKS)
            .build()
            .map_err(|error| (first, error))?;
        let thread = std::thread::Builder::new()
            .name(format!("worker-{number}"))
            .spawn(move || runtime.block_on(work(house, share, stop)))
            .map_err(|error| (first, error))?;
        threads.push(thread);
    }
    Ok(Served { addresses, workers: threads })
}

async fn work(
    house: Arc<ArcSwap<House>>,
    share: Vec<(std::net::TcpListener, Endpoint)>,
    mut stop: watch::Receiver<bool>,
) {
    let pool = Arc::new(Pool::default());
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    // Every connection holds a clone of the sender: when the last is gone, so is the last connection.
    let (open, mut all_closed) = mpsc::channel::<()>(1);
    for (socket, endpoint) in share {
        let Ok(socket) = TcpListener::from_std(socket) else { return };
        let common = Common {
            house: Arc::clone(&house),
            pool: Arc::clone(&pool),
            room: Arc::clone(&room),
            stop: stop.clone(),
            open: open.clone(),
        };
        tokio::spawn(accept(socket, endpoint, common));
    }
    drop(open);
    let idle = Arc::clone(&pool);
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(POOL_SWEEP).await;
            idle.sweep();
        }
    });
    // Fails only when the sender is gone, which means the same.
    let _ = stop.wait_for(|stop| *stop).await;
    // What is still open then is cut off: the runtime ends with this function.
    let _ = tokio::time::timeout(DRAIN_TIME, all_closed.recv()).await;
}

/// What all connections of a worker share.
struct Common {
    house: Arc<ArcSwap<House>>,
    pool: Arc<Pool>,
    room: Arc<Semaphore>,
    stop: watch::Receiver<bool>,
    open: mpsc::Sender<()>,
}

async fn accept(socket: TcpListener, endpoint: Endpoint, common: Common) {
    let mut stop = common.stop.clone();
    loop {
        let Ok(permit) = Arc::clone(&common.room).acquire_owned().await else { return };
        let accepted = tokio::select! {
            accepted = socket.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        match accepted {
            Ok((stream, address)) => {
                let served = connection::serve(
                    Arc::clone(&common.house),
                    Arc::clone(&common.pool),
                    stream,
                    address,
                    endpoint.clone(),
                    common.stop.clone(),
                );
                let open = common.open.clone();
                tokio::spawn(async move {
                    served.await;
                    drop((permit, open));
                });
            }
            // The peer gave up before we took it: no reason to pause.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}
