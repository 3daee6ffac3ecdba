//! Sessions that end and begin with ordinary requests, for clients who ask for that along with what they want. Called by the
//! kernel's door. Must never begin a session for somebody who may do less than its user may, and never leave one behind whose
//! token nobody got.

use std::sync::Arc;

use super::Kernel;
use super::login::{NewLogin, SessionCap};
use crate::login::Proven;
use crate::reason::Reason;
use crate::sessions::Session;
use crate::trust::{Authenticated, Caller};
use crate::words::names::{AppName, Scope};
use crate::words::session::{Origin, SessionLimits};
use crate::words::token::SessionToken;

/// What becomes of the session that a request shows, and whether the request begins one.
#[derive(Debug, Default)]
pub enum Course {
    /// A live session decides who it is.
    #[default]
    Keep,
    /// A live session decides; who shows other good credentials gets a session.
    Begin(Box<Opening>),
    /// The session ends before anything else, and the other credentials decide.
    End,
    /// For who shows other credentials, the session ends before anything else, and where they are good he gets another. For who
    /// shows none, a live session decides.
    Renew(Box<Opening>),
    /// A live session decides, and this is its last request: whoever asked ends it once the request was performed.
    Last,
}

impl Course {
    /// The course of a request that shows other credentials besides the session, or none.
    pub(super) fn of(self, shows_others: bool) -> Self {
        match self {
            Self::Renew(opening) if !shows_others => Self::Begin(opening),
            course => course,
        }
    }

    /// Whether a session may begin: then passwords are looked at, however well they are remembered.
    pub(super) fn may_begin(&self) -> bool {
        matches!(self, Self::Begin(_) | Self::Renew(_))
    }

    /// Whether the session that is shown ends.
    pub(super) fn ends(&self) -> bool {
        matches!(self, Self::End | Self::Renew(_))
    }

    /// What a live session makes of the request, where it decides.
    pub(super) fn admit(&self, known: Authenticated) -> Admitted {
        let last = known.session().filter(|_| matches!(self, Self::Last)).cloned();
        Admitted { last, ..Caller::Known(known).into() }
    }

    pub(super) fn opening(self) -> Option<Box<Opening>> {
        match self {
            Self::Keep | Self::End | Self::Last => None,
            Self::Begin(opening) | Self::Renew(opening) => Some(opening),
        }
    }
}

/// A session that an ordinary request begins.
#[derive(Debug)]
pub struct Opening {
    /// Writes random bytes as a token, in the dialect's form.
    pub form: fn(&[u8; 32]) -> Option<SessionToken>,
    /// The app that it is made for, if one was named.
    pub app: Option<AppName>,
    /// Its limits.
    pub limits: SessionLimits,
    /// Live sessions that a user may have here. `None` = no cap.
    pub cap: Option<SessionCap>,
    /// Where the request comes from.
    pub origin: Origin,
    /// Whether its clients must repeat the token.
    pub is_guarded: bool,
}

/// Who it is, and what became of sessions on the way.
pub struct Admitted {
    /// Who it is.
    pub caller: Caller,
    /// The token of the session that was begun; it is on disk.
    pub begun: Option<SessionToken>,
    /// Whether the session that was shown was live and has ended.
    pub ended: bool,
    /// The session, where this is its last request: it is live, and to be ended once the request was performed.
    pub last: Option<Arc<Session>>,
}

impl From<Caller> for Admitted {
    fn from(caller: Caller) -> Self {
        Self { caller, begun: None, ended: false, last: None }
    }
}

impl Kernel {
    /// Begins a session for somebody who showed credentials of another kind. With a bearer token it is one more way to the
    /// token's session: it counts from that login on, lives no longer and ends when that one is ended. Who came with an API key gets none: it may be
    /// for less than its user may, and a session would not be. Nor does who comes on somebody's word: that word is asked
    /// for with each request.
    pub(super) async fn admit_for_longer(
        &self,
        known: Authenticated,
        proven: Option<Proven>,
        scope: &Scope,
        opening: Box<Opening>,
        ended: bool,
    ) -> Result<Admitted, Reason> {
        let (proven, parent) = match (proven, known.session()) {
            (Some(proven), _) => (proven, None),
            (None, Some(shown)) => (self.proof_of(&known)?, Some(Arc::clone(shown))),
            (None, None) => return Ok(Admitted { ended, ..Caller::Known(known).into() }),
        };
        let token = (opening.form)(&self.draw()).ok_or(Reason::StoreFailed)?;
        let Opening { form: _, app, limits, cap, origin, is_guarded } = *opening;
        let login = NewLogin {
            scope: scope.clone(),
            app,
            method: known.method(),
            limits,
            cap,
            origin,
            is_guarded,
            parent,
            replaced: Vec::new(),
        };
        let client = login.origin.address;
        let hash = token.hash();
        if let Err(reason) = self.begin_for(&proven, login, |_| Ok(hash)).await {
            let user = &proven.account.user;
            return Err(self.refused(user.realm.as_str(), &user.username, client, reason));
        }
        let now = self.parts.clock.now();
        let snapshot = self.parts.directory.present();
        let begun = Authenticated::by_session(&self.parts.sessions, &snapshot, &hash, scope, now)?;
        Ok(Admitted { begun: Some(token), ended, ..Caller::Known(begun).into() })
    }

    /// That a live session of this user was shown just now, as the proof that a new one needs.
    fn proof_of(&self, known: &Authenticated) -> Result<Proven, Reason> {
        let account = Arc::clone(known.account());
        let snapshot = self.parts.directory.present();
        let state = snapshot.realm(account.user.realm.as_str()).ok_or(Reason::UnknownRealm)?;
        let realm = Arc::new(state.record.clone());
        Ok(Proven { account, realm })
    }
}
