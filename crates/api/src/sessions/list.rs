//! `session.list` and `session.read`: sessions as a resource, without their tokens.

use std::collections::BTreeMap;
use std::sync::Arc;

use auth::SessionId;
use auth::sessions::Session;
use auth::trust::Permit;

pub use super::search::Filter;
use super::search::Search;
use crate::error::Error;
use crate::services::Services;

/// The operation's name for lists.
pub const NAME: &str = "session.list";
/// The operation's name for one session.
pub const NAME_ONE: &str = "session.read";

/// Sessions, in the order of their public ids; and whether there are more. A session that is there from the first page to
/// the last is on one of them, whatever comes and goes meanwhile.
///
/// # Errors
/// [`Error::Kernel`].
pub async fn run(
    services: &Services,
    permit: &Permit,
    filter: &Filter,
) -> Result<(Vec<Arc<Session>>, bool), Error> {
    permit.expect(NAME)?;
    Ok(page(services, filter).await)
}

/// One page of what a filter fits; and whether there are more.
pub(super) async fn page(services: &Services, filter: &Filter) -> (Vec<Arc<Session>>, bool) {
    // One more than is shown tells whether there are more.
    let wanted = filter.limit.saturating_add(1);
    let mut first = BTreeMap::new();
    let mut search = Search::new(services, filter);
    while first.len() < wanted || !search.is_in_order() {
        let Some(found) = search.next(wanted - first.len()).await else { break };
        for session in found {
            first.insert(session.id, session);
            if first.len() > wanted {
                first.pop_last();
            }
        }
    }
    let more = first.len() > filter.limit;
    (first.into_values().take(filter.limit).collect(), more)
}

/// One session, live or ended within the last day.
///
/// # Errors
/// [`Error::NotFound`].
pub fn one(services: &Services, permit: &Permit, id: &SessionId) -> Result<Arc<Session>, Error> {
    permit.expect(NAME_ONE)?;
    services.kernel.sessions().table().by_id(id).ok_or(Error::NotFound)
}
