//! What operations work with.

use std::sync::Arc;

use auth::directory::ChangeError;
use auth::trust::Permit;
use auth::{Event, Kernel, Moment, PasswordHasher};

use crate::error::Error;

/// What operations work with. Cloning shares it.
#[derive(Clone)]
pub struct Services {
    /// The kernel.
    pub kernel: Arc<Kernel>,
    /// Makes hashes of new passwords.
    pub hasher: Arc<dyn PasswordHasher>,
    /// When this process began to serve.
    pub started: Moment,
    /// Its version.
    pub version: &'static str,
}

impl Services {
    /// Notes a change of the directory.
    pub(crate) fn changed(&self, permit: Option<&Permit>, operation: &'static str, subject: &str) {
        let by =
            permit.and_then(|permit| permit.caller().known()).map(|known| known.account().id_text.clone());
        self.kernel.witness().note(Event::DirectoryChanged { by, operation, subject: Box::from(subject) });
    }
}

impl From<ChangeError<Error>> for Error {
    fn from(error: ChangeError<Error>) -> Self {
        match error {
            ChangeError::Refused(refused) => refused,
            ChangeError::Store(_) => Error::Kernel(auth::Reason::StoreFailed),
        }
    }
}
