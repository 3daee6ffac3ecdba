//! Writing back: what stands in the write-ahead log goes into the store's file, beside the writer and not in the middle of
//! somebody's commit, which would wait for it (some thousand scattered pages and a second fsync: 60 to 200 ms).
//!
//! Started by the writer, which tells it what it wrote. Must never be waited for: where it falls behind or fails, the writer's
//! own connection writes back, once the log has [`CHECKPOINT_PAGES`].
//!
//! [`CHECKPOINT_PAGES`]: crate::limits::CHECKPOINT_PAGES

use std::path::Path;

use sqlx::{Connection, SqliteConnection};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::engine::{self, Use};
use crate::limits::WRITE_BACK_ROWS;

/// The way to the task that writes back.
pub(crate) struct WriteBack {
    due: mpsc::Sender<()>,
    task: JoinHandle<()>,
    /// Rows written since it was told the last time.
    rows: u64,
}

impl WriteBack {
    /// Starts it for `file`, on the current runtime. The file is opened when there is something to do.
    pub(crate) fn spawn(file: &Path) -> Self {
        let (due, told) = mpsc::channel(1);
        Self { due, task: tokio::spawn(run(file.to_owned(), told)), rows: 0 }
    }

    /// The writer wrote this many rows.
    pub(crate) fn wrote(&mut self, rows: u64) {
        self.rows += rows;
        if self.rows >= WRITE_BACK_ROWS {
            self.rows = 0;
            // Where it is told already, it will see these rows too.
            let _ = self.due.try_send(());
        }
    }

    /// Ends it, and waits until it has closed the file: the last connection, the writer's, then writes all back.
    pub(crate) async fn close(self) {
        drop(self.due);
        let _ = self.task.await;
    }
}

async fn run(file: std::path::PathBuf, mut told: mpsc::Receiver<()>) {
    let mut open: Option<SqliteConnection> = None;
    while told.recv().await.is_some() {
        let connection = match open.take() {
            Some(connection) => Ok(connection),
            None => engine::connect(&file, Use::WriteBack).await,
        };
        // The writer has told or will tell what is wrong with the file.
        let Ok(mut connection) = connection else { continue };
        if engine::write_back(&mut connection).await.is_ok() {
            open = Some(connection);
        }
    }
    if let Some(connection) = open {
        let _ = connection.close().await;
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    /// A file with a log, and how many bytes the file itself has.
    async fn with_log() -> (tempfile::TempDir, PathBuf, SqliteConnection, u64) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("some.db");
        std::fs::write(&file, "").unwrap();
        let mut connection = engine::connect(&file, Use::Write).await.unwrap();
        sqlx::raw_sql("CREATE TABLE some (one BLOB); INSERT INTO some VALUES (randomblob(100000))")
            .execute(&mut connection)
            .await
            .unwrap();
        let size = std::fs::metadata(&file).unwrap().len();
        (folder, file, connection, size)
    }

    #[tokio::test]
    async fn it_writes_back_after_so_many_rows_and_not_before() {
        for (rows, is_due) in [(WRITE_BACK_ROWS - 1, false), (WRITE_BACK_ROWS, true)] {
            let (_folder, file, _connection, before) = with_log().await;
            let mut write_back = WriteBack::spawn(&file);
            write_back.wrote(1);
            write_back.wrote(rows - 1);
            write_back.close().await;
            assert_eq!(std::fs::metadata(&file).unwrap().len() > before, is_due, "{rows}");
        }
    }

    #[tokio::test]
    async fn a_file_that_is_gone_keeps_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let mut write_back = WriteBack::spawn(&folder.path().join("none.db"));
        write_back.wrote(WRITE_BACK_ROWS);
        write_back.wrote(WRITE_BACK_ROWS);
        write_back.close().await;
    }
}
