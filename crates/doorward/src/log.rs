//! The log: one line for each request and each security event, on stderr, JSON or text. Never a secret.
//!
//! Lines are written by a thread of their own. When it cannot keep up (a full pipe), lines are dropped and counted, and
//! the count is written as a line of its own: a log may not hold up the gateway, may not eat its memory, and may not hide
//! that it lost something.

use std::borrow::Cow;
use std::io::{IsTerminal as _, Write};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use auth::{Clock, Event, Witness};
use config::{Log as LogSettings, LogFormat};
use gateway::{Journal, RequestLine};
use serde::Serialize;
use serde_json::{Map, Value, json};

/// Lines that wait to be written at the most.
const MAX_WAITING: usize = 65_536;
/// Bytes that they have at the most, all together.
const MAX_WAITING_BYTES: usize = 16 * 1024 * 1024;
/// Bytes of one text that came with a request; what is longer is cut, as who sends it decides how long it is.
const MAX_TEXT: usize = 1_024;

/// The log. Cloning shares it.
#[derive(Clone)]
pub(crate) struct Log {
    shared: Arc<Shared>,
}

struct Shared {
    lines: SyncSender<Message>,
    backlog: Arc<Backlog>,
    clock: Arc<dyn Clock>,
    json: AtomicBool,
    requests: AtomicBool,
}

/// What the writers and the thread know of each other.
#[derive(Default)]
struct Backlog {
    /// Bytes of the lines that wait.
    bytes: AtomicUsize,
    /// Lines that were dropped since that was last written.
    dropped: AtomicU64,
}

enum Message {
    Line(Box<str>),
    /// Everything before this is written when the other end hears of it.
    Flush(SyncSender<()>),
}

/// How long lines gather before they are written together; a `kill -9` costs at most the lines of this span.
const GATHER: Duration = Duration::from_millis(5);

/// How much a line matters.
#[derive(Clone, Copy)]
pub(crate) enum Level {
    Info,
    Warn,
    Error,
}

impl Level {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

impl Log {
    /// A log with a thread of its own.
    pub(crate) fn start(settings: &LogSettings, clock: Arc<dyn Clock>) -> Self {
        let (log, waiting) = Self::open(settings, clock);
        let backlog = Arc::clone(&log.shared.backlog);
        // Without its thread there is no log; the gateway serves all the same.
        let _ = std::thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || write_lines(&waiting, &backlog, std::io::stderr()));
        log
    }

    /// A log that nobody writes yet, and what waits to be written.
    fn open(settings: &LogSettings, clock: Arc<dyn Clock>) -> (Self, Receiver<Message>) {
        let (lines, waiting) = sync_channel(MAX_WAITING);
        let log = Self {
            shared: Arc::new(Shared {
                lines,
                backlog: Arc::default(),
                clock,
                json: AtomicBool::new(true),
                requests: AtomicBool::new(true),
            }),
        };
        log.adopt(settings);
        (log, waiting)
    }

    /// Puts newly read settings in force.
    pub(crate) fn adopt(&self, settings: &LogSettings) {
        let json = match settings.format {
            LogFormat::Json => true,
            LogFormat::Text => false,
            LogFormat::Auto => !std::io::stderr().is_terminal(),
        };
        self.shared.json.store(json, Ordering::Relaxed);
        self.shared.requests.store(settings.requests, Ordering::Relaxed);
    }

    /// Writes a line: an event's stable name, and its fields in dotted names.
    pub(crate) fn line(&self, level: Level, event: &str, fields: Value) {
        let fields = match fields {
            Value::Object(fields) => fields,
            Value::Null => Map::new(),
            other => Map::from_iter([("detail".to_owned(), other)]),
        };
        let line = if self.shared.json.load(Ordering::Relaxed) {
            self.json(level, event, fields)
        } else {
            self.text(level, event, &fields)
        };
        self.send(line);
    }

    fn send(&self, line: String) {
        // Without the room that it grew into: what waits is what is counted.
        let line = line.into_boxed_str();
        let (backlog, length) = (&self.shared.backlog, line.len());
        let fits = backlog.bytes.fetch_add(length, Ordering::Relaxed) + length <= MAX_WAITING_BYTES;
        if !fits || self.shared.lines.try_send(Message::Line(line)).is_err() {
            backlog.bytes.fetch_sub(length, Ordering::Relaxed);
            backlog.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until everything so far is written, for a moment at the most.
    pub(crate) fn flush(&self) {
        let (done, written) = sync_channel(1);
        if self.shared.lines.try_send(Message::Flush(done)).is_ok() {
            let _ = written.recv_timeout(Duration::from_secs(2));
        }
    }

    fn json(&self, level: Level, event: &str, fields: Map<String, Value>) -> String {
        let mut all = Map::new();
        all.insert("at".to_owned(), Value::String(stamp(self.shared.clock.wall().as_millis())));
        all.insert("level".to_owned(), Value::String(level.as_str().to_owned()));
        all.insert("event".to_owned(), Value::String(event.to_owned()));
        all.extend(fields);
        ascii_where_it_acts(Value::Object(all).to_string())
    }

    fn text(&self, level: Level, event: &str, fields: &Map<String, Value>) -> String {
        let mut line =
            format!("{} {:<5} {event}", stamp(self.shared.clock.wall().as_millis()), level.as_str());
        for (name, value) in fields {
            line.push(' ');
            line.push_str(name);
            line.push('=');
            match value {
                // Quoted and escaped where it could be taken for something else: control characters, blanks, quotes.
                Value::String(text) if text.is_empty() || !text.chars().all(is_plain) => {
                    line.push_str(&format!("{text:?}"));
                }
                Value::String(text) => line.push_str(text),
                other => line.push_str(&other.to_string()),
            }
        }
        line
    }
}

/// A text at its length, or its beginning and a sign that there was more.
fn cut(text: &str) -> Cow<'_, str> {
    if text.len() <= MAX_TEXT {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!("{}…", &text[..text.floor_char_boundary(MAX_TEXT)]))
}

fn is_plain(c: char) -> bool {
    c.is_alphanumeric() || (c.is_ascii_graphic() && c != '"' && c != '=')
}

/// JSON in which nothing is left that ends a line or speaks to a terminal: its own rules escape C0 only, and some readers
/// break lines at U+0085 and U+2028, or obey U+009B as they obey ESC [.
pub(crate) fn ascii_where_it_acts(json: String) -> String {
    let acts = |c: char| c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if !json.contains(acts) {
        return json;
    }
    let mut escaped = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        match c {
            // All of them stand within a string, and fit in one escape.
            c if acts(c) => escaped.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => escaped.push(c),
        }
    }
    escaped
}

/// RFC 3339 with milliseconds, in UTC.
fn stamp(millis: u64) -> String {
    match jiff::Timestamp::from_millisecond(i64::try_from(millis).unwrap_or(0)) {
        Ok(stamp) => format!("{stamp:.3}"),
        Err(_) => String::new(),
    }
}

fn write_lines(waiting: &Receiver<Message>, backlog: &Backlog, out: impl Write) {
    let mut out = std::io::BufWriter::with_capacity(64 * 1024, out);
    loop {
        let message = match waiting.try_recv() {
            Ok(message) => message,
            Err(_) => {
                // Nothing waits: what is buffered goes out before this thread sleeps. A closed stderr is nobody's fault.
                let _ = out.flush();
                match waiting.recv_timeout(Duration::from_secs(60)) {
                    Ok(message) => {
                        // More will follow: they gather, rather than each waking this thread.
                        std::thread::park_timeout(GATHER);
                        message
                    }
                    Err(RecvTimeoutError::Timeout) => continue,
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            }
        };
        match message {
            Message::Line(line) => {
                let _ = writeln!(out, "{line}");
                backlog.bytes.fetch_sub(line.len(), Ordering::Relaxed);
            }
            Message::Flush(done) => {
                let _ = out.flush();
                let _ = done.send(());
            }
        }
        let lost = backlog.dropped.swap(0, Ordering::Relaxed);
        if lost > 0 {
            let _ =
                writeln!(out, "{}", json!({"level": "warn", "event": "log_lines_dropped", "count": lost}));
        }
    }
}

impl Journal for Log {
    fn wants_requests(&self) -> bool {
        self.shared.requests.load(Ordering::Relaxed)
    }

    fn request(&self, line: &RequestLine<'_>) {
        let fields = RequestFields {
            method: line.method,
            path: cut(line.path),
            status: line.status,
            client: line.client,
            action: line.action,
            mount: line.mount,
            user: line.user,
            session: line.session.map(|session| session.to_string()),
            key: line.key.map(|key| key.to_string()),
            reason: line.reason_id,
            detail: line.detail.map(cut),
            bytes_up: line.bytes_up,
            bytes_down: line.bytes_down,
            took: u64::try_from(line.took.as_millis()).unwrap_or(u64::MAX),
        };
        if !self.shared.json.load(Ordering::Relaxed) {
            self.line(Level::Info, "request", serde_json::to_value(&fields).unwrap_or_default());
            return;
        }
        let at = stamp(self.shared.clock.wall().as_millis());
        let whole = Whole { at: &at, level: Level::Info.as_str(), event: "request", fields };
        self.send(serde_json::to_string(&whole).unwrap_or_default());
    }
}

/// A request's fields, in their dotted names.
#[derive(Serialize)]
struct RequestFields<'a> {
    #[serde(rename = "http.method")]
    method: &'a str,
    #[serde(rename = "http.path")]
    path: Cow<'a, str>,
    #[serde(rename = "http.status")]
    status: u16,
    #[serde(rename = "client.address")]
    client: IpAddr,
    action: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    mount: Option<&'a str>,
    #[serde(rename = "user.id", skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(rename = "session.id", skip_serializing_if = "Option::is_none")]
    session: Option<String>,
    #[serde(rename = "key.id", skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<Cow<'a, str>>,
    #[serde(rename = "bytes.up")]
    bytes_up: u64,
    #[serde(rename = "bytes.down")]
    bytes_down: u64,
    #[serde(rename = "took.ms")]
    took: u64,
}

/// A whole line, written without a detour: there is one for each request.
#[derive(Serialize)]
struct Whole<'a> {
    at: &'a str,
    level: &'a str,
    event: &'a str,
    #[serde(flatten)]
    fields: RequestFields<'a>,
}

impl Witness for Log {
    fn note(&self, event: &Event) {
        let entry = event.entry(self.shared.clock.now());
        let level = if event.is_failure() { Level::Warn } else { Level::Info };
        let fields = entry.fields.into_iter();
        let fields = fields.map(|(name, value)| (name.into_owned(), Value::String(cut(&value).into_owned())));
        self.line(level, &entry.event, Value::Object(fields.collect()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A log whose reader has stalled, and what waits for it.
    fn stalled(format: LogFormat) -> (Log, Receiver<Message>) {
        Log::open(&LogSettings { format, requests: true }, Arc::new(crate::clock::HouseClock::new()))
    }

    fn log(format: LogFormat) -> Log {
        stalled(format).0
    }

    /// What a reader gets that comes to life again.
    fn written(log: Log, waiting: &Receiver<Message>) -> Vec<String> {
        let (backlog, mut out) = (Arc::clone(&log.shared.backlog), Vec::new());
        drop(log);
        write_lines(waiting, &backlog, &mut out);
        assert_eq!(backlog.bytes.load(Ordering::Relaxed), 0);
        String::from_utf8(out).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn waiting_lines_have_a_budget_of_bytes() {
        const LENGTH: usize = 16 * 1024;
        const FIT: usize = MAX_WAITING_BYTES / LENGTH;
        let line = || {
            // However much room it has, it counts what it is long.
            let mut line = String::with_capacity(4 * LENGTH);
            line.extend(std::iter::repeat_n('x', LENGTH));
            line
        };
        for (lines, lost) in [(FIT, 0), (FIT + 3, 3)] {
            let (log, waiting) = stalled(LogFormat::Json);
            for _ in 0..lines {
                log.send(line());
            }
            assert_eq!(log.shared.backlog.bytes.load(Ordering::Relaxed), MAX_WAITING_BYTES);
            let written = written(log, &waiting);
            assert_eq!(written.iter().filter(|line| line.starts_with('x')).count(), FIT);
            let told = written.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            let told: Vec<Value> = told.map(|line| line["count"].clone()).collect();
            assert_eq!(told, if lost == 0 { vec![] } else { vec![json!(lost)] });
        }
    }

    #[test]
    fn waiting_lines_have_a_number() {
        for (lines, lost) in [(MAX_WAITING, 0), (MAX_WAITING + 2, 2)] {
            let (log, waiting) = stalled(LogFormat::Json);
            for _ in 0..lines {
                log.send("x".to_owned());
            }
            assert_eq!(log.shared.backlog.dropped.load(Ordering::Relaxed), lost);
            assert_eq!(written(log, &waiting).iter().filter(|line| *line == "x").count(), MAX_WAITING);
        }
    }

    #[test]
    fn texts_of_a_request_are_cut_between_characters() {
        let fits = "x".repeat(MAX_TEXT);
        assert_eq!(cut(&fits), fits);
        assert_eq!(cut(&format!("{fits}y")), format!("{fits}…"));
        let before = "x".repeat(MAX_TEXT - 1);
        assert_eq!(cut(&format!("{before}ß")), format!("{before}…"));
    }

    #[test]
    fn what_a_client_sends_makes_no_long_line() {
        let long = "ä".repeat(100_000);
        let short = format!("{}…", "ä".repeat(MAX_TEXT / 2));
        for format in [LogFormat::Json, LogFormat::Text] {
            let (log, waiting) = stalled(format);
            let client = IpAddr::from([127, 0, 0, 1]);
            log.request(&RequestLine {
                method: "GET",
                path: &long,
                client,
                status: 400,
                mount: None,
                action: "refuse",
                user: None,
                session: None,
                key: None,
                reason_id: Some("x"),
                detail: Some(&long),
                bytes_up: 0,
                bytes_down: 0,
                took: Duration::ZERO,
            });
            log.note(&Event::Denied {
                user: None,
                action: long.clone().into(),
                address: client,
                reason_id: "x",
            });
            log.note(&Event::LoginFailed {
                realm: long.clone().into(),
                username: long.clone().into(),
                address: client,
                reason: auth::Reason::UnknownUser,
            });
            let lines = written(log, &waiting);
            let counts: Vec<usize> = lines.iter().map(|line| line.matches(&short).count()).collect();
            assert_eq!(counts, [2, 1, 2]);
            assert!(lines.iter().all(|line| line.len() < 4 * MAX_TEXT), "{lines:?}");
        }
    }

    #[test]
    fn asvs_111_whatever_is_in_a_field_it_stays_one_line() {
        let nasty =
            "a\r\n{\"event\":\"login\"}\u{1b}[31m\u{2028}\u{85}\u{9b}\u{7f}\u{202e}\0\"x\" y=zß\u{1f980}";
        let fields = Map::from_iter([("user.name".to_owned(), Value::String(nasty.to_owned()))]);
        for format in [LogFormat::Json, LogFormat::Text] {
            let log = log(format);
            let line = match format {
                LogFormat::Json => log.json(Level::Info, "login_failed", fields.clone()),
                _ => log.text(Level::Info, "login_failed", &fields),
            };
            assert!(!line.chars().any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{202e}')), "{line}");
        }
        let json = log(LogFormat::Json).json(Level::Info, "x", fields);
        let read: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(read["user.name"], nasty);
    }
}
