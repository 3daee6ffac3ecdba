//! Who reads the directory: the service account, or the user himself on the connection that he is bound on.
//!
//! Called by everything in `realm` that searches. Must never take an answer that is none for an empty one.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use auth::Unavailability;
use ldap3::Scope;

use crate::net::{Bound, Cause, Connection, Entry, Found, Network, Search, Untold};
use crate::settings::SearchScope;
use crate::words::verdicts::{Searched, judge_search};

/// Who reads.
#[derive(Clone, Copy)]
pub(super) enum Reader<'a> {
    /// The service account, or nobody in particular.
    Service(&'a Arc<Network>),
    /// The same, over a connection on which nobody else searches: what is too large is what was asked for.
    Apart(&'a Arc<Network>),
    /// The user.
    Himself(&'a Bound<'a>),
    /// Whoever is bound on a connection that nobody else uses; each search has this long.
    Alone(&'a Connection, Duration),
}

/// What reading came to.
#[derive(Debug)]
pub(super) enum Read {
    /// All there is.
    Entries(Vec<Entry>),
    /// There are more than were asked for.
    TooMany,
    /// The base is not there, or must not be known.
    Hidden,
    /// Whoever reads may not.
    Forbidden(Unavailability),
}

impl Reader<'_> {
    /// Searches.
    ///
    /// # Errors
    /// [`Untold`]: nobody answered, or the answer is no answer.
    pub(super) async fn read(self, what: &str, search: Search<'_>) -> Result<Read, Untold> {
        let Found { entries, is_cut, result } = match self {
            Self::Service(network) => network.search(search).await?,
            Self::Apart(network) => network.search_apart(search).await?,
            Self::Himself(bound) => bound.search(search).await?,
            Self::Alone(connection, limit) => {
                connection.search(search, limit).await.map_err(|fault| unavailable(fault.to_string()))?
            }
        };
        if is_cut {
            return Ok(Read::TooMany);
        }
        match judge_search(what, &result) {
            Searched::Whole => Ok(Read::Entries(entries)),
            Searched::NoBase => Ok(Read::Hidden),
            Searched::Forbidden(why) => Ok(Read::Forbidden(why)),
            Searched::More(why) | Searched::Unavailable(why) => Err(why.into()),
        }
    }

    /// Reads one entry, of this name.
    pub(super) async fn read_one(
        self,
        what: &str,
        dn: &str,
        filter: &str,
        attributes: &[&str],
    ) -> Result<Read, Untold> {
        self.read(what, Search { base: dn, scope: Scope::Base, filter, attributes, most: 1 }).await
    }

    /// Whether it is the user.
    pub(super) fn is_himself(self) -> bool {
        matches!(self, Self::Himself(_))
    }
}

/// Nobody can tell, whoever is asked about.
pub(super) fn of_nobody(why: Unavailability) -> Untold {
    Untold::new(Cause::Server, why)
}

/// There is more of him than a limit has room for.
pub(super) fn excess(why: String) -> Untold {
    Untold::new(Cause::Excess, unavailable(why))
}

/// Where the base of a search is not there.
pub(super) fn no_base(what: &str, base: &str) -> Unavailability {
    unavailable(format!("{what}: there is no {base}, or it must not be read"))
}

pub(super) fn unavailable(why: String) -> Unavailability {
    Unavailability(Cow::Owned(why))
}

/// As ldap3 calls it.
pub(super) fn scope(scope: SearchScope) -> Scope {
    match scope {
        SearchScope::One => Scope::OneLevel,
        SearchScope::Subtree => Scope::Subtree,
    }
}
