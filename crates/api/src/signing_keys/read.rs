//! `signing_key.list`: which keys there are, and what each is used for.

use std::sync::Arc;

use auth::KeyRing;
use auth::trust::Permit;

use crate::error::Error;
use crate::services::Services;

/// The operation's name.
pub const NAME: &str = "signing_key.list";

/// The operation's name for what everybody may have of them.
pub const NAME_PUBLISHED: &str = "signing_key.publish";

/// The keys; `None` where there are none yet.
///
/// # Errors
/// [`Error::Kernel`].
pub fn run(services: &Services, permit: &Permit) -> Result<Option<Arc<KeyRing>>, Error> {
    permit.expect(NAME)?;
    Ok(services.kernel.directory().present().key_ring().cloned())
}

/// Their public halves as a JWK Set (RFC 7517).
///
/// # Errors
/// [`Error::Kernel`].
pub fn published(services: &Services, permit: &Permit) -> Result<Arc<str>, Error> {
    permit.expect(NAME_PUBLISHED)?;
    Ok(services.signatory.key_set(&services.kernel.directory().present()))
}
