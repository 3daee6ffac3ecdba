//! `cargo xtask deny`: crates, licences and sources that `deny.toml` does not want, found with cargo alone.
//!
//! Called by `main.rs` and `ci.rs`. It must never reach the network: advisories are `cargo deny`'s, where it can.

use crate::licence;
use crate::report::{Failure, Offence, Outcome, judge, say};
use crate::run;

/// Where the rules live.
const RULES: &str = "deny.toml";

/// Where a crate may come from, as Cargo.lock writes it.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// What `deny.toml` says, as far as this check uses it.
#[derive(Debug, Default)]
struct Rules {
    banned: Vec<String>,
    licences: Vec<String>,
}

/// A crate that is built for some target, for the product or for its tests.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Package {
    name: String,
    licence: String,
}

/// Checks every crate that can be built from this workspace.
///
/// # Errors
/// On an offence, and when cargo cannot say what is built.
pub(crate) fn command(arguments: &[String]) -> Outcome {
    if !arguments.is_empty() {
        return Err(Failure::new("usage: cargo xtask deny"));
    }
    let rules = rules(&text_of(RULES)?)?;
    let tree = run::capture(&mut run::cargo(&[
        "tree",
        "--workspace",
        "--target",
        "all",
        "--all-features",
        "--edges",
        "normal,build,dev",
        "--prefix",
        "none",
        "--format",
        "{p}|{l}",
    ]))?;
    let packages = packages(&tree);
    let mut found = offences(&rules, &packages);
    found.extend(foreign_sources(&text_of("Cargo.lock")?)?);
    judge("deny", found)?;
    say(format!("deny: {} crates, none banned, every licence allowed, all from crates.io", packages.len()));
    Ok(())
}

fn text_of(path: &str) -> Outcome<String> {
    std::fs::read_to_string(run::root().join(path))
        .map_err(|error| Failure::new(format!("cannot read {path}: {error}")))
}

fn table(path: &str, text: &str) -> Outcome<toml::Table> {
    text.parse().map_err(|error| Failure::new(format!("{path}: not a TOML file: {error}")))
}

fn rules(text: &str) -> Outcome<Rules> {
    let table = table(RULES, text)?;
    let entries = |section: &str, key: &str| {
        let found = table.get(section).and_then(|section| section.get(key));
        found.and_then(toml::Value::as_array).cloned().unwrap_or_default()
    };
    let name = |entry: &toml::Value| {
        entry.as_str().or_else(|| entry.get("crate").and_then(toml::Value::as_str)).map(str::to_owned)
    };
    let rules = Rules {
        banned: entries("bans", "deny").iter().filter_map(name).collect(),
        licences: entries("licenses", "allow").iter().filter_map(name).collect(),
    };
    if rules.banned.is_empty() || rules.licences.is_empty() {
        return Err(Failure::new(format!("{RULES} has no `bans.deny` or no `licenses.allow`")));
    }
    Ok(rules)
}

/// The crates in the output of `cargo tree`, each once.
fn packages(tree: &str) -> Vec<Package> {
    let mut packages: Vec<Package> = tree
        .lines()
        .filter_map(|line| {
            let (package, licence) = line.trim_end_matches(" (*)").split_once('|')?;
            let name = package.split(' ').next()?.to_owned();
            Some(Package { name, licence: licence.trim().to_owned() })
        })
        .collect();
    packages.sort();
    packages.dedup();
    packages
}

fn offences(rules: &Rules, packages: &[Package]) -> Vec<Offence> {
    let mut found = Vec::new();
    for Package { name, licence } in packages {
        if rules.banned.contains(name) {
            let what = format!("`{name}` is banned; `cargo tree --target all -i {name}` says who brings it");
            found.push(Offence::new(RULES, 1, what));
        }
        if !licence::is_allowed(licence, &rules.licences) {
            found.push(Offence::new(
                RULES,
                1,
                format!("`{name}` has the licence `{licence}`, which is not allowed"),
            ));
        }
    }
    found
}

/// Packages in Cargo.lock that come from elsewhere than crates.io or this tree.
fn foreign_sources(lock: &str) -> Outcome<Vec<Offence>> {
    let table = table("Cargo.lock", lock)?;
    let packages = table.get("package").and_then(toml::Value::as_array).cloned().unwrap_or_default();
    let text =
        |package: &toml::Value, key: &str| package.get(key).and_then(toml::Value::as_str).map(str::to_owned);
    let foreign = packages.iter().filter_map(|package| {
        let source = text(package, "source").filter(|source| source != REGISTRY)?;
        let name = text(package, "name").unwrap_or_default();
        Some(Offence::new("Cargo.lock", 1, format!("`{name}` comes from {source}, not from crates.io")))
    });
    Ok(foreign.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DENY: &str = "[bans]\ndeny = [{ crate = \"ring\" }, \"openssl\"]\n[licenses]\nallow = [\"MIT\"]\n";

    fn found(tree: &str) -> Vec<String> {
        offences(&rules(DENY).unwrap(), &packages(tree)).into_iter().map(|offence| offence.what).collect()
    }

    #[test]
    fn a_banned_crate_is_found_once_and_its_namesakes_are_not() {
        let found = found("ring v0.17.0|MIT\nring v0.17.0|MIT (*)\nopenssl-probe v0.2.1|MIT\n");
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("`ring` is banned"));
    }

    #[test]
    fn a_licence_outside_of_the_list_is_found_and_none_at_all_too() {
        assert_eq!(found("a v1.0.0|MIT OR GPL-3.0\n"), Vec::<String>::new());
        assert_eq!(found("a v1.0.0|GPL-3.0\nb v1.0.0|\n").len(), 2);
    }

    #[test]
    fn rules_without_a_list_are_refused() {
        assert!(rules("[bans]\ndeny = [\"ring\"]\n").is_err());
    }

    #[test]
    fn a_crate_from_git_is_found() {
        let lock = format!(
            "[[package]]\nname = \"ours\"\n[[package]]\nname = \"good\"\nsource = \"{REGISTRY}\"\n\
             [[package]]\nname = \"odd\"\nsource = \"git+https://example.org/odd\"\n"
        );
        let found = foreign_sources(&lock).unwrap();
        assert_eq!(found.len(), 1);
        assert!(found[0].what.starts_with("`odd` comes from git+"));
    }
}
