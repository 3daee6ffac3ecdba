//! The table of sessions in memory: by token hash for every request, by user for lists and revocation.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::session::Session;
use crate::words::ids::{SessionId, UserId};
use crate::words::token::{ByPrefix, TokenHash};

/// The index by user is kept in this many pieces; only logins, ends and lists go there.
const PIECES: usize = 64;

type Piece = Mutex<HashMap<UserId, Vec<Arc<Session>>>>;

/// All sessions that are live, or that ended less than a day ago.
pub struct Table {
    by_token: papaya::HashMap<TokenHash, Arc<Session>, ByPrefix>,
    by_user: Vec<Piece>,
}

impl Default for Table {
    fn default() -> Self {
        Self::with_capacity(0)
    }
}

impl Table {
    /// An empty table with room for `sessions`.
    #[must_use]
    pub fn with_capacity(sessions: usize) -> Self {
        Self {
            by_token: papaya::HashMap::with_capacity_and_hasher(sessions, ByPrefix),
            by_user: (0..PIECES).map(|_| Mutex::default()).collect(),
        }
    }

    /// Puts a session in.
    pub fn insert(&self, session: Arc<Session>) {
        let mut piece = self.piece(&session.user).lock().unwrap_or_else(PoisonError::into_inner);
        piece.entry(session.user).or_default().push(Arc::clone(&session));
        self.by_token.pin().insert(session.token, session);
    }

    /// The session of this token, ended or not. No lock.
    #[must_use]
    pub fn find(&self, token: &TokenHash) -> Option<Arc<Session>> {
        self.by_token.pin().get(token).cloned()
    }

    /// The sessions of a user, ended ones too, oldest first.
    #[must_use]
    pub fn of_user(&self, user: &UserId) -> Vec<Arc<Session>> {
        let piece = self.piece(user).lock().unwrap_or_else(PoisonError::into_inner);
        piece.get(user).cloned().unwrap_or_default()
    }

    /// The session with this public id.
    #[must_use]
    pub fn by_id(&self, id: &SessionId) -> Option<Arc<Session>> {
        self.by_token.pin().values().find(|session| session.id == *id).cloned()
    }

    /// Every session for which `take` says true, in no order. Sessions that come or go meanwhile may be seen or not.
    pub fn filtered(&self, mut take: impl FnMut(&Session) -> bool) -> Vec<Arc<Session>> {
        self.by_token.pin().values().filter(|session| take(session)).cloned().collect()
    }

    /// Takes a session out.
    pub fn remove(&self, session: &Session) {
        self.by_token.pin().remove(&session.token);
        let mut piece = self.piece(&session.user).lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sessions) = piece.get_mut(&session.user) {
            sessions.retain(|other| other.token != session.token);
            if sessions.is_empty() {
                piece.remove(&session.user);
            }
        }
    }

    /// How many sessions there are, ended ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_token.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn piece(&self, user: &UserId) -> &Piece {
        &self.by_user[usize::from(user.as_bytes()[15]) % PIECES]
    }
}
