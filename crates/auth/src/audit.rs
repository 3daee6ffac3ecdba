//! The ledger: the witness who has the audit log written. Told by the kernel, the directory and the way, like every witness;
//! writes to an [`AuditStore`], which chains the lines and keeps them.
//!
//! Strangers decide how many failures there are, so of those from one address only the first of each minute are written one
//! by one ([`MAX_AUDITED_FAILURES`]); the others are counted, and the count is a line of its own once the minute is over.
//! Must never wait for the disk, and never leave a failure out of both.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::limits::{MAX_AUDITED_ADDRESSES, MAX_AUDITED_FAILURES, MAX_AUDITED_TEXT, MAX_STRANGERS_TEXT};
use crate::login::client_of;
use crate::store::AuditStore;
use crate::witness::{Event, Witness};
use crate::words::audit::AuditEntry;
use crate::words::clock::{Clock, Moment};

/// How long failures are counted before the count is written.
const MINUTE: Duration = Duration::from_secs(60);

/// Has every event written to the audit log.
pub struct Ledger {
    store: Arc<dyn AuditStore>,
    clock: Arc<dyn Clock>,
    minute: Mutex<Minute>,
}

/// The failures of the minute that began at `since`, by client and kind: who asks for what he may not have must not use up the
/// lines of those who guess passwords. `None`: those clients for whom there was no room.
#[derive(Default)]
struct Minute {
    since: Moment,
    counts: HashMap<(Option<IpAddr>, &'static str), u64>,
}

impl Minute {
    /// Counts a failure; whether it is one of those that are written.
    fn count(&mut self, address: IpAddr, kind: &'static str, now: Moment) -> bool {
        if self.counts.is_empty() {
            self.since = now;
        }
        let mut key = (Some(client_of(address)), kind);
        if self.counts.len() >= MAX_AUDITED_ADDRESSES && !self.counts.contains_key(&key) {
            key.0 = None;
        }
        let count = self.counts.entry(key).or_default();
        *count += 1;
        *count <= u64::from(MAX_AUDITED_FAILURES)
    }

    fn is_over(&self, now: Moment) -> bool {
        !self.counts.is_empty() && now >= self.since.plus(MINUTE)
    }

    /// The counts that were not written, and an empty minute instead.
    fn take(&mut self) -> Vec<Event> {
        let written = u64::from(MAX_AUDITED_FAILURES);
        let counts = std::mem::take(&mut self.counts).into_iter();
        let more = counts.filter(|(_, count)| *count > written);
        more.map(|((address, kind), count)| Event::Repeated { address, kind, count: count - written })
            .collect()
    }
}

impl Ledger {
    /// A ledger that writes to `store`.
    #[must_use]
    pub fn new(store: Arc<dyn AuditStore>, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock, minute: Mutex::default() }
    }

    /// Writes the counts of a minute that is over. Called from time to time, as nothing else may happen in a quiet house.
    pub fn settle(&self) {
        let now = self.clock.now();
        self.write_counts(now, |minute| minute.is_over(now));
    }

    /// Writes all counts, whether the minute is over or not: before the process ends.
    pub fn close(&self) {
        self.write_counts(self.clock.now(), |_| true);
    }

    fn write_counts(&self, now: Moment, is_due: impl FnOnce(&Minute) -> bool) {
        let mut minute = self.minute.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = if is_due(&minute) { minute.take() } else { Vec::new() };
        drop(minute);
        for count in counts {
            self.store.append(count.entry(now));
        }
    }

    fn is_written(&self, event: &Event, now: Moment) -> bool {
        let Some(address) = event.failing_address() else { return true };
        self.minute.lock().unwrap_or_else(PoisonError::into_inner).count(address, event.event_id(), now)
    }
}

impl Witness for Ledger {
    fn note(&self, event: &Event) {
        let now = self.clock.now();
        self.write_counts(now, |minute| minute.is_over(now));
        if self.is_written(event, now) {
            let most = if event.failing_address().is_some() { MAX_STRANGERS_TEXT } else { MAX_AUDITED_TEXT };
            self.store.append(cut(event.entry(now), most));
        }
    }
}

/// The entry with none of its texts longer than `most` bytes; a text that was cut ends with a sign that there was more.
fn cut(mut entry: AuditEntry, most: usize) -> AuditEntry {
    for text in entry.fields.values_mut().filter(|text| text.len() > most) {
        *text = format!("{}…", &text[..text.floor_char_boundary(most)]).into_boxed_str();
    }
    entry
}

#[cfg(test)]
mod tests;
