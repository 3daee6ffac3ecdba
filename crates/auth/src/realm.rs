//! Realms: who may vouch for a user. A realm answers one of five verdicts and touches neither store, response, nor
//! another realm.

mod config;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::directory::Snapshot;
use crate::store::Pending;
use crate::words::credential::{Evidence, Password, PasswordHash};
use crate::words::names::{RoleName, Username};
use crate::words::records::{Attribute, RealmRecord};

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
    /// It is not, and the name that was shown is another name of this user: failures are counted for him, whichever of his
    /// names is tried.
    RejectedAs(Username, Rejection),
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
            Self::RejectedAs(user, rejection) => {
                f.debug_tuple("RejectedAs").field(user).field(rejection).finish()
            }
            Self::Unavailable(why) => f.debug_tuple("Unavailable").field(why).finish(),
        }
    }
}

/// Whom a realm vouches for.
#[derive(Debug)]
pub struct Verified {
    /// His name as the realm has it, whichever way he wrote it.
    pub username: Username,
    /// Roles that his groups stand for.
    pub roles: Vec<RoleName>,
    /// What else the realm says of him (his mail address, the name that people call him), by the names that the settings
    /// give it. No more than [`crate::limits::MAX_ATTRIBUTES`], none longer than [`crate::limits::MAX_ATTRIBUTE_BYTES`].
    pub attributes: Vec<Attribute>,
    /// His password's new hash, where the settings ask for a costlier one than the stored.
    pub rehashed: Option<PasswordHash>,
}

impl Verified {
    /// Somebody of whom the realm says nothing but his name.
    #[must_use]
    pub fn named(username: Username) -> Self {
        Self { username, roles: Vec::new(), attributes: Vec::new(), rehashed: None }
    }
}

/// Why a realm rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// The wrong secret.
    WrongPassword,
    /// The realm knows him and does not let him in.
    Disabled,
    /// His account was for a time that is over.
    Expired,
    /// His account is locked, for too many failures as a rule.
    Locked,
    /// His password is too old.
    PasswordExpired,
    /// He must choose another password before anything else.
    MustChangePassword,
    /// He may not log in at this time, or from here.
    NotAllowed,
}

/// Why a realm could not tell, for the log. Holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unavailability(pub Cow<'static, str>);

/// Where the records of a realm's users come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserRecords {
    /// An administrator makes them, with a password that is kept here.
    WithPassword,
    /// An administrator makes them; who has none is not let in.
    ByHand,
    /// The first login makes them, and they stay.
    AtFirstLogin,
    /// A login makes them, and they go with the last of the user's sessions.
    Ephemeral,
}

/// One login protocol against one source of users. What it is called and whether it counts is the directory's
/// ([`crate::directory::RealmState`]).
pub trait Realm: Send + Sync {
    /// Looks at the evidence. Takes the same time for unknown users, disabled users and wrong secrets.
    ///
    /// `directory` is the state that the login is judged by, for the realms whose users' secrets are kept here.
    fn verify<'a>(&'a self, evidence: &'a Evidence, directory: &'a Snapshot) -> Pending<'a, Verdict>;

    /// Where the records of its users come from.
    fn users(&self) -> UserRecords {
        UserRecords::ByHand
    }

    /// Whether its users' passwords are kept here, and can be set here.
    fn keeps_passwords(&self) -> bool {
        self.users() == UserRecords::WithPassword
    }

    /// The names of the header fields in which somebody in front of the gateway says who the user is, in lower case; none
    /// for most realms. They are evidence, and so they are shown to the realm and to nobody else.
    fn asserting_fields(&self) -> &[Box<str>] {
        &[]
    }

    /// Whether groups of it can stand for this role, as it is set up now. What it said of somebody before it was set up so counts
    /// no more beyond that. Asked with requests: a look-up, and no more. Without an answer of its own, no group stands for any
    /// role.
    fn grants(&self, role: &RoleName) -> bool {
        let _ = role;
        false
    }

    /// How those whom it vouched for are looked at again, where it can tell.
    fn recheck(&self) -> Option<&dyn Recheck> {
        None
    }

    /// How an operator tries it, where there is something to try.
    fn rehearsal(&self) -> Option<&dyn Rehearsal> {
        None
    }
}

/// Looks again at users who are logged in, without their secrets.
pub trait Recheck: Send + Sync {
    /// A user is looked at again this long after he was vouched for last.
    fn interval(&self) -> Duration;

    /// Whom nobody could ask about for this long is let in no more.
    fn staleness(&self) -> Duration;

    /// How these users stand, in their order. Of whom it cannot tell, for a reason that is not everybody's, it says
    /// [`Standing::Untold`].
    ///
    /// # Errors
    /// [`Unavailability`]: nobody can tell now, of none of its users.
    fn look<'a>(&'a self, users: &'a [Username]) -> Pending<'a, Result<Vec<Standing>, Unavailability>>;
}

/// How a user stands with his realm.
#[derive(Debug)]
pub enum Standing {
    /// He would be let in with the right secret; this is what the realm says of him now.
    Good(Verified),
    /// He would not.
    Out(Rejection),
    /// The realm does not know him.
    Gone,
    /// The realm cannot tell of him now, though it can tell of others.
    Untold(Unavailability),
}

/// A login that an operator plays through, to see each step of it. Counts as no login, and makes no session.
pub trait Rehearsal: Send + Sync {
    /// The steps until it succeeded or could not go on. Without a password: as far as one comes without.
    fn play<'a>(
        &'a self,
        username: &'a Username,
        password: Option<&'a Password>,
    ) -> Pending<'a, Vec<RehearsedStep>>;
}

/// One step of a rehearsal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RehearsedStep {
    /// What was done, with what: "search ou=people,dc=example,dc=org for (uid=alice)".
    pub what: String,
    /// How long it took.
    pub took: Duration,
    /// Whether it went well.
    pub is_good: bool,
    /// What the server said, or what came of it. Holds no secret.
    pub said: String,
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

    /// Whether the field of this dotted name says to whom the secrets of the config are sent, or how.
    fn is_destination(&self, kind: &str, field: &str) -> bool {
        let _ = (kind, field);
        false
    }

    /// The config that somebody sent for a realm of this type, complete: where he sent the mark of [`shown`](Self::shown)
    /// back, the secret that `stored` holds there. Whoever changes where secrets are sent says them anew: else he would
    /// learn them.
    ///
    /// # Errors
    /// [`RealmFault`] where it is no JSON object, and where a mark stands for no secret of `stored`.
    fn completed(&self, kind: &str, stored: Option<&str>, sent: &str) -> Result<String, RealmFault> {
        let fields = config::Fields {
            is_secret: &|field| self.is_secret(kind, field),
            is_destination: &|field| self.is_destination(kind, field),
        };
        config::completed(stored, sent, &fields)
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
            Verdict::Unavailable(Unavailability(Cow::Borrowed(
                "this server cannot make the realm of its record",
            )))
        })
    }
}

/// Makes hashes of passwords that are being set. Runs off the workers, bounded.
pub trait PasswordHasher: Send + Sync {
    /// A hash with the cost that the settings ask for.
    fn hash<'a>(&'a self, password: &'a Password) -> Pending<'a, Result<PasswordHash, Unavailability>>;
}
