//! What xtask says: one offence, one failure, one line of output.
//!
//! Called by every command of xtask. It must never decide anything: it carries what the checkers found.

use std::fmt;
use std::io::Write;

/// A place in the tree that breaks a rule of the house.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Offence {
    /// Path from the root of the repository, with `/`.
    pub(crate) file: String,
    /// Line in that file, counted from 1.
    pub(crate) line: usize,
    /// The rule that is broken, and what to do instead.
    pub(crate) what: String,
}

impl Offence {
    /// An offence at `line` (from 1) of `file`.
    pub(crate) fn new(file: &str, line: usize, what: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line, what: what.into() }
    }
}

impl fmt::Display for Offence {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}: {}", self.file, self.line, self.what)
    }
}

/// Why a command stops, in words for the person at the terminal.
#[derive(Debug)]
pub(crate) struct Failure(String);

impl Failure {
    /// A failure that reads `text`.
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// What every command answers.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

/// Prints one line. A reader who has gone away (`cargo xtask rooms --print | head`) is no reason to fail.
pub(crate) fn say(line: impl fmt::Display) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// Prints the offences in order of place and fails if there is one.
///
/// # Errors
/// When `offences` is not empty: the failure counts them.
pub(crate) fn judge(rule: &str, mut offences: Vec<Offence>) -> Outcome {
    offences.sort();
    for offence in &offences {
        say(offence);
    }
    match offences.len() {
        0 => Ok(()),
        1 => Err(Failure::new(format!("{rule}: 1 offence"))),
        many => Err(Failure::new(format!("{rule}: {many} offences"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offence_prints_as_a_place_an_editor_can_open() {
        assert_eq!(
            Offence::new("crates/auth/src/lib.rs", 7, "tab").to_string(),
            "crates/auth/src/lib.rs:7: tab"
        );
    }

    #[test]
    fn judge_passes_nothing_and_fails_something() {
        assert!(judge("tidy", Vec::new()).is_ok());
        let failure = judge("tidy", vec![Offence::new("a", 1, "b")]).unwrap_err();
        assert_eq!(failure.to_string(), "tidy: 1 offence");
    }
}
