//! Beside mounts of other dialects: a session of one is unknown to the others, and no backend sees or sets our cookie, whatever
//! its mount speaks.

use testkit::{Recorder, Reply};

use super::{SESSION, cookie, credentials, json, mount, start};
use crate::common::{PASSWORD, as_admin, ask, log_in, with_session};

#[test]
fn a_session_of_one_dialect_is_unknown_to_the_others() {
    let backend = Recorder::start();
    let url = backend.url();
    let fusion = |more: &str| format!("[[mount]]\npath = \"/api\"\nupstream = \"{url}\"\n{more}\n");
    let body = credentials("admin", PASSWORD).to_string();
    for (more, shared) in [("", false), ("session_scope = \"plain\"", true)] {
        let gateway = start(&format!("{}{}", fusion(more), mount(&backend, "/")));
        let address = gateway.address();
        let answer = ask(address, "POST", SESSION, &[], &body);
        let (plain, other) =
            (answer.set_cookie("doorward").unwrap().to_owned(), log_in(address, "admin", PASSWORD));
        let status = |target: &str, jar: &str| ask(address, "GET", target, &[("Cookie", jar)], "").status;
        assert_eq!(
            (status("/x", &cookie(&plain)), with_session(address, "GET", "/api/x", &other).status),
            (200, 200)
        );
        let swapped = if shared { 200 } else { 401 };
        assert_eq!(status("/x", &cookie(&other)), swapped);
        assert_eq!(status("/api/x", &format!("id={plain}")), swapped);
        assert_eq!(status("/x", &format!("id={other}")), 401);
        assert_eq!(status("/api/x", &cookie(&plain)), 401);
        assert_eq!(ask(address, "GET", "/.doorward/session", &[("Cookie", &cookie(&plain))], "").status, 200);
    }
}

#[test]
fn case_31_no_backend_sees_or_sets_the_cookie_of_the_host() {
    let backend = Recorder::start();
    let url = backend.url();
    backend.script(|_| {
        let headers = [
            ("Set-Cookie", "doorward=planted; Path=/"),
            ("Set-Cookie", "__Host-doorward=planted; Secure; Path=/"),
            ("Set-Cookie", "own=1"),
        ];
        Reply::answer("200 OK", &headers, "")
    });
    let open = "[[mount.route]]\npath = \"/**\"\npublic = true\n";
    let others = format!(
        "[[mount]]\npath = \"/api\"\nupstream = \"{url}\"\n{open}\
         [[mount]]\npath = \"/engine/api\"\ndialect = \"ovirt\"\nupstream = \"{url}\"\n{open}"
    );
    let gateway = start(&format!("{others}{}{open}", mount(&backend, "/")));
    for target in ["/api/x", "/engine/api/x", "/x"] {
        let jar = [("Cookie", "a=1; doorward=CANARY; __Host-doorward=CANARY; b=2")];
        let answer = ask(gateway.address(), "GET", target, &jar, "");
        assert_eq!((answer.status, answer.header_values("set-cookie")), (200, vec!["own=1"]), "{target}");
        assert_eq!(backend.wait_for(1)[0].header("cookie"), Some("a=1; b=2"), "{target}");
        backend.forget();
    }
    assert_eq!(json(&ask(gateway.address(), "GET", SESSION, &[], ""))["code"], "unauthorized");
}

/// Where no dialect reads keys from the query, a key there is a mistake of the client's, and no backend learns it.
#[test]
fn asvs_16_no_backend_sees_a_key_of_the_query() {
    let backend = Recorder::start();
    let url = backend.url();
    let open = "[[mount.route]]\npath = \"/open\"\npublic = true\n";
    let others = format!(
        "[[mount]]\npath = \"/api\"\nupstream = \"{url}\"\n{open}\
         [[mount]]\npath = \"/engine/api\"\ndialect = \"ovirt\"\nupstream = \"{url}\"\n{open}"
    );
    let gateway = start(&format!("{others}{}{open}", mount(&backend, "/")));
    let address = gateway.address();
    let (status, made) = as_admin(address, "POST", "/api-keys", r#"{"name":"ci"}"#);
    assert_eq!(status, 201, "{made}");
    let key = made["key"].as_str().unwrap();
    let bearer = format!("Bearer {key}");
    for mount in ["/api", "/engine/api", ""] {
        for (path, shown) in [("/x", &[("Authorization", &*bearer)][..]), ("/open", &[])] {
            let target = format!("{mount}{path}?a=1&apiKey={key}&b=%20");
            assert_eq!(ask(address, "GET", &target, shown, "").status, 200, "{target}");
            assert_eq!(backend.wait_for(1)[0].target, format!("{mount}{path}?a=1&b=%20"));
            backend.forget();
        }
    }
    // It lets nobody in there, and a backend's own parameter of that name is the backend's.
    for mount in ["/engine/api", ""] {
        assert_eq!(ask(address, "GET", &format!("{mount}/x?apiKey={key}"), &[], "").status, 401);
        let target = format!("{mount}/open?apiKey=theirs");
        assert_eq!(ask(address, "GET", &target, &[], "").status, 200);
        assert_eq!(backend.wait_for(1)[0].target, target);
        backend.forget();
    }
}

#[test]
fn case_31_only_cookies_that_some_mount_has_are_kept_from_backends() {
    let backend = Recorder::start();
    backend.script(|_| {
        let headers = [("Set-Cookie", "id=own; Path=/"), ("Set-Cookie", "doorward=planted; Path=/")];
        Reply::answer("200 OK", &headers, "")
    });
    let open = "[[mount.route]]\npath = \"/**\"\npublic = true\n";
    let url = backend.url();
    let fusion = format!("[[mount]]\npath = \"/api\"\nupstream = \"{url}\"\n{open}");
    // A dialect that no mount speaks has no cookies; that of the host is kept where it was once given out, and might be again.
    for (mounts, target, passed) in [
        (format!("{}{open}", mount(&backend, "/")), "/x", vec!["id=own; Path=/"]),
        (fusion, "/api/x", vec![]),
    ] {
        let gateway = start(&mounts);
        let answer = ask(gateway.address(), "GET", target, &[], "");
        assert_eq!((answer.status, answer.header_values("set-cookie")), (200, passed), "{target}");
    }
}
