//! `doorward audit verify`: walks the chain of the store's audit log, and of copies of it, and holds them against each other.
//!
//! Reads only, beside a server that runs or without one. Must never say that something is in order that was not looked at.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use auth::{AuditFilter, AuditHash, AuditRecord, AuditStore};
use serde_json::json;
use store_embedded::{AuditReport, EmbeddedStore};
use tokio::runtime::Runtime;

use crate::audit_line::{from_json, hash};
use crate::command::{Failure, StoreFolder, runtime, say};

/// Bytes of a line of a copy at the most.
const MAX_LINE: u64 = 16 * 1024 * 1024;
/// Lines that are read from the store at once.
const BATCH: usize = 1_000;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    folder: StoreFolder,
    /// A copy as JSON lines (audit.file), to be checked as well; may be given more than once, the oldest first
    #[arg(long, value_name = "FILE")]
    copy: Vec<PathBuf>,
    /// An end of the log that was noted elsewhere, and that must be in it: LINE:HASH
    #[arg(long, value_name = "LINE:HASH", value_parser = parse_place)]
    expect: Option<Place>,
}

/// The place of a line in the chain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Place {
    sequence: u64,
    hash: AuditHash,
}

fn parse_place(text: &str) -> Result<Place, String> {
    let read = |text: &str| {
        let (sequence, digits) = text.split_once(':')?;
        Some(Place { sequence: sequence.parse().ok()?, hash: hash(digits)? })
    };
    read(text).ok_or_else(|| "is no LINE:HASH, as `audit verify` prints the end of a log".to_owned())
}

pub(super) fn run(arguments: &Arguments, json: bool) -> Result<(), Failure> {
    let folder = arguments.folder.path()?;
    // How long the copies are is asked first: what is in them is in the store already.
    let open = |path: &PathBuf| CopyFile::open(path);
    let copies = arguments.copy.iter().map(open).collect::<Result<Vec<_>, _>>()?;
    let office = runtime()?;
    let report = office.block_on(EmbeddedStore::verify_audit(&folder)).map_err(Failure::because)?;
    if let Some(fault) = &report.fault {
        return Err(Failure::because(format!("the audit log in {}: {fault}", folder.display())));
    }
    let store = office.block_on(EmbeddedStore::peek(&folder)).map_err(Failure::because)?;
    let mut check = Check {
        lines: StoreLines { store: &store, office: &office, ahead: Vec::new() },
        report: &report,
        expected: arguments.expect,
        previous: None,
    };
    check.look_in_store()?;
    let mut copied = Vec::new();
    for copy in copies {
        copied.push(check.copy(copy)?);
    }
    if let Some(Place { sequence, hash }) = check.expected {
        let first = report.first;
        let why =
            if sequence < first { format!("; the store begins with line {first}") } else { String::new() };
        return Err(Failure::because(format!("line {sequence} with the hash {hash} is not there{why}")));
    }
    tell(json, &folder, &report, &copied, arguments.expect);
    Ok(())
}

fn tell(json: bool, folder: &Path, report: &AuditReport, copies: &[Copied], expected: Option<Place>) {
    let AuditReport { lines, first, last, hash, .. } = report;
    if json {
        let copies: Vec<_> = copies
            .iter()
            .map(|Copied { file, lines, first, last, torn }| {
                json!({ "file": file, "lines": lines, "first": first, "last": last, "torn": torn })
            })
            .collect();
        let told = json!({
            "lines": lines, "first": first, "last": last, "hash": hash.to_string(), "copies": copies,
        });
        say(&told.to_string());
        return;
    }
    let place = folder.display();
    match lines {
        0 => say(&format!("the audit log in {place} is empty")),
        _ => say(&format!("the audit log in {place} is in order: {lines} lines, {first} to {last}")),
    }
    say(&format!("its end: {last}:{hash}"));
    for Copied { file, lines, first, last: end, torn } in copies {
        let behind = match last.saturating_sub(*end) {
            0 => String::new(),
            more => format!("; the store has {more} more"),
        };
        let torn =
            if *torn > 0 { format!("; {torn} lines were torn and written again") } else { String::new() };
        match lines {
            0 => say(&format!("{file} has no lines")),
            _ => say(&format!("{file} is in order: {lines} lines, {first} to {end}{behind}{torn}")),
        }
    }
    if let Some(Place { sequence, .. }) = expected {
        say(&format!("line {sequence} has the expected hash"));
    }
}

/// A copy, up to where it ended when it was opened.
struct CopyFile {
    name: String,
    content: BufReader<std::io::Take<File>>,
}

impl CopyFile {
    fn open(path: &PathBuf) -> Result<Self, Failure> {
        let name = path.display().to_string();
        let unread = |error: std::io::Error| Failure::because(format!("{name}: {error}"));
        let file = File::open(path).map_err(unread)?;
        let length = file.metadata().map_err(unread)?.len();
        Ok(Self { content: BufReader::new(file.take(length)), name })
    }

    /// The next line, with its end where it has one; empty at the end of the file.
    fn next(&mut self) -> Result<Vec<u8>, Failure> {
        let mut line = Vec::new();
        let read = self.content.by_ref().take(MAX_LINE).read_until(b'\n', &mut line);
        read.map_err(|error| Failure::because(format!("{}: {error}", self.name)))?;
        Ok(line)
    }
}

/// What became of a copy.
struct Copied {
    file: String,
    lines: u64,
    first: u64,
    last: u64,
    /// Lines that a crash cut off, and that follow whole.
    torn: u64,
}

struct Check<'a> {
    lines: StoreLines<'a>,
    report: &'a AuditReport,
    /// What is still to be found.
    expected: Option<Place>,
    /// The last line of the copies so far.
    previous: Option<Place>,
}

impl Check<'_> {
    fn look_in_store(&mut self) -> Result<(), Failure> {
        let Some(expected) = self.expected else { return Ok(()) };
        if let Some(found) = self.lines.line(expected.sequence)? {
            self.found(&found)?;
        }
        Ok(())
    }

    /// Takes note of a line that may be the expected one.
    fn found(&mut self, record: &AuditRecord) -> Result<(), Failure> {
        match self.expected {
            Some(expected) if expected.sequence == record.sequence && expected.hash != record.hash => {
                Err(Failure::because(format!(
                    "line {} has the hash {}, not the expected one: it, or a line before it, was altered, and the log \
                     written anew",
                    record.sequence, record.hash
                )))
            }
            Some(expected) if expected.sequence == record.sequence => {
                self.expected = None;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn copy(&mut self, mut file: CopyFile) -> Result<Copied, Failure> {
        let mut copied = Copied { file: file.name.clone(), lines: 0, first: 0, last: 0, torn: 0 };
        // A torn line that is not made good for yet: where it is.
        let mut torn_at = None;
        for number in 1_u64.. {
            let line = file.next()?;
            if line.is_empty() {
                break;
            }
            let Some(record) = from_json(&line) else {
                if line.last() == Some(&b'\n') {
                    torn_at = Some(number);
                    copied.torn += 1;
                }
                continue;
            };
            torn_at = None;
            let is_first = copied.lines == 0;
            let judged = match self.in_place(&record, is_first) {
                Ok(()) => self.as_stored(&record)?,
                Err(why) => Err(why),
            };
            judged.map_err(|why| {
                let sequence = record.sequence;
                Failure::because(format!("{}, line {number}: line {sequence} of the log {why}", file.name))
            })?;
            self.found(&record)?;
            copied.first = if is_first { record.sequence } else { copied.first };
            (copied.lines, copied.last) = (copied.lines + 1, record.sequence);
            self.previous = Some(Place { sequence: record.sequence, hash: record.hash });
        }
        match torn_at {
            Some(number) => Err(Failure::because(format!(
                "{}, line {number}: it is no line of an audit log",
                copied.file
            ))),
            None => Ok(copied),
        }
    }

    /// Whether a line of a copy follows the one before it. The first of a copy may begin anywhere.
    fn in_place(&self, record: &AuditRecord, is_first: bool) -> Result<(), String> {
        let genesis = Place { sequence: 0, hash: AuditHash::GENESIS };
        let previous = match self.previous {
            Some(previous) if !is_first || record.sequence == previous.sequence + 1 => previous,
            _ if record.sequence == 1 => genesis,
            _ => return Ok(()),
        };
        if record.sequence != previous.sequence + 1 {
            let wanted = previous.sequence + 1;
            return Err(format!(
                "stands where line {wanted} should be: lines are missing, or were put there"
            ));
        }
        if previous.hash.followed_by(record.sequence, &record.entry) != record.hash {
            return Err("was altered: its hash does not belong to it".to_owned());
        }
        Ok(())
    }

    /// Whether a line of a copy is what the store has.
    fn as_stored(&mut self, record: &AuditRecord) -> Result<Result<(), String>, Failure> {
        if record.sequence > self.report.last {
            let last = self.report.last;
            return Ok(Err(format!("is not in the store, which ends with line {last}: its end was cut off")));
        }
        let stored = self.lines.line(record.sequence)?;
        Ok(match stored {
            Some(stored) if stored != *record => Err("is not what the store has".to_owned()),
            // It may be older than what the store keeps.
            Some(_) | None => Ok(()),
        })
    }
}

/// Lines of the store, read in steps by whoever asks for them in order.
struct StoreLines<'a> {
    store: &'a EmbeddedStore,
    office: &'a Runtime,
    /// What was read and not asked for, the last first.
    ahead: Vec<AuditRecord>,
}

impl StoreLines<'_> {
    /// The line with this number, if the store has it.
    fn line(&mut self, sequence: u64) -> Result<Option<AuditRecord>, Failure> {
        while self.ahead.last().is_some_and(|record| record.sequence < sequence) {
            self.ahead.pop();
        }
        if self.ahead.last().is_none_or(|record| record.sequence > sequence) {
            let filter = AuditFilter {
                after: Some(sequence.saturating_sub(1)),
                oldest_first: true,
                limit: BATCH,
                ..AuditFilter::default()
            };
            self.ahead = self.office.block_on(self.store.read(filter)).map_err(Failure::because)?;
            self.ahead.reverse();
        }
        Ok(self.ahead.last().filter(|record| record.sequence == sequence).cloned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_log_reads_as_it_is_printed() {
        let hash = AuditHash([7; 32]);
        assert_eq!(parse_place(&format!("12:{hash}")), Ok(Place { sequence: 12, hash }));
        for wrong in
            ["", "12", "12:", "x:07", &format!(":{hash}"), &format!("-1:{hash}"), &format!("12:{hash}0")]
        {
            assert!(parse_place(wrong).is_err(), "{wrong}");
        }
    }
}
