//! The command line (contract/config.md, Commands). One command, one file.

mod app;
mod audit;
mod audit_verify;
mod backup;
mod check;
mod demo;
mod explain;
mod import;
mod key;
mod openapi;
mod realm;
mod rehearse;
mod role;
mod serve;
mod session;
mod user;

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use config::{Mistakes, Settings};
use serde_json::{Map, Value, json};

pub(crate) use serve::Running;

/// A session gateway for HTTP APIs.
///
/// Exit codes: 0 done, 1 failed, 2 the command line is wrong, 3 there is no such thing, 4 not allowed.
#[derive(Parser)]
#[command(name = "doorward", version, max_term_width = 100)]
pub(crate) struct Line {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// The whole product on a fresh machine: a sample backend, a password, three curl lines to try
    Demo(demo::Arguments),
    /// The gateway
    Serve(serve::Arguments),
    /// Read the settings, compile the rules, try the certificates; say every mistake
    Check(check::Arguments),
    /// Turn fusion.properties, values.yaml or htpasswd into settings or users of this project
    Import(import::Arguments),
    /// Which rule decides whether a user may do something, and why
    Explain(explain::Arguments),
    /// Users, over the HTTP API
    User(user::Arguments),
    /// Roles, over the HTTP API
    Role(role::Arguments),
    /// Realms, over the HTTP API
    Realm(realm::Arguments),
    /// Apps, over the HTTP API
    App(app::Arguments),
    /// API keys, over the HTTP API
    Key(key::Arguments),
    /// Live sessions, over the HTTP API
    Session(session::Arguments),
    /// Who did what, and whether the log of it is as it was written
    Audit(audit::Arguments),
    /// The OpenAPI 3.1 document of the endpoints that the gateway answers itself
    Openapi(openapi::Arguments),
    /// A consistent copy of the embedded store, while it serves
    Backup(backup::BackupArguments),
    /// Put a copy of the embedded store in place, while it serves or not
    Restore(backup::RestoreArguments),
}

impl Line {
    /// Does what the line says.
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self.command {
            Command::Demo(arguments) => demo::run(&arguments),
            Command::Serve(arguments) => serve::run(&arguments),
            Command::Check(arguments) => check::run(&arguments),
            Command::Import(arguments) => import::run(&arguments),
            Command::Explain(arguments) => explain::run(&arguments),
            Command::User(arguments) => user::run(arguments),
            Command::Role(arguments) => role::run(arguments),
            Command::Realm(arguments) => realm::run(arguments),
            Command::App(arguments) => app::run(arguments),
            Command::Key(arguments) => key::run(arguments),
            Command::Audit(arguments) => audit::run(arguments),
            Command::Session(arguments) => session::run(arguments),
            Command::Openapi(arguments) => openapi::run(&arguments),
            Command::Backup(arguments) => backup::backup(&arguments),
            Command::Restore(arguments) => backup::restore(&arguments),
        }
    }
}

/// Why a command did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The settings are wrong; each mistake with its place.
    #[error("{0}")]
    Settings(#[from] Mistakes),
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// The server did not let us.
    #[error("{0}")]
    Refused(String),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

impl Failure {
    /// Anything that went wrong.
    pub(crate) fn because(why: impl ToString) -> Self {
        Self::Other(why.to_string())
    }

    /// The process's exit code.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Settings(_) | Self::Other(_) => 1,
            Self::NotFound(_) => 3,
            Self::Refused(_) => 4,
        }
    }
}

/// Says on stderr why a command failed.
#[expect(clippy::print_stderr, reason = "a command line answers the person at it")]
pub(crate) fn complain(failure: &Failure) {
    match failure {
        // Each mistake stands on a line of its own and begins with its file.
        Failure::Settings(mistakes) => eprintln!("{mistakes}"),
        other => eprintln!("doorward: {other}"),
    }
}

/// Says something on stdout. A reader who has gone is no failure.
pub(crate) fn say(line: &str) {
    use std::io::Write as _;

    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}");
    let _ = out.flush();
}

/// Says something on stderr that is no failure.
#[expect(clippy::print_stderr, reason = "a command line answers the person at it")]
pub(crate) fn note(line: &str) {
    eprintln!("{line}");
}

/// The JSON object that an option gives: as it is, or in a file (`@FILE`, `@-` for stdin), where other users of the machine do
/// not see it.
pub(crate) fn object(option: &str, given: &str) -> Result<Value, Failure> {
    let wrong = |why: &dyn std::fmt::Display| Failure::because(format!("{option}: {why}"));
    let text = match given.strip_prefix('@') {
        None => given.to_owned(),
        Some("-") => std::io::read_to_string(std::io::stdin()).map_err(|error| wrong(&error))?,
        Some(file) => std::fs::read_to_string(file).map_err(|error| wrong(&error))?,
    };
    match serde_json::from_str(&text) {
        Ok(object @ Value::Object(_)) => Ok(object),
        Ok(_) => Err(wrong(&"is no JSON object")),
        Err(error) => Err(wrong(&error)),
    }
}

/// What is to be changed, as the server is told: what is not given stays.
pub(crate) fn changes(
    given: impl IntoIterator<Item = (&'static str, Option<Value>)>,
) -> Result<Value, Failure> {
    let given = given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    let body: Map<String, Value> = given.collect();
    if body.is_empty() {
        return Err(Failure::because("nothing to change was given"));
    }
    Ok(Value::Object(body))
}

/// The whole of a list that one option gives and another takes away.
pub(crate) fn whole(list: Option<Vec<String>>, none: bool) -> Option<Value> {
    (list.is_some() || none).then(|| json!(list.unwrap_or_default()))
}

/// A switch that one option turns on and another off.
pub(crate) fn switched(on: bool, off: bool) -> Option<Value> {
    (on || off).then(|| json!(on))
}

/// A folder that holds the store, for commands beside a server.
#[derive(clap::Args)]
pub(crate) struct StoreFolder {
    /// The settings file that names the store's folder; without it, doorward.toml where there is one
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The store's folder
    #[arg(long, value_name = "DIR", conflicts_with = "config")]
    data: Option<PathBuf>,
}

impl StoreFolder {
    /// The folder.
    pub(crate) fn path(&self) -> Result<PathBuf, Failure> {
        if let Some(data) = &self.data {
            return Ok(data.clone());
        }
        // As `serve` does: doorward.toml where there is one.
        let file = serve::usual_file(self.config.as_deref());
        if self.config.is_some() || file.exists() {
            return Ok(Settings::load(&file)?.data);
        }
        Ok(PathBuf::from(config::DEFAULT_DATA))
    }
}

/// A runtime for a command that waits for something.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("office")
        .enable_all()
        .build()
        .map_err(Failure::because)
}
