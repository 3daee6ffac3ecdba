//! The kernel's door: authenticate, log in, log out. Everything that decides *who* meets here; *whether* is `trust.rs`.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use quick_cache::sync::Cache;
use zeroize::Zeroizing;

use crate::directory::{Account, ChangeError, Directory, Snapshot};
use crate::limits::{EVIDENCE_KEPT, MAX_KEYS_SEEN, MAX_TOUCH_BATCH};
use crate::login::{Guess, Guesses, Outcome, Proven, Remembered, Throttle};
use crate::realm::{Rejection, Unavailability, Verdict, Verified};
use crate::reason::Reason;
use crate::sessions::{Session, Sessions};
use crate::store::{AttemptRecord, Change, DirectoryStore, StoreError};
use crate::trust::{Authenticated, Caller};
use crate::witness::{Event, Somebody, Witness};
use crate::words::clock::{Clock, Moment};
use crate::words::credential::{AuthMethod, BearerText, Evidence, Password};
use crate::words::ids::{KeyId, UserId};
use crate::words::names::{RealmName, Scope, Username};
use crate::words::records::{RealmRecord, User};
use crate::words::session::EndReason;
use crate::words::token::{KeyText, SessionToken, TokenHash};

mod login;

pub use login::{AtCap, LoggedIn, LoginRequest, SessionCap};

/// The credentials that a request shows, read but not looked at.
#[derive(Debug, Default)]
pub struct Presented {
    /// A session token. `Some(None)`: a value that was never given out.
    pub session: Option<Option<SessionToken>>,
    /// A user name and a password for a realm, or the words for why they cannot be read.
    pub password: Option<PresentedPassword>,
    /// A bearer token.
    pub bearer: Option<BearerText>,
    /// An API key. `Some(None)`: a text that was never given out.
    pub key: Option<Option<KeyText>>,
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
    /// The throttle.
    pub throttle: Throttle,
    /// The watch on those who guess.
    pub guesses: Guesses,
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
    /// Until when the use of a key from an address needs no further line.
    keys_seen: Cache<(KeyId, IpAddr), Moment>,
}

impl Kernel {
    /// A kernel of these parts.
    #[must_use]
    pub fn new(parts: KernelParts) -> Self {
        Self { parts, keys_seen: Cache::new(MAX_KEYS_SEEN) }
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

    /// Who shows these credentials. The first kind that is present decides: session, password, bearer token, API key. A
    /// dead session together with a password passes on the password (contract/fusion.md, "Any other request").
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
        match presented.key {
            Some(key) => self.by_key(key.as_ref(), client).map(Caller::Known),
            None => Err(Reason::NoCredentials),
        }
    }

    /// How long the answer must wait for which [`authenticate`](Self::authenticate) gave `reason` to this client: who shows
    /// many unknown tokens or keys guesses, and is slowed (security.md row 33).
    #[must_use]
    pub fn slowed(&self, reason: &Reason, client: IpAddr) -> Option<Duration> {
        let what = match reason {
            Reason::SessionUnknown => "session",
            Reason::UnknownKey => "key",
            _ => return None,
        };
        match self.parts.guesses.count(client) {
            Guess::Few => None,
            Guess::More(pause) => Some(pause),
            Guess::TooMany(pause) => {
                self.parts.witness.note(&Event::Guessing { address: client, what });
                Some(pause)
            }
        }
    }

    fn by_key(&self, key: Option<&KeyText>, client: IpAddr) -> Result<Authenticated, Reason> {
        let hash = key.ok_or(Reason::UnknownKey)?.hash();
        let now = self.parts.clock.now();
        let known = Authenticated::by_key(&self.parts.directory.present(), &hash, now)?;
        if let Some(compiled) = known.key() {
            self.note_use(&known, compiled.key.id, client, now);
        }
        Ok(known)
    }

    /// Tells of a key that an address shows for the first time in a while.
    fn note_use(&self, known: &Authenticated, key: KeyId, client: IpAddr, now: Moment) {
        if self.keys_seen.get(&(key, client)).is_some_and(|until| now < until) {
            return;
        }
        self.keys_seen.insert((key, client), now.plus(EVIDENCE_KEPT));
        let user = &known.account().user;
        self.parts.witness.note(&Event::Verified {
            user: user.id,
            username: Box::from(user.username.shown()),
            realm: Box::from(user.realm.as_str()),
            address: client,
            method: AuthMethod::ApiKey,
            key: Some(key),
        });
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
                self.parts.witness.note(&Event::Verified {
                    user: proven.account.user.id,
                    username: Box::from(username.shown()),
                    realm: realm.clone(),
                    address: client,
                    method: AuthMethod::Basic,
                    key: None,
                });
                proven
            }
        };
        let known = Authenticated::by_secret(&self.parts.directory.present(), &proven, AuthMethod::Basic);
        known.map_err(|reason| self.refused(&realm, &proven.account.user.username, client, reason))
    }

    /// What is remembered of this credential.
    fn recall(&self, realm: &str, username: &Username, password: &Password) -> Option<Proven> {
        let snapshot = self.parts.directory.present();
        let id = UserId::of(&RealmName::parse(realm).ok()?, username);
        let present = snapshot.account(&id).zip(snapshot.realm(realm));
        self.parts.remembered.recall(realm, username, password, present, self.parts.clock.now())
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
        self.end(&shown, EndReason::Logout, None).await?;
        Ok(shown.into_iter().next())
    }

    /// Ends sessions; how many were live. `by` is who asked for it, if it was not their own user who did.
    ///
    /// # Errors
    /// [`Reason::StoreFailed`]: do not say that it is done.
    pub async fn end(
        &self,
        sessions: &[Arc<Session>],
        reason: EndReason,
        by: Option<&Authenticated>,
    ) -> Result<usize, Reason> {
        let tell = |session: &Arc<Session>, ended: EndReason| {
            // Nobody ended what had timed out.
            let by = by.filter(|_| ended == reason).map(|by| Somebody::from(&by.identity()));
            let reason = ended;
            self.parts.witness.note(&self.end_of(session, reason, by));
        };
        self.parts.sessions.end(sessions, reason, tell).await.map_err(|error| {
            self.parts.witness.note(&Event::failed("session.end_failed", &error));
            Reason::StoreFailed
        })
    }

    /// Writes down the ends of sessions that timed out, and forgets those that ended more than a day ago. Called from time
    /// to time by the binary's housekeeping.
    ///
    /// # Errors
    /// [`StoreError`]: the next sweep tries again.
    pub async fn sweep(&self) -> Result<(), StoreError> {
        let tell = |session: &Arc<Session>, reason| {
            self.parts.witness.note(&self.end_of(session, reason, None));
        };
        self.parts.sessions.sweep(tell).await.map(|_| ())
    }

    fn end_of(&self, session: &Arc<Session>, reason: EndReason, by: Option<Somebody>) -> Event {
        let snapshot = self.parts.directory.present();
        let username =
            snapshot.account(&session.user).map(|account| Box::from(account.user.username.shown()));
        Event::SessionEnded { session: Arc::clone(session), username, reason, by }
    }

    /// Ends the sessions of realms that are off or gone; how many. For after the settings were read: what a change over the
    /// API switches off ends there.
    ///
    /// # Errors
    /// [`Reason::StoreFailed`]: they are dead in memory, but may live again after a restart that finds their realm on.
    pub async fn end_strays(&self) -> Result<usize, Reason> {
        let snapshot = self.parts.directory.held();
        let now = self.parts.clock.now();
        let off = |session: &Session| {
            snapshot.realm(session.realm.as_str()).is_none_or(|state| !state.record.enabled)
        };
        let strays =
            self.parts.sessions.table().filtered(|session| off(session) && session.ended(now).is_none());
        let mut ended = 0;
        // No more at once than the audit log has room for.
        for batch in strays.chunks(MAX_TOUCH_BATCH) {
            ended += self.end(batch, EndReason::UserChanged, None).await?;
        }
        Ok(ended)
    }

    fn shown(&self, tokens: &[SessionToken], scope: &Scope) -> Vec<Arc<Session>> {
        let table = self.parts.sessions.table();
        let hashes = tokens.iter().map(SessionToken::hash);
        hashes
            .filter_map(|hash: TokenHash| table.find(&hash))
            .filter(|session| session.scope == *scope)
            .collect()
    }

    fn realm_in_force(&self, realm: &str) -> Result<(), Reason> {
        match self.parts.directory.present().realm(realm) {
            None => Err(Reason::UnknownRealm),
            Some(state) if !state.record.enabled => Err(Reason::RealmDisabled),
            Some(_) => Ok(()),
        }
    }

    /// Tells the witness that a credential was refused, and why.
    fn refused(&self, realm: &str, username: &Username, address: IpAddr, reason: Reason) -> Reason {
        self.parts.witness.note(&Event::LoginFailed {
            realm: Box::from(realm),
            username: Box::from(username.shown()),
            address,
            reason: reason.clone(),
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
        let result = match verify(&before, realm, evidence).await {
            Ok((realm, verified)) => self.account_of(&before, realm, verified).await,
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
    /// password where the realm made one. `realm` vouched, as it was `before` anybody looked.
    async fn account_of(
        &self,
        before: &Snapshot,
        realm: RealmRecord,
        verified: Verified,
    ) -> Result<Proven, Reason> {
        let id = UserId::of(&realm.name, &verified.username);
        let account = before.account(&id).cloned().ok_or(Reason::UnknownUser)?;
        let proven = Proven { account, realm: Arc::new(realm) };
        let still = |snapshot: &Snapshot| {
            let present = snapshot.account(&id).ok_or(Reason::UnknownUser)?;
            let state = snapshot.realm(proven.realm.name.as_str()).ok_or(Reason::UnknownRealm)?;
            let holds = proven.holds_for(present, state);
            holds.then(|| Arc::clone(present)).ok_or(Reason::WrongPassword)
        };
        let of = |account| Proven { account, realm: Arc::clone(&proven.realm) };
        let account = still(&self.parts.directory.present())?;
        if !account.user.enabled {
            return Err(Reason::UserDisabled);
        }
        let Some(rehashed) = verified.rehashed else {
            return Ok(of(account));
        };
        let changed = self
            .parts
            .directory
            .amend(|snapshot| {
                let user = User { password: Some(rehashed), ..still(snapshot)?.user.clone() };
                Ok((vec![Change::PutUser(Box::new(user))], ()))
            })
            .await;
        match changed {
            Ok(()) => {}
            Err(ChangeError::Refused(reason)) => return Err(reason),
            // The login is good all the same; the next one tries again.
            Err(ChangeError::Store(_)) => return Ok(of(account)),
        }
        Ok(of(still(&self.parts.directory.present())?))
    }
}

/// Asks the realm of this name, as it is in `directory`.
async fn verify(
    directory: &Snapshot,
    name: &str,
    evidence: &Evidence,
) -> Result<(RealmRecord, Verified), Reason> {
    let state = directory.realm(name).ok_or(Reason::UnknownRealm)?;
    match state.realm.verify(evidence, directory).await {
        Verdict::Verified(verified) => Ok((state.record.clone(), verified)),
        Verdict::NotMine => Err(Reason::UnknownUser),
        Verdict::Rejected(Rejection::WrongPassword) => Err(Reason::WrongPassword),
        Verdict::Rejected(Rejection::Disabled) => Err(Reason::UserDisabled),
        Verdict::Unavailable(Unavailability(why)) => Err(Reason::RealmUnavailable(why)),
        // A password login has one leg: a realm that asks for more cannot be used this way.
        Verdict::Challenge(_) => Err(Reason::RealmUnavailable("the realm asks for a second leg")),
    }
}
