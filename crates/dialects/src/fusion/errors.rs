//! What this dialect says when an operation did nothing.

use api::Error;
use gateway::Refusal;

/// An operation's error as the way's refusal. Those that name a field keep their sentence: it was written for the
/// person who sent it.
pub(super) fn said(error: Error) -> Refusal {
    match error {
        Error::Kernel(reason) => Refusal::Auth(reason),
        Error::NotFound => Refusal::NotFound,
        Error::PreconditionFailed => Refusal::PreconditionFailed,
        Error::Conflict(why) => Refusal::Conflict(why),
        Error::Invalid { field, why } => Refusal::Invalid { field, why },
        Error::WeakPassword(weakness) => Refusal::WeakPassword {
            why: weakness.to_string(),
            score: weakness.strength.score,
            suggestions: weakness.strength.suggestions,
        },
    }
}
