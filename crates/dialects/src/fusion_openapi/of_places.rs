//! Realms and apps, described.

use auth::Reason;
use gateway::Refusal;
use serde_json::json;

use super::super::apps::{App, SentApp};
use super::super::endpoint::Operation;
use super::super::realms::{Realm, RealmTest, SentRealm, Tested};
use super::description::Description;
use super::forms;
use super::of_directory::KEPT;
use super::schemas::Schemas;

pub(super) fn describe(operation: Operation, schemas: &mut Schemas) -> Option<Description> {
    realm(operation, schemas).or_else(|| app(operation, schemas))
}

fn realm(operation: Operation, schemas: &mut Schemas) -> Option<Description> {
    Some(match operation {
        Operation::ListRealms => {
            Description::new("Realms", "With those of the settings file, which are `readOnly`.")
                .query("name", "Of this name", forms::text())
                .query("realmType", "Of this type", forms::text())
                .page_of(
                    "Realms in the order of their ids",
                    &schemas.shown::<Realm<'static>>(),
                    forms::id_value(),
                )
        }
        Operation::CreateRealm => Description::new("Make a realm", "Its id is computed of its name.")
            .body(&schemas.sent::<SentRealm>(), &json!({ "name": "partners", "realmType": "native" }))
            .answer(201, "The realm", Some(schemas.shown::<Realm<'static>>()))
            .with(&["ETag"])
            .changes(),
        Operation::ReadRealm => Description::new("One realm", "Never the secrets of its config.")
            .shows("The realm", schemas.shown::<Realm<'static>>()),
        Operation::ChangeRealm => Description::new("Change a realm", KEPT)
            .body(&schemas.sent::<SentRealm>(), &json!({ "enabled": false }))
            .answer(200, "The realm as it is now", Some(schemas.shown::<Realm<'static>>()))
            .with(&["ETag"])
            .versioned()
            .changes(),
        Operation::DeleteRealm => {
            Description::new("Delete a realm", "One with users only together with them.")
                .query("deleteUsers", "`true`: with its users, their sessions and keys", forms::yes_or_no())
                .answer(204, "It is gone", None)
                .versioned()
                .changes()
        }
        Operation::TestRealm => Description::new(
            "Try a realm",
            "Plays a login through, step by step, also where the realm is switched off. Nobody comes in by it. A wrong password \
             counts as it does at a login. 409 where the realm's type asks no server.",
        )
        .body(&schemas.sent::<RealmTest>(), &json!({ "username": "alice", "password": "a good long password" }))
        .answer(200, "The steps, as far as it went", Some(schemas.shown::<Tested<'static>>()))
        .refusing([Refusal::NotFound, Refusal::Conflict(""), Reason::StoreFailed.into()]),
        _ => return None,
    })
}

fn app(operation: Operation, schemas: &mut Schemas) -> Option<Description> {
    Some(match operation {
        Operation::ListApps => Description::new("Apps", "")
            .query("name", "Of this name", forms::text())
            .page_of("Apps in the order of their ids", &schemas.shown::<App<'static>>(), forms::name_value()),
        Operation::CreateApp => {
            Description::new("Make an app", "An id that is left out is made of the name.")
                .body(
                    &schemas.sent::<SentApp>(),
                    &json!({ "id": "demo", "name": "The demo", "properties": { "colour": "blue" } }),
                )
                .answer(201, "The app", Some(schemas.shown::<App<'static>>()))
                .with(&["ETag"])
                .changes()
        }
        Operation::ReadApp => {
            Description::new("One app", "").shows("The app", schemas.shown::<App<'static>>())
        }
        Operation::ChangeApp => Description::new("Change an app", KEPT)
            .body(&schemas.sent::<SentApp>(), &json!({ "description": "for visitors" }))
            .answer(200, "The app as it is now", Some(schemas.shown::<App<'static>>()))
            .with(&["ETag"])
            .versioned()
            .changes(),
        Operation::DeleteApp => Description::new("Delete an app", "Its sessions live on.")
            .answer(204, "It is gone", None)
            .versioned()
            .changes(),
        _ => return None,
    })
}
