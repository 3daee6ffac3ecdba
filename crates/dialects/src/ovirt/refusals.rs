//! What this dialect says for each way in which a request can fail: the one table from reason to status and fault.

use std::borrow::Cow;

use auth::Reason;
use gateway::{Answer, Refusal, phrase};
use serde::Serialize;

use super::accept::Form;
use crate::told::how_to_go_on;

/// A fault, as the engine's clients read it.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Fault {
    #[serde(skip)]
    pub(super) status: u16,
    reason: &'static str,
    pub(super) detail: Cow<'static, str>,
}

/// What a mount's answers depend on beside the refusal.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    /// The realm that a 401 names.
    pub(super) challenge: &'static str,
    /// Live sessions of one user at the most.
    pub(super) most_sessions: usize,
}

/// The answer for a refusal.
pub(super) fn say(refusal: &Refusal, form: Form, terms: Terms) -> Answer {
    let fault = fault(refusal, terms);
    let answer = match form {
        Form::Xml => Answer::with_body(fault.status, "application/xml", xml(&fault).into_bytes()),
        Form::Json => {
            // A fault has nothing in it that JSON cannot say.
            let body = serde_json::to_vec(&fault).unwrap_or_default();
            Answer::with_body(fault.status, "application/json", body)
        }
    };
    how_to_go_on(answer, refusal, || format!("Basic realm=\"{}\"", terms.challenge))
}

fn xml(fault: &Fault) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n<fault><reason>{}</reason><detail>{}</detail></fault>",
        escape(fault.reason),
        escape(&fault.detail)
    )
}

/// A text as XML's character data; what XML 1.0 cannot say at all becomes `?`.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\t' | '\n' => escaped.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => escaped.push('?'),
            c => escaped.push(c),
        }
    }
    escaped
}

/// The fault of a refusal. Without a wildcard: a new reason gets its words here or does not compile.
pub(super) fn fault(refusal: &Refusal, terms: Terms) -> Fault {
    let (status, detail): (u16, Cow<'static, str>) = match refusal {
        Refusal::Auth(reason) => return of_reason(reason, terms),
        Refusal::Head { status, .. } => (*status, "The request's head cannot be read.".into()),
        Refusal::Path(_) => (400, "The path has more than one reading.".into()),
        Refusal::BadRequest(what) => (400, (*what).into()),
        Refusal::Invalid { field, why } => (400, format!("{field}: {why}").into()),
        Refusal::WeakPassword { why, .. } => (400, why.clone().into()),
        Refusal::Conflict(why) => (409, (*why).into()),
        Refusal::PreconditionFailed => (412, "What is there is not what If-Match names.".into()),
        Refusal::NotFound => (404, "Nothing is there.".into()),
        Refusal::Unanswerable(why) => (403, (*why).into()),
        Refusal::MethodNotAllowed { .. } => (405, "The method is not for this resource.".into()),
        Refusal::MethodUnknown => (501, "The method is not known.".into()),
        Refusal::UnsupportedMediaType => (415, "The body's media type is not this resource's.".into()),
        Refusal::BodyTooLarge => (413, "The body is too long.".into()),
        Refusal::BodyTimeout => (408, "The body did not arrive in time.".into()),
        Refusal::BadGateway(_) => (502, "The engine cannot be reached.".into()),
        Refusal::GatewayTimeout => (504, "The engine did not answer in time.".into()),
        Refusal::Saturated => (503, "Every connection to the engine is in use.".into()),
        Refusal::Internal(_) => (500, "The gateway made a mistake.".into()),
    };
    Fault { status, reason: phrase(status), detail }
}

fn of_reason(reason: &Reason, terms: Terms) -> Fault {
    let (status, detail) = match reason {
        Reason::NoCredentials => (401, "The request has no credentials."),
        Reason::ConflictingCookies => (400, "Two JSESSIONID cookies have different values."),
        Reason::SessionUnknown | Reason::SessionEnded(_) | Reason::SessionUserGone => {
            (401, "The session is not known, or has ended.")
        }
        Reason::SessionIdle => (401, "The session has idled too long."),
        Reason::SessionTooOld => (401, "The session has reached its longest life."),
        Reason::RealmUnavailable(_) => (503, "The profile's directory cannot be asked at the moment."),
        // The same bytes for all of them: nobody learns which names exist (security.md row 56).
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
        | Reason::MalformedCredentials(_) => (401, "The user name or password is incorrect."),
        Reason::TooManyAttempts { .. } => (429, "Too many logins have failed."),
        Reason::InvalidToken | Reason::UnknownKey | Reason::KeyExpired => {
            (401, "The access token is not valid, or has expired.")
        }
        Reason::TooManySessions => {
            let most = terms.most_sessions;
            let detail = format!("The user has reached the limit of {most} sessions.");
            return Fault { status: 401, reason: phrase(401), detail: detail.into() };
        }
        Reason::UnknownApp => (404, "Nothing is there."),
        Reason::NotRecent => (403, "The session is too old for this: log in again."),
        Reason::NotRepeated => (403, "The session's requests need its id in the header JSESSIONID, too."),
        Reason::Forbidden | Reason::CrossSite => (403, "The user is not authorized to perform this action."),
        Reason::StoreFailed => (503, "The gateway cannot write to its store."),
    };
    Fault { status, reason: phrase(status), detail: detail.into() }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use auth::EndReason;

    use super::*;

    const TERMS: Terms = Terms { challenge: "RESTAPI", most_sessions: 7 };

    #[test]
    fn contract_a_401_has_one_challenge_and_a_fault_in_either_form() {
        let refusal = Refusal::Auth(Reason::NoCredentials);
        let answer = say(&refusal, Form::Xml, TERMS);
        assert_eq!(answer.status(), 401);
        let fields = [("Content-Type", "application/xml"), ("WWW-Authenticate", "Basic realm=\"RESTAPI\"")];
        assert_eq!(answer.fields(), fields);
        let body = String::from_utf8(answer.body().to_vec()).unwrap();
        assert!(body.ends_with(
            "<fault><reason>Unauthorized</reason><detail>The request has no credentials.</detail></fault>"
        ));
        let answer = say(&refusal, Form::Json, Terms { challenge: "ENGINE", ..TERMS });
        assert_eq!(answer.body(), br#"{"reason":"Unauthorized","detail":"The request has no credentials."}"#);
        assert_eq!(answer.fields()[1].1, "Basic realm=\"ENGINE\"");
    }

    #[test]
    fn contract_row_12_the_body_names_the_limit() {
        let told = fault(&Refusal::Auth(Reason::TooManySessions), TERMS);
        assert_eq!((told.status, &*told.detail), (401, "The user has reached the limit of 7 sessions."));
    }

    #[test]
    fn asvs_56_unknown_wrong_and_disabled_are_the_same_bytes() {
        let bytes = |reason| format!("{:?}", say(&Refusal::Auth(reason), Form::Xml, TERMS));
        for reason in
            [Reason::WrongPassword, Reason::UserDisabled, Reason::AccountLocked, Reason::UnknownRealm]
        {
            assert_eq!(bytes(Reason::UnknownUser), bytes(reason));
        }
    }

    #[test]
    fn no_text_becomes_markup() {
        let refusal = Refusal::Invalid { field: "a".into(), why: "<b>&\u{1}]]>".to_owned() };
        let body = say(&refusal, Form::Xml, TERMS).body().to_vec();
        assert!(String::from_utf8(body).unwrap().contains("<detail>a: &lt;b&gt;&amp;?]]&gt;</detail>"));
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
            Reason::RealmUnavailable("".into()),
            Reason::WrongPassword,
            Reason::TooManyAttempts { retry_after: Duration::from_millis(1) },
            Reason::InvalidToken,
            Reason::KeyExpired,
            Reason::TooManySessions,
            Reason::NotRepeated,
            Reason::Forbidden,
            Reason::CrossSite,
            Reason::StoreFailed,
        ];
        let statuses: Vec<u16> = reasons.iter().map(|reason| of_reason(reason, TERMS).status).collect();
        let expected =
            [401, 401, 400, 401, 401, 401, 401, 401, 401, 503, 401, 429, 401, 401, 401, 403, 403, 403, 503];
        assert_eq!(statuses, expected);
    }
}
