//! Tests of the chunked coding.

use proptest::prelude::*;

use super::*;

/// Decodes all of `text` at once: the data, the rest, and whether it is complete.
fn decode(text: &[u8]) -> Result<(Vec<u8>, Vec<u8>, bool), ChunkFault> {
    let mut data = Vec::new();
    let decoded = Decoder::new().decode(text, |piece| data.extend_from_slice(piece))?;
    Ok((data, text[decoded.consumed..].to_vec(), decoded.finished))
}

#[test]
fn a_body_is_decoded_and_what_follows_is_left() {
    let (data, rest, finished) = decode(b"4\r\nRust\r\n00A;x=\"y\"\r\n0123456789\r\n0\r\n\r\nGET /").unwrap();
    assert_eq!((data.as_slice(), rest.as_slice(), finished), (&b"Rust0123456789"[..], &b"GET /"[..], true));
    assert!(!decode(b"4\r\nRus").unwrap().2);
    assert!(!decode(b"0\r\n").unwrap().2);
    assert!(!decode(b"0\r\n\r").unwrap().2);
}

#[test]
fn sizes_are_hexadecimal_and_nothing_else() {
    for bad in [
        &b"\r\n"[..],
        b";\r\n",
        b"-1\r\n",
        b"+1\r\n",
        b"0x1\r\n",
        b" 1\r\n",
        b"1 \r\n",
        b"1\t\r\n",
        b"1 ;a\r\n",
        b"g\r\n",
        b"1\n",
        b"1\r\r\n",
        b"1\rx",
        b"\n",
        b"1\0\r\n",
        b"1_0\r\n",
    ] {
        assert_eq!(decode(bad), Err(ChunkFault), "{}", bad.escape_ascii());
    }
}

#[test]
fn asvs_91_sizes_do_not_overflow() {
    assert!(decode(b"ffffffffffffffff\r\nabc").is_ok());
    assert_eq!(decode(b"ffffffffffffffff1\r\n"), Err(ChunkFault));
    assert_eq!(decode(b"00000000000000000"), Err(ChunkFault));
    assert_eq!(decode(b"0000000000000001\r\nx\r\n0\r\n\r\n").unwrap().0, b"x");
}

#[test]
fn asvs_91_extensions_have_a_limit_over_the_whole_body() {
    let body = |length: usize| {
        let half = "e".repeat(length / 2);
        let rest = "e".repeat(length - length / 2);
        format!("1;{half}\r\nx\r\n1;{rest}\r\ny\r\n0\r\n\r\n").into_bytes()
    };
    assert!(decode(&body(MAX_CHUNK_EXTENSION)).unwrap().2);
    assert_eq!(decode(&body(MAX_CHUNK_EXTENSION + 1)), Err(ChunkFault));
    assert_eq!(decode(&body(64 * 1024)), Err(ChunkFault));
    for bad in [&b"1;a\nb\r\n"[..], b"1;a\rb\r\n", b"1;\0\r\n", b"1;\x7f\r\n"] {
        assert_eq!(decode(bad), Err(ChunkFault), "{}", bad.escape_ascii());
    }
}

#[test]
fn data_ends_with_cr_lf() {
    for bad in [&b"1\r\nxy"[..], b"1\r\nx\n", b"1\r\nx\r\r", b"1\r\nx0\r\n\r\n"] {
        assert_eq!(decode(bad), Err(ChunkFault), "{}", bad.escape_ascii());
    }
}

#[test]
fn trailers_are_read_like_fields() {
    let mut decoder = Decoder::new();
    let text = b"1\r\nx\r\n0\r\nX-Sum: 1 \r\nHost: b\r\n\r\nrest";
    let decoded = decoder.decode(text, |_| {}).unwrap();
    assert_eq!((decoded.consumed, decoded.finished), (text.len() - 4, true));
    let trailer = decoder.trailer().unwrap();
    let fields: Vec<_> = trailer.fields().map(|field| (field.name, field.value)).collect();
    assert_eq!(fields, [(&b"X-Sum"[..], &b"1"[..]), (b"Host", b"b")]);
    for bad in [
        &b"0\r\nA : b\r\n\r\n"[..],
        b"0\r\n A: b\r\n\r\n",
        b"0\r\nA: b\n\r\n",
        b"0\r\nA: b\r\n\n",
        b"0\r\n\n",
        b"0\r\nA\r\n\r\n",
        b"0\r\nA: b\r\n c\r\n\r\n",
        b"0\r\nA: \0\r\n\r\n",
        b"0\r\nGET / HTTP/1.1\r\n\r\n",
    ] {
        assert_eq!(decode(bad), Err(ChunkFault), "{}", bad.escape_ascii());
    }
}

#[test]
fn trailers_have_limits_on_both_sides() {
    let body =
        |length: usize| format!("0\r\nA: {}\r\n\r\n", "b".repeat(length - b"A: \r\n\r\n".len())).into_bytes();
    assert!(decode(&body(MAX_TRAILER)).unwrap().2);
    assert_eq!(decode(&body(MAX_TRAILER + 1)), Err(ChunkFault));
    let fields = |count: usize| format!("0\r\n{}\r\n", "A: b\r\n".repeat(count)).into_bytes();
    assert!(decode(&fields(MAX_FIELDS)).unwrap().2);
    assert_eq!(decode(&fields(MAX_FIELDS + 1)), Err(ChunkFault));
}

#[test]
fn only_trailers_that_may_pass_are_encoded() {
    let mut decoder = Decoder::new();
    decoder.decode(b"0\r\nX-Sum: 1\r\nContent-Length: 5\r\n\r\n", |_| {}).unwrap();
    let mut out = Vec::new();
    encode_end(decoder.trailer().as_ref(), &|name| name.eq_ignore_ascii_case(b"x-sum"), &mut out);
    assert_eq!(out, b"0\r\nX-Sum: 1\r\n\r\n");
    out.clear();
    encode_end(None, &|_| true, &mut out);
    assert_eq!(out, b"0\r\n\r\n");
}

proptest! {
    /// Whatever is encoded is decoded again, in whatever pieces it arrives.
    #[test]
    fn encoding_and_decoding_meet(
        chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..300), 0..8),
        trailer in any::<bool>(),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..12),
        rest in proptest::collection::vec(any::<u8>(), 0..20),
    ) {
        let mut text = Vec::new();
        for chunk in &chunks {
            encode_chunk(chunk, &mut text);
        }
        text.extend_from_slice(if trailer { b"0\r\nA: b\r\n\r\n" } else { b"0\r\n\r\n" });
        let length = text.len();
        text.extend_from_slice(&rest);
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(text.len())).chain([text.len()]).collect();
        cuts.sort_unstable();
        let (mut decoder, mut data, mut consumed) = (Decoder::new(), Vec::new(), 0);
        for cut in cuts {
            let decoded = decoder.decode(&text[consumed..cut], |piece| data.extend_from_slice(piece)).unwrap();
            consumed += decoded.consumed;
            prop_assert_eq!(decoded.finished, consumed == length);
        }
        prop_assert_eq!(consumed, length);
        prop_assert_eq!(data, chunks.concat());
        prop_assert_eq!(decoder.trailer().is_some(), trailer);
    }

    /// Any bytes give the same verdict and the same data at once and byte by byte.
    #[test]
    fn pieces_do_not_change_the_verdict(text in proptest::collection::vec(prop_oneof![
        Just(b'0'), Just(b'1'), Just(b'a'), Just(b'\r'), Just(b'\n'), Just(b';'), Just(b':'), any::<u8>(),
    ], 0..40)) {
        let whole = decode(&text);
        let (mut decoder, mut data, mut consumed) = (Decoder::new(), Vec::new(), 0);
        let mut verdict = Ok(());
        for byte in &text {
            match decoder.decode(std::slice::from_ref(byte), |piece| data.extend_from_slice(piece)) {
                Ok(decoded) => consumed += decoded.consumed,
                Err(fault) => { verdict = Err(fault); break; }
            }
        }
        prop_assert_eq!(whole.as_ref().map(|_| ()).map_err(|fault| *fault), verdict);
        if let Ok((expected, rest, _)) = whole {
            prop_assert_eq!((data, &text[consumed..]), (expected, &rest[..]));
        }
    }
}
