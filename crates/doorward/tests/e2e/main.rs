//! The built binary from the outside: the contract's rows, the threats, the proxying, the durability, the command line.
//! One binary; one module for each subject; `common.rs` has what they share.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods, missing_docs)]

mod apps;
mod audit;
mod commands;
mod common;
mod directory;
mod durability;
mod explain;
mod first_start;
mod forward_auth;
mod forwarding;
mod framing;
mod hardening;
mod headers;
mod held;
mod identity_tokens;
mod keys;
mod ldap;
mod lifecycle;
mod logins;
mod openapi;
mod ovirt;
mod paths;
mod plain;
mod proxying;
mod realm_types;
mod realms;
mod requests;
mod revocation;
mod secrets;
mod sessions;
mod settings;
mod tokens;
