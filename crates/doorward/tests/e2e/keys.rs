//! API keys (`fusion.md`, "Tokens and keys"; security.md row 33 and case 26): made, shown once, used, narrowed, taken back;
//! and those who guess at keys and tokens.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::patience::wait_until;
use testkit::raw::{Answer, Raw};
use testkit::{Doorward, Recorder};

use crate::common::{
    BINARY, PASSWORD, as_admin, ask, assert_refused, basic, code, command, create_user_with, gateway, log_in,
    new_user, session_bytes, with_session,
};
use crate::first_start::setup_token;

const LONG: &str = "a good long password";
const NOBODY: &str = "00000000-0000-4000-8000-000000000000";
/// Header fields of a request.
type Shown<'a> = &'a [(&'a str, &'a str)];

const FIELDS: [&str; 8] =
    ["id", "name", "userId", "permissions", "expiresAt", "createdAt", "lastUsedAt", "lastUsedFrom"];

/// Makes a key as this user, by Basic; its id and its text.
fn new_key(address: SocketAddr, user: &str, password: &str, body: &Value) -> (String, String) {
    let shown = basic(user, password);
    let answer = ask(address, "POST", "/api/api-keys", &[("Authorization", &shown)], &body.to_string());
    assert_eq!(answer.status, 201, "{}", answer.body_text());
    let made: Value = serde_json::from_slice(&answer.body).unwrap();
    (text(&made, "id"), text(&made, "key"))
}

fn text(object: &Value, field: &str) -> String {
    object[field].as_str().unwrap_or_else(|| panic!("{field} in {object}")).to_owned()
}

fn with_key(address: SocketAddr, method: &str, path: &str, key: &str) -> Answer {
    ask(address, method, &format!("/api{path}"), &[("x-api-key", key)], "")
}

fn as_user(address: SocketAddr, user: &str, method: &str, path: &str, body: &str) -> (u16, Value) {
    let answer = ask(address, method, &format!("/api{path}"), &[("Authorization", &basic(user, LONG))], body);
    (answer.status, serde_json::from_slice(&answer.body).unwrap_or_default())
}

fn fields(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

fn names(list: &Value) -> Vec<&str> {
    let mut names: Vec<_> =
        list.as_array().unwrap().iter().map(|key| key["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    names
}

#[test]
fn contract_a_key_is_made_shown_once_listed_and_taken_back() {
    let backend = Recorder::start();
    let mut gateway = gateway(&backend, "");
    let address = gateway.address();
    let alice = new_user(address, "alice", LONG, &["readonly"]);
    let body = json!({
        "name": "the team's", "userId": alice, "permissions": ["GET:/collections/*", { "methods": ["GET"], "path": "/session" }],
        "expiresAt": "2999-12-31T23:59:59Z",
    });
    let (status, made) = as_admin(address, "POST", "/api-keys", &body.to_string());
    assert_eq!(status, 201, "{made}");
    assert_eq!(fields(&made), [&FIELDS[..], &["key"]].concat());
    let (id, key) = (text(&made, "id"), text(&made, "key"));
    assert!(key.starts_with("dwk_") && key.len() == 68, "{key}");
    assert_eq!((&made["userId"], &made["expiresAt"]), (&json!(alice), &json!("2999-12-31T23:59:59Z")));
    assert_eq!(made["permissions"][0], json!({ "methods": ["GET"], "path": "/collections/*" }));
    // Seen again as often as one likes, and never with its text or a hash of it.
    let path = format!("/api-keys/{id}");
    let (status, read) = as_admin(address, "GET", &path, "");
    assert_eq!((status, fields(&read)), (200, FIELDS.to_vec()));
    assert_eq!(as_admin(address, "GET", "/api-keys", ""), (200, json!([read])));
    assert_eq!(as_admin(address, "HEAD", &path, "").0, 200);
    let whole = json!({ "name": "all that admin may", "permissions": null, "expiresAt": null });
    let (status, made) = as_admin(address, "POST", "/api-keys", &whole.to_string());
    assert_eq!((status, &made["permissions"], &made["expiresAt"]), (201, &Value::Null, &Value::Null));
    assert_eq!(with_key(address, "GET", "/users", &text(&made, "key")).status, 200);
    // Taken back, the very next request with it is refused; a restart changes nothing.
    assert_eq!(with_key(address, "GET", "/collections/x", &key).status, 200);
    // Who did what for whom, and never the key.
    let line: Value = serde_json::from_str(&gateway.wait_for_log("key.create")).unwrap();
    let detail = line["detail"].as_str().unwrap();
    assert!(
        detail.contains("\"alice\" of \"native\"")
            && detail.contains("permissions=GET:/collections/* GET:/session"),
        "{line}"
    );
    assert_eq!((&line["subject"], &line["client.address"]), (&json!(id), &json!("127.0.0.1")));
    assert!(!gateway.terminate().stderr.contains("dwk_"));
    gateway.restart();
    let address = gateway.address();
    assert_eq!(with_key(address, "GET", "/collections/x", &key).status, 200);
    assert_eq!(as_admin(address, "DELETE", &path, ""), (204, Value::Null));
    assert_refused(&with_key(address, "GET", "/collections/x", &key), 401, "invalid-token", "taken back");
    assert_eq!(as_admin(address, "DELETE", &path, "").0, 404);
    assert_eq!(as_admin(address, "GET", &path, "").0, 404);
    assert!(gateway.wait_for_log("key.delete").contains(&id));
    gateway.restart();
    assert_refused(
        &with_key(gateway.address(), "GET", "/collections/x", &key),
        401,
        "invalid-token",
        "restart",
    );
}

#[test]
fn contract_wrong_keys_are_told_what_is_wrong() {
    let backend = Recorder::start();
    let gateway = gateway(&backend, "");
    let address = gateway.address();
    let bad = [
        (json!({}), "name"),
        (json!({ "name": "" }), "name"),
        (json!({ "name": "a\nb" }), "name"),
        (json!({ "name": "x".repeat(129) }), "name"),
        (json!({ "name": "a", "userId": NOBODY }), "userId"),
        (json!({ "name": "a", "userId": "x" }), "userId"),
        (json!({ "name": "a", "userId": NOBODY, "username": "admin" }), "userId"),
        (json!({ "name": "a", "username": "nobody" }), "username"),
        (json!({ "name": "a", "username": "admin", "realmName": "nowhere" }), "username"),
        (json!({ "name": "a", "realmName": "native" }), "realmName"),
        (json!({ "name": "a", "expiresAt": "2020-01-01T00:00:00Z" }), "expiresAt"),
        (json!({ "name": "a", "expiresAt": "tomorrow" }), "expiresAt"),
        (json!({ "name": "a", "permissions": ["GET"] }), "body"),
        (json!({ "name": "a", "permissions": vec!["GET:/x"; 1_025] }), "permissions"),
        (json!({ "name": "a", "key": "dwk_mine" }), "body"),
    ];
    for (body, field) in bad {
        let (status, told) = as_admin(address, "POST", "/api-keys", &body.to_string());
        assert_eq!(
            (status, told["code"].as_str(), &told["field"]),
            (400, Some("bad-request"), &json!(field)),
            "{body}"
        );
    }
    assert_eq!(as_admin(address, "GET", "/api-keys", ""), (200, json!([])), "nothing was made");
    for path in
        ["/api-keys/x", &format!("/api-keys/{NOBODY}"), &format!("/api-keys/{}", NOBODY.to_uppercase())]
    {
        for method in ["GET", "DELETE"] {
            assert_eq!(as_admin(address, method, path, "").0, 404, "{method} {path}");
        }
    }
    assert_eq!(as_admin(address, "GET", "/api-keys?user=x", "").0, 400);
    // By name, in any spelling of it.
    let named = json!({ "name": "a", "username": "ADMIN", "realmName": "native" });
    let (status, made) = as_admin(address, "POST", "/api-keys", &named.to_string());
    assert_eq!(
        (status, &made["userId"]),
        (201, &as_admin(address, "GET", "/users?username=admin", "").1[0]["id"])
    );
}

#[test]
fn contract_lists_of_keys_are_filtered_and_paged() {
    let backend = Recorder::start();
    let gateway = gateway(&backend, "");
    let address = gateway.address();
    let alice = new_user(address, "alice", LONG, &[]);
    for (name, user) in [("a", "alice"), ("b", "alice"), ("a", "admin")] {
        new_key(address, "admin", PASSWORD, &json!({ "name": name, "username": user }));
    }
    let list = |query: &str| as_admin(address, "GET", &format!("/api-keys{query}"), "").1;
    assert_eq!(names(&list("")), ["a", "a", "b"]);
    assert_eq!(names(&list("?name=a")), ["a", "a"]);
    assert_eq!(names(&list(&format!("?user={alice}"))), ["a", "b"]);
    assert_eq!(names(&list("?username=ALICE&realm=native&name=b")), ["b"]);
    assert_eq!(list("?username=alice&realm=other"), json!([]));
    // By a key in the query: the way to the next page does not carry it, or the key would stand in an answer.
    let (_, key) = new_key(address, "admin", PASSWORD, &json!({ "name": "pages" }));
    let (mut seen, mut target) = (0, "/api/api-keys?limit=1&name=a".to_owned());
    loop {
        let page = ask(address, "GET", &format!("{target}&api%4bey={key}"), &[], "");
        assert_eq!(page.status, 200, "{target}");
        assert!(!String::from_utf8_lossy(&page.raw).contains(&key[4..]), "{page:?}");
        seen += serde_json::from_slice::<Value>(&page.body).unwrap().as_array().unwrap().len();
        let Some(link) = page.header("link") else { break };
        target = link.strip_prefix('<').unwrap().strip_suffix(">; rel=\"next\"").unwrap().to_owned();
    }
    assert_eq!(seen, 2);
}

/// A team may read one collection, ask one pipeline and send signals; with its user's password it could do far more.
#[test]
fn contract_a_teams_key_gets_only_the_three_calls_it_needs() {
    let backend = Recorder::start();
    let gateway = gateway(&backend, "");
    let address = gateway.address();
    new_user(address, "team", LONG, &["developer"]);
    let three = json!([
        "GET:/collections/{id}:id=demo",
        { "methods": ["POST"], "path": "/query-pipelines/{p}/collections/demo/select", "params": { "p": ["search"] } },
        "POST:/signals/demo",
    ]);
    let (_, key) = new_key(
        address,
        "admin",
        PASSWORD,
        &json!({ "name": "team", "username": "team", "permissions": three }),
    );
    let calls = [
        ("GET", "/collections/demo"),
        ("POST", "/query-pipelines/search/collections/demo/select"),
        ("POST", "/signals/demo"),
    ];
    let others = [
        ("GET", "/collections"),
        ("GET", "/collections/other"),
        ("GET", "/collections/demo/x"),
        ("POST", "/collections/demo"),
        ("DELETE", "/collections/demo"),
        ("GET", "/query-pipelines/search/collections/demo/select"),
        ("POST", "/query-pipelines/other/collections/demo/select"),
        ("POST", "/signals/other"),
        ("GET", "/signals/demo"),
        // Ours: who he is, what he may change, everything else.
        ("GET", "/session"),
        ("GET", "/users"),
        ("GET", "/api-keys"),
    ];
    for (method, path) in calls {
        assert_eq!(with_key(address, method, path, &key).status, 200, "{method} {path}");
    }
    for (method, path) in others {
        assert_refused(&with_key(address, method, path, &key), 403, "forbidden", &format!("{method} {path}"));
    }
    assert_eq!(backend.requests().len(), calls.len());
    // The user himself may do what his role says, and never more through the key than he may: not from the next request on.
    assert_eq!(as_user(address, "team", "DELETE", "/collections/other", "").0, 200);
    let id = text(&as_admin(address, "GET", "/users?username=team", "").1[0], "id");
    let less = json!({ "roleNames": ["readonly"] }).to_string();
    assert_eq!(as_admin(address, "PATCH", &format!("/users/{id}"), &less).0, 200);
    let statuses = calls.map(|(method, path)| with_key(address, method, path, &key).status);
    assert_eq!(statuses, [200, 403, 403]);
    // One that lists nothing does nothing; one that covers it tells who it is.
    let (_, none) = new_key(
        address,
        "admin",
        PASSWORD,
        &json!({ "name": "none", "username": "team", "permissions": [] }),
    );
    assert_eq!(with_key(address, "GET", "/collections/demo", &none).status, 403);
    let describes = json!({ "name": "describes", "username": "team", "permissions": ["GET:/session"] });
    let (_, describes) = new_key(address, "admin", PASSWORD, &describes);
    let told = with_key(address, "GET", "/session", &describes);
    let told: Value = serde_json::from_slice(&told.body).unwrap();
    assert_eq!(told["user"]["username"], "team");
}

#[test]
fn contract_a_key_comes_in_three_ways_and_stays_here() {
    let backend = Recorder::start();
    let gateway = gateway(&backend, "");
    let address = gateway.address();
    let id = new_user(address, "alice", LONG, &["readonly"]);
    let (_, key) = new_key(address, "admin", PASSWORD, &json!({ "name": "a", "userId": id }));
    let (_, other) = new_key(address, "admin", PASSWORD, &json!({ "name": "b", "userId": id }));
    let (in_query, both) = (format!("/api/c?a=1&apiKey={key}&b"), format!("/api/c?apiKey={key}"));
    let good: [(&str, Shown<'_>, &str); 5] = [
        ("/api/c", &[("x-api-key", &key)], "/api/c"),
        ("/api/c", &[("apiKey", &key)], "/api/c"),
        ("/api/c", &[("APIKEY", &key), ("X-Api-Key", &key)], "/api/c"),
        (&in_query, &[("fusion-user-id", "me"), ("X-Forwarded-User", "admin")], "/api/c?a=1&b"),
        (&both, &[("apikey", &key)], "/api/c"),
    ];
    for (target, headers, forwarded) in good {
        backend.forget();
        let answer = ask(address, "GET", target, headers, "");
        assert_eq!((answer.status, answer.header("set-cookie")), (200, None), "{headers:?}");
        let [request] = &backend.requests()[..] else { panic!("one request") };
        assert_eq!(request.target, forwarded);
        let told = ["fusion-user-id", "fusion-user-name", "x-forwarded-user"]
            .map(|name| request.header_values(name));
        assert_eq!(told, [vec![&*id], vec!["alice"], vec!["alice"]]);
        assert!(!request.head_text().contains("dwk_"), "{}", request.head_text());
    }
    backend.forget();
    let two: [(&str, Shown<'_>); 3] = [
        ("/api/c", &[("x-api-key", &key), ("apiKey", &other)]),
        ("/api/c", &[("x-api-key", &key), ("x-api-key", &other)]),
        (&in_query, &[("x-api-key", &other)]),
    ];
    for (target, headers) in two {
        assert_refused(&ask(address, "GET", target, headers, ""), 400, "bad-request", target);
    }
    // It is one kind of several: the first that is present decides.
    let dead = "id=840a33d4-b650-49f2-87a4-85412e99b37c";
    let (live, good, bad) = (
        format!("id={}", log_in(address, "admin", PASSWORD)),
        basic("admin", PASSWORD),
        basic("admin", "wrong"),
    );
    let cases: [(Shown<'_>, u16, &str); 7] = [
        (&[("x-api-key", &key)], 403, "forbidden"),
        (&[("x-api-key", &key), ("Cookie", &live)], 200, ""),
        (&[("x-api-key", &key), ("Authorization", &good)], 200, ""),
        (&[("x-api-key", &key), ("Authorization", &bad)], 401, "invalid-credentials"),
        (&[("x-api-key", &key), ("Authorization", "Bearer abc")], 401, "invalid-token"),
        (&[("x-api-key", &key), ("Cookie", dead)], 401, "session-unknown"),
        (&[("x-api-key", "dwk_"), ("Cookie", "id=")], 401, "invalid-token"),
    ];
    for (headers, status, word) in cases {
        let answer = ask(address, "POST", "/api/c", headers, "");
        assert_eq!((answer.status, &*code(&answer)), (status, word), "{headers:?}");
    }
    // No session came of any of it.
    let sessions = as_admin(address, "GET", &format!("/sessions?user={id}"), "");
    assert_eq!(sessions, (200, json!([])));
}

#[test]
fn case_24_a_key_feels_every_change_of_its_user_at_once_but_his_password() {
    let backend = Recorder::start();
    let gateway = gateway(&backend, "");
    let address = gateway.address();
    let id = new_user(address, "alice", LONG, &["readonly"]);
    let (_, key) = new_key(address, "admin", PASSWORD, &json!({ "name": "a", "userId": id }));
    let said = || {
        let answer = with_key(address, "GET", "/c", &key);
        (answer.status, code(&answer))
    };
    let refused = (401, "invalid-token".to_owned());
    let change = |body: Value| {
        assert_eq!(as_admin(address, "PATCH", &format!("/users/{id}"), &body.to_string()).0, 200, "{body}");
    };
    change(json!({ "password": "another good password" }));
    assert_eq!(said().0, 200);
    change(json!({ "enabled": false }));
    assert_eq!(said(), refused);
    change(json!({ "enabled": true }));
    assert_eq!(said().0, 200);
    change(json!({ "roleNames": [] }));
    assert_eq!(said(), (403, "forbidden".to_owned()));
    assert_eq!(as_admin(address, "DELETE", &format!("/users/{id}"), "").0, 204);
    assert_eq!(said(), refused);
    assert_eq!(
        as_admin(address, "GET", "/api-keys", ""),
        (200, json!([])),
        "nothing that stands for him stays"
    );
    // Another of the same name, and so of the same id, is another.
    assert_eq!(new_user(address, "alice", LONG, &["readonly"]), id);
    assert_eq!(said(), refused);
}

#[test]
fn contract_a_key_stops_when_it_says() {
    let backend = Recorder::start();
    let gateway = gateway(&backend, "");
    let address = gateway.address();
    let soon = jiff::Timestamp::now() + Duration::from_millis(1_500);
    let (id, key) =
        new_key(address, "admin", PASSWORD, &json!({ "name": "short", "expiresAt": soon.to_string() }));
    assert_eq!(with_key(address, "GET", "/c", &key).status, 200);
    let over = wait_until(|| {
        let answer = with_key(address, "GET", "/c", &key);
        (answer.status != 200).then_some(answer)
    });
    // House time may be a little ahead of the wall clock, and ends are whole milliseconds.
    assert!(jiff::Timestamp::now() + Duration::from_millis(5) >= soon);
    assert_refused(&over.unwrap(), 401, "invalid-token", "expired");
    let line: Value = serde_json::from_str(&gateway.wait_for_log("\"http.status\":401")).unwrap();
    assert_eq!(line["reason"], "key_expired");
    // It is still there to be seen, and to be taken back.
    assert_eq!(as_admin(address, "GET", &format!("/api-keys/{id}"), "").0, 200);
}

#[test]
fn contract_who_does_not_administer_has_keys_of_his_own_only() {
    let backend = Recorder::start();
    let gateway = gateway(&backend, "");
    let address = gateway.address();
    let root = text(&as_admin(address, "GET", "/users?username=admin", "").1[0], "id");
    let own =
        json!({ "username": "alice", "password": LONG, "permissions": ["*:/api-keys/**", "GET:/c/**"] });
    assert_eq!(as_admin(address, "POST", "/users", &own.to_string()).0, 201);
    new_user(address, "bob", LONG, &["developer"]);
    let (admins, _) = new_key(address, "admin", PASSWORD, &json!({ "name": "admin's" }));
    let (id, key) = new_key(address, "alice", LONG, &json!({ "name": "alice's" }));
    let alice = |method: &str, path: &str, body: &str| as_user(address, "alice", method, path, body);
    assert_eq!(names(&alice("GET", "/api-keys", "").1), ["alice's"]);
    assert_eq!(alice("GET", &format!("/api-keys?user={root}"), ""), (200, json!([])));
    for method in ["GET", "DELETE"] {
        assert_eq!(alice(method, &format!("/api-keys/{admins}"), "").0, 404, "{method}");
    }
    for other in [json!({ "name": "x", "userId": root }), json!({ "name": "x", "username": "nobody" })] {
        assert_eq!(alice("POST", "/api-keys", &other.to_string()).0, 403, "{other}");
    }
    // Who was not let in at all.
    assert_eq!(as_user(address, "bob", "GET", "/api-keys", "").0, 403);
    // A key may take keys back, but never makes one, whatever it may do else.
    let (_, whole) = new_key(address, "admin", PASSWORD, &json!({ "name": "whole" }));
    for shown in [&key, &whole] {
        let answer = ask(address, "POST", "/api/api-keys", &[("x-api-key", shown)], r#"{"name":"child"}"#);
        assert_refused(&answer, 403, "forbidden", "a key that makes a key");
    }
    assert_eq!(with_key(address, "DELETE", &format!("/api-keys/{admins}"), &key).status, 404);
    assert_eq!(with_key(address, "DELETE", &format!("/api-keys/{id}"), &key).status, 204);
    assert_eq!(with_key(address, "GET", "/c/x", &key).status, 401, "also by itself");
    assert_eq!(with_key(address, "DELETE", &format!("/api-keys/{admins}"), &whole).status, 204);
}

/// Row 33: more unknown tokens than can be a mistake are an event, and each further one is answered late; whoever is
/// logged in from the same address notices nothing.
#[test]
fn asvs_33_who_guesses_is_noticed_and_slowed() {
    let backend = Recorder::start();
    let gateway = gateway(&backend, "");
    let address = gateway.address();
    let live = log_in(address, "admin", PASSWORD);
    let guess = |number: u32| match number % 3 {
        0 => testkit::raw::request("GET", "/api/c", &[("x-api-key", &format!("dwk_{number:064x}"))], ""),
        _ => session_bytes("GET", "/api/c", &format!("840a33d4-b650-49f2-87a4-{number:012x}")),
    };
    let start = Instant::now();
    let mut client = Raw::connect(address);
    for number in 0..100 {
        client.send(guess(number));
        assert_eq!(client.read_answer().status, 401);
    }
    assert!(start.elapsed() < Duration::from_secs(10), "a hundred mistakes are answered at once");
    assert!(!gateway.log_lines().iter().any(|line| line.contains("\"guessing\"")));
    let start = Instant::now();
    let mut guessers: Vec<_> = (100..120)
        .map(|number| {
            let mut guesser = Raw::connect(address);
            guesser.send(guess(number));
            guesser
        })
        .collect();
    assert_eq!(with_session(address, "GET", "/api/c", &live).status, 200);
    let undisturbed = start.elapsed();
    for guesser in &mut guessers {
        assert_eq!(guesser.read_answer().status, 401);
    }
    assert!(start.elapsed() >= Duration::from_secs(1), "each further one is answered late");
    assert!(undisturbed < Duration::from_secs(1), "{undisturbed:?}: not who is logged in");
    let line: Value = serde_json::from_str(&gateway.wait_for_log("\"guessing\"")).unwrap();
    assert_eq!(line["client.address"], "127.0.0.1");
    let said = gateway.log_lines().iter().filter(|line| line.contains("\"guessing\"")).count();
    assert_eq!(said, 1, "once");
}

/// Every kind of token is worthless as any other kind.
#[test]
fn case_26_no_token_passes_as_another_kind() {
    let backend = Recorder::start();
    let settings = format!("[[mount]]\npath = \"/api\"\nupstream = \"{}\"\n", backend.url());
    let gateway = Doorward::new(BINARY).settings(&settings).start();
    let address = gateway.address();
    let setup = setup_token(&gateway);
    let first = json!({ "password": PASSWORD, "setupToken": setup }).to_string();
    assert_eq!(ask(address, "POST", "/api", &[], &first).status, 201);

    let session = log_in(address, "admin", PASSWORD);
    let (key_id, key) = new_key(address, "admin", PASSWORD, &json!({ "name": "a" }));
    let session_id = text(&as_admin(address, "GET", "/sessions", "").1[0], "id");
    let user_id = text(&as_admin(address, "GET", "/users", "").1[0], "id");
    let as_cookie =
        |text: &str| ask(address, "GET", "/api/c", &[("Cookie", &format!("id={text}"))], "").status;
    let as_key = |text: &str| {
        let field = ask(address, "GET", "/api/c", &[("x-api-key", text)], "").status;
        let query = ask(address, "GET", &format!("/api/c?apiKey={text}"), &[], "").status;
        assert_eq!(field, query, "{text}");
        field
    };
    let as_bearer = |text: &str| {
        ask(address, "GET", "/api/c", &[("Authorization", &format!("Bearer {text}"))], "").status
    };
    assert_eq!((as_cookie(&session), as_key(&key)), (200, 200));
    for text in [&key, &key[4..], &key_id, &session_id, &user_id, &setup] {
        assert_eq!(as_cookie(text), 401, "{text} as a session");
    }
    let dressed = format!("dwk_{session}");
    for text in [&session, &dressed, &key[4..], &key_id, &session_id, &user_id, &setup] {
        assert_eq!(as_key(text), 401, "{text} as a key");
    }
    for text in [&session, &key_id, &session_id, &setup] {
        assert_eq!(as_bearer(text), 401, "{text} as a bearer token");
    }
    assert_eq!(as_bearer(&key), 200, "a key is one wherever a key may be shown");
    for id in [&session, &key, &key_id] {
        assert_eq!(as_admin(address, "GET", &format!("/sessions/{id}"), "").0, 404, "{id} as a session's id");
    }
    for id in [&session, &key, &session_id, &user_id] {
        assert_eq!(as_admin(address, "DELETE", &format!("/api-keys/{id}"), "").0, 404, "{id} as a key's id");
    }
    assert_eq!((as_cookie(&session), as_key(&key)), (200, 200), "and nothing became of any of it");
}

#[test]
fn keys_from_the_command_line() {
    let backend = Recorder::start();
    let gateway = gateway(&backend, "");
    let address = gateway.address();
    create_user_with(&gateway, "team", &["GET:/**"]);
    let run = |arguments: &[&str]| command(&gateway, &[&["key"], arguments].concat(), &[]);
    let made = run(&[
        "create",
        "the team's",
        "--user",
        "team",
        "--permission",
        "GET:/c/*",
        "--permission",
        "GET:/d",
    ]);
    assert_eq!(made.code, Some(0), "{made:#?}");
    // The key alone on stdout; nowhere else.
    let key = made.stdout.trim_end();
    assert!(key.starts_with("dwk_") && key.len() == 68 && !made.stderr.contains("dwk_"), "{made:#?}");
    let statuses = ["/c/x", "/d", "/e"].map(|path| with_key(address, "GET", path, key).status);
    assert_eq!(statuses, [200, 200, 403]);
    let whole = run(&["create", "mine", "--expires", "2999-01-01T00:00:00Z", "--json"]);
    let whole: Value = serde_json::from_str(&whole.stdout).unwrap();
    assert_eq!(
        (&whole[0]["expiresAt"], &whole[0]["permissions"]),
        (&json!("2999-01-01T00:00:00Z"), &Value::Null)
    );
    assert_eq!(with_key(address, "GET", "/users", &text(&whole[0], "key")).status, 200);
    let nothing = run(&["create", "nothing", "--no-permissions", "--json"]);
    let nothing: Value = serde_json::from_str(&nothing.stdout).unwrap();
    assert_eq!(nothing[0]["permissions"], json!([]));
    let listed = run(&["list"]).stdout;
    assert!(["the team's", "mine", "nothing"].iter().all(|name| listed.contains(name)), "{listed}");
    assert!(!listed.contains("dwk_"), "{listed}");
    let of_team: Value = serde_json::from_str(&run(&["list", "--user", "team", "--json"]).stdout).unwrap();
    assert_eq!(names(&of_team), ["the team's"]);
    // By its name, by its id; and then there is none.
    assert_eq!(run(&["delete", "the team's"]).code, Some(0));
    assert_eq!(with_key(address, "GET", "/d", key).status, 401);
    let id = text(&whole[0], "id");
    assert_eq!(run(&["delete", &id]).code, Some(0));
    for gone in ["the team's", &id, NOBODY] {
        assert_eq!(run(&["delete", gone]).code, Some(3), "{gone}");
    }
    assert_eq!(run(&["create", "x", "--user", "nobody"]).code, Some(1));
    assert_eq!(run(&["create", "x", "--expires", "tomorrow"]).code, Some(1));
    assert_eq!(run(&["create"]).code, Some(2));
    let refused = command(&gateway, &["key", "create", "x"], &[("DOORWARD_LOGIN", "team")]);
    assert_eq!(refused.code, Some(4), "{refused:#?}");
}
