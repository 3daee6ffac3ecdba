//! Ends that hold in memory and that the store has not taken yet: still being written, or late because a write failed or
//! was abandoned.
//!
//! Called by the keeper of sessions. Must never forget an end that is not on disk: a session that nobody ends again, because
//! it is dead in memory, would live again after a restart.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::words::session::Ended;
use crate::words::token::{ByPrefix, TokenHash};

/// Ends that one call of the store takes at the most; the rest follow in the next, at once.
pub(super) const MAX_END_BATCH: usize = 10_000;

/// See the module. There are never more of them than sessions.
#[derive(Default)]
pub(super) struct Owed(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    /// Who is writing these is not yet done.
    written_now: HashMap<TokenHash, Ended, ByPrefix>,
    /// Nobody is writing these.
    late: HashMap<TokenHash, Ended, ByPrefix>,
}

impl Owed {
    /// Notes ends that the caller writes now. Those that are late are behind them, to be written with them: whoever asks again
    /// after a failure is told "done" by what is on disk.
    pub(super) fn begin(&self, mut ends: Vec<(TokenHash, Ended)>) -> Writing<'_> {
        let mut kept = self.kept();
        kept.written_now.extend(ends.iter().copied());
        ends.extend(kept.late.iter().map(|(token, end)| (*token, *end)));
        Writing { owed: self, ends }
    }

    /// All of them, those that somebody else is writing too.
    pub(super) fn all(&self) -> Writing<'_> {
        let kept = self.kept();
        let ends = kept.late.iter().chain(&kept.written_now).map(|(token, end)| (*token, *end)).collect();
        Writing { owed: self, ends }
    }

    /// Whether nothing is late.
    pub(super) fn is_nothing_late(&self) -> bool {
        self.kept().late.is_empty()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends on their way to the store. Unless it took them they are late from then on: whoever asked for them may be gone before
/// it answers.
pub(super) struct Writing<'a> {
    owed: &'a Owed,
    pub(super) ends: Vec<(TokenHash, Ended)>,
}

impl Writing<'_> {
    /// Notes more ends that the caller writes now; gives them as they stand here.
    pub(super) fn add(
        &mut self,
        ends: impl Iterator<Item = (TokenHash, Ended)>,
    ) -> &mut [(TokenHash, Ended)] {
        let before = self.ends.len();
        self.ends.extend(ends);
        let added = &mut self.ends[before..];
        self.owed.kept().written_now.extend(added.iter().copied());
        added
    }

    /// The store has taken them: nobody owes them any more.
    pub(super) fn done(mut self) {
        let mut kept = self.owed.kept();
        for (token, _) in self.ends.drain(..) {
            kept.written_now.remove(&token);
            kept.late.remove(&token);
        }
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        if self.ends.is_empty() {
            return;
        }
        let mut kept = self.owed.kept();
        for (token, end) in self.ends.drain(..) {
            kept.written_now.remove(&token);
            kept.late.insert(token, end);
        }
    }
}
