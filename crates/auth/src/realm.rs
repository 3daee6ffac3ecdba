//! Realms: who may vouch for a user. A realm answers one of five verdicts and touches neither store, response, nor
//! another realm.

mod config;

use std::sync::Arc;

use zeroize::Zeroizing;

use crate::directory::Snapshot;
use crate::store::Pending;
use crate::words::credential::{Evidence, Password, PasswordHash};
use crate::words::names::{RoleName, Username};
use crate::words::records::RealmRecord;

/// What a realm says of the evidence it was shown.
pub enum Verdict {
    /// Not this realm's user, or not its kind of evidence. The next realm may be asked where none was named.
    NotMine,
    /// The login needs another leg; the bytes are sent to the client and come back with his next request.
    Challenge(Zeroizing<Vec<u8>>),
    /// It is him.
    Verified(Verified),
    /// It is not. Nobody else is asked.
    Rejected(Rejection),
    /// The realm could not tell: 503, never 401, never the next realm.
    Unavailable(Unavailability),
}

impl std::fmt::Debug for Verdict {
    /// A challenge's bytes are between the realm and the client.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotMine => f.write_str("NotMine"),
            Self::Challenge(_) => f.write_str("Challenge"),
            Self::Verified(verified) => f.debug_tuple("Verified").field(verified).finish(),
            Self::Rejected(rejection) => f.debug_tuple("Rejected").field(rejection).finish(),
            Self::Unavailable(why) => f.debug_tuple("Unavailable").field(why).finish(),
        }
    }
}

/// Whom a realm vouches for.
#[derive(Debug)]
pub struct Verified {
    /// His name as the realm has it.
    pub username: Username,
    /// Roles that his groups stand for.
    pub roles: Vec<RoleName>,
    /// His password's new hash, where the settings ask for a costlier one than the stored.
    pub rehashed: Option<PasswordHash>,
}

/// Why a realm rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// The wrong secret.
    WrongPassword,
    /// The realm knows him and does not let him in.
    Disabled,
}

/// Why a realm could not tell, for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unavailability(pub &'static str);

/// One login protocol against one source of users. What it is called and whether it counts is the directory's
/// ([`crate::directory::RealmState`]).
pub trait Realm: Send + Sync {
    /// Looks at the evidence. Takes the same time for unknown users, disabled users and wrong secrets.
    ///
    /// `directory` is the state that the login is judged by, for the realms whose users' secrets are kept here.
    fn verify<'a>(&'a self, evidence: &'a Evidence, directory: &'a Snapshot) -> Pending<'a, Verdict>;

    /// Whether its users' passwords are kept here, and can be set here.
    fn keeps_passwords(&self) -> bool {
        false
    }
}

/// Makes realms of their records. The binary has one that knows every type of its build.
pub trait RealmMaker: Send + Sync {
    /// The realm of this record. Does not reach out to its server.
    ///
    /// # Errors
    /// [`RealmFault`] where the record is of no type of this build, or its config is not of the type's form.
    fn make(&self, record: &RealmRecord) -> Result<Arc<dyn Realm>, RealmFault>;

    /// Whether the field of this dotted name in the config of a realm of this type is a secret. Without an answer of its
    /// own, what is called `…password` or `…secret`.
    fn is_secret(&self, kind: &str, field: &str) -> bool {
        let _ = kind;
        config::is_secret_by_name(field)
    }

    /// A realm's config for people: a mark stands in place of each secret.
    fn shown(&self, record: &RealmRecord) -> String {
        config::shown(&record.config, &|field| self.is_secret(&record.kind, field))
    }

    /// The config that somebody sent for a realm of this type, complete: where he sent the mark of [`shown`](Self::shown)
    /// back, the secret that `stored` holds there.
    ///
    /// # Errors
    /// [`RealmFault`] where it is no JSON object, and where a mark stands for no secret of `stored`.
    fn completed(&self, kind: &str, stored: Option<&str>, sent: &str) -> Result<String, RealmFault> {
        config::completed(stored, sent, &|field| self.is_secret(kind, field))
    }
}

/// Why there can be no realm of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RealmFault {
    /// The field that is wrong; of the config, its dotted name below `config`, which is empty for the config itself. `None`:
    /// the type itself.
    pub field: Option<String>,
    /// What is wrong with it, for the person who wrote it.
    pub why: String,
}

impl std::fmt::Display for RealmFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.field {
            Some(field) => write!(f, "{field}: {}", self.why),
            None => f.write_str(&self.why),
        }
    }
}

/// A realm that a store knows and nobody can make: it is there, and vouches for nobody.
pub struct Unmakeable;

impl Realm for Unmakeable {
    fn verify<'a>(&'a self, _: &'a Evidence, _: &'a Snapshot) -> Pending<'a, Verdict> {
        Box::pin(async {
            Verdict::Unavailable(Unavailability("this server cannot make the realm of its record"))
        })
    }
}

/// Makes hashes of passwords that are being set. Runs off the workers, bounded.
pub trait PasswordHasher: Send + Sync {
    /// A hash with the cost that the settings ask for.
    fn hash<'a>(&'a self, password: &'a Password) -> Pending<'a, Result<PasswordHash, Unavailability>>;
}
