//! What is said to a directory and understood of its answers: escaping and templates, names, groups and roles, verdicts.
//!
//! Called by `settings`, `net` and `realm`. Must never open a connection: everything here is a function of its arguments.

pub(crate) mod distinguished_name;
pub(crate) mod escape;
pub(crate) mod filter;
pub(crate) mod mapping;
pub(crate) mod policy;
pub(crate) mod template;
pub(crate) mod verdicts;
