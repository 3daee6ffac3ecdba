//! Room `store-embedded`: sessions, the directory, login counters and the audit log in one SQLite file.
//!
//! Purpose: bytes that survive: group commit (many logins share one fsync), a checksum on every record, backup and restore
//!   beside a running server.
//! Callers: doorward
//! May use: auth
//! Must never: know HTTP, realms or passwords in clear; judge what it keeps; answer `Ok` for what is not on disk.
//! Read first: `store.rs`, then `writer.rs`.
//!
//! ```text
//!  append                 ───> inbox ──┐            BEGIN
//!  insert, end, apply …   ─┐           │            … the audit log's lines that waited …      ──> sink
//!  touch (in pieces,      ─┼─> queue ─> writer ──>  … everything else that waited …           ──> answers
//!   after the others)     ─┘                        COMMIT = one fsync
//!  find, load, read       ───> reader connections, beside the writer (WAL)
//! ```

mod adopt;
mod audit;
mod backup;
mod carry;
mod change;
mod ends;
mod engine;
mod folder;
mod group;
mod limits;
mod reader;
mod request;
mod rows;
mod scan;
mod seal;
mod statements;
mod store;
mod tally;
#[cfg(test)]
mod tests;
mod write_back;
mod writer;

pub use audit::inbox::AuditSink;
pub use audit::verify::{AuditFault, AuditReport};
pub use backup::{backup, check, restore};
pub use request::{Progress, REQUEST_HOLDS, RestoreRequest, TakenRequest};
pub use store::EmbeddedStore;
