//! How long files and functions are, and the ratchet of those that were too long when the rule came.
//!
//! Called by `tidy.rs`. The ratchet must never grow: a row is lowered or removed, not added.

use std::collections::BTreeMap;

use super::source::Line;
use crate::report::Offence;
use crate::tree;

/// The most lines a source file may have; tests are exempt.
pub(crate) const FILE_LINES: usize = 600;

/// The most lines a function may have, signature and braces included; tests are exempt, since a table of cases is one
/// function.
pub(crate) const FUNCTION_LINES: usize = 70;

/// Where the list of present offenders lives.
pub(crate) const RATCHET: &str = "xtask/ratchet.txt";

/// Something longer than its limit.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Long {
    /// The file it is in, or is.
    pub(crate) path: String,
    /// The line it begins at.
    pub(crate) line: usize,
    /// The function's name; a file has none.
    pub(crate) function: Option<String>,
    /// How many lines it has.
    pub(crate) length: usize,
}

impl Long {
    /// The row's key in the ratchet: `path` or `path::function`.
    fn key(&self) -> String {
        match &self.function {
            Some(name) => format!("{}::{name}", self.path),
            None => self.path.clone(),
        }
    }

    fn offence(&self, limit: usize) -> Offence {
        let what = match &self.function {
            Some(name) => format!("`fn {name}` has {} lines, {limit} are allowed", self.length),
            None => format!("the file has {} lines, {limit} are allowed", self.length),
        };
        Offence::new(&self.path, self.line, what)
    }
}

/// The file itself and its functions, where they are too long.
pub(crate) fn too_long(path: &str, lines: &[Line<'_>]) -> Vec<Long> {
    let mut found = Vec::new();
    if lines.len() > FILE_LINES && !tree::is_test_path(path) {
        found.push(Long { path: path.to_owned(), line: 1, function: None, length: lines.len() });
    }
    for (index, line) in lines.iter().enumerate().filter(|(_, line)| !line.is_test) {
        let Some(name) = function_name(line.text) else {
            continue;
        };
        let length = function_length(&lines[index..]);
        if length > FUNCTION_LINES {
            let function = Some(name.to_owned());
            found.push(Long { path: path.to_owned(), line: line.number, function, length });
        }
    }
    found
}

/// The name of the function whose signature begins on this line.
fn function_name(line: &str) -> Option<&str> {
    let mut rest = line.trim_start();
    if let Some(after) = rest.strip_prefix("pub") {
        rest = match after.strip_prefix('(') {
            Some(inside) => inside.split_once(')')?.1,
            None => after,
        };
        rest = rest.strip_prefix(' ')?;
    }
    for modifier in ["default ", "const ", "async ", "unsafe ", "extern \"C\" "] {
        rest = rest.strip_prefix(modifier).unwrap_or(rest);
    }
    let name = rest.strip_prefix("fn ")?;
    let end = name.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(name.len());
    Some(&name[..end])
}

/// How many lines the function has that begins at the first of `lines`; rustfmt puts its closing brace alone, as far
/// in as its `fn`.
fn function_length(lines: &[Line<'_>]) -> usize {
    let Some(first) = lines.first() else { return 0 };
    let indent = &first.text[..first.text.len() - first.text.trim_start().len()];
    let mut in_body = false;
    for (index, line) in lines.iter().enumerate() {
        if in_body {
            if line.text.strip_prefix(indent) == Some("}") {
                return index + 1;
            }
            continue;
        }
        let text = line.text.trim_end();
        match text.chars().next_back() {
            // A declaration without a body, or a body on one line.
            Some(';' | '}') => return index + 1,
            Some('{') => in_body = true,
            _ => {}
        }
    }
    lines.len()
}

/// The ratchet: how long each present offender may be, with its line in the file.
#[derive(Debug, Default)]
pub(crate) struct Ratchet {
    rows: BTreeMap<String, (usize, usize)>,
    faults: Vec<Offence>,
}

impl Ratchet {
    /// Reads rows of `LINES KEY`; `#` begins a comment.
    pub(crate) fn read(text: &str) -> Self {
        let mut ratchet = Self::default();
        for (index, line) in text.lines().enumerate() {
            let row = line.split('#').next().unwrap_or_default().trim();
            if row.is_empty() {
                continue;
            }
            match row.split_once(' ').and_then(|(lines, key)| Some((lines.parse().ok()?, key.trim()))) {
                Some((lines, key)) => {
                    ratchet.rows.insert(key.to_owned(), (lines, index + 1));
                }
                None => {
                    let what = "not a row: `LINES path` or `LINES path::function`";
                    ratchet.faults.push(Offence::new(RATCHET, index + 1, what));
                }
            }
        }
        ratchet
    }

    /// What is too long and not in the ratchet, what grew, and the rows that can shrink or go.
    pub(crate) fn judge(mut self, found: &[Long]) -> Vec<Offence> {
        let mut offences = self.faults;
        for long in found {
            match self.rows.remove(&long.key()) {
                None => {
                    let limit = if long.function.is_some() { FUNCTION_LINES } else { FILE_LINES };
                    offences.push(long.offence(limit));
                }
                Some((allowed, _)) if long.length > allowed => offences.push(long.offence(allowed)),
                Some((allowed, row)) if long.length < allowed => {
                    let what = format!("`{}` is down to {} lines: lower its row", long.key(), long.length);
                    offences.push(Offence::new(RATCHET, row, what));
                }
                Some(_) => {}
            }
        }
        for (key, (_, row)) in self.rows {
            offences.push(Offence::new(
                RATCHET,
                row,
                format!("`{key}` is not too long any more: remove its row"),
            ));
        }
        offences
    }
}

#[cfg(test)]
mod tests {
    use super::super::source;
    use super::*;

    fn found(path: &str, text: &str) -> Vec<Long> {
        too_long(path, &source::lines(path, text))
    }

    fn function_of(lines: usize, indent: &str) -> String {
        let body = format!("{indent}    work();\n").repeat(lines - 2);
        format!("{indent}pub(crate) async fn long() {{\n{body}{indent}}}\n")
    }

    #[test]
    fn a_file_at_the_limit_passes_and_one_line_more_does_not() {
        let at = "//! a\n".repeat(FILE_LINES);
        assert_eq!(found("crates/x/src/a.rs", &at), []);
        let over = "//! a\n".repeat(FILE_LINES + 1);
        assert_eq!(found("crates/x/src/a.rs", &over).len(), 1);
        assert_eq!(found("crates/x/src/tests.rs", &over), []);
        assert_eq!(found("crates/x/tests/a.rs", &over), []);
    }

    #[test]
    fn a_function_at_the_limit_passes_and_one_line_more_does_not() {
        for indent in ["", "    "] {
            assert_eq!(found("a.rs", &function_of(FUNCTION_LINES, indent)), []);
            let long = found("a.rs", &function_of(FUNCTION_LINES + 1, indent));
            assert_eq!(long.len(), 1);
            assert_eq!((long[0].function.as_deref(), long[0].length), (Some("long"), FUNCTION_LINES + 1));
            assert_eq!(found("a/tests.rs", &function_of(FUNCTION_LINES + 1, indent)), []);
        }
    }

    #[test]
    fn declarations_and_one_liners_do_not_swallow_what_follows() {
        let rest = "    // filler\n".repeat(FUNCTION_LINES);
        let text = format!("trait A {{\n    fn a(&self) -> u8;\n    fn b(&self) {{}}\n{rest}}}\n");
        assert_eq!(found("a.rs", &text), []);
    }

    #[test]
    fn functions_are_recognised_with_their_modifiers() {
        assert_eq!(function_name("    pub(in crate::a) const unsafe fn one<T>(a: T) {"), Some("one"));
        assert_eq!(function_name("pub async fn two("), Some("two"));
        assert_eq!(function_name("fn three() {"), Some("three"));
        assert_eq!(function_name("    let run = |fn_name: &str| {"), None);
        assert_eq!(function_name("    // fn four() {"), None);
    }

    #[test]
    fn the_ratchet_excuses_exactly_what_it_lists() {
        let text = format!("//! a\n{}", function_of(80, ""));
        let long = || found("a.rs", &text);
        assert_eq!(Ratchet::read("# why\n80 a.rs::long\n").judge(&long()), []);
        assert_eq!(Ratchet::read("").judge(&long()).len(), 1);
    }

    #[test]
    fn the_ratchet_only_shrinks() {
        let text = format!("//! a\n{}", function_of(80, ""));
        let judged = |rows: &str| Ratchet::read(rows).judge(&found("a.rs", &text));
        assert_eq!(
            judged("79 a.rs::long\n")[0].to_string(),
            "a.rs:2: `fn long` has 80 lines, 79 are allowed"
        );
        assert!(judged("81 a.rs::long\n")[0].what.ends_with("lower its row"));
        assert!(judged("80 a.rs::long\n90 b.rs::gone\n")[0].what.ends_with("remove its row"));
        assert!(judged("80 a.rs::long\nnonsense\n")[0].what.starts_with("not a row"));
    }
}
