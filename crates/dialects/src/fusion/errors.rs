//! What this dialect says when an operation did nothing.

use api::Error;
use auth::SignFault;
use gateway::Refusal;

/// An operation's error as the way's refusal. Those that name a field keep their sentence: it was written for the
/// person who sent it.
pub(crate) fn said(error: Error) -> Refusal {
    match error {
        Error::Kernel(reason) => Refusal::Auth(reason),
        Error::NotFound => Refusal::NotFound,
        Error::PreconditionFailed => Refusal::PreconditionFailed,
        Error::Conflict(why) => Refusal::Conflict(why),
        Error::Invalid { field, why } => Refusal::Invalid { field, why },
        Error::Unsigned(fault) => Refusal::Internal(unsigned(&fault)),
        Error::WeakPassword(weakness) => Refusal::WeakPassword {
            why: weakness.to_string(),
            score: weakness.strength.score,
            suggestions: weakness.strength.suggestions,
        },
    }
}

fn unsigned(fault: &SignFault) -> &'static str {
    match fault {
        SignFault::NoKeys => "there are no signing keys",
        SignFault::Unreadable(_) => "the signing key cannot be read",
        SignFault::System => "the system could not sign",
        SignFault::TooLong(_) => "the token would be too long",
    }
}
