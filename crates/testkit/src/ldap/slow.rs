//! A line to a server that is long, cut, deaf or closed: a TCP proxy with a hand on it.
//!
//! Called by tests that put it between the gateway and a directory. Must never look at the bytes, hold back one piece for
//! longer because of another, or slow down what a test measures beside it (it is one thread).
#![allow(clippy::expect_used, reason = "a proxy that cannot run is a failed test; the message says why")]
#![allow(clippy::disallowed_methods, reason = "a real line's delay is real time")]

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::port::HeldPort;
use crate::patience::{PATIENCE, Watched};

/// Bytes read at a time.
const PIECE_BYTES: usize = 16 * 1024;

/// A TCP proxy to one server, with a delay in each direction.
///
/// ```no_run
/// # use std::time::Duration;
/// # use testkit::ldap::{Slapd, Slow};
/// let directory = Slapd::new().start();
/// let line = Slow::before(directory.port(), Duration::from_millis(25));
/// // … format!("ldap://localhost:{}", line.port()) answers 50 ms later …
/// line.cut();
/// ```
#[derive(Debug)]
pub struct Slow {
    port: HeldPort,
    line: Arc<Line>,
    orders: watch::Sender<Orders>,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// What the thread and its connections are to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Orders {
    listens: bool,
    /// Connections that were made under a lower number break.
    cuts: u64,
    ends: bool,
}

/// What the test and the connections share.
#[derive(Debug)]
struct Line {
    server: SocketAddr,
    delay_micros: AtomicU64,
    swallows: AtomicBool,
    seen: Watched<Seen>,
}

/// What has happened.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    listens: bool,
    accepted: usize,
    open: usize,
    most: usize,
}

impl Slow {
    /// Before the server at this port of 127.0.0.1, with this delay in each direction (so an answer comes twice as much
    /// later).
    ///
    /// # Panics
    /// When there is no port or no thread for it.
    #[must_use]
    pub fn before(server_port: u16, delay: Duration) -> Self {
        Self::before_address(SocketAddr::from((Ipv4Addr::LOCALHOST, server_port)), delay)
    }

    /// Before the server at this address.
    ///
    /// # Panics
    /// When there is no port or no thread for it.
    #[must_use]
    pub fn before_address(server: SocketAddr, delay: Duration) -> Self {
        let line = Arc::new(Line {
            server,
            delay_micros: AtomicU64::new(micros(delay)),
            swallows: AtomicBool::new(false),
            seen: Watched::default(),
        });
        let port = HeldPort::take();
        let (orders, taken) = watch::channel(Orders { listens: true, cuts: 0, ends: false });
        let thread = std::thread::spawn({
            let (line, address) = (Arc::clone(&line), port.address());
            move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                runtime.expect("a runtime").block_on(serve(line, address, taken));
            }
        });
        let slow = Self { port, line, orders, thread: Some(thread) };
        slow.wait("listens", |seen| seen.listens);
        slow
    }

    /// The port to connect to, at 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.address().port()
    }

    /// Another delay in each direction, for the pieces that are read from now on.
    pub fn delay(&self, delay: Duration) {
        self.line.delay_micros.store(micros(delay), Ordering::Relaxed);
    }

    /// Breaks all connections with a reset, and returns when they are broken. New ones are accepted.
    pub fn cut(&self) {
        self.orders.send_modify(|orders| orders.cuts += 1);
        self.wait("has cut", |seen| seen.open == 0);
    }

    /// Refuses new connections, and leaves those that have said something.
    pub fn refuse(&self) {
        self.orders.send_modify(|orders| orders.listens = false);
        self.wait("refuses", |seen| !seen.listens);
    }

    /// Accepts connections again.
    pub fn accept(&self) {
        self.orders.send_modify(|orders| orders.listens = true);
        self.wait("accepts", |seen| seen.listens);
    }

    /// Accepts and reads, and passes nothing on in either direction, as long as this is true: what was read meanwhile is
    /// lost for good.
    pub fn swallow(&self, swallows: bool) {
        self.line.swallows.store(swallows, Ordering::Relaxed);
    }

    /// Connections accepted so far.
    #[must_use]
    pub fn accepted(&self) -> usize {
        self.line.seen.read(|seen| seen.accepted)
    }

    /// Connections that are open now.
    #[must_use]
    pub fn open(&self) -> usize {
        self.line.seen.read(|seen| seen.open)
    }

    /// The most connections that were open at the same time.
    #[must_use]
    pub fn most(&self) -> usize {
        self.line.seen.read(|seen| seen.most)
    }

    fn wait(&self, what: &str, holds: impl Fn(&Seen) -> bool) {
        let done = self.line.seen.wait_within(PATIENCE, |seen| holds(seen).then_some(()));
        assert!(done.is_some(), "the line never {what}: {:?}", self.line.seen.read(|seen| *seen));
    }
}

impl Drop for Slow {
    fn drop(&mut self) {
        self.orders.send_modify(|orders| orders.ends = true);
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}

fn micros(delay: Duration) -> u64 {
    u64::try_from(delay.as_micros()).unwrap_or(u64::MAX)
}

/// Listens while it is to listen. Ends, and with it the runtime and every connection, when the value is dropped.
async fn serve(line: Arc<Line>, address: SocketAddr, mut orders: watch::Receiver<Orders>) {
    let mut listener: Option<TcpListener> = None;
    loop {
        let now = *orders.borrow_and_update();
        if now.ends {
            return;
        }
        if now.listens && listener.is_none() {
            listener = Some(TcpListener::bind(address).await.expect("the held port can be listened on"));
        } else if !now.listens {
            listener = None;
        }
        line.seen.change(|seen| seen.listens = now.listens);
        tokio::select! {
            changed = orders.changed() => if changed.is_err() { return },
            client = accept(listener.as_ref()) => {
                line.seen.change(|seen| {
                    seen.accepted += 1;
                    seen.open += 1;
                    seen.most = seen.most.max(seen.open);
                });
                // A cut that came since is over: this connection is not one of those that it broke.
                let cuts = orders.borrow().cuts;
                tokio::spawn(connect(Arc::clone(&line), client, orders.clone(), cuts));
            }
        }
    }
}

async fn accept(listener: Option<&TcpListener>) -> TcpStream {
    let Some(listener) = listener else { return std::future::pending().await };
    listener.accept().await.expect("a connection").0
}

/// One client's connection, from the first byte to the last or to the cut.
async fn connect(
    line: Arc<Line>,
    mut client: TcpStream,
    mut orders: watch::Receiver<Orders>,
    made_under: u64,
) {
    let is_cut = tokio::select! {
        _cut = orders.wait_for(|orders| orders.cuts > made_under) => true,
        has_ended = pass_both(&line, &mut client) => !has_ended,
    };
    if is_cut {
        // A lingering of zero seconds throws away what is unsent and sends RST instead of FIN.
        let _gone = socket2::SockRef::from(&client).set_linger(Some(Duration::ZERO));
    }
    drop(client);
    line.seen.change(|seen| seen.open -= 1);
}

/// Passes until both sides have ended; false where the server cannot be connected to.
async fn pass_both(line: &Line, client: &mut TcpStream) -> bool {
    let Ok(mut server) = TcpStream::connect(line.server).await else {
        return false;
    };
    let _best_effort = (server.set_nodelay(true), client.set_nodelay(true));
    // Borrowed halves: an owned one would say a polite end when a cut drops it.
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    tokio::join!(pass(line, from_client, to_server), pass(line, from_server, to_client));
    true
}

/// Passes pieces on in one direction, each so long after it was read as the delay says, until the sender's end.
async fn pass(line: &Line, mut from: ReadHalf<'_>, mut to: WriteHalf<'_>) {
    let (queue, mut due) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    let reading = async move {
        let mut piece = vec![0; PIECE_BYTES];
        while let Ok(length @ 1..) = from.read(&mut piece).await {
            let delay = Duration::from_micros(line.delay_micros.load(Ordering::Relaxed));
            let _writer_gone = queue.send((Instant::now() + delay, piece[..length].to_vec()));
        }
        // The end arrives as late as bytes do.
        let delay = Duration::from_micros(line.delay_micros.load(Ordering::Relaxed));
        let _writer_gone = queue.send((Instant::now() + delay, Vec::new()));
    };
    let writing = async move {
        while let Some((when, piece)) = due.recv().await {
            tokio::time::sleep_until(when).await;
            let swallowed = line.swallows.load(Ordering::Relaxed);
            if !swallowed && (piece.is_empty() || to.write_all(&piece).await.is_err()) {
                break;
            }
        }
        let _gone = to.shutdown().await;
    };
    tokio::join!(reading, writing);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{ErrorKind, Read, Write};
    use std::net::TcpStream as Blocking;

    /// A server that sends back what it gets.
    fn echo() -> u16 {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                std::thread::spawn(move || {
                    let _end = std::io::copy(&mut stream.try_clone().unwrap(), &mut &stream);
                });
            }
        });
        port
    }

    fn dial(line: &Slow) -> Blocking {
        let stream = Blocking::connect((Ipv4Addr::LOCALHOST, line.port())).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    fn say(stream: &mut Blocking, word: &[u8; 2]) -> std::io::Result<[u8; 2]> {
        stream.write_all(word)?;
        let mut heard = [0; 2];
        stream.read_exact(&mut heard)?;
        Ok(heard)
    }

    #[test]
    fn an_answer_comes_two_delays_later_and_pieces_do_not_add_up() {
        let line = Slow::before(echo(), Duration::from_millis(25));
        let mut stream = dial(&line);
        let begin = Instant::now();
        assert_eq!(&say(&mut stream, b"ab").unwrap(), b"ab");
        let one = begin.elapsed();
        assert!(one >= Duration::from_millis(50), "{one:?}");
        // Twenty pieces, each in flight while the others are.
        let begin = Instant::now();
        let mut others: Vec<_> = (0..20).map(|_| dial(&line)).collect();
        for stream in &mut others {
            stream.write_all(b"xy").unwrap();
        }
        for stream in &mut others {
            stream.read_exact(&mut [0; 2]).unwrap();
        }
        assert!(begin.elapsed() < Duration::from_millis(20 * 50), "{:?}", begin.elapsed());
        assert_eq!((line.accepted(), line.open(), line.most()), (21, 21, 21));
        line.delay(Duration::ZERO);
        assert_eq!(&say(&mut stream, b"cd").unwrap(), b"cd");
    }

    #[test]
    fn a_cut_is_a_reset_and_new_connections_work() {
        let line = Slow::before(echo(), Duration::ZERO);
        let mut stream = dial(&line);
        say(&mut stream, b"ab").unwrap();
        line.cut();
        assert_eq!(line.open(), 0);
        assert_eq!(stream.read(&mut [0; 2]).unwrap_err().kind(), ErrorKind::ConnectionReset);
        say(&mut dial(&line), b"ab").unwrap();
    }

    #[test]
    fn it_refuses_and_accepts_again_and_old_connections_live_on() {
        let line = Slow::before(echo(), Duration::ZERO);
        let mut stream = dial(&line);
        say(&mut stream, b"ab").unwrap();
        line.refuse();
        let refused = Blocking::connect((Ipv4Addr::LOCALHOST, line.port())).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        say(&mut stream, b"ab").unwrap();
        line.accept();
        say(&mut dial(&line), b"ab").unwrap();
    }

    #[test]
    fn what_is_swallowed_never_comes() {
        let line = Slow::before(echo(), Duration::ZERO);
        let mut stream = dial(&line);
        line.swallow(true);
        stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        assert_eq!(say(&mut stream, b"ab").unwrap_err().kind(), ErrorKind::WouldBlock);
        line.swallow(false);
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        assert_eq!(&say(&mut stream, b"cd").unwrap(), b"cd");
    }

    #[test]
    fn a_server_that_is_gone_is_a_reset() {
        let line = Slow::before(HeldPort::take().address().port(), Duration::ZERO);
        let mut stream = dial(&line);
        assert_eq!(stream.read(&mut [0; 2]).unwrap_err().kind(), ErrorKind::ConnectionReset);
        line.wait("closes", |seen| seen.open == 0);
    }
}
