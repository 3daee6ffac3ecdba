//! `session.mine`, `session.end_mine` and `session.end_others`: whoever is logged in sees where else he is, and ends what he does not know.
//!
//! Ending needs more than a session that somebody may have left open: a login or a password of the last minutes.

use std::sync::Arc;

use auth::sessions::Session;
use auth::trust::{Authenticated, Permit};
use auth::{EndReason, Reason, SessionId};
use zeroize::Zeroizing;

use super::list::page;
use super::revoke::end_fitting;
use super::search::Filter;
use crate::error::Error;
use crate::reproof;
use crate::services::Services;

/// The operation's name for the list.
pub const NAME: &str = "session.mine";
/// The operation's name for ending one.
pub const NAME_END: &str = "session.end_mine";
/// The operation's name for ending all but the one that asks.
pub const NAME_END_OTHERS: &str = "session.end_others";

/// The caller's live sessions, wherever they count, in the order of their public ids; and whether there are more.
///
/// # Errors
/// [`Error::Kernel`] with [`Reason::NoCredentials`] where he is nobody.
pub async fn run(
    services: &Services,
    permit: &Permit,
    after: Option<SessionId>,
    limit: usize,
) -> Result<(Vec<Arc<Session>>, bool), Error> {
    permit.expect(NAME)?;
    let filter = Filter { after, limit, ..his(known(permit)?) };
    Ok(page(services, &filter).await)
}

/// Ends one of the caller's sessions; `proven` is his present password, where he gave it. Its end is on disk when this
/// resolves.
///
/// # Errors
/// [`Error::Kernel`] with [`Reason::NotRecent`] where his login is not recent and no password is given;
/// [`Error::Invalid`] where it is wrong; [`Error::NotFound`] where no live session of his has this id.
pub async fn end(
    services: &Services,
    permit: &Permit,
    id: &SessionId,
    proven: Option<Zeroizing<String>>,
) -> Result<(), Error> {
    permit.expect(NAME_END)?;
    let known = known(permit)?;
    reproof::recent(services, permit, known, proven).await?;
    let session = services.kernel.sessions().table().by_id(id);
    let session = session.filter(|session| session.user == known.account().user.id).ok_or(Error::NotFound)?;
    if services.kernel.end(&[session], EndReason::Revoked, Some(known)).await? == 0 {
        return Err(Error::NotFound);
    }
    Ok(())
}

/// Ends all of the caller's sessions but the one that he came with; how many. See [`end`] for `proven`.
///
/// # Errors
/// As [`end`], without [`Error::NotFound`].
pub async fn end_others(
    services: &Services,
    permit: &Permit,
    proven: Option<Zeroizing<String>>,
) -> Result<usize, Error> {
    permit.expect(NAME_END_OTHERS)?;
    let known = known(permit)?;
    reproof::recent(services, permit, known, proven).await?;
    end_fitting(services, permit, &his(known), known.session().map(|session| &**session)).await
}

fn known(permit: &Permit) -> Result<&Authenticated, Reason> {
    permit.caller().known().ok_or(Reason::NoCredentials)
}

fn his(known: &Authenticated) -> Filter {
    Filter { user: Some(known.account().user.id), ..Filter::default() }
}
