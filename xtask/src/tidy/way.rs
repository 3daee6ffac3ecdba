//! The request's way stays one page: `way.rs` is short, and its steps are the files beside it.
//!
//! Called by `tidy.rs` when `crates/gateway/src/way.rs` exists. It must never know what a step does.

use std::collections::BTreeSet;

use super::source;
use crate::report::Offence;
use crate::tree::TextFile;

/// The one page that every request goes through.
const WAY: &str = "crates/gateway/src/way.rs";

/// The folder of its steps.
const STEPS: &str = "crates/gateway/src/way/";

/// The most lines of code that `way.rs` may have; comments and empty lines do not count.
const WAY_LINES: usize = 100;

/// Every offence of the way; none if there is no way yet.
pub(crate) fn offences(files: &[TextFile]) -> Vec<Offence> {
    let Some(way) = files.iter().find(|file| file.path == WAY) else {
        return Vec::new();
    };
    let lines = source::lines(WAY, &way.text);
    let code: Vec<&source::Line<'_>> = lines.iter().filter(|line| line.is_code() && !line.is_test).collect();
    let mut found = Vec::new();
    if code.len() > WAY_LINES {
        found.push(Offence::new(WAY, 1, format!("{} lines of code, {WAY_LINES} are allowed", code.len())));
    }
    let mut declared = BTreeSet::new();
    for line in &code {
        let Some(step) = module_declared(line.text) else {
            continue;
        };
        if step.ends_with("tests") {
            continue;
        }
        declared.insert(step);
        let call = format!("{step}::");
        if !code.iter().any(|line| line.text.contains(&call)) {
            let what = format!("step `{step}` is declared and never taken (`{call}…`)");
            found.push(Offence::new(WAY, line.number, what));
        }
        if !files.iter().any(|file| file.path == format!("{STEPS}{step}.rs")) {
            found.push(Offence::new(WAY, line.number, format!("step `{step}` has no file in {STEPS}")));
        }
    }
    for file in files {
        let Some(step) = file.path.strip_prefix(STEPS).and_then(|name| name.strip_suffix(".rs")) else {
            continue;
        };
        if !declared.contains(step) && !step.ends_with("tests") {
            found.push(Offence::new(&file.path, 1, format!("not a step of {WAY}")));
        }
    }
    found
}

/// The name in `mod name;`, with any visibility.
fn module_declared(line: &str) -> Option<&str> {
    let line = line.trim();
    let name = line.strip_suffix(';')?;
    let (before, name) = name.rsplit_once(' ')?;
    (before == "mod" || (before.starts_with("pub") && before.ends_with(" mod"))).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> TextFile {
        TextFile { path: path.to_owned(), text: text.to_owned() }
    }

    fn found(way: &str, steps: &[&str]) -> Vec<String> {
        let mut files = vec![file(WAY, way)];
        files.extend(steps.iter().map(|step| file(&format!("{STEPS}{step}.rs"), "//! Step.\n")));
        offences(&files).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn no_way_yet_is_no_offence() {
        assert_eq!(offences(&[file(&format!("{STEPS}clean.rs"), "//! Step.\n")]), []);
    }

    #[test]
    fn a_way_whose_steps_are_its_files_is_no_offence() {
        let way = "//! The way.\nmod clean;\npub(crate) mod route;\n#[cfg(test)]\nmod tests;\n\
            fn walk() {\n    let clean = clean::take(arrived);\n    route::take(clean)\n}\n";
        assert_eq!(found(way, &["clean", "route", "tests"]), Vec::<String>::new());
    }

    #[test]
    fn a_step_without_file_or_call_and_a_file_without_step_are_found() {
        let found = found("//! The way.\nmod clean;\nfn walk() {}\n", &["route"]);
        assert_eq!(found.len(), 3);
        assert!(found.iter().any(|line| line.contains("never taken")));
        assert!(found.iter().any(|line| line.contains("has no file")));
        assert!(found.iter().any(|line| line.starts_with("crates/gateway/src/way/route.rs:1: not a step")));
    }

    #[test]
    fn the_way_at_its_limit_passes_and_one_line_more_does_not() {
        let at = format!("//! The way.\n// why\n\n{}", "use_it();\n".repeat(WAY_LINES));
        assert_eq!(found(&at, &[]), Vec::<String>::new());
        assert_eq!(found(&format!("{at}use_it();\n"), &[]).len(), 1);
    }
}
