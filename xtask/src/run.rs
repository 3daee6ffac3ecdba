//! Running other programs from the root of the repository, and timing what runs.
//!
//! Called by every command of xtask that starts a process. It must never hide a program's output or its failure.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::report::{Failure, Outcome, say};

/// The root of the repository: the folder above `xtask/`.
pub(crate) fn root() -> PathBuf {
    // Cargo says where xtask is *now*; the compiled-in path is for a binary that is run by hand.
    let here = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    here.parent().map_or_else(|| PathBuf::from("."), PathBuf::from)
}

/// A program that will run in the root of the repository.
pub(crate) fn program(name: &str) -> Command {
    let mut command = Command::new(name);
    command.current_dir(root()).stdin(Stdio::null());
    // `cargo run` describes xtask itself in these; a cargo started from here would pass them on to build scripts
    // and build again what was already built.
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            command.env_remove(name.as_ref());
        }
    }
    command
}

/// The cargo that started us, in the root of the repository.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = program(&std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()));
    command.args(arguments);
    command
}

/// The command line as a person would type it.
fn line_of(command: &Command) -> String {
    let name = command.get_program().to_string_lossy();
    let mut line = name.rsplit('/').next().unwrap_or_default().to_owned();
    for argument in command.get_args() {
        line.push(' ');
        line.push_str(&argument.to_string_lossy());
    }
    line
}

/// Runs to the end, with the output going where ours goes.
///
/// # Errors
/// When the program cannot be started or does not succeed.
pub(crate) fn run(command: &mut Command) -> Outcome {
    let line = line_of(command);
    let status = command.status().map_err(|error| Failure::new(format!("cannot run `{line}`: {error}")))?;
    if status.success() { Ok(()) } else { Err(Failure::new(format!("`{line}`: {status}"))) }
}

/// Runs to the end and answers what it printed on its standard output.
///
/// # Errors
/// When the program cannot be started or does not succeed.
pub(crate) fn capture(command: &mut Command) -> Outcome<String> {
    let line = line_of(command);
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| Failure::new(format!("cannot run `{line}`: {error}")))?;
    if !output.status.success() {
        return Err(Failure::new(format!("`{line}`: {}", output.status)));
    }
    String::from_utf8(output.stdout)
        .map_err(|_| Failure::new(format!("`{line}` printed something that is no text")))
}

/// What a program printed, on both its outputs, and whether it succeeded.
pub(crate) struct Watched {
    /// Every line, in the order of each stream; the two streams are not interleaved.
    pub(crate) text: String,
    /// Whether the program answered 0.
    pub(crate) succeeded: bool,
}

/// Runs to the end, shows each line as it comes, and keeps them.
///
/// # Errors
/// When the program cannot be started or watched; a program that fails is *not* an error here.
pub(crate) fn watch(command: &mut Command) -> Outcome<Watched> {
    let line = line_of(command);
    let failed = |error: std::io::Error| Failure::new(format!("cannot run `{line}`: {error}"));
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(failed)?;
    let (output, errors) = (child.stdout.take(), child.stderr.take());
    let text = std::thread::scope(|scope| {
        let errors = scope.spawn(move || errors.map(echo).unwrap_or_default());
        let mut text = output.map(echo).unwrap_or_default();
        text.push_str(&errors.join().unwrap_or_default());
        text
    });
    let status = child.wait().map_err(failed)?;
    Ok(Watched { text, succeeded: status.success() })
}

/// Shows each line of `stream` and answers all of them.
fn echo(stream: impl Read) -> String {
    let mut text = String::new();
    let mut stream = BufReader::new(stream);
    let mut line = Vec::new();
    while stream.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
        let shown = String::from_utf8_lossy(&line);
        let shown = shown.trim_end_matches(['\r', '\n']);
        say(shown);
        text.push_str(shown);
        text.push('\n');
        line.clear();
    }
    text
}

/// Does `work` and answers how long it took beside its outcome.
#[expect(
    clippy::disallowed_methods,
    reason = "a build tool measures its own steps; no decision depends on it"
)]
pub(crate) fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let outcome = work();
    (outcome, start.elapsed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_program_is_named_with_its_arguments() {
        let failure = run(program("false").arg("--why")).unwrap_err().to_string();
        assert!(failure.starts_with("`false --why`: "), "{failure}");
    }

    #[test]
    fn watch_keeps_both_outputs_and_the_verdict() {
        let watched = watch(program("sh").args(["-c", "echo out; echo err >&2; exit 3"])).unwrap();
        assert_eq!((watched.text.as_str(), watched.succeeded), ("out\nerr\n", false));
    }

    #[test]
    fn the_root_has_the_workspace_file() {
        assert!(root().join("Cargo.toml").is_file());
    }
}
