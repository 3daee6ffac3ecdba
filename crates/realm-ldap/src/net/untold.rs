//! Why nobody could tell of somebody: in words for the log, and whether that is about him or about everybody.
//!
//! Made by `network.rs`, and by the realm where an answer is none; judged by the look again at users, where one of them must not
//! stand in the way of the others. Must never take what one user can make of his own entry for a fault of the servers.

use auth::Unavailability;

/// Why nobody could tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Untold {
    pub(crate) cause: Cause,
    pub(crate) why: Unavailability,
}

/// What it lies in; the further down, the more is known of who was asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cause {
    /// In the servers or the settings: whoever is asked about, nobody can tell.
    Server,
    /// In who was asked about: of others it may be told.
    User,
    /// In how much there is of him: more than a limit has room for.
    Excess,
}

impl Untold {
    pub(crate) fn new(cause: Cause, why: Unavailability) -> Self {
        Self { cause, why }
    }
}

/// What nobody said more of is about who was asked about: then the others are asked about one by one, and none is forgotten.
impl From<Unavailability> for Untold {
    fn from(why: Unavailability) -> Self {
        Self::new(Cause::User, why)
    }
}

/// At a login it makes no difference.
impl From<Untold> for Unavailability {
    fn from(untold: Untold) -> Self {
        untold.why
    }
}
