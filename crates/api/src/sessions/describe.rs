//! `session.describe`: who am I, and what may I.

use std::sync::Arc;

use auth::Reason;
use auth::directory::{Account, CompiledRole};
use auth::sessions::Session;
use auth::trust::Permit;

use crate::error::Error;
use crate::services::Services;

/// The operation's name.
pub const NAME: &str = "session.describe";

/// The caller and his roles.
pub struct Described {
    /// The caller.
    pub account: Arc<Account>,
    /// His roles: given directly, then inherited from the realm.
    pub roles: Vec<Arc<CompiledRole>>,
    /// The session that he came with, if it was one.
    pub session: Option<Arc<Session>>,
}

/// Describes the caller.
///
/// # Errors
/// [`Error::Kernel`] with [`Reason::NoCredentials`] where he is nobody.
pub fn run(services: &Services, permit: &Permit) -> Result<Described, Error> {
    permit.expect(NAME)?;
    let known = permit.caller().known().ok_or(Reason::NoCredentials)?;
    let account = Arc::clone(known.account());
    let snapshot = services.kernel.directory().present();
    let roles = snapshot.roles_of(&account).cloned().collect();
    Ok(Described { account, roles, session: known.session().cloned() })
}
