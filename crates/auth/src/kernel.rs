//! The kernel's door: authenticate, log in, log out. Everything that decides *who* meets here; *whether* is `trust.rs`.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use quick_cache::sync::Cache;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::directory::{Account, Directory, Snapshot};
use crate::limits::{EVIDENCE_KEPT, MAX_KEYS_SEEN, MAX_REHEARSALS, MAX_TOUCH_BATCH};
use crate::login::{Guess, Guesses, Remembered, Throttle};
use crate::reason::Reason;
use crate::sessions::{Session, Sessions};
use crate::store::{DirectoryStore, StoreError};
use crate::trust::{Authenticated, Caller};
use crate::witness::{Event, Somebody, Witness};
use crate::words::clock::{Clock, Moment};
use crate::words::credential::{Asserted, BearerText, Evidence, Password};
use crate::words::names::{Scope, Username};
use crate::words::session::EndReason;
use crate::words::token::{KeyText, SessionToken, TokenHash};

mod assertion;
mod course;
mod login;
mod prove;
mod recheck;
mod rehearsal;

pub use course::{Admitted, Course, Opening};
pub use login::{AtCap, LoggedIn, LoginRequest, SessionCap};
pub use prove::RealmChoice;
use recheck::Rechecks;

/// The credentials that a request shows, read but not looked at.
#[derive(Debug, Default)]
pub struct Presented {
    /// A session token. `Some(None)`: a value that was never given out.
    pub session: Option<Option<SessionToken>>,
    /// Whether the request says the session's token a second time, in a way that no page of another site can.
    pub is_repeated: bool,
    /// A user name and a password for a realm, or the words for why they cannot be read.
    pub password: Option<PresentedPassword>,
    /// A bearer token.
    pub bearer: Option<BearerText>,
    /// An API key. `Some(None)`: a text that was never given out.
    pub key: Option<Option<KeyText>>,
    /// The fields in which somebody in front of the gateway may say who the user is, where there are any.
    pub asserted: Option<Asserted>,
    /// What becomes of the session, and whether one begins.
    pub course: Course,
}

/// See [`Presented::password`].
#[derive(Debug)]
pub struct PresentedPassword {
    /// Which realms are asked.
    pub realm: RealmChoice,
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
    /// Until when the use of a key, or what is said of a user, from an address needs no further line.
    seen: Cache<([u8; 16], IpAddr), Moment>,
    /// Who was vouched for when, by realms that are asked again.
    rechecks: Rechecks,
    /// The logins that may be rehearsed at once.
    rehearsals: Semaphore,
}

impl Kernel {
    /// A kernel of these parts.
    #[must_use]
    pub fn new(parts: KernelParts) -> Self {
        let (seen, rechecks) = (Cache::new(MAX_KEYS_SEEN), Rechecks::default());
        Self { parts, seen, rechecks, rehearsals: Semaphore::new(MAX_REHEARSALS) }
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

    /// Who shows these credentials. The first kind that is present decides: session, password, bearer token, API key, what
    /// somebody in front of the gateway says. A dead session together with a password or a bearer token passes on those
    /// (contract/fusion.md, "Any other request"). The course may end the session that is shown, and begin one.
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
    ) -> Result<Admitted, Reason> {
        let Presented { session, is_repeated, password, bearer, key, asserted, course } = presented;
        let course = course.of(password.is_some() || bearer.is_some());
        let (mut ended, mut dead) = (false, None);
        if let Some(token) = session {
            match self.by_session(token.as_ref(), scope, is_repeated, counts && !course.ends()) {
                Ok(known) if !course.ends() => return Ok(course.admit(known)),
                Ok(known) => {
                    self.end(known.session().map_or(&[], std::slice::from_ref), EndReason::Logout, None)
                        .await?;
                    ended = true;
                }
                Err(Reason::NotRepeated) => return Err(Reason::NotRepeated),
                Err(reason) => dead = Some(reason),
            }
        }
        let (known, proven) = if let Some(shown) = password {
            let (known, proven) = self.by_password(shown, client, course.may_begin()).await?;
            (known, Some(proven))
        } else if let Some(bearer) = bearer {
            (self.by_bearer(&bearer, scope, client, counts)?, None)
        } else if let Some(dead) = dead {
            return Err(dead);
        } else if let Some(key) = key {
            (self.by_key(key.as_ref(), client)?, None)
        } else {
            let asserted = asserted.ok_or(Reason::NoCredentials)?;
            (self.by_assertion(asserted, client).await?, None)
        };
        match course.opening() {
            Some(opening) => self.admit_for_longer(known, proven, scope, opening, ended).await,
            None => Ok(Admitted { ended, ..Caller::Known(known).into() }),
        }
    }

    /// How long the answer must wait for which [`authenticate`](Self::authenticate) gave `reason` to this client: who shows
    /// many unknown tokens or keys guesses, and is slowed (security.md row 33).
    #[must_use]
    pub fn slowed(&self, reason: &Reason, client: IpAddr) -> Option<Duration> {
        let what = match reason {
            Reason::SessionUnknown => "session",
            Reason::UnknownKey => "key",
            Reason::InvalidToken => "token",
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
            self.parts.directory.note_use(compiled, client, now);
            self.note_use(&known, *compiled.key.id.as_bytes(), client, now);
        }
        Ok(known)
    }

    /// Tells of a credential that an address shows for the first time in a while; `shown` is its public id.
    fn note_use(&self, known: &Authenticated, shown: [u8; 16], client: IpAddr, now: Moment) {
        if self.seen.get(&(shown, client)).is_some_and(|until| now < until) {
            return;
        }
        self.seen.insert((shown, client), now.plus(EVIDENCE_KEPT));
        let user = &known.account().user;
        self.parts.witness.note(&Event::Verified {
            user: user.id,
            username: Box::from(user.username.shown()),
            realm: Box::from(user.realm.as_str()),
            address: client,
            method: known.method(),
            key: known.key().map(|compiled| compiled.key.id),
        });
    }

    /// By a session's token. One that asks its clients to repeat the token counts only for a request that does.
    fn by_session(
        &self,
        token: Option<&SessionToken>,
        scope: &Scope,
        is_repeated: bool,
        counts: bool,
    ) -> Result<Authenticated, Reason> {
        let token = token.ok_or(Reason::SessionUnknown)?.hash();
        self.by_hash(&token, scope, is_repeated, counts)
    }

    /// By a bearer token: one of a session, or an API key (RFC 6750 section 2.1).
    fn by_bearer(
        &self,
        bearer: &BearerText,
        scope: &Scope,
        client: IpAddr,
        counts: bool,
    ) -> Result<Authenticated, Reason> {
        if let Some(key) = KeyText::presented(bearer.expose()) {
            return self.by_key(Some(&key), client);
        }
        let known = self.by_hash(&bearer.hash(), scope, true, counts);
        known.map_err(|_| Reason::InvalidToken)
    }

    fn by_hash(
        &self,
        token: &TokenHash,
        scope: &Scope,
        is_repeated: bool,
        counts: bool,
    ) -> Result<Authenticated, Reason> {
        let now = self.parts.clock.now();
        let snapshot = self.parts.directory.present();
        let known = Authenticated::by_session(&self.parts.sessions, &snapshot, token, scope, now)?;
        if !is_repeated && known.session().is_some_and(|session| session.is_guarded) {
            return Err(Reason::NotRepeated);
        }
        if counts && let Some(session) = known.session() {
            self.parts.sessions.touch(session, now);
        }
        Ok(known)
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
        let realm = RealmChoice::Named(Box::from(account.user.realm.as_str()));
        let evidence = Evidence::Password { username: account.user.username.clone(), password };
        self.prove(&realm, &evidence, client, false).await.map(|_| ())
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

    /// Ends the session of this bearer token, if there is one here. Its end is on disk when this resolves.
    ///
    /// # Errors
    /// [`Reason::StoreFailed`]: do not say that it is done.
    pub async fn revoke(&self, bearer: &BearerText, scope: &Scope) -> Result<Option<Arc<Session>>, Reason> {
        let shown = self.sessions().table().find(&bearer.hash()).filter(|session| session.scope == *scope);
        self.end(shown.as_slice(), EndReason::Logout, None).await?;
        Ok(shown)
    }

    /// Whose session this bearer token is of, where it counts here now: for others who ask. Being asked about is no activity.
    #[must_use]
    pub fn introspect(&self, bearer: &BearerText, scope: &Scope) -> Option<(Arc<Session>, Arc<Account>)> {
        let (sessions, snapshot) = (self.sessions(), self.parts.directory.present());
        let now = self.parts.clock.now();
        let known = Authenticated::by_session(sessions, &snapshot, &bearer.hash(), scope, now).ok()?;
        Some((Arc::clone(known.session()?), Arc::clone(known.account())))
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
        let failed = |error| {
            self.parts.witness.note(&Event::failed("session.end_failed", &error));
            Reason::StoreFailed
        };
        let ended = self.parts.sessions.end(sessions, reason, tell).await;
        // After their parents: whoever is begun with one of these now finds it ended. Also where that could not be written.
        let children = self.parts.sessions.children_of(sessions).await;
        let children = self.parts.sessions.end(&children, reason, tell).await;
        Ok(ended.map_err(failed)? + children.map_err(failed)?)
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

    /// Ends what should have ended while nobody looked; how many. For after the settings were read or the sessions were loaded:
    /// the sessions of realms that are off or gone (what a change over the API switches off ends there), and those begun with a
    /// token whose session somebody ended (a crash can come between the two ends).
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
        for (orphan, reason) in self.orphans(now) {
            ended += self.end(&[orphan], reason, None).await?;
        }
        Ok(ended)
    }

    /// The live sessions whose parent somebody ended, and why. A parent that has timed out ends nobody.
    fn orphans(&self, now: Moment) -> Vec<(Arc<Session>, EndReason)> {
        let table = self.parts.sessions.table();
        let ended = |session: &Session| {
            let parent = table.by_id(session.parent.as_deref()?)?.ended(now)?;
            (!matches!(parent.reason, EndReason::Idle | EndReason::Maximum)).then_some(parent.reason)
        };
        let orphans = table.filtered(|session| ended(session).is_some() && session.ended(now).is_none());
        orphans.into_iter().filter_map(|session| ended(&session).map(|reason| (session, reason))).collect()
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

    /// Forgets the throttle's counters that free nobody and lock nobody out, in memory and on disk; how many on disk.
    /// Called from time to time by the binary's housekeeping.
    ///
    /// # Errors
    /// [`Reason::StoreFailed`]: the next call tries again.
    pub async fn forget_attempts(&self) -> Result<u64, Reason> {
        let (before, known_before) = self.parts.throttle.forget_idle();
        self.parts.store.forget_attempts(before, known_before).await.map_err(|_| Reason::StoreFailed)
    }

    /// Writes behind what is only noted in memory when it happens: activity of sessions, and uses of API keys.
    ///
    /// # Errors
    /// A [`StoreError`]: the next activity of the same session and the next use of the same key bring it again.
    pub async fn write_behind(&self) -> Result<(), StoreError> {
        while self.parts.sessions.write_touches().await? == MAX_TOUCH_BATCH {}
        while self.parts.directory.write_key_uses().await? == MAX_TOUCH_BATCH {}
        Ok(())
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
        self.write_behind().await?;
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
}
