//! `cargo xtask ci`: everything that must hold before a change lands, cheapest first.
//!
//! Called by `main.rs`, and so by `.ci/run`. It must never go on after a step that failed.

use std::time::Duration;

use crate::report::{Failure, Outcome, say};
use crate::test::Counts;
use crate::{deny, fuzz, rooms, run, test, tidy};

/// A step's name and its work.
type Step = (&'static str, fn() -> Outcome);

/// What must hold before the tests are worth running.
const CHECKS: &[Step] = &[
    ("fmt", fmt),
    ("rooms", || rooms::command(&[])),
    ("tidy", || tidy::command(&[])),
    ("deny", || deny::command(&[])),
    ("clippy", clippy),
    ("docs", docs),
    ("fuzz targets", fuzz::build),
];

/// Runs every check, then every test. The last line it prints is `N passed, N failed`.
///
/// # Errors
/// At the first step that fails, with its name.
pub(crate) fn command(arguments: &[String]) -> Outcome {
    if !arguments.is_empty() {
        return Err(Failure::new("usage: cargo xtask ci"));
    }
    let mut times = Vec::new();
    for (name, work) in CHECKS {
        timed_step(name, &mut times, || work().map(|()| Ok(())))?;
    }
    let mut counts = Counts::default();
    let verdict = timed_step("test", &mut times, || {
        let (counted, verdict) = test::all(&[])?;
        counts = counted;
        Ok(verdict)
    });
    let total: Duration = times.iter().map(|(_, time)| *time).sum();
    let steps: Vec<String> = times.iter().map(|(name, time)| format!("{name} {}", seconds(*time))).collect();
    say(format!("ci: {} in {}: {}", word(&verdict), seconds(total), steps.join(", ")));
    say(counts);
    verdict
}

/// Does one step, announces it and its time, and names it in its failure.
fn timed_step(
    name: &'static str,
    times: &mut Vec<(&'static str, Duration)>,
    work: impl FnOnce() -> Outcome<Outcome>,
) -> Outcome {
    say(format!("── ci: {name} ──"));
    let (outcome, time) = run::timed(|| work().and_then(std::convert::identity));
    times.push((name, time));
    say(format!("── ci: {name}: {} in {} ──", word(&outcome), seconds(time)));
    outcome.map_err(|failure| Failure::new(format!("step `{name}`: {failure}")))
}

fn word(outcome: &Outcome) -> &'static str {
    if outcome.is_ok() { "passed" } else { "FAILED" }
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

fn fmt() -> Outcome {
    run::run(&mut run::cargo(&["fmt", "--all", "--check"]))?;
    fuzz::fmt()
}

fn clippy() -> Outcome {
    run::run(&mut run::cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
}

fn docs() -> Outcome {
    let mut command = run::cargo(&["doc", "--workspace", "--no-deps"]);
    run::run(command.env("RUSTDOCFLAGS", "-D warnings"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_fails_is_named_and_timed() {
        let mut times = Vec::new();
        let failure = timed_step("tidy", &mut times, || Err(Failure::new("2 offences"))).unwrap_err();
        assert_eq!(failure.to_string(), "step `tidy`: 2 offences");
        assert_eq!(times.len(), 1);
    }

    #[test]
    fn a_verdict_that_fails_fails_the_step() {
        let mut times = Vec::new();
        assert!(timed_step("test", &mut times, || Ok(Err(Failure::new("1 failed")))).is_err());
        assert!(timed_step("test", &mut times, || Ok(Ok(()))).is_ok());
    }
}
