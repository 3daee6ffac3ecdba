//! The OpenAPI 3.1 document of our endpoints, made from the table that serves them.
//!
//! Called by the command line (`doorward openapi`) and by the test that holds `docs/openapi.json` against it; never while
//! something is served. Paths, methods and doors come from `endpoint.rs` and, of what is at the root, `tokens.rs`; statuses and codes from `refusals.rs`, schemas from the
//! types that serde reads and writes; the `of_*.rs` files add what no type can say. It must never describe what is not in the
//! table, nor leave out what is (`tests.rs`).

mod description;
mod errors;
pub(super) mod forms;
mod of_directory;
mod of_insight;
mod of_keys;
mod of_places;
mod of_sessions;
mod of_setup;
mod of_tokens;
mod schemas;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};

use auth::Reason;
use auth::permission::Method;
use gateway::{Door, Refusal};
use serde_json::{Map, Value, json};

use super::endpoint::{Listed, Operation, listed, placed};
use super::tokens::Tokens;
use description::Description;
use schemas::Schemas;

/// The document, for a mount at this path.
pub(super) fn document(mount: &str) -> Value {
    let mut schemas = Schemas::new();
    let mut responses = Map::new();
    let mut names = HashMap::new();
    let mut paths: Map<String, Value> = Map::new();
    let mut add =
        |place: Listed, item: fn(&str) -> Value, description: Option<Description>, schemas: &mut _| {
            let Some(description) = description else { return };
            let described = operation(&place, description, &mut names, schemas, &mut responses);
            let path = paths.entry(template(place.path)).or_insert_with(|| item(place.path));
            path[place.method.as_str().to_ascii_lowercase()] = described;
        };
    for (place, row) in placed().zip(listed()) {
        let description = describe(place.operation, place.path, &mut schemas);
        add(row, path_item, description, &mut schemas);
    }
    for row in Tokens::endpoints() {
        let description = of_tokens::describe(row.operation, &mut schemas);
        add(row, of_tokens::path_item, description, &mut schemas);
    }
    responses.sort_keys();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Doorward",
            "summary": "Sessions, users, roles, keys and the audit log of the gateway",
            "description": ABOUT,
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "Apache-2.0 OR MIT", "identifier": "Apache-2.0 OR MIT" },
        },
        "servers": [{ "url": mount, "description": "The mount; what is not in this document is the backend's" }],
        "tags": tags(),
        "security": security(),
        "paths": paths,
        "components": {
            "schemas": schemas.finish(),
            "responses": responses,
            "headers": headers(),
            "securitySchemes": security_schemes(),
        },
    })
}

const ABOUT: &str = "What the gateway answers itself below a mount and, of tokens and keys, at its root: `/oauth2` and `/.well-known` are \
    no paths below the mount. Every error is `{\"code\": …}`; where a person can mend it, `message` says how and `field` where. Every \
    answer but the JWK Set is `Cache-Control: no-store`. Credentials are looked at in the order session cookie, Basic, bearer token, \
    API key; the first that is there decides. A bearer token is one that `POST /oauth2/token` gave, or an API key. An operation that needs a permission needs one for its method \
    and its path below the mount: there is no second mechanism. HEAD is GET without the body.";

/// Where a response has the schema of its body.
const SCHEMA: &str = "/content/application~1json/schema";

/// What one operation at one path is. `None` for what has no description: `tests.rs` finds that.
fn describe(operation: Operation, path: &str, schemas: &mut Schemas) -> Option<Description> {
    of_setup::describe(operation, schemas)
        .or_else(|| of_sessions::describe(operation, path, schemas))
        .or_else(|| of_directory::describe(operation, schemas))
        .or_else(|| of_places::describe(operation, schemas))
        .or_else(|| of_keys::describe(operation, schemas))
        .or_else(|| of_insight::describe(operation, schemas))
}

fn operation(
    place: &Listed,
    description: Description,
    names: &mut HashMap<String, &'static str>,
    schemas: &mut Schemas,
    responses: &mut Map<String, Value>,
) -> Value {
    let id = operation_id(place, names);
    let is_head = place.method == Method::Head;
    let door = place.door;
    let mut refusals = description.refusals;
    refusals.extend(of_every_request());
    refusals.extend(of_the_door(door));
    let mut answers: BTreeMap<u16, Value> = errors::responses(&refusals, schemas, responses);
    for success in description.successes {
        let mut answer = json!({ "description": success.what });
        for name in success.headers {
            // Two ways of one field: always there, or there at times.
            answer["headers"][name.trim_end_matches("-Taken")] = header(name);
        }
        if let Some(schema) = success.schema.filter(|_| !is_head) {
            answer["content"] = json!({ "application/json": { "schema": schema } });
        }
        if place.method == Method::Post && success.status == 201 && answer.get("content").is_some() {
            answer["links"] = links(place.path);
        }
        let refused = answers.remove(&success.status).map(|named| referred(&named, responses));
        if let (Some(refused), Some(form)) = (refused, answer.pointer_mut(SCHEMA)) {
            // One form more of what is refused with this status.
            *form = json!({ "anyOf": [refused.pointer(SCHEMA), form.take()] });
        }
        answers.insert(success.status, answer);
    }
    if is_head {
        for (status, answer) in &mut answers {
            if answer.get("$ref").is_some() {
                *answer = without_body(*status, &referred(answer, responses));
            }
        }
    }
    let answers: Map<String, Value> =
        answers.into_iter().map(|(status, answer)| (status.to_string(), answer)).collect();
    let mut described = json!({
        "operationId": id,
        "tags": [tag(place.path)],
        "summary": description.summary,
        "description": match description.shown_to_itself {
            Some(_) => description.text.to_owned(),
            None => format!("{} {}", description.text, said_of(door)).trim().to_owned(),
        },
    });
    if !description.parameters.is_empty() {
        described["parameters"] = json!(description.parameters);
    }
    if let Some(body) = description.body {
        described["requestBody"] = body;
    }
    described["responses"] = Value::Object(answers);
    if let Some(scheme) = description.shown_to_itself {
        described["security"] = json!([{ scheme: [] }]);
    } else if door == Door::Public {
        described["security"] = json!([]);
    }
    described
}

/// The operation's name as an identifier: `session.revoke_matching` is `sessionRevokeMatching`. Where it is offered twice, the
/// second says by its method or its path which one it is.
fn operation_id(place: &Listed, names: &mut HashMap<String, &'static str>) -> String {
    let camel = errors::camel(place.operation);
    let mut id = camel[..1].to_ascii_lowercase() + &camel[1..];
    match names.get(&id) {
        None => {}
        Some(path) if *path == place.path => {
            id.push_str(&errors::camel(&place.method.as_str().to_ascii_lowercase()));
        }
        Some(_) => {
            id.push_str("In");
            id.push_str(&errors::camel(place.path.split('/').next().unwrap_or_default()));
        }
    }
    names.insert(id.clone(), place.path);
    id
}

/// The response that a reference leads to.
fn referred(reference: &Value, responses: &Map<String, Value>) -> Value {
    let name = reference.get("$ref").and_then(|name| name.as_str()?.rsplit('/').next());
    name.and_then(|name| responses.get(name)).cloned().unwrap_or_default()
}

fn without_body(status: u16, response: &Value) -> Value {
    let mut answer = response.clone();
    if let Some(answer) = answer.as_object_mut() {
        answer.remove("content");
    }
    debug_assert!(status >= 400, "only refusals are references");
    answer
}

/// What every request can hear, whatever it asks for.
fn of_every_request() -> Vec<Refusal> {
    let head = |status| Refusal::Head { status, reason_id: "" };
    vec![
        Refusal::BadRequest(""),
        head(408),
        head(414),
        head(431),
        Refusal::BodyTooLarge,
        Refusal::Saturated,
        Reason::ConflictingCookies.into(),
    ]
}

/// What is heard at a door by those who do not come in.
fn of_the_door(door: Door) -> Vec<Refusal> {
    let mut all: Vec<Refusal> = Vec::new();
    if door != Door::Public {
        all.extend(credentials());
        all.push(Reason::CrossSite.into());
    }
    if door == Door::Permission {
        all.push(Reason::Forbidden.into());
    }
    all
}

/// What bad credentials can earn.
fn credentials() -> Vec<Refusal> {
    let wait = std::time::Duration::from_secs(1);
    [
        Reason::NoCredentials,
        Reason::SessionUnknown,
        Reason::SessionIdle,
        Reason::SessionTooOld,
        Reason::UnknownRealm,
        Reason::WrongPassword,
        Reason::InvalidToken,
        Reason::UnknownKey,
        Reason::TooManyAttempts { retry_after: wait },
        Reason::RealmUnavailable("".into()),
        Reason::StoreFailed,
    ]
    .map(Refusal::from)
    .into()
}

/// The codes that a status has where nothing sets it apart: those of the door.
fn usual_codes(status: u16) -> Option<Vec<&'static str>> {
    let mut codes: Vec<_> = [of_every_request(), of_the_door(Door::Permission), vec![Refusal::NotFound]]
        .concat()
        .iter()
        .chain([&Refusal::PreconditionFailed, &Refusal::UnsupportedMediaType])
        .map(super::refusals::status_and_code)
        .filter(|(of, _)| *of == status)
        .map(|(_, code)| code)
        .collect();
    codes.sort_unstable();
    codes.dedup();
    (!codes.is_empty()).then_some(codes)
}

fn said_of(door: Door) -> &'static str {
    match door {
        Door::Public => "For everybody; credentials that come along are not looked at.",
        Door::Login => "For everybody who is known.",
        Door::Permission => "Needs a permission for this method and path.",
    }
}

/// `users/ID/sessions` as `/users/{id}/sessions`.
fn template(path: &str) -> String {
    let name =
        |segment: &str| if segment == super::endpoint::ANY { "{id}".to_owned() } else { segment.to_owned() };
    format!("/{}", path.split('/').map(name).collect::<Vec<_>>().join("/"))
}

/// The parameters that all operations of a path share: the id in it.
fn path_item(path: &str) -> Value {
    if !path.split('/').any(|segment| segment == super::endpoint::ANY) {
        return json!({});
    }
    let (what, schema) = match tag(path) {
        "apps" => ("The app's id", forms::name_value()),
        _ => ("Its id", forms::id_value()),
    };
    json!({ "parameters": [
        { "name": "id", "in": "path", "required": true, "description": what, "schema": schema },
    ] })
}

/// Where what was just made can be read, changed and deleted.
fn links(path: &str) -> Value {
    let below = format!("{path}/");
    let mut links = Map::new();
    let mut names = HashMap::new();
    for place in listed() {
        let id = operation_id(&place, &mut names);
        let is_its = place
            .path
            .strip_prefix(&below)
            .is_some_and(|rest| rest.split('/').next() == Some(super::endpoint::ANY));
        if is_its && place.method != Method::Head {
            links.insert(
                id.clone(),
                json!({ "operationId": id, "parameters": { "id": "$response.body#/id" } }),
            );
        }
    }
    Value::Object(links)
}

fn tag(path: &str) -> &str {
    match path.split('/').next().unwrap_or_default() {
        "" => "setup",
        first => first,
    }
}

/// The first segments of the paths, in the order of the table.
fn tags() -> Vec<Value> {
    let mut names: Vec<&str> = Vec::new();
    for place in listed().chain(Tokens::endpoints()) {
        let name = tag(place.path);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.into_iter().map(|name| json!({ "name": name })).collect()
}

fn header(name: &str) -> Value {
    json!({ "$ref": format!("#/components/headers/{name}") })
}

fn headers() -> Value {
    let header = |required: bool, what: &str, schema: Value| json!({ "description": what, "required": required, "schema": schema });
    let text = || json!({ "type": "string" });
    json!({
        "Cache-Control": header(true, "For how many seconds everybody may keep it",
            json!({ "type": "string", "pattern": "max-age=[0-9]+" })),
        "ETag": header(true, "The version of the thing, for `If-Match` and `If-None-Match`",
            json!({ "type": "string", "pattern": "^\"[0-9a-f]{1,16}\"$" })),
        "Link": header(false, "The next page, where there is one: `<…>; rel=\"next\"` (RFC 8288)",
            json!({ "type": "string", "pattern": "^<[^>]+>; rel=\"next\"$" })),
        "Set-Cookie": header(true, "The session cookie `id`: given, or taken away", text()),
        "Set-Cookie-Taken": header(false, "Where it was the session that asks: the cookie is taken away", text()),
        "Clear-Site-Data-Taken": header(false, "Where it was the session that asks", text()),
        "Clear-Site-Data": header(true, "What a browser forgets with the session", json!({ "const": "\"cache\"" })),
        "Retry-After": header(true, "Seconds to wait", json!({ "type": "integer", "minimum": 1 })),
        "WWW-Authenticate": header(true, "How to log in (RFC 9110 section 11.6.1)", text()),
    })
}

/// Any one of the credentials is enough.
fn security() -> Value {
    json!([{ "session": [] }, { "basic": [] }, { "bearer": [] }, { "key": [] }])
}

fn security_schemes() -> Value {
    json!({
        "session": {
            "type": "apiKey", "in": "cookie", "name": super::cookie::NAME,
            "description": "The cookie that `POST /session` gives",
        },
        "basic": {
            "type": "http", "scheme": "basic",
            "description": "User name and password; `?realmName=` on any request names their realm, `native` where it is left out",
        },
        "bearer": {
            "type": "http", "scheme": "bearer",
            "description": "The token that `POST /oauth2/token` gives, or an API key",
        },
        "key": {
            "type": "apiKey", "in": "header", "name": "x-api-key",
            "description": "The key that `POST /api-keys` gives; as `?apiKey=` too, for those who can send no header",
        },
    })
}
