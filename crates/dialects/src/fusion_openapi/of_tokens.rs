//! What is at the root of the gateway, described: tokens, and the keys that they are signed with.

use api::{signing_keys, tokens};
use auth::Reason;
use gateway::Refusal;
use serde_json::{Value, json};

use super::super::tokens_endpoints::{Given, Key, Told, Untaken};
use super::description::Description;
use super::schemas::Schemas;
use super::{credentials, forms};

/// What is at a path of the root: its server is not the mount.
pub(super) fn path_item(path: &str) -> Value {
    let mut item = json!({ "servers": [{ "url": "/", "description": "The root, beside the mounts" }] });
    if path.split('/').any(|segment| segment == super::super::endpoint::ANY) {
        item["parameters"] = json!([
            { "name": "id", "in": "path", "required": true, "description": "The key's id, a token's `kid`", "schema": forms::thumbprint_value() },
        ]);
    }
    item
}

/// The description of the operation of this name.
pub(super) fn describe(operation: &str, schemas: &mut Schemas) -> Option<Description> {
    of_tokens(operation, schemas).or_else(|| of_keys(operation, schemas))
}

fn of_tokens(operation: &str, schemas: &mut Schemas) -> Option<Description> {
    Some(match operation {
        tokens::create::NAME => Description::new(
            "Log in for a bearer token",
            "By Basic on this request, with an empty body or with the form `grant_type=client_credentials` (RFC 6749 section 4.4.2). \
             The token is of a session, which it ends with.",
        )
        .query("realmName", "The realm of the user", forms::text())
        .form(&forms::grant_form(), false)
        .shown("basic")
        .answer(200, "The token", Some(schemas.shown::<Given<'static>>()))
        .refusing(credentials())
        .refusing([Reason::TooManySessions.into()]),
        tokens::revoke::NAME => Description::new(
            "Give a bearer token back",
            "Its session ends (RFC 7009). A token that is none is not there any more either; an API key is not taken back here.",
        )
        .form(&forms::token_form(), true)
        .answer(200, "It is worth nothing", None)
        .answer(400, "The request is not of the form that is asked for, or it is an API key", Some(schemas.shown::<Untaken>()))
        .refusing([Reason::StoreFailed.into()]),
        tokens::introspect::NAME => Description::new(
            "What a bearer token is worth",
            "For backends that were shown one (RFC 7662). Being asked about is no activity of its session and no use of a key.",
        )
        .form(&forms::token_form(), true)
        .answer(200, "Whose it is; of one that is worth nothing, that alone", Some(schemas.shown::<Told<'static>>())),
        _ => return None,
    })
}

fn of_keys(operation: &str, schemas: &mut Schemas) -> Option<Description> {
    let keys = |schemas: &mut Schemas| json!({ "type": "array", "items": schemas.shown::<Key<'static>>() });
    Some(match operation {
        signing_keys::read::NAME => {
            Description::new("The keys that tokens are signed with", "Never their private halves. Also below `/.doorward`, on every listener that has the administration.")
                .answer(200, "The current one, the next one, those that are retired", Some(keys(schemas)))
        }
        signing_keys::rotate::NAME => Description::new(
            "Sign with the next key",
            "Nobody is logged out. Sooner than 10 minutes after the next key was made only with `force=true`.",
        )
        .query("force", "Even if some verifiers do not know the next key yet", forms::yes_or_no())
        .answer(200, "The keys after it", Some(keys(schemas)))
        .changes(),
        signing_keys::withdraw::NAME => Description::new(
            "Withdraw a key",
            "At once and for good: somebody else may have it. Where it signed, the next one does now. No session ends.",
        )
        .answer(200, "The keys after it", Some(keys(schemas)))
        .changes()
        .refusing([Refusal::NotFound]),
        signing_keys::read::NAME_PUBLISHED => {
            Description::new("The public keys", "A JWK Set (RFC 7517), to be kept for five minutes.")
                .answer(200, "The keys that anything may be verified with", Some(forms::key_set()))
                .with(&["Cache-Control"])
        }
        _ => return None,
    })
}
