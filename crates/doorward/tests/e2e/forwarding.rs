//! The contract's part "To the backend" (`fusion.md`): what a backend gets to see, and what it can say.

use std::net::SocketAddr;

use testkit::raw::{self, Answer, Raw};
use testkit::{Doorward, Recorder, Reply};

use crate::common::{
    BINARY, PASSWORD, ask, assert_refused, basic, gateway, log_in, log_in_at, new_user, with_session,
};

fn get(address: SocketAddr, target: &str, headers: &[(&str, &str)]) -> Answer {
    ask(address, "GET", target, headers, "")
}

/// What a backend sees, whole: nothing of the client's credentials, nothing of his that only the gateway may say.
#[test]
fn contract_what_the_backend_sees() {
    let backend = Recorder::start();
    let gateway = gateway(&backend, "");
    let address = gateway.address();
    let token = log_in(address, "admin", PASSWORD);
    let mut client = Raw::connect(address);
    client.send(format!(
        "POST /api/collections/demo?a=1&b=%20x HTTP/1.1\r\nHost: fusion.example:8764\r\nUser-Agent: test\r\n\
         Cookie: theme=dark; id={token}; lang=de\r\nCookie: id={token}\r\nAuthorization: Basic !!!\r\nX-Api-Key: secret\r\n\
         apiKey: secret\r\nFusion-User-Id: 1\r\nfusion_user_id: 1\r\nFusion.User.Name: root\r\nfusion-roles: admin\r\n\
         X-Forwarded-User: root\r\nX_Forwarded_User: root\r\nX-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\n\
         X-Forwarded-Host: evil\r\nX-Forwarded-Port: 1\r\nX-Forwarded-Prefix: /x\r\nForwarded: for=6.6.6.6\r\n\
         X-Real-IP: 6.6.6.6\r\nRemote_User: root\r\nX-Original-URL: /api/users\r\nX-HTTP-Method-Override: DELETE\r\n\
         Via: 1.0 fred\r\nConnection: X-Hop, X-Forwarded-User, fusion-user-id\r\nX-Hop: 1\r\nProxy-Authorization: Basic x\r\n\
         Content-Type: application/json\r\nContent-Encoding: UTF-8\r\nContent-Length: 2\r\n\r\n{{}}"
    ));
    assert_eq!(client.read_answer().status, 200);
    let request = backend.wait_for(1).remove(0);
    assert_eq!(
        (request.method.as_str(), request.target.as_str()),
        ("POST", "/api/collections/demo?a=1&b=%20x")
    );
    assert_eq!(request.body, b"{}");
    let mut seen: Vec<_> =
        request.headers.iter().map(|(name, value)| format!("{}: {value}", name.to_lowercase())).collect();
    seen.sort();
    let mut expected = [
        "host: fusion.example:8764",
        "user-agent: test",
        "cookie: theme=dark; lang=de",
        "via: 1.0 fred",
        "via: 1.1 doorward",
        "content-type: application/json",
        "content-encoding: UTF-8",
        "content-length: 2",
        "fusion-user-id: 222a4bc8-4cd6-516f-9812-fae019463112",
        "fusion-user-name: admin",
        "fusion-user-realm: native",
        "x-forwarded-user: admin",
        "x-forwarded-for: 127.0.0.1",
        "x-forwarded-proto: http",
        "x-forwarded-host: fusion.example:8764",
    ];
    expected.sort_unstable();
    assert_eq!(seen, expected, "{}", request.head_text());
    assert!(backend.complaints().is_empty(), "{:?}", backend.complaints());
}

#[test]
fn case_7_only_a_trusted_proxys_word_of_the_hops_before_it_is_passed_on() {
    let backend = Recorder::start();
    let settings = format!(
        "trusted_proxies = [\"127.0.0.1/32\", \"10.0.0.0/8\"]\n[[mount]]\npath = \"/api\"\nupstream = \"{}\"\n",
        backend.url()
    );
    let gateway =
        Doorward::new(BINARY).environment("DOORWARD_ADMIN_PASSWORD", PASSWORD).settings(&settings).start();
    let shown = basic("admin", PASSWORD);
    let headers = [
        ("Authorization", shown.as_str()),
        ("X-Forwarded-For", "6.6.6.6, 203.0.113.9"),
        ("X-Forwarded-For", "10.1.2.3"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "api.example"),
        ("X-Forwarded-User", "root"),
    ];
    assert_eq!(get(gateway.address(), "/api/x", &headers).status, 200);
    let request = backend.wait_for(1).remove(0);
    assert_eq!(request.header("x-forwarded-for"), Some("6.6.6.6, 203.0.113.9, 10.1.2.3, 127.0.0.1"));
    assert_eq!(request.header("x-forwarded-proto"), Some("https"));
    assert_eq!(request.header("x-forwarded-host"), Some("api.example"));
    assert_eq!(request.header("x-forwarded-user"), Some("admin"), "never anybody's but ours");
    // The client is the first that is no trusted proxy, counted from here.
    let line = gateway.wait_for_log("\"/api/x\"");
    assert!(line.contains("203.0.113.9"), "{line}");
}

#[test]
fn contract_routes_other_upstreams_the_own_list_and_strip() {
    let (main, second) = (Recorder::start(), Recorder::start());
    let routes = format!(
        "own = [\"session\", \"users\"]\n\
         [[mount.route]]\npath = \"/status/**\"\nmethods = [\"GET\"]\npublic = true\nupstream = \"{0}\"\n\
         [[mount.route]]\npath = \"/solr/**\"\nupstream = \"{0}\"\n\
         [[mount]]\npath = \"/cut\"\nupstream = \"{0}\"\nstrip = true\n",
        second.url()
    );
    let gateway = gateway(&main, &routes);
    let address = gateway.address();
    let token = log_in(address, "admin", PASSWORD);
    let cut = log_in_at(address, "/cut");
    let last =
        |recorder: &Recorder| recorder.requests().pop().map(|request| request.target).unwrap_or_default();
    // Public: nobody need be known, and whoever shows something is not looked at, and not named to the backend.
    for headers in
        [&[][..], &[("Cookie", "id=x")], &[("Authorization", "Basic !!!")], &[("Cookie", "id=a; id=b")]]
    {
        assert_eq!(get(address, "/api/status/a/b", headers).status, 200, "{headers:?}");
    }
    let open = second.requests().pop().unwrap();
    assert_eq!(
        (open.target.as_str(), open.header("fusion-user-id"), open.header("cookie")),
        ("/api/status/a/b", None, None)
    );
    assert_refused(&ask(address, "POST", "/api/status/a", &[], ""), 401, "unauthorized", "another method");
    assert_eq!(with_session(address, "GET", "/api/solr/x?q=1", &token).status, 200);
    assert_eq!(last(&second), "/api/solr/x?q=1");
    assert_refused(&get(address, "/api/solr/x", &[]), 401, "unauthorized", "not public");
    assert!(main.requests().is_empty());
    // What is not on the list is the backend's.
    assert_eq!(with_session(address, "GET", "/api/roles", &token).status, 200);
    assert_eq!(last(&main), "/api/roles");
    assert_eq!(with_session(address, "GET", "/api/users", &token).status, 200);
    assert_eq!(main.requests().len(), 1);
    // Stripped, the backend sees the path below the mount, and the query as it came.
    for (asked, seen) in [("/cut/a/b?c=%2F", "/a/b?c=%2F"), ("/cut/a/", "/a/")] {
        assert_eq!(with_session(address, "GET", asked, &cut).status, 200, "{asked}");
        assert_eq!(last(&second), seen);
    }
    assert_refused(&get(address, "/elsewhere", &[]), 404, "not-found", "no mount");
    assert_eq!(get(address, "/.doorward/health", &[]).body_text(), "{\"status\":\"up\"}");
}

#[test]
fn contract_bodies_are_passed_through_untouched() {
    let backend = Recorder::start();
    let gateway = gateway(&backend, "");
    let shown = basic("admin", PASSWORD);
    let head = format!(
        "POST /api/index HTTP/1.1\r\nHost: a\r\nAuthorization: {shown}\r\nContent-Encoding: UTF-8\r\n\
         Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    let answer = raw::once(gateway.address(), format!("{head}5\r\n\x1f\u{8b}{{}}\r\n2\r\nab\r\n0\r\n\r\n"));
    assert_eq!(answer.status, 200);
    let request = backend.wait_for(1).remove(0);
    assert_eq!(request.body, "\x1f\u{8b}{}ab".as_bytes());
    assert_eq!(request.header("content-encoding"), Some("UTF-8"));
}

#[test]
fn asvs_58_the_backend_can_neither_set_nor_see_the_session_cookie() {
    let backend = Recorder::start();
    backend.script(|_| {
        let cookies = [
            ("Set-Cookie", "id=forged; Path=/api"),
            ("Set-Cookie", "theme=dark"),
            ("WWW-Authenticate", "Basic realm=\"b\""),
        ];
        Reply::answer("401 Unauthorized", &cookies, "theirs")
    });
    let gateway = gateway(&backend, "");
    let token = log_in(gateway.address(), "admin", PASSWORD);
    let answer = with_session(gateway.address(), "GET", "/api/x", &token);
    // Asvs 68: a backend's own 401 stays the backend's.
    assert_eq!((answer.status, answer.body_text()), (401, "theirs"));
    assert_eq!(answer.header("set-cookie"), Some("theme=dark"));
    assert_eq!(answer.header("www-authenticate"), Some("Basic realm=\"b\""));
    assert_eq!(backend.wait_for(1)[0].header("cookie"), None);
}

/// A name is told in one field, whatever is in it: bytes that no field can hold are percent-encoded.
#[test]
fn case_27_no_name_becomes_another_header_at_the_backend() {
    let backend = Recorder::start();
    let gateway = gateway(&backend, "");
    let password = "a good long password";
    let names = [
        ("r\u{e9}my", "r%C3%A9my"),
        ("a b", "a b"),
        ("50%", "50%25"),
        ("o'hara; x=\"1\", y", "o'hara; x=\"1\", y"),
        ("\u{1f980}", "%F0%9F%A6%80"),
    ];
    for (name, told) in names {
        let id = new_user(gateway.address(), name, password, &["readonly"]);
        let shown = basic(name, password);
        assert_eq!(get(gateway.address(), "/api/x", &[("Authorization", &shown)]).status, 200, "{name}");
        let request = backend.requests().pop().unwrap();
        assert_eq!(request.header("fusion-user-name"), Some(told));
        assert_eq!(request.header("x-forwarded-user"), Some(told));
        assert_eq!(request.header("fusion-user-id"), Some(id.as_str()));
    }
}
