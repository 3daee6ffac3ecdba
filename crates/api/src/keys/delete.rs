//! `key.delete`: takes a key back.

use auth::trust::Permit;
use auth::{Change, KeyId, Reason};

use super::{detail, manages};
use crate::error::Error;
use crate::precondition::Precondition;
use crate::services::{Judged, Services};

/// The operation's name.
pub const NAME: &str = "key.delete";

/// Takes a key back: the very next request with it is refused.
///
/// # Errors
/// [`Error::NotFound`], also for others' keys that are none of the caller's business; [`Error::PreconditionFailed`].
pub async fn run(
    services: &Services,
    permit: &Permit,
    id: KeyId,
    expected: &Precondition,
) -> Result<(), Error> {
    permit.expect(NAME)?;
    let caller = permit.caller().known().ok_or(Reason::NoCredentials)?;
    let change = services.change(Some(permit), NAME, |snapshot| {
        let found = snapshot.key_by_id(&id).filter(|compiled| manages(snapshot, caller, &compiled.key.user));
        let key = &found.ok_or(Error::NotFound)?.key;
        // A key is never changed: it has the version that it was made with.
        expected.check(key.created)?;
        Ok(Judged {
            changes: vec![Change::DeleteKey(id)],
            subject: id.to_string(),
            detail: detail(key, snapshot.account(&key.user).map(|account| &**account)),
            answer: (),
        })
    });
    change.await
}
