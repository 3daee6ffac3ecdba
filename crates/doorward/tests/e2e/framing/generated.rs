//! Messages that nobody thought of: known ones, changed at random. A second, strict reader is given the same bytes; what
//! the gateway takes, it must take as the second reader does.

use std::collections::HashSet;
use std::time::Duration;

use testkit::backend::Request;

use super::{End, arrived, check_seen, echoing, play};
use crate::common::open_gateway;

/// Messages for each of the two threads.
const MESSAGES: u64 = 2_000;
/// How long one that waits for more is waited for.
const PATIENCE: Duration = Duration::from_millis(150);

const SEEDS: &[&str] = &[
    "GET /api/p HTTP/1.1\r\nHost: @\r\nAccept: */*\r\n\r\n",
    "POST /api/p HTTP/1.1\r\nHost: @\r\nContent-Length: 5\r\n\r\nhello",
    "POST /api/p HTTP/1.1\r\nHost: @\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "PUT /api/p?q=1 HTTP/1.1\r\nHost: @\r\nTransfer-Encoding: chunked\r\nTE: trailers\r\n\r\n3;x=y\r\nabc\r\n0\r\nX: y\r\n\r\n",
    "GET http://@/api/p HTTP/1.1\r\nHost: @\r\nConnection: keep-alive, X-Y\r\nX-Y: z\r\n\r\n",
    "POST /api/p HTTP/1.1\r\nHost: @\r\nContent-Length: 49\r\n\r\n0\r\n\r\nGET /api/smuggled HTTP/1.1\r\nHost: @\r\n\r\n",
    "DELETE /api/p HTTP/1.1\r\nHost: @\r\nContent-Length: 0\r\n\r\nGET /api/second HTTP/1.1\r\nHost: @\r\n\r\n",
];

const PIECES: &[&[u8]] = &[
    b"\r",
    b"\n",
    b"\r\n",
    b"\r\n\r\n",
    b" ",
    b"\t",
    b"\0",
    b"\x0b",
    b"\x7f",
    b"\xa0",
    b"\xff",
    b":",
    b";",
    b",",
    b"0",
    b"5",
    b"f",
    b"+",
    b"-",
    b"#",
    b"?",
    b"/",
    b"%",
    b"chunked",
    b"identity",
    b"Content-Length: 5\r\n",
    b"Content-Length: 0\r\n",
    b"Content-Length: 49\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: chunked, gzip\r\n",
    b"Transfer-Encoding:\r\n",
    b"Host: b\r\n",
    b"Connection: close\r\n",
    b"Connection: Content-Length, Transfer-Encoding, Host\r\n",
    b"0\r\n\r\n",
    b"5\r\nhello\r\n",
    b" HTTP/1.1",
    b"HTTP/1.0",
    b"X: y\r\n z\r\n",
    b"X-A: b\r\n",
    b"X-B:\tc \r\n",
    b"TE: trailers\r\n",
    b"Expect: x\r\n",
    b"a",
    b"a",
    b"1",
    b"-",
    b"_",
    b".",
];

/// A generator that gives the same numbers each time (xorshift64*).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % limit.max(1)
    }
}

/// A changed message for this host.
fn mutate(numbers: &mut Numbers, host: &str) -> Vec<u8> {
    let mut bytes = SEEDS[numbers.below(SEEDS.len())].replace('@', host).into_bytes();
    for _ in 0..=numbers.below(5) / 3 {
        let at = numbers.below(bytes.len() + 1);
        let piece = PIECES[numbers.below(PIECES.len())];
        match numbers.below(5) {
            0 => drop(bytes.drain(at..(at + 1 + numbers.below(4)).min(bytes.len()))),
            1 => drop(bytes.splice(at..(at + piece.len()).min(bytes.len()), piece.iter().copied())),
            2 => {
                // At the beginning of a line, where whole fields fit.
                let line = bytes[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
                drop(bytes.splice(line..line, piece.iter().copied()));
            }
            3 => {
                let copied = bytes[at..(at + numbers.below(40)).min(bytes.len())].to_vec();
                let to = numbers.below(bytes.len() + 1);
                drop(bytes.splice(to..to, copied));
            }
            _ => drop(bytes.splice(at..at, piece.iter().copied())),
        }
    }
    bytes
}

/// What a request is, whoever reads it.
fn essence(requests: &[Request]) -> Vec<(String, String, Vec<u8>)> {
    let of = |request: &Request| {
        // An absolute target is written as a path by the gateway, and a path in its normal form.
        let target = match request.target.split_once("://") {
            Some((_, rest)) => &rest[rest.find('/').unwrap_or(rest.len())..],
            None => &request.target,
        };
        (request.method.clone(), target.to_owned(), request.body.clone())
    };
    requests.iter().map(of).collect()
}

/// Whether the second reader may refuse what the gateway takes: one empty line before a request is allowed
/// (RFC 9112 section 2.2) and unknown to it.
fn is_allowed(complaint: &str) -> bool {
    complaint.contains("a header line without a colon") && complaint.ends_with(" HTTP/1.1\"")
}

fn run(seed: u64) -> (usize, usize) {
    let (backend, second) = (echoing(), echoing());
    let gateway = open_gateway(&[&backend], "");
    let mut numbers = Numbers(seed);
    let (mut taken, mut refused) = (0, 0);
    // Hosts of messages that were given up while the gateway waited for more: what is forwarded of them may come late.
    let mut given_up = HashSet::new();
    for number in 0..MESSAGES {
        let host = format!("h{:05}", number * 7_919 % 99_991);
        let bytes = mutate(&mut numbers, &host);
        let case = format!("seed {seed:#x}, message {number}: {}", bytes.escape_ascii());
        let played = play(gateway.address(), &bytes, &host, PATIENCE);
        let mut seen = arrived(&backend);
        seen.retain(|request| !given_up.contains(request.header("host").unwrap_or_default()));
        check_seen(&case, &played, &seen);
        match played.end {
            End::Marker if played.answers.len() == seen.len() => {
                taken += 1;
                let direct = play(second.address(), &bytes, &host, testkit::PATIENCE);
                let other = arrived(&second);
                if direct.end == End::Marker {
                    assert_eq!(essence(&seen), essence(&other), "{case}");
                } else {
                    let complaint = second.complaints().pop().unwrap_or_default();
                    assert!(
                        is_allowed(&complaint),
                        "the second reader does not take it: {case}: {complaint}"
                    );
                }
            }
            // One of our own answers was among them: there is nothing to compare.
            End::Marker => {}
            End::Closed => refused += 1,
            End::Waits => drop(given_up.insert(host)),
        }
    }
    assert_eq!(backend.complaints(), Vec::<String>::new());
    (taken, refused)
}

#[test]
fn case_36_whatever_is_taken_is_read_as_a_strict_reader_does() {
    let threads =
        [0x9e37_79b9_7f4a_7c15_u64, 0xd1b5_4a32_d192_ed03].map(|seed| std::thread::spawn(move || run(seed)));
    for thread in threads {
        let (taken, refused) = thread.join().unwrap();
        // A generator that is refused always, or never, tests nothing.
        assert!(taken > 100 && refused > 300, "{taken} taken, {refused} refused");
    }
}
