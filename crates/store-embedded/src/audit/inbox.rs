//! Lines of the audit log on their way to the writer.
//!
//! Filled by everybody who notes something, emptied by `writer.rs`. Must never wait for the disk, must never grow without
//! end, and must never lose a line without counting it: what finds no room is a line of its own, `audit_dropped`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use auth::{AuditEntry, AuditRecord, Moment};
use tokio::sync::Notify;

use super::chain::{LATEST, Place};
use crate::limits::{AUDIT_GATHERS, AUDIT_RETRY, MAX_AUDIT_WAITING, MAX_AUDIT_WAITING_BYTES};

/// Who is told of lines of the audit log once they are on disk.
pub type AuditSink = Arc<dyn Fn(&[AuditRecord]) + Send + Sync>;

/// The event that says that lines found no room; its field `count` says how many.
const DROPPED: &str = "audit_dropped";

/// Lines that wait.
#[derive(Default)]
pub(crate) struct Inbox {
    waiting: Mutex<Waiting>,
    sink: Mutex<Option<AuditSink>>,
    /// The first line after none.
    noted: Notify,
    /// Half of the room is taken.
    pressing: Notify,
}

#[derive(Default)]
struct Waiting {
    entries: Vec<AuditEntry>,
    /// Lines that wait here or at the writer, and their bytes.
    count: usize,
    bytes: usize,
    /// Lines that found no room since the last that did, and when the last of them happened.
    dropped: Option<(u64, Moment)>,
    closed: bool,
}

/// What a line weighs against [`MAX_AUDIT_WAITING_BYTES`]: its texts.
fn weight(entry: &AuditEntry) -> usize {
    entry.event.len() + entry.fields.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>()
}

fn note_of((count, at): (u64, Moment)) -> AuditEntry {
    let fields = BTreeMap::from([(Cow::Borrowed("count"), count.to_string().into_boxed_str())]);
    AuditEntry { at, event: Cow::Borrowed(DROPPED), fields }
}

impl Waiting {
    /// Takes it in if there is room, after the note of those for which there was none.
    fn take_in(&mut self, entry: AuditEntry) {
        let note = self.dropped.map(note_of);
        let lines = 1 + usize::from(note.is_some());
        let bytes = weight(&entry) + note.as_ref().map_or(0, weight);
        if self.has_room(lines, bytes) {
            self.entries.extend(note.into_iter().chain([entry]));
            self.count += lines;
            self.bytes += bytes;
            self.dropped = None;
        } else {
            let (count, _) = self.dropped.unwrap_or((0, entry.at));
            self.dropped = Some((count + 1, entry.at));
        }
    }

    fn has_room(&self, lines: usize, bytes: usize) -> bool {
        self.count + lines <= MAX_AUDIT_WAITING && self.bytes + bytes <= MAX_AUDIT_WAITING_BYTES
    }

    /// The note of those for which there was no room, if there is room for it.
    fn take_note_in(&mut self) {
        if let Some(note) = self.dropped.map(note_of)
            && self.has_room(1, weight(&note))
        {
            self.count += 1;
            self.bytes += weight(&note);
            self.entries.push(note);
            self.dropped = None;
        }
    }

    fn is_pressing(&self) -> bool {
        self.count * 2 >= MAX_AUDIT_WAITING || self.bytes * 2 >= MAX_AUDIT_WAITING_BYTES
    }
}

impl Inbox {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a line; returns at once.
    pub(crate) fn append(&self, mut entry: AuditEntry) {
        entry.at = entry.at.min(LATEST);
        let mut waiting = self.lock();
        if waiting.closed {
            return;
        }
        let (was_empty, was_pressing) = (waiting.entries.is_empty(), waiting.is_pressing());
        waiting.take_in(entry);
        let is_pressing = waiting.is_pressing();
        drop(waiting);
        if was_empty {
            self.noted.notify_one();
        }
        if is_pressing && !was_pressing {
            self.pressing.notify_one();
        }
    }

    /// Tells `sink` of all lines from now on, once they are on disk.
    pub(crate) fn set_sink(&self, sink: AuditSink) {
        *self.sink.lock().unwrap_or_else(PoisonError::into_inner) = Some(sink);
    }

    /// No line is taken in any more.
    fn close(&self) {
        self.lock().closed = true;
    }

    fn has_lines(&self) -> bool {
        let waiting = self.lock();
        !waiting.entries.is_empty() || waiting.dropped.is_some()
    }
}

/// The writer's side: lines that it has taken and not yet written.
pub(crate) struct Pending {
    inbox: Arc<Inbox>,
    entries: Vec<AuditEntry>,
}

impl Pending {
    pub(crate) fn new(inbox: Arc<Inbox>) -> Self {
        Self { inbox, entries: Vec::new() }
    }

    /// Lines to be written, in their order.
    pub(crate) fn entries(&self) -> &[AuditEntry] {
        &self.entries
    }

    /// Takes everything that waits; whether there is anything to be written.
    pub(crate) fn take(&mut self) -> bool {
        let mut waiting = self.inbox.lock();
        waiting.take_note_in();
        if self.entries.is_empty() {
            self.entries = std::mem::take(&mut waiting.entries);
        } else {
            self.entries.append(&mut waiting.entries);
        }
        !self.entries.is_empty()
    }

    /// The first lines are on disk, in these places.
    pub(crate) fn written(&mut self, places: &[Place]) {
        if places.is_empty() {
            return;
        }
        let entries = self.entries.drain(..places.len());
        let records: Vec<AuditRecord> = entries
            .zip(places)
            .map(|(entry, place)| AuditRecord { sequence: place.sequence, entry, hash: place.hash })
            .collect();
        let bytes: usize = records.iter().map(|record| weight(&record.entry)).sum();
        let mut waiting = self.inbox.lock();
        waiting.count -= records.len();
        waiting.bytes -= bytes;
        drop(waiting);
        let sink = self.inbox.sink.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(sink) = sink {
            sink(&records);
        }
    }

    /// Resolves when lines should be written though nothing else is: soon after the first, so that others can share its commit.
    pub(crate) async fn are_due(&self) {
        if !self.entries.is_empty() {
            // These could not be written. Whatever else is written takes them along; for themselves they try now and then.
            tokio::time::sleep(AUDIT_RETRY).await;
            return;
        }
        while !self.inbox.has_lines() {
            self.inbox.noted.notified().await;
        }
        tokio::select! {
            () = tokio::time::sleep(AUDIT_GATHERS) => {}
            () = self.inbox.pressing.notified() => {}
        }
    }

    /// No line is taken in any more; those that wait are still to be written.
    pub(crate) fn close(&self) {
        self.inbox.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(number: u64, bytes: usize) -> AuditEntry {
        let fields = BTreeMap::from([(Cow::Borrowed("x"), "x".repeat(bytes - 6).into_boxed_str())]);
        AuditEntry { at: Moment::from_millis(number), event: Cow::Borrowed("event"), fields }
    }

    fn pair() -> (Arc<Inbox>, Pending) {
        let inbox = Arc::new(Inbox::default());
        (Arc::clone(&inbox), Pending::new(inbox))
    }

    fn places(count: usize) -> Vec<Place> {
        vec![Place { sequence: 1, hash: auth::AuditHash::GENESIS }; count]
    }

    #[test]
    fn lines_have_a_limit_on_both_sides() {
        let (inbox, mut pending) = pair();
        for number in 0..MAX_AUDIT_WAITING as u64 {
            inbox.append(entry(number, 8));
        }
        assert!(pending.take());
        assert_eq!(pending.entries().len(), MAX_AUDIT_WAITING);
        // The writer has them, but nothing is written: there is no room yet.
        (0..3).for_each(|number| inbox.append(entry(100 + number, 8)));
        pending.take();
        assert_eq!(pending.entries().len(), MAX_AUDIT_WAITING);
        assert!(inbox.has_lines(), "what was dropped is to be told");
        pending.written(&places(2));
        inbox.append(entry(200, 8));
        pending.take();
        assert_eq!(pending.entries().len(), MAX_AUDIT_WAITING);
        let last: Vec<_> = pending.entries()[MAX_AUDIT_WAITING - 2..].to_vec();
        assert_eq!(last, [note_of((3, Moment::from_millis(102))), entry(200, 8)], "in its place");
        pending.written(&places(MAX_AUDIT_WAITING));
        assert!(!pending.take() && !inbox.has_lines());
        let waiting = inbox.lock();
        assert_eq!((waiting.count, waiting.bytes), (0, 0));
    }

    #[test]
    fn bytes_have_a_limit_on_both_sides() {
        let (inbox, mut pending) = pair();
        inbox.append(entry(1, MAX_AUDIT_WAITING_BYTES + 1));
        assert!(pending.take(), "it never fits, and that is told");
        assert_eq!(pending.entries(), [note_of((1, Moment::from_millis(1)))]);
        pending.written(&places(1));
        inbox.append(entry(2, MAX_AUDIT_WAITING_BYTES));
        inbox.append(entry(3, 6));
        pending.take();
        assert_eq!(pending.entries(), [entry(2, MAX_AUDIT_WAITING_BYTES)]);
        pending.written(&places(1));
        assert!(pending.take());
        assert_eq!(pending.entries(), [note_of((1, Moment::from_millis(3)))], "as soon as there is room");
    }

    #[test]
    fn times_have_a_limit_on_both_sides() {
        let (inbox, mut pending) = pair();
        for millis in [LATEST.as_millis(), LATEST.as_millis() + 1] {
            inbox.append(AuditEntry { at: Moment::from_millis(millis), ..entry(0, 8) });
        }
        pending.take();
        assert!(pending.entries().iter().all(|entry| entry.at == LATEST));
    }

    #[test]
    fn figure_17_what_could_not_be_written_is_written_first() {
        let (inbox, mut pending) = pair();
        inbox.append(entry(1, 8));
        pending.take();
        inbox.append(entry(2, 8));
        pending.take();
        assert_eq!(pending.entries(), [entry(1, 8), entry(2, 8)]);
        pending.close();
        inbox.append(entry(3, 8));
        pending.take();
        assert_eq!(pending.entries().len(), 2, "closed is closed");
    }
}
