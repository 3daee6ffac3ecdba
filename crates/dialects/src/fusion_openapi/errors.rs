//! Refusals as OpenAPI responses: status and code are taken from the table that answers with them.
//!
//! Called by `mod.rs`. It must never know a status or a code that `fusion/refusals.rs` does not say.

use std::collections::BTreeMap;

use gateway::Refusal;
use serde_json::{Map, Value, json};

use super::super::refusals::{Conflict, Explained, Weak, status_and_code};
use super::schemas::Schemas;

/// What is told of one status: which codes, and in which forms.
#[derive(Default)]
struct Told {
    codes: Vec<&'static str>,
    is_bare: bool,
    forms: Vec<(&'static str, Value)>,
}

/// The responses of these refusals by status, each a reference to one of `responses`, which is filled.
pub(super) fn responses(
    refusals: &[Refusal],
    schemas: &mut Schemas,
    responses: &mut Map<String, Value>,
) -> BTreeMap<u16, Value> {
    let mut by_status: BTreeMap<u16, Told> = BTreeMap::new();
    for refusal in refusals {
        let (status, code) = status_and_code(refusal);
        let told = by_status.entry(status).or_default();
        let form = match refusal {
            Refusal::Invalid { .. } => Some(("Field", schemas.shown::<Explained<'static>>())),
            Refusal::WeakPassword { .. } => Some(("Password", schemas.shown::<Weak<'static>>())),
            Refusal::Conflict(_) => Some(("", schemas.shown::<Conflict<'static>>())),
            _ => None,
        };
        match form {
            Some(form) if !told.forms.iter().any(|(name, _)| *name == form.0) => told.forms.push(form),
            Some(_) => {}
            None => {
                told.is_bare = true;
                if !told.codes.contains(&code) {
                    told.codes.push(code);
                }
            }
        }
    }
    by_status
        .into_iter()
        .map(|(status, mut told)| {
            told.codes.sort_unstable();
            told.forms.sort_by_key(|(name, _)| *name);
            let name = name(status, &told);
            let response = response(status, &told);
            let known = responses.entry(name.clone()).or_insert_with(|| response.clone());
            assert_eq!(*known, response, "two responses are called {name}");
            (status, json!({ "$ref": format!("#/components/responses/{name}") }))
        })
        .collect()
}

/// Its name: the status in words, then what sets it apart from others of the same status.
fn name(status: u16, told: &Told) -> String {
    let mut name = words(status).0.to_owned();
    // One code says itself where it is not the status's usual one; the many that credentials can earn are the usual ones.
    let usual = super::usual_codes(status);
    let differs = told.is_bare && usual.is_none_or(|usual| usual != told.codes);
    if differs {
        name.extend(told.codes.iter().map(|code| camel(code)));
    }
    name.extend(told.forms.iter().map(|(form, _)| *form));
    name
}

fn response(status: u16, told: &Told) -> Value {
    let mut forms: Vec<Value> = told.forms.iter().map(|(_, schema)| schema.clone()).collect();
    if told.is_bare {
        forms.insert(
            0,
            json!({
                "type": "object",
                "required": ["code"],
                "properties": { "code": { "type": "string", "enum": told.codes } },
                "additionalProperties": false,
            }),
        );
    }
    let schema = if forms.len() == 1 { forms.remove(0) } else { json!({ "anyOf": forms }) };
    let mut response = json!({
        "description": words(status).1,
        "content": { "application/json": { "schema": schema } },
    });
    let header = match status {
        401 => Some("WWW-Authenticate"),
        429 | 503 => Some("Retry-After"),
        _ => None,
    };
    if let Some(header) = header {
        response["headers"] = json!({ header: super::header(header) });
    }
    response
}

/// The status as a name and as a sentence.
fn words(status: u16) -> (&'static str, &'static str) {
    match status {
        400 => ("BadRequest", "The request is not of the form that is asked for"),
        401 => ("Unauthorized", "Nobody is known by these credentials: log in (again)"),
        403 => ("Forbidden", "Known, and not allowed"),
        404 => ("NotFound", "There is no such thing"),
        408 => ("RequestTimeout", "The request did not arrive in time"),
        409 => ("Conflict", "What is there does not allow it"),
        412 => ("PreconditionFailed", "What is there is not the version that the client asks to change"),
        413 => ("ContentTooLarge", "The body is too long"),
        414 => ("UriTooLong", "The request's target is too long"),
        415 => (
            "UnsupportedMediaType",
            "The body is not of the media type that is asked for, or is not called so",
        ),
        429 => ("TooManyAttempts", "Too many failed logins, of this user or from this address"),
        431 => ("HeaderTooLarge", "The request's head is too large"),
        503 => ("Unavailable", "Somebody who is needed cannot be asked now"),
        _ => ("Other", "Refused"),
    }
}

/// `session-limit` as `SessionLimit`.
pub(super) fn camel(text: &str) -> String {
    let capital = |word: &str| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect::<String>()
    };
    text.split(['-', '_', '.']).map(capital).collect()
}
