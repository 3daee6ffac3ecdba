//! The data folder: which files are in it, who may read them, and who has it to himself.
//!
//! Called by `store.rs`, `backup.rs`, `adopt.rs` and `request.rs`. Must never make a new store where there are remains of another: a
//! gateway that finds itself empty lets the first comer choose the administrator's password.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use auth::StoreError;

/// The store's file.
const STORE: &str = "doorward.db";
/// A store that is being made, before it has its name.
const NEW: &str = "doorward.db.new";
/// A restored store, before it has its name.
const RESTORING: &str = "doorward.db.restoring";
/// A backup that the server is asked to adopt, the same once it is at it, and what it answers: nothing, or the reason why not.
const RESTORE_REQUEST: &str = "doorward.db.restore-request";
const RESTORE_TAKEN: &str = "doorward.db.restore-taken";
const RESTORE_DONE: &str = "doorward.db.restore-done";
const RESTORE_REFUSED: &str = "doorward.db.restore-refused";
/// An answer, and a copy of the store that is about to be replaced, before they have their names.
const RESTORE_ANSWER: &str = "doorward.db.restore-answer";
const RESTORE_KEEPING: &str = "doorward.db.restore-keeping";
/// Locked by the process that has the folder; holds its number.
const LOCK: &str = "doorward.lock";

/// A data folder.
#[derive(Clone, Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// The folder at `path`, whether it exists or not.
    pub(crate) fn at(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// The folder at `path`, made if it is not there, for its owner only.
    pub(crate) fn make(path: &Path) -> Result<Self, StoreError> {
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| {
            StoreError(format!("cannot make the data folder {}: {error}", path.display()))
        })?;
        Ok(Self::at(path))
    }

    /// The folder's path.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The store's file.
    pub(crate) fn store(&self) -> PathBuf {
        self.0.join(STORE)
    }

    /// The store's write-ahead log.
    pub(crate) fn log(&self) -> PathBuf {
        self.0.join(format!("{STORE}-wal"))
    }

    /// The index of the write-ahead log; worth nothing when nobody has the store open.
    pub(crate) fn log_index(&self) -> PathBuf {
        self.0.join(format!("{STORE}-shm"))
    }

    /// Where a new store is made before it gets its name.
    pub(crate) fn new_store(&self) -> PathBuf {
        self.0.join(NEW)
    }

    /// Where a restored store waits before it gets its name.
    pub(crate) fn restoring(&self) -> PathBuf {
        self.0.join(RESTORING)
    }

    /// Where the store goes that a restore replaces.
    pub(crate) fn replaced(&self, millis: u64) -> PathBuf {
        self.0.join(format!("{STORE}.before-restore-{millis}"))
    }

    /// A backup that the server is asked to adopt.
    pub(crate) fn restore_request(&self) -> PathBuf {
        self.0.join(RESTORE_REQUEST)
    }

    /// A backup that the server is adopting.
    pub(crate) fn restore_taken(&self) -> PathBuf {
        self.0.join(RESTORE_TAKEN)
    }

    /// That the server has adopted a backup.
    pub(crate) fn restore_done(&self) -> PathBuf {
        self.0.join(RESTORE_DONE)
    }

    /// Why the server did not adopt a backup.
    pub(crate) fn restore_refused(&self) -> PathBuf {
        self.0.join(RESTORE_REFUSED)
    }

    /// An answer to a request, before it has its name.
    pub(crate) fn restore_answer(&self) -> PathBuf {
        self.0.join(RESTORE_ANSWER)
    }

    /// A copy of the store that is about to be replaced, before it has its name.
    pub(crate) fn restore_keeping(&self) -> PathBuf {
        self.0.join(RESTORE_KEEPING)
    }

    /// What SQLite leaves beside that copy where it is interrupted; it must never meet another file of the name.
    pub(crate) fn restore_keeping_journal(&self) -> PathBuf {
        self.0.join(format!("{RESTORE_KEEPING}-journal"))
    }

    /// The lock's file.
    pub(crate) fn lock_file(&self) -> PathBuf {
        self.0.join(LOCK)
    }

    /// Whether a store is here.
    ///
    /// # Errors
    /// If there is none, but remains of one: a restore was interrupted, or somebody moved the file away.
    pub(crate) fn holds_store(&self) -> Result<bool, StoreError> {
        if self.store().exists() {
            return Ok(true);
        }
        if self.restoring().exists() {
            return Err(StoreError(format!(
                "a restore in {} was interrupted; run it again (the replaced store is beside it, as {STORE}.before-restore-…)",
                self.0.display()
            )));
        }
        if self.log().exists() {
            return Err(StoreError(format!(
                "{} holds the log of a store ({STORE}-wal), but not the store; move {STORE} back or restore a backup",
                self.0.display()
            )));
        }
        Ok(false)
    }

    /// Makes the names of files in the folder durable.
    pub(crate) fn sync(&self) -> Result<(), StoreError> {
        sync_folder(&self.0)
    }

    /// Takes the folder for this process, until the lock is dropped.
    ///
    /// # Errors
    /// If another has it, naming that process.
    pub(crate) fn lock(&self) -> Result<Lock, StoreError> {
        let path = self.lock_file();
        let fail = |error: std::io::Error| StoreError(format!("cannot lock {}: {error}", path.display()));
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(fail)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(self.taken(&mut file)),
            Err(TryLockError::Error(error)) => return Err(fail(error)),
        }
        file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(fail)?;
        Ok(Lock { _file: file })
    }

    fn taken(&self, file: &mut File) -> StoreError {
        let who =
            read_process(file).map_or_else(|| "another process".to_owned(), |id| format!("process {id}"));
        StoreError(format!("{who} is using the data folder {}; stop it first", self.0.display()))
    }

    /// The process that has the folder, if one has: its number, or 0 where that cannot be told.
    pub(crate) fn holder(&self) -> Option<u32> {
        let mut file = File::open(self.lock_file()).ok()?;
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => Some(read_process(&mut file).unwrap_or(0)),
            Ok(()) | Err(TryLockError::Error(_)) => None,
        }
    }

    /// Whether this process is the one that has the folder.
    pub(crate) fn is_locked_by(&self, process: u32) -> bool {
        has_open(process, &self.lock_file())
    }
}

/// Whether a process has this file open. Where that cannot be told (no /proc, or a process with more rights), it is believed.
fn has_open(process: u32, file: &Path) -> bool {
    let Ok(file) = file.canonicalize() else { return false };
    let descriptors = PathBuf::from(format!("/proc/{process}/fd"));
    match std::fs::read_dir(&descriptors) {
        Ok(open) => {
            open.flatten().any(|entry| std::fs::read_link(entry.path()).is_ok_and(|target| target == file))
        }
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => true,
        Err(_) => !Path::new("/proc/self/fd").exists(),
    }
}

fn read_process(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.take(16).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

/// That this process has the folder. The file stays when it is dropped: removing it would let two others have one each.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

/// Makes an empty file that only its owner reads; SQLite gives its log and index the same mode.
pub(crate) fn make_private(path: &Path) -> Result<(), StoreError> {
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    made.map(|_| ()).map_err(|error| StoreError(format!("cannot make {}: {error}", path.display())))
}

/// Makes a file's content durable.
pub(crate) fn sync_file(path: &Path) -> Result<(), StoreError> {
    let synced = File::open(path).and_then(|file| file.sync_all());
    synced.map_err(|error| StoreError(format!("cannot write {} to disk: {error}", path.display())))
}

/// Makes the names in a folder durable.
pub(crate) fn sync_folder(path: &Path) -> Result<(), StoreError> {
    sync_file(if path.as_os_str().is_empty() { Path::new(".") } else { path })
}

/// Gives a file another name, which may be taken.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<(), StoreError> {
    std::fs::rename(from, to)
        .map_err(|error| StoreError(format!("cannot rename {} to {}: {error}", from.display(), to.display())))
}

/// Removes a file if it is there.
pub(crate) fn remove(path: &Path) -> Result<(), StoreError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(StoreError(format!("cannot remove {}: {error}", path.display())))
        }
        _ => Ok(()),
    }
}
