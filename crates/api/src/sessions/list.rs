//! `session.list` and `session.read`: sessions as a resource, without their tokens.

use std::sync::Arc;

use auth::sessions::Session;
use auth::trust::Permit;
use auth::{SessionId, UserId};

use crate::error::Error;
use crate::services::Services;

/// The operation's name for lists.
pub const NAME: &str = "session.list";
/// The operation's name for one session.
pub const NAME_ONE: &str = "session.read";

/// Which sessions.
#[derive(Default)]
pub struct Filter {
    /// Of this user.
    pub user: Option<UserId>,
    /// Of this realm.
    pub realm: Option<String>,
    /// Made for this app.
    pub app: Option<String>,
    /// Ended ones (within the last day) instead of live ones.
    pub ended: bool,
    /// After this id, in the order of ids.
    pub after: Option<SessionId>,
    /// At most so many.
    pub limit: usize,
}

/// Sessions, in the order of their public ids; and whether there are more.
///
/// # Errors
/// [`Error::Kernel`].
pub fn run(
    services: &Services,
    permit: &Permit,
    filter: &Filter,
) -> Result<(Vec<Arc<Session>>, bool), Error> {
    permit.expect(NAME)?;
    let now = services.kernel.clock().now();
    let table = services.kernel.sessions().table();
    let fits = |session: &Session| {
        session.ended(now).is_some() == filter.ended
            && filter.user.is_none_or(|user| session.user == user)
            && filter.realm.as_deref().is_none_or(|realm| session.realm.as_str() == realm)
            && filter
                .app
                .as_deref()
                .is_none_or(|app| session.app.as_ref().is_some_and(|own| own.as_str() == app))
            && filter.after.is_none_or(|after| session.id > after)
    };
    let mut found = match &filter.user {
        Some(user) => table.of_user(user).into_iter().filter(|session| fits(session)).collect(),
        None => table.filtered(fits),
    };
    found.sort_unstable_by_key(|session| session.id);
    let more = found.len() > filter.limit;
    found.truncate(filter.limit);
    Ok((found, more))
}

/// One session, live or ended within the last day.
///
/// # Errors
/// [`Error::NotFound`].
pub fn one(services: &Services, permit: &Permit, id: &SessionId) -> Result<Arc<Session>, Error> {
    permit.expect(NAME_ONE)?;
    services.kernel.sessions().table().by_id(id).ok_or(Error::NotFound)
}
