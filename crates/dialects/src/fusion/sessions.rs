//! Sessions as a resource, for administrators: `/sessions`, `/sessions/ID`, `/users/ID/sessions`.

use std::time::Duration;

use api::Page;
use api::sessions::list::Filter;
use api::sessions::{list as listing, revoke as revoking};
use auth::trust::Permit;
use auth::{AuthMethod, RealmName, UserId, Username};
use gateway::{Answer, Refusal, Visit};
use schemars::JsonSchema;
use serde::Serialize;

use super::dialect::{API_KEY_PARAMETER, FusionParts, REALM_PARAMETER};
use super::entity::{id, listed, page, parsed, sole};
use super::errors::said;
use super::json;

/// The query parameters that say which sessions.
const FILTERS: [&str; 10] = [
    "user",
    "username",
    "realm",
    "app",
    "mount",
    "address",
    "method",
    "createdBefore",
    "createdAfter",
    "idleLongerThan",
];

/// The query parameter by which every session ends.
const ALL: &str = "all";

/// How many sessions ended.
#[derive(Serialize, JsonSchema)]
pub(super) struct Ended {
    pub(super) ended: usize,
}

/// `GET /sessions`.
pub(super) async fn list(parts: &FusionParts, permit: &Permit, visit: &Visit<'_>) -> Result<Answer, Refusal> {
    let Page { after, limit } = page(visit)?;
    let ended = match sole(visit, "state")?.as_deref() {
        None | Some("live") => false,
        Some("ended") => true,
        Some(_) => return Err(Refusal::invalid("state", "is `live` or `ended`")),
    };
    let filter = Filter { ended, after, limit, ..filter(visit)? };
    let found = listing::run(&parts.services, permit, &filter).await.map_err(said)?;
    let now = parts.services.kernel.clock().now();
    let snapshot = parts.services.kernel.directory().held();
    let account = |user| snapshot.account(user).map(|account| &**account);
    Ok(listed(
        visit,
        limit,
        &found,
        |session| json::Session::of(session, account(&session.user), now),
        |session| session.id.to_string(),
    ))
}

/// `GET /sessions/ID`.
pub(super) fn read(parts: &FusionParts, permit: &Permit, visit: &Visit<'_>) -> Result<Answer, Refusal> {
    let session = listing::one(&parts.services, permit, &id(visit)?).map_err(said)?;
    let snapshot = parts.services.kernel.directory().present();
    let account = snapshot.account(&session.user).map(|account| &**account);
    Ok(json::answer(200, &json::Session::of(&session, account, parts.services.kernel.clock().now())))
}

/// `DELETE /sessions/ID`.
pub(super) async fn revoke(
    parts: &FusionParts,
    permit: &Permit,
    visit: &Visit<'_>,
) -> Result<Answer, Refusal> {
    revoking::run(&parts.services, permit, &id(visit)?).await.map_err(said)?;
    Ok(Answer::empty(204))
}

/// `DELETE /sessions`: those that the query names. What it says and nobody reads would end more than was meant.
pub(super) async fn revoke_matching(
    parts: &FusionParts,
    permit: &Permit,
    visit: &Visit<'_>,
) -> Result<Answer, Refusal> {
    let flag = parts.no_refresh_query.as_deref();
    let is_read = |name: &[u8]| {
        let known = FILTERS.into_iter().chain([ALL, REALM_PARAMETER, API_KEY_PARAMETER]).chain(flag);
        known.into_iter().any(|known| known.as_bytes() == name)
    };
    if !visit.request.query_names().all(|name| is_read(&name)) {
        let why = format!("names sessions by {} or {ALL} only", FILTERS.join(", "));
        return Err(Refusal::invalid("query", why));
    }
    let all = match sole(visit, ALL)?.as_deref() {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(Refusal::invalid(ALL, "is `true` or `false`")),
    };
    let ended = revoking::matching(&parts.services, permit, &filter(visit)?, all).await.map_err(said)?;
    Ok(json::answer(200, &Ended { ended }))
}

/// `DELETE /users/ID/sessions`.
pub(super) async fn revoke_all(
    parts: &FusionParts,
    permit: &Permit,
    visit: &Visit<'_>,
) -> Result<Answer, Refusal> {
    revoking::all(&parts.services, permit, &id(visit)?).await.map_err(said)?;
    Ok(Answer::empty(204))
}

/// Which sessions the query names, wherever they are on a page.
fn filter(visit: &Visit<'_>) -> Result<Filter, Refusal> {
    let realm = sole(visit, "realm")?;
    let user = match (parsed(visit, "user")?, sole(visit, "username")?) {
        (user, None) => user,
        (None, Some(username)) => Some(user_of(&username, realm.as_deref())?),
        (Some(_), Some(_)) => return Err(Refusal::invalid("user", "names the user alone, without username")),
    };
    let method = understood(visit, "method", AuthMethod::parse, "is no way in which sessions begin")?;
    let idle = understood(visit, "idleLongerThan", span, NO_SPAN)?;
    Ok(Filter {
        user,
        realm,
        app: sole(visit, "app")?,
        scope: sole(visit, "mount")?,
        address: parsed(visit, "address")?,
        method,
        created_after: parsed(visit, "createdAfter")?,
        created_before: parsed(visit, "createdBefore")?,
        idle_longer_than: idle,
        ..Filter::default()
    })
}

/// The id of a user of this name, whether or not there is one.
fn user_of(username: &str, realm: Option<&str>) -> Result<UserId, Refusal> {
    let username = Username::presented(username).map_err(|fault| Refusal::invalid("username", fault))?;
    let realm = realm.ok_or_else(|| {
        Refusal::invalid("realm", "is missing: the same username is another user in each realm")
    })?;
    let realm = RealmName::parse(realm).map_err(|fault| Refusal::invalid("realm", fault))?;
    Ok(UserId::of(&realm, &username))
}

/// A query parameter that may be given once; `why` says what is wrong where it means nothing.
fn understood<T>(
    visit: &Visit<'_>,
    name: &'static str,
    read: fn(&str) -> Option<T>,
    why: &str,
) -> Result<Option<T>, Refusal> {
    let read = |text: String| read(&text).ok_or_else(|| Refusal::invalid(name, why));
    sole(visit, name)?.map(read).transpose()
}

const NO_SPAN: &str =
    "is no span of time: seconds such as 90, or one number and one unit of s, m, h, d, such as 30m";

/// A span of time as a query says it: seconds, or a number and a unit.
fn span(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at(text.bytes().take_while(u8::is_ascii_digit).count());
    let seconds: u64 = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(seconds).map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_seconds_or_have_a_unit() {
        let read = |text: &str| span(text).map(|span| span.as_secs());
        for (text, seconds) in
            [("0", 0), ("90", 90), ("90s", 90), ("30m", 1_800), ("8h", 28_800), ("2d", 172_800)]
        {
            assert_eq!(read(text), Some(seconds), "{text}");
        }
        assert_eq!(read(&u64::MAX.to_string()), Some(u64::MAX));
        for odd in [
            "",
            "s",
            "-1",
            "+1",
            "1.5h",
            "1w",
            "30 m",
            "1h30m",
            "30M",
            "18446744073709551616",
            "18446744073709551615m",
        ] {
            assert_eq!(read(odd), None, "{odd:?}");
        }
    }
}
