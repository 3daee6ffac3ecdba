//! Tests of the permissions: reading and writing, matching, explaining, the built-in roles, and an independent oracle.

mod explain;
mod forms;
mod matching;
mod oracle;

use super::*;

/// A user id as the directory makes them.
const ME: &str = "9c858901-8a57-4791-81fe-4c455b099bc9";

fn permission(text: &str) -> Permission {
    match text.parse() {
        Ok(permission) => permission,
        Err(error) => panic!("{text}: {error}"),
    }
}

fn matcher(texts: &[&str]) -> Matcher {
    let permissions: Vec<Permission> = texts.iter().map(|text| permission(text)).collect();
    Matcher::compile(&permissions)
}

/// Whether one entry lets this caller, `ME`, GET the path.
fn covers(text: &str, path: &str) -> bool {
    matcher(&[text]).find(Method::Get, path, ME, Matrix::Strict, |_| true).is_some()
}
