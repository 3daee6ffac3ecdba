//! Sessions, one's own and everybody's, described.

use auth::{AuthMethod, Reason};
use gateway::Refusal;
use serde_json::{Value, json};

use super::super::endpoint::Operation;
use super::super::json::{Described, Session};
use super::super::mine::Proof;
use super::super::session::Login;
use super::super::sessions::Ended;
use super::description::Description;
use super::forms;
use super::schemas::Schemas;

/// What one's own sessions end by: something that a thief of a cookie does not have.
const PROOF: &str =
    "Needs a session younger than five minutes, Basic on this request, or the present password in the body.";

pub(super) fn describe(operation: Operation, path: &str, schemas: &mut Schemas) -> Option<Description> {
    own(operation, path, schemas).or_else(|| everybodys(operation, schemas))
}

fn own(operation: Operation, path: &str, schemas: &mut Schemas) -> Option<Description> {
    Some(match operation {
        Operation::CreateSession => log_in(path, schemas),
        Operation::DescribeSession => {
            Description::new("Who am I", "The user of the credentials, with the roles that count.")
                .query(
                    "peek",
                    "`true`: tell of the session too; this request is no activity then",
                    forms::switch(),
                )
                .answer(200, "The user and his roles", Some(schemas.shown::<Described<'static>>()))
        }
        Operation::EndSession => Description::new(
            "Log out",
            "Ends the session of the cookie, if there is one. It is dead before the answer leaves.",
        )
        .answer(204, "No session is live, and the cookie is taken away", None)
        .with(&["Set-Cookie", "Clear-Site-Data"])
        .refusing([Reason::CrossSite.into(), Reason::StoreFailed.into()]),
        Operation::ListMine => Description::new("One's own live sessions", "").page_of(
            "Sessions in the order of their ids",
            &schemas.shown::<Session<'static>>(),
            forms::id_value(),
        ),
        Operation::EndMine => proven(Description::new("End a session of one's own", PROOF), schemas)
            .answer(204, "It has ended; where it is the one that asks, the cookie is taken away", None)
            .with(&["Set-Cookie-Taken", "Clear-Site-Data-Taken"])
            .refusing([Refusal::NotFound]),
        Operation::EndOthers => {
            proven(Description::new("End all sessions of one's own but the one that asks", PROOF), schemas)
                .answer(200, "How many ended", Some(schemas.shown::<Ended>()))
        }
        _ => return None,
    })
}

fn everybodys(operation: Operation, schemas: &mut Schemas) -> Option<Description> {
    Some(match operation {
        Operation::ListSessions => filtered(Description::new("Live sessions", "Or those that ended within a day."))
            .query("state", "Which ones", json!({ "type": "string", "enum": ["live", "ended"], "default": "live" }))
            .page_of("Sessions in the order of their ids", &schemas.shown::<Session<'static>>(), forms::id_value())
            .refusing([forms::invalid_field()]),
        Operation::ReadSession => Description::new("One session", "Never its token.")
            .answer(200, "The session", Some(schemas.shown::<Session<'static>>()))
            .refusing([Refusal::NotFound]),
        Operation::RevokeSession => Description::new("End a session", "The very next request of it is a 401.")
            .answer(204, "It has ended", None)
            .refusing([Refusal::NotFound, Reason::StoreFailed.into()]),
        Operation::RevokeSessions => filtered(Description::new(
            "End sessions",
            "Those that every filter names. Without a filter it takes `all=true`; a parameter that is none of these is refused.",
        ))
        .query("all", "Every session", forms::yes_or_no())
        .answer(200, "How many ended", Some(schemas.shown::<Ended>()))
        .refusing([forms::invalid_field(), Reason::StoreFailed.into()]),
        Operation::RevokeUser => Description::new("End all sessions of a user", "The very next request of each is a 401.")
            .answer(204, "They have ended", None)
            .refusing([Refusal::NotFound, Reason::StoreFailed.into()]),
        _ => return None,
    })
}

fn log_in(path: &str, schemas: &mut Schemas) -> Description {
    let text = "Judged by its body alone: a live session that comes along is ended. Further keys of the body are ignored.";
    let (summary, is_app) = match path.split('/').next() {
        Some("apps") => ("Log in at an app", true),
        _ => ("Log in", false),
    };
    let realm: Value = json!({ "type": "string", "default": "native", "examples": ["native"] });
    let described = Description::new(summary, text)
        .query("realmName", "The realm of the user", realm)
        .body(&schemas.sent::<Login>(), &json!({ "username": "alice", "password": "a good long password" }))
        .answer(201, "A session, in the cookie", None)
        .with(&["Set-Cookie"])
        .refusing(
            [
                Reason::UnknownRealm,
                Reason::WrongPassword,
                Reason::TooManyAttempts { retry_after: std::time::Duration::from_secs(1) },
                Reason::TooManySessions,
                Reason::CrossSite,
                Reason::RealmUnavailable("".into()),
                Reason::StoreFailed,
            ]
            .map(Refusal::from),
        );
    if is_app { described.refusing([Reason::UnknownApp.into()]) } else { described }
}

/// The filters that choose sessions.
fn filtered(description: Description) -> Description {
    let methods = [AuthMethod::Password, AuthMethod::Basic, AuthMethod::ApiKey].map(AuthMethod::as_str);
    description
        .query("user", "Of the user with this id", forms::id_value())
        .query(
            "username",
            "Of the user of this name, in the `realm` that has to be named with it",
            forms::text(),
        )
        .query("realm", "Of the users of this realm", forms::text())
        .query("app", "That were made at this app", forms::text())
        .query("mount", "That were made at this mount", forms::text())
        .query("address", "From this address", forms::address())
        .query("method", "That began in this way", json!({ "type": "string", "enum": methods }))
        .query("createdBefore", "That began earlier than this", forms::sent_moment())
        .query("createdAfter", "That began at this moment or later", forms::sent_moment())
        .query(
            "idleLongerThan",
            "Not seen for longer than this: seconds, or a number and a unit",
            json!({ "type": "string", "pattern": "^[0-9]+[smhd]?$", "examples": ["30m"] }),
        )
}

/// It takes a proof, in the body or without one.
fn proven(description: Description, schemas: &mut Schemas) -> Description {
    let mut description = description
        .body(&schemas.sent::<Proof>(), &json!({ "currentPassword": "a good long password" }))
        .refusing([
            Reason::NotRecent.into(),
            Reason::Forbidden.into(),
            Reason::WrongPassword.into(),
            Reason::StoreFailed.into(),
        ]);
    if let Some(body) = &mut description.body {
        body["required"] = json!(false);
    }
    description
}
