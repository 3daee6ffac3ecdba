//! What every dialect tells in the same way: when to come again, what is allowed, what a user's realm says of him. Called by the
//! dialects. Must never hold a word of one of them.

use std::time::Duration;

use auth::Reason;
use auth::directory::Account;
use auth::trust::Authenticated;
use gateway::{Answer, Refusal};

/// What a token is that is not taken back where others are (RFC 7009 section 2.2.1).
pub(crate) const UNSUPPORTED_TOKEN_TYPE: &str = "unsupported_token_type";

/// The answer to a refusal with the fields that tell the client how to go on (RFC 9110): when to come again, which methods are
/// allowed, and, with a 401, `challenge`.
pub(crate) fn how_to_go_on(answer: Answer, refusal: &Refusal, challenge: impl FnOnce() -> String) -> Answer {
    match refusal {
        Refusal::Auth(Reason::TooManyAttempts { retry_after }) => {
            answer.field("Retry-After", seconds(*retry_after))
        }
        Refusal::Auth(Reason::RealmUnavailable(_) | Reason::StoreFailed) | Refusal::Saturated => {
            answer.field("Retry-After", "1")
        }
        Refusal::MethodNotAllowed { allow } => answer.field("Allow", *allow),
        _ if answer.status() == 401 => answer.field("WWW-Authenticate", challenge()),
        _ => answer,
    }
}

/// Whole seconds, rounded up, at least one.
pub(crate) fn seconds(wait: Duration) -> String {
    wait.as_millis().div_ceil(1_000).max(1).to_string()
}

/// The fields in which backends without a history of their own are told who it is: his name, his id, his realm.
pub(crate) const FORWARDED_NAMES: [&str; 3] =
    ["X-Forwarded-User", "X-Forwarded-User-Id", "X-Forwarded-Realm"];

/// Tells a backend in [`FORWARDED_NAMES`] who it is, and what his realm says of him.
pub(crate) fn forwarded(
    known: &Authenticated,
    fields: &[(Box<str>, Box<str>)],
    field: &mut dyn FnMut(&str, &str),
) {
    let account = known.account();
    let [user, id, realm] = FORWARDED_NAMES;
    field(user, account.user.username.shown());
    field(id, &account.id_text);
    field(realm, account.user.realm.as_str());
    attributes(account, fields, field);
}

/// Every field in which a backend is told who it is: the dialect's own, and the mount's for what realms say.
pub(crate) fn identity_names<'n>(
    own: impl IntoIterator<Item = &'n str>,
    fields: &'n [(Box<str>, Box<str>)],
) -> Vec<&'n str> {
    own.into_iter().chain(fields.iter().map(|(_, name)| &**name)).collect()
}

/// Tells a backend what a user's realm says of him, in the fields that the mount has for it: the attribute's name, the field's.
pub(crate) fn attributes(
    account: &Account,
    fields: &[(Box<str>, Box<str>)],
    field: &mut dyn FnMut(&str, &str),
) {
    for (attribute, name) in fields {
        if let Some(said) = account.user.vouched.attributes.iter().find(|said| said.name == *attribute) {
            field(name, &said.value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_whole_seconds_rounded_up() {
        assert_eq!(seconds(Duration::from_millis(1)), "1");
        assert_eq!(seconds(Duration::from_millis(1_001)), "2");
        assert_eq!(seconds(Duration::from_secs(300)), "300");
    }
}
