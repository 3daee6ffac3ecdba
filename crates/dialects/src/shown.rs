//! What every dialect reads in the same way of what a client shows: one value, and never the first of two. Called by the dialects'
//! credentials. Must never hold a word of one of them.

use auth::{Reason, SessionToken};
use gateway::Refusal;

/// Two values that differ.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Two;

impl From<Two> for Refusal {
    fn from(_: Two) -> Self {
        Reason::ConflictingCookies.into()
    }
}

/// The one value that is not empty, however often it is there.
pub(crate) fn sole<'v>(values: impl Iterator<Item = &'v [u8]>) -> Result<Option<&'v [u8]>, Two> {
    let mut shown: Option<&[u8]> = None;
    for value in values.filter(|value| !value.is_empty()) {
        if shown.is_some_and(|shown| shown != value) {
            return Err(Two);
        }
        shown = Some(value);
    }
    Ok(shown)
}

/// The session's token that a cookie's value is; inside `None` where it can be none.
#[expect(
    clippy::option_option,
    reason = "as in `Presented`: nothing shown, and something that is no token, differ"
)]
pub(crate) fn token(value: Option<&[u8]>) -> Option<Option<SessionToken>> {
    value.map(|value| std::str::from_utf8(value).ok().and_then(SessionToken::from_text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_values_are_one_only_if_they_are_the_same() {
        let sole = |values: &[&'static str]| sole(values.iter().map(|value| value.as_bytes()));
        assert_eq!(sole(&[]), Ok(None));
        assert_eq!(sole(&["", ""]), Ok(None));
        assert_eq!(sole(&["a", "", "a"]), Ok(Some(b"a".as_slice())));
        assert_eq!(sole(&["a", "b"]), Err(Two));
        assert_eq!(sole(&["a", "A"]), Err(Two));
    }
}
