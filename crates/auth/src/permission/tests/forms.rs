//! Reading and writing of entries: both forms, their limits, and what is refused with which sentence.

use proptest::prelude::*;
use serde_json::json;

use super::super::pattern::MAX_PATTERN;
use super::*;
use crate::path::{MAX_SEGMENTS, PathFault};

fn error(text: &str) -> String {
    text.parse::<Permission>().expect_err(text).to_string()
}

fn from_json(value: serde_json::Value) -> Result<Permission, String> {
    serde_json::from_value(value).map_err(|error| error.to_string())
}

#[test]
fn the_contracts_examples() {
    let read = permission("GET,POST:/collections/{id}:id=demo");
    assert_eq!(read.to_string(), "GET,POST:/collections/{id}:id=demo");
    assert_eq!(
        serde_json::to_string(&read).unwrap(),
        r#"{"methods":["GET","POST"],"path":"/collections/{id}","params":{"id":["demo"]}}"#
    );
    let text = r#"{"methods":["GET"],"path":"/query-pipelines/*/collections/{collection}/**","params":{"collection":["demo"]},"except":["/users/**"]}"#;
    let read: Permission = serde_json::from_str(text).unwrap();
    assert_eq!(serde_json::to_string(&read).unwrap(), text);
    assert_eq!(permission(text), read);
    assert_eq!(
        read.to_string(),
        "GET:/query-pipelines/*/collections/{collection}/**:collection=demo;!/users/**"
    );
    assert_eq!(from_json(json!("GET:/a")), Ok(permission("GET:/a")));
}

#[test]
fn what_is_written_comes_back_in_one_form() {
    for (written, text) in [
        ("*:/**", "*:/**"),
        ("GET,HEAD,POST,PUT,PATCH,DELETE,OPTIONS:/", "*:/"),
        ("POST, GET:/a", "GET,POST:/a"),
        ("GET,GET:/a/", "GET:/a/"),
        ("GET:/a b", "GET:/a%20b"),
        ("GET:/%61/%e2%82%ac", "GET:/a/%E2%82%AC"),
        ("GET:/€", "GET:/%E2%82%AC"),
        ("GET:/users/#ID", "GET:/users/#ID"),
        ("GET:/{a}/{b}:b=2,1,2;a=x y", "GET:/{a}/{b}:a=x%20y;b=2,1"),
        ("PATCH:/users/{id}:id=#ID", "PATCH:/users/{id}:id=#ID"),
        ("GET:/**:!/a;!/b/*", "GET:/**:!/a;!/b/*"),
    ] {
        let read = permission(written);
        assert_eq!(read.to_string(), text, "{written}");
        assert_eq!(permission(text), read, "{written}");
        let json = serde_json::to_value(&read).unwrap();
        assert_eq!(from_json(json), Ok(read), "{written}");
    }
    assert_eq!(serde_json::to_string(&permission("*:/a")).unwrap(), r#"{"methods":["*"],"path":"/a"}"#);
}

#[test]
fn what_the_text_cannot_say_is_json() {
    for value in [
        json!({"methods": ["GET"], "path": "/a:b"}),
        json!({"methods": ["GET"], "path": "/{a}", "params": {"a": ["x,y"]}}),
        json!({"methods": ["GET"], "path": "/{a}", "params": {"a": ["x;y"]}}),
        json!({"methods": ["GET"], "path": "/**", "except": ["/x;y"]}),
    ] {
        let read = from_json(value.clone()).unwrap();
        assert_eq!(serde_json::from_str::<serde_json::Value>(&read.to_string()).unwrap(), value);
        assert_eq!(permission(&read.to_string()), read);
    }
}

/// Wrong entries, each with the sentence that its writer gets.
const WRONG: &[(&str, &str)] = &[
    ("", "a permission is written METHODS:/path, such as GET,POST:/collections/*; `` is not"),
    ("/a", "a permission is written METHODS:/path, such as GET,POST:/collections/*; `/a` is not"),
    ("/a:b", "a permission is written METHODS:/path, such as GET,POST:/collections/*; `/a:b` is not"),
    (":/a", "a permission needs at least one method, or `*` for all"),
    (
        "get:/a",
        "`get` is not a method; it may be GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, or `*` for all",
    ),
    ("GET,:/a", "`` is not a method; it may be GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, or `*` for all"),
    (
        "TRACE:/a",
        "`TRACE` is not a method; it may be GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, or `*` for all",
    ),
    ("GET,*:/a", "`*` means every method, so it stands alone"),
    ("GET:", "in the path ``: the path is empty, so no request can match"),
    ("GET:a", "in the path `a`: the path does not begin with `/`, so no request can match"),
    ("GET:/a//b", "in the path `/a//b`: the path has an empty segment, so no request can match"),
    ("GET:/a/../b", "in the path `/a/../b`: the path has a `.` or `..` segment, so no request can match"),
    ("GET:/a?b", "in the path `/a?b`: the byte 0x3f may not stand in a path, so no request can match"),
    ("GET:/%2F", "in the path `/%2F`: the path contains an escaped `/`, so no request can match"),
    ("GET:/ /a", "in the path `/ /a`: the path has an empty segment, so no request can match"),
    (
        "GET:/a*",
        "in the path `/a*`: `a*` mixes `*` with other characters; `*` stands for one whole segment and `**` for the rest",
    ),
    (
        "GET:/***",
        "in the path `/***`: `***` mixes `*` with other characters; `*` stands for one whole segment and `**` for the rest",
    ),
    ("GET:/**/a", "in the path `/**/a`: `**` stands for the rest of the path, so nothing can follow it"),
    ("GET:/**/", "in the path `/**/`: `**` stands for the rest of the path, so nothing can follow it"),
    ("GET:/{a}/{a}", "in the path `/{a}/{a}`: the placeholder `a` occurs twice"),
    (
        "GET:/#id",
        "in the path `/#id`: `#id` contains a `#`; only the whole segment #ID (the caller's own user id) may",
    ),
    ("GET:/{a}:b=1", "`b` has values, but `/{a}` has no placeholder of that name"),
    ("GET:/a:b=c", "`b` has values, but `/a` has no placeholder of that name"),
    ("GET:/{a}:a=", "`a` lists no value; leave it out to allow any, or remove the permission to allow none"),
    ("GET:/{a}:a=1;a=2", "`a` is given values twice"),
    ("GET:/{a}:a=1,", "the value `` of `a`: a value is exactly one segment of the path"),
    ("GET:/{a}:a=b/c", "the value `b/c` of `a`: a value is exactly one segment of the path"),
    (
        "GET:/{a}:a=*",
        "the value `*` of `a`: `*` mixes `*` with other characters; `*` stands for one whole segment and `**` for the rest",
    ),
    ("GET:/{a}:a=..", "the value `..` of `a`: the path has a `.` or `..` segment, so no request can match"),
    (
        "GET:/a:b",
        "`b` is neither name=value,value nor !/path (a path that contains a colon can only be written in the JSON form)",
    ),
    (
        "GET:/a:",
        "`` is neither name=value,value nor !/path (a path that contains a colon can only be written in the JSON form)",
    ),
    ("GET:/**:!a", "in the exception `a`: the path does not begin with `/`, so no request can match"),
    ("GET:/**:!/{a}", "in the exception `/{a}`: an exception has no placeholders; write `*`"),
];

#[test]
fn errors_say_what_and_where() {
    for (text, sentence) in WRONG {
        assert_eq!(error(text), *sentence, "{text}");
    }
    for placeholder in ["{}", "{a", "a}", "{a}b", "x{a}", "{a}{b}", "{a b}", "{id:[0-9]+}", "{#ID}", "{*}"] {
        let fault = Pattern::parse(&format!("/{placeholder}")).unwrap_err();
        assert!(matches!(fault, PatternFault::Placeholder(_)), "{placeholder}: {fault}");
    }
}

#[test]
fn errors_quote_no_control_characters_and_not_much() {
    assert_eq!(
        error("G\u{1b}\nT:/a"),
        "`G\\u{1b}\\nT` is not a method; it may be GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, or `*` for all"
    );
    assert!(error(&format!("{}:/a", "X".repeat(5000))).len() < 300);
}

#[test]
fn json_knows_its_keys() {
    for (value, part) in [
        (json!({"methods": ["GET"], "path": "/a", "parms": {}}), "unknown field `parms`"),
        (json!({"methods": ["GET"]}), "missing field `path`"),
        (json!({"path": "/a"}), "missing field `methods`"),
        (json!({"methods": [], "path": "/a"}), "at least one method"),
        (json!({"methods": ["get"], "path": "/a"}), "`get` is not a method"),
        (json!({"methods": ["GET"], "path": "/{a}", "params": {"a": []}}), "`a` lists no value"),
        (json!({"methods": ["GET"], "path": "/{a}", "params": ["a"]}), "placeholders, each with a list"),
        (json!({"methods": "GET", "path": "/a"}), "invalid type"),
        (json!(7), "a permission, as an object or as a text"),
        (json!("{\"methods\":[\"GET\"],\"path\":\"/a\"}"), "is not a method"),
    ] {
        let error = from_json(value.clone()).unwrap_err();
        assert!(error.contains(part), "{value}: {error}");
    }
    for (text, part) in [
        (r#"{"methods":["GET"],"path":"/a","path":"/b"}"#, "duplicate field `path`"),
        (r#"{"methods":["GET"],"path":"/{a}","params":{"a":["1"],"a":["2"]}}"#, "`a` is given values twice"),
    ] {
        let error = serde_json::from_str::<Permission>(text).unwrap_err().to_string();
        assert!(error.contains(part), "{text}: {error}");
        assert_eq!(text.parse::<Permission>(), Err(PermissionError::Json(error)));
    }
    let bare = json!({"methods": ["GET"], "path": "/a", "params": {}, "except": []});
    assert_eq!(from_json(bare), Ok(permission("GET:/a")));
}

#[test]
fn limits_on_both_sides() {
    let longest = format!("/{}", "a".repeat(MAX_PATTERN - 1));
    assert!(Pattern::parse(&longest).is_ok());
    assert_eq!(Pattern::parse(&format!("{longest}a")), Err(PatternFault::TooLong));

    assert!(Pattern::parse(&"/a".repeat(MAX_SEGMENTS)).is_ok());
    assert_eq!(
        Pattern::parse(&"/a".repeat(MAX_SEGMENTS + 1)),
        Err(PatternFault::Path(PathFault::TooManySegments))
    );

    let name = "n".repeat(64);
    assert!(Pattern::parse(&format!("/{{{name}}}")).is_ok());
    assert!(Pattern::parse(&format!("/{{{name}n}}")).is_err());

    let value = "v".repeat(MAX_PATTERN);
    assert!(format!("GET:/{{a}}:a={value}").parse::<Permission>().is_ok());
    assert!(error(&format!("GET:/{{a}}:a={value}v")).contains("it is longer than 1024 bytes"));

    let values = |count: usize| (0..count).map(|value| value.to_string()).collect::<Vec<_>>().join(",");
    assert!(format!("GET:/{{a}}:a={}", values(MAX_PARAM_VALUES)).parse::<Permission>().is_ok());
    assert_eq!(
        format!("GET:/{{a}}:a={}", values(MAX_PARAM_VALUES + 1)).parse::<Permission>(),
        Err(PermissionError::TooManyValues)
    );

    let exceptions = |count: usize| vec!["!/a"; count].join(";");
    assert!(format!("GET:/**:{}", exceptions(MAX_EXCEPTIONS)).parse::<Permission>().is_ok());
    assert_eq!(
        format!("GET:/**:{}", exceptions(MAX_EXCEPTIONS + 1)).parse::<Permission>(),
        Err(PermissionError::TooManyExceptions)
    );

    // Long texts are refused before anything in them is looked at.
    let padded = |length: usize| format!("{}GET:/a", " ".repeat(length - "GET:/a".len()));
    assert!(padded(MAX_PERMISSION_TEXT).parse::<Permission>().is_ok());
    assert_eq!(padded(MAX_PERMISSION_TEXT + 1).parse::<Permission>(), Err(PermissionError::TooLong));
    assert!(from_json(json!(padded(MAX_PERMISSION_TEXT + 1))).is_err());
}

#[test]
fn methods_are_exact() {
    for method in Method::ALL {
        assert_eq!(Method::parse(method.as_str().as_bytes()), Some(method));
    }
    for name in ["get", "Get", "GET ", "GETX", "TRACE", "CONNECT", "", "*"] {
        assert_eq!(Method::parse(name.as_bytes()), None, "{name}");
    }
}

#[test]
fn get_grants_head_and_nothing_else_is_implied() {
    let get: MethodSet = [Method::Get].into_iter().collect();
    for method in Method::ALL {
        assert_eq!(get.grants(method), matches!(method, Method::Get | Method::Head), "{method}");
        assert!(MethodSet::ALL.grants(method));
        assert!(!MethodSet::NONE.grants(method));
        let alone: MethodSet = [method].into_iter().collect();
        assert_eq!(alone.iter().collect::<Vec<_>>(), [method]);
    }
    assert!(!get.contains(Method::Head));
    let head: MethodSet = [Method::Head].into_iter().collect();
    assert!(!head.grants(Method::Get));
}

#[test]
fn entries_of_the_same_pattern() {
    let same = |left: &str, right: &str| permission(left).same_pattern(&permission(right));
    assert!(same("GET:/a/{id}:id=x", "POST:/a/{other}"));
    assert!(same("GET:/a/{id}", "*:/a/*"));
    assert!(same("GET:/a b/**", "GET:/a%20b/**:!/x"));
    assert!(!same("GET:/a", "GET:/a/"));
    assert!(!same("GET:/a/*", "GET:/a/**"));
    assert!(!same("GET:/a/#ID", "GET:/a/*"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 5_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_reads_writes_itself(text in "(GET|POST|\\*|GET,PUT|x):[/a-c*{}#ID. %2é:;=,!]{0,24}") {
        if let Ok(read) = text.parse::<Permission>() {
            prop_assert_eq!(read.to_string().parse::<Permission>(), Ok(read.clone()));
            prop_assert_eq!(from_json(serde_json::to_value(&read).unwrap()), Ok(read));
        }
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,60}") {
        let _ = text.parse::<Permission>();
        let _ = Pattern::parse(&text);
    }
}
