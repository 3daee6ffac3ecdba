//! Operations on apps. Called by dialects. Must never judge an app's properties: they are kept and given back.

pub mod change;
pub mod create;
pub mod delete;
pub mod read;
#[cfg(test)]
mod tests;

use auth::App;
use auth::limits::{MAX_CONFIG_BYTES, MAX_NAME_BYTES};

use crate::error::Error;

/// Apps at the most.
pub const MAX_APPS: usize = 1_000;

/// Longest description of an app, in bytes.
pub const MAX_DESCRIPTION: usize = 1_024;

/// Whether an app may be so.
fn check(app: &App) -> Result<(), Error> {
    if app.name.is_empty() {
        return Err(Error::invalid("name", "is empty"));
    }
    if app.name.len() > MAX_NAME_BYTES {
        return Err(Error::invalid("name", format!("is longer than {MAX_NAME_BYTES} bytes")));
    }
    if let Some(c) = app.name.chars().find(|c| c.is_control()) {
        return Err(Error::invalid("name", format!("holds a character that is not allowed: {c:?}")));
    }
    if app.description.len() > MAX_DESCRIPTION {
        return Err(Error::invalid("description", format!("longer than {MAX_DESCRIPTION} bytes")));
    }
    if app.properties.len() > MAX_CONFIG_BYTES {
        return Err(Error::invalid("properties", format!("longer than {MAX_CONFIG_BYTES} bytes")));
    }
    Ok(())
}
