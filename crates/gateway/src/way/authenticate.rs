//! Step 5, authenticate: asks the kernel whose credentials these are. Does not choose a status code.

use std::sync::Arc;

use auth::sessions::Session;
use auth::trust::Caller;
use auth::{Admitted, EndReason, Reason, SessionToken};

use super::authorize::note_denial;
use super::present::Shown;
use super::record::Record;
use super::route::Routed;
use crate::house::House;
use crate::refusal::Refusal;

/// A request and who asks.
pub(crate) struct Asked<'r> {
    pub(super) routed: Routed<'r>,
    pub(super) caller: Caller,
}

/// What became of sessions on the way: for the answer, whatever it is.
#[derive(Default)]
pub struct Settled {
    /// The token of the session that was begun.
    pub begun: Option<SessionToken>,
    /// Whether the session that was shown has ended.
    pub ended: bool,
    /// Whether the request is one of a session.
    pub in_session: bool,
    /// The session, where this is its last request and it is still to end.
    pub(crate) last: Option<Arc<Session>>,
}

impl Settled {
    /// Ends the session whose last request was performed, before its client is told so. Where its end cannot be written he
    /// is not told; it counts no more all the same.
    pub(super) async fn conclude(&mut self, house: &House) {
        if let Some(session) = self.last.take() {
            let end = house.kernel.end(std::slice::from_ref(&session), EndReason::Logout, None).await;
            self.ended = end.is_ok();
        }
    }
}

/// Whether a refusal is for this step to have written down: those of passwords the kernel tells of, with the name; those of
/// sessions that timed out are ends, not attempts.
fn is_told_here(reason: &Reason) -> bool {
    match reason {
        Reason::NoCredentials
        | Reason::SessionUnknown
        | Reason::SessionEnded(_)
        | Reason::SessionUserGone
        | Reason::InvalidToken
        | Reason::UnknownKey
        | Reason::NotRepeated
        | Reason::KeyExpired => true,
        Reason::MalformedCredentials(_)
        | Reason::ConflictingCookies
        | Reason::SessionIdle
        | Reason::SessionTooOld
        | Reason::UnknownRealm
        | Reason::RealmDisabled
        | Reason::RealmUnavailable(_)
        | Reason::UnknownUser
        | Reason::WrongPassword
        | Reason::UserDisabled
        | Reason::AccountExpired
        | Reason::AccountLocked
        | Reason::PasswordExpired
        | Reason::MustChangePassword
        | Reason::LoginNotAllowed
        | Reason::TooManyAttempts { .. }
        | Reason::TooManySessions
        | Reason::UnknownApp
        | Reason::NotRecent
        | Reason::Forbidden
        | Reason::CrossSite
        | Reason::StoreFailed => false,
    }
}

/// Finds out who asks.
pub(super) async fn authenticate<'r>(
    house: &House,
    shown: Shown<'r>,
    settled: &mut Settled,
    record: &mut Record<'r>,
) -> Result<Asked<'r>, Refusal> {
    let Shown { routed, presented } = shown;
    let caller = match presented {
        None => Caller::Anonymous,
        Some(presented) => {
            let Routed { clean, mount, below, .. } = &routed;
            let counts =
                mount.counts(clean.method(), below) && mount.dialect.counts_as_activity(clean, below);
            let asked = house.kernel.authenticate(presented, &mount.scope, clean.client(), counts).await;
            match asked {
                Ok(Admitted { caller, begun, ended, last }) => {
                    let in_session = caller.known().is_some_and(|known| known.session().is_some());
                    *settled = Settled { begun, ended, in_session, last };
                    caller
                }
                Err(reason) => {
                    if is_told_here(&reason) {
                        note_denial(house, clean, None, &reason);
                    }
                    if let Some(pause) = house.kernel.slowed(&reason, clean.client()) {
                        tokio::time::sleep(pause).await;
                    }
                    return Err(reason.into());
                }
            }
        }
    };
    record.known(&caller);
    Ok(Asked { routed, caller })
}
