//! What operations work with.

use std::sync::Arc;

use auth::directory::{ChangeError, Snapshot};
use auth::trust::{Caller, Permit};
use auth::{AuditStore, Change, Event, Kernel, Moment, PasswordHasher, Signatory, Somebody};

use crate::error::Error;
use crate::password::PasswordJudge;
use crate::reach::administers;

/// What operations work with. Cloning shares it.
#[derive(Clone)]
pub struct Services {
    /// The kernel.
    pub kernel: Arc<Kernel>,
    /// Makes hashes of new passwords.
    pub hasher: Arc<dyn PasswordHasher>,
    /// Judges new passwords.
    pub passwords: Arc<PasswordJudge>,
    /// Who signs tokens.
    pub signatory: Arc<dyn Signatory>,
    /// The audit log, to be read.
    pub audit: Arc<dyn AuditStore>,
    /// When this process began to serve.
    pub started: Moment,
    /// Its version.
    pub version: &'static str,
}

/// A change of the directory that an operation judged good.
pub(crate) struct Judged<T> {
    /// The changes.
    pub(crate) changes: Vec<Change>,
    /// The id of what is changed, for those who write down who did what.
    pub(crate) subject: String,
    /// What it is after the change, as far as it is no secret.
    pub(crate) detail: String,
    /// What the operation answers.
    pub(crate) answer: T,
}

impl Services {
    /// The password version that a new user begins with. Drawn, as a user of the same name may have been deleted just now: what
    /// was proven of him must not hold for this one, though both were made in the same millisecond.
    pub(crate) fn first_password_version(&self) -> u64 {
        // Half of the range is left to rise in, also where stores keep signed numbers.
        u64::from(u32::from_le_bytes(*self.kernel.draw()))
    }

    /// Changes the directory and has it written down. `judge` sees the state that will be changed, alone; whether the caller
    /// may is judged again there, and nobody who administers can make himself one who does not: there is always somebody left.
    pub(crate) async fn change<T>(
        &self,
        permit: Option<&Permit>,
        operation: &'static str,
        judge: impl FnOnce(&Snapshot) -> Result<Judged<T>, Error>,
    ) -> Result<T, Error> {
        let by = permit.and_then(|permit| permit.caller().known());
        let by = by.map(|known| Somebody::from(&known.identity()));
        let address = permit.map(Permit::client);
        let (directory, now) = (self.kernel.directory(), self.kernel.clock().now());
        let change = directory.change(|snapshot| {
            let caller = permit.map(|permit| permit.again(snapshot, now)).transpose()?;
            let Judged { changes, subject, detail, answer } = judge(snapshot)?;
            if let Some(known) = caller.as_ref().and_then(Caller::known)
                && administers(snapshot, known)
                && !administers(&snapshot.after(&changes, directory.maker()), known)
            {
                return Err(Error::Conflict("nobody can take the administration from himself"));
            }
            let (subject, detail) = (subject.into_boxed_str(), detail.into_boxed_str());
            Ok((changes, Event::DirectoryChanged { by, address, operation, subject, detail }, answer))
        });
        Ok(change.await?)
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
