//! The audit log and the explanation of permissions, described.

use auth::Reason;
use gateway::Refusal;
use serde_json::json;

use super::super::audit::Line;
use super::super::endpoint::Operation;
use super::super::explain::{Question, Told};
use super::description::Description;
use super::forms;
use super::schemas::Schemas;

pub(super) fn describe(operation: Operation, schemas: &mut Schemas) -> Option<Description> {
    Some(match operation {
        Operation::ListAudit => {
            Description::new("The audit log", "The newest line first, unless `order` says otherwise.")
                .query("event", "Of this event: `login`, `session_ended` …", forms::text())
                .query("user", "About the user with this id", forms::id_value())
                .query("by", "Done by the user with this id", forms::id_value())
                .query("name", "About the user who was called so", forms::text())
                .query("realm", "Of this realm", forms::text())
                .query("address", "From this address", forms::address())
                .query("session", "Of the session with this id", forms::id_value())
                .query("operation", "Of this operation: `user.create` …", forms::text())
                .query("subject", "About the thing of the directory with this id", forms::text())
                .query("since", "At this moment or later", forms::sent_moment())
                .query("until", "Earlier than this moment", forms::sent_moment())
                .query(
                    "order",
                    "`asc`: the oldest first",
                    json!({ "type": "string", "enum": ["asc", "desc"], "default": "desc" }),
                )
                .page_of(
                    "Lines of the log",
                    &schemas.shown::<Line<'static>>(),
                    json!({ "type": "integer", "minimum": 0 }),
                )
                .refusing([forms::invalid_field(), Reason::StoreFailed.into()])
        }
        Operation::Explain => Description::new(
            "Why somebody may or may not",
            "Which entry decides a request, what would have to be granted, and which entries nearly fit.",
        )
        .body(
            &schemas.sent::<Question>(),
            &json!({ "username": "alice", "method": "GET", "path": "/collections/demo" }),
        )
        .answer(200, "The verdict and its reason", Some(schemas.shown::<Told<'static>>()))
        .refusing([Refusal::NotFound]),
        _ => return None,
    })
}
