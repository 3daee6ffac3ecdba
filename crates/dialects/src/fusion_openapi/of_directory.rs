//! Users and roles, described.

use auth::Reason;
use serde_json::json;

use super::super::endpoint::Operation;
use super::super::json::{Role, User, UserWithStrength};
use super::super::roles::SentRole;
use super::super::users::{ChangedUser, NewUser};
use super::description::Description;
use super::forms;
use super::schemas::Schemas;

pub(super) const KEPT: &str = "What is left out stays as it is, with PUT as with PATCH.";

pub(super) fn describe(operation: Operation, schemas: &mut Schemas) -> Option<Description> {
    user(operation, schemas).or_else(|| role(operation, schemas))
}

fn user(operation: Operation, schemas: &mut Schemas) -> Option<Description> {
    Some(match operation {
        Operation::ListUsers => Description::new("Users", "")
            .query("username", "Of this name, in any spelling", forms::text())
            .query("realm", "Of this realm", forms::text())
            .page_of("Users in the order of their ids", &schemas.shown::<User<'static>>(), forms::id_value()),
        Operation::CreateUser => Description::new("Make a user", "His id is computed of realm and name.")
            .body(
                &schemas.sent::<NewUser>(),
                &json!({ "username": "alice", "password": "a good long password", "roleNames": ["readonly"] }),
            )
            .answer(201, "The user", Some(schemas.shown::<UserWithStrength<'static>>()))
            .with(&["ETag"])
            .changes()
            .refusing([forms::weak_password(), Reason::Forbidden.into()]),
        Operation::ReadUser => {
            Description::new("One user", "").shows("The user", schemas.shown::<User<'static>>())
        }
        Operation::ChangeUser => Description::new("Change a user", KEPT)
            .body(&schemas.sent::<ChangedUser>(), &json!({ "roleNames": ["readonly"], "enabled": true }))
            .answer(200, "The user as he is now", Some(schemas.shown::<UserWithStrength<'static>>()))
            .with(&["ETag"])
            .versioned()
            .changes()
            .refusing([forms::weak_password()]),
        Operation::DeleteUser => Description::new("Delete a user", "With his sessions and keys.")
            .answer(204, "He is gone", None)
            .versioned()
            .changes(),
        _ => return None,
    })
}

fn role(operation: Operation, schemas: &mut Schemas) -> Option<Description> {
    Some(match operation {
        Operation::ListRoles => Description::new("Roles", "")
            .query("name", "Of this name", forms::text())
            .page_of("Roles in the order of their ids", &schemas.shown::<Role<'static>>(), forms::id_value()),
        Operation::CreateRole => Description::new("Make a role", "Its id is computed of its name.")
            .body(
                &schemas.sent::<SentRole>(),
                &json!({ "name": "reports", "permissions": ["GET:/reports/**"] }),
            )
            .answer(201, "The role", Some(schemas.shown::<Role<'static>>()))
            .with(&["ETag"])
            .changes(),
        Operation::ReadRole => {
            Description::new("One role", "").shows("The role", schemas.shown::<Role<'static>>())
        }
        Operation::ChangeRole => Description::new("Change a role", KEPT)
            .body(&schemas.sent::<SentRole>(), &json!({ "permissions": ["GET,POST:/reports/**"] }))
            .answer(200, "The role as it is now", Some(schemas.shown::<Role<'static>>()))
            .with(&["ETag"])
            .versioned()
            .changes(),
        Operation::DeleteRole => {
            Description::new("Delete a role", "").answer(204, "It is gone", None).versioned().changes()
        }
        _ => return None,
    })
}
