//! The files of the repository: those that git tracks or would track, and their text.
//!
//! Called by the checkers. It must never read what git ignores (`target/`, corpora), nor write anything.

use crate::report::{Failure, Outcome};
use crate::run;

/// One text file of the tree.
pub(crate) struct TextFile {
    /// Path from the root of the repository, with `/`.
    pub(crate) path: String,
    /// The whole content.
    pub(crate) text: String,
}

impl TextFile {
    /// Whether this is Rust source.
    pub(crate) fn is_rust(&self) -> bool {
        has_extension(&self.path, "rs")
    }
}

/// Whether `path` ends in `.extension`.
pub(crate) fn has_extension(path: &str, extension: &str) -> bool {
    path.rsplit_once('.').is_some_and(|(_, found)| found == extension)
}

/// Whether `path` holds only tests: something below a `tests/` folder, a `tests.rs`, or a `…_tests.rs`.
pub(crate) fn is_test_path(path: &str) -> bool {
    path.starts_with("tests/")
        || path.contains("/tests/")
        || path.ends_with("/tests.rs")
        || path.ends_with("_tests.rs")
}

/// Every path that git tracks or would track, in order.
///
/// # Errors
/// When git cannot be asked.
pub(crate) fn paths() -> Outcome<Vec<String>> {
    let listed = run::capture(run::program("git").args(["ls-files", "-coz", "--exclude-standard"]))?;
    let mut paths: Vec<String> =
        listed.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect();
    paths.sort();
    paths.dedup();
    Ok(paths)
}

/// Every text file of the tree. Binary files (a NUL byte, or not UTF-8) and files deleted but not yet staged are
/// left out.
///
/// # Errors
/// When git cannot be asked or a file cannot be read.
pub(crate) fn text_files() -> Outcome<Vec<TextFile>> {
    let root = run::root();
    let mut files = Vec::new();
    for path in paths()? {
        let place = root.join(&path);
        if !place.is_file() {
            continue;
        }
        let bytes =
            std::fs::read(&place).map_err(|error| Failure::new(format!("cannot read {path}: {error}")))?;
        if bytes.contains(&0) {
            continue;
        }
        if let Ok(text) = String::from_utf8(bytes) {
            files.push(TextFile { path, text });
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_paths_are_recognised() {
        for path in ["tests/a.rs", "crates/auth/tests/a.rs", "crates/auth/src/tests.rs", "x/session_tests.rs"]
        {
            assert!(is_test_path(path), "{path}");
        }
        for path in ["crates/auth/src/contests.rs", "crates/testkit/src/lib.rs", "crates/auth/src/test.rs"] {
            assert!(!is_test_path(path), "{path}");
        }
    }

    #[test]
    fn the_tree_lists_this_file_and_nothing_git_ignores() {
        let paths = paths().unwrap();
        assert!(paths.iter().any(|path| path == "xtask/src/tree.rs"));
        assert!(!paths.iter().any(|path| path.starts_with("target/")));
    }
}
