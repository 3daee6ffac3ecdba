//! The kernel's door: authenticate, log in, log out. Everything that decides *who* meets here; *whether* is `trust.rs`.

use std::net::IpAddr;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::directory::{Account, ChangeError, Directory, Snapshot};
use crate::limits::{MAX_TOKEN_BYTES, MAX_TOUCH_BATCH};
use crate::login::{Outcome, Proven, Remembered, Throttle};
use crate::realm::{Realms, Verified};
use crate::reason::Reason;
use crate::sessions::{NewSession, Session, Sessions};
use crate::store::{AttemptRecord, Change, DirectoryStore, StoreError};
use crate::trust::{Authenticated, Caller};
use crate::witness::{Event, Witness};
use crate::words::clock::Clock;
use crate::words::credential::{AuthMethod, BearerText, Evidence, Password};
use crate::words::ids::{SessionId, UserId};
use crate::words::names::{AppName, RealmName, Scope, Username};
use crate::words::records::User;
use crate::words::session::{EndReason, Origin, SessionLimits};
use crate::words::token::{SessionToken, TokenHash};

/// The credentials that a request shows, read but not looked at.
#[derive(Debug, Default)]
pub struct Presented {
    /// A session token. `Some(None)`: a value that was never given out.
    pub session: Option<Option<SessionToken>>,
    /// A user name and a password for a realm, or the words for why they cannot be read.
    pub password: Option<PresentedPassword>,
    /// A bearer token or an API key.
    pub bearer: Option<BearerText>,
}

/// See [`Presented::password`].
#[derive(Debug)]
pub struct PresentedPassword {
    /// The realm that the request names.
    pub realm: Box<str>,
    /// The name as presented.
    pub username: Username,
    /// The password; `None` where nobody can have it (empty, too long), so that it is wrong without being looked at.
    pub password: Option<Password>,
}

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
    /// Live sessions that a user may have here; the one that idled longest makes room. `None` = no cap.
    pub max_sessions: Option<usize>,
    /// Where the login comes from.
    pub origin: Origin,
    /// Sessions of this scope that the client showed along with it: they end once the login succeeds.
    pub replaces: Vec<SessionToken>,
}

/// A login that succeeded: the session is on disk.
pub struct LoggedIn {
    /// The session.
    pub session: Arc<Session>,
    /// How many sessions ended for it.
    pub replaced: usize,
}

/// What a kernel is made of.
pub struct KernelParts {
    /// The clock for every decision.
    pub clock: Arc<dyn Clock>,
    /// The sessions.
    pub sessions: Arc<Sessions>,
    /// The directory.
    pub directory: Arc<Directory>,
    /// The directory's store, for the throttle's counters.
    pub store: Arc<dyn DirectoryStore>,
    /// The realms.
    pub realms: Realms,
    /// The throttle.
    pub throttle: Throttle,
    /// The memory of verified Basic credentials.
    pub remembered: Remembered,
    /// Who takes note of what happens.
    pub witness: Arc<dyn Witness>,
    /// Fills a buffer with random bytes of the system's CSPRNG.
    pub random: fn(&mut [u8]),
}

/// The kernel.
pub struct Kernel {
    parts: KernelParts,
}

impl Kernel {
    /// A kernel of these parts.
    #[must_use]
    pub fn new(parts: KernelParts) -> Self {
        Self { parts }
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.parts.clock
    }

    /// The sessions.
    #[must_use]
    pub fn sessions(&self) -> &Arc<Sessions> {
        &self.parts.sessions
    }

    /// The directory.
    #[must_use]
    pub fn directory(&self) -> &Arc<Directory> {
        &self.parts.directory
    }

    /// The throttle.
    #[must_use]
    pub fn throttle(&self) -> &Throttle {
        &self.parts.throttle
    }

    /// Who takes note of what happens.
    #[must_use]
    pub fn witness(&self) -> &dyn Witness {
        &*self.parts.witness
    }

    /// Draws random bytes of the system's CSPRNG.
    #[must_use]
    pub fn draw<const N: usize>(&self) -> Zeroizing<[u8; N]> {
        let mut bytes = Zeroizing::new([0; N]);
        (self.parts.random)(bytes.as_mut());
        bytes
    }

    /// Who shows these credentials. The first kind that is present decides: session, password, bearer. A dead session
    /// together with a password passes on the password (contract/fusion.md, "Any other request").
    ///
    /// `counts` says whether this request is activity that extends the session's idle time.
    ///
    /// # Errors
    /// Why it is nobody; [`Reason::NoCredentials`] where nothing was shown.
    pub async fn authenticate(
        &self,
        presented: Presented,
        scope: &Scope,
        client: IpAddr,
        counts: bool,
    ) -> Result<Caller, Reason> {
        let dead = match presented.session {
            Some(token) => match self.by_session(token.as_ref(), scope, counts) {
                Ok(known) => return Ok(Caller::Known(known)),
                Err(dead) => Some(dead),
            },
            None => None,
        };
        if let Some(shown) = presented.password {
            return self.by_password(shown, client).await.map(Caller::Known);
        }
        if let Some(dead) = dead {
            return Err(dead);
        }
        if presented.bearer.is_some() {
            return Err(Reason::InvalidToken);
        }
        Err(Reason::NoCredentials)
    }

    fn by_session(
        &self,
        token: Option<&SessionToken>,
        scope: &Scope,
        counts: bool,
    ) -> Result<Authenticated, Reason> {
        let token = token.ok_or(Reason::SessionUnknown)?.hash();
        let now = self.parts.clock.now();
        let snapshot = self.parts.directory.present();
        let known = Authenticated::by_session(&self.parts.sessions, &snapshot, &token, scope, now)?;
        if counts && let Some(session) = known.session() {
            self.parts.sessions.touch(session, now);
        }
        Ok(known)
    }

    async fn by_password(&self, shown: PresentedPassword, client: IpAddr) -> Result<Authenticated, Reason> {
        let now = self.parts.clock.now();
        let PresentedPassword { realm, username, password } = shown;
        let refused = |reason| self.refused(&realm, &username, client, reason);
        self.realm_in_force(&realm).map_err(refused)?;
        let Some(password) = password else {
            return Err(refused(Reason::WrongPassword));
        };
        let proven = match self.recall(&realm, &username, &password) {
            Some(proven) => proven,
            None => {
                let evidence = Evidence::Password { username, password };
                let proven = self.prove(&realm, &evidence, client, AuthMethod::Basic).await?;
                let Evidence::Password { username, password } = &evidence;
                self.parts.remembered.remember(&realm, username, password, &proven, now);
                proven
            }
        };
        Authenticated::by_secret(&self.parts.directory.present(), &proven, AuthMethod::Basic)
    }

    /// What is remembered of this credential.
    fn recall(&self, realm: &str, username: &Username, password: &Password) -> Option<Proven> {
        let snapshot = self.parts.directory.present();
        let id = UserId::of(&RealmName::parse(realm).ok()?, username);
        self.parts.remembered.recall(realm, username, password, snapshot.account(&id), self.parts.clock.now())
    }

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
        let known = Authenticated::by_secret(&self.parts.directory.present(), &proven, AuthMethod::Password)?;
        let user = &known.account().user;
        let replaced = self.shown(&request.replaces, &request.scope);
        let new = NewSession {
            token: token.hash(),
            id: SessionId::from_random(*self.draw()),
            user: user.id,
            realm: user.realm.clone(),
            scope: request.scope,
            app: request.app,
            method: AuthMethod::Password,
            limits: request.limits,
            origin: request.origin,
        };
        let session = self.parts.sessions.open(new).await.map_err(|_| Reason::StoreFailed)?;
        let username = Box::from(user.username.shown());
        self.parts.witness.note(Event::Login { session: Arc::clone(&session), username });
        match self.settle_in(&session, &proven, &replaced, request.max_sessions).await {
            Ok(replaced) => Ok(LoggedIn { session, replaced }),
            Err(reason) => {
                // Its token goes to nobody. Where its end cannot be written either, it dies in memory, and of idleness.
                let _ = self.end(std::slice::from_ref(&session), EndReason::UserChanged).await;
                Err(reason)
            }
        }
    }

    /// What a session that is in the table still needs before its token may be sent; how many others ended for it.
    async fn settle_in(
        &self,
        session: &Arc<Session>,
        proven: &Proven,
        replaced: &[Arc<Session>],
        cap: Option<usize>,
    ) -> Result<usize, Reason> {
        // Who changed the user while the session was being written ended his sessions and could not see this one.
        Authenticated::by_secret(&self.parts.directory.present(), proven, session.method)?;
        let mut ended = self.end(replaced, EndReason::Replaced).await?;
        if let Some(cap) = cap {
            ended += self.end(&self.over_cap(session, cap), EndReason::Evicted).await?;
        }
        Ok(ended)
    }

    /// Confirms that `password` is this user's, as a login would and under the same throttle.
    ///
    /// # Errors
    /// Why not.
    pub async fn confirm(
        &self,
        account: &Account,
        password: Zeroizing<String>,
        client: IpAddr,
    ) -> Result<(), Reason> {
        let password = Password::presented(password).ok_or(Reason::WrongPassword)?;
        let evidence = Evidence::Password { username: account.user.username.clone(), password };
        self.prove(account.user.realm.as_str(), &evidence, client, AuthMethod::Password).await.map(|_| ())
    }

    /// Ends the session of this token, if there is one here. Its end is on disk when this resolves.
    ///
    /// # Errors
    /// [`Reason::StoreFailed`]: do not say that it is done.
    pub async fn logout(&self, token: &SessionToken, scope: &Scope) -> Result<Option<Arc<Session>>, Reason> {
        let shown = self.shown(std::slice::from_ref(token), scope);
        self.end(&shown, EndReason::Logout).await?;
        Ok(shown.into_iter().next())
    }

    /// Ends sessions; how many were live.
    ///
    /// # Errors
    /// [`Reason::StoreFailed`]: do not say that it is done.
    pub async fn end(&self, sessions: &[Arc<Session>], reason: EndReason) -> Result<usize, Reason> {
        let ended = self.parts.sessions.end(sessions, reason).await.map_err(|_| Reason::StoreFailed)?;
        for session in &ended {
            self.parts.witness.note(Event::SessionEnded { session: Arc::clone(session), reason });
        }
        Ok(ended.len())
    }

    fn shown(&self, tokens: &[SessionToken], scope: &Scope) -> Vec<Arc<Session>> {
        let table = self.parts.sessions.table();
        let hashes = tokens.iter().map(SessionToken::hash);
        hashes
            .filter_map(|hash: TokenHash| table.find(&hash))
            .filter(|session| session.scope == *scope)
            .collect()
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
        others.sort_by_key(|other| other.last_seen());
        others.truncate((others.len() + 1).saturating_sub(cap.max(1)));
        others
    }

    fn realm_in_force(&self, realm: &str) -> Result<(), Reason> {
        match self.parts.directory.present().realm(realm) {
            None => Err(Reason::UnknownRealm),
            Some(state) if !state.enabled => Err(Reason::RealmDisabled),
            Some(_) => Ok(()),
        }
    }

    /// Tells the witness that a credential was refused, and why.
    fn refused(&self, realm: &str, username: &Username, address: IpAddr, reason: Reason) -> Reason {
        self.parts.witness.note(Event::LoginFailed {
            realm: Box::from(realm),
            username: Box::from(username.shown()),
            address,
            reason_id: reason.reason_id(),
        });
        reason
    }

    /// Shows evidence to the realm, under the throttle; a refusal is told to the witness.
    async fn prove(
        &self,
        realm: &str,
        evidence: &Evidence,
        client: IpAddr,
        method: AuthMethod,
    ) -> Result<Proven, Reason> {
        let Evidence::Password { username, .. } = evidence;
        let proven = self.look(realm, evidence, client, method).await;
        proven.map_err(|reason| self.refused(realm, username, client, reason))
    }

    /// Shows evidence to the realm, under the throttle. Failures are on disk before the client hears of them.
    async fn look(
        &self,
        realm: &str,
        evidence: &Evidence,
        client: IpAddr,
        method: AuthMethod,
    ) -> Result<Proven, Reason> {
        let Evidence::Password { username, password } = evidence;
        let ticket = self
            .parts
            .throttle
            .admit(realm, username, client)
            .await
            .map_err(|retry_after| Reason::TooManyAttempts { retry_after })?;
        // The same Basic credential in many requests at once: those who waited need no look of their own.
        if method == AuthMethod::Basic
            && ticket.waited()
            && let Some(proven) = self.recall(realm, username, password)
        {
            ticket.settle(&Outcome::Void);
            return Ok(proven);
        }
        // What is proven is proven of the user as he was before anybody looked.
        let before = self.parts.directory.held();
        let result = match self.parts.realms.verify(realm, evidence).await {
            Ok((realm, verified)) => self.account_of(&before, &realm, verified).await,
            Err(reason) => Err(reason),
        };
        let outcome = match &result {
            Ok(_) => Outcome::Success,
            Err(Reason::RealmUnavailable(_) | Reason::StoreFailed) => Outcome::Void,
            Err(_) => Outcome::Failure,
        };
        self.write_attempts(ticket.settle(&outcome)).await?;
        result
    }

    /// Forgets the throttle's counters that free nobody and lock nobody out, in memory and on disk; how many on disk.
    /// Called from time to time by the binary's housekeeping.
    ///
    /// # Errors
    /// [`Reason::StoreFailed`]: the next call tries again.
    pub async fn forget_attempts(&self) -> Result<u64, Reason> {
        let (before, known_before) = self.parts.throttle.forget_idle();
        self.parts.store.forget_attempts(before, known_before).await.map_err(|_| Reason::StoreFailed)
    }

    /// Puts another state of sessions, directory and counters in force: the one that `exchange` puts into the stores, whose
    /// directory it gives. Gives how many sessions there are then.
    ///
    /// No login, logout or change happens meanwhile: they wait. Requests go on, and meet the old state or the new one. A
    /// session that has ended stays ended: no exchange undoes a revocation.
    ///
    /// # Errors
    /// `exchange`'s error: nothing has changed here. A [`StoreError`] of the stores: they may hold another state than this
    /// kernel, which must not serve for long then.
    pub async fn adopt<E: From<StoreError>>(
        &self,
        exchange: impl AsyncFnOnce() -> Result<Snapshot, E>,
    ) -> Result<usize, E> {
        while self.parts.sessions.write_touches().await? == MAX_TOUCH_BATCH {}
        let directory = self.parts.directory.hold().await;
        let sessions = self.parts.sessions.hold().await;
        let snapshot = exchange().await?;
        let attempts = self.parts.store.load_attempts().await?;
        let table = sessions.read().await?;
        let count = table.len();
        // The sessions first: a session of the old table must never meet the new directory.
        let ends = sessions.replace(table);
        directory.replace(snapshot);
        self.parts.throttle.replace_counters(attempts);
        sessions.finish(ends).await?;
        Ok(count)
    }

    async fn write_attempts(&self, attempts: Vec<AttemptRecord>) -> Result<(), Reason> {
        if attempts.is_empty() {
            return Ok(());
        }
        self.parts.store.put_attempts(attempts).await.map_err(|_| Reason::StoreFailed)
    }

    /// The account behind a verified user, if it is still the one that was verified; writes down a costlier hash of the
    /// password where the realm made one.
    async fn account_of(
        &self,
        before: &Snapshot,
        realm: &RealmName,
        verified: Verified,
    ) -> Result<Proven, Reason> {
        let id = UserId::of(realm, &verified.username);
        let proven = Proven { account: before.account(&id).cloned().ok_or(Reason::UnknownUser)? };
        let still_proven = |snapshot: &Snapshot| {
            let present = snapshot.account(&id).ok_or(Reason::UnknownUser)?;
            proven.holds_for(present).then(|| Arc::clone(present)).ok_or(Reason::WrongPassword)
        };
        let account = still_proven(&self.parts.directory.present())?;
        if !account.user.enabled {
            return Err(Reason::UserDisabled);
        }
        let Some(rehashed) = verified.rehashed else {
            return Ok(Proven { account });
        };
        let changed = self
            .parts
            .directory
            .change(|snapshot| {
                let present = still_proven(snapshot)?;
                let user = User { password: Some(rehashed), ..present.user.clone() };
                Ok((vec![Change::PutUser(Box::new(user))], ()))
            })
            .await;
        match changed {
            Ok(()) => {}
            Err(ChangeError::Refused(reason)) => return Err(reason),
            // The login is good all the same; the next one tries again.
            Err(ChangeError::Store(_)) => return Ok(Proven { account }),
        }
        Ok(Proven { account: still_proven(&self.parts.directory.present())? })
    }
}
