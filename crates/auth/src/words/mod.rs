//! The words that rooms share. Nothing in here decides anything.

pub(crate) mod audit;
pub(crate) mod clock;
pub(crate) mod credential;
pub(crate) mod ids;
pub(crate) mod key_ring;
pub(crate) mod names;
pub(crate) mod records;
pub(crate) mod session;
pub(crate) mod token;
