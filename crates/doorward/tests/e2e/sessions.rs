//! The contract's part "Sessions" (`fusion.md`), row by row: log in, who am I, log out, and the cookie's every form.

mod apps;
mod caps;
mod idle;
mod listed;
mod mine;

use std::net::SocketAddr;
use std::process::Command;

use testkit::raw::{self, Answer, Raw};
use testkit::{Doorward, Nginx, Recorder};

use crate::common::{
    BINARY, PASSWORD, ask, assert_refused, basic, code, gateway, log_in, login_bytes, new_user, with_session,
};

const GOOD: &str = r#"{"username":"admin","password":"correct horse battery"}"#;
const FORM: &str = "username=admin&password=correct+horse+battery";

fn post(address: SocketAddr, target: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    ask(address, "POST", target, headers, body)
}

fn assert_is_token(token: &str) {
    let parts: Vec<_> = token.split('-').map(str::len).collect();
    assert_eq!(parts, [8, 4, 4, 4, 12], "{token}");
    assert!(token.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f' | b'-')), "{token}");
}

#[test]
fn contract_a_login_is_answered_byte_for_byte() {
    let backend = Recorder::start();
    let gateway = gateway(
        &backend,
        "[[mount]]\npath = \"/old\"\nupstream = \"http://127.0.0.1:1\"\ncookie_same_site = \"off\"",
    );
    let mut client = Raw::connect(gateway.address());
    client.send(login_bytes("admin", PASSWORD));
    let answer = client.read_answer();
    assert!(answer.head_text().starts_with("HTTP/1.1 201 Created\r\n"), "{}", answer.head_text());
    assert_eq!((answer.header("content-length"), answer.body.len()), (Some("0"), 0));
    let token = answer.set_cookie("id").unwrap().to_owned();
    assert_is_token(&token);
    assert_eq!(answer.header("set-cookie").unwrap(), format!("id={token};HttpOnly;Path=/api;SameSite=Lax"));
    assert_eq!(answer.header("content-type"), None);
    // asvs_31: nobody keeps an answer with a token in it.
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    // Nothing follows the head: the next answer on the connection begins where this one ended.
    client.send(raw::request("GET", "/api/session", &[("Cookie", &format!("id={token}"))], ""));
    assert_eq!(client.read_answer().status, 200);
    // The documents' own line, where the mount asks for it.
    let old = post(gateway.address(), "/old/session?realmName=native", &[], GOOD);
    let token = old.set_cookie("id").unwrap();
    assert_eq!(old.header("set-cookie").unwrap(), format!("id={token};HttpOnly;Path=/old"));
    assert!(backend.requests().is_empty());
}

#[test]
fn contract_the_cookies_forms() {
    const FORMS: [(&str, &str, &str); 7] = [
        ("/a", "cookie_secure = \"auto\"", ";HttpOnly;Path=/a;SameSite=Lax"),
        ("/b", "cookie_secure = \"always\"", ";Secure;HttpOnly;Path=/b;SameSite=Lax"),
        (
            "/c",
            "cookie_secure = \"never\"\ncookie_same_site = \"strict\"",
            ";HttpOnly;Path=/c;SameSite=Strict",
        ),
        (
            "/d",
            "cookie_secure = \"always\"\ncookie_same_site = \"none\"",
            ";Secure;HttpOnly;Path=/d;SameSite=None",
        ),
        ("/e", "cookie_secure = \"always\"\ncookie_same_site = \"off\"", ";Secure;HttpOnly;Path=/e"),
        ("/f/g", "cookie_same_site = \"off\"", ";HttpOnly;Path=/f/g"),
        ("/h", "cookie_secure = \"never\"", ";HttpOnly;Path=/h;SameSite=Lax"),
    ];
    let mounts: String = FORMS
        .iter()
        .map(|(path, more, _)| {
            format!("[[mount]]\npath = \"{path}\"\nupstream = \"http://127.0.0.1:1\"\n{more}\n")
        })
        .collect();
    let gateway =
        Doorward::new(BINARY).environment("DOORWARD_ADMIN_PASSWORD", PASSWORD).settings(&mounts).start();
    for (path, _, attributes) in FORMS {
        let given = post(gateway.address(), &format!("{path}/session"), &[], GOOD);
        let token = given.set_cookie("id").unwrap();
        assert_eq!(given.header("set-cookie").unwrap(), format!("id={token}{attributes}"));
        // Case 30: it is taken away with the same path and the same `Secure`, or browsers keep it.
        let shown = format!("id={token}");
        let taken = ask(gateway.address(), "DELETE", &format!("{path}/session"), &[("Cookie", &shown)], "");
        let taken = taken.header("set-cookie").unwrap();
        assert!(taken.starts_with(&format!("id={attributes};Max-Age=0;")), "{path}: {taken}");
    }
}

#[test]
fn contract_secure_comes_first_where_the_outside_is_tls() {
    let key =
        rcgen::generate_simple_self_signed(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let certificate = file("certificate.pem", key.cert.pem());
    let secret = file("key.pem", key.signing_key.serialize_pem());
    let settings = format!(
        "listen = [{{ address = \"127.0.0.1:0\", certificate = {certificate:?}, key = {secret:?} }}, \"127.0.0.1:0\"]\n\
         trusted_proxies = [\"127.0.0.1/32\"]\n\
         [[mount]]\npath = \"/api\"\nupstream = \"http://127.0.0.1:1\"\n"
    );
    let gateway = Doorward::new(BINARY)
        .environment("DOORWARD_ADMIN_PASSWORD", PASSWORD)
        .settings(&settings)
        .listeners(2)
        .start();
    let (tls, plain) = (gateway.addresses()[0], gateway.addresses()[1]);
    let url = format!("https://{tls}/api/session?realmName=native");
    let answer =
        curl(&["-i", "--cacert", &certificate, "-H", "Content-type:application/json", "-d", GOOD, &url]);
    let line = answer.lines().find(|line| line.starts_with("Set-Cookie: ")).unwrap();
    let token = line["Set-Cookie: id=".len()..].split(';').next().unwrap();
    assert_eq!(line.trim_end(), format!("Set-Cookie: id={token};Secure;HttpOnly;Path=/api;SameSite=Lax"));
    // A trusted proxy says what its own client's side is.
    for (told, secure) in [(None, false), (Some("https"), true), (Some("http"), false)] {
        let headers: Vec<_> = told.iter().map(|told| ("X-Forwarded-Proto", *told)).collect();
        let cookie = post(plain, "/api/session", &headers, GOOD);
        assert_eq!(
            cookie.header("set-cookie").unwrap().contains(";Secure;HttpOnly;Path=/api"),
            secure,
            "{told:?}"
        );
    }
}

#[test]
fn contract_nobody_but_a_trusted_proxy_says_that_the_outside_is_tls() {
    let gateway = gateway(&Recorder::start(), "");
    let headers = [("X-Forwarded-Proto", "https"), ("Forwarded", "proto=https")];
    let cookie = post(gateway.address(), "/api/session", &headers, GOOD);
    assert!(!cookie.header("set-cookie").unwrap().contains("Secure"));
}

/// Runs the real curl; its output.
fn curl(arguments: &[&str]) -> String {
    let run =
        Command::new("curl").arg("-sS").args(arguments).output().expect("install curl: apt-get install curl");
    assert!(run.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&run.stderr));
    String::from_utf8(run.stdout).unwrap()
}

/// The documents' own command lines, with the real curl, in front of a real nginx.
#[test]
fn contract_the_documents_own_curl_lines() {
    let nginx = Nginx::new()
        .json("/api/collections", r#"[{"id":"demo"}]"#)
        .json("/api/collections/system_logs", r#"{"id":"system_logs"}"#)
        .file("/api/files/hello.txt", "hello from nginx")
        .start();
    let settings =
        format!("[[mount]]\npath = \"/api\"\nupstream = \"{}\"\nidle_timeout = \"2s\"\n", nginx.url());
    let gateway =
        Doorward::new(BINARY).environment("DOORWARD_ADMIN_PASSWORD", PASSWORD).settings(&settings).start();
    let folder = tempfile::tempdir().unwrap();
    let jar = folder.path().join("cookies");
    let (jar, api) = (jar.to_str().unwrap(), format!("{}/api", gateway.url()));
    let login = format!("{api}/session?realmName=native");
    let header = "content-type:application/json";
    let answer = curl(&["-c", jar, "-i", "-H", header, "-X", "POST", "-d", GOOD, &login]);
    assert!(answer.starts_with("HTTP/1.1 201 Created\r\nSet-Cookie: id="), "{answer}");
    assert!(answer.contains(";HttpOnly;Path=/api;SameSite=Lax\r\nContent-Length: 0\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n"), "{answer}");
    assert_eq!(curl(&["-b", jar, &format!("{api}/collections")]), r#"[{"id":"demo"}]"#);
    assert_eq!(curl(&["-b", jar, &format!("{api}/files/hello.txt")]), "hello from nginx");
    let token = std::fs::read_to_string(jar).unwrap();
    let token = token.split_whitespace().last().unwrap();
    let me = curl(&[&format!("{api}/session"), "-H", &format!("Cookie: id={token}")]);
    assert!(me.contains(r#""username":"admin""#), "{me}");
    let user = format!("admin:{PASSWORD}");
    assert_eq!(curl(&["-u", &user, &format!("{api}/collections?realmName=native")]), r#"[{"id":"demo"}]"#);
    let late = testkit::patience::wait_until(|| {
        let polled =
            curl(&["-b", jar, "-i", &format!("{api}/collections/system_logs?_noSessionRefresh=true")]);
        polled.starts_with("HTTP/1.1 401 Unauthorized\r\n").then_some(polled)
    });
    let late = late.expect("the session idles out");
    assert!(late.contains("\r\nContent-Type: application/json; charset=utf-8\r\n"), "{late}");
    assert!(late.contains("\r\nContent-Length: 31\r\n"), "{late}");
    assert!(late.ends_with("\r\n\r\n{\"code\":\"session-idle-timeout\"}"), "{late}");
    curl(&["-c", jar, "-H", header, "-d", GOOD, &login]);
    assert_eq!(
        curl(&["-b", jar, "-c", jar, "-X", "DELETE", "-w", "%{http_code}", &format!("{api}/session")]),
        "204"
    );
    let left = std::fs::read_to_string(jar).unwrap();
    assert!(!left.contains("\tid\t"), "curl has thrown the cookie away: {left}");
    assert!(!nginx.access_log().contains("/session"), "{}", nginx.access_log());
}

#[test]
fn contract_the_bodies_and_media_types_that_log_in() {
    let gateway = gateway(&Recorder::start(), "");
    let types = [
        "application/json",
        "application/json;charset=utf-8",
        "application/json; charset=ISO-8859-1",
        "Application/JSON ; charset=\"UTF-8\"",
    ];
    for media in types {
        let answer = post(gateway.address(), "/api/session", &[("Content-Type", media)], GOOD);
        assert_eq!(answer.status, 201, "{media}");
    }
    let bodies = [
        r#"{"password":"correct horse battery","username":"admin"}"#,
        r#"{"username":"admin","password":"correct horse battery","rememberMe":true,"more":{"username":"x"}}"#,
        r#"{"username":"\u0061dmin","password":"correct\u0020horse battery"}"#,
        " \r\n\t{\"username\" : \"ADMIN\", \"password\":\"correct horse battery\" }\n",
    ];
    for body in bodies {
        assert_eq!(post(gateway.address(), "/api/session", &[], body).status, 201, "{body}");
    }
    let chunked = format!(
        "POST /api/session HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n\
         {:x}\r\n{GOOD}\r\n0\r\n\r\n",
        GOOD.len()
    );
    assert_eq!(raw::once(gateway.address(), chunked).status, 201);
}

/// Case 17 and the contract's 400 row. One failure would lock `admin` out here, so the last login shows that none of
/// these was an attempt.
#[test]
fn case_17_bodies_that_are_no_login_are_no_attempt() {
    let gateway = gateway(&Recorder::start(), "[login]\nattempts_per_user = 1");
    let address = gateway.address();
    let of_form = ("Content-Type", "application/x-www-form-urlencoded");
    assert_refused(&post(address, "/api/session", &[of_form], FORM), 400, "bad-request", "form");
    assert_refused(
        &post(address, &format!("/api/session?{FORM}"), &[], ""),
        400,
        "bad-request",
        "query string",
    );
    let json = ("Content-Type", "application/json");
    assert_refused(
        &post(address, &format!("/api/session?{FORM}"), &[json], ""),
        400,
        "bad-request",
        "query, json",
    );
    assert_refused(
        &post(address, "/api/session?realmName=nowhere", &[], "{}"),
        400,
        "bad-request",
        "and a realm",
    );
    let bodies = [
        "",
        "{",
        "null",
        "7",
        "[]",
        "{}",
        r#""admin""#,
        r#"["admin","correct horse battery"]"#,
        r#"{"username":"admin"}"#,
        r#"{"password":"correct horse battery"}"#,
        r#"{"username":"","password":"correct horse battery"}"#,
        r#"{"username":"admin","password":""}"#,
        r#"{"username":"admin","password":"\u0000"}"#,
        r#"{"username":"admin","password":"\u0000\u0000"}"#,
        r#"{"username":"admin","password":"  "}"#,
        r#"{"username":"admin","password":null}"#,
        r#"{"username":["admin"],"password":"correct horse battery"}"#,
        r#"{"username":"admin","password":7}"#,
        r#"{"username":"admin","username":"admin","password":"correct horse battery"}"#,
        r#"{"username":"admin","password":"x","password":"correct horse battery"}"#,
        r#"{"username":"admin","password":"correct horse battery"} {}"#,
        r#"{"username":"admin","password":"correct horse battery",}"#,
        r#"{'username':'admin','password':'correct horse battery'}"#,
        r#"{"username":"admin","password":"\ud800"}"#,
    ];
    for body in bodies {
        assert_refused(&post(address, "/api/session", &[json], body), 400, "bad-request", body);
    }
    for bytes in [&b"{\"username\":\"admin\",\"password\":\"\xff\xfe\"}"[..], b"\xef\xbb\xbf{}", b"\0"] {
        let head = format!(
            "POST /api/session HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            bytes.len()
        );
        let answer = raw::once(address, [head.as_bytes(), bytes].concat());
        assert_refused(&answer, 400, "bad-request", &format!("{bytes:?}"));
    }
    for (name, length) in [("username", 257), ("password", 1_025)] {
        let mut body = serde_json::json!({ "username": "admin", "password": "x" });
        body[name] = "x".repeat(length).into();
        assert_refused(&post(address, "/api/session", &[], &body.to_string()), 400, "bad-request", name);
    }
    assert_eq!(post(address, "/api/session", &[], GOOD).status, 201);
}

#[test]
fn contract_json_under_another_media_type_is_415() {
    let gateway = gateway(&Recorder::start(), "");
    let wrong: [&[(&str, &str)]; 5] = [
        &[("Content-Type", "text/plain")],
        &[("Content-Type", "application/x-www-form-urlencoded")],
        &[("Content-Type", "application/vnd.api+json")],
        &[("Content-Type", "")],
        &[("Content-Type", "application/json"), ("Content-Type", "text/plain")],
    ];
    for headers in wrong {
        let answer = post(gateway.address(), "/api/session", headers, GOOD);
        assert_refused(&answer, 415, "unsupported-media-type", &format!("{headers:?}"));
    }
    let none =
        format!("POST /api/session HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{GOOD}", GOOD.len());
    assert_refused(
        &raw::once(gateway.address(), none),
        415,
        "unsupported-media-type",
        "no media type at all",
    );
}

#[test]
fn contract_the_realm_of_a_login() {
    let gateway = gateway(&Recorder::start(), "");
    let login = |query: &str| post(gateway.address(), &format!("/api/session{query}"), &[], GOOD);
    for query in
        ["", "?", "?realmName=native", "?realmName=%6eative", "?a=b&realmName=native&c", "?realmname=x"]
    {
        assert_eq!(login(query).status, 201, "{query}");
    }
    assert_eq!(login("?realmName=native&realmName=native").status, 201);
    for query in [
        "?realmName=nowhere",
        "?realmName=Native",
        "?realmName=",
        "?realmName",
        "?realmName=%ff",
        "?realmName=native%00",
    ] {
        assert_refused(&login(query), 401, "unknown-realm", query);
    }
    assert_refused(&login("?realmName=native&realmName=other"), 400, "bad-request", "two realms");
    // The challenge names the realm that was asked for, and repeats nothing that could break out of it.
    let challenge = |query| login(query).header("www-authenticate").unwrap().to_owned();
    assert_eq!(challenge("?realmName=nowhere"), "Cookie realm=\"nowhere\"");
    assert_eq!(challenge("?realmName=a%22,Basic%20realm=%22b"), "Cookie realm=\"native\"");
}

#[test]
fn asvs_6_a_login_is_judged_by_its_body_alone_and_ends_the_session_that_came_along() {
    let more = "[[mount]]\npath = \"/other\"\nupstream = \"http://127.0.0.1:1\"";
    let gateway = gateway(&Recorder::start(), more);
    let address = gateway.address();
    let live = log_in(address, "admin", PASSWORD);
    let foreign = post(address, "/other/session", &[], GOOD).set_cookie("id").unwrap().to_owned();
    let two = format!("id={live}; id=00000000-0000-4000-8000-000000000000");
    let cookies = [
        "id=00000000-0000-4000-8000-000000000000".to_owned(),
        "id=".to_owned(),
        "id=\"; DROP TABLE".to_owned(),
        format!("id={}", "x".repeat(4_000)),
        format!("id={foreign}"),
        two,
    ];
    let mut seen = vec![live.clone(), foreign.clone()];
    for cookie in &cookies {
        let answer =
            post(address, "/api/session", &[("Cookie", cookie), ("Authorization", "Basic !!!")], GOOD);
        assert_eq!(answer.status, 201, "{cookie}");
        assert_eq!(answer.header_values("set-cookie").len(), 1);
        let new = answer.set_cookie("id").unwrap().to_owned();
        assert!(!seen.contains(&new), "asvs_28: an id that came along is never adopted");
        seen.push(new);
    }
    let status = |target, token: &str| with_session(address, "GET", target, token);
    // The live one ended with the login that it came along to; the one of another mount is none of this login's.
    assert_refused(&status("/api/session", &live), 401, "session-unknown", "the replaced session");
    assert_eq!(status("/other/session", &foreign).status, 200);
    let newest = seen.last().unwrap();
    assert_eq!(status("/api/session", newest).status, 200);
    // A login that fails ends nothing.
    let failed = post(
        address,
        "/api/session",
        &[("Cookie", &format!("id={newest}"))],
        r#"{"username":"admin","password":"x"}"#,
    );
    assert_eq!(failed.status, 401);
    assert_eq!(status("/api/session", newest).status, 200);
}

#[test]
fn contract_who_am_i() {
    let roles = "[[realm]]\nname = \"native\"\ntype = \"native\"\nroles = [\"search\", \"admin\"]";
    let gateway = gateway(&Recorder::start(), roles);
    let address = gateway.address();
    let token = log_in(address, "admin", PASSWORD);
    let answer = with_session(address, "GET", "/api/session", &token);
    assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
    let told: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    let user = &told["user"];
    assert_eq!((&user["username"], &user["realmName"]), (&"admin".into(), &"native".into()));
    // The same on every installation (RFC 9562 section 5.5).
    assert_eq!(user["id"], "222a4bc8-4cd6-516f-9812-fae019463112");
    assert_eq!(user["roleNames"], serde_json::json!(["admin"]));
    assert_eq!(user["permissions"], serde_json::json!([]));
    assert!(user.get("password").is_none() && !answer.body_text().contains("argon2"));
    let names: Vec<_> =
        told["roles"].as_array().unwrap().iter().map(|role| role["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["admin", "search"], "given directly, then inherited, each once");
    for role in told["roles"].as_array().unwrap() {
        for key in ["id", "name", "desc", "permissions", "uiPermissions", "createdAt"] {
            assert!(role.get(key).is_some(), "{key}: {role}");
        }
        assert_is_stamp(&role["createdAt"]);
    }
    assert_is_stamp(&user["createdAt"]);
    // By any other valid credentials, with a realm that is named to no effect, and without a body.
    let shown = basic("admin", PASSWORD);
    assert_eq!(ask(address, "GET", "/api/session", &[("Authorization", &shown)], "").body, answer.body);
    assert_eq!(with_session(address, "GET", "/api/session?realmName=nowhere", &token).body, answer.body);
    let head = with_session(address, "HEAD", "/api/session", &token);
    assert_eq!((head.status, head.body.len()), (200, 0));
    for name in ["content-length", "content-type", "cache-control"] {
        assert_eq!(head.header(name), answer.header(name), "{name}");
    }
    // Whoever is known may ask, whatever he may otherwise do.
    new_user(address, "plain", "a good long password", &[]);
    let plain = log_in(address, "plain", "a good long password");
    assert_eq!(with_session(address, "GET", "/api/session", &plain).status, 200);
    assert_refused(&ask(address, "GET", "/api/session", &[], ""), 401, "unauthorized", "nobody");
}

fn assert_is_stamp(value: &serde_json::Value) {
    let text = value.as_str().unwrap();
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert_eq!(shape, "0000-00-00T00:00:00Z", "{text}");
}

#[test]
fn asvs_9_after_a_logout_the_session_is_dead_and_stays_dead() {
    let mut gateway = gateway(&Recorder::start(), "");
    let address = gateway.address();
    let (ended, kept) = (log_in(address, "admin", PASSWORD), log_in(address, "admin", PASSWORD));
    let answer = with_session(address, "DELETE", "/api/session?realmName=nowhere", &ended);
    assert_eq!((answer.status, answer.body.len()), (204, 0));
    assert_eq!((answer.header("content-length"), answer.header("content-type")), (None, None));
    let removed = "id=;HttpOnly;Path=/api;SameSite=Lax;Max-Age=0;Expires=Thu, 01 Jan 1970 00:00:00 GMT";
    assert_eq!(answer.header("set-cookie"), Some(removed));
    assert_refused(&with_session(address, "GET", "/api/session", &ended), 401, "session-unknown", "at once");
    // Also where no session is live.
    for cookie in [format!("id={ended}"), "id=x".to_owned(), "id=".to_owned(), "other=1".to_owned()] {
        let again = ask(address, "DELETE", "/api/session", &[("Cookie", &cookie)], "");
        assert_eq!((again.status, again.header("set-cookie")), (204, Some(removed)), "{cookie}");
    }
    assert_eq!(ask(address, "DELETE", "/api/session", &[], "").status, 204);
    // Of two different cookies nobody says which.
    let two = format!("id={kept}; id={ended}");
    assert_refused(
        &ask(address, "DELETE", "/api/session", &[("Cookie", &two)], ""),
        400,
        "bad-request",
        "two cookies",
    );
    // Case 35: no logout by GET.
    assert_eq!(with_session(address, "GET", "/api/session", &kept).status, 200);
    gateway.kill();
    gateway.restart();
    let address = gateway.address();
    assert_eq!(with_session(address, "GET", "/api/session", &kept).status, 200, "survives a crash");
    assert_refused(
        &with_session(address, "GET", "/api/session", &ended),
        401,
        "session-unknown",
        "after a crash",
    );
}

#[test]
fn asvs_5_tokens_are_random_and_stored_as_hashes_only() {
    let mut gateway = gateway(&Recorder::start(), "");
    let address = gateway.address();
    let tokens: Vec<_> = (0..24).map(|_| log_in(address, "admin", PASSWORD)).collect();
    for token in &tokens {
        assert_is_token(token);
    }
    // No place of the 32 is the same in all of them: there is no version, no time, no counter in a token.
    for place in (0..36).filter(|place| ![8, 13, 18, 23].contains(place)) {
        let first = tokens[0].as_bytes()[place];
        assert!(tokens.iter().any(|token| token.as_bytes()[place] != first), "place {place}");
    }
    let data = gateway.data();
    assert_eq!(gateway.terminate().code, Some(0));
    let bits = |token: &str| -> Vec<u8> {
        let digits: String = token.chars().filter(|c| *c != '-').collect();
        (0..16).map(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).unwrap()).collect()
    };
    for file in std::fs::read_dir(data).unwrap() {
        let file = file.unwrap().path();
        let stored = std::fs::read(&file).unwrap();
        let holds = |needle: &[u8]| stored.windows(needle.len()).any(|window| window == needle);
        for token in &tokens {
            assert!(!holds(token.as_bytes()) && !holds(&bits(token)), "a token in {}", file.display());
        }
        assert!(!holds(PASSWORD.as_bytes()), "a password in {}", file.display());
    }
}

/// ASVS 26 and 104, case 35: a page of another site can neither log its visitor in nor out.
#[test]
fn case_35_another_site_cannot_log_anybody_in_or_out() {
    let gateway = gateway(&Recorder::start(), "");
    let address = gateway.address();
    let host = ("Host", "gateway.test:8764");
    let allowed: [&[(&str, &str)]; 5] = [
        &[host],
        &[host, ("Sec-Fetch-Site", "same-origin"), ("Origin", "http://gateway.test:8764")],
        &[host, ("Sec-Fetch-Site", "none")],
        &[host, ("Origin", "http://gateway.test:8764")],
        &[host, ("Origin", "http://GATEWAY.test:8764")],
    ];
    for headers in allowed {
        assert_eq!(post(address, "/api/session", headers, GOOD).status, 201, "{headers:?}");
    }
    let token = log_in(address, "admin", PASSWORD);
    let shown = format!("id={token}");
    let refused: [(&str, &str); 7] = [
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Site", "same-site"),
        ("Sec-Fetch-Site", ""),
        ("Origin", "null"),
        ("Origin", "https://gateway.test:8764"),
        ("Origin", "http://gateway.test"),
        ("Origin", "http://gateway.test:8764.evil.test"),
    ];
    for header in refused {
        assert_refused(
            &post(address, "/api/session", &[host, header], GOOD),
            403,
            "forbidden",
            &format!("{header:?}"),
        );
        let logout = ask(address, "DELETE", "/api/session", &[host, header, ("Cookie", &shown)], "");
        assert_refused(&logout, 403, "forbidden", &format!("{header:?}"));
        // Reading changes nothing, so it is the browser's business.
        assert_eq!(ask(address, "GET", "/api/session", &[host, header, ("Cookie", &shown)], "").status, 200);
    }
}

#[test]
fn asvs_2_the_cap_ends_the_session_that_idled_longest() {
    let gateway = gateway(&Recorder::start(), "max_sessions_per_user = 2");
    let address = gateway.address();
    let tokens = [(); 3].map(|()| log_in(address, "admin", PASSWORD));
    let status = |token: &str| with_session(address, "GET", "/api/session", token);
    assert_refused(&status(&tokens[0]), 401, "session-unknown", "evicted");
    assert_eq!((status(&tokens[1]).status, status(&tokens[2]).status), (200, 200));
}

/// Other methods are not for these paths; the answer says which are.
#[test]
fn asvs_75_only_the_methods_of_the_endpoint() {
    let gateway = gateway(&Recorder::start(), "");
    for method in ["PUT", "PATCH", "OPTIONS"] {
        let answer = ask(gateway.address(), method, "/api/session", &[], "");
        assert_refused(&answer, 405, "method-not-allowed", method);
        assert_eq!(answer.header("allow"), Some("GET, HEAD, POST, DELETE"));
    }
    let trace = ask(gateway.address(), "TRACE", "/api/session", &[], "");
    assert_refused(&trace, 405, "method-not-allowed", "TRACE");
    for method in ["get", "GETX", "PROPFIND"] {
        assert_eq!(
            code(&ask(gateway.address(), method, "/api/session", &[], "")),
            "not-implemented",
            "{method}"
        );
    }
}
