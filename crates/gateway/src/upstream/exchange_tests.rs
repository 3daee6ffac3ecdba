//! Tests of the exchange: what the backend gets, which connection it comes on, and what is not sent twice.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::connection::Connection;
use super::exchange::{CONTINUE_TIME, MAX_INFORMATIONAL};
use super::fault::Unreachable;
use super::harness::*;
use super::pool::MAX_IDLE_TIME;
use super::*;
use crate::h1::timer::now;
use crate::h1::{BodyFault, HeadFault};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const CONTINUE: &str = "HTTP/1.1 100 Continue\r\n\r\n";

fn upload(method: &str, fields: &str, body: &str) -> String {
    format!("{method} / HTTP/1.1\r\nHost: a\r\n{fields}\r\n{body}")
}

fn faults(log: &Log) -> Vec<UpstreamFault> {
    log.iter().filter_map(|result| result.err()).collect()
}

#[tokio::test]
async fn a_connection_is_opened_once_and_used_again() {
    let (listener, port) = listen().await;
    let mut setup = Setup::before(upstream_at(port));
    let backend = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        for _ in 0..3 {
            hear(&mut stream, GET).await;
            say(&mut stream, OK).await;
        }
        hear_all(&mut stream).await
    });
    for _ in 0..2 {
        say(&mut setup.client, GET).await;
        hear(&mut setup.client, OK).await;
    }
    let (mut other, serving) = setup.another();
    say(&mut other, GET).await;
    hear(&mut other, OK).await;
    drop(other);
    serving.await.unwrap();
    assert_eq!(setup.pool.counts(&setup.upstream), (1, 1));
    let Setup { pool, client, gateway, .. } = setup;
    drop(client);
    assert_eq!(gateway.await.unwrap().len(), 2);
    drop(pool);
    assert_eq!(backend.await.unwrap(), "");
}

#[tokio::test(start_paused = true)]
async fn head_and_body_go_out_in_one_write_each_way() {
    let mut setup = Setup::new();
    let mut backend = setup.pooled();
    say(&mut setup.client, upload("POST", "Content-Length: 5\r\n", "hello")).await;
    assert_eq!(hear_once(&mut backend).await, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
    say(&mut backend, OK).await;
    assert_eq!(hear_once(&mut setup.client).await, OK);
    say(
        &mut setup.client,
        upload("POST", "Transfer-Encoding: chunked\r\n", "2;x=y\r\nhe\r\n003\r\nllo\r\n0\r\n\r\n"),
    )
    .await;
    let chunked =
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n";
    assert_eq!(hear_once(&mut backend).await, chunked);
    say(&mut backend, OK).await;
    assert_eq!(hear_once(&mut setup.client).await, OK);
    say(&mut setup.client, upload("POST", "Content-Length: 0\r\n", "")).await;
    assert_eq!(hear_once(&mut backend).await, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    say(&mut backend, OK).await;
    let log = setup.finish().await;
    assert_eq!(log.iter().map(|result| result.unwrap().bytes_up).collect::<Vec<_>>(), [5, 5, 0]);
}

#[tokio::test(start_paused = true)]
async fn pipelined_requests_are_exchanged_in_order() {
    let mut setup = Setup::new();
    let mut backend = setup.pooled();
    say(
        &mut setup.client,
        format!("{}{}{GET}", upload("PUT", "Content-Length: 1\r\n", "1"), upload("DELETE", "", "")),
    )
    .await;
    for (request, answer) in [
        ("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n1", "a"),
        ("DELETE / HTTP/1.1\r\nHost: a\r\n\r\n", "b"),
        (GET, "c"),
    ] {
        assert_eq!(hear_once(&mut backend).await, request);
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{answer}");
        say(&mut backend, &answer).await;
        hear(&mut setup.client, answer).await;
    }
    assert_eq!(setup.finish().await.len(), 3);
}

/// A pooled connection that takes the request, says `answer` and dies; then what a fresh one hears, and the
/// account.
async fn dying(request: &str, answer: &str) -> (Option<String>, Log) {
    let (listener, port) = listen().await;
    let mut setup = Setup::before(upstream_at(port));
    let mut pooled = setup.pooled();
    say(&mut setup.client, request).await;
    hear_once(&mut pooled).await;
    say(&mut pooled, answer).await;
    drop(pooled);
    let fresh = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let heard = hear_once(&mut stream).await;
        say(&mut stream, OK).await;
        // Kept until the client has its answer.
        (heard, stream)
    };
    let heard = tokio::select! {
        (heard, _stream) = fresh => {
            hear(&mut setup.client, OK).await;
            Some(heard)
        }
        text = hear_all(&mut setup.client) => {
            assert!(text.starts_with("HTTP/1.1 502 "), "{text}");
            None
        }
    };
    (heard, setup.finish().await)
}

#[tokio::test]
async fn an_idempotent_request_is_sent_again_when_a_pooled_connection_died() {
    let (heard, log) = dying(GET, "").await;
    assert_eq!(heard.as_deref(), Some(GET));
    assert!(log[0].is_ok());
    let put = upload("PUT", "Content-Length: 5\r\n", "hello");
    let (heard, log) = dying(&put, "").await;
    assert!(heard.unwrap().ends_with("\r\nContent-Length: 5\r\n\r\nhello"));
    assert_eq!(log[0].unwrap().bytes_up, 5);
}

#[tokio::test]
async fn nothing_else_is_sent_twice() {
    let (heard, log) = dying(&upload("POST", "Content-Length: 5\r\n", "hello"), "").await;
    assert_eq!((heard, faults(&log)), (None, vec![UpstreamFault::Broke]));
    for partial in ["H", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 102 Processing\r\n\r\n"] {
        let (heard, log) = dying(GET, partial).await;
        assert_eq!((heard, faults(&log)), (None, vec![UpstreamFault::Broke]), "{partial}");
    }
}

#[tokio::test]
async fn a_body_that_was_let_go_is_not_sent_twice() {
    let (listener, port) = listen().await;
    let mut setup = Setup::before(upstream_at(port));
    let mut pooled = setup.pooled();
    say(&mut setup.client, upload("PUT", "Content-Length: 10\r\n", "hello")).await;
    hear_once(&mut pooled).await;
    say(&mut setup.client, "worl").await;
    hear(&mut pooled, "worl").await;
    drop(pooled);
    assert!(hear_all(&mut setup.client).await.starts_with("HTTP/1.1 502 "));
    assert_eq!(faults(&setup.finish().await), [UpstreamFault::Broke]);
    drop(listener);
}

#[tokio::test]
async fn a_fresh_connection_that_dies_is_not_tried_again() {
    let (listener, port) = listen().await;
    let mut setup = Setup::before(upstream_at(port));
    let backend = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        hear(&mut stream, GET).await;
    });
    say(&mut setup.client, GET).await;
    assert!(hear_all(&mut setup.client).await.starts_with("HTTP/1.1 502 "));
    backend.await.unwrap();
    assert_eq!(faults(&setup.finish().await), [UpstreamFault::Broke]);
}

#[tokio::test]
async fn idle_connections_that_closed_or_spoke_are_not_used() {
    let (listener, port) = listen().await;
    let mut setup = Setup::before(upstream_at(port));
    drop(setup.pooled());
    let mut chatty = setup.pooled();
    say(&mut chatty, "HTTP/1.1 408 Request Timeout\r\n\r\n").await;
    assert_eq!(setup.pool.counts(&setup.upstream), (2, 2));
    // Not idempotent: would fail if it were sent on one of them.
    say(&mut setup.client, upload("POST", "", "")).await;
    let (mut stream, _) = listener.accept().await.unwrap();
    hear(&mut stream, upload("POST", "", "")).await;
    say(&mut stream, OK).await;
    hear(&mut setup.client, OK).await;
    assert_eq!(setup.pool.counts(&setup.upstream), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn idle_connections_expire() {
    let setup = Setup::new();
    let mut old = setup.pooled();
    tokio::time::advance(MAX_IDLE_TIME - Duration::from_secs(1)).await;
    let mut young = setup.pooled();
    setup.pool.sweep();
    assert_eq!(setup.pool.counts(&setup.upstream), (2, 2));
    tokio::time::advance(Duration::from_secs(1)).await;
    setup.pool.sweep();
    assert_eq!(setup.pool.counts(&setup.upstream), (1, 1));
    assert_eq!(hear_all(&mut old).await, "");
    tokio::time::advance(MAX_IDLE_TIME).await;
    assert!(setup.pool.lease(&setup.upstream).await.is_err());
    assert_eq!(hear_all(&mut young).await, "");
    assert_eq!(setup.pool.counts(&setup.upstream), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn the_number_of_connections_has_limits_on_both_sides() {
    let mut upstream = upstream_at(1);
    upstream.max_connections = 2;
    upstream.max_idle = 1;
    let setup = Setup::before(upstream);
    let mut backends = [setup.pooled(), setup.pooled()];
    assert_eq!(setup.pool.counts(&setup.upstream), (1, 1), "one too many to be idle was closed");
    assert_eq!(hear_all(&mut backends[1]).await, "");
    let first = setup.pool.lease(&setup.upstream).await.unwrap();
    assert_eq!(setup.pool.counts(&setup.upstream), (1, 0));
    let refused = UpstreamFault::Unreachable(Unreachable::Refused);
    assert_eq!(setup.pool.lease(&setup.upstream).await.err(), Some(refused), "one more may be opened");
    assert_eq!(setup.pool.counts(&setup.upstream), (1, 0), "and is not counted when that fails");
    let mut narrow = upstream_at(1);
    narrow.max_connections = 1;
    assert_eq!(setup.pool.lease(&narrow).await.err(), Some(UpstreamFault::Saturated));
    drop(first);
    assert_eq!(setup.pool.counts(&setup.upstream), (0, 0));
}

#[tokio::test]
async fn backends_that_cannot_be_reached_are_told_apart() {
    let mut setup = Setup::new();
    say(&mut setup.client, GET).await;
    assert!(hear_all(&mut setup.client).await.starts_with("HTTP/1.1 502 "));
    assert_eq!(faults(&setup.finish().await), [UpstreamFault::Unreachable(Unreachable::Refused)]);
    let open = async |address: &str| {
        Connection::open(&Upstream::plain(0, Address::parse(address).unwrap())).await.err()
    };
    assert_eq!(
        open("http://does-not-exist.invalid").await,
        Some(UpstreamFault::Unreachable(Unreachable::Name))
    );
    assert_eq!(open("http://[::1]:1").await, Some(UpstreamFault::Unreachable(Unreachable::Refused)));
}

#[tokio::test(start_paused = true)]
async fn a_silent_backend_is_too_slow() {
    let mut setup = Setup::new();
    let mut backend = setup.pooled();
    let start = now();
    say(&mut setup.client, GET).await;
    hear(&mut backend, GET).await;
    say(&mut backend, "HTTP/1.1 200").await;
    assert!(hear_all(&mut setup.client).await.starts_with("HTTP/1.1 504 "));
    assert_eq!(start.elapsed().as_secs(), 60);
    assert_eq!(faults(&setup.finish().await), [UpstreamFault::TooSlow]);
    assert_eq!(hear_all(&mut backend).await, "");
}

#[tokio::test(start_paused = true)]
async fn a_silent_uploader_and_a_backend_that_takes_nothing_are_told_apart() {
    let mut setup = Setup::new();
    let _backend = setup.pooled();
    let start = now();
    say(&mut setup.client, upload("PUT", "Content-Length: 5\r\n", "hel")).await;
    assert!(hear_once(&mut setup.client).await.starts_with("HTTP/1.1 408 "));
    assert_eq!(start.elapsed().as_secs(), 10);
    assert_eq!(faults(&setup.finish().await), [UpstreamFault::ClientBody(BodyFault::Timeout)]);
    let setup = Setup::new();
    let _backend = setup.pooled();
    let start = now();
    let long = upload("PUT", "Content-Length: 600000\r\n", &"x".repeat(600_000));
    let (mut reading, mut writing) = tokio::io::split(setup.client);
    let (answer, _) = tokio::join!(hear_once(&mut reading), async {
        let _ = tokio::time::timeout(Duration::from_secs(70), writing.write_all(long.as_bytes())).await;
    });
    assert!(answer.starts_with("HTTP/1.1 504 "), "{answer}");
    assert!(start.elapsed().as_secs() >= 60);
    assert_eq!(faults(&setup.gateway.await.unwrap()), [UpstreamFault::TooSlow]);
}

#[tokio::test(start_paused = true)]
async fn case_39_an_upload_that_drips_has_an_end() {
    // A byte every nine seconds is never silent for ten: the seventh would come after 63 s. If 4 KiB have come with the
    // sixth there is another minute from then, 54 s, on; a byte less, and there is none.
    for (sixth, pieces, status, ends) in
        [(1, 6, 200, 54), (1, 7, 408, 60), (4091, 12, 200, 108), (4091, 13, 408, 114), (4090, 7, 408, 60)]
    {
        let mut setup = Setup::new();
        let mut backend = setup.pooled();
        let start = now();
        let length = pieces - 1 + sixth;
        let head = upload("PUT", &format!("Content-Length: {length}\r\n"), "");
        say(&mut setup.client, &head).await;
        let (mut reading, mut writing) = tokio::io::split(setup.client);
        let dripping = async {
            for piece in 1..=pieces {
                tokio::time::sleep(Duration::from_secs(9)).await;
                let _ = writing.write_all(&vec![b'x'; if piece == 6 { sixth } else { 1 }]).await;
            }
        };
        let serving = async {
            let mut rest = vec![0; head.len() + length];
            if backend.read_exact(&mut rest).await.is_ok() {
                say(&mut backend, OK).await;
            }
        };
        let answer = async { (hear_once(&mut reading).await, start.elapsed().as_secs()) };
        let ((answer, seconds), (), ()) = tokio::join!(answer, dripping, serving);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{sixth} {pieces}: {answer}");
        assert_eq!(seconds, ends, "{sixth} {pieces}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_backend_does_not_take_is_not_the_clients_slowness() {
    // Six times nine seconds of waiting for the client, and in their middle fifty for the backend; then a seventh nine.
    for (last, status) in [("", 200), ("x", 408)] {
        let mut setup = Setup::new();
        let (ours, mut backend) = tokio::io::duplex(64);
        setup.pool.insert(&setup.upstream, ours);
        let length = 3000 + 6 + last.len();
        let head = upload("PUT", &format!("Content-Length: {length}\r\n"), "");
        say(&mut setup.client, &head).await;
        hear(&mut backend, &head).await;
        let nine = Duration::from_secs(9);
        let mut taken = [0; 3001];
        for piece in [1, 1, 3001, 1, 1, 1] {
            tokio::time::sleep(nine).await;
            say(&mut setup.client, "x".repeat(piece)).await;
            if piece > 1 {
                tokio::time::sleep(Duration::from_secs(50)).await;
            }
            backend.read_exact(&mut taken[..piece]).await.unwrap();
        }
        if last.is_empty() {
            say(&mut backend, OK).await;
        }
        let answer = hear_once(&mut setup.client).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn malformed_answers_are_not_relayed() {
    for (answer, fault) in [
        ("HTTP/1.1 200 OK\nA: b\r\n\r\n", UpstreamFault::Malformed(HeadFault::LineEnd)),
        ("HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\n", UpstreamFault::Malformed(HeadFault::ContentLength)),
        ("HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", UpstreamFault::Malformed(HeadFault::Field)),
        ("SSH-2.0-OpenSSH_9.2\r\n", UpstreamFault::Malformed(HeadFault::Version)),
        ("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", UpstreamFault::Interim),
        ("HTTP/1.1 200 OK\r\n", UpstreamFault::Broke),
    ] {
        let mut setup = Setup::new();
        let mut backend = setup.pooled();
        say(&mut setup.client, upload("POST", "", "")).await;
        hear_once(&mut backend).await;
        say(&mut backend, answer).await;
        backend.shutdown().await.unwrap();
        assert!(hear_once(&mut setup.client).await.starts_with("HTTP/1.1 502 "), "{answer}");
        assert_eq!(setup.pool.counts(&setup.upstream), (0, 0));
        assert_eq!(faults(&setup.finish().await), [fault]);
    }
}

#[tokio::test(start_paused = true)]
async fn interim_answers_are_skipped_up_to_a_limit() {
    for (count, good) in [(MAX_INFORMATIONAL, true), (MAX_INFORMATIONAL + 1, false)] {
        let mut setup = Setup::new();
        let mut backend = setup.pooled();
        say(&mut setup.client, GET).await;
        hear(&mut backend, GET).await;
        let interim = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n".repeat(usize::from(count) - 1);
        say(&mut backend, format!("{interim}{CONTINUE}{OK}")).await;
        let answer = hear_once(&mut setup.client).await;
        assert_eq!(answer == OK, good, "{answer}");
        assert_eq!(faults(&setup.finish().await).is_empty(), good);
    }
}

const WAITING: &str = "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
const WAITING_OUT: &str = "PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";

#[tokio::test(start_paused = true)]
async fn the_backend_gives_leave_for_the_body() {
    let mut setup = Setup::new();
    let mut backend = setup.pooled();
    say(&mut setup.client, WAITING).await;
    hear(&mut backend, WAITING_OUT).await;
    say(&mut backend, CONTINUE).await;
    hear(&mut setup.client, CONTINUE).await;
    say(&mut setup.client, "hello").await;
    hear(&mut backend, "hello").await;
    say(&mut backend, OK).await;
    hear(&mut setup.client, OK).await;
    let log = setup.finish().await;
    assert_eq!(log[0].unwrap().outcome, Outcome::Complete { reuse: true });
}

#[tokio::test(start_paused = true)]
async fn the_backend_answers_instead_of_giving_leave() {
    let mut setup = Setup::new();
    let mut backend = setup.pooled();
    say(&mut setup.client, WAITING).await;
    hear(&mut backend, WAITING_OUT).await;
    say(&mut backend, "HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n").await;
    hear(&mut setup.client, "HTTP/1.1 413 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").await;
    assert_eq!(hear_all(&mut setup.client).await, "");
    assert_eq!(hear_all(&mut backend).await, "", "the connection is not used again: a body is owed on it");
    let log = setup.finish().await;
    assert_eq!(log[0].unwrap().outcome, Outcome::Complete { reuse: false });
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_says_nothing_is_not_waited_for() {
    let mut setup = Setup::new();
    let mut backend = setup.pooled();
    let start = now();
    say(&mut setup.client, WAITING).await;
    hear(&mut setup.client, CONTINUE).await;
    assert_eq!(start.elapsed(), CONTINUE_TIME);
    say(&mut setup.client, "hello").await;
    hear(&mut backend, format!("{WAITING_OUT}hello")).await;
    // A late leave is for nobody.
    say(&mut backend, format!("{CONTINUE}{OK}")).await;
    hear(&mut setup.client, OK).await;
    assert!(setup.finish().await[0].is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_wait_for_leave_needs_none() {
    let mut setup = Setup::new();
    let mut backend = setup.pooled();
    say(&mut setup.client, WAITING).await;
    hear(&mut backend, WAITING_OUT).await;
    say(&mut setup.client, "hello").await;
    hear(&mut backend, "hello").await;
    say(&mut backend, OK).await;
    hear(&mut setup.client, OK).await;
    assert!(setup.finish().await[0].is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_goes_away_is_noticed_while_the_backend_thinks() {
    let mut setup = Setup::new();
    let mut backend = setup.pooled();
    let start = now();
    // The second request is there already: it must not hide that nobody waits any more.
    say(&mut setup.client, format!("{GET}{GET}")).await;
    hear(&mut backend, GET).await;
    assert_eq!(faults(&setup.finish().await), [UpstreamFault::ClientGone]);
    assert_eq!(hear_all(&mut backend).await, "");
    assert!(start.elapsed() < Duration::from_secs(1));
    // In the middle of its body too.
    let mut setup = Setup::new();
    let mut backend = setup.pooled();
    say(&mut setup.client, upload("PUT", "Content-Length: 5\r\n", "hel")).await;
    hear_once(&mut backend).await;
    assert_eq!(faults(&setup.finish().await), [UpstreamFault::ClientGone]);
    assert_eq!(hear_all(&mut backend).await, "");
}

#[tokio::test(start_paused = true)]
async fn bad_bodies_reach_no_backend_whole() {
    let chunked = "Transfer-Encoding: chunked\r\n";
    let mut setup = Setup::new();
    let mut backend = setup.pooled();
    say(&mut setup.client, upload("PUT", chunked, "zz\r\n")).await;
    assert!(hear_once(&mut setup.client).await.starts_with("HTTP/1.1 400 "));
    assert_eq!(setup.pool.counts(&setup.upstream), (1, 1), "nothing was sent: the connection is still good");
    let (mut client, gateway) = setup.another();
    say(&mut client, upload("PUT", chunked, "3\r\nhel\r\n")).await;
    hear(&mut backend, "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n").await;
    say(&mut client, "-3\r\n").await;
    assert!(hear_once(&mut client).await.starts_with("HTTP/1.1 400 "));
    assert_eq!(hear_all(&mut backend).await, "", "no last chunk");
    drop(client);
    assert_eq!(faults(&gateway.await.unwrap()), [UpstreamFault::ClientBody(BodyFault::Malformed)]);
}

#[tokio::test(start_paused = true)]
async fn asvs_120_bodies_have_a_limit_on_both_sides() {
    for (fields, body, good) in [
        ("Content-Length: 5\r\n", "hello", true),
        ("Content-Length: 6\r\n", "hello!", false),
        ("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n", true),
        ("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n", false),
    ] {
        let mut setup = Setup::with_limit(upstream_at(1), 5);
        let mut backend = setup.pooled();
        say(&mut setup.client, upload("PUT", fields, body)).await;
        if good {
            hear_once(&mut backend).await;
            say(&mut backend, OK).await;
            hear(&mut setup.client, OK).await;
        } else {
            assert!(hear_once(&mut setup.client).await.starts_with("HTTP/1.1 413 "));
        }
        assert_eq!(faults(&setup.finish().await).is_empty(), good);
    }
}

/// A certificate authority's client settings, and server settings for `localhost` that it has signed.
fn certificates() -> (Arc<rustls::ClientConfig>, Arc<rustls::ServerConfig>) {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let key = rustls_pki_types::PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let client = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider));
    let client = client
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let server =
        rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let server = server.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
    (Arc::new(client), Arc::new(server))
}

#[tokio::test]
async fn https_backends_are_verified_and_their_connections_reused() {
    let (client, server) = certificates();
    let (listener, port) = listen().await;
    let acceptor = tokio_rustls::TlsAcceptor::from(server);
    let backend = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = acceptor.accept(stream).await.unwrap();
        for _ in 0..2 {
            hear(&mut stream, GET).await;
            say(&mut stream, OK).await;
            stream.flush().await.unwrap();
        }
        // The second connection is for another name, and ends in the handshake.
        let (other, _) = listener.accept().await.unwrap();
        assert!(acceptor.accept(other).await.is_err());
        let _ = stream.read(&mut [0]).await;
    });
    let address = |host: &str| Address::parse(&format!("https://{host}:{port}")).unwrap();
    let mut setup = Setup::before(Upstream::new(0, address("localhost"), &client).unwrap());
    for _ in 0..2 {
        say(&mut setup.client, GET).await;
        hear(&mut setup.client, OK).await;
    }
    assert_eq!(setup.pool.counts(&setup.upstream), (1, 1));
    let wrong = Upstream::new(0, address("127.0.0.1"), &client).unwrap();
    assert_eq!(Connection::open(&wrong).await.err(), Some(UpstreamFault::Unreachable(Unreachable::Tls)));
    setup.finish().await;
    backend.await.unwrap();
}

/// A request that goes out without its body is not held up by it, and nothing that the client sends later reaches the backend.
#[tokio::test(start_paused = true)]
async fn a_body_that_means_nothing_stays_with_the_client() {
    for fields in [
        "Content-Length: 5\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Content-Length: 5\r\nExpect: 100-continue\r\n",
    ] {
        let mut setup = Setup::new();
        let mut backend = setup.pooled();
        say(&mut setup.client, upload("SEARCH", fields, "")).await;
        let heard = hear_once(&mut backend).await;
        assert!(!heard.contains("Content-Length") && !heard.contains("Transfer-Encoding"), "{heard}");
        assert!(heard.ends_with("\r\n\r\n"), "{heard}");
        say(&mut setup.client, "hello").await;
        say(&mut backend, OK).await;
        assert_eq!(hear_once(&mut setup.client).await, OK);
    }
}
