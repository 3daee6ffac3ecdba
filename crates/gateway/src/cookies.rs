//! Request cookies (RFC 6265bis section 4.2): read by dialects, and taken out of what the backend sees.

use crate::h1::trim;

/// The pairs of a `Cookie` field, in order, trimmed; a piece without `=` is a name without a value.
pub(crate) fn pairs(value: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    value.split(|&b| b == b';').filter_map(|piece| {
        let piece = trim(piece);
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
///
/// Of pairs with a comma, each part counts: some proxies join lines of `Cookie` so (RFC 9110 section 5.3 lets them), and some
/// backends take them apart again. Nobody is let in by such a part, but it may be a session all the same.
pub(crate) fn without(value: &[u8], ours: impl Fn(&[u8]) -> bool, out: &mut Vec<u8>) -> bool {
    let has_commas = value.contains(&b',');
    let is_ours = |piece: &[u8]| {
        let name = |part: &[u8]| ours(trim(part).split(|&b| b == b'=').next().unwrap_or_default());
        if has_commas { piece.split(|&b| b == b',').any(name) } else { name(piece) }
    };
    if !value.split(|&b| b == b';').any(is_ours) {
        out.extend_from_slice(value);
        return true;
    }
    let mut wrote = false;
    for piece in value.split(|&b| b == b';') {
        let piece = trim(piece);
        if piece.is_empty() || is_ours(piece) {
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
        assert_eq!(left("a=1,id=x; b=2,3", "id").as_deref(), Some("b=2,3"));
        assert_eq!(left("a=1, id=x,b=2", "id"), None);
        assert_eq!(left("a=1,xid=2", "id").as_deref(), Some("a=1,xid=2"));
    }

    #[test]
    fn nothing_of_the_cookie_is_left_in_whatever_company() {
        proptest::proptest!(|(pieces in proptest::collection::vec("[a-z]{1,3}(=[a-z=]{0,4})?", 0..8), at in 0usize..8, separator in "; ?|, ?")| {
            let (mut pieces, separator) = (pieces, &*separator);
            pieces.insert(at.min(pieces.len()), "id=CANARY".to_owned());
            let joined = pieces.join(separator);
            if let Some(left) = left(&joined, "id") {
                proptest::prop_assert!(!left.contains("CANARY"));
                proptest::prop_assert!(pairs(left.as_bytes()).all(|(name, _)| name != b"id"));
            }
        });
    }
}
