//! A walk through the sessions that a filter fits: in steps, with the thread given to others between two of them, so that a
//! worker that searches a million sessions goes on serving.
//!
//! Called by the operations beside it. Must never hold the thread for longer than a step of the table, and never look at a
//! session's token.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use auth::sessions::{Session, Table};
use auth::{AppName, AuthMethod, Moment, SessionId, UserId};

use crate::services::Services;

/// Which sessions.
#[derive(Clone, Default)]
pub struct Filter {
    /// Of this user.
    pub user: Option<UserId>,
    /// Of this realm.
    pub realm: Option<String>,
    /// Made for this app.
    pub app: Option<String>,
    /// Of this scope: the mount that they count for.
    pub scope: Option<String>,
    /// Whose login came from this address.
    pub address: Option<IpAddr>,
    /// Begun in this way.
    pub method: Option<AuthMethod>,
    /// Begun at this moment or later.
    pub created_after: Option<Moment>,
    /// Begun earlier than this moment.
    pub created_before: Option<Moment>,
    /// Without activity for longer than this.
    pub idle_longer_than: Option<Duration>,
    /// Ended ones (within the last day) instead of live ones.
    pub ended: bool,
    /// For lists: after this id, in the order of ids.
    pub after: Option<SessionId>,
    /// For lists: at most so many.
    pub limit: usize,
}

impl Filter {
    /// Whether it names nothing that a session must have, so that every live session fits.
    #[must_use]
    pub fn fits_all(&self) -> bool {
        let Self {
            user,
            realm,
            app,
            scope,
            address,
            method,
            created_after,
            created_before,
            idle_longer_than,
            ended: _,
            after: _,
            limit: _,
        } = self;
        user.is_none()
            && [realm, app, scope].iter().all(|name| name.is_none())
            && address.is_none()
            && method.is_none()
            && created_after.is_none()
            && created_before.is_none()
            && idle_longer_than.is_none()
    }

    fn fits(&self, session: &Session, now: Moment) -> bool {
        let named =
            |wanted: &Option<String>, name: Option<&str>| wanted.is_none() || wanted.as_deref() == name;
        self.user.is_none_or(|user| session.user == user)
            && self.after.is_none_or(|after| session.id > after)
            && named(&self.realm, Some(session.realm.as_str()))
            && named(&self.app, session.app.as_ref().map(AppName::as_str))
            && named(&self.scope, Some(session.scope.as_str()))
            && self.address.is_none_or(|wanted| same_address(session.origin.address, wanted))
            && self.method.is_none_or(|method| session.method == method)
            && self.created_after.is_none_or(|moment| session.created >= moment)
            && self.created_before.is_none_or(|moment| session.created < moment)
            && self.idle_longer_than.is_none_or(|span| now.since(session.last_seen()) > span)
            && session.ended(now).is_some() == self.ended
    }
}

/// Whether two addresses are one, of which one may be written as an IPv6 address that means an IPv4 one.
fn same_address(one: IpAddr, other: IpAddr) -> bool {
    one.to_canonical() == other.to_canonical()
}

/// A search that goes on. It walks through the table that was in force when it began.
pub(crate) struct Search<'a> {
    filter: &'a Filter,
    now: Moment,
    table: Arc<Table>,
    place: Place,
    begun: bool,
}

/// Where a search goes on.
enum Place {
    /// Behind this id, among everybody's.
    All(Option<SessionId>),
    /// Below this place among one user's.
    User(UserId, Option<usize>),
    Done,
}

impl<'a> Search<'a> {
    /// A search for what `filter` fits at this moment.
    pub(crate) fn new(services: &Services, filter: &'a Filter) -> Self {
        Self {
            filter,
            now: services.kernel.clock().now(),
            table: Arc::clone(&services.kernel.sessions().table()),
            place: match filter.user {
                Some(user) => Place::User(user, None),
                None => Place::All(filter.after),
            },
            begun: false,
        }
    }

    /// What the next step found, at most `most` where the search follows the order of ids; `None` once all were looked at.
    /// Between two steps others have the thread.
    pub(crate) async fn next(&mut self, most: usize) -> Option<Vec<Arc<Session>>> {
        if matches!(self.place, Place::Done) {
            return None;
        }
        if self.begun {
            tokio::task::yield_now().await;
        }
        self.begun = true;
        let fits = |session: &Session| self.filter.fits(session, self.now);
        let (found, place) = match &self.place {
            Place::All(after) => {
                let step = self.table.page(*after, most, fits);
                (step.found, step.next.map(|next| Place::All(Some(next))))
            }
            Place::User(user, below) => {
                let step = self.table.page_of_user(user, *below, fits);
                (step.found, step.next.map(|next| Place::User(*user, Some(next))))
            }
            Place::Done => return None,
        };
        self.place = place.unwrap_or(Place::Done);
        Some(found)
    }

    /// Whether sessions are found in the order of their ids. A user's are not, and one of them may be found twice.
    pub(crate) fn is_in_order(&self) -> bool {
        self.filter.user.is_none()
    }

    /// Whether the table that it walks through is still the one in force: a restore puts another in its place.
    pub(crate) fn is_of_present(&self, services: &Services) -> bool {
        Arc::ptr_eq(&self.table, &services.kernel.sessions().table())
    }
}
