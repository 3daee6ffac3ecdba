//! For the tests of this folder: a gateway without a way, and backends whose every byte the test decides.

use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::relay::Relayed;
use super::*;
use crate::h1::{BodyFault, Client, Io, Known, Limits};

/// What became of each request: what was relayed, or why nothing was.
pub(super) type Log = Vec<Result<Relayed, UpstreamFault>>;

/// A gateway with one client and one backend.
pub(super) struct Setup {
    pub(super) pool: Pool,
    pub(super) upstream: Arc<Upstream>,
    /// The client's end of its connection.
    pub(super) client: DuplexStream,
    pub(super) gateway: JoinHandle<Log>,
    /// What is put into the gateway's forwards.
    body_limit: u64,
}

/// Which requests the test gateway takes for idempotent.
fn idempotent(method: &[u8]) -> bool {
    method != b"POST"
}

/// The status code of the answer; `None` when nobody is left to answer.
fn status(fault: UpstreamFault) -> Option<u16> {
    match fault {
        UpstreamFault::Unreachable(_)
        | UpstreamFault::Malformed(_)
        | UpstreamFault::Interim
        | UpstreamFault::Broke => Some(502),
        UpstreamFault::Saturated => Some(503),
        UpstreamFault::TooSlow => Some(504),
        UpstreamFault::ClientBody(BodyFault::TooLarge) => Some(413),
        UpstreamFault::ClientBody(BodyFault::Timeout) => Some(408),
        UpstreamFault::ClientBody(BodyFault::Malformed) => Some(400),
        UpstreamFault::ClientBody(BodyFault::Gone) | UpstreamFault::ClientGone => None,
    }
}

fn may_pass(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"x-sum")
}

/// A backend at this port, as the settings would have it.
pub(super) fn upstream_at(port: u16) -> Upstream {
    Upstream::plain(0, Address::parse(&format!("http://127.0.0.1:{port}")).unwrap())
}

impl Setup {
    /// The gateway in front of a backend that cannot be connected to: port 1 is nobody's.
    pub(super) fn new() -> Self {
        Self::before(upstream_at(1))
    }

    pub(super) fn before(upstream: Upstream) -> Self {
        Self::with_limit(upstream, u64::MAX)
    }

    pub(super) fn with_limit(upstream: Upstream, body_limit: u64) -> Self {
        let (pool, upstream) = (Pool::default(), Arc::new(upstream));
        let (ours, client) = tokio::io::duplex(256 * 1024);
        let gateway = tokio::spawn(serve(ours.into(), pool.clone(), Arc::clone(&upstream), body_limit));
        Self { pool, upstream, client, gateway, body_limit }
    }

    /// Another client of the same gateway.
    pub(super) fn another(&self) -> (DuplexStream, JoinHandle<Log>) {
        let (ours, client) = tokio::io::duplex(256 * 1024);
        let serving = serve(ours.into(), self.pool.clone(), Arc::clone(&self.upstream), self.body_limit);
        (client, tokio::spawn(serving))
    }

    /// A client of the same gateway on a real socket.
    pub(super) fn on(&self, stream: tokio::net::TcpStream) -> JoinHandle<Log> {
        tokio::spawn(serve(stream.into(), self.pool.clone(), Arc::clone(&self.upstream), self.body_limit))
    }

    /// An idle connection in the gateway's pool; the backend's end of it.
    pub(super) fn pooled(&self) -> DuplexStream {
        let (ours, backend) = tokio::io::duplex(256 * 1024);
        self.pool.insert(&self.upstream, ours);
        backend
    }

    /// Closes the client's connection and waits for the gateway's account.
    pub(super) async fn finish(self) -> Log {
        drop(self.client);
        self.gateway.await.unwrap()
    }
}

/// The least that a way does.
async fn serve(io: Io, pool: Pool, upstream: Arc<Upstream>, body_limit: u64) -> Log {
    let mut client = Client::new(io, Limits::default());
    let mut log = Log::new();
    while let Ok(Some((head, mut body))) = client.next().await {
        let mut text = [head.method(), b" ", head.path_and_query(), b" HTTP/1.1\r\n"].concat();
        copy_fields(head.fields(), &mut text);
        let forward = Forward {
            head: &text,
            idempotent: idempotent(head.method()),
            head_request: head.method() == b"HEAD",
            binds_connection: false,
            body_limit,
            bodiless: head.method() == b"SEARCH",
            trailers: &may_pass,
        };
        match exchange(&mut client, &mut body, &pool, &upstream, forward).await {
            Ok(answered) => {
                let mut text = client.scratch();
                text.extend_from_slice(format!("HTTP/1.1 {} ", answered.head().status()).as_bytes());
                text.extend_from_slice(answered.head().reason());
                text.extend_from_slice(b"\r\n");
                copy_fields(answered.head().fields(), &mut text);
                let relayed = relay(&mut client, answered, body, text).await;
                log.push(Ok(relayed));
                if relayed.outcome != (Outcome::Complete { reuse: true }) {
                    break;
                }
            }
            Err(fault) => {
                log.push(Err(fault));
                client.close();
                if let Some(status) = status(fault) {
                    let text =
                        format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                    let _ = client.write(text.as_bytes()).await;
                }
                break;
            }
        }
    }
    client.linger().await;
    log
}

fn copy_fields<'a>(fields: impl Iterator<Item = crate::h1::FieldRef<'a>>, out: &mut Vec<u8>) {
    for field in fields {
        if !matches!(field.known, Known::ContentLength | Known::TransferEncoding | Known::Connection) {
            out.extend_from_slice(&[field.name, b": ", field.value, b"\r\n"].concat());
        }
    }
}

/// Writes all of `text`.
pub(super) async fn say(stream: &mut (impl tokio::io::AsyncWrite + Unpin), text: impl AsRef<[u8]>) {
    stream.write_all(text.as_ref()).await.unwrap();
}

/// Reads exactly `expected`, or fails showing what came instead.
pub(super) async fn hear(stream: &mut (impl tokio::io::AsyncRead + Unpin), expected: impl AsRef<str>) {
    let expected = expected.as_ref();
    let mut got = Vec::new();
    while got.len() < expected.len() {
        let mut bytes = vec![0; expected.len() - got.len()];
        let count = stream.read(&mut bytes).await.unwrap();
        got.extend_from_slice(&bytes[..count]);
        assert!(
            count > 0 && expected.as_bytes().starts_with(&got),
            "expected {expected:?}, got {:?}",
            String::from_utf8_lossy(&got)
        );
    }
}

/// Reads what one call gives: shows what went out in one write.
pub(super) async fn hear_once(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> String {
    let mut bytes = vec![0; 64 * 1024];
    let count = stream.read(&mut bytes).await.unwrap();
    String::from_utf8(bytes[..count].to_vec()).unwrap()
}

/// Reads to the end.
pub(super) async fn hear_all(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> String {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    String::from_utf8(bytes).unwrap()
}

/// A listener on a free port of this machine.
pub(super) async fn listen() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}
