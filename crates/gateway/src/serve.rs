//! The listeners: worker threads that accept connections and walk their requests. Called by the binary. Must not read
//! a request: that is the way's.

mod connection;
mod listener;
mod worker;

pub use listener::{Endpoint, bind_error};
pub use worker::{Served, serve};
