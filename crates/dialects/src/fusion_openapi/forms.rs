//! The forms of strings and numbers that occur all over: ids, times, names, passwords, permissions.
//!
//! Named by `#[schemars(…)]` on the types that are read and written, and by the `of_*.rs` files. Lengths come from the
//! constants that judge them; JSON Schema counts code points where those count bytes, so a length here is the loosest one.
//! A form here must never refuse what the server takes.

use std::borrow::Cow;

use auth::limits::{
    MAX_NAME_BYTES, MAX_PASSWORD_BYTES, MAX_ROLES_PER_USER, MAX_USERNAME_BYTES, MIN_PASSWORD_POINTS,
};
use auth::permission::{MAX_EXCEPTIONS, MAX_PERMISSION_TEXT, Method};
use gateway::Refusal;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use super::super::entity::{MAX_PAGE, PAGE};

/// An id: a UUID in its one spelling.
pub(crate) fn id(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string", "format": "uuid", "minLength": 36, "maxLength": 36,
        "pattern": "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
    })
}

/// As [`id`], for parameters.
pub(super) fn id_value() -> Value {
    id(&mut SchemaGenerator::default()).to_value()
}

/// A moment, in whole seconds of UTC.
pub(crate) fn moment(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string", "format": "date-time",
        "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$",
    })
}

/// A moment with its milliseconds.
pub(crate) fn precise_moment(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string", "format": "date-time",
        "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[.][0-9]{3}Z$",
    })
}

/// A moment as a query names it: RFC 3339, in any zone.
pub(super) fn sent_moment() -> Value {
    json!({ "type": "string", "format": "date-time" })
}

/// A moment, or null.
pub(crate) fn moment_or_null(generator: &mut SchemaGenerator) -> Schema {
    or_null(moment(generator))
}

/// The name of a role, a realm or an app: letters, digits, `.`, `_`, `-`, `@` and blanks inside. Letters are those of all
/// scripts; what JSON Schema can say of that is which ASCII is none.
pub(crate) fn name(_: &mut SchemaGenerator) -> Schema {
    let inside = r"\u0000-\u001f!-,/:-?\[-\^`{-\u007f";
    json_schema!({
        "type": "string", "minLength": 1, "maxLength": MAX_NAME_BYTES,
        "pattern": format!("^[^ {inside}]([^{inside}]*[^ {inside}])?$"),
    })
}

/// As [`id`], or null for none.
pub(crate) fn id_or_null(generator: &mut SchemaGenerator) -> Schema {
    or_null(id(generator))
}

/// As [`name`], or null for none.
pub(crate) fn name_or_null(generator: &mut SchemaGenerator) -> Schema {
    or_null(name(generator))
}

/// The same, or null.
fn or_null(mut schema: Schema) -> Schema {
    if let Some(kind) = schema.remove("type") {
        schema.insert("type".to_owned(), json!([kind, "null"]));
    }
    schema
}

/// A JSON object that is kept and given back; nobody looks into it.
pub(crate) fn object(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object" })
}

/// As [`object`], or null where it is left as it is.
pub(crate) fn object_or_null(generator: &mut SchemaGenerator) -> Schema {
    or_null(object(generator))
}

/// As [`name`], for parameters.
pub(super) fn name_value() -> Value {
    name(&mut SchemaGenerator::default()).to_value()
}

/// The name of a new user.
pub(crate) fn username(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string", "minLength": 1, "maxLength": MAX_USERNAME_BYTES,
        "pattern": "^[^:\\u0000-\\u001f\\u007f]+$",
    })
}

/// A user name as somebody shows it at a login.
pub(crate) fn presented_username(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "minLength": 1, "maxLength": MAX_USERNAME_BYTES })
}

/// A password as somebody shows it.
pub(crate) fn presented_password(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string", "format": "password", "writeOnly": true,
        "minLength": 1, "maxLength": MAX_PASSWORD_BYTES,
    })
}

/// A password that is to be set. The settings may ask for more than the length here.
pub(crate) fn new_password(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string", "format": "password", "writeOnly": true,
        "minLength": MIN_PASSWORD_POINTS, "maxLength": MAX_PASSWORD_BYTES,
    })
}

/// A password that is to be set, or null for none.
pub(crate) fn new_password_or_null(generator: &mut SchemaGenerator) -> Schema {
    or_null(new_password(generator))
}

/// A password as somebody shows it, or null for none.
pub(crate) fn presented_password_or_null(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = or_null(presented_password(generator));
    schema.insert("minLength".to_owned(), json!(0));
    schema.remove("maxLength");
    schema
}

/// A password as somebody shows it, or null where it is done without.
pub(crate) fn password_to_try(generator: &mut SchemaGenerator) -> Schema {
    or_null(presented_password(generator))
}

/// The roles of a user.
pub(crate) fn role_names(generator: &mut SchemaGenerator) -> Schema {
    let name = name(generator);
    json_schema!({ "type": "array", "items": name, "maxItems": MAX_ROLES_PER_USER })
}

/// The roles of a user, or null where they are left as they are.
pub(crate) fn role_names_or_null(generator: &mut SchemaGenerator) -> Schema {
    or_null(role_names(generator))
}

/// How many entries of a list are asked for.
pub(super) fn page_length() -> Value {
    json!({ "type": "integer", "minimum": 1, "maximum": MAX_PAGE, "default": PAGE })
}

/// An address of the Internet.
pub(super) fn address() -> Value {
    json!({ "type": "string", "anyOf": [{ "format": "ipv4" }, { "format": "ipv6" }] })
}

/// A switch in the query.
pub(super) fn yes_or_no() -> Value {
    json!({ "type": "string", "enum": ["true", "false"], "default": "false" })
}

/// Any text.
pub(super) fn text() -> Value {
    json!({ "type": "string" })
}

/// A switch in the query that is on with `true` and off with anything else.
pub(super) fn switch() -> Value {
    json!({ "type": "string", "examples": ["true"] })
}

/// The form by which a token is asked for; further fields are ignored.
pub(super) fn grant_form() -> Value {
    json!({
        "type": "object",
        "required": ["grant_type"],
        "properties": { "grant_type": { "const": "client_credentials" } },
    })
}

/// The form that names a token; further fields are ignored.
pub(super) fn token_form() -> Value {
    json!({
        "type": "object",
        "required": ["token"],
        "properties": { "token": { "type": "string", "minLength": 1 }, "token_type_hint": { "type": "string" } },
    })
}

/// What a signing key is called: its thumbprint (RFC 7638).
pub(crate) fn thumbprint(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "minLength": 43, "maxLength": 43, "pattern": "^[A-Za-z0-9_-]{43}$" })
}

/// As [`thumbprint`], for parameters.
pub(super) fn thumbprint_value() -> Value {
    thumbprint(&mut SchemaGenerator::default()).to_value()
}

/// The public keys: `signer` writes them, which knows no schemas (RFC 7517 section 5, RFC 7518 section 6.2, RFC 8037 section 2).
pub(super) fn key_set() -> Value {
    let coordinate = json!({ "type": "string", "pattern": "^[A-Za-z0-9_-]{43}$" });
    json!({
        "type": "object",
        "required": ["keys"],
        "additionalProperties": false,
        "properties": { "keys": { "type": "array", "items": {
            "type": "object",
            "required": ["kty", "crv", "x", "use", "alg", "kid"],
            "additionalProperties": false,
            "properties": {
                "kty": { "enum": ["EC", "OKP"] },
                "crv": { "enum": ["P-256", "Ed25519"] },
                "x": coordinate,
                "y": coordinate,
                "use": { "const": "sig" },
                "alg": { "enum": ["ES256", "EdDSA"] },
                "kid": thumbprint_value(),
            },
        } } },
    })
}

/// The refusal of a body that is no JSON of the form, or of one field of it.
pub(super) fn invalid_field() -> Refusal {
    Refusal::Invalid { field: Cow::Borrowed(""), why: String::new() }
}

/// The refusal of a password that is to be set.
pub(super) fn weak_password() -> Refusal {
    Refusal::WeakPassword { why: String::new(), score: 0, suggestions: Vec::new() }
}

/// A path pattern of a permission: which characters it may have.
fn path_pattern() -> Value {
    json!({ "type": "string", "pattern": "^/[A-Za-z0-9._~!$&'()*+,;=:@{}#%/-]*$" })
}

fn methods() -> Value {
    let all: Vec<_> = std::iter::once("*").chain(Method::ALL.iter().map(|method| method.as_str())).collect();
    json!({ "type": "array", "minItems": 1, "items": { "type": "string", "enum": all } })
}

fn permission_object() -> Value {
    json!({
        "type": "object",
        "required": ["methods", "path"],
        "additionalProperties": false,
        "properties": {
            "methods": methods(),
            "path": path_pattern(),
            "params": {
                "description": "Placeholders of the path, each with the values that it may have",
                "type": "object",
                "additionalProperties": { "type": "array", "minItems": 1, "items": { "type": "string", "minLength": 1 } },
            },
            "except": {
                "description": "Path patterns that are not covered",
                "type": "array", "maxItems": MAX_EXCEPTIONS, "items": path_pattern(),
            },
        },
        "examples": [{ "methods": ["GET"], "path": "/collections/{id}/**", "params": { "id": ["demo"] } }],
    })
}

/// A permission as the gateway shows it. `auth::permission::Permission` reads and writes itself, and `auth` does not know
/// schemas, so it is described here.
pub(crate) struct Permission;

impl JsonSchema for Permission {
    fn schema_name() -> Cow<'static, str> {
        Cow::Borrowed("Permission")
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        Schema::try_from(permission_object()).unwrap_or_default()
    }
}

/// A permission as a client may write it: as an object or as a text.
pub(crate) struct SentPermission;

impl JsonSchema for SentPermission {
    fn schema_name() -> Cow<'static, str> {
        Cow::Borrowed("SentPermission")
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let text = json!({
            "description": "METHODS:/path[:name=value,value;!/except]",
            "type": "string", "maxLength": MAX_PERMISSION_TEXT,
            "pattern": "^[A-Z*, ]+:/",
            "examples": ["GET,POST:/collections/{id}/**:id=demo,test;!/collections/*/admin/**"],
        });
        json_schema!({ "anyOf": [text, permission_object()] })
    }
}
