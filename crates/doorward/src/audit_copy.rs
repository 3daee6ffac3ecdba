//! The copy of the audit log as JSON lines, in a file or on the standard output (`audit.file`): for those who keep it where the
//! machine's own administrator cannot reach it.
//!
//! Started by `serve.rs`; told by the store of every line that is on disk. A thread of its own writes; nobody ever waits for it.
//! What it missed it reads from the store, whatever the reason: a start after a crash, a disk that was full, a reader that
//! stood still. Must never take anything out of a file: what stands there is somebody's evidence.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use auth::{AuditFilter, AuditRecord, AuditStore, Clock, Moment};
use config::AuditFile;
use serde_json::json;
use store_embedded::EmbeddedStore;
use tokio::runtime::Handle;

use crate::audit_line::{from_json, to_json};
use crate::log::{Level, Log};

/// Groups of lines that wait to be written at the most; what is more is read from the store later.
const MAX_WAITING: usize = 1_024;
/// Lines that are read from the store at once.
const BATCH: usize = 500;
/// How long a file that cannot be written is left alone.
const RETRY: Duration = Duration::from_secs(5);
/// How often the log is told of it.
const TOLD_AGAIN: Duration = Duration::from_secs(60);
/// How long the end of the process waits for the last lines.
const LAST_LINES: Duration = Duration::from_secs(2);
/// How much of the end of a file is read for its last whole line; more than the longest line has.
const MAX_TAIL: u64 = 16 * 1024 * 1024;

/// The copy. The thread that writes it ends with [`AuditCopy::stop`].
pub(crate) struct AuditCopy {
    shared: Arc<Shared>,
    wake: SyncSender<Message>,
    finished: Receiver<()>,
}

#[derive(Default)]
struct Shared {
    /// Lines were told that the thread did not hear of.
    is_behind: AtomicBool,
    orders: Mutex<Orders>,
}

/// What the thread is to do once it has time.
#[derive(Default)]
struct Orders {
    /// Open this anew.
    open: Option<AuditFile>,
    stop: bool,
}

enum Message {
    Lines(Box<[AuditRecord]>),
    /// There are orders.
    Look,
}

/// What a copy stands on.
pub(crate) struct Ground {
    pub(crate) store: Arc<EmbeddedStore>,
    /// The runtime on which the store is read.
    pub(crate) office: Handle,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) log: Log,
    /// The last line before this process: what goes to a stream begins after it.
    pub(crate) newest: u64,
}

impl AuditCopy {
    /// Starts to copy to `target`, which goes on where it ends: a file that is there already after its last line, a new one
    /// from the oldest line that the store has, a stream with the lines of this process.
    pub(crate) fn start(ground: Ground, target: AuditFile) -> Self {
        let (wake, waiting) = sync_channel(MAX_WAITING);
        let (done, finished) = sync_channel(1);
        let shared = Arc::new(Shared::default());
        shared.is_behind.store(true, Ordering::Relaxed);
        let (told, lines) = (Arc::clone(&shared), wake.clone());
        ground.store.set_audit_sink(Arc::new(move |records| {
            if lines.try_send(Message::Lines(Box::from(records))).is_err() {
                told.is_behind.store(true, Ordering::Release);
            }
        }));
        let writer =
            Writer { ground, shared: Arc::clone(&shared), target, out: None, last: None, told: None };
        // Without its thread there is no copy; the store has the log all the same.
        let _ = std::thread::Builder::new().name("audit".to_owned()).spawn(move || {
            writer.run(&waiting);
            let _ = done.send(());
        });
        let _ = wake.try_send(Message::Look);
        Self { shared, wake, finished }
    }

    /// Has `target` opened anew, after the line that was written last: what a file was moved to stays as it is.
    pub(crate) fn reopen(&self, target: AuditFile) {
        self.order(|orders| orders.open = Some(target));
    }

    /// Waits until what the store told is written, for a moment at the most. Called once the store is closed.
    pub(crate) fn stop(self) {
        self.order(|orders| orders.stop = true);
        let _ = self.finished.recv_timeout(LAST_LINES);
    }

    fn order(&self, give: impl FnOnce(&mut Orders)) {
        give(&mut self.shared.orders.lock().unwrap_or_else(PoisonError::into_inner));
        // A full queue is looked through anyway.
        let _ = self.wake.try_send(Message::Look);
    }
}

/// Where lines go.
enum Out {
    File(File),
    Stdout,
}

impl Out {
    fn write(&mut self, lines: &[u8]) -> std::io::Result<()> {
        match self {
            Self::File(file) => file.write_all(lines),
            Self::Stdout => {
                let mut out = std::io::stdout().lock();
                out.write_all(lines).and_then(|()| out.flush())
            }
        }
    }
}

struct Writer {
    ground: Ground,
    shared: Arc<Shared>,
    target: AuditFile,
    /// `None`: to be opened.
    out: Option<Out>,
    /// The last line that was written, once that is known.
    last: Option<u64>,
    /// When the log was last told that it cannot be written.
    told: Option<Moment>,
}

type Fault = Box<dyn std::error::Error>;

impl Writer {
    fn run(mut self, waiting: &Receiver<Message>) {
        loop {
            let message = if self.out.is_some() {
                waiting.recv().map_err(|_| RecvTimeoutError::Disconnected)
            } else {
                waiting.recv_timeout(RETRY)
            };
            let mut stops = matches!(message, Err(RecvTimeoutError::Disconnected));
            if let Ok(message) = message {
                self.take(message);
            }
            let mut orders = self.shared.orders.lock().unwrap_or_else(PoisonError::into_inner);
            stops |= orders.stop;
            if let Some(target) = orders.open.take() {
                (self.target, self.out) = (target, None);
                self.shared.is_behind.store(true, Ordering::Relaxed);
            }
            drop(orders);
            if stops {
                waiting.try_iter().for_each(|message| self.take(message));
            }
            if self.shared.is_behind.swap(false, Ordering::AcqRel)
                && let Err(fault) = self.catch_up()
            {
                self.failed(&*fault);
            }
            if stops {
                return;
            }
        }
    }

    fn take(&mut self, message: Message) {
        let Message::Lines(records) = message else { return };
        let follows =
            self.last.is_some_and(|last| records.first().is_some_and(|first| first.sequence <= last + 1));
        if self.out.is_none() || !follows {
            // They are in the store, and are read from there in their place.
            self.shared.is_behind.store(true, Ordering::Relaxed);
        } else if let Err(fault) = self.write(&records) {
            self.failed(&*fault);
        }
    }

    /// Writes those of these lines that are not written yet.
    fn write(&mut self, records: &[AuditRecord]) -> Result<(), Fault> {
        let last = self.last.unwrap_or_default();
        let mut lines = String::new();
        for record in records.iter().filter(|record| record.sequence > last) {
            lines.push_str(&to_json(record));
            lines.push('\n');
        }
        if let Some(out) = &mut self.out {
            out.write(lines.as_bytes())?;
            self.last = records.last().map(|record| record.sequence).max(self.last);
        }
        Ok(())
    }

    /// Writes what the store has beyond the last line.
    fn catch_up(&mut self) -> Result<(), Fault> {
        if self.out.is_none() {
            self.open()?;
        }
        loop {
            let records = self.read_after(self.last.unwrap_or_default(), BATCH)?;
            self.write(&records)?;
            if records.len() < BATCH {
                if self.told.take().is_some() {
                    self.ground.log.line(Level::Info, "audit_copy_resumed", json!({ "file": self.name() }));
                }
                return Ok(());
            }
        }
    }

    fn read_after(&self, after: u64, limit: usize) -> Result<Vec<AuditRecord>, Fault> {
        let filter = AuditFilter { after: Some(after), oldest_first: true, limit, ..AuditFilter::default() };
        Ok(self.ground.office.block_on(self.ground.store.read(filter))?)
    }

    fn open(&mut self) -> Result<(), Fault> {
        let AuditFile::Path(path) = &self.target else {
            (self.out, self.last) = (Some(Out::Stdout), self.last.or(Some(self.ground.newest)));
            return Ok(());
        };
        let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
        let mut last = self.last.or(Some(self.ground.newest));
        if file.metadata()?.is_file() {
            let tail = Tail::read(path)?;
            if tail.is_torn {
                // Who reads it finds a line that is none, and after it the whole one.
                file.write_all(b"\n")?;
            }
            last = match tail.last {
                None => self.last,
                Some(line) if self.is_ours(&line)? => Some(line.sequence),
                Some(line) => {
                    let fields = json!({ "file": self.name(), "line": line.sequence });
                    self.ground.log.line(Level::Warn, "audit_copy_of_another_store", fields);
                    self.last
                }
            };
        }
        (self.out, self.last) = (Some(Out::File(file)), last.or(Some(0)));
        Ok(())
    }

    /// Whether the store has, or once had, this line.
    fn is_ours(&self, line: &AuditRecord) -> Result<bool, Fault> {
        let found = self.read_after(line.sequence.saturating_sub(1), 1)?;
        Ok(found.first().is_some_and(|found| found.sequence > line.sequence || found.hash == line.hash))
    }

    fn failed(&mut self, fault: &dyn std::error::Error) {
        self.out = None;
        self.shared.is_behind.store(true, Ordering::Relaxed);
        let now = self.ground.clock.now();
        if self.told.is_none_or(|told| now >= told.plus(TOLD_AGAIN)) {
            self.told = Some(now);
            let fields = json!({ "file": self.name(), "detail": fault.to_string() });
            self.ground.log.line(Level::Error, "audit_copy_failed", fields);
        }
    }

    fn name(&self) -> String {
        match &self.target {
            AuditFile::Stdout => "-".to_owned(),
            AuditFile::Path(path) => path.display().to_string(),
        }
    }
}

/// What stands at the end of a file.
#[derive(Debug, PartialEq)]
struct Tail {
    /// The last whole line; `None` where there is none in the file.
    last: Option<AuditRecord>,
    /// Whether the file ends within a line.
    is_torn: bool,
}

impl Tail {
    /// Reads the end of a file.
    ///
    /// # Errors
    /// Where it cannot be read, or is no copy of an audit log.
    fn read(path: &Path) -> Result<Self, Fault> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        let mut wanted = 64 * 1024;
        loop {
            let begin = length.saturating_sub(wanted);
            file.seek(SeekFrom::Start(begin))?;
            let mut bytes = Vec::new();
            Read::by_ref(&mut file).take(length - begin).read_to_end(&mut bytes)?;
            let is_torn = bytes.last().is_some_and(|last| *last != b'\n');
            // The first piece may be the end of a line, which is then no line.
            let last = bytes.rsplit(|byte| *byte == b'\n').find_map(from_json);
            if last.is_some() || begin == 0 {
                return Ok(Self { last, is_torn });
            }
            if wanted >= MAX_TAIL {
                return Err("it is no copy of an audit log: there is no line of one near its end".into());
            }
            wanted *= 4;
        }
    }
}

#[cfg(test)]
mod tests;
