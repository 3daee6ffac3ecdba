//! Request cookies (RFC 6265bis section 4.2): read by dialects, and taken out of what the backend sees.

/// The pairs of a `Cookie` field, in order, trimmed; a piece without `=` is a name without a value.
pub(crate) fn pairs(value: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    value.split(|&b| b == b';').filter_map(|piece| {
        let piece = crate::h1::trim(piece);
        if piece.is_empty() {
            return None;
        }
        match piece.iter().position(|&b| b == b'=') {
            Some(at) => Some((&piece[..at], &piece[at + 1..])),
            None => Some((piece, &piece[piece.len()..])),
        }
    })
}

/// Writes `value` to `out` without the cookies whose names are `ours`; false if nothing is left, and nothing was written
/// then. Where no such cookie is there, the bytes stay as they came.
pub(crate) fn without(value: &[u8], ours: impl Fn(&[u8]) -> bool, out: &mut Vec<u8>) -> bool {
    if !pairs(value).any(|(cookie, _)| ours(cookie)) {
        out.extend_from_slice(value);
        return true;
    }
    let mut wrote = false;
    for piece in value.split(|&b| b == b';') {
        let piece = crate::h1::trim(piece);
        let cookie = piece.split(|&b| b == b'=').next().unwrap_or_default();
        if piece.is_empty() || ours(cookie) {
            continue;
        }
        if wrote {
            out.extend_from_slice(b"; ");
        }
        out.extend_from_slice(piece);
        wrote = true;
    }
    wrote
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(value: &str, name: &str) -> Option<String> {
        let mut out = Vec::new();
        without(value.as_bytes(), |cookie| cookie == name.as_bytes(), &mut out)
            .then(|| String::from_utf8(out).unwrap())
    }

    #[test]
    fn the_session_cookie_is_taken_out_and_the_rest_stays() {
        assert_eq!(left("a=1; id=secret; b=2", "id").as_deref(), Some("a=1; b=2"));
        assert_eq!(left("a=1;b=2", "id").as_deref(), Some("a=1;b=2"));
        assert_eq!(left("id=secret", "id"), None);
        assert_eq!(left("id=x;id=y;", "id"), None);
        assert_eq!(left("ID=other; xid=1", "id").as_deref(), Some("ID=other; xid=1"));
        assert_eq!(left(" id =x; id", "id").as_deref(), Some("id =x"));
    }

    #[test]
    fn nothing_of_the_cookie_is_left_in_whatever_company() {
        proptest::proptest!(|(pieces in proptest::collection::vec("[a-z]{1,3}(=[a-z=]{0,4})?", 0..8), at in 0usize..8)| {
            let mut pieces = pieces;
            pieces.insert(at.min(pieces.len()), "id=CANARY".to_owned());
            let joined = pieces.join("; ");
            if let Some(left) = left(&joined, "id") {
                proptest::prop_assert!(!left.contains("CANARY"));
                proptest::prop_assert!(pairs(left.as_bytes()).all(|(name, _)| name != b"id"));
            }
        });
    }
}
