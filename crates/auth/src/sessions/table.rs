//! The table of sessions in memory: by token hash for every request, by user and by public id for lists and revocation.
//!
//! Called by the keeper of sessions and, to list, by operations. Whoever walks through many sessions does it in steps, and lets
//! others have the thread between two of them. Must never take a lock on the way of a request, and must never hold one for
//! longer than a step.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::session::Session;
use crate::words::ids::{SessionId, UserId};
use crate::words::token::{ByPrefix, TokenHash};

/// Sessions that one step of a walk looks at, or ends, at the most. To look at so many takes some 10 µs, the sessions being cold
/// in memory; to end them, with two lines of log for each, less than a millisecond. Whoever waits for the thread has it then.
pub const MOST_IN_STEP: usize = 128;

/// The index by user is kept in this many pieces; only logins, ends and lists go there.
const PIECES: usize = 64;

/// The index by public id is kept in this many pieces: one for each first byte of an id, so that the pieces follow each other
/// in the order of ids. Ids are drawn, so the pieces are even.
const ID_PIECES: usize = 256;

type Piece = Mutex<HashMap<UserId, Vec<Arc<Session>>>>;

// An entry costs some 40 bytes: 24 in a leaf, and leaves are filled to two thirds.
type IdPiece = Mutex<BTreeMap<SessionId, Arc<Session>>>;

/// All sessions that are live, or that ended less than a day ago.
pub struct Table {
    by_token: papaya::HashMap<TokenHash, Arc<Session>, ByPrefix>,
    by_user: Vec<Piece>,
    by_id: Vec<IdPiece>,
}

/// What one step of a walk through the table gave.
pub struct Step<Place> {
    /// The sessions that fit.
    pub found: Vec<Arc<Session>>,
    /// Where the walk goes on; `None` where everything was looked at.
    pub next: Option<Place>,
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
            by_id: (0..ID_PIECES).map(|_| Mutex::default()).collect(),
        }
    }

    /// Puts a session in. Whoever can find it by its token can find it in every other way.
    pub fn insert(&self, session: Arc<Session>) {
        open(self.piece(&session.user)).entry(session.user).or_default().push(Arc::clone(&session));
        open(self.id_piece(&session.id)).insert(session.id, Arc::clone(&session));
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
        open(self.piece(user)).get(user).cloned().unwrap_or_default()
    }

    /// The session with this public id, ended or not.
    #[must_use]
    pub fn by_id(&self, id: &SessionId) -> Option<Arc<Session>> {
        open(self.id_piece(id)).get(id).cloned()
    }

    /// One step of a walk through all sessions in the order of their ids, from behind `after` on: those that fit among the
    /// next [`MOST_IN_STEP`], ended ones too, and not more than `most` (at least 1). `fits` is asked under a lock, and must not
    /// ask the table itself.
    ///
    /// A walk sees every session once that is there from its first step to its last; those that come or go meanwhile may be
    /// seen or not.
    pub fn page(
        &self,
        after: Option<SessionId>,
        most: usize,
        mut fits: impl FnMut(&Session) -> bool,
    ) -> Step<SessionId> {
        let mut found = Vec::new();
        let mut looked = 0;
        let first = after.map_or(0, |after| usize::from(after.as_bytes()[0]));
        let mut behind = after.map_or(Bound::Unbounded, Bound::Excluded);
        for piece in &self.by_id[first..] {
            for (id, session) in open(piece).range((behind, Bound::Unbounded)) {
                looked += 1;
                if fits(session) {
                    found.push(Arc::clone(session));
                }
                if looked == MOST_IN_STEP || found.len() >= most.max(1) {
                    return Step { found, next: Some(*id) };
                }
            }
            behind = Bound::Unbounded;
        }
        Step { found, next: None }
    }

    /// One step of a walk through a user's sessions, from the newest (`below`: `None`) to the oldest: those that fit among
    /// [`MOST_IN_STEP`], ended ones too. `fits` is asked as in [`page`](Self::page).
    ///
    /// A walk sees every session that is there from its first step to its last. It may see one of them twice, where others
    /// were taken out meanwhile.
    pub fn page_of_user(
        &self,
        user: &UserId,
        below: Option<usize>,
        mut fits: impl FnMut(&Session) -> bool,
    ) -> Step<usize> {
        let piece = open(self.piece(user));
        let sessions = piece.get(user).map_or(&[][..], Vec::as_slice);
        // Who is taken out moves those behind him to the front, where they are met once more: downwards nobody is missed.
        let end = below.map_or(sessions.len(), |below| below.min(sessions.len()));
        let begin = end.saturating_sub(MOST_IN_STEP);
        let found = sessions[begin..end].iter().rev().filter(|session| fits(session)).cloned().collect();
        Step { found, next: (begin > 0).then_some(begin) }
    }

    /// Every session for which `take` says true, in no order, in one go: for housekeeping, never on a worker. Sessions that
    /// come or go meanwhile may be seen or not.
    pub fn filtered(&self, mut take: impl FnMut(&Session) -> bool) -> Vec<Arc<Session>> {
        self.by_token.pin().values().filter(|session| take(session)).cloned().collect()
    }

    /// Takes the session of this token out.
    pub fn remove(&self, token: &TokenHash) {
        let Some(session) = self.by_token.pin().remove(token).cloned() else { return };
        open(self.id_piece(&session.id)).remove(&session.id);
        let mut piece = open(self.piece(&session.user));
        if let Some(sessions) = piece.get_mut(&session.user) {
            // By address, without a look at each: somebody may have a hundred thousand.
            if let Some(place) = sessions.iter().position(|other| Arc::ptr_eq(other, &session)) {
                sessions.remove(place);
            }
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

    fn id_piece(&self, id: &SessionId) -> &IdPiece {
        &self.by_id[usize::from(id.as_bytes()[0])]
    }
}

/// Nothing here panics half-way: what another thread left is whole.
fn open<T>(piece: &Mutex<T>) -> MutexGuard<'_, T> {
    piece.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
