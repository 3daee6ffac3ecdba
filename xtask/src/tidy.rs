//! `cargo xtask tidy`: the manners that a compiler does not check.
//!
//! Called by `main.rs` and `ci.rs`. It must never change a file: it prints `file:line: what` for each offence.

mod sizes;
mod source;
mod way;
mod words;

use crate::report::{Failure, Outcome, judge, say};
use crate::tree::{self, TextFile};

/// Checks every text file of the tree.
///
/// # Errors
/// On an offence, and when the tree cannot be read.
pub(crate) fn command(arguments: &[String]) -> Outcome {
    if !arguments.is_empty() {
        return Err(Failure::new("usage: cargo xtask tidy"));
    }
    let files = tree::text_files()?;
    let mut offences = way::offences(&files);
    let mut long = Vec::new();
    for file in &files {
        let lines = if file.is_rust() { source::lines(&file.path, &file.text) } else { Vec::new() };
        offences.extend(words::offences(file, &lines));
        long.extend(sizes::too_long(&file.path, &lines));
    }
    offences.extend(sizes::Ratchet::read(ratchet(&files)).judge(&long));
    judge("tidy", offences)?;
    say(format!("tidy: {} text files, none offends", files.len()));
    Ok(())
}

/// The ratchet's text; a tree without the file has no offenders.
fn ratchet(files: &[TextFile]) -> &str {
    files.iter().find(|file| file.path == sizes::RATCHET).map_or("", |file| &file.text)
}
