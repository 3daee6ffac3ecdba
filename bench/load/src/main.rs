//! `load`: what a request through the gateway costs, beside nginx, on this machine and in this run.
//!
//! Called by `bench/run.sh` and by hand (`cargo run --release -p load -- help`). Must never quote a number without
//! the run it came from: every table names machine, commit and command, and ratios are paired within a round.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a measuring program prints, and reads the real clock"
)]

mod administer;
mod arguments;
mod calls;
mod compare;
mod decide;
mod directory;
mod engine;
mod footprint;
mod histogram;
mod machine;
mod message;
mod others;
mod population;
mod proxies;
mod rate;
mod report;
mod report_storms;
mod statistics;
mod storm;

use std::process::ExitCode;

use arguments::Arguments;

/// Any failure of a measurement, in words.
pub(crate) type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

const HELP: &str = "\
load: measures the gateway beside nginx (see bench/README.md)

  load compare   CPU time per request, rounds in alternating order; writes a report
  load rate      latency at a fixed rate of requests
  load footprint idle memory of the gateway, size of the binary, time to the first good answer
  load administer   administration of a filled store, alone and beside traffic; needs --data, --tokens, --users
  load directory log-ins through a directory that is 50 ms away, beside traffic; needs slapd
  load decide    a decision of 1,000 permission rules, and compiling them
  load direct    the generator against its own backend: the ceiling of this machine

  --doorward PATH      the gateway's release binary   (target/release/doorward; left out where it is missing)
  --nginx PATH         (/usr/sbin/nginx)
  --rounds N           (8)      --seconds S    per slice (2)
  --connections N      (64)     --rate N       requests per second, at a fixed rate (10000)
  --logins N           log-ins per second beside them, for `directory` (1000)
  --sessions N         sessions to log in (300)
  --tokens FILE        instead: tokens that live in the store below, one per line …
  --data FOLDER        … a data folder that was filled before
  --users N            users in that store, for `administer` (100000)
  --only TEXT          of `administer`: the calls whose name has this text in it, such as DELETE
  --results FOLDER     where reports go (bench/results); `none` writes none
";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("load: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Outcome<()> {
    let mut words = std::env::args().skip(1);
    let command = words.next().unwrap_or_else(|| "help".to_owned());
    let arguments = Arguments::parse(words)?;
    match command.as_str() {
        "compare" => compare::run(&arguments),
        "rate" => rate::run(&arguments),
        "footprint" | "rss" => footprint::run(&arguments),
        "administer" => administer::run(&arguments),
        "directory" => directory::run(&arguments),
        "decide" => decide::run(&arguments),
        "direct" => compare::direct(&arguments),
        "help" | "--help" | "-h" => {
            print!("{HELP}");
            Ok(())
        }
        other => Err(format!("no command {other:?}; `load help` lists them").into()),
    }
}
