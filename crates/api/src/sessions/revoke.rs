//! `session.revoke`, `user.revoke` and `session.revoke_matching`: an administrator ends somebody's session, all of them, or
//! every session that a filter fits.

use auth::sessions::Session;
use auth::trust::Permit;
use auth::{EndReason, Reason, SessionId, UserId};

use super::search::{Filter, Search};
use crate::error::Error;
use crate::services::Services;

/// The operation's name for one session.
pub const NAME: &str = "session.revoke";
/// The operation's name for all sessions of a user.
pub const NAME_ALL: &str = "user.revoke";
/// The operation's name for the sessions that a filter fits.
pub const NAME_MATCHING: &str = "session.revoke_matching";

/// Sessions that end in one go, at the most: the audit log, which has a line for each, has no room for a million at once.
pub const MOST_ENDED_AT_ONCE: usize = 10_000;

/// Ends a session. From the answer on no request of it passes, whatever happens to this process.
///
/// # Errors
/// [`Error::NotFound`] where no live session has this id; [`Error::Kernel`] where its end could not be written.
pub async fn run(services: &Services, permit: &Permit, id: &SessionId) -> Result<(), Error> {
    permit.expect(NAME)?;
    let session = services.kernel.sessions().table().by_id(id).ok_or(Error::NotFound)?;
    if services.kernel.end(&[session], EndReason::Revoked, permit.caller().known()).await? == 0 {
        return Err(Error::NotFound);
    }
    Ok(())
}

/// Ends all sessions of a user; how many.
///
/// # Errors
/// [`Error::NotFound`] where there is no such user; [`Error::Kernel`] where their ends could not be written.
pub async fn all(services: &Services, permit: &Permit, user: &UserId) -> Result<usize, Error> {
    permit.expect(NAME_ALL)?;
    services.kernel.directory().present().account(user).ok_or(Error::NotFound)?;
    let his = Filter { user: Some(*user), ..Filter::default() };
    end_fitting(services, permit, &his, None).await
}

/// Ends every live session that `filter` fits, whatever its page; how many. With `all` the filter names nothing, and every
/// session ends, the caller's own too. Those whose login was answered before the call began are gone when this resolves.
///
/// # Errors
/// [`Error::Invalid`] where the filter names nothing and `all` is not said, where both are said, and for sessions that have
/// ended. [`Error::Kernel`] where an end could not be written: some have ended then.
pub async fn matching(
    services: &Services,
    permit: &Permit,
    filter: &Filter,
    all: bool,
) -> Result<usize, Error> {
    permit.expect(NAME_MATCHING)?;
    if filter.ended {
        return Err(Error::invalid("state", "only live sessions can be ended"));
    }
    match (filter.fits_all(), all) {
        (true, false) => {
            Err(Error::invalid("realm", "is missing: say which sessions by at least one filter, or all=true"))
        }
        (false, true) => {
            Err(Error::invalid("all", "goes with no filter: it would end more than the filter says"))
        }
        (true, true) | (false, false) => {
            let everywhere = Filter { after: None, ..filter.clone() };
            end_fitting(services, permit, &everywhere, None).await
        }
    }
}

/// Ends every live session that `filter` fits but `spared`; how many. Their ends are on disk when this resolves.
pub(super) async fn end_fitting(
    services: &Services,
    permit: &Permit,
    filter: &Filter,
    spared: Option<&Session>,
) -> Result<usize, Error> {
    end_because(services, permit, filter, spared, EndReason::Revoked).await
}

/// As [`end_fitting`], for another reason than that somebody revoked them.
pub(crate) async fn end_because(
    services: &Services,
    permit: &Permit,
    filter: &Filter,
    spared: Option<&Session>,
    reason: EndReason,
) -> Result<usize, Error> {
    let by = permit.caller().known();
    let mut ended = 0;
    loop {
        let mut search = Search::new(services, filter);
        let mut batch = Vec::new();
        while let Some(mut found) = search.next(MOST_ENDED_AT_ONCE - batch.len()).await {
            found.retain(|session| spared.is_none_or(|spared| session.id != spared.id));
            batch.append(&mut found);
            if batch.len() >= MOST_ENDED_AT_ONCE {
                ended += services.kernel.end(&batch, reason, by).await?;
                batch.clear();
            }
        }
        ended += services.kernel.end(&batch, reason, by).await?;
        // Those that were found dead already are on disk, too, before anybody is told so.
        services.kernel.sessions().settle().await.map_err(|_| Reason::StoreFailed)?;
        // A restore that came in between has put other sessions in force, which nobody has looked at.
        if search.is_of_present(services) {
            return Ok(ended);
        }
    }
}
