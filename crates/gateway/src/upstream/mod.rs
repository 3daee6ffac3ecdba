//! The way to the backends: lean HTTP/1.1 connections that the client connection's own task drives.
//!
//! Used by the way's forward step: [`exchange`] sends a request and gives the answer's head, [`relay`] sends
//! the answer on. Start reading at `exchange.rs`. Must never spawn a task, cross a thread, hold a whole body,
//! or decide whether a request may be sent.

mod address;
mod connection;
mod download;
mod exchange;
mod fault;
mod pool;
mod relay;
mod upload;

pub(crate) use address::{Address, Upstream};
pub(crate) use exchange::{Answered, Forward, exchange};
pub(crate) use fault::UpstreamFault;
pub(crate) use pool::Pool;
pub(crate) use relay::{Outcome, relay};

#[cfg(test)]
mod exchange_tests;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod relay_tests;
