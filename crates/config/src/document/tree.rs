//! TOML text → a tree of values that know where they stand, with `{ file = … }` and `{ env = … }` already replaced by what
//! they name. `settings.rs` calls this once per file. It must never print a value: any of them may be a secret.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};
use zeroize::Zeroizing;

use crate::environment::{Environment, reason, without_newline};
use crate::limits::{MAX_DEPTH, MAX_REFERENCE_BYTES};
use crate::mistake::{Place, Report};

/// Where a text came from; decides whether a mistake may quote it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    Written,
    /// The content of a file, or the value of an environment variable.
    Elsewhere(Reference),
}

#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Text(Zeroizing<String>, Origin),
    /// `None` where the number doesn't fit.
    Integer(Option<i64>),
    Boolean(bool),
    /// What no setting takes, a float or a date: what it is, and as it is written.
    Other(&'static str, Box<str>),
    List(Vec<Entry>),
    Table(Section),
    /// A reference that could not be read; the mistake is reported already.
    Unreadable,
}

/// A value and where it stands.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) key_place: Place,
    pub(crate) place: Place,
    pub(crate) value: Value,
}

/// A table of the settings file, not yet interpreted: what a realm of a later version finds its own keys in.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Section {
    pub(crate) key: String,
    pub(crate) entries: BTreeMap<String, Entry>,
}

impl Section {
    /// The names of the keys that stand in it, in alphabetical order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// The full name of `name` in this section, as mistakes call it: `mount[0].path`.
    #[must_use]
    pub fn full_key(&self, name: &str) -> String {
        join(&self.key, name)
    }
}

impl fmt::Debug for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Section({}: ", self.key)?;
        f.debug_list().entries(self.keys()).finish()?;
        f.write_str(")")
    }
}

/// `parent.name`, with a name quoted that could be mistaken for several.
fn join(parent: &str, name: &str) -> String {
    let bare = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    let name = if bare { name.to_owned() } else { format!("{name:?}") };
    if parent.is_empty() { name } else { format!("{parent}.{name}") }
}

/// Offsets into a text as lines and columns.
struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    fn new(text: &'t str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, starts }
    }

    fn place(&self, offset: usize) -> Place {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = self.starts[line - 1];
        let column = self.text[start..offset].chars().filter(|c| *c != '\u{feff}').count() + 1;
        Place { line: number(line), column: number(column) }
    }
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// Parses `text`, or reports why not. Relative files are looked up in `folder`. What stands at the top under one of the names
/// in `tables` is always a table, also where its one key is `file` or `env`.
pub(crate) fn parse(
    text: &str,
    tables: &[&str],
    folder: &Path,
    environment: &dyn Environment,
    report: &mut Report,
) -> Option<Section> {
    let lines = Lines::new(text);
    if let Some(place) = too_many_dots(text) {
        let message = format!("nested deeper than {MAX_DEPTH} levels");
        report.add_at(lines.place(place), "", message, None);
        return None;
    }
    let (table, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        // After a mistake of syntax the tree is a guess; what it seems to hold would only confuse.
        for error in errors {
            let offset = error.span().map_or(0, |span| span.start);
            report.add_at(lines.place(offset), "", error.message().to_owned(), None);
        }
        return None;
    }
    let mut builder = Builder { lines, tables, folder, environment, report, depth: 0 };
    Some(builder.section(table.into_inner(), String::new()))
}

/// Where the first key with more dots than levels are allowed stands. The TOML parser bounds the nesting of brackets but not
/// of dotted keys, and a tree of a hundred thousand levels overflows the stack where it is dropped. So the dots outside of
/// strings and comments are counted before it parses; whatever ends a key starts the count anew.
fn too_many_dots(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut at, mut dots, mut first) = (0, 0, 0);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' | b'\'' => {
                at = string_end(bytes, at);
                continue;
            }
            b'#' => {
                at += bytes[at..].iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len() - at);
                continue;
            }
            b'.' => {
                first = if dots == 0 { at } else { first };
                dots += 1;
                if dots > MAX_DEPTH {
                    return Some(first);
                }
            }
            b'=' | b',' | b'{' | b'}' | b'\n' => dots = 0,
            _ => {}
        }
        at += 1;
    }
    None
}

/// Where the string that begins at `start` is over: behind its closing quotes, or at the end of the line or text that leaves
/// it open.
fn string_end(bytes: &[u8], start: usize) -> usize {
    let quote = bytes[start];
    let triple = bytes[start..].starts_with(&[quote; 3]);
    let length = if triple { 3 } else { 1 };
    let mut at = start + length;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if quote == b'"' => at += 1,
            b'\n' if !triple => return at,
            _ if bytes[at..].starts_with(&[quote; 3][..length]) => return at + length,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

struct Builder<'b> {
    lines: Lines<'b>,
    tables: &'b [&'b str],
    folder: &'b Path,
    environment: &'b dyn Environment,
    report: &'b mut Report,
    depth: usize,
}

impl Builder<'_> {
    fn section(&mut self, table: DeTable<'_>, key: String) -> Section {
        let mut entries = BTreeMap::new();
        for (name, value) in table {
            let full = join(&key, name.get_ref());
            let key_place = self.place(name.span());
            let entry = self.entry(value, &full, key_place);
            entries.insert(name.into_inner().into_owned(), entry);
        }
        Section { key, entries }
    }

    fn place(&self, span: Range<usize>) -> Place {
        self.lines.place(span.start)
    }

    fn entry(&mut self, value: Spanned<DeValue<'_>>, key: &str, key_place: Place) -> Entry {
        let span = value.span();
        let place = if span.is_empty() { key_place } else { self.place(span.clone()) };
        self.report.locate(key, place);
        self.depth += 1;
        let value = if self.depth > MAX_DEPTH {
            self.report.add(key, format!("nested deeper than {MAX_DEPTH} levels"));
            Value::Unreadable
        } else {
            self.value(value.into_inner(), span, key, key_place)
        };
        self.depth -= 1;
        Entry { key_place, place, value }
    }

    fn value(&mut self, value: DeValue<'_>, span: Range<usize>, key: &str, key_place: Place) -> Value {
        match value {
            DeValue::String(text) => Value::Text(Zeroizing::new(text.into_owned()), Origin::Written),
            DeValue::Integer(integer) => {
                Value::Integer(i64::from_str_radix(integer.as_str(), integer.radix()).ok())
            }
            DeValue::Boolean(truth) => Value::Boolean(truth),
            DeValue::Float(float) => Value::Other("a number with a fraction", float.as_str().into()),
            DeValue::Datetime(date) => Value::Other("a date", date.to_string().into()),
            DeValue::Array(array) => {
                let mut list = Vec::with_capacity(array.len());
                for (index, element) in array.into_iter().enumerate() {
                    let place = self.place(element.span());
                    let place = if element.span().is_empty() { key_place } else { place };
                    list.push(self.entry(element, &format!("{key}[{index}]"), place));
                }
                Value::List(list)
            }
            DeValue::Table(table) => {
                // A section `[log]` that holds the one key `file` is a section, not a reference.
                let header = self.lines.text.as_bytes().get(span.start) == Some(&b'[');
                let table_by_name = self.tables.contains(&key);
                match reference(&table).filter(|_| !header && !table_by_name) {
                    Some(reference) => self.resolve(reference, key),
                    None => Value::Table(self.section(table, key.to_owned())),
                }
            }
        }
    }

    fn resolve(&mut self, reference: Reference, key: &str) -> Value {
        let found = match &reference {
            Reference::File(path) => self.read_file(path),
            Reference::Variable(name) => self.read_variable(name),
        };
        match found {
            Ok(text) => Value::Text(text, Origin::Elsewhere(reference)),
            Err(message) => {
                self.report.add(key, message);
                Value::Unreadable
            }
        }
    }

    fn read_file(&self, path: &str) -> Result<Zeroizing<String>, String> {
        let full = under(self.folder, path);
        let shown = full.display();
        let bytes = self
            .environment
            .read(&full, MAX_REFERENCE_BYTES)
            .map_err(|error| format!("the file {shown} cannot be read: {}", reason(&error)))?;
        let bytes = Zeroizing::new(bytes);
        let text = std::str::from_utf8(&bytes).map_err(|_| format!("the file {shown} is not UTF-8 text"))?;
        Ok(Zeroizing::new(without_newline(text).to_owned()))
    }

    fn read_variable(&self, name: &str) -> Result<Zeroizing<String>, String> {
        let value = self
            .environment
            .variable(name)
            .ok_or_else(|| format!("the environment variable {name} is not set"))?;
        let text =
            value.into_string().map_err(|_| format!("the environment variable {name} is not UTF-8 text"))?;
        if text.len() > MAX_REFERENCE_BYTES {
            return Err(format!(
                "the environment variable {name} is longer than {MAX_REFERENCE_BYTES} bytes"
            ));
        }
        Ok(Zeroizing::new(text))
    }
}

/// What stands in the file in place of a value: `{ file = … }` or `{ env = … }`.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Reference {
    File(String),
    Variable(String),
}

impl Reference {
    /// How to speak of the value without quoting it.
    pub(crate) fn spoken(&self) -> String {
        match self {
            Self::File(path) => format!("the content of the file {path}"),
            Self::Variable(name) => format!("the value of the environment variable {name}"),
        }
    }
}

/// A table of exactly `file` or `env` with a text stands for what it names.
fn reference(table: &DeTable<'_>) -> Option<Reference> {
    if table.len() != 1 {
        return None;
    }
    let (name, value) = table.iter().next()?;
    let text = value.get_ref().as_str()?.to_owned();
    match name.get_ref().as_ref() {
        "file" => Some(Reference::File(text)),
        "env" => Some(Reference::Variable(text)),
        _ => None,
    }
}

/// `path` as seen from the folder of the settings file.
pub(crate) fn under(folder: &Path, path: &str) -> PathBuf {
    folder.join(path)
}
