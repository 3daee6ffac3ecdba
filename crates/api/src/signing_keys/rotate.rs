//! `signing_key.rotate`: the next key signs from now on, and another one waits. Nobody is logged out by it.

use std::sync::Arc;
use std::time::Duration;

use auth::trust::Permit;
use auth::{AuthMethod, Change, KeyRing, Rotation, RotationFault, SigningAlgorithm};

use crate::error::Error;
use crate::services::{Judged, Services};
use crate::sessions::search::{Filter, Search};

/// The operation's name.
pub const NAME: &str = "signing_key.rotate";

/// How the keys are changed.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// How will be signed with the key that is made.
    pub algorithm: SigningAlgorithm,
    /// The longest that a bearer token lives by the present settings.
    pub longest_life: Duration,
}

/// Rotates the keys; gives those that are in force then. `is_forced`: even if some verifiers do not know the next key yet.
///
/// # Errors
/// [`Error::Conflict`] where it is too soon, or too many retired keys are still needed; [`Error::Unsigned`].
pub async fn run(
    services: &Services,
    permit: &Permit,
    terms: Terms,
    is_forced: bool,
) -> Result<Arc<KeyRing>, Error> {
    permit.expect(NAME)?;
    let now = services.kernel.clock().now();
    let longest_life = terms.longest_life.max(longest_left(services).await);
    let rotation = Rotation { algorithm: terms.algorithm, longest_life, forced: is_forced };
    let changed = services.change(Some(permit), NAME, |snapshot| {
        let ring = snapshot.key_ring().ok_or(Error::Unsigned(auth::SignFault::NoKeys))?;
        let rotated = services.signatory.rotated(ring, rotation, now).map_err(said)?;
        let (current, next) = (rotated.current(), rotated.next());
        Ok(Judged {
            subject: current.id.to_string(),
            detail: format!(
                "before: {}; next: {} ({}){}",
                ring.current().id,
                next.id,
                next.public.algorithm().as_str(),
                if is_forced { "; forced" } else { "" },
            ),
            answer: Arc::new(rotated.clone()),
            changes: vec![Change::PutKeyRing(Box::new(rotated))],
        })
    });
    changed.await
}

/// How long the last of the tokens lives that were given until now: settings that are read again shorten the life of none. Others
/// have the thread while it looks through a million sessions; tokens that are given meanwhile live by the present settings.
pub(crate) async fn longest_left(services: &Services) -> Duration {
    let now = services.kernel.clock().now();
    let tokens = Filter { method: Some(AuthMethod::Token), ..Filter::default() };
    let mut longest = Duration::ZERO;
    loop {
        let mut search = Search::new(services, &tokens);
        while let Some(found) = search.next(usize::MAX).await {
            let ends = found.iter().map(|session| session.created.plus(session.limits.max_lifetime));
            longest = ends.map(|end| end.since(now)).fold(longest, Duration::max);
        }
        // A restore that came in between has put other tokens in force.
        if search.is_of_present(services) {
            return longest;
        }
    }
}

fn said(fault: RotationFault) -> Error {
    match fault {
        RotationFault::TooSoon(_) => Error::Conflict(
            "the next key is published for less than 10 minutes, so not every verifier knows it; try again later, or force it",
        ),
        RotationFault::TooMany(_) => {
            Error::Conflict("the tokens of too many retired keys still live; try again later")
        }
        RotationFault::Key(fault) => Error::Unsigned(fault),
    }
}
