//! The limits from both sides, what is no message, and a second reader who agrees.

use proptest::prelude::*;

use super::*;
use crate::fuzzing::messages;
use crate::net::fake::{bind_answer, element, end_of_search, entry, message, nested};

fn look(bytes: &[u8]) -> Result<bool, Improper> {
    let mut inspection = Inspection::new();
    inspection.look(bytes)?;
    Ok(inspection.is_between_messages())
}

const WHOLE: Result<bool, Improper> = Ok(true);
const BEGUN: Result<bool, Improper> = Ok(false);

#[test]
fn what_servers_say_passes_in_any_pieces() {
    let mut said = [
        bind_answer(1, 0),
        entry(2, "uid=alice", &[("uid", &[b"alice"]), ("memberOf", &[&[b'g'; 300], b""])]),
        end_of_search(2, 0),
        // Active Directory writes all lengths with four digits.
        b"\x30\x84\0\0\0\x10\x02\x01\x01\x61\x84\0\0\0\x07\x0a\x01\0\x04\0\x04\0".to_vec(),
        // It hangs up (1.3.6.1.4.1.1466.20036), with the identifier behind the answer instead of in it.
        b"\x30\x84\0\0\0\x28\x02\x01\0\x78\x84\0\0\0\x07\x0a\x01\x34\x04\0\x04\0\x8a\x161.3.6.1.4.1.1466.20036".to_vec(),
    ];
    // With a control.
    let control =
        element(0x30, &[element(0x04, b"1.2.840.113556.1.4.319"), element(0x04, &[0x30, 0])].concat());
    said[0] = message(&[element(2, &[1]), answer(), element(0xa0, &control)].concat());
    for whole in &said {
        assert_eq!(look(whole), WHOLE);
        for end in 1..whole.len() {
            assert_eq!(look(&whole[..end]), BEGUN);
        }
    }
    let all = said.concat();
    for length in [1, 2, 3, 7, 64, all.len()] {
        let mut inspection = Inspection::new();
        for piece in all.chunks(length) {
            assert_eq!(inspection.look(piece), Ok(()));
        }
        assert!(inspection.is_between_messages());
    }
}

/// A bind's.
fn answer() -> Vec<u8> {
    element(0x61, b"\x0a\x01\x00\x04\x00\x04\x00")
}

#[test]
fn what_is_no_message_does_not() {
    let number = element(0x02, &[1]);
    let no_messages = [
        b"HTTP/1.1 400".to_vec(),
        // A set, a primitive sequence, tags with more digits, lengths without an end, lengths that are too long.
        b"\x31\x0c".to_vec(),
        b"\x10\x0c".to_vec(),
        b"\x3f\x10".to_vec(),
        b"\x30\x80".to_vec(),
        b"\x30\x85\0\0\0\0\x0c".to_vec(),
        b"\x30\xff".to_vec(),
        // Nothing in it, or a number only, or none, or one that is too long, or two answers, or what nobody asked for.
        message(&[]),
        message(&number),
        message(&answer()),
        message(&[element(0x02, &[]), answer()].concat()),
        message(&[element(0x02, &[0, 0, 0, 0, 1]), answer()].concat()),
        message(&[element(0x22, &number), answer()].concat()),
        message(&[number.clone(), answer(), answer()].concat()),
        message(&[number.clone(), answer(), element(0xa0, &[]), element(0xa0, &[])].concat()),
        message(&[number.clone(), answer(), element(0xa3, &[])].concat()),
        message(&[number.clone(), element(0x6b, &[])].concat()),
        message(&[number.clone(), element(0x30, &[])].concat()),
        // Inner lengths: beyond the end, by one byte; none; a header that is cut off.
        message(&[number.clone(), b"\x61\x05\x0a\x01\x00\x04\x01".to_vec()].concat()),
        message(&[number.clone(), b"\x61\x08\x0a\x01\x00\x04\x00\x04\x00".to_vec()].concat()),
        message(&[number.clone(), element(0x61, b"\x0a\x01\x00\x04\x80")].concat()),
        message(&[number.clone(), element(0x61, b"\x0a\x01\x00\x04")].concat()),
        message(&[number.clone(), element(0x61, b"\x0a\x01\x00\x04\x82\x00")].concat()),
        message(&[number, element(0x61, b"\x0a\x01\x00\x1f")].concat()),
    ];
    for bytes in no_messages {
        // What comes after it does not make it better.
        for bytes in [bytes.clone(), [bytes, bind_answer(1, 0)].concat()] {
            assert!(matches!(look(&bytes), Err(Improper::NoMessage(_))), "{bytes:02x?}: {:?}", look(&bytes));
        }
    }
}

/// An entry of this many bytes, all told.
fn entry_of(bytes: usize) -> Vec<u8> {
    let around = bytes - entry(1, "uid=alice", &[("uid", &[&vec![b'x'; bytes - 100]])]).len();
    let found = entry(1, "uid=alice", &[("uid", &[&vec![b'x'; bytes - 100 + around]])]);
    assert_eq!(found.len(), bytes);
    found
}

#[test]
fn a_message_has_a_limit() {
    assert_eq!(look(&entry_of(MAX_MESSAGE_BYTES)), WHOLE);
    let beyond = entry_of(MAX_MESSAGE_BYTES + 1);
    assert_eq!(look(&beyond), Err(Improper::TooLong));
    assert_eq!(
        look(&beyond[..6]),
        Err(Improper::TooLong),
        "its header says so, and nobody waits for the rest"
    );
    // Not for what came before it.
    assert_eq!(look(&[entry_of(MAX_MESSAGE_BYTES), entry_of(MAX_MESSAGE_BYTES)].concat()), WHOLE);
}

#[test]
fn elements_within_elements_have_a_limit() {
    assert_eq!(look(&nested(1, MAX_NESTING)), WHOLE);
    assert_eq!(look(&nested(1, MAX_NESTING + 1)), Err(Improper::TooDeep));
    assert_eq!(look(&nested(1, 100_000)), Err(Improper::TooDeep));
}

#[test]
fn elements_have_a_limit() {
    // The message, its number, the entry, its name, the list, the attribute, its name, the set of values.
    const AROUND: usize = 8;
    let with = |values: usize| entry(1, "uid=alice", &[("memberOf", &vec![&b""[..]; values])]);
    assert_eq!(look(&with(MAX_ELEMENTS - AROUND)), WHOLE);
    assert_eq!(look(&with(MAX_ELEMENTS - AROUND + 1)), Err(Improper::TooMany));
    assert_eq!(look(&[with(MAX_ELEMENTS - AROUND), with(MAX_ELEMENTS - AROUND)].concat()), WHOLE);
}

#[test]
fn a_user_with_as_many_groups_as_may_be_passes() {
    use crate::limits::{MAX_DN_BYTES, MAX_GROUPS};
    let group = vec![b'g'; MAX_DN_BYTES];
    let found = entry(1, "uid=alice", &[("memberOf", &vec![&group[..]; MAX_GROUPS])]);
    assert_eq!(look(&found), WHOLE);
    assert!(found.len() <= MAX_MESSAGE_BYTES / 2 + MAX_GROUPS * 8, "and there is as much room again");
}

/// Elements within elements, most of them with lengths that are right.
fn elements() -> impl Strategy<Value = Vec<u8>> {
    let tag = prop_oneof![
        8 => Just(0x30), 4 => Just(0x04), 2 => Just(0x02), 2 => Just(0x61), 2 => Just(0x64), 1 => Just(0xa0), 1 => any::<u8>()
    ];
    let leaf =
        (tag.clone(), prop::collection::vec(any::<u8>(), 0..6)).prop_map(|(tag, value)| element(tag, &value));
    leaf.prop_recursive(14, 64, 4, move |inner| {
        (tag.clone(), prop::collection::vec(inner, 0..4))
            .prop_map(|(tag, inner)| element(tag, &inner.concat()))
    })
}

proptest! {
    #[test]
    fn both_readers_agree_on_anything(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        messages(&bytes);
    }

    #[test]
    fn both_readers_agree_on_what_is_almost_a_message(
        number in prop::collection::vec(any::<u8>(), 0..6),
        inner in prop::collection::vec(elements(), 0..3),
        spoilt in prop::option::weighted(0.3, (any::<prop::sample::Index>(), any::<u8>())),
        split in any::<u8>(),
    ) {
        let members = [element(2, &number), element(0x64, &inner.concat())].concat();
        let mut bytes = [message(&members), bind_answer(7, 0)].concat();
        if let Some((index, byte)) = spoilt {
            let index = index.index(bytes.len());
            bytes[index] = byte;
        }
        messages(&[&[split][..], &bytes].concat());
    }
}
