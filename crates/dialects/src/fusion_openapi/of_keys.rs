//! API keys, described.

use auth::Reason;
use serde_json::json;

use super::super::endpoint::Operation;
use super::super::keys::{Key, Made, NewKey};
use super::description::Description;
use super::forms;
use super::schemas::Schemas;

pub(super) fn describe(operation: Operation, schemas: &mut Schemas) -> Option<Description> {
    Some(match operation {
        Operation::ListKeys => Description::new("API keys", "Never their texts.")
            .query("name", "Of this name", forms::text())
            .query("user", "Of the user with this id", forms::id_value())
            .query("username", "Of users of this name", forms::text())
            .query("realm", "Of the users of this realm", forms::text())
            .page_of("Keys in the order of their ids", &schemas.shown::<Key<'static>>(), forms::id_value()),
        Operation::CreateKey => Description::new(
            "Make an API key",
            "For oneself, or for a user whom one may change. Its text is in this answer and in no other. Needs a session younger \
             than five minutes, Basic on this request, or the caller's present password in the body.",
        )
        .body(
            &schemas.sent::<NewKey>(),
            &json!({ "name": "nightly report", "permissions": ["GET:/reports/**"] }),
        )
        .answer(201, "The key, with its text", Some(schemas.shown::<Made<'static>>()))
        .with(&["ETag"])
        .changes()
        .refusing([Reason::Forbidden.into(), Reason::NotRecent.into()]),
        Operation::ReadKey => Description::new("One API key", "Never its text.")
            .shows("The key", schemas.shown::<Key<'static>>()),
        Operation::DeleteKey => {
            Description::new("Take an API key back", "The very next request with it is a 401.")
                .answer(204, "It is gone", None)
                .versioned()
                .changes()
        }
        _ => return None,
    })
}
