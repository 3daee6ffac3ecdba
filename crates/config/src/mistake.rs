//! What is wrong with the settings, and where. Every reader of this room reports here; the wiring adds what it finds
//! later. A mistake must never quote a value that came from a secret file or the environment.

use std::collections::BTreeMap;
use std::fmt;

use crate::limits::MAX_MISTAKES;

/// What mistakes call the command line in place of a file.
pub(crate) const COMMAND_LINE: &str = "command line";

/// A place in a settings file. Lines and columns count from 1, columns in characters; line 0 means that there is no
/// place to point at (the command line, a file that could not be read).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Place {
    /// The line, from 1; 0 = none.
    pub line: u32,
    /// The column in characters, from 1; 0 = none.
    pub column: u32,
}

/// One mistake in the settings, for the person who wrote them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mistake {
    /// The file as it was named, or `command line`.
    pub file: String,
    /// Where in the file.
    pub place: Place,
    /// Which setting, such as `mount[0].idle_timeout`; empty where it isn't about one.
    pub key: String,
    /// What is wrong, as a sentence without a full stop.
    pub message: String,
    /// What to write instead, where that can be guessed.
    pub suggestion: Option<String>,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.place.line > 0 {
            write!(f, ":{}:{}", self.place.line, self.place.column)?;
        }
        if !self.key.is_empty() {
            write!(f, ": {}", self.key)?;
        }
        write!(f, ": {}", self.message)?;
        match &self.suggestion {
            Some(better) => write!(f, "; did you mean `{better}`?"),
            None => Ok(()),
        }
    }
}

/// All mistakes of a file, in its order. One line each when shown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mistakes(pub Vec<Mistake>);

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.0.iter().enumerate() {
            let end = if index == 0 { "" } else { "\n" };
            write!(f, "{end}{mistake}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}

impl From<Mistake> for Mistakes {
    fn from(mistake: Mistake) -> Self {
        Self(vec![mistake])
    }
}

/// The mistakes found so far, and where each setting of the file stands.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Report {
    file: String,
    places: BTreeMap<String, Place>,
    mistakes: Vec<Mistake>,
    omitted: usize,
}

impl Report {
    /// An empty report about `file`.
    pub(crate) fn new(file: &str) -> Self {
        Self { file: file.to_owned(), ..Self::default() }
    }

    /// Remembers where the setting `key` stands.
    pub(crate) fn locate(&mut self, key: &str, place: Place) {
        self.places.insert(key.to_owned(), place);
    }

    /// Where `key` stands; where it isn't written, the section it would stand in.
    #[must_use]
    pub fn place(&self, key: &str) -> Place {
        let mut rest = key;
        loop {
            if let Some(place) = self.places.get(rest) {
                return *place;
            }
            let Some(end) = rest.rfind(['.', '[']) else {
                let first = u32::from(self.file != COMMAND_LINE);
                return Place { line: first, column: first };
            };
            rest = &rest[..end];
        }
    }

    /// Adds a mistake about the setting `key`, at the place where it stands. A `key` such as `--listen` is one of the command
    /// line.
    pub fn add(&mut self, key: &str, message: impl Into<String>) {
        if key.starts_with("--") {
            return self.add_option(key, message.into(), None);
        }
        self.add_at(self.place(key), key, message.into(), None);
    }

    /// As [`Report::add`], with what to write instead.
    pub fn add_with_suggestion(&mut self, key: &str, message: impl Into<String>, better: impl Into<String>) {
        self.add_at(self.place(key), key, message.into(), Some(better.into()));
    }

    pub(crate) fn add_at(&mut self, place: Place, key: &str, message: String, suggestion: Option<String>) {
        if self.mistakes.len() >= MAX_MISTAKES {
            self.omitted += 1;
            return;
        }
        self.mistakes.push(Mistake {
            file: self.file.clone(),
            place,
            key: key.to_owned(),
            message,
            suggestion,
        });
    }

    /// Adds a mistake of the command line; `option` is written as on it, `--listen`.
    pub(crate) fn add_option(&mut self, option: &str, message: String, suggestion: Option<String>) {
        let before = std::mem::replace(&mut self.file, COMMAND_LINE.to_owned());
        self.add_at(Place::default(), option, message, suggestion);
        self.file = before;
    }

    /// A second report about the same file, without the mistakes: what the wiring adds to.
    #[must_use]
    pub fn fresh(&self) -> Self {
        Self { file: self.file.clone(), places: self.places.clone(), mistakes: Vec::new(), omitted: 0 }
    }

    /// Whether a mistake is about `key` itself or an element of it, or suggests to write it.
    pub(crate) fn speaks_of(&self, key: &str) -> bool {
        self.mistakes.iter().any(|mistake| {
            mistake.suggestion.as_deref() == Some(key)
                || mistake.key.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with('['))
        })
    }

    /// Whether nothing is wrong so far.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.mistakes.is_empty()
    }

    /// Ends the report.
    ///
    /// # Errors
    /// All mistakes, in the order of the file, if there is one.
    pub fn finish(mut self) -> Result<(), Mistakes> {
        if self.mistakes.is_empty() {
            return Ok(());
        }
        self.mistakes.sort_by(|a, b| (a.place, &a.key).cmp(&(b.place, &b.key)));
        if self.omitted > 0 {
            self.mistakes.push(Mistake {
                file: self.file,
                place: Place::default(),
                key: String::new(),
                message: format!("{} more mistakes are not shown", self.omitted),
                suggestion: None,
            });
        }
        Err(Mistakes(self.mistakes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unwritten_setting_is_placed_at_its_section() {
        let mut report = Report::new("f");
        report.locate("mount[0]", Place { line: 4, column: 1 });
        report.locate("mount[0].path", Place { line: 5, column: 8 });
        assert_eq!(report.place("mount[0].path").line, 5);
        assert_eq!(report.place("mount[0].route[7].path").line, 4);
        assert_eq!(report.place("login.window"), Place { line: 1, column: 1 });
        assert_eq!(Report::new(COMMAND_LINE).place("x"), Place::default());
    }

    #[test]
    fn the_number_of_shown_mistakes_is_limited_on_both_sides() {
        for (count, shown) in [(MAX_MISTAKES, MAX_MISTAKES), (MAX_MISTAKES + 1, MAX_MISTAKES + 1)] {
            let mut report = Report::new("f");
            for _ in 0..count {
                report.add("k", "m");
            }
            let mistakes = report.finish().unwrap_err().0;
            assert_eq!(mistakes.len(), shown);
            assert_eq!(
                mistakes.iter().any(|m| m.message == "1 more mistakes are not shown"),
                count > MAX_MISTAKES
            );
        }
    }
}
