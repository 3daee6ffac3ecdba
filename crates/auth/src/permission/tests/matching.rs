//! What an entry covers, and what it must not.

use std::collections::HashSet;

use super::super::builtin::{ADMINISTRATION, builtin, names};
use super::*;

#[test]
fn patterns() {
    for (pattern, yes, no) in [
        ("/", &["/"][..], &["/a", "/a/"][..]),
        ("/a", &["/a"], &["/", "/a/", "/A", "/a/b", "/b", "/aa", "/a.", "/a%20", "/a%23", "/a;b"]),
        ("/a/", &["/a/"], &["/a", "/a/b"]),
        ("/*", &["/a", "/*", "/%20b"], &["/", "/a/", "/a/b"]),
        ("/a/*/c", &["/a/b/c", "/a/c/c"], &["/a/c", "/a/b/b/c", "/a/b/c/", "/a/b"]),
        ("/a/**", &["/a", "/a/", "/a/b", "/a/b/c/"], &["/", "/ab", "/b/a", "/A/b"]),
        ("/**", &["/", "/a", "/a/b/"], &[]),
        ("/a/*/**", &["/a/b", "/a/b/", "/a/b/c"], &["/a", "/a/"]),
        ("/{x}/b", &["/a/b"], &["/b", "/a/c"]),
        ("/x/{y}/z:y=1,2", &["/x/1/z", "/x/2/z"], &["/x/3/z", "/x/1", "/x//z", "/x/12/z"]),
        ("/x/{y}/**:y=1", &["/x/1", "/x/1/2"], &["/x", "/x/", "/x/2/1"]),
        ("/a b/é", &["/a%20b/%C3%A9"], &["/a b/%C3%A9", "/a+b/%C3%A9"]),
    ] {
        for path in yes {
            assert!(covers(&format!("GET:{pattern}"), path), "{pattern} covers {path}");
        }
        for path in no {
            assert!(!covers(&format!("GET:{pattern}"), path), "{pattern} does not cover {path}");
        }
    }
    for path in ["", "a", "*", "http://h/a"] {
        assert!(!covers("GET:/**", path), "{path} is not a path");
    }
}

#[test]
fn the_callers_own_id() {
    let own = matcher(&["GET:/users/#ID", "GET:/homes/{id}/**:id=#ID,public"]);
    let may =
        |path: &str, caller: &str| own.find(Method::Get, path, caller, Matrix::Strict, |_| true).is_some();
    assert!(may(&format!("/users/{ME}"), ME));
    assert!(may(&format!("/homes/{ME}/x"), ME));
    assert!(may("/homes/public/x", ME));
    assert!(!may(&format!("/users/{ME}"), "9c858901-8a57-4791-81fe-4c455b099bc8"));
    assert!(!may(&format!("/users/{}", ME.to_uppercase()), ME));
    assert!(!may("/users/#ID", ME));
    assert!(!may("/users/", ""), "nobody's id is empty");
    assert!(!may("/homes/", ""));
    assert!(may("/homes/public", ""));
}

#[test]
fn methods_and_deny_by_default() {
    let rules = matcher(&["GET:/a", "POST:/b", "DELETE:/a/**"]);
    let may = |method, path| rules.find(method, path, ME, Matrix::Strict, |_| true).is_some();
    assert!(may(Method::Get, "/a"));
    assert!(may(Method::Head, "/a"));
    assert!(may(Method::Delete, "/a"));
    assert!(!may(Method::Post, "/a"));
    assert!(!may(Method::Options, "/a"));
    assert!(!may(Method::Head, "/b"));
    assert!(!may(Method::Get, "/c"));
    assert!(matcher(&[]).find(Method::Get, "/", ME, Matrix::Strict, |_| true).is_none());
}

#[test]
fn the_first_entry_that_counts_decides() {
    let rules = matcher(&["GET:/a/*", "GET:/**", "GET:/a/b", "GET:/a/{x}:x=b"]);
    let found = |path: &str, but: &[&str]| {
        let entry = rules
            .find(Method::Get, path, ME, Matrix::Strict, |entry| !but.contains(&entry.to_string().as_str()));
        entry.map(ToString::to_string)
    };
    assert_eq!(found("/a/b", &[]).as_deref(), Some("GET:/a/*"));
    assert_eq!(found("/a/b", &["GET:/a/*"]).as_deref(), Some("GET:/**"));
    assert_eq!(found("/a/b", &["GET:/a/*", "GET:/**"]).as_deref(), Some("GET:/a/b"));
    assert_eq!(found("/a/b", &["GET:/a/*", "GET:/**", "GET:/a/b"]).as_deref(), Some("GET:/a/{x}:x=b"));
    assert_eq!(found("/a", &["GET:/**"]), None);
}

#[test]
fn entries_of_the_user_replace_those_of_a_role() {
    let role = matcher(&["GET,POST:/collections/{id}", "GET:/query/**"]);
    let own = matcher(&["GET:/collections/{name}:name=demo"]);
    let replaced: HashSet<&str> = own.permissions().iter().map(Permission::pattern_key).collect();
    let may = |method, path| {
        let ask = |rules: &Matcher, counts: &dyn Fn(&Permission) -> bool| {
            rules.find(method, path, ME, Matrix::Strict, counts).is_some()
        };
        ask(&own, &|_| true) || ask(&role, &|entry| !replaced.contains(entry.pattern_key()))
    };
    assert!(may(Method::Get, "/collections/demo"));
    assert!(!may(Method::Post, "/collections/demo"));
    assert!(!may(Method::Get, "/collections/other"));
    assert!(may(Method::Get, "/query/x"));
}

#[test]
fn case_01_parameters_must_be_granted_in_every_reading() {
    let may = |texts: &[&str], path: &str, matrix| {
        matcher(texts).find(Method::Get, path, ME, matrix, |_| true).is_some()
    };
    for path in ["/admin;a=b", "/admin;a=b/x", "/admin%3Ba/x", "/admin%3Ba;b"] {
        assert!(!may(&["GET:/admin/**"], path, Matrix::Strict), "{path}: only without");
        assert!(!may(&["GET:/*/**:!/admin/**"], path, Matrix::Strict), "{path}: excepted");
        assert!(!may(&["GET:/*/**:!/admin/**"], path, Matrix::Stripped), "{path}: excepted");
        assert!(may(&["GET:/*/**"], path, Matrix::Strict), "{path}: both");
        assert!(may(&["GET:/*/**"], path, Matrix::Stripped), "{path}: stripped");
    }
    // Two entries may grant one reading each.
    assert!(may(&["GET:/a;x", "GET:/a"], "/a;x", Matrix::Strict));
    assert!(!may(&["GET:/a;x"], "/a;x", Matrix::Strict));
    assert!(!may(&["GET:/a;x"], "/a;x", Matrix::Stripped));
    assert!(may(&["GET:/a"], "/a;x", Matrix::Stripped));
    assert!(!may(&["GET:/a"], "/a%3Bx", Matrix::Stripped), "an escaped `;` may or may not be stripped");
    assert!(!may(&["GET:/{c}:c=demo"], "/demo;x", Matrix::Strict));
    assert!(may(&["GET:/{c}:c=demo"], "/demo;x", Matrix::Stripped));
    // An entry that does not count grants no reading.
    let rules = matcher(&["GET:/a;x", "GET:/a"]);
    let counts = |entry: &Permission| entry.pattern_key() != "/a";
    assert!(rules.find(Method::Get, "/a;x", ME, Matrix::Strict, counts).is_none());
}

#[test]
fn exceptions_are_loose() {
    let rules = "GET:/**:!/users/**;!/api-keys;!/x/*/y";
    for path in [
        "/users",
        "/users/",
        "/users/1",
        "/USERS",
        "/Users/1/",
        "/users;a=b",
        "/users;a/x",
        "/users%3Ba",
        "/user%53/x",
        "/u%C5%BFers",
        "/users.",
        "/users%20",
        "/%20users/x",
        "/users%20./x",
        "/users..;x",
        "/api-keys",
        "/api-keys/",
        "/Api-Keys",
        "/API%2DKEYS",
        "/x/1/y",
        "/X/1/Y;a/",
        "/api-%E2%84%AAeys",
    ] {
        assert!(!covers(rules, path), "{path} is excepted");
    }
    for path in
        ["/", "/user", "/usersx", "/userss/1", "/users%23", "/a/users", "/api-keys/1", "/x/y", "/x/1/y/z"]
    {
        assert!(covers(rules, path), "{path} is not excepted");
    }
    let mine = format!("/homes/{}", ME.to_uppercase());
    assert!(!covers("GET:/**:!/homes/#ID", &mine));
    assert!(covers("GET:/**:!/homes/#ID", "/homes/other"));
    assert!(!covers("GET:/**:!/É", "/%C3%A9"));
    assert!(!covers("GET:/**:!/a b", "/A%20B"));
    assert!(!covers("GET:/**:!/**", "/"));
    assert!(!covers("GET:/**:!/", "/"));
}

fn role_may(role: &str, method: Method, path: &str) -> bool {
    let (_, permissions) = builtin(role).unwrap();
    Matcher::compile(&permissions).find(method, path, ME, Matrix::Strict, |_| true).is_some()
}

#[test]
fn the_built_in_roles() {
    assert_eq!(names().collect::<Vec<_>>(), ["admin", "developer", "search", "readonly"]);
    let counts: Vec<usize> = names().map(|name| builtin(name).unwrap().1.len()).collect();
    assert_eq!(counts, [1, 2, 6, 2], "each of their permissions reads");
    assert!(builtin("Admin").is_none());
    assert!(builtin("").is_none());

    let own = format!("/users/{ME}");
    for role in ["developer", "search", "readonly"] {
        for pattern in ADMINISTRATION {
            let path = pattern.strip_suffix("/**").unwrap();
            for path in [path.to_owned(), format!("{path}/"), format!("{path}/x"), path.to_uppercase()] {
                for method in Method::ALL {
                    assert!(!role_may(role, method, &path), "{role} {method} {path}");
                    assert!(role_may("admin", method, &path), "admin {method} {path}");
                }
            }
        }
        for method in Method::ALL {
            let allowed = matches!(method, Method::Get | Method::Head | Method::Patch);
            assert_eq!(role_may(role, method, &own), allowed, "{role} {method} own user");
            assert!(!role_may(role, method, &format!("{own}/sessions")), "{role} {method} own sessions");
        }
    }
}

#[test]
fn what_the_built_in_roles_may_behind_the_gateway() {
    for (path, method, developer, search, readonly) in [
        ("/anything/at/all", Method::Get, true, false, true),
        ("/anything/at/all", Method::Options, true, false, true),
        ("/anything/at/all", Method::Delete, true, false, false),
        ("/query-pipelines/p/collections/c/select", Method::Get, true, true, true),
        ("/query-pipelines/p/collections/c/select", Method::Post, true, true, false),
        ("/query-pipelines/p/collections/c/select", Method::Put, true, false, false),
        ("/query-pipelines/p", Method::Get, true, false, true),
        ("/query/app/pipeline", Method::Post, true, true, false),
        ("/signals/c", Method::Post, true, true, false),
        ("/collections/c/query-profiles/p/select", Method::Get, true, true, true),
        ("/collections", Method::Get, true, true, true),
        ("/collections", Method::Head, true, true, true),
        ("/collections", Method::Post, true, false, false),
        ("/collections/c", Method::Get, true, false, true),
        ("/apps/a", Method::Get, true, false, true),
    ] {
        assert!(role_may("admin", method, path));
        assert_eq!(role_may("developer", method, path), developer, "developer {method} {path}");
        assert_eq!(role_may("search", method, path), search, "search {method} {path}");
        assert_eq!(role_may("readonly", method, path), readonly, "readonly {method} {path}");
    }
}

/// Many patterns that share wildcards must not make a search explode: each node is visited at most once.
#[test]
fn wildcards_do_not_explode() {
    let mut texts = Vec::new();
    for mask in 0..1024_u32 {
        let path: String = (0..10).map(|bit| if mask & (1 << bit) == 0 { "/*" } else { "/a" }).collect();
        texts.push(permission(&format!("POST:{path}/b")));
    }
    let rules = Matcher::compile(&texts);
    let path = format!("{}/b", "/a".repeat(10));
    assert!(rules.find(Method::Get, &path, ME, Matrix::Strict, |_| true).is_none());
    let found = rules.find(Method::Post, &path, ME, Matrix::Strict, |_| true).unwrap();
    assert_eq!(found, &texts[0]);
}

/// The own id as a value beside `#ID` is one way to the same node, not a second: two ways on each of 100 levels would take a
/// worker longer than anybody waits, and whoever may make a key could write that.
#[test]
fn naming_oneself_twice_does_not_explode() {
    let levels = 100;
    let segments: String = (0..levels).map(|level| format!("/{{p{level}}}")).collect();
    let bind = |values: &str| {
        let params: Vec<String> = (0..levels).map(|level| format!("p{level}={values}")).collect();
        permission(&format!("GET:{segments}/end:{}", params.join(";")))
    };
    for rule in [bind(&format!("#ID,{ME}")), bind(&format!("{ME},#ID,other"))] {
        let rules = Matcher::compile([&rule]);
        let find = |path: &str| rules.find(Method::Get, path, ME, Matrix::Strict, |_| true).is_some();
        let path = format!("/{ME}").repeat(levels);
        assert!(!find(&format!("{path}/x")));
        assert!(find(&format!("{path}/end")));
    }
}
