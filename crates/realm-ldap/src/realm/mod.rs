//! The realm itself: logins, the look again, the rehearsal.
//!
//! Called by the kernel through `auth::Realm`. Must never drive a connection on a gateway's worker, bind with an empty password
//! or an empty name, or take "could not ask" for "no".

mod account;
mod certificate;
mod groups;
mod login;
mod look;
mod named;
mod reader;
mod rehearsal;
mod together;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use auth::directory::Snapshot;
use auth::{
    Clock, Evidence, Password, Pending, Realm, RealmName, Recheck, Rehearsal, RehearsedStep, RoleName,
    Standing, Unavailability, UserRecords, Username, Verdict,
};
use tokio::runtime::Handle;
use zeroize::Zeroizing;

use crate::net::Network;
use crate::settings::{LoginWay, RecheckTimes, Settings};
use account::Wanted;

/// The users of an LDAP directory, who log in with their password there.
///
/// | what the directory says | verdict |
/// |---|---|
/// | no entry of this name (and a bind that cannot succeed, so that it takes as long as with one) | `NotMine` |
/// | several entries of this name | `Unavailable`, without a bind |
/// | the bind succeeds, and somebody else has his name here, or it has several values | `Unavailable` |
/// | the bind fails | `Rejected`, by the code of the answer and what the server says beside it |
/// | the bind succeeds, and he is disabled or past his time | `Rejected(Disabled)`, `Rejected(Expired)` |
/// | the bind succeeds | `Verified` with his name there, roles of his groups, attributes |
/// | no server answers in time, or the service account is refused | `Unavailable` |
///
/// With a template for a direct bind nobody asks whether there is such an entry: an unknown name and a wrong password look
/// alike (`WrongPassword`), so such a realm belongs at the end of a chain.
///
/// Connections live on the office's runtime; dropping the realm closes them, once the logins that are under way have ended.
pub struct LdapRealm {
    name: RealmName,
    core: Arc<Core>,
    recheck: Option<RecheckTimes>,
}

/// What the tasks of logins share.
struct Core {
    network: Arc<Network>,
    wanted: Wanted,
}

impl Core {
    fn settings(&self) -> &Settings {
        &self.network.settings
    }
}

impl LdapRealm {
    /// The realm called `name`, whose connections are driven by `office`. Reaches out to nobody.
    #[must_use]
    pub fn new(name: RealmName, settings: Settings, office: Handle, clock: Arc<dyn Clock>) -> Self {
        let recheck = settings.recheck.filter(|_| can_look_again(&settings));
        let wanted = Wanted::of(&settings);
        let network = Arc::new(Network::new(settings, office, clock));
        Self { name, core: Arc::new(Core { network, wanted }), recheck }
    }

    /// Runs it where the connections are. A login that nobody waits for any more ends by itself.
    async fn at_office<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Unavailability> {
        let done = self.core.network.office.spawn(auth::breathing(work)).await;
        // A panic in the task, over an answer that ldap3 could not read, or the end of the process.
        done.map_err(|_| Unavailability(Cow::Borrowed("a server's answer could not be read")))
    }
}

/// Whether users can be looked at without their passwords: by the service account, or by nobody in particular where logins
/// are made that way, too.
fn can_look_again(settings: &Settings) -> bool {
    match &settings.login.way {
        LoginWay::Search(_) => true,
        // His name here must be the one that his DN is made of.
        LoginWay::Template(template) => {
            settings.login.service.is_some()
                && template.attribute().eq_ignore_ascii_case(&settings.login.name_attribute)
        }
        LoginWay::Principal(..) => false,
    }
}

impl std::fmt::Debug for LdapRealm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("LdapRealm").field(&self.name).finish()
    }
}

impl Realm for LdapRealm {
    fn verify<'a>(&'a self, evidence: &'a Evidence, _: &'a Snapshot) -> Pending<'a, Verdict> {
        let Evidence::Password { username, password } = evidence else {
            return Box::pin(async { Verdict::NotMine });
        };
        let core = Arc::clone(&self.core);
        let (username, password) = (username.clone(), copied(password));
        let login = async move { core.log_in(&username, &password).await };
        Box::pin(async move {
            match self.at_office(login).await.flatten() {
                Ok(verdict) => verdict,
                Err(why) => Verdict::Unavailable(why),
            }
        })
    }

    fn users(&self) -> UserRecords {
        self.core.settings().users
    }

    fn grants(&self, role: &RoleName) -> bool {
        self.core.settings().groups.mapping.grants(role)
    }

    fn recheck(&self) -> Option<&dyn Recheck> {
        self.recheck.is_some().then_some(self)
    }

    fn rehearsal(&self) -> Option<&dyn Rehearsal> {
        Some(self)
    }
}

impl Recheck for LdapRealm {
    fn interval(&self) -> Duration {
        self.recheck.map_or(Duration::MAX, |times| times.interval)
    }

    fn staleness(&self) -> Duration {
        self.recheck.map_or(Duration::MAX, |times| times.staleness)
    }

    fn look<'a>(&'a self, users: &'a [Username]) -> Pending<'a, Result<Vec<Standing>, Unavailability>> {
        let core = Arc::clone(&self.core);
        let users = users.to_vec();
        let look = async move { core.look(&users).await };
        Box::pin(async move { self.at_office(look).await.flatten() })
    }
}

impl Rehearsal for LdapRealm {
    fn play<'a>(
        &'a self,
        username: &'a Username,
        password: Option<&'a Password>,
    ) -> Pending<'a, Vec<RehearsedStep>> {
        let core = Arc::clone(&self.core);
        let (username, password) = (username.clone(), password.map(copied));
        let play = async move { core.rehearse(&username, password.as_ref().map(|text| &***text)).await };
        Box::pin(async move {
            self.at_office(play).await.unwrap_or_else(|Unavailability(why)| {
                let what = "rehearse the login".to_owned();
                vec![RehearsedStep { what, took: Duration::ZERO, is_good: false, said: why.into_owned() }]
            })
        })
    }
}

/// For the task that outlives who asked for it.
fn copied(password: &Password) -> Zeroizing<String> {
    Zeroizing::new(password.expose().to_owned())
}
