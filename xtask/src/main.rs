//! Room `xtask`: the house's own tools, `cargo xtask …`.
//!
//! Purpose: what CI runs, in one place, so that a person's terminal and CI cannot disagree.
//! Callers: people; `.ci/run`.
//! May use: nothing. It reads the other rooms as text, so that it works while they do not compile.
//! Must never: ship, change a file that people write, or need more than cargo and git.
//! Read first: `ci.rs`.

mod ci;
mod deny;
mod fuzz;
mod licence;
mod needs;
mod openapi;
mod report;
mod rooms;
mod run;
mod test;
mod tidy;
mod tree;

use std::process::ExitCode;

use report::{Outcome, say};

/// A command's name, what it does in one line, and its work.
type Command = (&'static str, &'static str, fn(&[String]) -> Outcome);

const COMMANDS: &[Command] = &[
    ("ci", "everything below but `fuzz`, plus fmt, clippy and docs; what `.ci/run` runs", ci::command),
    ("test", "[NAME…]  install what the tests need, run them, count", test::command),
    ("rooms", "[--print]  the edges between rooms and the plates on their doors", rooms::command),
    ("tidy", "sizes, words, blanks, and the request's way", tidy::command),
    ("deny", "crates, licences and sources that deny.toml does not want", deny::command),
    ("openapi", "write docs/openapi.json anew, from the code", openapi::command),
    ("fuzz", "[TARGET] [SECONDS]  run the fuzz targets with coverage, 60 s each", fuzz::command),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((name, rest)) = arguments.split_first() else {
        help();
        return ExitCode::from(2);
    };
    if matches!(name.as_str(), "help" | "--help" | "-h") {
        help();
        return ExitCode::SUCCESS;
    }
    let Some((_, _, work)) = COMMANDS.iter().find(|(known, ..)| known == name) else {
        say(format!("xtask: no command `{name}`"));
        help();
        return ExitCode::from(2);
    };
    match work(rest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // On the error output, so that the last line of the standard output stays the tests' counts.
            let _ =
                std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("xtask {name}: {failure}\n"));
            ExitCode::FAILURE
        }
    }
}

fn help() {
    say("usage: cargo xtask COMMAND");
    for (name, what, _) in COMMANDS {
        say(format!("  {name:<7} {what}"));
    }
}
