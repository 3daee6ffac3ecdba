//! The store as everybody else sees it: opening, closing, and the kernel's two traits.
//!
//! Called by the binary, which opens it and hands it to the kernel. Must never judge what it keeps, and never say `Ok` for
//! what is not on disk.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use auth::{
    AttemptRecord, Change, DirectoryImage, DirectoryStore, Ended, KeyId, KeyUse, Moment, Pending,
    SessionRecord, SessionStore, StoreError, TokenHash,
};
use sqlx::Connection;

use crate::adopt::Adoption;
use crate::backup::check_file;
use crate::change::ChangeRow;
use crate::engine::{self, Use};
use crate::folder::{self, Folder};
use crate::group::{Counted, Work};
use crate::limits::{MAX_ATTEMPTS, MAX_ENDS, MAX_KEY_USES, ROWS_IN_STEP};
use crate::reader::Reader;
use crate::request::{self, TakenRequest};
use crate::rows::attempts::AttemptsRow;
use crate::rows::end::EndRow;
use crate::rows::key::KeyUseRow;
use crate::rows::millis;
use crate::rows::session::{SessionRow, TouchRow};
use crate::writer::{self, Open, Queue};

/// Sessions, the directory and login counters in one SQLite file.
///
/// Its futures may be awaited on any runtime; the writer lives on the one that called [`EmbeddedStore::open`].
pub struct EmbeddedStore {
    folder: Folder,
    pub(crate) reader: Reader,
    /// `None`: opened for reading only.
    pub(crate) queue: Option<Queue>,
}

impl std::fmt::Debug for EmbeddedStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EmbeddedStore").field("folder", &self.folder.path()).finish_non_exhaustive()
    }
}

impl EmbeddedStore {
    /// Opens the store in `folder` for reading and writing, and has the folder to itself until it is closed. Makes folder
    /// and store where there are none, readable for their owner only.
    ///
    /// Must be called on a runtime that outlives the store's use: the writer is spawned on it, and the connections are opened
    /// on it, whose threads take their priority from its own.
    ///
    /// # Errors
    /// If another process has the folder (naming it), or the store is damaged, of a newer server, or no store.
    pub async fn open(folder: &Path) -> Result<Self, StoreError> {
        let folder = Folder::make(folder)?;
        let lock = folder.lock()?;
        if !folder.holds_store()? {
            make_new(&folder).await?;
        }
        request::forget_all(&folder)?;
        let file = folder.store();
        engine::check_header(&file)?;
        let runtime = tokio::runtime::Handle::current();
        let mut connection = engine::connect_on(&runtime, &file, Use::Write).await?;
        let version = engine::check_version(&mut connection, &file).await?;
        engine::migrate(&mut connection, &file, version).await?;
        let queue = writer::spawn(folder.clone(), Open::read(connection).await?, lock);
        Ok(Self { folder, reader: Reader::new(file), queue: Some(queue) })
    }

    /// Opens the store in `folder` for reading, whether a server is using it or not. Everything that would write is an error.
    ///
    /// # Errors
    /// If there is no store, or it is damaged, or of another version.
    pub async fn peek(folder: &Path) -> Result<Self, StoreError> {
        let folder = Folder::at(folder);
        if !folder.holds_store()? {
            return Err(StoreError(format!("there is no store in {}", folder.path().display())));
        }
        let file = folder.store();
        engine::check_header(&file)?;
        let mut connection = engine::connect(&file, Use::Read).await?;
        engine::check_version(&mut connection, &file).await?;
        let _ = connection.close().await;
        Ok(Self { folder, reader: Reader::new(file), queue: None })
    }

    /// The process that has the store in `folder` open for writing: its number, 0 where that cannot be told, `None` where
    /// there is none.
    #[must_use]
    pub fn holder(folder: &Path) -> Option<u32> {
        Folder::at(folder).holder()
    }

    /// Whether the process `holder` has the store in `folder` open: in a container the number may be somebody else's.
    #[must_use]
    pub fn is_held_by(folder: &Path, holder: u32) -> bool {
        Folder::at(folder).is_locked_by(holder)
    }

    /// Puts the content of the store `from` in place of this one's, in one transaction: whoever reads sees the one or the
    /// other. Gives where the replaced state is kept. `now` is house time.
    ///
    /// Sessions that both know keep their later activity, and those that have ended stay ended. A session that only `from`
    /// knows comes back if it was seen within the last day; later than that this store may have forgotten its end.
    ///
    /// Whoever holds sessions or users in memory must read them again; nothing must be written meanwhile.
    ///
    /// # Errors
    /// If `from` is no whole store of this server's schema, has no administrator or knows of moments after `now`, or
    /// something cannot be written. Then nothing has changed.
    pub async fn adopt(&self, from: &Path, now: Moment) -> Result<PathBuf, StoreError> {
        check_file(from).await?;
        let mut connection = engine::connect(from, Use::Read).await?;
        let version = engine::check_version(&mut connection, from).await;
        let _ = connection.close().await;
        if version? != engine::NEWEST {
            return Err(StoreError("it is of an older server; stop this one, then restore it".to_owned()));
        }
        let replaced = self.folder.replaced(now.as_millis());
        let now = millis(now, "the time of a restore")?;
        self.queue()?.adopt(Adoption { from: from.to_owned(), replaced: replaced.clone(), now }).await?;
        Ok(replaced)
    }

    /// The request to put a backup in place, if somebody made one. `wall` is the time of the wall clock.
    #[must_use]
    pub fn take_request(&self, wall: Moment) -> Option<TakenRequest> {
        TakenRequest::take(&self.folder, wall)
    }

    /// Finishes what waits, writes the log back, closes the file and gives the folder back. Later calls are errors.
    pub async fn close(&self) {
        self.reader.close().await;
        if let Some(queue) = &self.queue {
            queue.close().await;
        }
    }

    fn queue(&self) -> Result<&Queue, StoreError> {
        self.queue.as_ref().ok_or_else(|| {
            StoreError(format!("the store in {} was opened for reading only", self.folder.path().display()))
        })
    }

    /// Has the writer do something; how many rows it counts.
    pub(crate) async fn write(&self, work: Work) -> Result<u64, StoreError> {
        self.submit(work).await.map(|counted| counted.rows)
    }

    /// The same; and whether there is more of it to do.
    pub(crate) async fn submit(&self, work: Work) -> Result<Counted, StoreError> {
        self.queue()?.submit(work).await
    }

    #[cfg(test)]
    pub(crate) async fn run_statement(&self, text: &'static str) -> Result<(), StoreError> {
        self.write(Work::Statement(text)).await.map(drop)
    }
}

/// Makes an empty store under another name first: what has the store's name is always a whole store.
async fn make_new(folder: &Folder) -> Result<(), StoreError> {
    let file = folder.new_store();
    folder::remove(&file)?;
    folder::make_private(&file)?;
    let mut connection = engine::connect(&file, Use::Make).await?;
    engine::migrate(&mut connection, &file, 0).await?;
    connection.close().await.map_err(|error| engine::opening_fault(&file, &error))?;
    folder::sync_file(&file)?;
    folder::rename(&file, &folder.store())?;
    folder.sync()
}

impl SessionStore for EmbeddedStore {
    fn insert(&self, session: SessionRecord) -> Pending<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let row = SessionRow::new(session)?;
            self.write(Work::Insert(Box::new(row))).await.map(drop)
        })
    }

    fn end(&self, ends: Vec<(TokenHash, Ended)>) -> Pending<'_, Result<(), StoreError>> {
        Box::pin(async move {
            for piece in ends.chunks(MAX_ENDS) {
                let rows = piece
                    .iter()
                    .map(|(token, ended)| EndRow::new(*token, *ended))
                    .collect::<Result<_, _>>()?;
                self.write(Work::End(rows)).await?;
            }
            Ok(())
        })
    }

    fn touch(&self, touches: Vec<(TokenHash, Moment)>) -> Pending<'_, Result<(), StoreError>> {
        Box::pin(async move {
            // One statement must not meet a session twice; the latest activity counts. In the order of the table.
            let mut rows = touches
                .iter()
                .map(|(token, at)| TouchRow::new(*token, *at))
                .collect::<Result<Vec<_>, _>>()?;
            rows.sort_unstable_by(|one, other| {
                one.token.as_bytes().cmp(other.token.as_bytes()).then(other.at.cmp(&one.at))
            });
            rows.dedup_by_key(|row| row.token);
            if rows.is_empty() {
                return Ok(());
            }
            self.queue()?.submit_touches(rows).await.map(drop)
        })
    }

    fn find(&self, token: TokenHash) -> Pending<'_, Result<Option<SessionRecord>, StoreError>> {
        Box::pin(self.reader.find(token))
    }

    fn count(&self) -> Pending<'_, Result<u64, StoreError>> {
        Box::pin(self.reader.session_count())
    }

    fn load<'a>(
        &'a self,
        take: &'a mut (dyn FnMut(Vec<SessionRecord>) + Send),
    ) -> Pending<'a, Result<(), StoreError>> {
        Box::pin(self.reader.sessions(take))
    }

    fn forget(&self, before: Moment) -> Pending<'_, Result<u64, StoreError>> {
        Box::pin(async move {
            let before = millis(before, "the time before which sessions are forgotten")?;
            let mut forgotten = 0;
            loop {
                let Counted { rows, more } = self.submit(Work::Forget(before)).await?;
                forgotten += rows;
                if !more {
                    return Ok(forgotten);
                }
            }
        })
    }
}

impl DirectoryStore for EmbeddedStore {
    fn load(&self) -> Pending<'_, Result<DirectoryImage, StoreError>> {
        Box::pin(self.reader.directory())
    }

    fn apply(&self, changes: Vec<Change>) -> Pending<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let mut rows = Vec::with_capacity(changes.len());
            for change in changes {
                if rows.len() % ROWS_IN_STEP == ROWS_IN_STEP - 1 {
                    tokio::task::yield_now().await;
                }
                rows.push(ChangeRow::new(change)?);
            }
            self.write(Work::Apply(rows)).await.map(drop)
        })
    }

    fn note_key_uses(&self, uses: Vec<(KeyId, KeyUse)>) -> Pending<'_, Result<(), StoreError>> {
        Box::pin(async move {
            // One statement must not meet a key twice; the latest use counts. In the order of the table.
            let mut rows =
                uses.into_iter().map(|(id, used)| KeyUseRow::new(id, used)).collect::<Result<Vec<_>, _>>()?;
            rows.sort_unstable_by(|one, other| {
                one.id.as_bytes().cmp(other.id.as_bytes()).then(other.at.cmp(&one.at))
            });
            rows.dedup_by_key(|row| row.id);
            while !rows.is_empty() {
                let piece = rows.split_off(rows.len().saturating_sub(MAX_KEY_USES));
                self.write(Work::NoteKeyUses(piece)).await?;
            }
            Ok(())
        })
    }

    fn put_attempts(&self, attempts: Vec<AttemptRecord>) -> Pending<'_, Result<(), StoreError>> {
        Box::pin(async move {
            // One statement must not meet a key twice; the last one counts.
            let mut by_key: HashMap<Box<str>, AttemptRecord> =
                attempts.into_iter().map(|record| (record.key.clone(), record)).collect();
            let mut rows =
                by_key.drain().map(|(_, record)| AttemptsRow::new(record)).collect::<Result<Vec<_>, _>>()?;
            rows.sort_unstable_by(|one, other| other.key().cmp(one.key()));
            while !rows.is_empty() {
                let piece = rows.split_off(rows.len().saturating_sub(MAX_ATTEMPTS));
                self.write(Work::PutAttempts(piece)).await?;
            }
            Ok(())
        })
    }

    fn load_attempts(&self) -> Pending<'_, Result<Vec<AttemptRecord>, StoreError>> {
        Box::pin(self.reader.attempts())
    }

    fn forget_attempts(&self, before: Moment, known_before: Moment) -> Pending<'_, Result<u64, StoreError>> {
        Box::pin(async move {
            let before = millis(before, "the time before which login counters are forgotten")?;
            let known_before = millis(known_before, "the time before which addresses are forgotten")?;
            self.write(Work::ForgetAttempts { before, known_before }).await
        })
    }
}
