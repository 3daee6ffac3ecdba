//! Step 5, authenticate: asks the kernel whose credentials these are. Does not choose a status code.

use auth::Reason;
use auth::trust::Caller;

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
                Ok(caller) => caller,
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
