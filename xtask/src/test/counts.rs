//! How many tests ran, read from what the test runners print at their end.
//!
//! Called by `test.rs`. It must never count a test as passed that a runner did not call passed.

use std::fmt;

/// Tests of one or several runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Ran and held.
    pub(crate) passed: u64,
    /// Ran and did not hold, or timed out, or could not be started.
    pub(crate) failed: u64,
    /// Did not run.
    pub(crate) skipped: u64,
}

impl Counts {
    /// Reads every closing line in `text`: nextest's `Summary […]` and libtest's `test result: …`.
    pub(crate) fn read(text: &str) -> Self {
        let mut total = Self::default();
        for line in text.lines() {
            let line = line.trim();
            let parts = if line.starts_with("Summary [") {
                line.split_once("run: ").map(|(_, parts)| parts)
            } else if line.starts_with("test result: ") {
                line.split_once(". ").map(|(_, parts)| parts)
            } else {
                None
            };
            if let Some(parts) = parts {
                total = total.plus(Self::of_parts(&without_brackets(parts)));
            }
        }
        total
    }

    /// The sum of two runs.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            skipped: self.skipped + other.skipped,
        }
    }

    /// Reads `12 passed, 1 timed out, 0 skipped` and `12 passed; 0 failed; 1 ignored`.
    fn of_parts(parts: &str) -> Self {
        let mut counts = Self::default();
        for part in parts.split([',', ';']) {
            let Some((number, what)) = part.trim().split_once(' ') else {
                continue;
            };
            let Ok(number) = number.parse::<u64>() else {
                continue;
            };
            match what {
                "passed" => counts.passed += number,
                "skipped" | "ignored" => counts.skipped += number,
                "failed" | "timed out" | "exec failed" => counts.failed += number,
                // "measured", "filtered out", and times.
                _ => {}
            }
        }
        counts
    }
}

impl fmt::Display for Counts {
    /// The closing line that CI reads: `N passed, N failed`, and `, N skipped` only where there is one.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} passed, {} failed", self.passed, self.failed)?;
        if self.skipped > 0 {
            write!(formatter, ", {} skipped", self.skipped)?;
        }
        Ok(())
    }
}

/// The text without what stands in round brackets, as in `12 passed (1 slow, 2 flaky)`.
fn without_brackets(text: &str) -> String {
    let mut rest = text;
    let mut kept = String::new();
    while let Some((before, after)) = rest.split_once('(') {
        kept.push_str(before.trim_end());
        rest = after.split_once(')').map_or("", |(_, after)| after);
    }
    kept.push_str(rest);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(passed: u64, failed: u64, skipped: u64) -> Counts {
        Counts { passed, failed, skipped }
    }

    #[test]
    fn nextest_is_read() {
        for (line, expected) in [
            ("     Summary [   0.012s] 4 tests run: 4 passed, 0 skipped", counts(4, 0, 0)),
            ("     Summary [   1.2s] 1 test run: 1 passed, 2 skipped", counts(1, 0, 2)),
            (
                "     Summary [  60.0s] 9 tests run: 5 passed (2 slow, 1 leaky), 2 failed, 1 timed out, 1 exec failed, 3 skipped",
                counts(5, 4, 3),
            ),
            ("     Summary [   1.0s] 3/9 tests run: 2 passed, 1 failed, 0 skipped", counts(2, 1, 0)),
        ] {
            assert_eq!(Counts::read(line), expected, "{line}");
        }
    }

    #[test]
    fn libtest_is_read_and_added_up() {
        let text = "test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 7 filtered out; finished in 0.00s\n\
            some other line\n\
            test result: FAILED. 2 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.50s\n";
        assert_eq!(Counts::read(text), counts(7, 3, 1));
    }

    #[test]
    fn what_a_test_prints_is_not_counted() {
        assert_eq!(Counts::read("12 passed, 0 failed\nresult: 3 passed\n"), Counts::default());
    }

    #[test]
    fn the_closing_line_is_the_one_ci_reads() {
        assert_eq!(counts(3, 0, 0).to_string(), "3 passed, 0 failed");
        assert_eq!(counts(3, 1, 2).to_string(), "3 passed, 1 failed, 2 skipped");
    }
}
