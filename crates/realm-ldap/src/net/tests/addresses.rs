//! A name with several addresses, some of which nobody answers at.

use std::io::ErrorKind;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::*;
use crate::net::transport::{head_start, reach};

/// An address whose queue is full, so that whoever asks gets no answer, as behind a firewall or at a machine that is off.
struct Silent {
    address: SocketAddr,
    listener: TcpListener,
    _queue: Vec<TcpStream>,
}

async fn silent() -> Silent {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut queue = Vec::new();
    while let Ok(stream) = tokio::time::timeout(Duration::from_millis(100), TcpStream::connect(address)).await
    {
        queue.push(stream.unwrap());
    }
    Silent { address, listener, _queue: queue }
}

async fn listening() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// An address at which nobody listens.
async fn refusing() -> SocketAddr {
    listening().await.1
}

#[tokio::test]
async fn addresses_that_do_not_answer_leave_time_for_those_that_do() {
    let silent = silent().await;
    let (_listener, good) = listening().await;
    for dead in [0, 1, 2, 15] {
        let mut addresses = vec![silent.address; dead];
        addresses.push(good);
        let limit = Duration::from_secs(2);
        let reaching = tokio::time::timeout(limit * 3 / 4, reach(&addresses, limit));
        let reached = reaching.await.unwrap_or_else(|_| panic!("{dead} dead ones")).unwrap();
        assert_eq!(reached.peer_addr().unwrap(), good);
    }
}

#[tokio::test]
async fn the_one_that_answers_late_is_still_taken() {
    let (first, other) = (silent().await, silent().await);
    let addresses = [first.address, other.address];
    let mut reaching = Box::pin(reach(&addresses, LIMIT));
    assert!(tokio::time::timeout(Duration::from_millis(600), &mut reaching).await.is_err());
    // There is room in its queue now: it hears the next attempt of the system's.
    for _ in 0..2 {
        let _client = first.listener.accept().await.unwrap();
    }
    assert_eq!(reaching.await.unwrap().peer_addr().unwrap(), first.address);
}

#[tokio::test]
async fn addresses_that_refuse_cost_nothing_and_the_last_reason_is_told() {
    let refusing = refusing().await;
    let (_listener, good) = listening().await;
    let addresses = [refusing, refusing, refusing, good];
    // Before the head start of one is over.
    let reaching = tokio::time::timeout(Duration::from_millis(200), reach(&addresses, LIMIT));
    assert_eq!(reaching.await.unwrap().unwrap().peer_addr().unwrap(), good);
    let why = reach(&[refusing, refusing], LIMIT).await.unwrap_err().to_string();
    assert!(why.contains("refused"), "{why}");
    assert_eq!(reach(&[], LIMIT).await.unwrap_err().to_string(), "its name has no address");
}

#[tokio::test]
async fn where_the_first_answers_no_other_is_asked() {
    let (_first, good) = listening().await;
    let (other, unasked) = listening().await;
    for _ in 0..20 {
        assert_eq!(reach(&[good, unasked], LIMIT).await.unwrap().peer_addr().unwrap(), good);
    }
    let other = other.into_std().unwrap();
    assert_eq!(other.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn half_of_the_time_is_left_for_the_last_of_the_addresses() {
    for limit in [10, 100, 1_000, 60_000].map(Duration::from_millis) {
        for count in [1, 2, 3, 10, 100] {
            let alone = head_start(count, limit);
            assert!(!alone.is_zero() && alone <= Duration::from_millis(250), "{count} {limit:?}");
            assert!(alone * u32::try_from(count - 1).unwrap() <= limit / 2, "{count} {limit:?}");
        }
    }
    assert_eq!(head_start(2, Duration::from_secs(1)), Duration::from_millis(250));
    assert_eq!(head_start(4, Duration::from_secs(1)), Duration::from_millis(125));
    assert_eq!(head_start(2, Duration::from_secs(60)), Duration::from_millis(250));
}
