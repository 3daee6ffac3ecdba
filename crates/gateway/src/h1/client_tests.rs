//! Tests of the client's connection, over a pair within the process with the clock in hand.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

use super::*;

fn pair() -> (Client, DuplexStream) {
    let (ours, theirs) = tokio::io::duplex(1024 * 1024);
    (Client::new(ours.into(), Limits::default()), theirs)
}

/// Lets the other side send these bytes.
async fn send(peer: &mut DuplexStream, bytes: impl AsRef<[u8]>) {
    peer.write_all(bytes.as_ref()).await.unwrap();
}

async fn received(peer: &mut DuplexStream, length: usize) -> String {
    let mut bytes = vec![0; length];
    peer.read_exact(&mut bytes).await.unwrap();
    String::from_utf8(bytes).unwrap()
}

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

fn post(fields: &str, body: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n{body}")
}

#[tokio::test(start_paused = true)]
async fn pipelined_requests_come_in_order() {
    let (mut client, mut peer) = pair();
    send(
        &mut peer,
        format!("{}{GET}OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", post("Content-Length: 3\r\n", "abc")),
    )
    .await;
    let (_, mut body) = client.next().await.unwrap().unwrap();
    assert_eq!(*client.read_whole(&mut body, 3).await.unwrap(), b"abc");
    assert_eq!(client.settle(body).await, Reuse::Keep);
    for method in [&b"GET"[..], b"OPTIONS"] {
        let (head, body) = client.next().await.unwrap().unwrap();
        assert_eq!(head.method(), method);
        assert_eq!(client.settle(body).await, Reuse::Keep);
    }
}

#[tokio::test(start_paused = true)]
async fn requests_follow_each_other_until_the_client_closes() {
    let (mut client, mut peer) = pair();
    for _ in 0..3 {
        send(&mut peer, GET).await;
        let (head, body) = client.next().await.unwrap().unwrap();
        assert_eq!(head.target(), b"/");
        assert!(body.is_complete());
        client.write(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
        received(&mut peer, 27).await;
        assert_eq!(client.settle(body).await, Reuse::Keep);
    }
    drop(peer);
    assert!(client.next().await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn connection_close_ends_after_the_answer() {
    let (mut client, mut peer) = pair();
    send(&mut peer, post("Connection: close\r\n", GET)).await;
    let (_, body) = client.next().await.unwrap().unwrap();
    assert_eq!(client.connection_field(), b"Connection: close\r\n");
    assert_eq!(client.settle(body).await, Reuse::Close);
    assert!(client.next().await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn http_1_0_says_keep_alive_where_it_does() {
    let (mut client, mut peer) = pair();
    send(&mut peer, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.0\r\n\r\n").await;
    client.next().await.unwrap().unwrap();
    assert_eq!(client.connection_field(), b"Connection: keep-alive\r\n");
    client.next().await.unwrap().unwrap();
    assert_eq!(client.connection_field(), b"Connection: close\r\n");
}

#[tokio::test(start_paused = true)]
async fn asvs_118_slow_heads_and_silent_connections_end() {
    let start = now();
    // Nothing at all: closed without a word after the header time-out.
    let (mut client, _peer) = pair();
    assert!(client.next().await.unwrap().is_none());
    assert_eq!(start.elapsed().as_secs(), 10);
    // Half a head, byte by byte: the time-out counts from its first byte.
    let (mut client, mut peer) = pair();
    let drip = async {
        for byte in GET.bytes().take(20) {
            send(&mut peer, [byte]).await;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    let start = now();
    let next = async {
        let result = client.next().await;
        (result.map(|_| ()), start.elapsed().as_secs())
    };
    let ((), (result, seconds)) = tokio::join!(drip, next);
    assert_eq!((result, seconds), (Err(HeadFault::Timeout), 10));
    assert!(client.next().await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_ends_without_a_word() {
    let (mut client, mut peer) = pair();
    send(&mut peer, GET).await;
    let (_, body) = client.next().await.unwrap().unwrap();
    assert_eq!(client.settle(body).await, Reuse::Keep);
    send(&mut peer, "\r\n").await;
    let start = now();
    assert!(client.next().await.unwrap().is_none());
    assert_eq!(start.elapsed().as_secs(), 10);
    let (mut client, mut peer) = pair();
    send(&mut peer, GET).await;
    let (_, body) = client.next().await.unwrap().unwrap();
    assert_eq!(client.settle(body).await, Reuse::Keep);
    let start = now();
    assert!(client.next().await.unwrap().is_none());
    assert_eq!(start.elapsed().as_secs(), 60);
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_idle_connections_and_not_requests() {
    let (mut client, mut peer) = pair();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    client.stop_when(async {
        let _ = stopped.await;
    });
    send(&mut peer, &GET[..10]).await;
    let idle = now();
    let next = async { client.next().await.unwrap().map(|_| ()) };
    let finish = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let _ = stop.send(());
        tokio::time::sleep(Duration::from_secs(1)).await;
        send(&mut peer, &GET[10..]).await;
    };
    let (got, ()) = tokio::join!(next, finish);
    assert!(got.is_some());
    assert!(client.next().await.unwrap().is_none());
    assert_eq!(idle.elapsed().as_secs(), 2);
    assert!(client.is_closing());
}

#[tokio::test(start_paused = true)]
async fn a_malformed_request_ends_the_connection() {
    let (mut client, mut peer) = pair();
    send(&mut peer, format!("GET / HTTP/1.1\r\n\r\n{GET}")).await;
    assert_eq!(client.next().await.err(), Some(HeadFault::Host));
    assert_eq!(client.connection_field(), b"Connection: close\r\n");
    assert!(client.next().await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn bodies_are_read_whole_up_to_the_limit() {
    for (request, limit, expected) in [
        (post("Content-Length: 5\r\n", "hello"), 5, Ok(b"hello".to_vec())),
        (post("Content-Length: 5\r\n", "hello"), 4, Err(BodyFault::TooLarge)),
        (
            post("Transfer-Encoding: chunked\r\n", "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"),
            5,
            Ok(b"hello".to_vec()),
        ),
        (
            post("Transfer-Encoding: chunked\r\n", "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"),
            4,
            Err(BodyFault::TooLarge),
        ),
        (post("Transfer-Encoding: chunked\r\n", "2\r\nhello"), 5, Err(BodyFault::Malformed)),
        (post("", ""), 0, Ok(Vec::new())),
    ] {
        let (mut client, mut peer) = pair();
        send(&mut peer, &request).await;
        let (_, mut body) = client.next().await.unwrap().unwrap();
        assert_eq!(
            client.read_whole(&mut body, limit).await.map(|whole| whole.to_vec()),
            expected,
            "{request}"
        );
        assert_eq!(client.settle(body).await, if expected.is_ok() { Reuse::Keep } else { Reuse::Close });
    }
}

#[tokio::test(start_paused = true)]
async fn case_39_a_body_that_stops_coming_times_out() {
    let (mut client, mut peer) = pair();
    send(&mut peer, post("Content-Length: 5\r\n", "he")).await;
    let (_, mut body) = client.next().await.unwrap().unwrap();
    let start = now();
    assert_eq!(client.read_whole(&mut body, 5).await, Err(BodyFault::Timeout));
    assert_eq!(start.elapsed().as_secs(), 10);
    let (mut client, mut peer) = pair();
    send(&mut peer, post("Content-Length: 5\r\n", "he")).await;
    let (_, mut body) = client.next().await.unwrap().unwrap();
    drop(peer);
    assert_eq!(client.read_whole(&mut body, 5).await, Err(BodyFault::Gone));
}

#[tokio::test(start_paused = true)]
async fn case_39_a_body_that_drips_has_an_end() {
    // Bytes, each four seconds after the one before: the eighth comes after 28 s, the ninth after 32 s.
    for (length, expected, seconds) in [(8, Ok(b"xxxxxxxx".to_vec()), 28), (9, Err(BodyFault::Timeout), 30)] {
        let (mut client, mut peer) = pair();
        send(&mut peer, post(&format!("Content-Length: {length}\r\n"), "x")).await;
        let (_, mut body) = client.next().await.unwrap().unwrap();
        let start = now();
        let drip = async {
            for _ in 1..length {
                tokio::time::sleep(Duration::from_secs(4)).await;
                send(&mut peer, "x").await;
            }
        };
        let read = async {
            let whole = client.read_whole(&mut body, 60_000).await;
            (whole.map(|whole| whole.to_vec()), start.elapsed().as_secs())
        };
        assert_eq!(tokio::join!(read, drip).0, (expected, seconds));
    }
}

#[tokio::test(start_paused = true)]
async fn a_waiting_client_is_asked_before_its_body_is_read() {
    let (mut client, mut peer) = pair();
    send(&mut peer, post("Content-Length: 5\r\nExpect: 100-continue\r\n", "")).await;
    let (_, mut body) = client.next().await.unwrap().unwrap();
    assert!(body.expects_continue());
    let read = async { client.read_whole(&mut body, 5).await };
    let answer = async {
        assert_eq!(received(&mut peer, CONTINUE.len()).await.as_bytes(), CONTINUE);
        send(&mut peer, "hello").await;
    };
    assert_eq!(*tokio::join!(read, answer).0.unwrap(), b"hello");
    // Who has begun to send does not wait, and too much is refused before anybody is asked.
    let (mut client, mut peer) = pair();
    send(&mut peer, post("Content-Length: 5\r\nExpect: 100-continue\r\n", "h")).await;
    assert!(!client.next().await.unwrap().unwrap().1.expects_continue());
    let (mut client, mut peer) = pair();
    send(&mut peer, post("Content-Length: 5\r\nExpect: 100-continue\r\n", "")).await;
    let (_, mut body) = client.next().await.unwrap().unwrap();
    assert_eq!(client.read_whole(&mut body, 4).await, Err(BodyFault::TooLarge));
    drop(client);
    assert_eq!(peer.read(&mut [0; 9]).await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_unread_body_is_drained_when_it_is_small_and_there() {
    let (mut client, mut peer) = pair();
    send(&mut peer, post("Transfer-Encoding: chunked\r\n", &format!("5\r\nhello\r\n0\r\n\r\n{GET}"))).await;
    let (_, body) = client.next().await.unwrap().unwrap();
    assert_eq!(client.connection_field_after(&body), b"");
    assert_eq!(client.settle(body).await, Reuse::Keep);
    assert_eq!(client.next().await.unwrap().unwrap().0.method(), b"GET");
}

#[tokio::test(start_paused = true)]
async fn draining_has_limits_on_both_sides() {
    for (length, reuse) in [(MAX_DRAIN, Reuse::Keep), (MAX_DRAIN + 1, Reuse::Close)] {
        let (mut client, mut peer) = pair();
        send(&mut peer, post(&format!("Content-Length: {length}\r\n"), &"x".repeat(length as usize))).await;
        let (_, body) = client.next().await.unwrap().unwrap();
        assert_eq!(client.connection_field_after(&body).is_empty(), reuse == Reuse::Keep);
        assert_eq!(client.settle(body).await, reuse);
    }
    // Not arriving, and chunks without end.
    let (mut client, mut peer) = pair();
    send(&mut peer, post("Content-Length: 5\r\n", "he")).await;
    let (_, body) = client.next().await.unwrap().unwrap();
    let start = now();
    assert_eq!(client.settle(body).await, Reuse::Close);
    assert_eq!(start.elapsed(), DRAIN_TIME);
    let (mut client, mut peer) = pair();
    let endless = "1\r\nx\r\n".repeat(30_000);
    send(&mut peer, post("Transfer-Encoding: chunked\r\n", &endless)).await;
    let (_, body) = client.next().await.unwrap().unwrap();
    assert_eq!(client.settle(body).await, Reuse::Close);
    // A client that waits for leave and gets a final answer: nobody knows what it sends next.
    let (mut client, mut peer) = pair();
    send(&mut peer, post("Content-Length: 5\r\nExpect: 100-continue\r\n", "")).await;
    let (_, body) = client.next().await.unwrap().unwrap();
    assert_eq!(client.connection_field_after(&body), b"Connection: close\r\n");
    assert_eq!(client.settle(body).await, Reuse::Close);
}

#[tokio::test(start_paused = true)]
async fn case_39_a_client_that_does_not_read_is_given_up() {
    let (ours, mut peer) = tokio::io::duplex(64);
    let mut client = Client::new(ours.into(), Limits::default());
    send(&mut peer, GET).await;
    client.next().await.unwrap().unwrap();
    let start = now();
    assert_eq!(client.write(&[b'x'; 65]).await, Err(Gone));
    assert_eq!(start.elapsed().as_secs(), 10);
    assert!(client.is_closing());
}

#[tokio::test(start_paused = true)]
async fn lingering_reads_on_and_ends() {
    let (mut client, mut peer) = pair();
    send(&mut peer, post("Content-Length: 500000\r\n", "x")).await;
    client.next().await.unwrap().unwrap();
    client.write(b"no").await.unwrap();
    let start = now();
    let sender = async {
        send(&mut peer, vec![b'x'; 400_000]).await;
        assert_eq!(received(&mut peer, 2).await, "no");
        assert_eq!(peer.read(&mut [0; 9]).await.unwrap(), 0);
    };
    tokio::join!(client.linger(), sender);
    assert_eq!(start.elapsed(), LINGER_TIME);
}

#[tokio::test(start_paused = true)]
async fn a_drip_is_not_parsed_again_for_every_byte() {
    // 30,000 bytes one by one: quadratic parsing would take minutes, and the test would be noticed.
    let (mut client, mut peer) = pair();
    let head = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "y".repeat(30_000));
    let drip = async {
        for byte in head.bytes() {
            send(&mut peer, [byte]).await;
            tokio::task::yield_now().await;
        }
    };
    let (got, ()) = tokio::join!(client.next(), drip);
    assert_eq!(got.unwrap().unwrap().0.fields().count(), 2);
}

#[test]
fn connections_can_move_between_threads() {
    fn assert_send<T: Send>(_: T) {}
    assert_send(async {
        let (mut client, _peer) = pair();
        let (_, body) = client.next().await.unwrap().unwrap();
        let _ = client.settle(body).await;
        client.linger().await;
    });
}
