//! Tests of the request parser: what is accepted, and each rule of strictness with the answer it gets.

use proptest::prelude::*;

use super::*;

fn take(text: impl AsRef<[u8]>) -> Result<Option<RequestHead>, HeadFault> {
    take_request(&mut BytesMut::from(text.as_ref()))
}

fn head(text: impl AsRef<[u8]>) -> RequestHead {
    match take(&text) {
        Ok(Some(head)) => head,
        Ok(None) => panic!("incomplete: {}", text.as_ref().escape_ascii()),
        Err(fault) => panic!("{fault}: {}", text.as_ref().escape_ascii()),
    }
}

fn fault(text: impl AsRef<[u8]>) -> HeadFault {
    match take(&text) {
        Err(fault) => fault,
        Ok(Some(_)) => panic!("accepted: {}", text.as_ref().escape_ascii()),
        Ok(None) => panic!("incomplete: {}", text.as_ref().escape_ascii()),
    }
}

/// A head with this request line and these fields after Host.
fn with(line: &str, fields: &str) -> String {
    format!("{line}\r\nHost: a\r\n{fields}\r\n")
}

#[test]
fn a_usual_request_is_read() {
    let text = b"GET /a?b=c HTTP/1.1\r\nHost: example.com:8764\r\nX-Y:  z \t\r\nEmpty:\r\nCookie: a=b\r\ncookie: c=d\r\n\r\nGET /n";
    let mut buffer = BytesMut::from(&text[..]);
    let head = take_request(&mut buffer).unwrap().unwrap();
    assert_eq!((head.method(), head.target()), (&b"GET"[..], &b"/a?b=c"[..]));
    assert_eq!(head.path_and_query(), b"/a?b=c");
    assert_eq!(head.authority(), Some(&b"example.com:8764"[..]));
    assert!(head.version_1_1() && head.keep_alive() && !head.expects_continue());
    assert_eq!(head.framing(), Framing::Undeclared);
    let fields: Vec<_> = head.fields().map(|field| (field.known, field.name, field.value)).collect();
    assert_eq!(fields[1], (Known::Other, &b"X-Y"[..], &b"z"[..]));
    assert_eq!(fields[2], (Known::Other, &b"Empty"[..], &b""[..]));
    assert_eq!(head.values(Known::Cookie).collect::<Vec<_>>(), [b"a=b", b"c=d"]);
    assert_eq!(head.sole(Known::Cookie), Err(Repeated));
    assert_eq!(head.sole(Known::Host), Ok(Some(&b"example.com:8764"[..])));
    assert_eq!(head.sole(Known::Authorization), Ok(None));
    assert_eq!(&buffer[..], b"GET /n");
}

#[test]
fn a_head_in_pieces_needs_more_at_every_cut() {
    let text = with("POST /x HTTP/1.1", "Content-Length: 3\r\n");
    for cut in 0..text.len() {
        assert!(take(&text[..cut]).unwrap().is_none(), "{cut}");
    }
    assert_eq!(head(&text).framing(), Framing::Length(3));
}

#[test]
fn asvs_79_every_line_ends_with_cr_lf_and_a_bare_cr_is_nowhere() {
    let text = with("GET /x HTTP/1.1", "A: b\r\nC:\r\n");
    for (at, _) in text.match_indices("\r\n") {
        let bare = [&text[..at], &text[at + 1..]].concat();
        assert_eq!(take(&bare).err().map(HeadFault::status), Some(400), "bare LF at {at}");
        let doubled = [&text[..at], "\r", &text[at..]].concat();
        assert_eq!(take(&doubled).err().map(HeadFault::status), Some(400), "two CR at {at}");
    }
    for at in 0..text.len() - 4 {
        for bad in ["\r", "\n", "\0"] {
            // The answer is 400, or 501 within the method; what never happens is that it is accepted.
            let text = [&text[..at], bad, &text[at..]].concat();
            assert!(take(&text).is_err(), "{bad:?} at {at}");
        }
    }
}

#[test]
fn one_empty_line_before_the_request_is_tolerated_and_two_are_not() {
    assert!(take("\r\n").unwrap().is_none());
    assert!(take("\r").unwrap().is_none());
    assert_eq!(head(format!("\r\n{}", with("GET / HTTP/1.1", ""))).target(), b"/");
    assert_eq!(fault("\r\n\r\n"), HeadFault::LineEnd);
    assert_eq!(fault(format!("\r\n\r\n{}", with("GET / HTTP/1.1", ""))), HeadFault::LineEnd);
    assert_eq!(fault(format!("\n{}", with("GET / HTTP/1.1", ""))), HeadFault::LineEnd);
}

#[test]
fn asvs_80_85_86_odd_field_lines_are_refused() {
    for fields in [
        " Leading: space\r\n",
        "\tA: b\r\n",
        "A : b\r\n",
        "A\t: b\r\n",
        "A: b\r\n folded\r\n",
        "A: b\r\n\tfolded\r\n",
        ": b\r\n",
        "A\r\n",
        "A b: c\r\n",
        "\u{e4}: b\r\n",
        "A: b\x7f\r\n",
        "A: \x1b[1m\r\n",
        "A: b\0\r\n",
        "(A): b\r\n",
    ] {
        assert_eq!(fault(with("GET / HTTP/1.1", fields)), HeadFault::Field, "{fields:?}");
    }
    assert_eq!(fault("GET / HTTP/1.1\r\n Host: a\r\n\r\n"), HeadFault::Field);
    assert_eq!(head(b"GET / HTTP/1.1\r\nHost: a\r\nA: \xff\xfe\tb\r\n\r\n").fields().count(), 2);
}

#[test]
fn asvs_81_limits_of_method_and_target_hold_on_both_sides() {
    assert_eq!(head(with(&format!("{} / HTTP/1.1", "M".repeat(MAX_METHOD)), "")).method().len(), MAX_METHOD);
    assert_eq!(fault(with(&format!("{} / HTTP/1.1", "M".repeat(MAX_METHOD + 1)), "")), HeadFault::Method);
    assert_eq!(fault("M".repeat(MAX_METHOD + 1)), HeadFault::Method);
    assert!(take("M".repeat(MAX_METHOD)).unwrap().is_none());
    let target = |length: usize| format!("/{}", "a".repeat(length - 1));
    assert_eq!(head(with(&format!("GET {} HTTP/1.1", target(MAX_TARGET)), "")).target().len(), MAX_TARGET);
    assert_eq!(
        fault(with(&format!("GET {} HTTP/1.1", target(MAX_TARGET + 1)), "")),
        HeadFault::TargetTooLong
    );
    assert_eq!(fault(format!("GET {}", target(MAX_TARGET + 1))), HeadFault::TargetTooLong);
    assert!(take(format!("GET {}", target(MAX_TARGET))).unwrap().is_none());
    assert_eq!(fault(with(&format!("GET {} HTTP/1.1", target(64 * 1024)), "")).status(), 414);
}

#[test]
fn case_38_limits_of_the_head_hold_on_both_sides() {
    let fields = |count: usize| "A: b\r\n".repeat(count);
    assert_eq!(head(with("GET / HTTP/1.1", &fields(MAX_FIELDS - 1))).fields().count(), MAX_FIELDS);
    assert_eq!(fault(with("GET / HTTP/1.1", &fields(MAX_FIELDS))), HeadFault::TooManyFields);
    let sized = |length: usize| {
        let frame = with("GET / HTTP/1.1", "A: \r\n").len();
        with("GET / HTTP/1.1", &format!("A: {}\r\n", "b".repeat(length - frame)))
    };
    assert_eq!(sized(MAX_HEAD).len(), MAX_HEAD);
    assert!(take(sized(MAX_HEAD)).unwrap().is_some());
    assert_eq!(fault(sized(MAX_HEAD + 1)), HeadFault::TooLarge);
    assert_eq!(fault(&sized(2 * MAX_HEAD)[..MAX_HEAD]), HeadFault::TooLarge);
    assert!(take(&sized(2 * MAX_HEAD)[..MAX_HEAD - 1]).unwrap().is_none());
}

#[test]
fn asvs_82_request_lines_have_one_shape() {
    for line in [
        "GET /",
        "GET  / HTTP/1.1",
        "GET /  HTTP/1.1",
        "GET / HTTP/1.1 ",
        " GET / HTTP/1.1",
        "GET / x HTTP/1.1",
        "GET / http/1.1",
        "GET / HTTP/1",
        "GET / HTTP/1.11",
        "GET / HTTX/1.1",
        "GET\t/ HTTP/1.1",
        "",
        "GET",
        "/ HTTP/1.1",
        "\x16\x03\x01 / HTTP/1.1",
    ] {
        assert_eq!(take(with(line, "")).err().map(HeadFault::status), Some(400), "{line:?}");
    }
    for line in ["GET / HTTP/2.0", "GET / HTTP/1.2", "GET / HTTP/0.9", "GET / HTTP/9.9"] {
        assert_eq!(fault(with(line, "")), HeadFault::Version, "{line:?}");
    }
    for line in ["G@T / HTTP/1.1", "G(T / HTTP/1.1", "GET: / HTTP/1.1"] {
        assert_eq!(fault(with(line, "")), HeadFault::Method, "{line:?}");
    }
    assert_eq!(head(with("get / HTTP/1.1", "")).method(), b"get");
}

#[test]
fn targets_have_no_odd_bytes() {
    for target in ["/a#b", "/#", "/a\tb", "/a\x7fb", "/\u{e4}", "/a\x01", "#"] {
        assert_eq!(fault(with(&format!("GET {target} HTTP/1.1"), "")), HeadFault::Target, "{target:?}");
    }
    assert_eq!(fault(b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n"), HeadFault::Target);
    assert_eq!(head(with("GET /%00%23;a=\"b\"|{} HTTP/1.1", "")).target(), b"/%00%23;a=\"b\"|{}");
}

#[test]
fn asvs_83_there_is_exactly_one_valid_host() {
    assert_eq!(fault("GET / HTTP/1.1\r\n\r\n"), HeadFault::Host);
    assert_eq!(fault("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"), HeadFault::Host);
    assert_eq!(fault("GET / HTTP/1.0\r\nHost: a\r\nhost: b\r\n\r\n"), HeadFault::Host);
    for host in ["", "a b", "a,b", "a/b", "u@a", "a:", "a:x", "[::1", "a#", "http://a"] {
        assert_eq!(fault(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")), HeadFault::Host, "{host:?}");
    }
    assert_eq!(head("GET / HTTP/1.0\r\n\r\n").authority(), None);
    assert_eq!(head("GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n").authority(), Some(&b"[::1]:80"[..]));
}

#[test]
fn asvs_84_an_absolute_target_replaces_host() {
    let read = |line: &str| {
        let head = head(with(line, ""));
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (head.authority().map(text), text(head.path_and_query()))
    };
    let absolute = |authority: &str, path: &str| (Some(authority.to_owned()), path.to_owned());
    assert_eq!(read("GET http://b:1/x?y HTTP/1.1"), absolute("b:1", "/x?y"));
    assert_eq!(read("GET HTTPS://[::1]/ HTTP/1.1"), absolute("[::1]", "/"));
    assert_eq!(read("GET http://b HTTP/1.1"), absolute("b", "/"));
    assert_eq!(read("OPTIONS http://b HTTP/1.1"), absolute("b", "*"));
    assert_eq!(head("GET http://b/ HTTP/1.0\r\n\r\n").authority(), Some(&b"b"[..]));
    for target in [
        "http://",
        "http:///x",
        "http://u@b/",
        "http://b?x",
        "ftp://b/",
        "http:/b",
        "b:1",
        "b",
        "x/y",
        "http://b:0/",
    ] {
        assert_eq!(fault(with(&format!("GET {target} HTTP/1.1"), "")), HeadFault::Target, "{target:?}");
    }
    // The replaced Host still has to be one.
    assert_eq!(fault("GET http://b/ HTTP/1.1\r\nHost: c d\r\n\r\n"), HeadFault::Host);
    assert_eq!(fault("GET http://b/ HTTP/1.1\r\n\r\n"), HeadFault::Host);
}

#[test]
fn the_asterisk_is_for_options_and_authorities_are_for_nobody() {
    assert_eq!(head(with("OPTIONS * HTTP/1.1", "")).path_and_query(), b"*");
    assert_eq!(fault(with("GET * HTTP/1.1", "")), HeadFault::Target);
    assert_eq!(fault(with("OPTIONS *x HTTP/1.1", "")), HeadFault::Target);
    for target in ["a:443", "/", "http://a/"] {
        assert_eq!(fault(with(&format!("CONNECT {target} HTTP/1.1"), "")), HeadFault::Target);
    }
}

#[test]
fn asvs_87_88_89_framing_has_one_reading() {
    let post = |fields: &str| with("POST / HTTP/1.1", fields);
    assert_eq!(head(post("Transfer-Encoding: Chunked\r\n")).framing(), Framing::Chunked);
    assert_eq!(head(post("Content-Length: 0\r\n")).framing(), Framing::Length(0));
    for (fields, fault_) in [
        ("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", HeadFault::Framing),
        ("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", HeadFault::Framing),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", HeadFault::TransferEncoding),
        ("Transfer-Encoding: chunked, chunked\r\n", HeadFault::TransferEncoding),
        ("Transfer-Encoding: chunked, gzip\r\n", HeadFault::TransferEncoding),
        ("Transfer-Encoding:\r\n", HeadFault::TransferEncoding),
        ("Transfer-Encoding: gzip, chunked\r\n", HeadFault::UnknownCoding),
        ("Transfer-Encoding: xchunked\r\n", HeadFault::UnknownCoding),
        ("Transfer-Encoding: identity\r\n", HeadFault::UnknownCoding),
        ("Content-Length: 5\r\nContent-Length: 5\r\n", HeadFault::ContentLength),
        ("Content-Length: 5\r\nContent-Length: 6\r\n", HeadFault::ContentLength),
        ("Content-Length: 5, 5\r\n", HeadFault::ContentLength),
        ("Content-Length: 5,6\r\n", HeadFault::ContentLength),
        ("Content-Length: +5\r\n", HeadFault::ContentLength),
        ("Content-Length: 0x5\r\n", HeadFault::ContentLength),
        ("Content-Length:\r\n", HeadFault::ContentLength),
        ("Content-Length: 18446744073709551616\r\n", HeadFault::ContentLength),
    ] {
        assert_eq!(fault(post(fields)), fault_, "{fields:?}");
    }
    assert_eq!(fault(with("POST / HTTP/1.0", "Transfer-Encoding: chunked\r\n")), HeadFault::Framing);
}

#[test]
fn keep_alive_and_expect_follow_the_version() {
    let fields = |version: &str, fields: &str| head(with(&format!("POST / HTTP/{version}"), fields));
    assert!(fields("1.1", "").keep_alive());
    assert!(!fields("1.1", "Connection: x\r\nConnection: y, ClOsE\r\n").keep_alive());
    assert!(!fields("1.0", "").keep_alive());
    assert!(fields("1.0", "Connection: Keep-Alive\r\n").keep_alive());
    assert!(!fields("1.0", "Connection: keep-alive, close\r\n").keep_alive());
    let expect = "Content-Length: 3\r\nExpect: 100-Continue\r\n";
    assert!(fields("1.1", expect).expects_continue());
    assert!(!fields("1.0", expect).expects_continue());
    assert!(!fields("1.1", "Expect: 100-continue\r\n").expects_continue());
    assert!(!fields("1.1", "Content-Length: 0\r\nExpect: 100-continue\r\n").expects_continue());
}

#[test]
fn statuses_are_as_documented() {
    for (fault, status) in [
        (HeadFault::RequestLine, 400),
        (HeadFault::Timeout, 408),
        (HeadFault::TargetTooLong, 414),
        (HeadFault::TooLarge, 431),
        (HeadFault::TooManyFields, 431),
        (HeadFault::Method, 501),
        (HeadFault::UnknownCoding, 501),
        (HeadFault::Version, 505),
    ] {
        assert_eq!(fault.status(), status);
    }
}

proptest! {
    /// Any bytes, in any pieces: never a panic, and never a target or field that breaks the rules.
    #[test]
    fn no_bytes_break_the_rules(mut text in proptest::collection::vec(prop_oneof![
        Just(b"GET ".to_vec()), Just(b"/".to_vec()), Just(b" HTTP/1.1".to_vec()), Just(b"\r\n".to_vec()), Just(b"Host: a".to_vec()),
        Just(b"\n".to_vec()), Just(b"\r".to_vec()), Just(b":".to_vec()), Just(b" ".to_vec()), Just(b"#".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..4),
    ], 0..24).prop_map(|parts| parts.concat())) {
        text.extend_from_slice(b"\r\n\r\n");
        if let Ok(Some(head)) = take(&text) {
            prop_assert!(head.target().iter().all(|byte| byte.is_ascii_graphic() && *byte != b'#'));
            prop_assert!(field::is_token(head.method()));
            for field in head.fields() {
                prop_assert!(field::is_token(field.name) && field::is_field_value(field.value));
            }
        }
    }

    /// A complete head has the same reading whichever pieces it arrives in.
    #[test]
    fn pieces_do_not_change_the_reading(cuts in proptest::collection::vec(0_usize..200, 0..6)) {
        let text = with("PUT http://b/x?y HTTP/1.1", "Content-Length: 12\r\nCookie: a\r\nX: y z\r\n");
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(text.len() - 1)).collect();
        cuts.sort_unstable();
        let mut buffer = BytesMut::new();
        let mut from = 0;
        for cut in cuts {
            buffer.extend_from_slice(&text.as_bytes()[from..cut]);
            prop_assert!(take_request(&mut buffer).unwrap().is_none());
            from = cut;
        }
        buffer.extend_from_slice(&text.as_bytes()[from..]);
        let head = take_request(&mut buffer).unwrap().unwrap();
        prop_assert_eq!(head.path_and_query(), b"/x?y");
        prop_assert_eq!(head.fields().count(), 4);
        prop_assert!(buffer.is_empty());
    }
}
