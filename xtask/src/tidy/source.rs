//! A Rust source file cut into lines that know whether they are comments or tests.
//!
//! Called by the checks of `cargo xtask tidy`. It must never claim to parse Rust: it leans on what rustfmt guarantees
//! (indentation, one brace per line), and `cargo fmt --check` runs before it.

use crate::tree;

/// One line of a source file.
pub(crate) struct Line<'a> {
    /// From 1.
    pub(crate) number: usize,
    /// The line without its end.
    pub(crate) text: &'a str,
    /// Whether it belongs to tests: the file does, or an inline `#[cfg(test)] mod … { … }` does.
    pub(crate) is_test: bool,
}

impl Line<'_> {
    /// Whether the line is code: neither empty nor only a comment.
    pub(crate) fn is_code(&self) -> bool {
        let text = self.text.trim_start();
        !text.is_empty() && !text.starts_with("//")
    }
}

/// Cuts `text`, the content of `path`, into lines.
pub(crate) fn lines<'a>(path: &str, text: &'a str) -> Vec<Line<'a>> {
    let all_tests = tree::is_test_path(path);
    let raw: Vec<&str> = text.lines().collect();
    let mut inside = false;
    let mut lines = Vec::with_capacity(raw.len());
    for (index, line) in raw.iter().enumerate() {
        if *line == "#[cfg(test)]" && raw[index + 1..].iter().take(3).any(|next| opens_module(next)) {
            inside = true;
        }
        lines.push(Line { number: index + 1, text: line, is_test: all_tests || inside });
        if *line == "}" {
            inside = false;
        }
    }
    lines
}

fn opens_module(line: &str) -> bool {
    let line = line.strip_prefix("pub(crate) ").unwrap_or(line);
    line.starts_with("mod ") && line.ends_with('{')
}

/// Whether `word` stands in `text` with nothing alphanumeric and no `_` at either side.
pub(crate) fn has_word(text: &str, word: &str) -> bool {
    let part_of_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    text.match_indices(word).any(|(start, _)| {
        !text[..start].ends_with(part_of_word) && !text[start + word.len()..].starts_with(part_of_word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inline_test_module_is_test_code_and_what_follows_is_not() {
        let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\nfn c() {}\n";
        let tests: Vec<bool> = lines("crates/x/src/lib.rs", text).iter().map(|line| line.is_test).collect();
        assert_eq!(tests, [false, true, true, true, true, false]);
    }

    #[test]
    fn a_declared_test_module_leaves_the_rest_alone() {
        let text = "#[cfg(test)]\nmod tests;\nfn a() {}\n";
        assert!(lines("crates/x/src/lib.rs", text).iter().all(|line| !line.is_test));
        assert!(lines("crates/x/src/tests.rs", text).iter().all(|line| line.is_test));
    }

    #[test]
    fn a_word_is_not_a_part_of_a_word() {
        assert!(has_word("a WORD, here", "WORD"));
        assert!(!has_word("SWORD WORDS MY_WORD", "WORD"));
    }
}
