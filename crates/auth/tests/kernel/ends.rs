//! The fake ends of the house: a store that can be held and tells when it is asked to write, and a witness who hears the
//! same notebook fill up.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;

use auth::{
    AttemptRecord, AuditEntry, Change, DirectoryImage, DirectoryStore, Ended, Event, Moment, Pending,
    SessionRecord, SessionStore, StoreError, TokenHash,
};
use testkit::suites::MemoryStore;
use testkit::suites::clock::START;
use tokio::sync::watch;

/// A line of the notebook.
#[derive(Clone, Debug)]
pub(crate) enum Line {
    /// The witness was told this.
    Told(AuditEntry),
    /// The store was asked to write this: `insert`, `end` or `apply`.
    Asked(&'static str),
}

/// Remembers in which order a witness was told and a store was asked to write.
#[derive(Default)]
pub(crate) struct Notebook(Mutex<Vec<Line>>);

impl Notebook {
    fn write(&self, line: Line) {
        self.0.lock().unwrap().push(line);
    }

    /// Everything that was noted, which is forgotten.
    fn take(&self) -> Vec<Line> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    /// The refused credentials: realm, name, address, reason. Everything is forgotten.
    pub(crate) fn failures(&self) -> Vec<String> {
        let told = self.told().into_iter();
        let failed = told.filter(|entry| entry.event.starts_with("login_"));
        failed
            .map(|AuditEntry { fields, .. }| {
                let names = ["realm.name", "user.name", "client.address", "reason"];
                names.map(|name| &*fields[name]).join(" ")
            })
            .collect()
    }

    /// What the witness was told. Everything is forgotten.
    pub(crate) fn told(&self) -> Vec<AuditEntry> {
        let told = |line| match line {
            Line::Told(entry) => Some(entry),
            Line::Asked(_) => None,
        };
        self.take().into_iter().filter_map(told).collect()
    }

    /// The order of things: each event's word, and `+` with each write. Everything is forgotten.
    pub(crate) fn order(&self) -> Vec<String> {
        let word = |line| match line {
            Line::Told(entry) => entry.event.into_owned(),
            Line::Asked(what) => format!("+{what}"),
        };
        self.take().into_iter().map(word).collect()
    }
}

impl auth::Witness for Notebook {
    fn note(&self, event: &Event) {
        self.write(Line::Told(event.entry(START)));
    }
}

/// A store in memory whose inserts and changes can be held, so that something else happens in between.
pub(crate) struct HeldStore {
    inner: Arc<MemoryStore>,
    notebook: Arc<Notebook>,
    open: watch::Sender<bool>,
    changes: watch::Sender<Changes>,
    turns: AtomicUsize,
}

/// What becomes of changes of the directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Changes {
    /// They are written.
    Written,
    /// They are written later.
    Held,
    /// They are refused, and nothing else is.
    Refused,
}

impl HeldStore {
    pub(crate) fn new(inner: Arc<MemoryStore>, notebook: Arc<Notebook>) -> Self {
        let (open, changes) = (watch::Sender::new(true), watch::Sender::new(Changes::Written));
        Self { inner, notebook, open, changes, turns: AtomicUsize::new(0) }
    }

    /// What becomes of changes from now on, and of those that are held.
    pub(crate) fn changes(&self, changes: Changes) {
        self.changes.send_replace(changes);
    }

    /// Inserts that begin from now on are written and not answered.
    pub(crate) fn hold(&self) {
        self.open.send_replace(false);
    }

    /// Inserts that were held are answered.
    pub(crate) fn release(&self) {
        self.open.send_replace(true);
    }

    /// Inserts and ends give others this many turns before they are written, and as many after, from now on.
    pub(crate) fn give_turns(&self, turns: usize) {
        self.turns.store(turns, Ordering::Relaxed);
    }

    async fn others(&self) {
        for _ in 0..self.turns.load(Ordering::Relaxed) {
            let mut given = false;
            std::future::poll_fn(|context| {
                if given {
                    return Poll::Ready(());
                }
                given = true;
                context.waker().wake_by_ref();
                Poll::Pending
            })
            .await;
        }
    }

    fn asked(&self, what: &'static str) {
        self.notebook.write(Line::Asked(what));
    }
}

impl SessionStore for HeldStore {
    fn insert(&self, session: SessionRecord) -> Pending<'_, Result<(), StoreError>> {
        let mut open = self.open.subscribe();
        self.asked("insert");
        Box::pin(async move {
            self.others().await;
            self.inner.insert(session).await?;
            self.others().await;
            open.wait_for(|open| *open).await.map_err(|_| StoreError("gone".to_owned()))?;
            Ok(())
        })
    }

    fn end(&self, ends: Vec<(TokenHash, Ended)>) -> Pending<'_, Result<(), StoreError>> {
        self.asked("end");
        Box::pin(async move {
            self.others().await;
            self.inner.end(ends).await?;
            self.others().await;
            Ok(())
        })
    }

    fn touch(&self, touches: Vec<(TokenHash, Moment)>) -> Pending<'_, Result<(), StoreError>> {
        self.inner.touch(touches)
    }

    fn find(&self, token: TokenHash) -> Pending<'_, Result<Option<SessionRecord>, StoreError>> {
        self.inner.find(token)
    }

    fn load<'a>(
        &'a self,
        take: &'a mut (dyn FnMut(Vec<SessionRecord>) + Send),
    ) -> Pending<'a, Result<(), StoreError>> {
        SessionStore::load(&*self.inner, take)
    }

    fn forget(&self, before: Moment) -> Pending<'_, Result<u64, StoreError>> {
        self.inner.forget(before)
    }
}

impl DirectoryStore for HeldStore {
    fn load(&self) -> Pending<'_, Result<DirectoryImage, StoreError>> {
        DirectoryStore::load(&*self.inner)
    }

    fn apply(&self, changes: Vec<Change>) -> Pending<'_, Result<(), StoreError>> {
        self.asked("apply");
        let mut told = self.changes.subscribe();
        Box::pin(async move {
            let told = told.wait_for(|told| *told != Changes::Held).await.map(|told| *told);
            match told {
                Ok(Changes::Written) => self.inner.apply(changes).await,
                _ => Err(StoreError("disk full".to_owned())),
            }
        })
    }

    fn note_key_uses(&self, uses: Vec<(auth::KeyId, auth::KeyUse)>) -> Pending<'_, Result<(), StoreError>> {
        self.inner.note_key_uses(uses)
    }

    fn put_attempts(&self, attempts: Vec<AttemptRecord>) -> Pending<'_, Result<(), StoreError>> {
        self.inner.put_attempts(attempts)
    }

    fn load_attempts(&self) -> Pending<'_, Result<Vec<AttemptRecord>, StoreError>> {
        self.inner.load_attempts()
    }

    fn forget_attempts(&self, before: Moment, known_before: Moment) -> Pending<'_, Result<u64, StoreError>> {
        self.inner.forget_attempts(before, known_before)
    }
}
