//! Words and shapes of a single line that the house does not have.
//!
//! Called by `tidy.rs` for each file. It must never look further than a line and its neighbour above.

use super::source::{Line, has_word};
use crate::report::Offence;
use crate::tree::{self, TextFile};

// Each is written in two pieces, so that this file does not offend against itself.

/// Marks of work left undone.
const LEFTOVERS: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("X", "XX")];

/// Macros that stand for code that is not there.
const HOLES: [&str; 2] = [concat!("unimple", "mented!"), concat!("to", "do!")];

/// Flags where a proof belongs (DESIGN.md part 1).
const FLAGS: [&str; 3] =
    [concat!("is_", "authenticated"), concat!("is_", "authorized"), concat!("is_", "logged_in")];

/// Beginnings of names that say nothing.
const EMPTY_NAMES: [&str; 1] = [concat!("fn ", "get_")];

/// Products that we imitate, and their odd words.
const DIALECT_WORDS: [&str; 3] = [concat!("fus", "ion"), concat!("ov", "irt"), concat!("jsess", "ionid")];

/// Folders that may know a dialect by name: its own, the wiring, and the settings.
const DIALECT_FOLDERS: [&str; 3] = ["crates/dialects/", "crates/doorward/", "crates/config/"];

/// Files whose bytes a tool or a protocol decides.
const FOREIGN_EXTENSIONS: [&str; 4] = ["snap", "stderr", "stdout", "patch"];

/// Every offence of the file's lines. `lines` are those of `file`, for Rust source; other files have none.
pub(crate) fn offences(file: &TextFile, lines: &[Line<'_>]) -> Vec<Offence> {
    let mut found = whitespace(file);
    if file.is_rust() && !file.text.starts_with("//!") {
        found.push(Offence::new(&file.path, 1, "the file does not begin with its plate, `//! …`"));
    }
    for (index, line) in lines.iter().enumerate() {
        let above = index.checked_sub(1).map_or("", |above| lines[above].text);
        found.extend(of_line(&file.path, line, above));
    }
    found
}

fn of_line(path: &str, line: &Line<'_>, above: &str) -> Vec<Offence> {
    let mut found = Vec::new();
    let mut add = |what: String| found.push(Offence::new(path, line.number, what));
    if let Some(word) = LEFTOVERS.iter().find(|word| has_word(line.text, word)) {
        add(format!("`{word}`: finish it or file an issue"));
    }
    if line.is_code() {
        if let Some(hole) = HOLES.iter().find(|hole| line.text.contains(*hole)) {
            add(format!("`{hole}` stands where code should"));
        }
        if let Some(flag) = FLAGS.iter().find(|flag| has_word(line.text, flag)) {
            add(format!("`{flag}`: a flag where a proof belongs (auth/src/trust.rs)"));
        }
        // A test may be about GET.
        if let Some(name) = EMPTY_NAMES.iter().find(|name| !line.is_test && line.text.contains(*name)) {
            add(format!("`{name}…`: name what it answers, without the prefix"));
        }
    }
    if path.starts_with("crates/")
        && !line.is_test
        && !DIALECT_FOLDERS.iter().any(|folder| path.starts_with(folder))
        && let Some(word) = DIALECT_WORDS.iter().find(|word| names_dialect(line, word))
    {
        add(format!("`{word}`: a dialect is named outside of its room (crates/dialects)"));
    }
    if line.text.trim_start().starts_with("#[ignore") && !cites_issue(line.text) && !cites_issue(above) {
        add("an ignored test cites the issue that will bring it back".to_owned());
    }
    found
}

/// Whether `line` names a dialect: the word in any case, alone or as a part of a name, but not inside of a longer
/// word in small letters. A comment may cite the page of the contract that it follows (`….md`), as every public item
/// should.
fn names_dialect(line: &Line<'_>, word: &str) -> bool {
    let text = line.text;
    let lower = text.to_ascii_lowercase();
    lower.match_indices(word).any(|(start, _)| {
        if !line.is_code() && lower[start + word.len()..].starts_with(".md") {
            return false;
        }
        let before = text[..start].chars().next_back();
        let first = text[start..].chars().next();
        // `Words::Fu…` and `parse_fu…` name it, and so does a capital after a small letter; "confu…" does not.
        match (before, first) {
            (Some(before), Some(first)) if before.is_ascii_alphabetic() => {
                before.is_ascii_lowercase() && first.is_ascii_uppercase()
            }
            _ => true,
        }
    })
}

/// Whether `text` says "issue 12", "issues/12" or "#12".
fn cites_issue(text: &str) -> bool {
    let number_follows = |mark: &str| {
        text.match_indices(mark)
            .any(|(start, _)| text[start + mark.len()..].starts_with(|letter: char| letter.is_ascii_digit()))
    };
    ["issue ", "issue #", "issues/", "#"].iter().any(|mark| number_follows(mark))
}

/// Tabs, trailing blanks, and a last line without its end.
fn whitespace(file: &TextFile) -> Vec<Offence> {
    let mut found = Vec::new();
    if is_foreign(&file.path) || file.text.is_empty() {
        return found;
    }
    for (index, line) in file.text.split('\n').enumerate() {
        if line.contains('\t') {
            found.push(Offence::new(&file.path, index + 1, "a tab"));
        }
        if line.ends_with(char::is_whitespace) {
            found.push(Offence::new(&file.path, index + 1, "blanks at the end of the line"));
        }
    }
    if !file.text.ends_with('\n') {
        found.push(Offence::new(&file.path, file.text.lines().count(), "the last line has no end"));
    }
    found
}

/// Whether the file's bytes are not ours to choose: snapshots, recorded messages, fuzz seeds.
fn is_foreign(path: &str) -> bool {
    FOREIGN_EXTENSIONS.iter().any(|extension| tree::has_extension(path, extension))
        || ["fixtures", "seeds", "corpus"].iter().any(|folder| path.split('/').any(|part| part == *folder))
}

#[cfg(test)]
mod tests {
    use super::super::source;
    use super::*;

    fn found(path: &str, text: &str) -> Vec<String> {
        let file = TextFile { path: path.to_owned(), text: text.to_owned() };
        let lines = if file.is_rust() { source::lines(path, text) } else { Vec::new() };
        offences(&file, &lines).iter().map(ToString::to_string).collect()
    }

    /// One line of code below a plate, so that it is line 2.
    fn found_in_line(path: &str, line: &str) -> Vec<String> {
        found(path, &format!("//! Plate.\n{line}\n"))
    }

    #[test]
    fn a_file_without_a_plate_is_found() {
        assert_eq!(found("a.rs", "fn a() {}\n"), ["a.rs:1: the file does not begin with its plate, `//! …`"]);
        assert!(found("a.rs", "//! Plate.\nfn a() {}\n").is_empty());
        assert!(found("a.md", "# Title\n").is_empty());
    }

    #[test]
    fn work_left_undone_is_found() {
        for line in [
            concat!("// TO", "DO: later"),
            concat!("// FIX", "ME"),
            concat!("let a = 1; // X", "XX"),
            concat!("    unimple", "mented!()"),
            concat!("    to", "do!()"),
        ] {
            assert_eq!(found_in_line("a.rs", line).len(), 1, "{line}");
        }
        assert!(found_in_line("a.rs", concat!("const XX", "XX: u8 = 0;")).is_empty());
    }

    #[test]
    fn a_flag_where_a_proof_belongs_is_found() {
        assert_eq!(
            found_in_line("crates/api/src/lib.rs", concat!("    is_", "authenticated: bool,")).len(),
            1
        );
        assert!(found_in_line("crates/api/src/lib.rs", "    caller: Known,").is_empty());
    }

    #[test]
    fn an_empty_name_is_found() {
        assert_eq!(found_in_line("a.rs", concat!("    pub fn ", "get_user() {}")).len(), 1);
        assert!(found_in_line("a.rs", "fn together() {}").is_empty());
        assert!(found_in_line("a/tests.rs", concat!("fn ", "get_and_head_are_safe() {}")).is_empty());
        assert!(found_in_line("a.rs", "fn user() {}").is_empty());
    }

    #[test]
    fn a_dialect_is_named_only_where_it_lives() {
        let line = concat!("const NAME: &str = \"Fus", "ion\";");
        assert_eq!(found_in_line("crates/gateway/src/way.rs", line).len(), 1);
        for path in [
            "crates/dialects/src/lib.rs",
            "crates/doorward/src/wire.rs",
            "crates/config/src/app.rs",
            "crates/gateway/tests/way.rs",
            "crates/gateway/src/tests.rs",
            "bench/load/src/main.rs",
        ] {
            assert!(found_in_line(path, line).is_empty(), "{path}");
        }
        let in_tests = format!("#[cfg(test)]\nmod tests {{\n    {line}\n}}");
        assert!(found_in_line("crates/gateway/src/way.rs", &in_tests).is_empty());
    }

    #[test]
    fn a_dialect_inside_of_a_name_counts_but_not_inside_of_a_word() {
        let path = "crates/auth/src/lib.rs";
        let named = [
            concat!("struct MyOV", "irt;"),
            concat!("fn parse_jsess", "ionid() {}"),
            concat!("// (Ov", "irt)"),
        ];
        for line in named {
            assert_eq!(found_in_line(path, line).len(), 1, "{line}");
        }
        assert!(found_in_line(path, concat!("// no confus", "ion of names")).is_empty());
    }

    #[test]
    fn a_comment_may_cite_the_contract_and_code_may_not() {
        let path = "crates/auth/src/lib.rs";
        assert!(found_in_line(path, concat!("/// Kept for a day (contract/fus", "ion.md).")).is_empty());
        assert_eq!(found_in_line(path, concat!("include_str!(\"fus", "ion.md\");")).len(), 1);
        assert_eq!(found_in_line(path, concat!("/// Fus", "ion's way (fus", "ion.md).")).len(), 1);
    }

    #[test]
    fn an_ignored_test_cites_its_issue() {
        let found = found_in_line("a.rs", "    #[ignore]");
        assert_eq!(found, ["a.rs:2: an ignored test cites the issue that will bring it back"]);
        assert!(found_in_line("a.rs", "#[ignore = \"needs a second node, issue 7\"]").is_empty());
        assert!(found_in_line("a.rs", "// See issues/7.\n#[ignore]").is_empty());
    }

    #[test]
    fn blanks_and_tabs_are_found_in_any_text() {
        assert_eq!(found("a.md", "one \ntwo\n"), ["a.md:1: blanks at the end of the line"]);
        assert_eq!(found("a.md", "one\r\n").len(), 1);
        assert_eq!(found("a.sh", "\tone\n"), ["a.sh:1: a tab"]);
        assert_eq!(found("a.toml", "one\ntwo"), ["a.toml:2: the last line has no end"]);
        assert!(found("a.toml", "").is_empty());
        assert!(found("crates/x/tests/fixtures/head.txt", "GET / \r\n\t").is_empty());
        assert!(found("crates/x/tests/a.stderr", "error \n").is_empty());
    }
}
