//! `signing_key.withdraw`: a key that somebody else may have is no key of ours from now on. Nobody is logged out by it: sessions
//! count by their tokens' hashes, whatever signed them.

use std::sync::Arc;

use auth::trust::Permit;
use auth::{Change, KeyRing, KeyState, SigningAlgorithm, SigningKey};

use crate::error::Error;
use crate::services::{Judged, Services};

/// The operation's name.
pub const NAME: &str = "signing_key.withdraw";

/// Takes the key of this id away, at once and for good; gives the keys that are in force then. Where it signed, the next one does
/// now; where another one is needed, it is made for `algorithm`.
///
/// # Errors
/// [`Error::NotFound`] where no key has this id; [`Error::Unsigned`] where none could be made.
pub async fn run(
    services: &Services,
    permit: &Permit,
    id: &str,
    algorithm: SigningAlgorithm,
) -> Result<Arc<KeyRing>, Error> {
    permit.expect(NAME)?;
    let now = services.kernel.clock().now();
    let changed = services.change(Some(permit), NAME, |snapshot| {
        let ring = snapshot.key_ring().ok_or(Error::NotFound)?;
        let gone = ring.keys().iter().find(|key| *key.id == *id).ok_or(Error::NotFound)?;
        let left = services.signatory.withdrawn(ring, id, algorithm, now);
        let left = left.map_err(Error::Unsigned)?.ok_or(Error::NotFound)?;
        let (current, next) = (left.current(), left.next());
        Ok(Judged {
            subject: gone.id.to_string(),
            detail: format!("was {}; signs: {}; next: {}", used_as(gone), current.id, next.id),
            answer: Arc::new(left.clone()),
            changes: vec![Change::PutKeyRing(Box::new(left))],
        })
    });
    changed.await
}

/// What a key was used for, for those who read the audit log.
fn used_as(key: &SigningKey) -> &'static str {
    match key.state {
        KeyState::Current => "the current key",
        KeyState::Next => "the next key",
        KeyState::Retired { .. } => "retired",
    }
}
