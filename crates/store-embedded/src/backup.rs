//! Copies of the store: made while a server serves, checked, and put in place of the store.
//!
//! Called by the command line (`backup`, `restore`, `check`). Must never leave a file under its final name that is not whole
//! and on disk, nor overwrite what nobody asked to be overwritten.

use std::path::{Path, PathBuf};

use auth::{Moment, StoreError};
use sqlx::Connection;

use crate::audit::chain::{Chain, damaged};
use crate::audit::verify;
use crate::carry;
use crate::engine::{self, Use, fault};
use crate::folder::{self, Folder};
use crate::reader::Reader;

/// Copies the store in `folder` to the file `to`, as it is at this moment, whether a server is using it or not. The copy is a
/// SQLite file like the store's own, without a log beside it, readable for its owner only.
///
/// # Errors
/// If there is no store, it is damaged, `to` exists and `overwrite` is not set, or the copy cannot be written. Then `to` is as
/// it was.
pub async fn backup(folder: &Path, to: &Path, overwrite: bool) -> Result<(), StoreError> {
    let folder = Folder::at(folder);
    if !folder.holds_store()? {
        return Err(StoreError(format!("there is no store in {}", folder.path().display())));
    }
    if to.exists() && !overwrite {
        return Err(StoreError(format!("{} exists; it is not overwritten unless you say so", to.display())));
    }
    let unfinished = beside(to, "unfinished");
    copy_checked(&folder.store(), &unfinished).await?;
    folder::rename(&unfinished, to)?;
    folder::sync_folder(to.parent().unwrap_or(Path::new(".")))
}

/// Reads the whole store in `folder` and says whether every page and every record is as it was written.
///
/// # Errors
/// If anything is not, naming the first finding.
pub async fn check(folder: &Path) -> Result<(), StoreError> {
    let folder = Folder::at(folder);
    if !folder.holds_store()? {
        return Err(StoreError(format!("there is no store in {}", folder.path().display())));
    }
    check_file(&folder.store()).await?;
    match verify::folder(folder.path()).await?.fault {
        Some(fault) => Err(damaged(&fault.to_string())),
        None => Ok(()),
    }
}

/// Puts the backup `from` in place of the store in `folder`, which no server may be using. The replaced store is kept beside
/// it, as `doorward.db.before-restore-<now in milliseconds>`; where it went is the answer, `None` where there was no store.
///
/// No line of the audit log is taken away, and no key signs again that signs no more: the replaced store's log and its signing keys
/// go on, and the backup's are taken only where there were none, or where they cannot be read.
///
/// Interrupted at any point, the folder holds the old store, the new one, or says that a restore was interrupted.
///
/// # Errors
/// If a server is using the folder, `from` is no whole store of a version that this server knows, or something cannot be
/// written. Then the store is as it was.
pub async fn restore(from: &Path, folder: &Path, now: Moment) -> Result<Option<PathBuf>, StoreError> {
    check_file(from).await.map_err(|error| refusal(from, &error))?;
    let folder = Folder::make(folder)?;
    let _lock = folder.lock()?;
    let restoring = folder.restoring();
    // A name in use: begin under another, so that an unfinished copy is never taken for an interrupted restore.
    let unfinished = beside(&restoring, "unfinished");
    if let Err(error) = copy_with_what_lasts(from, &folder, &unfinished).await {
        let _ = folder::remove(&unfinished);
        return Err(error);
    }
    folder::rename(&unfinished, &restoring)?;
    folder.sync()?;
    let replaced = if folder.store().exists() || folder.log().exists() {
        Some(set_aside(&folder, now).await?)
    } else {
        None
    };
    folder::remove(&folder.log_index())?;
    folder::rename(&restoring, &folder.store())?;
    folder.sync()?;
    Ok(replaced)
}

/// Copies a backup, and puts the present store's audit log and signing keys in place of the backup's.
async fn copy_with_what_lasts(from: &Path, folder: &Folder, to: &Path) -> Result<(), StoreError> {
    copy(from, to).await?;
    if folder.store().exists() && carry::into_copy(&folder.store(), to).await? {
        folder::sync_file(to)?;
    }
    check_file(to).await
}

/// Gives the present store another name, so that it never lies beside the log of another one.
async fn set_aside(folder: &Folder, now: Moment) -> Result<PathBuf, StoreError> {
    let (store, replaced) = (folder.store(), folder.replaced(now.as_millis()));
    if replaced.exists() {
        return Err(StoreError(format!("{} exists already", replaced.display())));
    }
    // Its log is written back, if it can be: then the file is whole alone, and can be replaced in one step.
    if let Ok(mut connection) = engine::connect(&store, Use::Write).await {
        let _ = engine::checkpoint(&mut connection).await;
        let _ = connection.close().await;
    }
    if store.exists() && !folder.log().exists() && std::fs::hard_link(&store, &replaced).is_ok() {
        folder.sync()?;
        return Ok(replaced);
    }
    // It is damaged, or the file system knows no links. First the file, then its log: a log without its file opens nothing.
    if store.exists() {
        folder::rename(&store, &replaced)?;
        folder.sync()?;
    }
    if folder.log().exists() {
        let mut log = replaced.clone().into_os_string();
        log.push("-wal");
        folder::rename(&folder.log(), Path::new(&log))?;
        folder.sync()?;
    }
    Ok(replaced)
}

/// Copies a store and reads the copy; leaves nothing behind if either fails.
pub(crate) async fn copy_checked(from: &Path, to: &Path) -> Result<(), StoreError> {
    let copied = match copy(from, to).await {
        Ok(()) => check_file(to).await,
        Err(error) => Err(error),
    };
    if copied.is_err() {
        let _ = folder::remove(to);
    }
    copied
}

/// Copies a store as it is at one moment to `to`, which is replaced, and puts it on disk.
pub(crate) async fn copy(from: &Path, to: &Path) -> Result<(), StoreError> {
    engine::check_header(from)?;
    let target = to.to_str().ok_or_else(|| StoreError(format!("{} is not UTF-8", to.display())))?;
    folder::remove(to)?;
    folder::make_private(to)?;
    let mut connection = engine::connect(from, Use::Read).await?;
    engine::check_version(&mut connection, from).await?;
    // It copies into a file that is empty, so the mode of ours stays.
    let copied = sqlx::query("VACUUM INTO $1").bind(target.to_owned()).execute(&mut connection).await;
    let _ = connection.close().await;
    copied.map_err(|error| fault(&format!("copy {} to {target}", from.display()), &error))?;
    folder::sync_file(to)
}

/// Looks at every page and every record of a file, but not at each line of the audit log.
pub(crate) async fn check_file(file: &Path) -> Result<(), StoreError> {
    engine::check_header(file)?;
    let mut connection = engine::connect(file, Use::Read).await?;
    engine::check_version(&mut connection, file).await?;
    engine::check_integrity(&mut connection, file).await?;
    // Its ends only. A log that was tampered with must not keep anybody from making backups.
    Chain::read(&mut connection).await?;
    let _ = connection.close().await;
    let reader = Reader::new(file.to_owned());
    reader.directory().await?;
    reader.attempts().await?;
    reader.sessions(&mut |_| {}).await?;
    reader.close().await;
    Ok(())
}

/// Why `from` is not restored.
pub(crate) fn refusal(from: &Path, error: &StoreError) -> StoreError {
    StoreError(format!("{} cannot be restored: {error}", from.display()))
}

pub(crate) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{ending}-{}", std::process::id()));
    PathBuf::from(name)
}
