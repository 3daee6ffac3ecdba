//! `cargo xtask fuzz [TARGET] [SECONDS]`: builds the fuzz targets with coverage on the stable compiler and runs them.
//!
//! Called by `main.rs`; `ci.rs` only builds them. It must never leave a crash unreported: a target that finds one
//! fails the command and its input is kept in `fuzz/artifacts/`.

use std::path::Path;

use crate::needs;
use crate::report::{Failure, Outcome, say};
use crate::run;

/// The manifest of the fuzz crate, a workspace of its own.
const MANIFEST: &str = "fuzz/Cargo.toml";

/// Where the instrumented build goes: other flags, other artifacts.
const TARGET_FOLDER: &str = "target/fuzz";

/// How long a target runs when nobody says.
const DEFAULT_SECONDS: u64 = 60;

/// The longest that one input may take, in seconds, before it counts as a hang.
const INPUT_SECONDS: u64 = 5;

/// The most memory that a target may have, in MiB, before it counts as a leak.
const MEMORY_MEBIBYTES: u64 = 2048;

/// What cargo-fuzz gives to the compiler, less the sanitizers, which need a nightly one: the tree forbids `unsafe`,
/// so what is left to find are panics, hangs and wrong answers.
const COVERAGE_FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 --cfg fuzzing";

/// Runs one target, or each of them, for a while.
///
/// # Errors
/// When a target finds something, does not build, or does not exist.
pub(crate) fn command(arguments: &[String]) -> Outcome {
    let Some(targets) = targets()? else {
        return Err(Failure::new(format!("there is no {MANIFEST} yet")));
    };
    let (chosen, seconds) = choose(arguments, &targets)?;
    needs::ensure(needs::FUZZ)?;
    let host = host()?;
    run::run(
        run::cargo(&["build", "--release", "--manifest-path", MANIFEST, "--target-dir", TARGET_FOLDER])
            // Naming the target keeps the flags away from build scripts and macros, which have no such runtime.
            .args(["--target", &host])
            .env("RUSTFLAGS", COVERAGE_FLAGS)
            .env("CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS", "true")
            .env("CARGO_PROFILE_RELEASE_OVERFLOW_CHECKS", "true"),
    )?;
    for target in chosen {
        say(format!("fuzz: {target} for {seconds} s"));
        one(&target, &host, seconds)?;
    }
    Ok(())
}

/// Builds every target without coverage, as CI does: a target that does not build is a target nobody runs. Does
/// nothing where there is no fuzz crate.
///
/// # Errors
/// When a target does not build.
pub(crate) fn build() -> Outcome {
    if targets()?.is_none() {
        say("fuzz: no targets yet");
        return Ok(());
    }
    needs::ensure(needs::FUZZ)?;
    run::run(&mut run::cargo(&["build", "--manifest-path", MANIFEST, "--target-dir", "target"]))
}

/// Whether the targets are formatted; cargo does not look into another workspace by itself.
///
/// # Errors
/// When one is not.
pub(crate) fn fmt() -> Outcome {
    match targets()? {
        Some(_) => run::run(&mut run::cargo(&["fmt", "--manifest-path", MANIFEST, "--check"])),
        None => Ok(()),
    }
}

/// Runs one built target.
fn one(target: &str, host: &str, seconds: u64) -> Outcome {
    let root = run::root();
    let folder = |kind: &str| format!("fuzz/{kind}/{target}");
    for kind in ["corpus", "artifacts"] {
        std::fs::create_dir_all(root.join(folder(kind)))
            .map_err(|error| Failure::new(format!("cannot make {}: {error}", folder(kind))))?;
    }
    let binary = root.join(TARGET_FOLDER).join(host).join("release").join(target);
    let mut command = run::program(&binary.to_string_lossy());
    command
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-timeout={INPUT_SECONDS}"))
        .arg(format!("-rss_limit_mb={MEMORY_MEBIBYTES}"))
        .arg(format!("-artifact_prefix={}/", folder("artifacts")))
        .arg("-print_final_stats=1")
        .arg(folder("corpus"));
    // What git keeps to begin with: inputs that found something once, or that show the shape.
    if root.join(folder("seeds")).is_dir() {
        command.arg(folder("seeds"));
    }
    let dictionary = format!("{}.dict", folder("dictionaries"));
    if root.join(&dictionary).is_file() {
        command.arg(format!("-dict={dictionary}"));
    }
    run::run(&mut command)
}

/// The target and the seconds that were asked for; without a target, all.
fn choose(arguments: &[String], targets: &[String]) -> Outcome<(Vec<String>, u64)> {
    let usage = || {
        let known = targets.join(", ");
        Failure::new(format!("usage: cargo xtask fuzz [TARGET] [SECONDS]; the targets are: {known}"))
    };
    let seconds = |text: &str| text.parse::<u64>().ok().filter(|seconds| *seconds > 0);
    match arguments {
        [] => Ok((targets.to_vec(), DEFAULT_SECONDS)),
        [one] if targets.contains(one) => Ok((vec![one.clone()], DEFAULT_SECONDS)),
        [one] => Ok((targets.to_vec(), seconds(one).ok_or_else(usage)?)),
        [one, time] if targets.contains(one) => Ok((vec![one.clone()], seconds(time).ok_or_else(usage)?)),
        _ => Err(usage()),
    }
}

/// The names of the fuzz targets, or nothing where there is no fuzz crate.
fn targets() -> Outcome<Option<Vec<String>>> {
    let path = run::root().join(MANIFEST);
    if !Path::new(&path).is_file() {
        return Ok(None);
    }
    let text = std::fs::read_to_string(&path)
        .map_err(|error| Failure::new(format!("cannot read {MANIFEST}: {error}")))?;
    targets_of(&text).map(Some)
}

fn targets_of(manifest: &str) -> Outcome<Vec<String>> {
    let table: toml::Table =
        manifest.parse().map_err(|error| Failure::new(format!("{MANIFEST}: not a TOML file: {error}")))?;
    let binaries = table.get("bin").and_then(toml::Value::as_array).cloned().unwrap_or_default();
    let name = |binary: &toml::Value| binary.get("name").and_then(toml::Value::as_str).map(str::to_owned);
    let names: Vec<String> = binaries.iter().filter_map(name).collect();
    if names.is_empty() { Err(Failure::new(format!("{MANIFEST} names no [[bin]]"))) } else { Ok(names) }
}

/// The target that this compiler builds for by default.
fn host() -> Outcome<String> {
    let version = run::capture(run::program("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| Failure::new("`rustc -vV` names no host"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(arguments: &[&str]) -> Option<(Vec<String>, u64)> {
        let arguments: Vec<String> = arguments.iter().map(|text| (*text).to_owned()).collect();
        choose(&arguments, &["head".to_owned(), "chunked".to_owned()]).ok()
    }

    #[test]
    fn a_target_and_its_seconds_may_each_be_left_out() {
        let both = || vec!["head".to_owned(), "chunked".to_owned()];
        assert_eq!(chosen(&[]), Some((both(), DEFAULT_SECONDS)));
        assert_eq!(chosen(&["5"]), Some((both(), 5)));
        assert_eq!(chosen(&["chunked"]), Some((vec!["chunked".to_owned()], DEFAULT_SECONDS)));
        assert_eq!(chosen(&["chunked", "5"]), Some((vec!["chunked".to_owned()], 5)));
    }

    #[test]
    fn what_is_no_target_and_no_time_is_refused() {
        for arguments in [&["cookie"] as &[&str], &["0"], &["head", "soon"], &["head", "5", "6"]] {
            assert_eq!(chosen(arguments), None, "{arguments:?}");
        }
    }

    #[test]
    fn the_targets_are_the_binaries_of_the_manifest() {
        let manifest =
            "[[bin]]\nname = \"head\"\npath = \"a.rs\"\n[[bin]]\nname = \"chunked\"\npath = \"b.rs\"\n";
        assert_eq!(targets_of(manifest).unwrap(), ["head", "chunked"]);
        assert!(targets_of("[package]\nname = \"fuzz\"\n").is_err());
    }
}
