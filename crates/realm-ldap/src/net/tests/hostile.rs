//! Servers that say what no server says: that is "could not ask", the process lives on, and the next one is asked.

use std::io::ErrorKind;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::*;
use crate::net::fake::{Asked, FakeServer, bind_answer, element, end_of_search, entry, message, nested};
use crate::net::inspection::MAX_MESSAGE_BYTES;
use crate::net::relay::{Line, relay};

const ALICE: &str = "uid=alice,ou=people,dc=example,dc=org";
/// So many levels overflow a worker's stack, six times over: 600 KB.
const MANY_LEVELS: usize = 100_000;

/// Answers binds as a server does, and searches with these bytes.
async fn to_searches(say: impl Fn(u16) -> Vec<u8> + Send + Sync + 'static) -> FakeServer {
    let script = move |number, asked| match asked {
        Asked::Bind => (bind_answer(number, 0), false),
        Asked::Search => (say(number), false),
        Asked::Easy => (end_of_search(number, 0), false),
    };
    FakeServer::start(script).await
}

/// Answers binds with these bytes.
async fn to_binds(say: impl Fn(u16) -> Vec<u8> + Send + Sync + 'static, hangs_up: bool) -> FakeServer {
    FakeServer::start(move |number, _| (say(number), hangs_up)).await
}

async fn refused_bind(server: &FakeServer) -> String {
    let connection = connection(server.port).await;
    let refused = connection.bind(ALICE, "secret", LIMIT).await.unwrap_err();
    until(|| connection.has_ended()).await;
    refused.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_nested_without_end_ends_the_connection_and_nothing_else() {
    let (hostile, good) = (to_binds(|number| nested(number, MANY_LEVELS), false).await, slapd());
    assert!(refused_bind(&hostile).await.contains("nested more than 12 levels"));
    let network = network_of(&[hostile.port, good.port()], &Arc::new(FixedClock::new()));
    for _ in 0..2 {
        let (bound, answer) = network.bind(&Slapd::user_dn("alice"), "secret").await.unwrap();
        assert_eq!(answer.rc, 0);
        bound.release();
        use_it(&network).await;
    }
    let asked = hostile.requests();
    use_it(&network).await;
    assert_eq!(hostile.requests(), asked, "it is left alone");
    let alone = network_of(&[hostile.port], &Arc::new(FixedClock::new()));
    let why = alone.bind(&Slapd::user_dn("alice"), "secret").await.err().unwrap().0;
    assert!(
        why.contains(&format!("127.0.0.1:{}: the server sent a message that is nested", hostile.port)),
        "{why}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn so_does_one_to_a_search() {
    let hostile =
        to_searches(|number| [entry(number, ALICE, &[]), nested(number, MANY_LEVELS)].concat()).await;
    let connection = connection(hostile.port).await;
    let refused = connection.search(for_alice(), LIMIT).await.unwrap_err();
    assert!(refused.to_string().contains("nested") && refused.is_of_server() && !refused.is_broken());
    until(|| connection.has_ended()).await;
}

fn entry_of(number: u16, bytes: usize) -> Vec<u8> {
    let around = entry(number, ALICE, &[("uid", &[&vec![b'x'; bytes - 100]])]).len() - (bytes - 100);
    let found = entry(number, ALICE, &[("uid", &[&vec![b'x'; bytes - around]])]);
    assert_eq!(found.len(), bytes);
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_the_maximum_size_is_read_and_one_byte_more_is_not() {
    let bytes = Arc::new(AtomicUsize::new(MAX_MESSAGE_BYTES));
    let asked = Arc::clone(&bytes);
    let server = to_searches(move |number| {
        [entry_of(number, asked.load(Ordering::Relaxed)), end_of_search(number, 0)].concat()
    })
    .await;
    let connection = connection(server.port).await;
    let found = connection.search(for_alice(), LIMIT).await.unwrap();
    assert!(found.entries[0].first("uid").unwrap().len() > MAX_MESSAGE_BYTES - 100);
    bytes.store(MAX_MESSAGE_BYTES + 1, Ordering::Relaxed);
    let refused = connection.search(for_alice(), LIMIT).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        format!("the server sent a message of more than {MAX_MESSAGE_BYTES} bytes")
    );
    until(|| connection.has_ended()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_is_too_large_keeps_nobody_else_out() {
    let is_large = Arc::new(AtomicUsize::new(0));
    let asked = Arc::clone(&is_large);
    let server = to_searches(move |number| match asked.load(Ordering::Relaxed) {
        0 => [entry(number, ALICE, &[("uid", &[b"alice"])]), end_of_search(number, 0)].concat(),
        _ => entry_of(number, MAX_MESSAGE_BYTES + 1),
    })
    .await;
    let network = network_of(&[server.port], &Arc::new(FixedClock::new()));
    for _ in 0..3 {
        assert_eq!(network.search(for_alice()).await.unwrap().entries.len(), 1);
        is_large.store(1, Ordering::Relaxed);
        let why = network.search(for_alice()).await.unwrap_err().why.0;
        assert!(why.contains("more than 8388608 bytes"), "{why}");
        is_large.store(0, Ordering::Relaxed);
    }
    assert_eq!(network.search(for_alice()).await.unwrap().entries.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_is_no_answer() {
    for garbage in [&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], b"\x30\x80\x02\x01\x01", &[0xff; 64], &[0; 1]] {
        let server = to_binds(|_| garbage.to_vec(), false).await;
        assert!(refused_bind(&server).await.starts_with("the server sent what is no LDAP message"));
    }
    // What ldap3 itself cannot read, and panics over: a text that is none.
    let server = to_binds(
        |number| {
            message(
                &[element(2, &number.to_be_bytes()), element(0x61, b"\x0a\x01\0\x04\x01\xff\x04\0")].concat(),
            )
        },
        false,
    )
    .await;
    let connection = connection(server.port).await;
    let bind = tokio::spawn(async move { connection.bind(ALICE, "secret", LIMIT).await });
    assert!(!matches!(bind.await, Ok(Ok(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_message_and_then_nothing_is_a_time_out() {
    let server = to_binds(|number| bind_answer(number, 0)[..9].to_vec(), false).await;
    let short = Duration::from_millis(50);
    let connection = connection(server.port).await;
    let refused = connection.bind(ALICE, "secret", short).await.unwrap_err();
    assert_eq!(refused.to_string(), "no answer to a bind within 50ms");
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_message_and_then_the_end_is_the_end() {
    let server = to_binds(|number| bind_answer(number, 0)[..9].to_vec(), true).await;
    assert_eq!(refused_bind(&server).await, "the connection ended before the answer came");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_heard_although_the_server_hangs_up_behind_it() {
    let server = to_binds(|number| bind_answer(number, 49), true).await;
    for _ in 0..50 {
        let connection = connection(server.port).await;
        assert_eq!(connection.bind(ALICE, "secret", LIMIT).await.unwrap().rc, 49);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_nobody_waits_for_change_nothing() {
    let many = |number: u16| {
        let unknown: Vec<u8> = (0..50_000).flat_map(|_| bind_answer(number ^ 0x4000, 0)).collect();
        [unknown, entry(number ^ 0x2000, "uid=mallory", &[]), bind_answer(number, 49)].concat()
    };
    let server = to_binds(many, false).await;
    let connection = connection(server.port).await;
    assert_eq!(connection.bind(ALICE, "secret", LIMIT).await.unwrap().rc, 49);
}

#[tokio::test]
async fn who_speaks_unasked_is_hung_up_on() {
    let answer = bind_answer(1, 0);
    for is_asked in [true, false] {
        let line = Line::default();
        let asking = is_asked.then(|| line.ask());
        let (ours, mut server) = tokio::io::duplex(1_024);
        let (reader, mut speaker) = UnixStream::pair().unwrap();
        let said = async {
            server.write_all(&answer).await.unwrap();
            let mut heard = Vec::new();
            if is_asked {
                heard.resize(answer.len(), 0);
                speaker.read_exact(&mut heard).await.unwrap();
                server.shutdown().await.unwrap();
            }
            // To its end.
            speaker.read_to_end(&mut heard).await.unwrap();
            heard
        };
        let ((), heard) = tokio::join!(relay(ours, reader, &line), said);
        assert_eq!(heard, if is_asked { answer.clone() } else { Vec::new() });
        assert_eq!(line.fault(), None);
        drop(asking);
    }
}

#[tokio::test]
async fn nothing_of_a_piece_with_a_fault_is_passed_on() {
    let line = Line::default();
    let _asking = line.ask();
    let (ours, mut server) = tokio::io::duplex(64 * 1024);
    let (reader, mut speaker) = UnixStream::pair().unwrap();
    server.write_all(&[bind_answer(1, 0), nested(1, 13)].concat()).await.unwrap();
    relay(ours, reader, &line).await;
    assert!(line.fault().unwrap().to_string().contains("nested"));
    assert_eq!(speaker.read(&mut [0; 1]).await.unwrap(), 0);
    assert_eq!(server.write(&[0; 1]).await.unwrap_err().kind(), ErrorKind::BrokenPipe, "both are closed");
}

#[tokio::test]
async fn requests_are_passed_on_whole_and_in_order() {
    let line = Line::default();
    let (ours, mut server) = tokio::io::duplex(100);
    let (reader, mut speaker) = UnixStream::pair().unwrap();
    let request: Vec<u8> = (0..=255).cycle().take(10_000).collect();
    let asked = async {
        speaker.write_all(&request).await.unwrap();
        speaker.shutdown().await.unwrap();
    };
    let mut heard = Vec::new();
    let heard_all = server.read_to_end(&mut heard);
    let ((), (), length) = tokio::join!(relay(ours, reader, &line), asked, heard_all);
    assert_eq!((length.unwrap(), heard), (request.len(), request));
}
