//! Tests of the relay: what the client gets of an answer, whole or not, and when connections are used again.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::harness::*;
use super::relay::Relayed;
use super::*;
use crate::h1::timer::now;

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const GET_1_0: &str = "GET / HTTP/1.0\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// One request and one answer, after which the backend closes if told so: all that the client gets until its
/// connection is idle or closed, and the account.
async fn answered(request: &str, answer: &str, closes: bool) -> (String, Relayed, (usize, usize)) {
    let mut setup = Setup::new();
    let mut backend = setup.pooled();
    say(&mut setup.client, request).await;
    hear_once(&mut backend).await;
    say(&mut backend, answer).await;
    if closes {
        backend.shutdown().await.unwrap();
    }
    let mut text = String::new();
    let mut bytes = [0; 4096];
    while let Ok(Ok(count @ 1..)) =
        tokio::time::timeout(Duration::from_millis(10), setup.client.read(&mut bytes)).await
    {
        text.push_str(std::str::from_utf8(&bytes[..count]).unwrap());
    }
    let counts = setup.pool.counts(&setup.upstream);
    (text, setup.finish().await[0].unwrap(), counts)
}

const REUSED: Outcome = Outcome::Complete { reuse: true };
const CLOSED: Outcome = Outcome::Complete { reuse: false };

#[tokio::test(start_paused = true)]
async fn framings_are_translated_for_each_client() {
    for (request, answer, closes, expected, outcome, idle) in [
        (GET, OK, false, OK, REUSED, 1),
        (
            GET,
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            false,
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            REUSED,
            1,
        ),
        (
            GET,
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n002;x\r\nok\r\n0\r\n\r\n",
            false,
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            REUSED,
            1,
        ),
        (
            GET,
            "HTTP/1.1 200 OK\r\n\r\nok",
            true,
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            REUSED,
            0,
        ),
        (GET, "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", false, OK, REUSED, 0),
        (GET, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", false, OK, REUSED, 0),
        (
            GET_1_0,
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            false,
            "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok",
            CLOSED,
            1,
        ),
        (
            GET_1_0,
            "HTTP/1.1 200 OK\r\n\r\nok",
            true,
            "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok",
            CLOSED,
            0,
        ),
        (
            "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
            OK,
            false,
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok",
            REUSED,
            1,
        ),
    ] {
        let (text, relayed, counts) = answered(request, answer, closes).await;
        assert_eq!((text.as_str(), relayed.outcome, counts.1), (expected, outcome, idle), "{answer}");
        assert_eq!(relayed.bytes_down, if text.contains("ok") { 2 } else { 0 });
    }
}

#[tokio::test(start_paused = true)]
async fn answers_without_a_body_have_none_whatever_they_declare() {
    let head = GET.replace("GET", "HEAD");
    // The last: whether the backend's connection is used again. Not where a body is declared that may yet come.
    for (request, answer, expected, idle) in [
        (
            head.as_str(),
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n",
            0,
        ),
        (
            &head,
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            1,
        ),
        (&head, "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n", 1),
        (
            &head,
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            0,
        ),
        (GET, "HTTP/1.1 204 No\r\n\r\n", "HTTP/1.1 204 No\r\n\r\n", 1),
        (GET, "HTTP/1.1 204 No\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 204 No\r\n\r\n", 1),
        (GET, "HTTP/1.1 204 No\r\nContent-Length: 2\r\n\r\n", "HTTP/1.1 204 No\r\n\r\n", 0),
        (GET, "HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.1 204 No\r\n\r\n", 0),
        (
            GET,
            "HTTP/1.1 304 Not\r\nContent-Length: 9\r\n\r\n",
            "HTTP/1.1 304 Not\r\nContent-Length: 9\r\n\r\n",
            0,
        ),
        (GET, "HTTP/1.1 304 Not\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.1 304 Not\r\n\r\n", 0),
        (GET, "HTTP/1.1 304 Not\r\n\r\n", "HTTP/1.1 304 Not\r\n\r\n", 1),
    ] {
        let (text, relayed, counts) = answered(request, answer, false).await;
        assert_eq!((text.as_str(), relayed.outcome, counts), (expected, REUSED, (idle, idle)), "{answer}");
    }
    // A backend that sends one all the same has lost the thread.
    let (text, relayed, counts) = answered(&head, OK, false).await;
    assert_eq!((text.as_str(), relayed.outcome, counts), (&OK[..OK.len() - 2], REUSED, (0, 0)));
}

#[tokio::test(start_paused = true)]
async fn bytes_after_an_answer_end_the_backends_connection() {
    let (text, relayed, counts) = answered(GET, &format!("{OK}{OK}"), false).await;
    assert_eq!((text.as_str(), relayed.outcome, counts), (OK, REUSED, (0, 0)));
}

#[tokio::test(start_paused = true)]
async fn case_11_a_connection_that_carries_an_identity_is_not_used_again() {
    for (scheme, idle) in
        [("NTLM", 0), ("ntlm TlRM", 0), ("Negotiate", 0), ("Basic realm=\"NTLM\"", 1), ("NTLMx", 1)]
    {
        let answer = format!(
            "HTTP/1.1 401 No\r\nWWW-Authenticate: Digest a\r\nWWW-Authenticate: {scheme}\r\nContent-Length: 0\r\n\r\n"
        );
        let (_, relayed, counts) = answered(GET, &answer, false).await;
        assert_eq!((relayed.outcome, counts.1), (REUSED, idle), "{scheme}");
    }
}

#[tokio::test(start_paused = true)]
async fn asvs_92_trailers_pass_where_they_may() {
    let mut setup = Setup::new();
    let mut backend = setup.pooled();
    let trailer = "0\r\nX-Sum: 1\r\nX-Forwarded-User: root\r\nContent-Length: 3\r\n\r\n";
    let request =
        format!("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n{trailer}");
    say(&mut setup.client, request).await;
    let passed = "0\r\nX-Sum: 1\r\n\r\n";
    hear(
        &mut backend,
        format!("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n{passed}"),
    )
    .await;
    say(&mut backend, format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\ny\r\n{trailer}"))
        .await;
    hear(
        &mut setup.client,
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\ny\r\n{passed}"),
    )
    .await;
    assert_eq!(setup.finish().await[0].unwrap().outcome, REUSED);
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_breaks_off_is_seen_to_break_off() {
    for (answer, expected) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok"),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nok",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\nzz\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n",
        ),
    ] {
        let (text, relayed, counts) = answered(GET, answer, true).await;
        assert_eq!((text.as_str(), relayed.outcome, counts), (expected, Outcome::BackendBroke, (0, 0)));
    }
}

#[tokio::test]
async fn an_old_client_sees_a_reset_instead_of_a_clean_end() {
    let setup = Setup::new();
    let mut backend = setup.pooled();
    let (listener, port) = listen().await;
    let connecting = tokio::net::TcpStream::connect(("127.0.0.1", port));
    let (client, accepted) = tokio::join!(connecting, listener.accept());
    let gateway = setup.on(accepted.unwrap().0);
    let mut client = client.unwrap();
    say(&mut client, GET_1_0).await;
    hear_once(&mut backend).await;
    say(&mut backend, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nok").await;
    hear(&mut client, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok").await;
    drop(backend);
    let end = client.read(&mut [0; 9]).await;
    assert_eq!(end.map_err(|error| error.kind()), Err(std::io::ErrorKind::ConnectionReset));
    assert_eq!(gateway.await.unwrap()[0].unwrap().outcome, Outcome::BackendBroke);
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_falls_silent_is_given_up() {
    let mut setup = Setup::new();
    let mut backend = setup.pooled();
    say(&mut setup.client, GET).await;
    hear(&mut backend, GET).await;
    let start = now();
    say(&mut backend, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_secs(50)).await;
        say(&mut backend, "1\r\nx\r\n").await;
    }
    let text = hear_all(&mut setup.client).await;
    assert!(text.ends_with("1\r\nx\r\n1\r\nx\r\n1\r\nx\r\n"), "{text}");
    assert_eq!(start.elapsed().as_secs(), 150 + 60);
    assert_eq!(setup.finish().await[0].unwrap().outcome, Outcome::BackendBroke);
}

#[tokio::test(start_paused = true)]
async fn case_39_a_client_that_does_not_take_its_answer_is_given_up() {
    let mut setup = Setup::new();
    let mut backend = setup.pooled();
    say(&mut setup.client, GET).await;
    hear(&mut backend, GET).await;
    let start = now();
    let sending = async {
        say(&mut backend, "HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n").await;
        while backend.write_all(&[b'x'; 1000]).await.is_ok() {}
    };
    let (relayed, ()) = tokio::join!(async { setup.gateway.await.unwrap()[0].unwrap() }, sending);
    assert_eq!(relayed.outcome, Outcome::ClientGone);
    assert_eq!(start.elapsed().as_secs(), 10 + 2);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_a_quiet_stream_is_noticed() {
    let mut setup = Setup::new();
    let mut backend = setup.pooled();
    say(&mut setup.client, GET).await;
    hear(&mut backend, GET).await;
    say(&mut backend, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n").await;
    hear_once(&mut setup.client).await;
    let start = now();
    assert_eq!(setup.finish().await[0].unwrap().outcome, Outcome::ClientGone);
    assert_eq!(hear_all(&mut backend).await, "");
    assert!(start.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn events_are_not_held_back() {
    let mut setup = Setup::new();
    let mut backend = setup.pooled();
    say(&mut setup.client, GET).await;
    hear(&mut backend, GET).await;
    say(&mut backend, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    hear(&mut setup.client, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    for _ in 0..3 {
        say(&mut backend, "2\r\nhi\r\n").await;
        hear(&mut setup.client, "2\r\nhi\r\n").await;
    }
    say(&mut backend, "0\r\n\r\n").await;
    hear(&mut setup.client, "0\r\n\r\n").await;
    assert_eq!(setup.finish().await[0].unwrap().outcome, REUSED);
}

const UPLOAD: &str = "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n";

#[tokio::test(start_paused = true)]
async fn an_upload_goes_on_after_an_early_answer() {
    let mut setup = Setup::new();
    let mut backend = setup.pooled();
    say(&mut setup.client, format!("{UPLOAD}hello")).await;
    hear(&mut backend, format!("{UPLOAD}hello")).await;
    say(&mut backend, OK).await;
    hear(&mut setup.client, OK).await;
    say(&mut setup.client, format!("world{GET}")).await;
    hear(&mut backend, "world").await;
    hear(&mut backend, GET).await;
    say(&mut backend, OK).await;
    hear(&mut setup.client, OK).await;
    let log = setup.finish().await;
    assert_eq!(log.len(), 2);
    assert_eq!((log[0].unwrap().bytes_up, log[0].unwrap().outcome), (10, REUSED));
}

#[tokio::test(start_paused = true)]
async fn an_upload_and_an_answer_flow_at_the_same_time() {
    let mut setup = Setup::new();
    let mut backend = setup.pooled();
    let head = "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    say(&mut setup.client, head).await;
    hear(&mut backend, head).await;
    let answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    say(&mut backend, answer).await;
    hear(&mut setup.client, answer).await;
    for piece in ["1\r\na\r\n", "2\r\nbc\r\n", "0\r\n\r\n"] {
        say(&mut setup.client, piece).await;
        hear(&mut backend, piece).await;
        say(&mut backend, piece).await;
        hear(&mut setup.client, piece).await;
    }
    assert_eq!(setup.pool.counts(&setup.upstream), (1, 1));
    assert_eq!(setup.finish().await[0].unwrap().outcome, REUSED);
}

#[tokio::test(start_paused = true)]
async fn an_upload_stops_when_the_backend_closes_early() {
    let mut setup = Setup::new();
    let mut backend = setup.pooled();
    say(&mut setup.client, format!("{UPLOAD}hello")).await;
    hear(&mut backend, format!("{UPLOAD}hello")).await;
    say(&mut backend, "HTTP/1.1 413 No\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno").await;
    drop(backend);
    hear(&mut setup.client, "HTTP/1.1 413 No\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno").await;
    assert_eq!(hear_all(&mut setup.client).await, "");
    let relayed = setup.finish().await[0].unwrap();
    assert_eq!((relayed.outcome, relayed.bytes_up), (CLOSED, 5));
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_stops_after_the_answer_ends_the_connection() {
    let mut setup = Setup::new();
    let mut backend = setup.pooled();
    say(&mut setup.client, format!("{UPLOAD}hello")).await;
    hear(&mut backend, format!("{UPLOAD}hello")).await;
    let start = now();
    say(&mut backend, OK).await;
    hear(&mut setup.client, OK).await;
    assert_eq!(hear_all(&mut setup.client).await, "");
    assert_eq!(start.elapsed().as_secs(), 10);
    assert_eq!(hear_all(&mut backend).await, "");
    assert_eq!(setup.finish().await[0].unwrap().outcome, CLOSED);
}

#[tokio::test(start_paused = true)]
async fn case_39_an_upload_that_drips_after_the_answer_ends_the_connection() {
    let mut setup = Setup::new();
    let mut backend = setup.pooled();
    let start = now();
    say(&mut setup.client, UPLOAD).await;
    hear(&mut backend, UPLOAD).await;
    say(&mut backend, OK).await;
    hear(&mut setup.client, OK).await;
    let (mut reading, mut writing) = tokio::io::split(setup.client);
    let dripping = async {
        for _ in 0..8 {
            tokio::time::sleep(Duration::from_secs(9)).await;
            let _ = writing.write_all(b"x").await;
        }
    };
    let end = async { (hear_all(&mut reading).await, start.elapsed().as_secs()) };
    assert_eq!(tokio::join!(end, dripping).0, (String::new(), 60));
    assert_eq!(setup.gateway.await.unwrap()[0].unwrap().outcome, CLOSED);
}

#[tokio::test]
async fn large_bodies_flow_both_ways_in_small_buffers() {
    const LENGTH: usize = 24 * 1024 * 1024;
    let (listener, port) = listen().await;
    let Setup { client, gateway, pool, .. } = Setup::before(upstream_at(port));
    // Echoes: what it has not sent back it does not read on, so every buffer on the way fills.
    let backend = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        hear(&mut stream, format!("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: {LENGTH}\r\n\r\n")).await;
        say(&mut stream, format!("HTTP/1.1 200 OK\r\nContent-Length: {LENGTH}\r\n\r\n")).await;
        let (mut reading, mut writing) = stream.split();
        tokio::io::copy(&mut reading, &mut writing).await.unwrap();
    });
    let (mut reading, mut writing) = tokio::io::split(client);
    let block: Vec<u8> = (0..=250).cycle().take(64 * 1024).collect();
    let sending = async {
        say(&mut writing, format!("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: {LENGTH}\r\n\r\n")).await;
        for _ in 0..LENGTH / block.len() {
            say(&mut writing, &block).await;
        }
    };
    let receiving = async {
        hear(&mut reading, format!("HTTP/1.1 200 OK\r\nContent-Length: {LENGTH}\r\n\r\n")).await;
        let mut got = vec![0; block.len()];
        for _ in 0..LENGTH / block.len() {
            reading.read_exact(&mut got).await.unwrap();
            assert!(got == block);
        }
    };
    tokio::join!(sending, receiving);
    drop((reading, writing));
    let relayed = gateway.await.unwrap()[0].unwrap();
    assert_eq!(
        (relayed.bytes_up, relayed.bytes_down, relayed.outcome),
        (LENGTH as u64, LENGTH as u64, REUSED)
    );
    drop(pool);
    backend.await.unwrap();
}
