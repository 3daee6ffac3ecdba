//! The document against the table, against itself, and against what is committed.

use std::collections::HashSet;

use super::super::endpoint::Operation;
use super::*;

/// Every object in `value`, however deep.
fn objects<'a>(value: &'a Value, all: &mut Vec<&'a Map<String, Value>>) {
    match value {
        Value::Object(object) => {
            all.push(object);
            object.values().for_each(|value| objects(value, all));
        }
        Value::Array(list) => list.iter().for_each(|value| objects(value, all)),
        _ => {}
    }
}

#[test]
fn every_endpoint_is_described_and_nothing_else() {
    let mut schemas = Schemas::new();
    for place in placed() {
        let described = describe(place.operation, place.path, &mut schemas);
        let where_ = "describe it in crates/dialects/src/fusion_openapi/";
        assert!(described.is_some(), "{} {} has no description: {where_}", place.method.as_str(), place.path);
    }
    for place in Tokens::endpoints() {
        let described = of_tokens::describe(place.operation, &mut schemas);
        let where_ = "describe it in crates/dialects/src/fusion_openapi/of_tokens.rs";
        assert!(described.is_some(), "{} {} has no description: {where_}", place.method.as_str(), place.path);
    }
    for &operation in Operation::ALL {
        let is_placed = placed().any(|place| place.operation == operation);
        let is_described = describe(operation, "", &mut schemas).is_some();
        assert_eq!(is_described, is_placed, "{operation:?} is described and is nowhere");
    }
}

#[test]
fn the_paths_are_those_of_the_table() {
    let document = document("/api");
    let paths = document["paths"].as_object().unwrap();
    let described: usize = paths
        .values()
        .map(|path| path.as_object().unwrap().values().filter(|value| value.is_object()).count())
        .sum();
    assert_eq!(described, placed().count() + Tokens::endpoints().count());
    assert_eq!(document["servers"][0]["url"], "/api");
    for place in placed() {
        let method = place.method.as_str().to_ascii_lowercase();
        let described = &paths[&template(place.path)][&method];
        assert_eq!(described["security"] == json!([]), place.operation.door() == Door::Public, "{described}");
        assert!(paths[&template(place.path)].get("servers").is_none());
    }
    for place in Tokens::endpoints() {
        let path = &paths[&template(place.path)];
        assert_eq!(path["servers"][0]["url"], "/", "not below the mount: {}", place.path);
        let described = &path[&place.method.as_str().to_ascii_lowercase()];
        let is_for_everybody =
            described["security"].as_array().is_some_and(|schemes| schemes != &[json!({ "basic": [] })]);
        assert_eq!(
            is_for_everybody,
            place.door == Door::Public && place.path != "oauth2/token",
            "{described}"
        );
    }
}

#[test]
fn operations_have_names_of_their_own_and_references_lead_somewhere() {
    let document = document("/api");
    let mut all = Vec::new();
    objects(&document, &mut all);
    let mut names = HashSet::new();
    for path in document["paths"].as_object().unwrap().values() {
        for operation in path.as_object().unwrap().values().filter(|value| value.is_object()) {
            assert!(names.insert(operation["operationId"].as_str().unwrap()), "{operation}");
        }
    }
    for object in all {
        if let Some(reference) = object.get("$ref").and_then(Value::as_str) {
            let pointer = reference.strip_prefix('#').expect("a reference within the document");
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
        // Links name operations; an operation's own name is a string beside its answers.
        if let Some(name) = object.get("operationId").and_then(Value::as_str) {
            assert!(names.contains(name), "{name}");
        }
    }
}

#[test]
fn every_error_says_its_code_and_every_401_how_to_log_in() {
    let document = document("/api");
    for (name, response) in document["components"]["responses"].as_object().unwrap() {
        let schema = &response["content"]["application/json"]["schema"];
        assert!(schema.is_object(), "{name}");
        assert_eq!(
            name.starts_with("Unauthorized"),
            response["headers"]["WWW-Authenticate"].is_object(),
            "{name}"
        );
    }
}

#[test]
fn what_is_committed_is_what_the_code_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    let made = serde_json::to_string_pretty(&document("/api")).unwrap() + "\n";
    assert!(committed == made, "docs/openapi.json is not what the code says: run `cargo xtask openapi`");
}
