//! A room's dependencies, read from its Cargo.toml, held against the table.
//!
//! Called by `rooms.rs`. It must never ask cargo: an edge that cargo cannot resolve is still an edge.

use std::collections::{BTreeMap, BTreeSet};

use super::table;
use crate::report::{Failure, Offence, Outcome};

/// What the checks need to know about a Cargo.toml.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Manifest {
    /// Path of the file from the root of the repository.
    pub(crate) path: String,
    /// Every package it depends on outside of tests, with the line that says so (from 1).
    pub(crate) dependencies: BTreeMap<String, usize>,
}

impl Manifest {
    /// The dependencies that are rooms.
    pub(crate) fn edges(&self, rooms: &BTreeSet<String>) -> BTreeSet<String> {
        self.dependencies.keys().filter(|name| rooms.contains(*name)).cloned().collect()
    }
}

/// Reads a Cargo.toml. `renames` are the workspace's own (`key = { package = "name" }`).
///
/// # Errors
/// When the text is no TOML.
pub(crate) fn read(path: &str, text: &str, renames: &BTreeMap<String, String>) -> Outcome<Manifest> {
    let manifest: toml::Table =
        text.parse().map_err(|error| Failure::new(format!("{path}: not a TOML file: {error}")))?;
    let mut dependencies = BTreeMap::new();
    let mut tables: Vec<&toml::Table> = vec![&manifest];
    if let Some(targets) = manifest.get("target").and_then(toml::Value::as_table) {
        tables.extend(targets.values().filter_map(toml::Value::as_table));
    }
    for table in tables {
        for kind in ["dependencies", "build-dependencies"] {
            for (key, value) in table.get(kind).and_then(toml::Value::as_table).into_iter().flatten() {
                let renamed = value.get("package").and_then(toml::Value::as_str);
                let name = renamed.or_else(|| renames.get(key).map(String::as_str)).unwrap_or(key);
                dependencies.insert(name.to_owned(), line_of(text, key));
            }
        }
    }
    Ok(Manifest { path: path.to_owned(), dependencies })
}

/// The workspace's renames: key → package, where they differ.
///
/// # Errors
/// When the text is no TOML.
pub(crate) fn renames(text: &str) -> Outcome<BTreeMap<String, String>> {
    let manifest: toml::Table =
        text.parse().map_err(|error| Failure::new(format!("Cargo.toml: not a TOML file: {error}")))?;
    let declared = manifest.get("workspace").and_then(|workspace| workspace.get("dependencies"));
    let mut renames = BTreeMap::new();
    for (key, value) in declared.and_then(toml::Value::as_table).into_iter().flatten() {
        if let Some(package) = value.get("package").and_then(toml::Value::as_str) {
            renames.insert(key.clone(), package.to_owned());
        }
    }
    Ok(renames)
}

/// The first line that begins with `key` as a TOML key; 1 if none does.
fn line_of(text: &str, key: &str) -> usize {
    let begins = |line: &str| {
        let line = line.trim_start();
        let line = line.strip_prefix('"').unwrap_or(line);
        line.strip_prefix(key).is_some_and(|rest| rest.starts_with(['.', ' ', '=', '"']))
    };
    text.lines().position(begins).map_or(1, |index| index + 1)
}

/// Every edge of `room` that the table does not have.
pub(crate) fn offences(room: &str, manifest: &Manifest, rooms: &BTreeSet<String>) -> Vec<Offence> {
    let Some(rule) = table::rule_of(room) else {
        let what = format!(
            "room `{room}` is not in the table (xtask/src/rooms/table.rs): a new room needs a decision record"
        );
        return vec![Offence::new(&manifest.path, 1, what)];
    };
    let mut found = Vec::new();
    for (name, line) in &manifest.dependencies {
        if rooms.contains(name) && !rule.may_use.allows(name) {
            let what = format!("room `{room}` may not use room `{name}`: a new edge needs a decision record");
            found.push(Offence::new(&manifest.path, *line, what));
        }
        if rule.must_not_use.contains(&name.as_str()) {
            let what = format!("room `{room}` must not know `{name}`");
            found.push(Offence::new(&manifest.path, *line, what));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rooms() -> BTreeSet<String> {
        ["auth", "config", "gateway", "realm-native", "realm-ldap", "testkit"].map(str::to_owned).into()
    }

    fn found(room: &str, text: &str) -> Vec<Offence> {
        offences(room, &read("Cargo.toml", text, &BTreeMap::new()).unwrap(), &rooms())
    }

    #[test]
    fn an_edge_of_the_table_is_no_offence() {
        assert_eq!(found("gateway", "[dependencies]\nauth.workspace = true\nconfig.workspace = true\n"), []);
    }

    #[test]
    fn an_edge_outside_of_the_table_is_found_with_its_line() {
        let found =
            found("realm-ldap", "[dependencies]\nauth.workspace = true\nrealm-native.workspace = true\n");
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].line, 3);
        assert!(found[0].what.contains("`realm-native`"));
    }

    #[test]
    fn an_edge_for_one_target_or_for_a_build_script_counts() {
        assert_eq!(
            found("auth", "[target.'cfg(unix)'.dependencies]\nconfig = { path = \"../config\" }\n").len(),
            1
        );
        assert_eq!(found("auth", "[build-dependencies]\nconfig = { path = \"../config\" }\n").len(), 1);
    }

    #[test]
    fn tests_may_use_what_they_like() {
        assert_eq!(found("auth", "[dev-dependencies]\ntestkit.workspace = true\nhyper = \"1\"\n"), []);
    }

    #[test]
    fn the_kernel_may_not_speak_http_even_under_another_name() {
        assert_eq!(found("auth", "[dependencies]\nhttparse.workspace = true\n").len(), 1);
        assert_eq!(
            found("auth", "[dependencies]\nweb = { package = \"hyper\", version = \"1\" }\n").len(),
            1
        );
        let renames =
            renames("[workspace.dependencies]\nweb = { package = \"hyper\", version = \"1\" }\n").unwrap();
        let manifest = read("Cargo.toml", "[dependencies]\nweb.workspace = true\n", &renames).unwrap();
        assert_eq!(offences("auth", &manifest, &rooms()).len(), 1);
    }

    #[test]
    fn a_room_that_the_table_does_not_know_is_found() {
        assert!(found("cellar", "")[0].what.contains("decision record"));
    }
}
