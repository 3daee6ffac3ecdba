//! `setup.status`: what anybody may know of this installation.

use auth::trust::Permit;
use auth::{Initialised, Moment};

use crate::error::Error;
use crate::services::Services;

/// The operation's name.
pub const NAME: &str = "setup.status";

/// What anybody may know.
pub struct Status {
    /// The version.
    pub version: &'static str,
    /// The realms that let people in, by name, with their types.
    pub realms: Vec<(String, String)>,
    /// Whether, when and by which version it was set up.
    pub initialised: Option<Initialised>,
    /// When this process began to serve.
    pub started: Moment,
}

/// Tells the status.
///
/// # Errors
/// None but a wrong permit.
pub fn run(services: &Services, permit: &Permit) -> Result<Status, Error> {
    permit.expect(NAME)?;
    let snapshot = services.kernel.directory().present();
    let enabled = snapshot.realms().map(|state| &state.record).filter(|realm| realm.enabled);
    let mut realms: Vec<_> =
        enabled.map(|realm| (realm.name.as_str().to_owned(), realm.kind.to_string())).collect();
    realms.sort();
    Ok(Status {
        version: services.version,
        realms,
        initialised: snapshot.initialised.clone(),
        started: services.started,
    })
}
