//! Logging in: a proven password becomes a session that is on disk. Called by the dialects' login endpoints through `api`.
//! Must never give a token out for a session that could be gone after a crash.

use std::sync::Arc;

use super::{Kernel, RealmChoice};
use crate::directory::Account;
use crate::limits::MAX_TOKEN_BYTES;
use crate::login::Proven;
use crate::reason::Reason;
use crate::sessions::{NewSession, Session};
use crate::trust::Authenticated;
use crate::witness::Event;
use crate::words::credential::{AuthMethod, BearerText, Evidence, Password};
use crate::words::ids::SessionId;
use crate::words::names::{AppName, Scope, Username};
use crate::words::session::{EndReason, Origin, SessionLimits};
use crate::words::token::{SessionToken, TokenHash};

/// A login.
pub struct LoginRequest {
    /// The realm that the client named, or those that the mount asks.
    pub realm: RealmChoice,
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
    /// The session that idled longest of those that the same client began (the same address and user agent) ends for it; where
    /// there is none, it is refused.
    EndOldestOfClient,
}

/// A login that succeeded: the session is on disk.
pub struct LoggedIn {
    /// The session.
    pub session: Arc<Session>,
    /// How many sessions ended for it.
    pub replaced: usize,
}

/// A session that is to be made for somebody who was proven.
pub(super) struct NewLogin {
    pub(super) scope: Scope,
    pub(super) app: Option<AppName>,
    pub(super) method: AuthMethod,
    pub(super) limits: SessionLimits,
    pub(super) cap: Option<SessionCap>,
    pub(super) origin: Origin,
    pub(super) is_guarded: bool,
    /// The session that was shown instead of a password: what begins with it ends with it.
    pub(super) parent: Option<Arc<Session>>,
    /// Sessions that end for it.
    pub(super) replaced: Vec<Arc<Session>>,
}

/// What a token is for that is about to be written.
pub(super) struct Begun<'a> {
    pub(super) account: &'a Arc<Account>,
    pub(super) id: SessionId,
}

impl Kernel {
    /// Logs in: proves the password, makes the session, ends those it replaces. The session is on disk when this
    /// resolves. `token` is drawn by the dialect, in its form.
    ///
    /// # Errors
    /// Why not; there is no session then, but those it would have replaced may have ended.
    pub async fn login(&self, token: &SessionToken, request: LoginRequest) -> Result<LoggedIn, Reason> {
        debug_assert!(token.expose().len() <= MAX_TOKEN_BYTES, "a token that could never be presented");
        let hash = token.hash();
        self.login_as(AuthMethod::Password, request, |_| Ok(hash)).await
    }

    /// As [`login`](Self::login), for a bearer token, which `write` writes once it is known what it will be for. A session that
    /// begins so counts for its token only, and its token for it only.
    ///
    /// # Errors
    /// As [`login`](Self::login); `write`'s error.
    pub async fn login_for_token(
        &self,
        request: LoginRequest,
        write: impl FnOnce(&Arc<Account>, SessionId) -> Result<BearerText, Reason>,
    ) -> Result<(LoggedIn, BearerText), Reason> {
        let mut written = None;
        let begun = self.login_as(AuthMethod::Token, request, |begun| {
            let text = write(begun.account, begun.id)?;
            let hash = text.hash();
            written = Some(text);
            Ok(hash)
        });
        let begun = begun.await?;
        written.map(|text| (begun, text)).ok_or(Reason::StoreFailed)
    }

    async fn login_as(
        &self,
        method: AuthMethod,
        request: LoginRequest,
        token: impl FnOnce(Begun<'_>) -> Result<TokenHash, Reason>,
    ) -> Result<LoggedIn, Reason> {
        let client = request.origin.address;
        let evidence = Evidence::Password { username: request.username, password: request.password };
        let proven = self.prove(&request.realm, &evidence, client, false).await?;
        let begun = async {
            if let Some(app) = request.app.as_ref().filter(|_| request.app_must_exist) {
                self.parts.directory.present().app(app.as_str()).ok_or(Reason::UnknownApp)?;
            }
            let login = NewLogin {
                replaced: self.shown(&request.replaces, &request.scope),
                scope: request.scope,
                app: request.app,
                method,
                limits: request.limits,
                cap: request.cap,
                origin: request.origin,
                is_guarded: false,
                parent: None,
            };
            self.begin_for(&proven, login, token).await
        };
        let user = &proven.account.user;
        begun.await.map_err(|reason| self.refused(user.realm.as_str(), &user.username, client, reason))
    }

    /// Makes a session for somebody who was proven just now. It is on disk when this resolves.
    ///
    /// # Errors
    /// Why not; what `token` says, too.
    pub(super) async fn begin_for(
        &self,
        proven: &Proven,
        login: NewLogin,
        token: impl FnOnce(Begun<'_>) -> Result<TokenHash, Reason>,
    ) -> Result<LoggedIn, Reason> {
        let known = Authenticated::by_secret(&self.parts.directory.present(), proven, login.method)?;
        let id = SessionId::from_random(*self.draw());
        let user = &known.account().user;
        let session = self.parts.sessions.prepare(NewSession {
            token: token(Begun { account: known.account(), id })?,
            id,
            user: user.id,
            user_created: user.created,
            realm: user.realm.clone(),
            scope: login.scope.clone(),
            app: login.app.clone(),
            method: login.method,
            limits: login.limits,
            origin: login.origin.clone(),
            is_guarded: login.is_guarded,
            parent: login.parent.clone(),
        });
        let replaced = self.begin(&session, proven, &login).await?;
        Ok(LoggedIn { session, replaced })
    }

    /// Makes a prepared session count; how many others ended for it.
    async fn begin(
        &self,
        session: &Arc<Session>,
        proven: &Proven,
        login: &NewLogin,
    ) -> Result<usize, Reason> {
        let username = Box::from(proven.account.user.username.shown());
        self.parts.witness.note(&Event::Login { session: Arc::clone(session), username });
        self.parts.sessions.open(session).await.map_err(|_| Reason::StoreFailed)?;
        let settled = self.settle_in(session, proven, login).await;
        if let Err(reason) = &settled {
            let end = match reason {
                Reason::TooManySessions => EndReason::Refused,
                Reason::InvalidToken => EndReason::Revoked,
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
        login: &NewLogin,
    ) -> Result<usize, Reason> {
        // Who changed the user, or ended the parent, while the session was being written ended what he saw, and not this one.
        Authenticated::by_secret(&self.parts.directory.present(), proven, session.method)?;
        let now = self.parts.clock.now();
        if login.parent.as_ref().is_some_and(|parent| parent.ended(now).is_some()) {
            return Err(Reason::InvalidToken);
        }
        let mut ended = self.end(&login.replaced, EndReason::Replaced, None).await?;
        if let Some(SessionCap { most, then }) = login.cap {
            let over = self.over_cap(session, most);
            match then {
                AtCap::Refuse if !over.is_empty() => return Err(Reason::TooManySessions),
                AtCap::Refuse => {}
                AtCap::EndOldest => ended += self.end(&over, EndReason::Evicted, None).await?,
                AtCap::EndOldestOfClient => {
                    let room = self.room_of_client(session, over.len()).ok_or(Reason::TooManySessions)?;
                    ended += self.end(&room, EndReason::Evicted, None).await?;
                }
            }
        }
        Ok(ended)
    }

    /// The sessions that must go so that `newest` fits under the cap: those that idled longest.
    ///
    /// Only those count that came into the table before it: of two logins at a time the later one sees the earlier and
    /// makes room for both, and neither ends the other.
    fn over_cap(&self, newest: &Session, cap: usize) -> Vec<Arc<Session>> {
        let mut others = self.before(newest);
        others.truncate((others.len() + 1).saturating_sub(cap.max(1)));
        others
    }

    /// So many of the user's sessions that the same client began before `newest`, those that idled longest; `None` where there
    /// are not so many.
    fn room_of_client(&self, newest: &Session, count: usize) -> Option<Vec<Arc<Session>>> {
        let mut others = self.before(newest);
        others.retain(|other| other.origin == newest.origin);
        (others.len() >= count).then(|| {
            others.truncate(count);
            others
        })
    }

    /// The live sessions of the user of `newest` in its scope that began before it; those that idled longest first.
    fn before(&self, newest: &Session) -> Vec<Arc<Session>> {
        let now = self.parts.clock.now();
        let mut others = self.parts.sessions.table().of_user(&newest.user);
        let place = others.iter().position(|other| other.token == newest.token).unwrap_or(others.len());
        others.truncate(place);
        others.retain(|other| other.scope == newest.scope && other.ended(now).is_none());
        // The moments are read once: they go on while this sorts.
        others.sort_by_cached_key(|other| other.last_seen());
        others
    }
}
