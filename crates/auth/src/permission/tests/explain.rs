//! What `explain` tells people.

use super::*;

fn near(texts: &[&str], method: Method, path: &str) -> (Option<String>, Vec<String>) {
    let rules = matcher(texts);
    let explanation =
        rules.explain(method, path, ME, Matrix::Strict, |entry| entry.pattern_key() != "/replaced/*");
    let deciding = explanation.deciding.map(ToString::to_string);
    (deciding, explanation.near_misses.iter().map(ToString::to_string).collect())
}

#[test]
fn near_misses_are_sentences() {
    let rules = [
        "GET:/a/{id}:id=demo",
        "POST:/a/{id}:id=demo",
        "GET:/b/#ID",
        "GET:/c/**:!/c/secret/**",
        "GET:/Reports/*",
        "GET:/replaced/*",
        "GET:/d",
    ];
    for (method, path, deciding, misses) in [
        (
            Method::Get,
            "/a/demo",
            Some("GET:/a/{id}:id=demo"),
            &["POST:/a/{id}:id=demo does not grant GET"][..],
        ),
        (
            Method::Post,
            "/a/x",
            None,
            &[
                "GET:/a/{id}:id=demo does not list `x` for {id} and does not grant POST",
                "POST:/a/{id}:id=demo does not list `x` for {id}",
            ],
        ),
        (Method::Get, "/b/you", None, &["GET:/b/#ID is for the caller's own user id only"]),
        (Method::Get, "/c/secret/x", None, &["GET:/c/**:!/c/secret/** excepts /c/secret/**"]),
        (
            Method::Get,
            "/reports/1",
            None,
            &["GET:/Reports/* differs in the case of letters, or in blanks, dots or parameters"],
        ),
        (Method::Get, "/d/", None, &["GET:/d differs by the `/` at the end"]),
        (
            Method::Get,
            "/d;x",
            None,
            &["GET:/d covers the path with or without its `;` parameters, but not both"],
        ),
        (
            Method::Get,
            "/replaced/x",
            None,
            &["GET:/replaced/* is replaced by an entry of the user itself for the same path"],
        ),
        (Method::Get, "/nothing/at/all", None, &[]),
    ] {
        let (decided, near) = near(&rules, method, path);
        assert_eq!(decided.as_deref(), deciding, "{method} {path}");
        assert_eq!(near, misses, "{method} {path}");
    }
}
