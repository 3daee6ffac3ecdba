//! The audit log: lines that are chained by their hashes, added at the end, forgotten from the beginning, never changed.
//!
//! Called by `store.rs`, `writer.rs` and the command line. Must never let anybody wait for a line's commit, and must never
//! say of an operation that it is done while the line that was noted before it is not on disk (but for what a full disk
//! refuses, see `Work::needs_its_line`).
//!
//! ```text
//!  append ──> inbox ──> writer ──> audit        line 1 ─ line 2 ─ … ─ line N   each hash over the one before
//!                            ├───> audit_blocks  what is in each 1,024 lines: read.rs passes over the others
//!                            └───> audit_head    first and last line, their hashes: nothing is missing at either end
//! ```
//! The chain shows what damage and a careless hand have done. Whoever may write the file may also write another chain, and
//! a note of its end with the right checksum: against him the end of the log (`AuditReport::hash`) must be kept elsewhere,
//! as the copy of the lines is that the server writes to a file or hands to the system's log.

pub(crate) mod block;
pub(crate) mod carry;
pub(crate) mod chain;
pub(crate) mod inbox;
pub(crate) mod read;
pub(crate) mod row;
pub(crate) mod verify;

use std::path::Path;

use auth::{AuditEntry, AuditFilter, AuditRecord, AuditStore, Moment, Pending, StoreError};

use crate::group::{Counted, Work};
use crate::rows::millis;
use crate::store::EmbeddedStore;
use inbox::AuditSink;
use verify::AuditReport;

impl EmbeddedStore {
    /// Has `sink` told of every line as soon as it is on disk, in order and none twice, from now on. What was written before
    /// can be read: set the sink first, then read what follows the last line that is known, and leave out what came twice.
    ///
    /// It is called by the writer, between two groups: it must return at once and not wait for anything.
    pub fn set_audit_sink(&self, sink: AuditSink) {
        if let Some(queue) = &self.queue {
            queue.inbox.set_sink(sink);
        }
    }

    /// Walks the audit log of the store in `folder` from its first line to its last, whether a server is using it or not, and
    /// says whether each line is as it was written, and whether any is missing.
    ///
    /// # Errors
    /// If there is no store, or it cannot be read at all. A log that is not in order is no error but the answer.
    pub async fn verify_audit(folder: &Path) -> Result<AuditReport, StoreError> {
        verify::folder(folder).await
    }
}

impl AuditStore for EmbeddedStore {
    fn append(&self, entry: AuditEntry) {
        if let Some(queue) = &self.queue {
            queue.inbox.append(entry);
        }
    }

    fn read(&self, filter: AuditFilter) -> Pending<'_, Result<Vec<AuditRecord>, StoreError>> {
        Box::pin(async move {
            if self.queue.is_some() {
                self.write(Work::Flush).await?;
            }
            self.reader.audit(&filter).await
        })
    }

    fn forget_audit(&self, before: Moment) -> Pending<'_, Result<u64, StoreError>> {
        Box::pin(async move {
            let before = millis(before, "the time before which lines of the audit log are forgotten")?;
            let mut forgotten = 0;
            loop {
                let Counted { rows, more } = self.submit(Work::ForgetAudit(before)).await?;
                forgotten += rows;
                if !more {
                    return Ok(forgotten);
                }
            }
        })
    }
}
