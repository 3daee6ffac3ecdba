//! StartTLS (RFC 4511 section 4.14), said by ourselves before ldap3 sees the connection.
//!
//! Called by `transport.rs`. What comes before TLS may come from anybody on the way: it must never reach a reader that is made
//! for servers who have proven their name, be longer than [`MAX_ANSWER_BYTES`], or be kept for after.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The whole request: message 1, extended request of 1.3.6.1.4.1.1466.20037.
const REQUEST: &[u8] = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037";

/// Bytes of the answer at the most: a result code, two texts and an object identifier.
const MAX_ANSWER_BYTES: usize = 4_096;

/// Asks for TLS; in words, why there will be none. Afterwards the next byte of the connection is TLS's.
pub(crate) async fn ask<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S) -> Result<(), String> {
    stream.write_all(REQUEST).await.map_err(|error| error.to_string())?;
    stream.flush().await.map_err(|error| error.to_string())?;
    let answer = read_message(stream).await?;
    match result_code(&answer) {
        Some(0) => Ok(()),
        Some(code) => Err(format!("the server refuses StartTLS with result code {code}")),
        None => Err("the server's answer to StartTLS is none".to_owned()),
    }
}

/// One message, and not a byte more.
async fn read_message<S: AsyncRead + Unpin>(stream: &mut S) -> Result<Vec<u8>, String> {
    let mut byte = async || stream.read_u8().await.map_err(|error| error.to_string());
    if byte().await? != 0x30 {
        return Err("the server's answer to StartTLS is none".to_owned());
    }
    let first = usize::from(byte().await?);
    let mut length = first & 0x7f;
    if first & 0x80 != 0 {
        let digits = length;
        if !(1..=4).contains(&digits) {
            return Err("the server's answer to StartTLS is none".to_owned());
        }
        length = 0;
        for _ in 0..digits {
            length = length << 8 | usize::from(byte().await?);
        }
    }
    if length > MAX_ANSWER_BYTES {
        return Err("the server's answer to StartTLS is too long".to_owned());
    }
    let mut message = vec![0; length];
    stream.read_exact(&mut message).await.map_err(|error| error.to_string())?;
    Ok(message)
}

/// The result code of an extended response with the request's number.
fn result_code(message: &[u8]) -> Option<u8> {
    let (0x02, [1], rest) = element(message)? else { return None };
    let (0x78, response, _) = element(rest)? else { return None };
    let (0x0a, [code], _) = element(response)? else { return None };
    Some(*code)
}

/// The first element's tag and content, and what follows it.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first & 0x80 == 0 {
        (usize::from(first), rest)
    } else {
        let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        let value = digits
            .iter()
            .try_fold(0usize, |value, &digit| value.checked_mul(256)?.checked_add(usize::from(digit)))?;
        (value, rest)
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::io::duplex;

    use super::*;

    async fn answered(answer: &[u8]) -> (Result<(), String>, Vec<u8>) {
        let (mut ours, mut theirs) = duplex(64 * 1024);
        theirs.write_all(answer).await.unwrap();
        theirs.shutdown().await.unwrap();
        let mut asked = [0; REQUEST.len()];
        let said = ask(&mut ours).await;
        theirs.read_exact(&mut asked).await.unwrap();
        assert_eq!(asked, REQUEST);
        drop(theirs);
        let mut left = Vec::new();
        ours.read_to_end(&mut left).await.unwrap();
        (said, left)
    }

    const GOOD: &[u8] = b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00";

    #[tokio::test]
    async fn yes_is_yes_and_nothing_more_is_read() {
        assert_eq!(answered(GOOD).await, (Ok(()), vec![]));
        let followed = [GOOD, b"\x30\x0c"].concat();
        assert_eq!(
            answered(&followed).await,
            (Ok(()), b"\x30\x0c".to_vec()),
            "left for TLS, which refuses it"
        );
        let active_directory =
            b"\x30\x84\x00\x00\x00\x10\x02\x01\x01\x78\x84\x00\x00\x00\x07\x0a\x01\x00\x04\x00\x04\x00";
        assert_eq!(answered(active_directory).await, (Ok(()), vec![]));
    }

    #[tokio::test]
    async fn anything_else_is_no() {
        let mut refused = GOOD.to_vec();
        refused[9] = 52;
        assert_eq!(
            answered(&refused).await.0,
            Err("the server refuses StartTLS with result code 52".to_owned())
        );
        let mut other_number = GOOD.to_vec();
        other_number[4] = 2;
        let mut other_kind = GOOD.to_vec();
        other_kind[5] = 0x61;
        for odd in [
            &b"HTTP/1.1 400"[..],
            &other_number,
            &other_kind,
            b"\x30\x80",
            b"\x30\x85\0\0\0\0\0",
            b"",
            b"\x30\0",
        ] {
            assert!(answered(odd).await.0.is_err(), "{odd:?}");
        }
    }

    #[tokio::test]
    async fn the_answer_has_a_limit() {
        // The content's bytes: two headers and the small fields are 16 of them.
        let of = |bytes: usize| {
            let text = vec![b'x'; bytes - 16];
            let response = [&[0x0a, 1, 0, 4, 0, 4, 0x82][..], &length(text.len()), &text].concat();
            let message = [&[2, 1, 1, 0x78, 0x82][..], &length(response.len()), &response].concat();
            assert_eq!(message.len(), bytes);
            [&[0x30, 0x82][..], &length(bytes), &message].concat()
        };
        assert_eq!(answered(&of(MAX_ANSWER_BYTES)).await, (Ok(()), vec![]));
        assert!(answered(&of(MAX_ANSWER_BYTES + 1)).await.0.unwrap_err().ends_with("is too long"));
    }

    fn length(of: usize) -> [u8; 2] {
        u16::try_from(of).unwrap().to_be_bytes()
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = result_code(&bytes);
        }
    }
}
