//! The audit log, for those who ask afterwards who did what. It is written by `auth::Ledger`, never from here.

pub mod list;
