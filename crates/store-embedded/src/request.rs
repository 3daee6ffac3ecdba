//! The request of the command line to the server that has the folder: put this backup in place.
//!
//! ```text
//!  command                                     server
//!  copies, checks, renames to restore-request
//!  SIGHUP ───────────────────────────────────▶ renames to restore-taken
//!                                              adopts it
//!  waits for both to be gone ◀──────────────── writes restore-done, or restore-refused with the reason;
//!                                              removes restore-taken
//! ```
//! Called by the command line and by the server. Must never let a request count that nobody waits for any more.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use auth::{Moment, StoreError};

use crate::backup;
use crate::folder::{self, Folder};

/// How long a request counts. One that is older was left by a command that is gone.
pub const REQUEST_HOLDS: Duration = Duration::from_secs(60);
/// The longest answer that is read back, in bytes.
const MAX_ANSWER: u64 = 4_096;

/// A request, as the one who makes it sees it.
#[derive(Debug)]
pub struct RestoreRequest {
    folder: Folder,
}

/// What became of a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Progress {
    /// The server has not seen it.
    Waiting,
    /// The server is at it.
    Taken,
    /// The backup is in place; what it replaced is kept here.
    Done(PathBuf),
    /// Nothing has changed, for this reason.
    Refused(String),
    /// The server ended before it answered: the store is the old one or the new one, and whole.
    Lost,
}

impl RestoreRequest {
    /// Asks the server that has `folder` to put the backup `from` in place; it must be told by a signal. `wall` is the time
    /// of the wall clock.
    ///
    /// # Errors
    /// If `from` is no whole store, another request is there, or the request cannot be written.
    pub async fn make(from: &Path, folder: &Path, wall: Moment) -> Result<Self, StoreError> {
        backup::check_file(from).await.map_err(|error| backup::refusal(from, &error))?;
        let folder = Folder::at(folder);
        let request = folder.restore_request();
        if request.exists() || folder.restore_taken().exists() {
            return Err(StoreError(format!("another restore is under way: {} is there", request.display())));
        }
        folder::remove(&folder.restore_refused())?;
        folder::remove(&folder.restore_done())?;
        let unfinished = backup::beside(&request, "unfinished");
        backup::copy_checked(from, &unfinished).await?;
        give_to_owner(&unfinished, folder.path());
        let placed = stamp(&unfinished, wall)
            .and_then(|()| folder::rename(&unfinished, &request))
            .and_then(|()| folder.sync());
        if placed.is_err() {
            let _ = folder::remove(&unfinished);
        }
        placed.map(|()| Self { folder })
    }

    /// What became of it so far.
    #[must_use]
    pub fn progress(&self) -> Progress {
        // In this order: the server gives it its other name first, and writes its answer before it takes that away.
        if self.folder.restore_request().exists() {
            return Progress::Waiting;
        }
        if self.folder.restore_taken().exists() {
            return Progress::Taken;
        }
        if let Some(reason) = read_answer(&self.folder.restore_refused()) {
            return Progress::Refused(reason);
        }
        read_answer(&self.folder.restore_done())
            .map_or(Progress::Lost, |replaced| Progress::Done(PathBuf::from(replaced)))
    }

    /// Takes it back; whether the server had not begun.
    #[must_use]
    pub fn withdraw(&self) -> bool {
        std::fs::remove_file(self.folder.restore_request()).is_ok()
    }

    /// Takes the answer away once it was read.
    pub fn forget_answer(&self) {
        let _ = folder::remove(&self.folder.restore_refused());
        let _ = folder::remove(&self.folder.restore_done());
    }
}

/// A request that the server has taken: to be answered.
#[derive(Debug)]
pub struct TakenRequest {
    folder: Folder,
    stale: bool,
}

impl TakenRequest {
    /// The request in `folder`, if there is one.
    pub(crate) fn take(folder: &Folder, wall: Moment) -> Option<Self> {
        let taken = folder.restore_taken();
        folder::rename(&folder.restore_request(), &taken).ok()?;
        let made = std::fs::metadata(&taken).and_then(|file| file.modified()).ok().and_then(moment);
        let stale = made.is_none_or(|made| wall.since(made) > REQUEST_HOLDS);
        Some(Self { folder: folder.clone(), stale })
    }

    /// The backup.
    ///
    /// # Errors
    /// If nobody waits for it any more.
    pub fn file(&self) -> Result<PathBuf, StoreError> {
        if self.stale {
            return Err(StoreError("the request is old: whoever made it is gone".to_owned()));
        }
        Ok(self.folder.restore_taken())
    }

    /// Says that it is in place, and where the replaced state is kept.
    ///
    /// # Errors
    /// If the folder cannot be written.
    pub fn done(self, replaced: &Path) -> Result<(), StoreError> {
        answer(&self.folder, &self.folder.restore_done(), &replaced.to_string_lossy())?;
        folder::remove(&self.folder.restore_taken())
    }

    /// Says that nothing has changed, and why.
    ///
    /// # Errors
    /// If the folder cannot be written.
    pub fn refuse(self, reason: &str) -> Result<(), StoreError> {
        answer(&self.folder, &self.folder.restore_refused(), reason)?;
        folder::remove(&self.folder.restore_taken())
    }
}

/// Writes an answer, which is whole as soon as it has its name.
fn answer(folder: &Folder, name: &Path, text: &str) -> Result<(), StoreError> {
    let unfinished = folder.restore_answer();
    folder::remove(&unfinished)?;
    folder::make_private(&unfinished)?;
    std::fs::write(&unfinished, text)
        .map_err(|error| StoreError(format!("cannot write {}: {error}", unfinished.display())))?;
    folder::rename(&unfinished, name)
}

/// Removes what is left of requests to a server that is gone.
pub(crate) fn forget_all(folder: &Folder) -> Result<(), StoreError> {
    let left = [
        folder.restore_request(),
        folder.restore_taken(),
        folder.restore_refused(),
        folder.restore_done(),
        folder.restore_answer(),
        folder.restore_keeping(),
        folder.restore_keeping_journal(),
    ];
    left.iter().try_for_each(|file| folder::remove(file))
}

/// The server may run as another user than the one who asks; the folder is its own.
fn give_to_owner(file: &Path, folder: &Path) {
    if let Ok(owner) = std::fs::metadata(folder) {
        // Where this is not allowed, the server says that it cannot read the file.
        let _ = std::os::unix::fs::chown(file, Some(owner.uid()), Some(owner.gid()));
    }
}

/// Notes in the file when the request was made.
fn stamp(file: &Path, wall: Moment) -> Result<(), StoreError> {
    let at = UNIX_EPOCH + Duration::from_millis(wall.as_millis());
    let stamped = File::options().write(true).open(file).and_then(|file| {
        file.set_modified(at)?;
        file.sync_all()
    });
    stamped.map_err(|error| StoreError(format!("cannot write {}: {error}", file.display())))
}

fn moment(time: SystemTime) -> Option<Moment> {
    let millis = time.duration_since(UNIX_EPOCH).ok()?.as_millis();
    u64::try_from(millis).ok().map(Moment::from_millis)
}

fn read_answer(file: &Path) -> Option<String> {
    use std::io::Read;
    let mut answer = Vec::new();
    File::open(file).ok()?.take(MAX_ANSWER).read_to_end(&mut answer).ok()?;
    Some(String::from_utf8_lossy(&answer).into_owned())
}
