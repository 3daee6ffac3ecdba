//! `cargo xtask test`: installs what the tests need, runs them all, and counts.
//!
//! Called by `main.rs` and `ci.rs`. It must never pass when a test failed, was skipped, or when none ran.

mod counts;

pub(crate) use counts::Counts;

use crate::needs;
use crate::report::{Failure, Outcome, say};
use crate::run::{self, Watched};

/// How nextest treats a test that hangs; see the file.
const NEXTEST_RULES: &str = "xtask/nextest.toml";

/// Runs every test, or with arguments only those whose names contain one of them. The last line it prints is
/// `N passed, N failed`.
///
/// # Errors
/// When a test fails; when, in a run of everything, one is skipped or none ran.
pub(crate) fn command(filters: &[String]) -> Outcome {
    let (counts, verdict) = all(filters)?;
    if let Err(failure) = &verdict {
        say(format!("test: {failure}"));
    }
    say(counts);
    verdict
}

/// Runs what `filters` ask for (everything if there are none) and judges it.
///
/// # Errors
/// When the tests could not be run at all; that one failed is in the verdict beside the counts.
pub(crate) fn all(filters: &[String]) -> Outcome<(Counts, Outcome)> {
    needs::ensure(needs::TESTS)?;
    needs::ensure_python()?;
    let units = run::watch(&mut with_filters(unit_runner(), filters))?;
    let counts = Counts::read(&units.text);
    if !units.succeeded && counts == Counts::default() {
        return Ok((counts, Err(Failure::new("the tests do not build"))));
    }
    // nextest has no doctests; libtest's run leaves them to this one too, so that none is counted twice.
    let mut doctests = run::cargo(&["test", "--workspace", "--doc", "--no-fail-fast", "--"]);
    let doctests = run::watch(doctests.args(filters))?;
    let counts = counts.plus(Counts::read(&doctests.text));
    let verdict = judge(counts, &[units, doctests], !filters.is_empty());
    Ok((counts, verdict))
}

/// cargo with nextest where it is installed, and without where it is not. A test that fails says why and not by which way of
/// the runtime it got there: where only a part of the output is kept, that part must be what it said.
fn unit_runner() -> std::process::Command {
    let has_nextest = run::program("cargo-nextest")
        .arg("--version")
        .stdout(std::process::Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if has_nextest {
        let rules = format!("xtask:{}", run::root().join(NEXTEST_RULES).display());
        let rules = ["--tool-config-file", &rules, "--no-fail-fast", "--no-tests", "pass", "--"];
        let mut command = run::cargo(&["nextest", "run", "--workspace"]);
        command.args(rules).env("RUST_BACKTRACE", "0");
        command
    } else {
        let mut command =
            run::cargo(&["test", "--workspace", "--lib", "--bins", "--tests", "--no-fail-fast", "--"]);
        command.env("RUST_BACKTRACE", "0");
        command
    }
}

fn with_filters(mut command: std::process::Command, filters: &[String]) -> std::process::Command {
    command.args(filters);
    command
}

/// The verdict on a run. With a filter, tests that it leaves out are no offence, and none running is a wrong filter.
fn judge(counts: Counts, runs: &[Watched], is_filtered: bool) -> Outcome {
    if counts.failed > 0 {
        return Err(Failure::new(format!("{} failed", counts.failed)));
    }
    if runs.iter().any(|run| !run.succeeded) {
        return Err(Failure::new("a runner failed without a failed test: see its output above"));
    }
    if counts.passed == 0 {
        return Err(Failure::new("no test ran"));
    }
    if counts.skipped > 0 && !is_filtered {
        let text =
            format!("{} skipped: an ignored test is a failed test until its issue is closed", counts.skipped);
        return Err(Failure::new(text));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(passed: u64, failed: u64, skipped: u64, succeeded: bool, is_filtered: bool) -> bool {
        let runs = [Watched { text: String::new(), succeeded }];
        judge(Counts { passed, failed, skipped }, &runs, is_filtered).is_ok()
    }

    #[test]
    fn only_a_run_where_everything_ran_and_held_passes() {
        assert!(judged(5, 0, 0, true, false));
        assert!(!judged(5, 1, 0, false, false), "a failed test");
        assert!(!judged(5, 0, 0, false, false), "a runner that failed, as on a build error");
        assert!(!judged(0, 0, 0, true, false), "no test at all");
        assert!(!judged(5, 0, 1, true, false), "a skipped test");
    }

    #[test]
    fn a_filter_may_leave_tests_out_but_not_all() {
        assert!(judged(5, 0, 90, true, true));
        assert!(!judged(0, 0, 95, true, true));
    }
}
