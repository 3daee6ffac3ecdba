//! What one operation is, for those who call it: parameters, body, answers, and the ways in which it refuses.
//!
//! Made by the `of_*.rs` files beside this one, turned into OpenAPI by `mod.rs`. It must never say a status or a code of its
//! own: refusals are the ones of `gateway` and `auth`, and `fusion/refusals.rs` says how they are told.

use auth::Reason;
use gateway::Refusal;
use serde_json::{Value, json};

use super::forms;

/// An answer that is no refusal.
pub(super) struct Success {
    pub(super) status: u16,
    pub(super) what: &'static str,
    pub(super) schema: Option<Value>,
    /// Names in `components/headers`.
    pub(super) headers: Vec<&'static str>,
}

/// The description of one operation.
pub(super) struct Description {
    pub(super) summary: &'static str,
    pub(super) text: &'static str,
    pub(super) parameters: Vec<Value>,
    pub(super) body: Option<Value>,
    pub(super) successes: Vec<Success>,
    pub(super) refusals: Vec<Refusal>,
    /// The scheme of the credentials that the operation reads itself, whoever may come in.
    pub(super) shown_to_itself: Option<&'static str>,
}

impl Description {
    /// An operation and, in a sentence or more, what there is to know of it.
    pub(super) fn new(summary: &'static str, text: &'static str) -> Self {
        Self {
            summary,
            text,
            parameters: Vec::new(),
            body: None,
            successes: Vec::new(),
            refusals: Vec::new(),
            shown_to_itself: None,
        }
    }

    /// It reads this query parameter.
    pub(super) fn query(mut self, name: &'static str, what: &'static str, schema: Value) -> Self {
        self.parameters.push(json!({ "name": name, "in": "query", "description": what, "schema": schema }));
        // Whatever is wrong with it is told with its name.
        self.refusing([forms::invalid_field()])
    }

    /// It reads this field of the request's head.
    pub(super) fn field(mut self, name: &'static str, what: &'static str) -> Self {
        let schema = json!({ "type": "string" });
        self.parameters.push(json!({ "name": name, "in": "header", "description": what, "schema": schema }));
        self
    }

    /// It takes this JSON body.
    pub(super) fn body(mut self, schema: &Value, example: &Value) -> Self {
        let media = json!({ "schema": schema, "example": example });
        self.body = Some(json!({ "required": true, "content": { "application/json": media } }));
        self.refusing([Refusal::UnsupportedMediaType, forms::invalid_field()])
    }

    /// It takes this form; where it is not `required`, an empty body too.
    pub(super) fn form(mut self, schema: &Value, required: bool) -> Self {
        let media = json!({ "schema": schema });
        self.body =
            Some(json!({ "required": required, "content": { "application/x-www-form-urlencoded": media } }));
        self.refusing([Refusal::UnsupportedMediaType])
    }

    /// It reads the credentials of this scheme itself.
    pub(super) fn shown(mut self, scheme: &'static str) -> Self {
        self.shown_to_itself = Some(scheme);
        self
    }

    /// It can answer this.
    pub(super) fn answer(mut self, status: u16, what: &'static str, schema: Option<Value>) -> Self {
        self.successes.push(Success { status, what, schema, headers: Vec::new() });
        self
    }

    /// The answer that was added last carries these.
    pub(super) fn with(mut self, headers: &[&'static str]) -> Self {
        if let Some(last) = self.successes.last_mut() {
            last.headers.extend_from_slice(headers);
        }
        self
    }

    /// It can refuse in these ways.
    pub(super) fn refusing(mut self, refusals: impl IntoIterator<Item = Refusal>) -> Self {
        self.refusals.extend(refusals);
        self
    }

    /// It answers a page of a list of these, after the `after` of this form.
    pub(super) fn page_of(self, what: &'static str, entry: &Value, after: Value) -> Self {
        self.query("limit", "Entries of the page at the most", forms::page_length())
            .query("after", "The id of the last entry of the page before", after)
            .answer(200, what, Some(json!({ "type": "array", "items": entry })))
            .with(&["Link"])
    }

    /// It answers the thing itself, or 304 to who has it already.
    pub(super) fn shows(self, what: &'static str, schema: Value) -> Self {
        self.field(
            "If-None-Match",
            "The versions (`ETag`) that the client has; 304 where one of them is the present one",
        )
        .answer(200, what, Some(schema))
        .with(&["ETag"])
        .answer(304, "The client has the present version", None)
        .with(&["ETag"])
        .refusing([Refusal::NotFound])
    }

    /// It changes only what is as the client thinks.
    pub(super) fn versioned(self) -> Self {
        self.field("If-Match", "Only where the thing's version (`ETag`) is one of these, at most 16")
            .refusing([Refusal::PreconditionFailed, Refusal::NotFound])
    }

    /// It changes the directory, so it waits for the disk, and what is there may not allow it.
    pub(super) fn changes(self) -> Self {
        self.refusing([Refusal::Conflict(""), Reason::StoreFailed.into()])
    }
}
