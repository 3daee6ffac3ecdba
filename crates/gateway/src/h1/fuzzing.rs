//! The parsers for `fuzz/`, each with what must hold of whatever it accepts.
//!
//! Only with the feature `fuzzing`, and in tests. Must never be part of a build that ships. A broken promise
//! is a panic.

use bytes::BytesMut;

use super::chunked::{Decoder, MAX_TRAILER, encode_chunk};
use super::field::{is_field_value, is_token};
use super::request::take_request;
use super::{
    FieldRef, Known, MAX_CONNECTION_MEMBERS, MAX_FIELDS, MAX_HEAD, MAX_METHOD, MAX_TARGET, is_host,
    is_target, members, take_response,
};

fn check_fields<'a>(fields: impl Iterator<Item = FieldRef<'a>>) {
    let mut count = 0;
    for field in fields {
        count += 1;
        assert!(is_token(field.name) && is_field_value(field.value));
    }
    assert!(count <= MAX_FIELDS);
}

/// Takes request heads off the front until there is none.
pub fn request_head(data: &[u8]) {
    let mut buffer = BytesMut::from(data);
    while let Ok(Some(head)) = take_request(&mut buffer) {
        assert!(is_token(head.method()) && head.method().len() <= MAX_METHOD);
        assert!(is_target(head.target()));
        assert!(head.target().is_ascii() && !head.target().contains(&b'#'));
        assert!(head.target().len() <= MAX_TARGET);
        assert!(matches!(head.path_and_query(), [b'/', ..] | b"*"));
        assert!(head.authority().map_or(!head.version_1_1(), is_host));
        check_fields(head.fields());
    }
    assert!(buffer.len() <= data.len());
}

/// Takes response heads off the front until there is none.
pub fn response_head(data: &[u8]) {
    let mut buffer = BytesMut::from(data);
    loop {
        let before = buffer.len();
        let Ok(Some(head)) = take_response(&mut buffer) else { return };
        assert!(before - buffer.len() <= MAX_HEAD);
        assert!(head.values(Known::Connection).flat_map(members).count() <= MAX_CONNECTION_MEMBERS);
        assert!((100..=999).contains(&head.status()));
        assert!(head.reason().iter().all(|byte| *byte == b'\t' || (*byte >= b' ' && *byte != 0x7f)));
        check_fields(head.fields());
    }
}

/// Decodes a body at once and in pieces (the first byte says how long they are), and encodes what came out
/// again.
pub fn chunked(data: &[u8]) {
    let Some((&length, text)) = data.split_first() else { return };
    let (mut whole, mut whole_data) = (Decoder::new(), Vec::new());
    let verdict = whole.decode(text, |piece| whole_data.extend_from_slice(piece));
    let (mut decoder, mut pieces_data, mut consumed, mut failed) = (Decoder::new(), Vec::new(), 0, false);
    for piece in text.chunks(usize::from(length).max(1)) {
        match decoder.decode(piece, |piece| pieces_data.extend_from_slice(piece)) {
            Ok(decoded) => consumed += decoded.consumed,
            Err(_) => {
                failed = true;
                break;
            }
        }
    }
    assert_eq!(verdict.is_err(), failed, "the same verdict in pieces");
    let Ok(decoded) = verdict else { return };
    assert_eq!((decoded.consumed, &whole_data), (consumed, &pieces_data), "the same data in pieces");
    if let Some(trailer) = whole.trailer() {
        assert!(
            decoded.finished && trailer.fields().map(|field| field.name.len()).sum::<usize>() <= MAX_TRAILER
        );
        check_fields(trailer.fields());
    }
    if !whole_data.is_empty() {
        let (mut encoded, mut again) = (Vec::new(), Vec::new());
        encode_chunk(&whole_data, &mut encoded);
        encoded.extend_from_slice(b"0\r\n\r\n");
        let decoded = Decoder::new().decode(&encoded, |piece| again.extend_from_slice(piece));
        assert!(decoded.is_ok_and(|decoded| decoded.finished && decoded.consumed == encoded.len()));
        assert_eq!(again, whole_data, "encoded and decoded again");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    /// Bytes that are often near something meaningful.
    fn near(words: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
        let word = proptest::sample::select(words).prop_map(|word| word.as_bytes().to_vec());
        let part = prop_oneof![4 => word, 1 => proptest::collection::vec(any::<u8>(), 0..4)];
        proptest::collection::vec(part, 0..24).prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn promises_of_the_request_parser_hold(data in near(&[
            "GET ", "OPTIONS ", "/", "*", "http://a", " HTTP/1.1\r\n", " HTTP/1.0\r\n", "Host: a\r\n", "\r\n", "\r", "\n", ":", " ", "#",
            "Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n",
        ])) {
            super::request_head(&data);
        }

        #[test]
        fn promises_of_the_response_parser_hold(data in near(&[
            "HTTP/1.1 200", "HTTP/1.0 ", " OK\r\n", "Set-Cookie: a\r\n", "\r\n", "\r", "\n", ":", " ", "Content-Length: 5\r\n",
        ])) {
            super::response_head(&data);
        }

        #[test]
        fn promises_of_the_chunked_decoder_hold(data in near(&[
            "5\r\nhello\r\n", "0\r\n", "\r\n", ";a=b", "A: b\r\n", "1", "f", "\r", "\n",
        ])) {
            super::chunked(&data);
        }
    }
}
