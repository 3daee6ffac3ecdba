//! Tests of `wire`: what the second opinion accepts and what it refuses.

use super::*;

fn header(name: &str, value: &str) -> (String, String) {
    (name.into(), value.into())
}

fn body_of(bytes: &[u8], framing: Framing) -> Result<(Vec<u8>, Vec<u8>, usize), Trouble> {
    let mut incoming = Incoming::new(bytes);
    let (mut raw, mut content) = (Vec::new(), Vec::new());
    let trailers = incoming.take_body(framing, &mut |piece| {
        raw.extend_from_slice(piece.raw);
        content.extend_from_slice(piece.content);
    })?;
    Ok((raw, content, trailers.len()))
}

#[test]
fn a_head_keeps_order_and_spelling() {
    let (first, headers) = parse_head(b"GET / HTTP/1.1\r\nHoSt: a\r\nb:\t c \r\n\r\n").unwrap();
    assert_eq!(first, "GET / HTTP/1.1");
    assert_eq!(headers, [header("HoSt", "a"), header("b", "c")]);
}

#[test]
fn odd_header_lines_are_refused() {
    for line in ["no colon", "a b: c", ": c", "a : c", " folded: c", "a: b\rc", "a: b\nc", "a: b\0c"] {
        let head = format!("GET / HTTP/1.1\r\n{line}\r\n\r\n");
        assert!(matches!(parse_head(head.as_bytes()), Err(Trouble::Malformed(_))), "{line:?}");
    }
}

#[test]
fn framing_is_plain_or_refused() {
    let of = |headers: &[(&str, &str)]| {
        let headers: Vec<_> = headers.iter().map(|(name, value)| header(name, value)).collect();
        framing(&headers, Framing::None).ok()
    };
    assert_eq!(of(&[]), Some(Framing::None));
    assert_eq!(of(&[("content-length", "12")]), Some(Framing::Length(12)));
    assert_eq!(of(&[("Transfer-Encoding", "Chunked")]), Some(Framing::Chunked));
    for bad in [
        &[("content-length", "+1")][..],
        &[("content-length", "")],
        &[("content-length", "99999999999999999999999")],
        &[("content-length", "1"), ("content-length", "1")],
        &[("content-length", "1"), ("transfer-encoding", "chunked")],
        &[("transfer-encoding", "gzip, chunked")],
        &[("transfer-encoding", "identity")],
    ] {
        assert_eq!(of(bad), None, "{bad:?}");
    }
}

#[test]
fn chunks_give_their_content_raw_bytes_and_trailers() {
    let wire = b"3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nt: 1\r\n\r\nrest";
    let (raw, content, trailers) = body_of(wire, Framing::Chunked).unwrap();
    assert_eq!(raw, &wire[..wire.len() - 4]);
    assert_eq!(content, b"abc0123456789");
    assert_eq!(trailers, 1);
}

#[test]
fn broken_chunks_are_refused() {
    for wire in
        ["x\r\n", "\r\n", "3\r\nabcd\r\n0\r\n\r\n", "-1\r\n", "0x3\r\nabc\r\n", "11111111111111111\r\n"]
    {
        assert!(matches!(body_of(wire.as_bytes(), Framing::Chunked), Err(Trouble::Malformed(_))), "{wire:?}");
    }
    assert!(matches!(body_of(b"3\r\nab", Framing::Chunked), Err(Trouble::Broken(_))));
}

#[test]
fn a_head_at_the_limit_is_read_and_a_longer_one_is_not() {
    let head = |length: usize| {
        let mut head = b"GET / HTTP/1.1\r\na: ".to_vec();
        head.resize(length - 4, b'x');
        head.extend_from_slice(b"\r\n\r\n");
        head
    };
    assert_eq!(Incoming::new(head(HEAD_LIMIT).as_slice()).take_head().unwrap().len(), HEAD_LIMIT);
    let endless = vec![b'x'; HEAD_LIMIT + READ_BYTES + 1];
    assert!(matches!(Incoming::new(endless.as_slice()).take_head(), Err(Trouble::Malformed(_))));
}
