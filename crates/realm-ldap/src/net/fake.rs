//! A server that says whatever a test wants it to, byte by byte.
//!
//! Called by the tests of `net` and of the realm. Must never be part of a build that ships.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// One element, its length in as few bytes as there can be.
pub(crate) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let digits = length.to_be_bytes();
    let digits = &digits[digits.iter().position(|digit| *digit != 0).unwrap_or(digits.len())..];
    let mut bytes = vec![tag];
    match u8::try_from(length) {
        Ok(length @ 0..=0x7f) => bytes.push(length),
        _ => {
            bytes.push(0x80 | u8::try_from(digits.len()).unwrap());
            bytes.extend(digits);
        }
    }
    bytes.extend(content);
    bytes
}

/// A message with these members.
pub(crate) fn message(members: &[u8]) -> Vec<u8> {
    element(0x30, members)
}

fn answer(number: u16, tag: u8, content: &[u8]) -> Vec<u8> {
    message(&[element(2, &number.to_be_bytes()), element(tag, content)].concat())
}

/// The answer to a bind.
pub(crate) fn bind_answer(number: u16, code: u8) -> Vec<u8> {
    answer(number, 0x61, &[0x0a, 1, code, 4, 0, 4, 0])
}

/// The end of a search.
pub(crate) fn end_of_search(number: u16, code: u8) -> Vec<u8> {
    answer(number, 0x65, &[0x0a, 1, code, 4, 0, 4, 0])
}

/// The end of a page, and where the next one begins.
pub(crate) fn end_of_page(number: u16, cookie: &[u8]) -> Vec<u8> {
    let page = element(0x30, &[element(2, &[0]), element(4, cookie)].concat());
    let control = element(0x30, &[element(4, b"1.2.840.113556.1.4.319"), element(4, &page)].concat());
    let done = element(0x65, &[0x0a, 1, 0, 4, 0, 4, 0]);
    message(&[element(2, &number.to_be_bytes()), done, element(0xa0, &control)].concat())
}

/// An entry that a search found.
pub(crate) fn entry(number: u16, name: &str, attributes: &[(&str, &[&[u8]])]) -> Vec<u8> {
    let attributes: Vec<u8> = attributes
        .iter()
        .flat_map(|(description, values)| {
            let values: Vec<u8> = values.iter().flat_map(|value| element(4, value)).collect();
            element(0x30, &[element(4, description.as_bytes()), element(0x31, &values)].concat())
        })
        .collect();
    answer(number, 0x64, &[element(4, name.as_bytes()), element(0x30, &attributes)].concat())
}

/// The answer to a bind with sequences in sequences, the message itself being the first of so many levels.
pub(crate) fn nested(number: u16, levels: usize) -> Vec<u8> {
    // From the inside out, with lengths of four digits, so that it is done in one pass.
    const HEADER: usize = 6;
    let sequences = levels - 2;
    let mut content = Vec::with_capacity(sequences * HEADER);
    for inner in (0..sequences).rev() {
        content.extend([0x30, 0x84]);
        content.extend(u32::try_from(inner * HEADER).unwrap().to_be_bytes());
    }
    answer(number, 0x61, &content)
}

/// A server on a port of its own. It hangs up when the value is dropped.
pub(crate) struct FakeServer {
    pub(crate) port: u16,
    requests: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

/// What a fake server answers to a request with this number: these bytes, and whether it hangs up then.
pub(crate) type Script = dyn Fn(u16, Asked) -> (Vec<u8>, bool) + Send + Sync;

/// What it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Bind,
    Search,
    /// Whether an entry is there.
    Easy,
}

impl FakeServer {
    /// Answers each request as the script says.
    pub(crate) async fn start(
        script: impl Fn(u16, Asked) -> (Vec<u8>, bool) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(AtomicUsize::new(0));
        let (script, count): (Arc<Script>, _) = (Arc::new(script), Arc::clone(&requests));
        let task = tokio::spawn(async move {
            let mut clients = tokio::task::JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                clients.spawn(serve(client, Arc::clone(&script), Arc::clone(&count)));
            }
        });
        Self { port, requests, task }
    }

    /// Requests so far.
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }
}

impl Drop for FakeServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut client: tokio::net::TcpStream, script: Arc<Script>, count: Arc<AtomicUsize>) {
    while let Some((number, asked)) = request(&mut client).await {
        count.fetch_add(1, Ordering::Relaxed);
        let (said, is_last) = script(number, asked);
        if client.write_all(&said).await.is_err() {
            return;
        }
        if is_last {
            let _gone = client.shutdown().await;
            return;
        }
    }
}

/// The next request of ldap3's, whose numbers are small and whose lengths are as short as can be.
async fn request(client: &mut (impl AsyncReadExt + Unpin)) -> Option<(u16, Asked)> {
    let 0x30 = client.read_u8().await.ok()? else { return None };
    let mut length = usize::from(client.read_u8().await.ok()?);
    if length > 0x80 {
        let digits = length & 0x7f;
        length = 0;
        for _ in 0..digits {
            length = length << 8 | usize::from(client.read_u8().await.ok()?);
        }
    }
    let mut request = vec![0; length];
    client.read_exact(&mut request).await.ok()?;
    match request[..] {
        [2, 1, low, ref operation @ ..] => Some((u16::from(low), asked(operation)?)),
        [2, 2, high, low, ref operation @ ..] => Some((u16::from_be_bytes([high, low]), asked(operation)?)),
        _ => None,
    }
}

fn asked(operation: &[u8]) -> Option<Asked> {
    match *operation {
        [0x60, ..] => Some(Asked::Bind),
        // For no attributes, which come last.
        [0x63, .., 4, 3, b'1', b'.', b'1'] => Some(Asked::Easy),
        [0x63, ..] => Some(Asked::Search),
        _ => None,
    }
}
