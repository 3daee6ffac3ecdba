//! What this dialect says for each way in which a request can fail: the one table from reason to status, code and sentence,
//! as problem details (RFC 9457). The type is `about:blank`: what a program decides by is `code`, which never changes.

use std::borrow::Cow;

use auth::Reason;
use gateway::{Answer, Refusal, phrase};
use serde::Serialize;

use crate::told::how_to_go_on;

/// The media type of a problem (RFC 9457 section 3).
const PROBLEM: &str = "application/problem+json";

/// The protection space that a challenge names (RFC 9110 section 11.5).
const SPACE: &str = "doorward";

/// A problem. There is no `instance`: which request it was is in the log.
#[derive(Serialize)]
struct Problem<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    /// The status code's own phrase, as `about:blank` asks for (RFC 9457 section 4.2.1).
    title: &'static str,
    status: u16,
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<Cow<'a, str>>,
    /// The field of the request that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
    /// How strong the password was that was to be set.
    #[serde(skip_serializing_if = "Option::is_none")]
    strength: Option<Strength<'a>>,
}

#[derive(Serialize)]
struct Strength<'a> {
    /// From 0 (guessed at once) to 4.
    score: u8,
    suggestions: &'a [String],
}

/// Status, code and the sentence for a person, where one helps.
type Told<'a> = (u16, &'static str, Option<Cow<'a, str>>);

/// The answer for a refusal.
pub(super) fn say(refusal: &Refusal, basic_challenge: bool) -> Answer {
    let (status, code, detail) = told(refusal);
    let (field, strength) = match refusal {
        Refusal::Invalid { field, .. } => (Some(&**field), None),
        Refusal::WeakPassword { score, suggestions, .. } => {
            (Some("password"), Some(Strength { score: *score, suggestions }))
        }
        _ => (None, None),
    };
    let title = phrase(status);
    let problem = Problem { kind: "about:blank", title, status, code, detail, field, strength };
    // A problem has nothing in it that JSON cannot say.
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    let answer = Answer::with_body(status, PROBLEM, body);
    how_to_go_on(answer, refusal, || challenge(refusal, basic_challenge))
}

/// Every 401 says how one gets in (RFC 9110 section 15.5.2). `Bearer` makes no browser show a dialog; that a token was wrong
/// is said where one was shown (RFC 6750 section 3.1).
fn challenge(refusal: &Refusal, basic: bool) -> String {
    match refusal {
        Refusal::Auth(Reason::InvalidToken) => format!("Bearer realm=\"{SPACE}\", error=\"invalid_token\""),
        _ if basic => format!("Basic realm=\"{SPACE}\", charset=\"UTF-8\""),
        _ => format!("Bearer realm=\"{SPACE}\""),
    }
}

/// What is told of a refusal. Without a wildcard: a new reason gets its words here or does not compile.
fn told(refusal: &Refusal) -> Told<'_> {
    let plainly = |status, code| (status, code, None);
    match refusal {
        Refusal::Auth(reason) => {
            let (status, code, detail) = of_reason(reason);
            (status, code, detail.map(Cow::Borrowed))
        }
        Refusal::Head { status, .. } => plainly(*status, of_head(*status)),
        Refusal::Path(fault) => (400, "bad-request", Some(format!("The path: {fault}").into())),
        Refusal::BadRequest(what) => (400, "bad-request", Some((*what).into())),
        Refusal::Invalid { why, .. } => (400, "bad-request", Some(why.into())),
        Refusal::WeakPassword { why, .. } => (400, "invalid-password", Some(why.into())),
        Refusal::Conflict(why) => (409, "conflict", Some((*why).into())),
        Refusal::PreconditionFailed => plainly(412, "precondition-failed"),
        Refusal::NotFound => plainly(404, "not-found"),
        Refusal::Unanswerable(why) => (403, "forbidden", Some((*why).into())),
        Refusal::MethodNotAllowed { .. } => plainly(405, "method-not-allowed"),
        Refusal::MethodUnknown => plainly(501, "not-implemented"),
        Refusal::UnsupportedMediaType => plainly(415, "unsupported-media-type"),
        Refusal::BodyTooLarge => plainly(413, "content-too-large"),
        Refusal::BodyTimeout => plainly(408, "request-timeout"),
        Refusal::BadGateway(_) => plainly(502, "bad-gateway"),
        Refusal::GatewayTimeout => plainly(504, "gateway-timeout"),
        Refusal::Saturated => plainly(503, "overloaded"),
        Refusal::Internal(_) => plainly(500, "internal-error"),
    }
}

fn of_reason(reason: &Reason) -> (u16, &'static str, Option<&'static str>) {
    match reason {
        Reason::NoCredentials => (401, "unauthorized", None),
        Reason::ConflictingCookies => {
            (400, "bad-request", Some("Two session cookies have different values."))
        }
        Reason::SessionUnknown | Reason::SessionEnded(_) | Reason::SessionUserGone => {
            (401, "session-unknown", None)
        }
        Reason::SessionIdle => (401, "session-idle-timeout", Some("The session has idled too long.")),
        Reason::SessionTooOld => (401, "session-timeout", Some("The session has reached its longest life.")),
        Reason::RealmUnavailable(_) => {
            (503, "realm-unavailable", Some("Who you are cannot be checked at the moment."))
        }
        // The same bytes for all of them: nobody learns which names or realms exist (security.md row 56).
        Reason::UnknownRealm
        | Reason::RealmDisabled
        | Reason::UnknownUser
        | Reason::WrongPassword
        | Reason::UserDisabled
        | Reason::AccountExpired
        | Reason::AccountLocked
        | Reason::PasswordExpired
        | Reason::MustChangePassword
        | Reason::LoginNotAllowed
        | Reason::MalformedCredentials(_) => (401, "invalid-credentials", None),
        Reason::TooManyAttempts { .. } => (429, "too-many-attempts", Some("Too many logins have failed.")),
        Reason::InvalidToken | Reason::UnknownKey | Reason::KeyExpired => (401, "invalid-token", None),
        Reason::TooManySessions => (403, "session-limit", Some("You have as many sessions as you may have.")),
        Reason::UnknownApp => (404, "not-found", None),
        Reason::NotRecent => (403, "reauthentication-required", Some("The login is too long ago for this.")),
        Reason::Forbidden | Reason::CrossSite | Reason::NotRepeated => (403, "forbidden", None),
        Reason::StoreFailed => (503, "store-unavailable", Some("Nothing can be written at the moment.")),
    }
}

fn of_head(status: u16) -> &'static str {
    match status {
        408 => "request-timeout",
        414 => "uri-too-long",
        431 => "header-too-large",
        501 => "not-implemented",
        505 => "http-version-not-supported",
        _ => "bad-request",
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use auth::EndReason;

    use super::*;

    fn body(refusal: &Refusal) -> String {
        String::from_utf8(say(refusal, false).body().to_vec()).unwrap()
    }

    fn challenge_of(reason: Reason, basic: bool) -> String {
        let answer = say(&Refusal::Auth(reason), basic);
        let told: Vec<_> =
            answer.fields().into_iter().filter(|(name, _)| *name == "WWW-Authenticate").collect();
        assert_eq!((answer.status(), told.len()), (401, 1));
        told[0].1.to_owned()
    }

    #[test]
    fn contract_a_refusal_is_a_problem() {
        let refusal = Refusal::Auth(Reason::SessionIdle);
        assert_eq!(
            body(&refusal),
            "{\"type\":\"about:blank\",\"title\":\"Unauthorized\",\"status\":401,\
             \"code\":\"session-idle-timeout\",\"detail\":\"The session has idled too long.\"}"
        );
        assert_eq!(say(&refusal, false).fields()[0], ("Content-Type", "application/problem+json"));
        assert_eq!(
            body(&Refusal::NotFound),
            "{\"type\":\"about:blank\",\"title\":\"Not Found\",\"status\":404,\"code\":\"not-found\"}"
        );
        let invalid = Refusal::invalid("limit", "is a \"number\"");
        assert!(body(&invalid).ends_with(",\"detail\":\"is a \\\"number\\\"\",\"field\":\"limit\"}"));
        let weak =
            Refusal::WeakPassword { why: "short".into(), score: 1, suggestions: vec!["longer".into()] };
        let end = ",\"field\":\"password\",\"strength\":{\"score\":1,\"suggestions\":[\"longer\"]}}";
        assert!(body(&weak).ends_with(end));
    }

    #[test]
    fn asvs_68_every_401_has_a_challenge() {
        for reason in [Reason::NoCredentials, Reason::SessionUnknown, Reason::WrongPassword] {
            assert_eq!(challenge_of(reason.clone(), false), "Bearer realm=\"doorward\"");
            assert_eq!(challenge_of(reason, true), "Basic realm=\"doorward\", charset=\"UTF-8\"");
        }
        let wrong = "Bearer realm=\"doorward\", error=\"invalid_token\"";
        assert_eq!(challenge_of(Reason::InvalidToken, true), wrong);
    }

    #[test]
    fn asvs_56_unknown_wrong_and_disabled_are_the_same_bytes() {
        let bytes = |reason| format!("{:?}", say(&Refusal::Auth(reason), false));
        for reason in [
            Reason::WrongPassword,
            Reason::UserDisabled,
            Reason::AccountLocked,
            Reason::UnknownRealm,
            Reason::MalformedCredentials("x"),
        ] {
            assert_eq!(bytes(Reason::UnknownUser), bytes(reason));
        }
    }

    #[test]
    fn retry_after_is_whole_seconds_and_never_zero() {
        for (wait, told) in [(1, "1"), (1_001, "2"), (300_000, "300")] {
            let retry_after = Duration::from_millis(wait);
            let answer = say(&Refusal::Auth(Reason::TooManyAttempts { retry_after }), false);
            assert_eq!(answer.fields()[1], ("Retry-After", told));
        }
    }

    #[test]
    fn the_table_of_answers() {
        let reasons = [
            (Reason::NoCredentials, "401 unauthorized"),
            (Reason::MalformedCredentials(""), "401 invalid-credentials"),
            (Reason::ConflictingCookies, "400 bad-request"),
            (Reason::SessionUnknown, "401 session-unknown"),
            (Reason::SessionIdle, "401 session-idle-timeout"),
            (Reason::SessionTooOld, "401 session-timeout"),
            (Reason::SessionEnded(EndReason::Logout), "401 session-unknown"),
            (Reason::SessionUserGone, "401 session-unknown"),
            (Reason::UnknownRealm, "401 invalid-credentials"),
            (Reason::RealmDisabled, "401 invalid-credentials"),
            (Reason::RealmUnavailable("".into()), "503 realm-unavailable"),
            (Reason::UnknownUser, "401 invalid-credentials"),
            (Reason::WrongPassword, "401 invalid-credentials"),
            (Reason::UserDisabled, "401 invalid-credentials"),
            (Reason::AccountExpired, "401 invalid-credentials"),
            (Reason::AccountLocked, "401 invalid-credentials"),
            (Reason::PasswordExpired, "401 invalid-credentials"),
            (Reason::MustChangePassword, "401 invalid-credentials"),
            (Reason::LoginNotAllowed, "401 invalid-credentials"),
            (Reason::TooManyAttempts { retry_after: Duration::from_secs(1) }, "429 too-many-attempts"),
            (Reason::InvalidToken, "401 invalid-token"),
            (Reason::UnknownKey, "401 invalid-token"),
            (Reason::KeyExpired, "401 invalid-token"),
            (Reason::TooManySessions, "403 session-limit"),
            (Reason::UnknownApp, "404 not-found"),
            (Reason::NotRecent, "403 reauthentication-required"),
            (Reason::NotRepeated, "403 forbidden"),
            (Reason::Forbidden, "403 forbidden"),
            (Reason::CrossSite, "403 forbidden"),
            (Reason::StoreFailed, "503 store-unavailable"),
        ];
        for (reason, expected) in reasons {
            let (status, code, _) = of_reason(&reason);
            assert_eq!(format!("{status} {code}"), expected, "{reason:?}");
        }
    }

    #[test]
    fn the_table_of_the_other_refusals() {
        let head = |status| Refusal::Head { status, reason_id: "x" };
        for (refusal, expected) in [
            (head(400), "400 bad-request"),
            (head(408), "408 request-timeout"),
            (head(414), "414 uri-too-long"),
            (head(431), "431 header-too-large"),
            (head(501), "501 not-implemented"),
            (head(505), "505 http-version-not-supported"),
            (Refusal::BadRequest("x"), "400 bad-request"),
            (Refusal::Conflict("x"), "409 conflict"),
            (Refusal::PreconditionFailed, "412 precondition-failed"),
            (Refusal::NotFound, "404 not-found"),
            (Refusal::MethodNotAllowed { allow: "GET" }, "405 method-not-allowed"),
            (Refusal::MethodUnknown, "501 not-implemented"),
            (Refusal::UnsupportedMediaType, "415 unsupported-media-type"),
            (Refusal::BodyTooLarge, "413 content-too-large"),
            (Refusal::BodyTimeout, "408 request-timeout"),
            (Refusal::BadGateway("x"), "502 bad-gateway"),
            (Refusal::GatewayTimeout, "504 gateway-timeout"),
            (Refusal::Saturated, "503 overloaded"),
            (Refusal::Internal("CANARY"), "500 internal-error"),
        ] {
            let (status, code, _) = told(&refusal);
            assert_eq!(format!("{status} {code}"), expected);
            assert!(!body(&refusal).contains("CANARY"), "our own mistakes are nobody's business");
        }
    }
}
