//! What a kernel of the checker stands on: a store that gives others turns, realms whose passwords are in the directory, and
//! the machine's clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use auth::directory::Snapshot;
use auth::{
    AttemptRecord, Change, Clock, DirectoryImage, DirectoryStore, Ended, Evidence, Moment, PasswordHash,
    Pending, Realm, RealmFault, RealmMaker, RealmName, RealmRecord, Rejection, SessionRecord, SessionStore,
    StoreError, TokenHash, UserId, Verdict, Verified,
};
use testkit::suites::MemoryStore;
use testkit::suites::clock::START;

/// The machine's time: what is made anew is younger than what was before.
pub(super) struct MachineClock(Instant);

impl MachineClock {
    #[allow(clippy::disallowed_methods, reason = "many threads at once have one real time")]
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }
}

impl Clock for MachineClock {
    fn now(&self) -> Moment {
        START.plus(self.0.elapsed())
    }

    fn wall(&self) -> Moment {
        self.now()
    }
}

/// How many turns others get before something is written, and how many before the store says so, in turn: some writes are
/// overtaken by others.
const TURNS: [(usize, usize); 5] = [(1, 1), (0, 4), (2, 0), (9, 1), (1, 3)];

/// A store in memory that gives others turns before it has written, and more before it says so: whoever dies in between has
/// written and does not know.
#[derive(Default)]
pub(super) struct TurnStore {
    kept: MemoryStore,
    writes: AtomicUsize,
}

impl TurnStore {
    async fn between_turns<T>(&self, write: impl Future<Output = T>) -> T {
        let (before, after) = TURNS[self.writes.fetch_add(1, Ordering::Relaxed) % TURNS.len()];
        give(before).await;
        let written = write.await;
        give(after).await;
        written
    }
}

async fn give(turns: usize) {
    for _ in 0..turns {
        tokio::task::yield_now().await;
    }
}

impl SessionStore for TurnStore {
    fn insert(&self, session: SessionRecord) -> Pending<'_, Result<(), StoreError>> {
        Box::pin(self.between_turns(self.kept.insert(session)))
    }

    fn end(&self, ends: Vec<(TokenHash, Ended)>) -> Pending<'_, Result<(), StoreError>> {
        Box::pin(self.between_turns(self.kept.end(ends)))
    }

    fn touch(&self, touches: Vec<(TokenHash, Moment)>) -> Pending<'_, Result<(), StoreError>> {
        self.kept.touch(touches)
    }

    fn find(&self, token: TokenHash) -> Pending<'_, Result<Option<SessionRecord>, StoreError>> {
        self.kept.find(token)
    }

    fn load<'a>(
        &'a self,
        take: &'a mut (dyn FnMut(Vec<SessionRecord>) + Send),
    ) -> Pending<'a, Result<(), StoreError>> {
        SessionStore::load(&self.kept, take)
    }

    fn forget(&self, before: Moment) -> Pending<'_, Result<u64, StoreError>> {
        self.kept.forget(before)
    }
}

impl DirectoryStore for TurnStore {
    fn load(&self) -> Pending<'_, Result<DirectoryImage, StoreError>> {
        DirectoryStore::load(&self.kept)
    }

    fn apply(&self, changes: Vec<Change>) -> Pending<'_, Result<(), StoreError>> {
        Box::pin(self.between_turns(self.kept.apply(changes)))
    }

    fn note_key_uses(&self, uses: Vec<(auth::KeyId, auth::KeyUse)>) -> Pending<'_, Result<(), StoreError>> {
        self.kept.note_key_uses(uses)
    }

    fn put_attempts(&self, attempts: Vec<AttemptRecord>) -> Pending<'_, Result<(), StoreError>> {
        Box::pin(self.between_turns(self.kept.put_attempts(attempts)))
    }

    fn load_attempts(&self) -> Pending<'_, Result<Vec<AttemptRecord>, StoreError>> {
        self.kept.load_attempts()
    }

    fn forget_attempts(&self, before: Moment, known_before: Moment) -> Pending<'_, Result<u64, StoreError>> {
        self.kept.forget_attempts(before, known_before)
    }
}

/// What the directory keeps of a password here: the password.
pub(super) fn hash_of(password: &str) -> PasswordHash {
    PasswordHash::from_phc(password)
}

/// Makes realms that find their users' passwords in the directory, as the native realm does, and take a turn to look.
pub(super) struct KeepsPasswords;

impl RealmMaker for KeepsPasswords {
    fn make(&self, record: &RealmRecord) -> Result<Arc<dyn Realm>, RealmFault> {
        Ok(Arc::new(Kept { name: record.name.clone() }))
    }
}

struct Kept {
    name: RealmName,
}

impl Realm for Kept {
    fn verify<'a>(&'a self, evidence: &'a Evidence, directory: &'a Snapshot) -> Pending<'a, Verdict> {
        Box::pin(async move {
            let Evidence::Password { username, password } = evidence else {
                return Verdict::NotMine;
            };
            let account = directory.account(&UserId::of(&self.name, username));
            let verdict = match account.and_then(|account| account.user.password.as_ref()) {
                None => Verdict::NotMine,
                Some(kept) if kept.expose() != password.expose() => {
                    Verdict::Rejected(Rejection::WrongPassword)
                }
                Some(_) => Verdict::Verified(Verified::named(username.clone())),
            };
            tokio::task::yield_now().await;
            verdict
        })
    }
}
