//! The plate on a room's door: the first `//!` lines of its `lib.rs` or `main.rs`.
//!
//! Called by `rooms.rs`. It must never repair a plate: it says which line is missing or lies.

use std::collections::BTreeSet;

use super::table::{self, MayUse};
use crate::report::Offence;

/// What every plate says, in the words it says it with.
const LABELS: [&str; 5] = ["Purpose:", "Callers:", "May use:", "Must never:", "Read first:"];

/// The text of a plate, without the comment marks.
#[derive(Debug, Default)]
pub(crate) struct Plate {
    /// One entry for each line, with its line number (from 1).
    lines: Vec<(usize, String)>,
}

impl Plate {
    /// Reads the block of `//!` lines that `source` begins with.
    pub(crate) fn read(source: &str) -> Self {
        let lines = source
            .lines()
            .enumerate()
            .map_while(|(index, line)| Some((index + 1, line.strip_prefix("//!")?.trim_start().to_owned())))
            .collect();
        Self { lines }
    }

    /// The plate as it is printed on the page of all plates.
    pub(crate) fn page(&self) -> String {
        let lines: Vec<&str> = self.lines.iter().map(|(_, line)| line.as_str()).collect();
        lines.join("\n").trim_end().to_owned()
    }

    /// The line and the text of one label: up to the next label or an empty line.
    fn entry(&self, label: &str) -> Option<(usize, String)> {
        let start = self.lines.iter().position(|(_, line)| after_label(line, label).is_some())?;
        let (number, first) = &self.lines[start];
        let mut text = after_label(first, label)?.to_owned();
        for (_, line) in &self.lines[start + 1..] {
            if line.is_empty() || LABELS.iter().any(|other| after_label(line, other).is_some()) {
                break;
            }
            text.push(' ');
            text.push_str(line);
        }
        Some((*number, text.trim().to_owned()))
    }
}

/// What follows `label` on a line that begins with it, whether or not it is in a list or in bold.
fn after_label<'a>(line: &'a str, label: &str) -> Option<&'a str> {
    let rest = line.trim_start_matches(['*', '-', ' ']).strip_prefix(label)?;
    Some(rest.trim_start_matches('*').trim())
}

/// The text without what stands in round brackets.
fn without_asides(text: &str) -> String {
    let mut depth = 0_usize;
    let keep = |letter: &char| {
        match letter {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => return depth == 0,
        }
        false
    };
    text.chars().filter(keep).collect()
}

/// The rooms named in the first sentence of a "May use:" entry. What follows that sentence is free text.
fn rooms_named(text: &str, room: &str, rooms: &BTreeSet<String>) -> BTreeSet<String> {
    let text = without_asides(text);
    let sentence = text.split(['.', ';', ':']).next().unwrap_or_default();
    let words =
        || sentence.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-' && letter != '_');
    // "everything but `testkit`" is how the one room says it that connects all others.
    if let Some(rule) = table::rule_of(room)
        && let MayUse::AllBut(excepted) = rule.may_use
        && words().any(|word| matches!(word, "every" | "everything"))
        && excepted.iter().all(|name| words().any(|word| word == *name))
    {
        return rooms
            .iter()
            .filter(|name| rule.may_use.allows(name) && *name != room && *name != "xtask")
            .cloned()
            .collect();
    }
    words().filter(|word| rooms.contains(*word)).map(str::to_owned).collect()
}

/// Every line that the plate of `room` lacks, and a "May use:" that is not what its Cargo.toml says.
pub(crate) fn offences(
    room: &str,
    path: &str,
    plate: &Plate,
    edges: &BTreeSet<String>,
    rooms: &BTreeSet<String>,
) -> Vec<Offence> {
    let mut found = Vec::new();
    for label in LABELS {
        match plate.entry(label) {
            None => {
                let what = format!("the plate of `{room}` has no line `//! {label} …`");
                found.push(Offence::new(path, 1, what));
            }
            Some((line, text)) if text.is_empty() => {
                found.push(Offence::new(path, line, format!("the plate's `{label}` says nothing")));
            }
            Some((line, text)) if label == "May use:" => {
                let named = rooms_named(&text, room, rooms);
                if named != *edges {
                    let what = format!(
                        "the plate says `May use: {}`, Cargo.toml says `May use: {}`",
                        list(&named),
                        list(edges)
                    );
                    found.push(Offence::new(path, line, what));
                }
            }
            Some(_) => {}
        }
    }
    found
}

/// Rooms as a plate writes them.
fn list(rooms: &BTreeSet<String>) -> String {
    if rooms.is_empty() {
        return "nothing".to_owned();
    }
    rooms.iter().cloned().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "//! Room `api`.\n//!\n//! Purpose: operations.\n//! Callers: dialects, doorward.\n\
        //! May use: `auth`, gateway. Of gateway only\n//! the `Destination`, nothing of config.\n\
        //! Must never: know a dialect.\n//! Read first: `session.rs`.\n\nuse std::fmt;\n";

    fn rooms() -> BTreeSet<String> {
        set(&["api", "auth", "config", "dialects", "doorward", "gateway", "testkit"])
    }

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn found(source: &str, edges: &[&str]) -> Vec<Offence> {
        offences("api", "lib.rs", &Plate::read(source), &set(edges), &rooms())
    }

    #[test]
    fn a_whole_and_honest_plate_is_no_offence() {
        assert_eq!(found(GOOD, &["auth", "gateway"]), []);
    }

    #[test]
    fn a_plate_that_lies_about_its_edges_is_found() {
        let found = found(GOOD, &["auth"]);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].line, 5);
        assert!(found[0].what.contains("`May use: auth, gateway`"), "{}", found[0].what);
        assert!(found[0].what.ends_with("`May use: auth`"), "{}", found[0].what);
    }

    #[test]
    fn every_missing_line_is_found() {
        assert_eq!(found("//! Room `api`.\n", &[]).len(), LABELS.len());
        assert_eq!(
            found(&GOOD.replace("//! Read first: `session.rs`.\n", ""), &["auth", "gateway"]).len(),
            1
        );
    }

    #[test]
    fn a_line_that_says_nothing_is_found() {
        let source = GOOD.replace("//! Must never: know a dialect.\n", "//! Must never:\n");
        assert!(found(&source, &["auth", "gateway"])[0].what.contains("says nothing"));
    }

    #[test]
    fn nothing_is_a_list_too() {
        let source = GOOD.replace("May use: `auth`, gateway.", "May use: nothing.");
        assert_eq!(found(&source, &[]), []);
    }

    #[test]
    fn the_binary_may_say_everything_but_the_testkit() {
        let named = rooms_named("everything but `testkit`.", "doorward", &rooms());
        assert_eq!(named, set(&["api", "auth", "config", "dialects", "gateway"]));
        assert_eq!(rooms_named("everything but `testkit`.", "api", &rooms()), set(&["testkit"]));
    }

    #[test]
    fn an_aside_names_no_room() {
        assert_eq!(
            rooms_named("auth (config is read by doorward), gateway", "api", &rooms()),
            set(&["auth", "gateway"])
        );
    }

    #[test]
    fn the_plate_ends_where_the_comment_ends() {
        assert!(Plate::read(GOOD).page().ends_with("Read first: `session.rs`."));
    }
}
