//! Connections to directory servers: one, its breaker, the list of them, the pool of binds, the service account's searches.
//!
//! Called by `realm`, through [`Network`]. Must never decide who somebody is, or hold a lock while it waits for a server.

mod breaker;
mod connection;
mod entry;
#[cfg(test)]
pub(crate) mod fake;
mod fault;
mod gate;
mod idle;
mod inspection;
mod network;
mod relay;
mod server;
mod start_tls;
#[cfg(test)]
mod tests;
pub(crate) mod transport;
mod trust;
mod untold;

use std::time::Duration;

pub(crate) use connection::{Connection, Found, Search};
pub(crate) use entry::Entry;
pub(crate) use fault::Fault;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use inspection::{Improper, Inspection, MAX_ELEMENTS, MAX_MESSAGE_BYTES, MAX_NESTING};
pub(crate) use network::{Bound, Network};
pub(crate) use untold::{Cause, Untold};

/// How long a server is left alone after it failed.
pub(crate) const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// How long at the most, after it failed again and again.
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A connection that nobody used for so long is closed: firewalls forget them, and they cost the server memory.
pub(crate) const IDLE_KEPT: Duration = Duration::from_secs(60);
/// How often it is looked for such connections.
pub(crate) const IDLE_LOOK: Duration = Duration::from_secs(15);
/// Connections for searches to one server.
pub(crate) const SEARCH_CONNECTIONS: usize = 2;
/// Searches at a time for each connection of the pool of binds: a login makes two or three.
pub(crate) const SEARCHES_PER_BIND: usize = 4;
/// The fewest searches at a time, however small the pool.
pub(crate) const LEAST_SEARCHES: usize = 32;
/// The most searches at a time where nobody is bound for them: OpenLDAP closes anonymous connections on which more than 100
/// requests wait (`conn_max_pending`), and others at 1,000, which [`crate::limits::MAX_POOL`] keeps away from.
pub(crate) const MOST_ANONYMOUS_SEARCHES: usize = 128;
/// Entries of one page of a large search. Directories give 500 or 1,000 at a time at the most, as a rule.
pub(crate) const PAGE: i32 = 250;
/// Entries that are asked for without pages.
pub(crate) const MOST_AT_ONCE: u32 = 250;
/// Pages of one search at the most. A server that gives fewer entries at a time than asked for is still heard out.
pub(crate) const MOST_PAGES: usize = 256;
/// Bytes of what one search finds at the most: [`crate::limits::MAX_RECHECKED_AT_ONCE`] users with
/// [`crate::limits::MAX_GROUPS`] groups each, in names of 100 bytes.
pub(crate) const MOST_SEARCH_BYTES: usize = 32 * 1024 * 1024;
