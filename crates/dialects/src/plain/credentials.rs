//! Which credentials a request shows: the session cookie, `Authorization`, `X-Api-Key`. Nothing in the query is ours.
//! Called by both dialects of this folder; looks nothing up.

use std::sync::Arc;

use auth::{BearerText, KeyText, Presented, PresentedPassword, RealmChoice, Reason, SessionToken};
use gateway::{Clean, Refusal};

use super::cookie;
use super::mount::PlainParts;
use crate::basic::{self, Scheme};
use crate::shown;

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
    let key = shown::sole(request.values("x-api-key"))
        .map_err(|_| Refusal::BadRequest("two different API keys"))?;
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
    Ok(shown::token(shown::sole(request.cookies(name))?))
}

/// Every session cookie that came along, however many and whatever they are worth.
pub(super) fn all_sessions(parts: &PlainParts, request: &Clean<'_>) -> Vec<SessionToken> {
    const MAX_SHOWN: usize = 8;
    let name = cookie::name(&parts.cookie, request.secure());
    let values = request.cookies(name).take(MAX_SHOWN);
    values.filter_map(|value| SessionToken::from_text(std::str::from_utf8(value).ok()?)).collect()
}
