//! Room `testkit`: what the tests of every other room stand on.
//!
//! Purpose: the real things an end-to-end test needs (the built binary as a process, a recording backend, a raw
//! socket, nginx), and the suites that every realm and store must pass.
//! Callers: `[dev-dependencies]` of the other rooms, and nothing that ships.
//! May use: auth
//! Must never: be linked into the binary; judge a request in the gateway's place; skip a test because a program
//! is missing (it panics and says what to install).
//! Read first: `backend.rs`, then `process.rs`.
//!
//! Everything here blocks on plain `std` sockets and threads, so that a test reads from top to bottom. Every wait
//! ends by itself after [`PATIENCE`] and panics with what was seen until then.

pub mod backend;
pub mod checker;
pub mod ldap;
pub mod nginx;
pub mod patience;
pub mod ports;
pub mod process;
pub mod raw;
pub mod reply;
pub mod suites;
mod wire;

pub use backend::Recorder;
pub use nginx::Nginx;
pub use patience::{Gate, PATIENCE};
pub use process::Doorward;
pub use raw::{Answer, Raw};
pub use reply::Reply;
