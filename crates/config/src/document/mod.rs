//! A settings file as a tree of located values, and the reader that takes typed values out of it. `settings.rs` and
//! `sections/` call this. It must never know a setting by name.

mod json;
pub(crate) mod reader;
pub(crate) mod tree;
