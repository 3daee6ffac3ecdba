//! `cargo xtask openapi`: writes `docs/openapi.json` anew, from the code.
//!
//! Called by `main.rs`. A test in `dialects` holds the file against the code; nobody edits it by hand.

use crate::report::{Failure, Outcome, say};
use crate::run;

/// Where the document is committed.
const DOCUMENT: &str = "docs/openapi.json";

/// Asks the binary for its document and writes it down.
///
/// # Errors
/// When the binary does not build or the file cannot be written.
pub(crate) fn command(arguments: &[String]) -> Outcome {
    if !arguments.is_empty() {
        return Err(Failure::new("usage: cargo xtask openapi"));
    }
    let text = run::capture(&mut run::cargo(&["run", "--quiet", "--package", "doorward", "--", "openapi"]))?;
    std::fs::write(run::root().join(DOCUMENT), text)
        .map_err(|error| Failure::new(format!("cannot write {DOCUMENT}: {error}")))?;
    say(format!("openapi: wrote {DOCUMENT}"));
    Ok(())
}
