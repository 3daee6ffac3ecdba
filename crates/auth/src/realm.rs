//! Realms: who may vouch for a user. A realm answers one of five verdicts and touches neither store, response, nor
//! another realm.

use std::collections::HashMap;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::reason::Reason;
use crate::store::Pending;
use crate::words::credential::{Evidence, Password, PasswordHash};
use crate::words::names::{RealmName, RoleName, Username};

/// What a realm says of the evidence it was shown.
#[derive(Debug)]
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

/// One login protocol against one source of users.
pub trait Realm: Send + Sync {
    /// Its name.
    fn name(&self) -> &RealmName;
    /// The word for its type in the settings: `native`, `ldap` …
    fn kind(&self) -> &'static str;
    /// Looks at the evidence. Takes the same time for unknown users, disabled users and wrong secrets.
    fn verify<'a>(&'a self, evidence: &'a Evidence) -> Pending<'a, Verdict>;
}

/// Makes hashes of passwords that are being set. Runs off the workers, bounded.
pub trait PasswordHasher: Send + Sync {
    /// A hash with the cost that the settings ask for.
    fn hash<'a>(&'a self, password: &'a Password) -> Pending<'a, Result<PasswordHash, Unavailability>>;
}

/// All realms, in the order of the settings.
#[derive(Clone, Default)]
pub struct Realms {
    order: Vec<Arc<dyn Realm>>,
    by_name: HashMap<RealmName, Arc<dyn Realm>>,
}

impl Realms {
    /// These realms, in this order. Of two with one name the later counts; the settings refuse that before.
    #[must_use]
    pub fn new(order: Vec<Arc<dyn Realm>>) -> Self {
        let by_name = order.iter().map(|realm| (realm.name().clone(), Arc::clone(realm))).collect();
        Self { order, by_name }
    }

    /// The realms in order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<dyn Realm>> {
        self.order.iter()
    }

    /// Asks the realm of this name.
    ///
    /// # Errors
    /// The [`Reason`] for which nobody vouches.
    pub(crate) async fn verify(
        &self,
        name: &str,
        evidence: &Evidence,
    ) -> Result<(RealmName, Verified), Reason> {
        let realm = self.by_name.get(name).ok_or(Reason::UnknownRealm)?;
        match realm.verify(evidence).await {
            Verdict::Verified(verified) => Ok((realm.name().clone(), verified)),
            Verdict::NotMine => Err(Reason::UnknownUser),
            Verdict::Rejected(Rejection::WrongPassword) => Err(Reason::WrongPassword),
            Verdict::Rejected(Rejection::Disabled) => Err(Reason::UserDisabled),
            Verdict::Unavailable(Unavailability(why)) => Err(Reason::RealmUnavailable(why)),
            // A password login has one leg: a realm that asks for more cannot be used this way.
            Verdict::Challenge(_) => Err(Reason::RealmUnavailable("the realm asks for a second leg")),
        }
    }
}
