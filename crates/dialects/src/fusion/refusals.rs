//! What this dialect says for each way in which a request can fail: the one table from reason to status and code.

use auth::Reason;
use gateway::{Answer, Clean, Refusal};
use schemars::JsonSchema;
use serde::Serialize;

use super::dialect::{DEFAULT_REALM, named_realm};
use crate::told::how_to_go_on;

/// The media type of every answer of ours with a body.
pub(super) const JSON: &str = "application/json; charset=utf-8";

/// The answer for a refusal.
pub(super) fn say(refusal: &Refusal, request: Option<&Clean<'_>>, basic_challenge: bool) -> Answer {
    let (status, code) = status_and_code(refusal);
    let answer = match refusal {
        Refusal::Invalid { field, why } => {
            super::json::answer(status, &Explained { code, field, message: why })
        }
        Refusal::WeakPassword { why, score, suggestions } => {
            let strength = Strength { score: *score, suggestions };
            super::json::answer(status, &Weak { code, field: "password", message: why, strength })
        }
        Refusal::Conflict(why) => super::json::answer(status, &Conflict { code, message: why }),
        _ => Answer::with_body(status, JSON, format!("{{\"code\":\"{code}\"}}").into_bytes()),
    };
    how_to_go_on(answer, refusal, || challenge(request, basic_challenge))
}

/// What is wrong with a field, for the person who sent it.
#[derive(Serialize, JsonSchema)]
pub(super) struct Explained<'a> {
    code: &'a str,
    field: &'a str,
    message: &'a str,
}

/// What is weak about a password.
#[derive(Serialize, JsonSchema)]
pub(super) struct Weak<'a> {
    code: &'a str,
    field: &'a str,
    message: &'a str,
    strength: Strength<'a>,
}

/// How strong a password is, as zxcvbn judges it.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Strength<'a> {
    /// From 0 (guessed at once) to 4.
    #[schemars(range(max = 4))]
    pub(super) score: u8,
    /// What would make it stronger.
    pub(super) suggestions: &'a [String],
}

/// Why what is there does not allow it.
#[derive(Serialize, JsonSchema)]
pub(super) struct Conflict<'a> {
    code: &'a str,
    message: &'a str,
}

/// Status and code of a refusal. Without a wildcard: a new reason gets its words here or does not compile.
pub(super) fn status_and_code(refusal: &Refusal) -> (u16, &'static str) {
    match refusal {
        Refusal::Auth(reason) => of_reason(reason),
        Refusal::Head { status, .. } => (*status, of_head(*status)),
        Refusal::Path(_) | Refusal::BadRequest(_) | Refusal::Invalid { .. } => (400, "bad-request"),
        Refusal::WeakPassword { .. } => (400, "invalid-password"),
        Refusal::Conflict(_) => (409, "conflict"),
        Refusal::PreconditionFailed => (412, "precondition-failed"),
        Refusal::NotFound => (404, "not-found"),
        Refusal::Unanswerable(_) => (403, "forbidden"),
        Refusal::MethodNotAllowed { .. } => (405, "method-not-allowed"),
        Refusal::MethodUnknown => (501, "not-implemented"),
        Refusal::UnsupportedMediaType => (415, "unsupported-media-type"),
        Refusal::BodyTooLarge => (413, "content-too-large"),
        Refusal::BodyTimeout => (408, "request-timeout"),
        Refusal::BadGateway(_) => (502, "bad-gateway"),
        Refusal::GatewayTimeout => (504, "gateway-timeout"),
        Refusal::Saturated => (503, "overloaded"),
        Refusal::Internal(_) => (500, "internal-error"),
    }
}

fn of_reason(reason: &Reason) -> (u16, &'static str) {
    match reason {
        Reason::NoCredentials => (401, "unauthorized"),
        Reason::ConflictingCookies => (400, "bad-request"),
        Reason::SessionUnknown | Reason::SessionEnded(_) | Reason::SessionUserGone => {
            (401, "session-unknown")
        }
        Reason::SessionIdle => (401, "session-idle-timeout"),
        Reason::SessionTooOld => (401, "session-timeout"),
        Reason::UnknownRealm | Reason::RealmDisabled => (401, "unknown-realm"),
        Reason::RealmUnavailable(_) => (503, "realm-unavailable"),
        // The same bytes for all of them: nobody learns which names exist (security.md row 56).
        Reason::UnknownUser
        | Reason::WrongPassword
        | Reason::UserDisabled
        | Reason::AccountExpired
        | Reason::AccountLocked
        | Reason::PasswordExpired
        | Reason::MustChangePassword
        | Reason::LoginNotAllowed
        | Reason::MalformedCredentials(_) => (401, "invalid-credentials"),
        Reason::TooManyAttempts { .. } => (429, "too-many-attempts"),
        Reason::InvalidToken | Reason::UnknownKey | Reason::KeyExpired => (401, "invalid-token"),
        Reason::TooManySessions => (403, "session-limit"),
        Reason::UnknownApp => (404, "not-found"),
        Reason::NotRecent => (403, "reauthentication-required"),
        Reason::Forbidden | Reason::CrossSite | Reason::NotRepeated => (403, "forbidden"),
        Reason::StoreFailed => (503, "store-unavailable"),
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

fn challenge(request: Option<&Clean<'_>>, basic: bool) -> String {
    let named = request.and_then(|request| named_realm(request).ok().flatten());
    let realm = named.as_deref().unwrap_or(DEFAULT_REALM);
    // A realm of another form is none of ours and is not repeated.
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '@' | ' ');
    let realm = if !realm.is_empty() && realm.len() <= 128 && realm.chars().all(plain) {
        realm
    } else {
        DEFAULT_REALM
    };
    if basic {
        format!("Basic realm=\"{realm}\", charset=\"UTF-8\"")
    } else {
        format!("Cookie realm=\"{realm}\"")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use auth::EndReason;

    use super::*;

    #[test]
    fn the_documents_own_answer_has_31_bytes() {
        let answer = say(&Refusal::Auth(Reason::SessionIdle), None, false);
        assert_eq!(answer.status(), 401);
        assert_eq!(answer.body(), b"{\"code\":\"session-idle-timeout\"}");
        assert_eq!(answer.body().len(), 31);
        assert_eq!(answer.fields()[0], ("Content-Type", "application/json; charset=utf-8"));
    }

    #[test]
    fn asvs_68_every_401_has_a_challenge() {
        for reason in
            [Reason::NoCredentials, Reason::SessionUnknown, Reason::WrongPassword, Reason::InvalidToken]
        {
            let answer = say(&Refusal::Auth(reason), None, false);
            assert!(answer.fields().contains(&("WWW-Authenticate", "Cookie realm=\"native\"")));
        }
        let basic = say(&Refusal::Auth(Reason::NoCredentials), None, true);
        assert!(basic.fields().iter().any(|(_, value)| value.starts_with("Basic realm=")));
    }

    #[test]
    fn asvs_56_unknown_wrong_and_disabled_are_the_same_bytes() {
        let bytes = |reason| format!("{:?}", say(&Refusal::Auth(reason), None, false));
        assert_eq!(bytes(Reason::UnknownUser), bytes(Reason::WrongPassword));
        assert_eq!(bytes(Reason::UnknownUser), bytes(Reason::UserDisabled));
    }

    #[test]
    fn the_table_of_answers() {
        let reasons = [
            Reason::NoCredentials,
            Reason::MalformedCredentials(""),
            Reason::ConflictingCookies,
            Reason::SessionUnknown,
            Reason::SessionIdle,
            Reason::SessionTooOld,
            Reason::SessionEnded(EndReason::Logout),
            Reason::SessionUserGone,
            Reason::UnknownRealm,
            Reason::RealmDisabled,
            Reason::RealmUnavailable("".into()),
            Reason::UnknownUser,
            Reason::WrongPassword,
            Reason::UserDisabled,
            Reason::TooManyAttempts { retry_after: Duration::from_secs(1) },
            Reason::InvalidToken,
            Reason::UnknownKey,
            Reason::KeyExpired,
            Reason::TooManySessions,
            Reason::UnknownApp,
            Reason::NotRecent,
            Reason::Forbidden,
            Reason::CrossSite,
            Reason::StoreFailed,
        ];
        let table: String = reasons
            .iter()
            .map(|reason| {
                let (status, code) = of_reason(reason);
                format!("{:<22} {status} {code}\n", reason.reason_id())
            })
            .collect();
        let expected = concat!(
            "no_credentials         401 unauthorized\n",
            "malformed_credentials  401 invalid-credentials\n",
            "conflicting_cookies    400 bad-request\n",
            "session_unknown        401 session-unknown\n",
            "session_idle           401 session-idle-timeout\n",
            "session_too_old        401 session-timeout\n",
            "session_ended          401 session-unknown\n",
            "session_user_gone      401 session-unknown\n",
            "unknown_realm          401 unknown-realm\n",
            "realm_disabled         401 unknown-realm\n",
            "realm_unavailable      503 realm-unavailable\n",
            "unknown_user           401 invalid-credentials\n",
            "wrong_password         401 invalid-credentials\n",
            "user_disabled          401 invalid-credentials\n",
            "too_many_attempts      429 too-many-attempts\n",
            "invalid_token          401 invalid-token\n",
            "unknown_key            401 invalid-token\n",
            "key_expired            401 invalid-token\n",
            "too_many_sessions      403 session-limit\n",
            "unknown_app            404 not-found\n",
            "not_recent             403 reauthentication-required\n",
            "forbidden              403 forbidden\n",
            "cross_site             403 forbidden\n",
            "store_failed           503 store-unavailable\n",
        );
        assert_eq!(table, expected);
    }
}
