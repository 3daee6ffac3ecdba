//! Takes typed values out of a section and reports what does not fit; what is left at the end is an unknown key. Each file
//! of `sections/` reads its section with one, and so does the wiring for the keys of a realm. It must never stop at the
//! first mistake, and never quote a value that came from elsewhere or is a secret.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::tree::{Entry, Origin, Section, Value};
use crate::mistake::Report;
use crate::secret::Secret;
use crate::value::{ByteSize, Fault, duration_text, parse_duration, parse_size};

/// What came of asking for a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Taken<T> {
    /// The key isn't there.
    Absent,
    /// It is there, and wrong; the mistake is reported.
    Wrong,
    /// It is there.
    Given(T),
}

impl<T> Taken<T> {
    /// The value, if it is there and right.
    pub fn given(self) -> Option<T> {
        match self {
            Self::Given(value) => Some(value),
            Self::Absent | Self::Wrong => None,
        }
    }

    /// The value, or `default` where there is none.
    pub fn or(self, default: T) -> T {
        self.given().unwrap_or(default)
    }

    /// Whether a mistake about it is reported already.
    pub fn is_wrong(&self) -> bool {
        matches!(self, Self::Wrong)
    }

    /// Whether the key isn't there.
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }
}

/// Reads one section.
#[derive(Debug)]
pub struct Reader<'r> {
    section: Section,
    known: &'static [&'static str],
    report: &'r mut Report,
}

impl Section {
    /// Begins to read this section, which may hold the keys `known` and no others.
    pub fn read<'r>(&self, known: &'static [&'static str], report: &'r mut Report) -> Reader<'r> {
        Reader { section: self.clone(), known, report }
    }
}

impl<'r> Reader<'r> {
    /// The full name of `name` in this section, as mistakes call it.
    #[must_use]
    pub fn full_key(&self, name: &str) -> String {
        self.section.full_key(name)
    }

    /// The section's own full name, `mount[0]`; empty for the top of the file.
    pub(crate) fn section_key(&self) -> &str {
        &self.section.key
    }

    /// The report that this reader adds to.
    pub fn report(&mut self) -> &mut Report {
        self.report
    }

    /// Reports a mistake about the key `name` of this section.
    pub fn mistake(&mut self, name: &str, message: impl Into<String>) {
        let key = self.full_key(name);
        self.report.add(&key, message);
    }

    fn take(&mut self, name: &str) -> Option<Entry> {
        debug_assert!(self.known.contains(&name), "`{name}` is not in the list of the section's keys");
        self.section.entries.remove(name)
    }

    /// Takes whatever is written at `name`, for a section that reads it itself.
    pub(crate) fn take_any(&mut self, name: &str) -> Option<Entry> {
        self.take(name)
    }

    /// Takes a text and what `parse` makes of it.
    pub(crate) fn take_parsed<T>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, Fault>,
    ) -> Taken<T> {
        let key = self.full_key(name);
        match self.take(name) {
            None => Taken::Absent,
            Some(entry) => parsed(self.report, &key, &entry.value, parse).map_or(Taken::Wrong, Taken::Given),
        }
    }

    /// Takes a text as it is. An empty one is refused.
    pub fn take_text(&mut self, name: &str) -> Taken<String> {
        self.take_parsed(name, |text| not_empty(text).map(str::to_owned))
    }

    /// Takes a secret, never quoting it. An empty one is refused.
    pub fn take_secret(&mut self, name: &str) -> Taken<Secret> {
        let key = self.full_key(name);
        match self.take(name).map(|entry| entry.value) {
            None => Taken::Absent,
            Some(Value::Text(text, _)) if !text.is_empty() => Taken::Given(Secret::new(String::clone(&text))),
            Some(Value::Text(..)) => self.wrong(&key, "is empty"),
            Some(Value::Unreadable) => Taken::Wrong,
            Some(_) => self.wrong(&key, "must be a text, { file = \"PATH\" } or { env = \"NAME\" }"),
        }
    }

    fn wrong<T>(&mut self, key: &str, message: &str) -> Taken<T> {
        self.report.add(key, message);
        Taken::Wrong
    }

    /// Takes `true` or `false`.
    pub fn take_boolean(&mut self, name: &str) -> Taken<bool> {
        let key = self.full_key(name);
        let Some(entry) = self.take(name) else {
            return Taken::Absent;
        };
        match &entry.value {
            Value::Boolean(truth) => Taken::Given(*truth),
            Value::Text(text, Origin::Elsewhere(_)) if **text == "true" => Taken::Given(true),
            Value::Text(text, Origin::Elsewhere(_)) if **text == "false" => Taken::Given(false),
            Value::Unreadable => Taken::Wrong,
            other => self.wrong(&key, &format!("{} is neither true nor false", shown(other))),
        }
    }

    /// Takes a whole number within `range`.
    pub fn take_integer(&mut self, name: &str, range: RangeInclusive<u64>) -> Taken<u64> {
        let key = self.full_key(name);
        let Some(entry) = self.take(name) else {
            return Taken::Absent;
        };
        let number = match &entry.value {
            Value::Integer(number) => number.and_then(|number| u64::try_from(number).ok()),
            Value::Text(text, Origin::Elsewhere(_))
                if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) =>
            {
                text.parse().ok()
            }
            Value::Unreadable => return Taken::Wrong,
            other => return self.wrong(&key, &format!("{} is not a whole number", shown(other))),
        };
        match number.filter(|number| range.contains(number)) {
            Some(number) => Taken::Given(number),
            None => {
                let (least, most) = (range.start(), range.end());
                self.wrong(&key, &format!("{} is not between {least} and {most}", shown(&entry.value)))
            }
        }
    }

    /// Takes a duration between `least` and `most`, both included. `why` explains the limits, or is empty.
    pub fn take_duration(
        &mut self,
        name: &str,
        (least, most): (Duration, Duration),
        why: &str,
    ) -> Taken<Duration> {
        self.take_parsed(name, |text| {
            let duration = parse_duration(text)?;
            let limit = if duration < least {
                format!("is shorter than {}", duration_text(least))
            } else if duration > most {
                format!("is longer than {}", duration_text(most))
            } else {
                return Ok(duration);
            };
            Err(Fault::new(because(limit, why)))
        })
    }

    /// Takes a size between `least` and `most` bytes, both included. `why` explains the limits, or is empty.
    pub fn take_size(&mut self, name: &str, (least, most): (u64, u64), why: &str) -> Taken<ByteSize> {
        self.take_parsed(name, |text| {
            let size = parse_size(text)?;
            let limit = if size.bytes() < least {
                format!("is less than {}", ByteSize::new(least))
            } else if size.bytes() > most {
                format!("is more than {}", ByteSize::new(most))
            } else {
                return Ok(size);
            };
            Err(Fault::new(because(limit, why)))
        })
    }

    /// Takes one of the words of `choices`.
    pub fn take_choice<T: Copy>(&mut self, name: &str, choices: &[(&str, T)]) -> Taken<T> {
        self.take_parsed(name, |text| choose(text, choices))
    }

    /// Takes a list of texts, each made into something by `parse`. `most` bounds its length.
    pub(crate) fn take_list<T>(
        &mut self,
        name: &str,
        most: usize,
        parse: impl Fn(&str) -> Result<T, Fault>,
    ) -> Taken<Vec<T>> {
        let key = self.full_key(name);
        match self.take(name).map(|entry| entry.value) {
            None => Taken::Absent,
            Some(Value::Unreadable) => Taken::Wrong,
            Some(Value::List(list)) => self.list(&key, &list, most, parse),
            Some(other) => self.wrong(&key, &format!("{} is not a list", shown(&other))),
        }
    }

    /// As [`Reader::take_list`]; one text counts as a list of one.
    pub(crate) fn take_one_or_list<T>(
        &mut self,
        name: &str,
        most: usize,
        parse: impl Fn(&str) -> Result<T, Fault>,
    ) -> Taken<Vec<T>> {
        match self.section.entries.get(name).map(|entry| &entry.value) {
            Some(Value::Text(..) | Value::Integer(_)) => match self.take_parsed(name, parse) {
                Taken::Given(one) => Taken::Given(vec![one]),
                Taken::Absent => Taken::Absent,
                Taken::Wrong => Taken::Wrong,
            },
            _ => self.take_list(name, most, parse),
        }
    }

    fn list<T>(
        &mut self,
        key: &str,
        list: &[Entry],
        most: usize,
        parse: impl Fn(&str) -> Result<T, Fault>,
    ) -> Taken<Vec<T>> {
        if list.len() > most {
            return self.wrong(key, &format!("has {} entries; {most} are allowed", list.len()));
        }
        let mut values = Vec::with_capacity(list.len());
        for (index, entry) in list.iter().enumerate() {
            values.extend(parsed(self.report, &format!("{key}[{index}]"), &entry.value, &parse));
        }
        if values.len() == list.len() { Taken::Given(values) } else { Taken::Wrong }
    }

    /// Takes a table, such as `[login]`; an empty one where it isn't there.
    pub fn take_section(&mut self, name: &str) -> Section {
        let key = self.full_key(name);
        match self.take(name).map(|entry| entry.value) {
            Some(Value::Table(section)) => return section,
            None | Some(Value::Unreadable) => {}
            Some(other) => {
                self.report.add(&key, format!("{} is not a table: write [{key}]", shown(&other)));
            }
        }
        Section { key, entries: BTreeMap::new() }
    }

    /// Takes a list of tables, such as `[[mount]]`. `most` bounds their number.
    pub fn take_sections(&mut self, name: &str, most: usize) -> Vec<Section> {
        let key = self.full_key(name);
        let list = match self.take(name).map(|entry| entry.value) {
            None | Some(Value::Unreadable) => return Vec::new(),
            Some(Value::List(list)) => list,
            Some(other) => {
                let header: String =
                    key.split(']').map(|part| part.split('[').next().unwrap_or(part)).collect();
                self.report
                    .add(&key, format!("{} is not a list of tables: write [[{header}]]", shown(&other)));
                return Vec::new();
            }
        };
        if list.len() > most {
            self.report.add(&key, format!("has {} entries; {most} are allowed", list.len()));
            return Vec::new();
        }
        let mut sections = Vec::with_capacity(list.len());
        for (index, entry) in list.into_iter().enumerate() {
            match entry.value {
                Value::Table(section) => sections.push(section),
                Value::Unreadable => {}
                other => {
                    self.report.add(&format!("{key}[{index}]"), format!("{} is not a table", shown(&other)));
                }
            }
        }
        sections
    }

    /// What is written at `name`, without taking it.
    pub(crate) fn peek(&self, name: &str) -> Option<&Value> {
        self.section.entries.get(name).map(|entry| &entry.value)
    }

    /// Leaves the rest of the section to somebody else.
    pub(crate) fn into_rest(self) -> Section {
        self.section
    }

    /// Ends the reading: whatever was not taken is an unknown key.
    pub fn finish(self) {
        for (name, entry) in &self.section.entries {
            let key = self.section.full_key(name);
            let mut message = "unknown key".to_owned();
            let better = closest(name, self.known.iter().copied());
            if better.is_none()
                && let Some(home) = crate::sections::home_of(name)
            {
                message = format!("unknown key; it belongs in {home}");
            }
            self.report.add_at(entry.key_place, &key, message, better.map(str::to_owned));
        }
    }
}

fn because(limit: String, why: &str) -> String {
    if why.is_empty() { limit } else { format!("{limit}: {why}") }
}

pub(crate) fn not_empty(text: &str) -> Result<&str, Fault> {
    if text.is_empty() { Err(Fault::new("is empty")) } else { Ok(text) }
}

/// Reads `value` as a text, and the text as a `T`.
pub(crate) fn parsed<T>(
    report: &mut Report,
    key: &str,
    value: &Value,
    parse: impl FnOnce(&str) -> Result<T, Fault>,
) -> Option<T> {
    let number;
    let (text, written) = match value {
        Value::Text(text, origin) => (text.as_str(), *origin == Origin::Written),
        Value::Unreadable => return None,
        Value::Integer(Some(integer)) => {
            // `30` for a duration: the parser of the text knows the better word.
            number = integer.to_string();
            (number.as_str(), true)
        }
        other => {
            report.add(key, format!("{} is not a text", shown(other)));
            return None;
        }
    };
    let fault = match (parse(text), value) {
        (Ok(_), Value::Integer(_)) => Fault::with_better("must be a text", format!("\"{text}\"")),
        (Ok(parsed), _) => return Some(parsed),
        (Err(fault), _) => fault,
    };
    let subject = if fault.secret { "the value".to_owned() } else { shown(value) };
    let said = fault.unquoting.filter(|_| !written).unwrap_or(fault.message);
    let message = format!("{subject} {said}");
    match fault.better.filter(|_| written && !fault.secret) {
        Some(better) => report.add_with_suggestion(key, message, better),
        None => report.add(key, message),
    }
    None
}

/// How a mistake speaks of a value.
pub(crate) fn shown(value: &Value) -> String {
    const LONGEST: usize = 60;
    match value {
        Value::Text(_, Origin::Elsewhere(reference)) => reference.spoken(),
        Value::Text(text, Origin::Written) if text.chars().count() > LONGEST => {
            let begin: String = text.chars().take(LONGEST).collect();
            format!("{:?}…", begin)
        }
        Value::Text(text, Origin::Written) => format!("{:?}", text.as_str()),
        Value::Integer(Some(number)) => number.to_string(),
        Value::Integer(None) => "a number beyond 64 bits".to_owned(),
        Value::Boolean(truth) => truth.to_string(),
        Value::Other(what, _) => (*what).to_owned(),
        Value::List(_) => "a list".to_owned(),
        Value::Table(_) => "a table".to_owned(),
        Value::Unreadable => "an unreadable value".to_owned(),
    }
}

/// Finds `text` among the words of `choices`.
pub(crate) fn choose<T: Copy>(text: &str, choices: &[(&str, T)]) -> Result<T, Fault> {
    if let Some((_, choice)) = choices.iter().find(|(word, _)| *word == text) {
        return Ok(*choice);
    }
    let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
    let better = closest(text, words.iter().copied()).map(|word| format!("\"{word}\""));
    Err(Fault { better, ..Fault::new(format!("is not one of {}", words.join(", "))) })
}

/// The one of `words` that `text` was probably meant to be.
pub(crate) fn closest<'w>(text: &str, words: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    const LONGEST: usize = 64;
    if text.len() > LONGEST {
        return None;
    }
    let plain = |word: &str| word.to_lowercase().replace('-', "_");
    let text = plain(text);
    let begins = |word: &str| text.len() >= 3 && plain(word).starts_with(&text);
    words
        .map(|word| (if begins(word) { 1 } else { strsim::damerau_levenshtein(&text, &plain(word)) }, word))
        .filter(|(distance, word)| *distance <= 1 + word.len() / 5 && *distance < word.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}
