//! The binary: the command line, the wiring, the signals.
//!
//! Purpose: turns settings into a running gateway, and the command line into calls of its API.
//! Callers: people and scripts.
//! May use: everything but `testkit`
//! Must never: look at a request.
//! Read first: `command/serve.rs`, then `wire.rs`.

mod audit_copy;
mod audit_line;
mod clock;
mod command;
mod core;
mod log;
mod realms;
mod remote;
mod sample;
mod tls;
mod upkeep;
mod wire;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let line = command::Line::parse();
    // One provider of cryptography for everything that speaks TLS. It can be set once; it is set here.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    match line.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            command::complain(&failure);
            ExitCode::from(failure.exit_code())
        }
    }
}
