//! `cargo xtask rooms`: the edges between the rooms, their depth, and the plates on their doors.
//!
//! Called by `main.rs` and `ci.rs`. It must never allow what the table in `rooms/table.rs` does not have.

mod edges;
mod plate;
mod table;

use std::collections::BTreeSet;

use crate::report::{Failure, Offence, Outcome, judge, say};
use crate::tree::{self, TextFile};

/// What a room is, for the checks.
struct Room<'a> {
    name: &'a str,
    manifest: edges::Manifest,
    /// `lib.rs` or, for a binary, `main.rs`.
    door: Option<&'a TextFile>,
}

/// Checks every room, or with `--print` prints every plate as one page.
///
/// # Errors
/// On an offence, and when the tree cannot be read.
pub(crate) fn command(arguments: &[String]) -> Outcome {
    let files = tree::text_files()?;
    let rooms = rooms(&files)?;
    match arguments {
        [] => check(&files, &rooms),
        [only] if only == "--print" => {
            print(&rooms);
            Ok(())
        }
        _ => Err(Failure::new("usage: cargo xtask rooms [--print]")),
    }
}

/// The rooms of the tree: every folder of `crates/`, and xtask.
fn rooms(files: &[TextFile]) -> Outcome<Vec<Room<'_>>> {
    let renames = match files.iter().find(|file| file.path == "Cargo.toml") {
        Some(workspace) => edges::renames(&workspace.text)?,
        None => return Err(Failure::new("no Cargo.toml at the root of the repository")),
    };
    let mut rooms = Vec::new();
    for file in files {
        let Some(folder) = file.path.strip_suffix("/Cargo.toml") else {
            continue;
        };
        let name = folder.strip_prefix("crates/").unwrap_or(folder);
        if name.contains('/') || (folder == name && name != "xtask") {
            continue;
        }
        let door = |end: &str| files.iter().find(|file| file.path == format!("{folder}/src/{end}"));
        let manifest = edges::read(&file.path, &file.text, &renames)?;
        rooms.push(Room { name, manifest, door: door("lib.rs").or_else(|| door("main.rs")) });
    }
    Ok(rooms)
}

fn check(files: &[TextFile], rooms: &[Room<'_>]) -> Outcome {
    let names: BTreeSet<String> = rooms.iter().map(|room| room.name.to_owned()).collect();
    let mut found: Vec<Offence> = files.iter().filter_map(|file| too_deep(&file.path)).collect();
    for room in rooms {
        found.extend(edges::offences(room.name, &room.manifest, &names));
        match room.door {
            Some(door) => {
                let plate = plate::Plate::read(&door.text);
                let edges = room.manifest.edges(&names);
                found.extend(plate::offences(room.name, &door.path, &plate, &edges, &names));
            }
            None => {
                found.push(Offence::new(&room.manifest.path, 1, "the room has no src/lib.rs or src/main.rs"));
            }
        }
    }
    judge("rooms", found)?;
    say(format!("rooms: {} rooms, every edge in the table, every plate true", rooms.len()));
    Ok(())
}

/// A source file more than one folder below `src/`. Tests may lie in a `tests.rs` or `tests/` beside what they test.
fn too_deep(path: &str) -> Option<Offence> {
    let (_, inside) = path.strip_prefix("crates/")?.split_once("/src/")?;
    if inside.matches('/').count() <= 1 || tree::is_test_path(path) {
        return None;
    }
    Some(Offence::new(path, 1, "deeper than crates/<room>/src/<folder>/<file>.rs"))
}

fn print(rooms: &[Room<'_>]) {
    for room in rooms {
        say(format!("── {} ──", room.name));
        let plate = room.door.map(|door| plate::Plate::read(&door.text).page()).unwrap_or_default();
        say(if plate.is_empty() { "(no plate)" } else { &plate });
        say("");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_two_folders_deep_is_found_and_one_is_not() {
        assert!(too_deep("crates/gateway/src/way.rs").is_none());
        assert!(too_deep("crates/gateway/src/way/clean.rs").is_none());
        assert!(too_deep("crates/gateway/src/way/clean/path.rs").is_some());
        assert!(too_deep("crates/gateway/src/way/clean/tests.rs").is_none());
        assert!(too_deep("crates/auth/tests/compile_fail/deep/forged.rs").is_none());
    }

    #[test]
    fn only_folders_of_crates_and_xtask_are_rooms() {
        let manifest = |path: &str| TextFile { path: path.to_owned(), text: "[package]\n".to_owned() };
        let files = [
            manifest("Cargo.toml"),
            manifest("bench/load/Cargo.toml"),
            manifest("crates/auth/Cargo.toml"),
            manifest("crates/auth/tests/pupil/Cargo.toml"),
            manifest("fuzz/Cargo.toml"),
            manifest("xtask/Cargo.toml"),
        ];
        let names: Vec<&str> = rooms(&files).unwrap().iter().map(|room| room.name).collect();
        assert_eq!(names, ["auth", "xtask"]);
    }
}
