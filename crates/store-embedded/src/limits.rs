//! Every limit of this store as a named constant.
//!
//! Called by the whole room. Must never hold a limit without a test on both sides of it.

use std::time::Duration;

/// Operations that may wait for the writer. One more is refused at once: a store that is this far behind will not catch
/// up while clients wait.
pub(crate) const QUEUE_LENGTH: usize = 16_384;
/// Batches of touches that may wait for the writer.
pub(crate) const TOUCH_QUEUE_LENGTH: usize = 16;
/// Operations in one transaction, and so behind one fsync.
pub(crate) const MAX_GROUP: usize = 1_024;
/// Changes of the directory that become rows before the thread is given to others: it is the caller's, whose requests wait.
pub(crate) const ROWS_IN_STEP: usize = 16;
/// Ends that one operation carries; longer lists are split, so that a mass logout holds no login up.
pub(crate) const MAX_ENDS: usize = 4_096;
/// Touches in one transaction. Waiting logins and logouts go first in between.
pub(crate) const MAX_TOUCHES: usize = 512;
/// Sessions that one operation forgets at the most; the rest follows in the next.
pub(crate) const MAX_FORGOTTEN: u32 = 1_024;
/// Uses of API keys that one operation notes; longer lists are split.
pub(crate) const MAX_KEY_USES: usize = 1_024;
/// Login counters that one operation writes; longer lists are split.
pub(crate) const MAX_ATTEMPTS: usize = 1_024;
/// Sessions in one batch of `load`.
pub(crate) const LOAD_BATCH: u32 = 4_096;
/// How long one process waits for another's lock on the file: only a backup's or the command line's, and only for moments.
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Rows that are written before the write-ahead log is written back to the file, beside the writer. Each is some pages.
pub(crate) const WRITE_BACK_ROWS: u64 = 1_024;
/// Pages of 4 KiB in the write-ahead log before the writer itself writes it back, in the middle of a commit: nobody did before.
pub(crate) const CHECKPOINT_PAGES: u32 = 16_000;
/// KiB of the file that the writer may keep in memory. Tokens are scattered over the whole file; with less, every login reads.
pub(crate) const WRITER_CACHE_KIB: u32 = 8_192;
/// Lines of the audit log that may wait for the writer, which then writes all of them at once. One more is counted, not kept.
pub(crate) const MAX_AUDIT_WAITING: usize = 65_536;
/// Bytes of text that these lines may have together.
pub(crate) const MAX_AUDIT_WAITING_BYTES: usize = 16 * 1024 * 1024;
/// How long a line with nothing to ride on waits for others to share its commit. The commit has the other half of the time.
pub(crate) const AUDIT_GATHERS: Duration =
    Duration::from_millis(auth::limits::AUDIT_DELAY.as_millis() as u64 / 2);
/// How soon lines that could not be written are tried again where nothing else is written.
pub(crate) const AUDIT_RETRY: Duration = Duration::from_secs(1);
/// Blocks of the audit log that a search looks at in one step.
pub(crate) const AUDIT_BLOCKS_AT_ONCE: u64 = 64;
