//! The known attacks, one by one, each with its answer.

use testkit::patience::PATIENCE;
use testkit::process::Doorward;
use testkit::raw;

use super::{End, arrived, check, echoing, play};
use crate::common::open_gateway;

/// A gateway with its backend, and the cases that are played at them.
struct Stage {
    backend: testkit::backend::Recorder,
    gateway: Doorward,
}

impl Stage {
    fn new() -> Self {
        let backend = echoing();
        let gateway = open_gateway(&[&backend], "");
        Self { backend, gateway }
    }

    /// Refused with this status, closed, and the backend has seen nothing whole.
    fn refused(&self, status: u16, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        let case = bytes[..bytes.len().min(400)].escape_ascii().to_string();
        let played = play(self.gateway.address(), bytes, "a", PATIENCE);
        let seen = check(&case, &played, &self.backend);
        let answers: Vec<_> = played.answers.iter().map(|answer| answer.status).collect();
        assert_eq!((answers, played.end, seen.len()), (vec![status], End::Closed, 0), "{case}");
        assert_eq!(played.answers[0].header("connection"), Some("close"), "{case}");
    }

    /// Taken as one request with this body, and the next one follows.
    fn taken(&self, body: &str, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        let case = bytes[..bytes.len().min(400)].escape_ascii().to_string();
        let played = play(self.gateway.address(), bytes, "a", PATIENCE);
        let seen = check(&case, &played, &self.backend);
        assert!(played.was_taken(1), "{case}: {played:?}");
        assert_eq!(seen[0].body_text(), body, "{case}");
        let framing =
            seen[0].header_values("content-length").len() + seen[0].header_values("transfer-encoding").len();
        assert!(framing <= 1, "row 90: {}", seen[0].head_text());
    }
}

fn post(fields: &str, body: &str) -> Vec<u8> {
    format!("POST /api/p HTTP/1.1\r\nHost: a\r\n{fields}\r\n{body}").into_bytes()
}

#[test]
fn asvs_89_content_lengths_that_are_none() {
    let stage = Stage::new();
    for value in [
        "+5",
        "-5",
        "0x5",
        "5,5",
        "5, 6",
        "5 5",
        "5;",
        "",
        ",5",
        "5,",
        "5.0",
        "1e1",
        "0b101",
        "\"5\"",
        "5_0",
        "18446744073709551616",
        "18446744073709551621",
        "9223372036854775808",
        "99999999999999999999999999",
        "\u{665}",
        "5\u{b}",
        "\u{a0}5",
        "five",
        "NaN",
        "5\u{0}",
        "5\u{7f}",
        "5\r6",
    ] {
        stage.refused(400, post(&format!("Content-Length: {value}\r\n"), "hello"));
    }
    for fields in [
        "Content-Length: 5\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 5\r\nX: y\r\ncontent-LENGTH: 0\r\n",
        "Content-Length : 5\r\n",
        "Content-Length\t: 5\r\n",
        "Content-Length:\r\n 5\r\n",
        "Content-Length: 5\r\n 6\r\n",
        "Content-Length: 5\n",
        " Content-Length: 5\r\n",
        "Content-\u{0}Length: 5\r\n",
        "Content Length: 5\r\n",
        ": 5\r\n",
        "Content-Length 5\r\n",
    ] {
        stage.refused(400, post(fields, "hello"));
    }
    for fields in [
        "Content-Length: 5\r\n",
        "CONTENT-LENGTH:5\r\n",
        "content-length: \t 5 \t\r\n",
        "Content-Length: 005\r\n",
    ] {
        stage.taken("hello", post(fields, "hello"));
    }
    stage.taken("", post("", ""));
    stage.taken("", post("Content-Length: 0\r\n", ""));
}

#[test]
fn asvs_87_transfer_encoding_beside_content_length_and_in_http_1_0() {
    let stage = Stage::new();
    let chunks = "5\r\nhello\r\n0\r\n\r\n";
    for (first, second) in [
        ("Content-Length: 5", "Transfer-Encoding: chunked"),
        ("Transfer-Encoding: chunked", "Content-Length: 5"),
    ] {
        stage.refused(400, post(&format!("{first}\r\n{second}\r\n"), chunks));
        stage.refused(400, post(&format!("{first}\r\nX: y\r\n{second}\r\n"), chunks));
    }
    for length in ["0", "15", "99999", "x", ""] {
        stage.refused(
            400,
            post(&format!("Transfer-Encoding: chunked\r\nContent-Length: {length}\r\n"), chunks),
        );
    }
    for fields in [
        "Transfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nConnection: keep-alive\r\n",
        "Transfer-Encoding: identity\r\nContent-Length: 5\r\n",
    ] {
        let bytes = format!("POST /api/p HTTP/1.0\r\nHost: a\r\n{fields}\r\n{chunks}");
        stage.refused(400, bytes);
    }
    stage.taken("hello", post("Transfer-Encoding: chunked\r\n", chunks));
    stage.taken("hello", post("TRANSFER-encoding:\tChUnKeD \r\n", chunks));
    // Other names, whatever a backend would make of them, do not reach it.
    for name in
        ["Transfer_Encoding", "Transfer.Encoding", "TransferEncoding", "Transfer-Encoding_", "Content_Length"]
    {
        let bytes = post(&format!("{name}: chunked\r\nContent-Length: 5\r\n"), "hello");
        let played = play(stage.gateway.address(), &bytes, "a", PATIENCE);
        let seen = check(name, &played, &stage.backend);
        assert!(played.was_taken(1) && seen[0].header(name).is_none(), "{name}: {seen:?}");
    }
}

#[test]
fn asvs_88_transfer_codings_that_are_not_chunked_once_and_last() {
    let stage = Stage::new();
    let chunks = "5\r\nhello\r\n0\r\n\r\n";
    for (status, value) in [
        (501, "gzip, chunked"),
        (501, "xchunked"),
        (501, "identity"),
        (501, "chunkedx"),
        (501, "chunked;q=1"),
        (501, "\"chunked\""),
        (501, "chunk"),
        (501, "gzip"),
        (501, "cow"),
        (501, "identity, chunked"),
        (501, "chun\u{212a}ed"),
        (400, "chunked, gzip"),
        (400, "chunked, identity"),
        (400, "chunked, chunked"),
        (400, "chunked,"),
        (400, ",chunked"),
        (400, ""),
        (400, ","),
    ] {
        stage.refused(status, post(&format!("Transfer-Encoding: {value}\r\n"), chunks));
    }
    for fields in [
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding:\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Transfer-Encoding:\r\n chunked\r\n",
        "X: y\r\n Transfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\nX: y\r\n",
    ] {
        stage.refused(400, post(fields, chunks));
    }
}

#[test]
fn asvs_91_chunks_that_are_none() {
    let stage = Stage::new();
    let chunked = |body: &str| post("Transfer-Encoding: chunked\r\n", body);
    let end = "\r\n0\r\n\r\n";
    for size in [
        "ffffffffffffffff1",
        "10000000000000005",
        "00000000000000005",
        "0x5",
        "+5",
        "-5",
        " 5",
        "5 ",
        "\t5",
        "g",
        "",
        "5,",
        "5\u{0}",
        "5\r",
        "5 ;a",
        "5:",
        "5#",
        "\u{665}",
        "5\u{b}",
        "5 5",
    ] {
        stage.refused(400, chunked(&format!("{size}\r\nhello{end}")));
    }
    for body in [
        "5\nhello\n0\n\n",
        "5\r\nhello\n0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
        "5\r\nhelloXX0\r\n\r\n",
        "5\rhello\r0\r\r",
        "5\r\nhello\r\n0\r\n\n",
        "5\r\nhello\r\n0\n\r\n",
        "5;a\nb\r\nhello\r\n0\r\n\r\n",
        "5;a\rb\r\nhello\r\n0\r\n\r\n",
        "5;\u{0}\r\nhello\r\n0\r\n\r\n",
        "4\r\nhello\r\n0\r\n\r\n",
        // Trailers are fields like others (row 92).
        "5\r\nhello\r\n0\r\nX : y\r\n\r\n",
        "5\r\nhello\r\n0\r\nX: y\n\r\n",
        "5\r\nhello\r\n0\r\n X: y\r\n\r\n",
        "5\r\nhello\r\n0\r\nno colon\r\n\r\n",
        "5\r\nhello\r\n0\r\nX: y\r\n z\r\n\r\n",
    ] {
        stage.refused(400, chunked(body));
    }
    let long = "x".repeat(65_536);
    stage.refused(400, chunked(&format!("5;{long}\r\nhello{end}")));
    stage.refused(400, chunked(&format!("5\r\nhello\r\n0\r\nX: {long}\r\n\r\n")));
    let many = "1;aaaaaaaaaaaaaaaa\r\nx\r\n".repeat(1_000);
    stage.refused(400, chunked(&format!("{many}0\r\n\r\n")));
    for body in [
        "5\r\nhello\r\n0\r\n\r\n",
        "0000000000000005\r\nhello\r\n0\r\n\r\n",
        "5;name=value;\"quoted\"\r\nhello\r\n0;x\r\n\r\n",
        "1\r\nh\r\n4\r\nello\r\n000\r\n\r\n",
        "5\r\nhello\r\n0\r\nX-Any: y\r\nX-Other:\r\n\r\n",
    ] {
        stage.taken("hello", chunked(body));
    }
    stage.taken("\r\n\r\n0\r\n\r\n", chunked("9\r\n\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n"));
}

#[test]
fn asvs_79_request_lines_and_fields_that_are_none() {
    let stage = Stage::new();
    for line in [
        "GET  /api/p HTTP/1.1",
        "GET /api/p  HTTP/1.1",
        "GET\t/api/p HTTP/1.1",
        " GET /api/p HTTP/1.1",
        "GET /api/p HTTP/1.1 ",
        "GET /api/p p HTTP/1.1",
        "GET /api/\tp HTTP/1.1",
        "GET /api/p\rHTTP/1.1",
        "GET /api/p",
        "GET /api/p HTTP/1.1\r",
        "GET /api/p http/1.1",
        "GET /api/p HTTP/11",
        "GET /api/p HTTP/1.",
        "GET /api/p XTTP/1.1",
        "GET /api/p\u{0} HTTP/1.1",
        "GET /api/\u{e9} HTTP/1.1",
        "GET /api/p#f HTTP/1.1",
        "GET api/p HTTP/1.1",
        "GET ?x HTTP/1.1",
        "GET * HTTP/1.1",
        "GET http:///api/p HTTP/1.1",
        "GET http://a?/api/p HTTP/1.1",
        "GET http://u@a/api/p HTTP/1.1",
        "GET ftp://a/api/p HTTP/1.1",
        "GET //a/api/p\u{b} HTTP/1.1",
        "HTTP/1.1 200 OK",
        "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}",
    ] {
        stage.refused(400, format!("{line}\r\nHost: a\r\n\r\n"));
    }
    for version in ["HTTP/0.9", "HTTP/1.2", "HTTP/2.0", "HTTP/3.0", "HTTP/9.9"] {
        stage.refused(505, format!("GET /api/p {version}\r\nHost: a\r\n\r\n"));
    }
    stage.refused(505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    // Row 80: a blank before the first field; row 85: one before the colon; row 86: a folded line.
    for fields in [
        " X: y\r\n",
        "\tX: y\r\n",
        "X : y\r\n",
        "X\t: y\r\n",
        "X: y\r\n z\r\n",
        "X: y\r\n\tz\r\n",
        "X: a\rb\r\n",
        "X\rY: a\r\n",
        "X: a\u{0}b\r\n",
        "X: y\n",
        "X: y\n\nGET /api/smuggled HTTP/1.1\r\nHost: a\r\n",
        "(X): y\r\n",
        "X@Y: z\r\n",
        "\u{e9}: y\r\n",
        "X\u{a0}: y\r\n",
        ": y\r\n",
        "X\r\n",
        "X: \u{7f}\r\n",
        "X: \u{1b}[31m\r\n",
        "X: y\r\r\n",
        "X: y\u{b}\r\n",
    ] {
        stage.refused(400, format!("GET /api/p HTTP/1.1\r\nHost: a\r\n{fields}\r\n"));
    }
    stage.refused(400, "GET /api/p HTTP/1.1\r\n Host: a\r\n\r\n");
    stage.refused(400, "\r\n\r\nGET /api/p HTTP/1.1\r\nHost: a\r\n\r\n");
    stage.refused(400, "\nGET /api/p HTTP/1.1\r\nHost: a\r\n\r\n");
    stage.refused(400, "GET /api/p HTTP/1.1\nHost: a\n\n");
    stage.taken("", "\r\nGET /api/p HTTP/1.1\r\nHost: a\r\n\r\n");
    stage.taken("", "GET /api/p HTTP/1.1\r\nHost: a\r\nX:\r\nY: \u{e9}\t~\r\n\r\n");
}

#[test]
fn asvs_81_requests_that_are_too_long() {
    let stage = Stage::new();
    let get = |target: &str, fields: &str| format!("GET {target} HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
    stage.refused(414, get(&format!("/api/{}", "x".repeat(65_536)), ""));
    stage.refused(414, get(&format!("/api/p?{}", "x".repeat(8_192)), ""));
    stage.refused(501, format!("{} /api/p HTTP/1.1\r\nHost: a\r\n\r\n", "X".repeat(65_536)));
    // Case 38: a field of 1 MiB, and 10,000 fields.
    stage.refused(431, get("/api/p", &format!("X: {}\r\n", "x".repeat(1_048_576))));
    stage.refused(431, get("/api/p", &"X: y\r\n".repeat(10_000)));
    stage.refused(431, get("/api/p", &"X: y\r\n".repeat(100)));
    stage.refused(431, get("/api/p", &format!("X: {}\r\n", "x".repeat(32_768))));
    stage.taken("", get("/api/p", &"X: y\r\n".repeat(99)));
    stage.taken("", get("/api/p", &format!("X: {}\r\n", "x".repeat(32_000))));
    stage.taken("", get(&format!("/api/p?{}", "x".repeat(8_000)), ""));
}

#[test]
fn asvs_83_hosts_missing_doubled_and_bad() {
    let stage = Stage::new();
    let get = |fields: &str| format!("GET /api/p HTTP/1.1\r\n{fields}\r\n");
    for fields in [
        "",
        "Host: a\r\nHost: a\r\n",
        "Host: a\r\nX: y\r\nhOsT: b\r\n",
        "Host:\r\n",
        "Host: a b\r\n",
        "Host: a,b\r\n",
        "Host: a/b\r\n",
        "Host: u@a\r\n",
        "Host: a:0\r\n",
        "Host: a:99999\r\n",
        "Host: a:b\r\n",
        "Host: [::1\r\n",
        "Host: ::1\r\n",
        "Host: a\u{e9}\r\n",
        "Host: a%00\r\n",
        "Host: .\r\n",
        "Host: a#b\r\n",
        "Host: a?b\r\n",
        "Host: \"a\"\r\n",
        "Host : a\r\n",
        "Host: [a]\r\n",
    ] {
        stage.refused(400, get(fields));
    }
    stage.refused(400, get(&format!("Host: {}\r\n", "a".repeat(260))));
}

#[test]
fn asvs_84_the_targets_own_authority_is_the_host() {
    let stage = Stage::new();
    let address = stage.gateway.address();
    let absolute = "GET http://a.test:81/api/p HTTP/1.1\r\nHost: b.test\r\nX-Forwarded-Host: c.test\r\n\r\n";
    assert_eq!(raw::once(address, absolute).status, 200);
    let seen = arrived(&stage.backend).remove(0);
    assert!(
        seen.head_text().starts_with("GET /api/p HTTP/1.1\r\nHost: a.test:81\r\n"),
        "{}",
        seen.head_text()
    );
    assert_eq!(seen.header("x-forwarded-host"), Some("a.test:81"));
    for host in ["", "Host: b\r\nHost: c\r\n", "Host: b c\r\n"] {
        stage.refused(400, format!("GET http://a.test/api/p HTTP/1.1\r\n{host}\r\n"));
    }
}

#[test]
fn asvs_90_exactly_one_framing_field_is_forwarded() {
    let stage = Stage::new();
    let chunks = "5\r\nhello\r\n0\r\n\r\n";
    for (fields, body, length, coding) in [
        ("", "", None, None),
        ("content-length:  5\r\n", "hello", Some("5"), None),
        ("CONTENT-LENGTH: 0005\r\n", "hello", Some("5"), None),
        ("Transfer-Encoding: CHUNKED\r\n", chunks, None, Some("chunked")),
        ("Content-Length: 5\r\nConnection: Content-Length\r\n", "hello", Some("5"), None),
        ("Transfer-Encoding: chunked\r\nConnection: Transfer-Encoding\r\n", chunks, None, Some("chunked")),
    ] {
        assert_eq!(raw::once(stage.gateway.address(), post(fields, body)).status, 200, "{fields}");
        let seen = arrived(&stage.backend).remove(0);
        let framing = (seen.header("content-length"), seen.header("transfer-encoding"));
        assert_eq!(framing, (length, coding), "{fields}");
    }
}

/// The mutations of the tool "smuggler", with every control byte and a few others at each of its places.
#[test]
fn case_36_transfer_encoding_in_a_thousand_disguises() {
    let stage = Stage::new();
    let odd: Vec<u8> = (0..=0x20).chain([0x22, 0x2c, 0x3b, 0x5c, 0x7f, 0x80, 0xa0, 0xad, 0xff]).collect();
    let smuggled = "0\r\n\r\nGET /api/smuggled HTTP/1.1\r\nHost: a\r\nX: ";
    let mut cases = 0;
    for byte in odd {
        for place in [
            "Transfer-Encoding:@chunked",
            "Transfer-Encoding@: chunked",
            "@Transfer-Encoding: chunked",
            "Transfer-Encoding: chunked@",
            "X: X@Transfer-Encoding: chunked",
            "Transfer-Encoding: chunked@X: X",
            "X: X\r@Transfer-Encoding: chunked",
            "X: X@\nTransfer-Encoding: chunked",
            "Transfer-Encoding: chunked\r@X: X",
            "Transfer-Encoding: chunked@\nX: X",
            "Transfer@Encoding: chunked",
            "Transfer-Encoding: ch@unked",
            "Transfer-Encoding: @\r\n chunked",
        ] {
            for length in [true, false] {
                let mut bytes = b"POST /api/p HTTP/1.1\r\nHost: a\r\n".to_vec();
                bytes.extend(place.bytes().flat_map(|own| if own == b'@' { vec![byte] } else { vec![own] }));
                bytes.extend_from_slice(b"\r\n");
                if length {
                    bytes.extend(format!("Content-Length: {}\r\n", smuggled.len()).bytes());
                }
                bytes.extend_from_slice(b"\r\n");
                bytes.extend(if length { smuggled.as_bytes() } else { b"5\r\nhello\r\n0\r\n\r\n" });
                let case = bytes.escape_ascii().to_string();
                let played = play(stage.gateway.address(), &bytes, "a", PATIENCE);
                let seen = check(&case, &played, &stage.backend);
                assert!(seen.iter().all(|request| request.target != "/api/smuggled"), "{case}");
                if let (true, Some(first)) = (length, seen.first()) {
                    assert_eq!(first.body_text(), smuggled, "{case}");
                }
                cases += 1;
            }
        }
    }
    assert!(cases > 1_000, "{cases}");
}
