//! Which credentials a request shows: the session cookie, `Authorization`, `X-Api-Key`. Nothing in the query is ours.
//! Called by both dialects of this folder; looks nothing up.

use std::sync::Arc;

use auth::{BearerText, KeyText, Presented, PresentedPassword, RealmChoice, Reason, SessionToken};
use gateway::{Clean, Refusal};

use super::cookie;
use super::mount::PlainParts;
use crate::basic::{self, Scheme};

/// Everything that a request shows.
///
/// # Errors
/// Where it has no single reading.
pub(super) fn read(parts: &PlainParts, request: &Clean<'_>) -> Result<Presented, Refusal> {
    let mut presented = Presented { session: session(parts, request)?, ..Presented::default() };
    let mut authorizations = request.values("authorization");
    let first = authorizations.next();
    if authorizations.next().is_some() {
        return Err(Refusal::BadRequest("two Authorization fields"));
    }
    match first.map(basic::read) {
        Some(Scheme::Basic(Ok(shown))) => {
            presented.password = Some(PresentedPassword {
                realm: RealmChoice::Chain(Arc::clone(&parts.realms)),
                username: shown.username,
                password: shown.password,
            });
        }
        // A live session decides alone; without one, what cannot be read is a wrong password.
        Some(Scheme::Basic(Err(_))) if presented.session.is_some() => {}
        Some(Scheme::Basic(Err(what))) => return Err(Reason::MalformedCredentials(what).into()),
        Some(Scheme::Bearer(token)) => presented.bearer = Some(BearerText::new(token.to_owned())),
        Some(Scheme::Other) | None => {}
    }
    let key =
        sole(request.values("x-api-key")).map_err(|Two| Refusal::BadRequest("two different API keys"))?;
    presented.key = key.map(|value| std::str::from_utf8(value).ok().and_then(KeyText::presented));
    Ok(presented)
}

/// The session cookie that a request shows. An empty one is none; two with different values are refused.
///
/// # Errors
/// [`Reason::ConflictingCookies`].
pub(super) fn session(
    parts: &PlainParts,
    request: &Clean<'_>,
) -> Result<Option<Option<SessionToken>>, Refusal> {
    let name = cookie::name(&parts.cookie, request.secure());
    let shown = sole(request.cookies(name)).map_err(|Two| Refusal::from(Reason::ConflictingCookies))?;
    Ok(shown.map(|value| std::str::from_utf8(value).ok().and_then(SessionToken::from_text)))
}

/// Every session cookie that came along, however many and whatever they are worth.
pub(super) fn all_sessions(parts: &PlainParts, request: &Clean<'_>) -> Vec<SessionToken> {
    const MAX_SHOWN: usize = 8;
    let name = cookie::name(&parts.cookie, request.secure());
    let values = request.cookies(name).take(MAX_SHOWN);
    values.filter_map(|value| SessionToken::from_text(std::str::from_utf8(value).ok()?)).collect()
}

/// Two values that differ.
#[derive(Debug, PartialEq, Eq)]
struct Two;

/// The one value that is not empty, however often it is there.
fn sole<'v>(values: impl Iterator<Item = &'v [u8]>) -> Result<Option<&'v [u8]>, Two> {
    let mut shown: Option<&[u8]> = None;
    for value in values.filter(|value| !value.is_empty()) {
        if shown.is_some_and(|shown| shown != value) {
            return Err(Two);
        }
        shown = Some(value);
    }
    Ok(shown)
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
