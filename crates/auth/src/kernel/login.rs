//! Logging in: a proven password becomes a session that is on disk. Called by the dialects' login endpoints through `api`.
//! Must never give a token out for a session that could be gone after a crash.

use std::sync::Arc;

use super::Kernel;
use crate::limits::MAX_TOKEN_BYTES;
use crate::login::Proven;
use crate::reason::Reason;
use crate::sessions::{NewSession, Session};
use crate::trust::Authenticated;
use crate::witness::Event;
use crate::words::credential::{AuthMethod, Evidence, Password};
use crate::words::ids::SessionId;
use crate::words::names::{AppName, Scope, Username};
use crate::words::session::{EndReason, Origin, SessionLimits};
use crate::words::token::SessionToken;

/// A login.
pub struct LoginRequest {
    /// The realm that the client named, or the dialect's default.
    pub realm: Box<str>,
    /// The name as presented.
    pub username: Username,
    /// The password.
    pub password: Password,
    /// Where the session will count.
    pub scope: Scope,
    /// The app that the session is made for, if one was named.
    pub app: Option<AppName>,
    /// The session's limits.
    pub limits: SessionLimits,
    /// The app must be one of the directory's: no other has sessions.
    pub app_must_exist: bool,
    /// Live sessions that a user may have here. `None` = no cap.
    pub cap: Option<SessionCap>,
    /// Where the login comes from.
    pub origin: Origin,
    /// Sessions of this scope that the client showed along with it: they end once the login succeeds.
    pub replaces: Vec<SessionToken>,
}

/// How many live sessions a user may have in one scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionCap {
    /// So many; 1 or more.
    pub most: usize,
    /// What happens to a login beyond it.
    pub then: AtCap,
}

/// What happens to the login of a user who has all the sessions that he may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtCap {
    /// The session that idled longest ends for it.
    EndOldest,
    /// It is refused.
    Refuse,
}

/// A login that succeeded: the session is on disk.
pub struct LoggedIn {
    /// The session.
    pub session: Arc<Session>,
    /// How many sessions ended for it.
    pub replaced: usize,
}

impl Kernel {
    /// Logs in: proves the password, makes the session, ends those it replaces. The session is on disk when this
    /// resolves. `token` is drawn by the dialect, in its form.
    ///
    /// # Errors
    /// Why not; there is no session then, but those it would have replaced may have ended.
    pub async fn login(&self, token: &SessionToken, request: LoginRequest) -> Result<LoggedIn, Reason> {
        debug_assert!(token.expose().len() <= MAX_TOKEN_BYTES, "a token that could never be presented");
        let client = request.origin.address;
        self.realm_in_force(&request.realm)
            .map_err(|reason| self.refused(&request.realm, &request.username, client, reason))?;
        let evidence = Evidence::Password { username: request.username, password: request.password };
        let proven = self.prove(&request.realm, &evidence, client, AuthMethod::Password).await?;
        let begun = async {
            let snapshot = self.parts.directory.held();
            let known = Authenticated::by_secret(&snapshot, &proven, AuthMethod::Password)?;
            if let Some(app) = request.app.as_ref().filter(|_| request.app_must_exist) {
                snapshot.app(app.as_str()).ok_or(Reason::UnknownApp)?;
            }
            let user = &known.account().user;
            let replaced = self.shown(&request.replaces, &request.scope);
            let session = self.parts.sessions.prepare(NewSession {
                token: token.hash(),
                id: SessionId::from_random(*self.draw()),
                user: user.id,
                user_created: user.created,
                realm: user.realm.clone(),
                scope: request.scope,
                app: request.app,
                method: AuthMethod::Password,
                limits: request.limits,
                origin: request.origin,
            });
            let replaced = self.begin(&session, &proven, &replaced, request.cap).await?;
            Ok(LoggedIn { session, replaced })
        };
        let username = &proven.account.user.username;
        begun.await.map_err(|reason| self.refused(&request.realm, username, client, reason))
    }

    /// Makes a prepared session count; how many others ended for it.
    async fn begin(
        &self,
        session: &Arc<Session>,
        proven: &Proven,
        replaced: &[Arc<Session>],
        cap: Option<SessionCap>,
    ) -> Result<usize, Reason> {
        let username = Box::from(proven.account.user.username.shown());
        self.parts.witness.note(&Event::Login { session: Arc::clone(session), username });
        self.parts.sessions.open(session).await.map_err(|_| Reason::StoreFailed)?;
        let settled = self.settle_in(session, proven, replaced, cap).await;
        if let Err(reason) = &settled {
            let end = match reason {
                Reason::TooManySessions => EndReason::Refused,
                _ => EndReason::UserChanged,
            };
            // Its token goes to nobody. Where its end cannot be written either, it dies in memory, and of idleness.
            let _ = self.end(std::slice::from_ref(session), end, None).await;
        }
        settled
    }

    /// What a session that is in the table still needs before its token may be sent; how many others ended for it.
    async fn settle_in(
        &self,
        session: &Arc<Session>,
        proven: &Proven,
        replaced: &[Arc<Session>],
        cap: Option<SessionCap>,
    ) -> Result<usize, Reason> {
        // Who changed the user while the session was being written ended his sessions and could not see this one.
        Authenticated::by_secret(&self.parts.directory.present(), proven, session.method)?;
        let mut ended = self.end(replaced, EndReason::Replaced, None).await?;
        if let Some(SessionCap { most, then }) = cap {
            let over = self.over_cap(session, most);
            match then {
                AtCap::Refuse if !over.is_empty() => return Err(Reason::TooManySessions),
                AtCap::Refuse => {}
                AtCap::EndOldest => ended += self.end(&over, EndReason::Evicted, None).await?,
            }
        }
        Ok(ended)
    }

    /// The sessions that must go so that `newest` fits under the cap: those that idled longest.
    ///
    /// Only those count that came into the table before it: of two logins at a time the later one sees the earlier and
    /// makes room for both, and neither ends the other.
    fn over_cap(&self, newest: &Session, cap: usize) -> Vec<Arc<Session>> {
        let now = self.parts.clock.now();
        let mut others = self.parts.sessions.table().of_user(&newest.user);
        let place = others.iter().position(|other| other.token == newest.token).unwrap_or(others.len());
        others.truncate(place);
        others.retain(|other| other.scope == newest.scope && other.ended(now).is_none());
        // The moments are read once: they go on while this sorts.
        others.sort_by_cached_key(|other| other.last_seen());
        others.truncate((others.len() + 1).saturating_sub(cap.max(1)));
        others
    }
}
