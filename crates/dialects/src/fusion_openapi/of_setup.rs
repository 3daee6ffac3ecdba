//! Status and first start, described.

use serde_json::json;

use super::super::endpoint::Operation;
use super::super::setup::{FirstStart, Status};
use super::description::Description;
use super::forms;
use super::schemas::Schemas;
use auth::Reason;

pub(super) fn describe(operation: Operation, schemas: &mut Schemas) -> Option<Description> {
    Some(match operation {
        Operation::Status => Description::new(
            "What anybody may know",
            "Version, realms that one can log in at, and whether there was a first start.",
        )
        .answer(200, "The gateway is up", Some(schemas.shown::<Status>())),
        Operation::Initialise => Description::new(
            "First start: set the password of `admin`",
            "Once, from this machine or with the one-time token that the first start prints.",
        )
        .body(&schemas.sent::<FirstStart>(), &json!({ "password": "a good long password" }))
        .answer(201, "The password is set", None)
        .changes()
        .refusing([Reason::Forbidden.into(), forms::weak_password()]),
        _ => return None,
    })
}
