//! The signed word about who asks: what backends get and what they never get, how others verify it, and that a rotation of the keys
//! is noticed by nobody.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use testkit::backend::{Recorder, Request};
use testkit::process::Doorward;
use testkit::raw::{self, Raw};

use crate::common::{
    BINARY, PASSWORD, as_admin, ask, basic, command, gateway, log_in, new_user, session_bytes, with_session,
};
use crate::tokens::{json as body_of, token, with_token};

const AUDIENCE: &str = "https://search.internal";

fn asked(more: &str) -> String {
    format!("identity_token = {{ audience = \"{AUDIENCE}\"{more} }}")
}

/// What a token says of itself, unverified.
fn claims(token: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
}

/// The token that a backend got in `Authorization`.
fn bearer(request: &Request) -> String {
    request.header("authorization").unwrap().strip_prefix("Bearer ").unwrap().to_owned()
}

/// PyJWT as a backend uses it: it knows a URL, and asks there for the keys itself.
const VERIFIER: &str = r#"
import json, sys
import jwt

client = jwt.PyJWKClient(sys.argv[1])
for line in sys.stdin:
    try:
        token = line.strip()
        if not token:
            client.get_signing_keys(refresh=True)
            print("null", flush=True)
            continue
        key = client.get_signing_key_from_jwt(token)
        claims = jwt.decode(token, key, audience=sys.argv[2], issuer=sys.argv[3],
                            options={"require": ["exp", "iat", "sub", "aud", "iss"]})
        print(json.dumps(claims), flush=True)
    except jwt.PyJWTError as error:
        print(json.dumps({"refused": repr(error)}), flush=True)
"#;

struct PyJwt {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl PyJwt {
    fn start(gateway: &Doorward, issuer: &str) -> Self {
        let python: PathBuf =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/pyjwt/bin/python3");
        assert!(python.is_file(), "PyJWT is not there: run `cargo xtask test`, which installs it");
        let keys = format!("{}/.well-known/jwks.json", gateway.url());
        let mut child = Command::new(python)
            .args(["-c", VERIFIER, &keys, AUDIENCE, issuer])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, input, output }
    }

    fn verify(&mut self, token: &str) -> Value {
        writeln!(self.input.as_mut().unwrap(), "{token}").unwrap();
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }
}

impl PyJwt {
    /// What it does by itself once it has kept the keys for as long as it may.
    fn look_again(&mut self) {
        assert_eq!(self.verify(""), Value::Null);
    }
}

impl Drop for PyJwt {
    fn drop(&mut self) {
        self.input = None;
        let _ = self.child.wait();
    }
}

#[test]
fn the_backend_verifies_who_asks_by_the_published_keys() {
    let backend = Recorder::start();
    let settings = format!(
        "issuer = \"https://gateway.example.com\"\n[[mount]]\npath = \"/api\"\nupstream = \"{}\"\n{}\n",
        backend.url(),
        asked(", lifetime = \"1m\"")
    );
    let gateway =
        Doorward::new(BINARY).environment("DOORWARD_ADMIN_PASSWORD", PASSWORD).settings(&settings).start();
    let address = gateway.address();
    let id = new_user(address, "Ada", "a long enough password", &["search", "readonly"]);
    let session = log_in(address, "Ada", "a long enough password");
    assert_eq!(with_session(address, "GET", "/api/x", &session).status, 200);
    let mut backend_side = PyJwt::start(&gateway, "https://gateway.example.com");
    let told = backend_side.verify(&bearer(&backend.wait_for(1)[0]));
    assert_eq!(told["refused"], Value::Null, "{told}");
    assert_eq!((&told["sub"], &told["name"], &told["realm"]), (&json!(id), &json!("Ada"), &json!("native")));
    assert_eq!((&told["roles"], &told["amr"]), (&json!(["search", "readonly"]), &json!(["pwd"])));
    assert_eq!(told["exp"].as_u64().unwrap() - told["iat"].as_u64().unwrap(), 60);
    let me = body_of(&with_session(address, "GET", "/api/session?peek=true", &session));
    assert_eq!(told["sid"], me["session"]["id"]);
    assert!(told["auth_time"].as_u64().unwrap() <= told["iat"].as_u64().unwrap());

    // The same for the same; without a session, nothing is said of one.
    assert_eq!(with_session(address, "GET", "/api/y", &session).status, 200);
    let shown = basic("Ada", "a long enough password");
    assert_eq!(ask(address, "GET", "/api/z", &[("Authorization", &shown)], "").status, 200);
    let made = as_admin(address, "POST", "/api-keys", &json!({ "name": "ci" }).to_string()).1;
    let key = [("x-api-key", made["key"].as_str().unwrap())];
    assert_eq!(ask(address, "GET", "/api/k", &key, "").status, 200);
    let seen = backend.wait_for(4);
    assert_eq!(bearer(&seen[0]), bearer(&seen[1]));
    let by_basic = backend_side.verify(&bearer(&seen[2]));
    assert_eq!(
        (&by_basic["sub"], &by_basic["sid"], &by_basic["auth_time"]),
        (&json!(id), &Value::Null, &Value::Null)
    );
    let by_key = backend_side.verify(&bearer(&seen[3]));
    assert_eq!((&by_key["name"], &by_key["amr"]), (&json!("admin"), &json!(["swk"])));

    // Another role, another token.
    as_admin(address, "PATCH", &format!("/users/{id}"), "{\"roleNames\":[\"readonly\"]}");
    assert_eq!(with_session(address, "GET", "/api/w", &session).status, 200);
    assert_eq!(claims(&bearer(&backend.wait_for(5)[4]))["roles"], json!(["readonly"]));
}

#[test]
fn no_client_says_it_himself() {
    let backend = Recorder::start();
    let gateway = gateway(&backend, &asked(", header = \"X-Assertion\""));
    let address = gateway.address();
    let cookie = format!("id={}", log_in(address, "admin", PASSWORD));
    for name in ["X-Assertion", "x_assertion", "X.ASSERTION", "xassertion", "X--Assertion", "_X-Assertion"] {
        backend.forget();
        let shown = [("Cookie", &*cookie), (name, "FORGED"), (name, "FORGED2")];
        assert_eq!(ask(address, "GET", "/api/x", &shown, "").status, 200);
        let seen = backend.wait_for(1).remove(0);
        assert!(!seen.head_text().contains("FORGED"), "{name}: {}", seen.head_text());
        assert_eq!(claims(seen.header("x-assertion").unwrap())["aud"], AUDIENCE);
        assert_eq!(seen.header("authorization"), None);
    }
    // Nor in a trailer section, where some backends read fields as well.
    backend.forget();
    let chunked = format!(
        "POST /api/x HTTP/1.1\r\nHost: h\r\nCookie: {cookie}\r\nTransfer-Encoding: chunked\r\n\r\n\
         1\r\na\r\n0\r\nX-Assertion: FORGED\r\nX_Assertion: FORGED\r\n\r\n"
    );
    assert_eq!(raw::once(address, chunked).status, 200);
    let seen = backend.wait_for(1).remove(0);
    assert!(seen.trailers.is_empty(), "{:?}", seen.trailers);
    // A field that no mount of these settings tells anything in is the client's.
    assert_eq!(ask(address, "GET", "/api/x", &[("Cookie", &cookie), ("X-Assert", "mine")], "").status, 200);
    assert_eq!(backend.wait_for(2)[1].header("x-assert"), Some("mine"));
}

#[test]
fn a_route_has_the_last_word() {
    let backend = Recorder::start();
    let routes = format!(
        "{}\n[[mount.route]]\npath = \"/quiet/**\"\nidentity_token = false\n\
         [[mount.route]]\npath = \"/other/**\"\nidentity_token = {{ header = \"X-Who\", audience = \"other\", lifetime = \"10s\" }}\n\
         [[mount.route]]\npath = \"/same/**\"\nmethods = [\"GET\"]\n\
         [[mount.route]]\npath = \"/open/**\"\npublic = true\n",
        asked("")
    );
    let gateway = gateway(&backend, &routes);
    let address = gateway.address();
    let cookie = format!("id={}", log_in(address, "admin", PASSWORD));
    let told = |path: &str| {
        backend.forget();
        let forged = [("Cookie", &*cookie), ("X-Who", "FORGED")];
        assert_eq!(ask(address, "GET", path, &forged, "").status, 200);
        let seen = backend.wait_for(1).remove(0);
        let audience = |token: &str| claims(token)["aud"].as_str().unwrap().to_owned();
        let in_authorization = seen.header("authorization").map(|_| audience(&bearer(&seen)));
        (in_authorization, seen.header("x-who").map(audience))
    };
    assert_eq!(told("/api/x"), (Some(AUDIENCE.to_owned()), None));
    assert_eq!(told("/api/quiet/x"), (None, None));
    assert_eq!(told("/api/other/x"), (None, Some("other".to_owned())));
    assert_eq!(told("/api/same/x"), (Some(AUDIENCE.to_owned()), None));
    assert_eq!(told("/api/open/x"), (None, None), "nobody looks who asks");
}

#[test]
fn keys_are_for_everybody_and_kept_for_a_while() {
    let backend = Recorder::start();
    let gateway = gateway(&backend, "");
    let answer = ask(gateway.address(), "GET", "/.well-known/jwks.json", &[("Cookie", "id=never-given")], "");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("cache-control"), Some("public, max-age=300"));
    assert_eq!(answer.header("set-cookie"), None);
    let keys = body_of(&answer)["keys"].as_array().unwrap().clone();
    assert_eq!(keys.len(), 2, "the one that signs, and the next one");
    for key in &keys {
        let mut names: Vec<_> = key.as_object().unwrap().keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["alg", "crv", "kid", "kty", "use", "x", "y"], "nothing of the private half");
    }
    let head = ask(gateway.address(), "HEAD", "/.well-known/jwks.json", &[], "");
    assert_eq!((head.status, head.header("cache-control")), (200, Some("public, max-age=300")));
    let other = ask(gateway.address(), "POST", "/.well-known/jwks.json", &[], "");
    assert_eq!((other.status, other.header("cache-control")), (405, Some("no-store")));
}

#[test]
fn keys_are_listed_and_rotated_by_administrators() {
    let backend = Recorder::start();
    let gateway = gateway(&backend, "");
    let address = gateway.address();
    let states = |keys: &Value| {
        let keys = keys.as_array().unwrap().iter();
        keys.map(|key| key["state"].as_str().unwrap().to_owned()).collect::<Vec<_>>().join(" ")
    };
    let shown = basic("admin", PASSWORD);
    let admin = [("Authorization", &*shown)];
    let listed = body_of(&ask(address, "GET", "/oauth2/keys", &admin, ""));
    assert_eq!(states(&listed), "current next");
    assert_eq!(listed[0]["algorithm"], "ES256");
    let soon = ask(address, "POST", "/oauth2/keys/rotate", &admin, "");
    assert_eq!((soon.status, crate::common::code(&soon)), (409, "conflict".to_owned()));
    assert_eq!(ask(address, "POST", "/oauth2/keys/rotate?force=perhaps", &admin, "").status, 400);
    let rotated = body_of(&ask(address, "POST", "/oauth2/keys/rotate?force=true", &admin, ""));
    assert_eq!(states(&rotated), "current next retired");
    assert_eq!((&rotated[0]["id"], &rotated[2]["id"]), (&listed[1]["id"], &listed[0]["id"]));
    assert!(rotated[2]["retiredUntil"].as_str().unwrap().ends_with('Z'));
    let published = body_of(&ask(address, "GET", "/.well-known/jwks.json", &[], ""));
    assert_eq!(published["keys"].as_array().unwrap().len(), 3);
    let developer = "a developer's password";
    new_user(address, "dev", developer, &["developer", "readonly"]);
    let dev = basic("dev", developer);
    for (method, path) in [("GET", "/oauth2/keys"), ("POST", "/oauth2/keys/rotate?force=true")] {
        assert_eq!(ask(address, method, path, &[("Authorization", &dev)], "").status, 403, "{path}");
        assert_eq!(ask(address, method, path, &[], "").status, 401, "{path}");
    }

    let run = |arguments: &[&str]| command(&gateway, arguments, &[]);
    let soon = run(&["key", "rotate"]);
    assert_eq!(soon.code, Some(1));
    assert!(soon.stderr.contains("10 minutes") && soon.stderr.contains("force"), "{soon:?}");
    let forced = run(&["key", "rotate", "--force"]);
    assert_eq!(forced.code, Some(0), "{forced:?}");
    let signing = run(&["key", "signing"]);
    assert_eq!(signing.stdout, forced.stdout);
    assert!(signing.stdout.starts_with("STATE"), "{}", signing.stdout);
    assert_eq!(signing.stdout.lines().count(), 5, "{}", signing.stdout);
    let lines = as_admin(address, "GET", "/audit?limit=1000", "").1.to_string();
    assert_eq!(lines.matches("signing_key.rotate").count(), 2, "{lines}");
    assert!(!lines.contains("PrivateKey"));
}

#[test]
fn a_withdrawn_key_is_believed_by_nobody_who_asks_for_the_keys_again() {
    let backend = Recorder::start();
    let gateway = gateway(&backend, &asked(""));
    let address = gateway.address();
    let session = log_in(address, "admin", PASSWORD);
    let shown = token(address, "admin", PASSWORD);
    let seen = || {
        backend.forget();
        assert_eq!(with_session(address, "GET", "/api/x", &session).status, 200);
        bearer(&backend.wait_for(1).remove(0))
    };
    let key_of = |token: &str| {
        let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
        serde_json::from_slice::<Value>(&header).unwrap()["kid"].as_str().unwrap().to_owned()
    };
    let published = || ask(address, "GET", "/.well-known/jwks.json", &[], "").body_text().to_owned();
    let mut backend_side = PyJwt::start(&gateway, "doorward");
    let before = seen();
    assert_eq!(backend_side.verify(&before)["name"], "admin");
    let stolen = key_of(&before);
    let withdrawn = command(&gateway, &["key", "withdraw", &stolen], &[]);
    assert_eq!(withdrawn.code, Some(0), "{withdrawn:?}");
    assert!(!withdrawn.stdout.contains(&stolen), "{}", withdrawn.stdout);
    assert!(!published().contains(&stolen), "gone at once");
    let after = seen();
    assert_ne!(key_of(&after), stolen, "nothing that it signed is given out any more");
    assert!(published().contains(&key_of(&after)));
    // What a verifier has kept it believes until it asks again: five minutes at the most.
    backend_side.look_again();
    assert!(backend_side.verify(&before)["refused"].is_string());
    assert_eq!(backend_side.verify(&after)["name"], "admin");
    // A bearer token counts for what it is a token of, whatever signed it.
    assert_eq!(key_of(&shown), stolen);
    assert_eq!(with_token(address, "GET", "/api/x", &shown).status, 200);
    assert!(backend_side.verify(&shown)["refused"].is_string());
    let lines = as_admin(address, "GET", "/audit?limit=1000", "").1.to_string();
    assert!(lines.contains("signing_key.withdraw") && lines.contains("was the current key"), "{lines}");
    let again = command(&gateway, &["key", "withdraw", &stolen], &[]);
    assert_eq!(again.code, Some(3), "{again:?}");
}

/// What cannot be signed is our mistake, and no request goes on without it.
#[test]
fn where_nothing_can_be_signed_no_request_goes_on_without_a_token() {
    let backend = Recorder::start();
    let gateway = gateway(&backend, &asked(""));
    let address = gateway.address();
    let names: Vec<_> = (0..250).map(|number| format!("role-{number}-{}", "x".repeat(50))).collect();
    for name in &names {
        let body = json!({ "name": name, "permissions": ["*:/**"] }).to_string();
        assert_eq!(as_admin(address, "POST", "/roles", &body).0, 201, "{name}");
    }
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let password = "a long enough password";
    let id = new_user(address, "ada", password, &names);
    let session = log_in(address, "ada", password);
    let shown = basic("ada", password);
    for headers in [("Cookie", format!("id={session}")), ("Authorization", shown)] {
        for (method, body) in [("GET", ""), ("POST", "{}")] {
            let answer = ask(address, method, "/api/x", &[(headers.0, &headers.1)], body);
            assert_eq!(
                (answer.status, &*crate::common::code(&answer)),
                (500, "internal-error"),
                "{}",
                headers.0
            );
        }
    }
    assert!(backend.requests().is_empty(), "never without its token");
    let few = json!({ "roleNames": &names[..2] }).to_string();
    assert_eq!(as_admin(address, "PATCH", &format!("/users/{id}"), &few).0, 200);
    assert_eq!(with_session(address, "GET", "/api/x", &session).status, 200);
    assert_eq!(claims(&bearer(&backend.wait_for(1).remove(0)))["roles"].as_array().unwrap().len(), 2);
}

/// Ends the load when dropped, also where the test has failed.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Who asked, with the token that said so; each once.
fn distinct(requests: &[Request]) -> BTreeSet<(String, String)> {
    requests.iter().map(|seen| (seen.header("fusion-user-id").unwrap().to_owned(), bearer(seen))).collect()
}

#[test]
fn a_rotation_under_load_is_noticed_by_nobody() {
    const CLIENTS: usize = 4;
    let backend = Recorder::start();
    let gateway = gateway(&backend, &asked(", lifetime = \"10s\""));
    let address = gateway.address();
    let sessions: Vec<_> = (0..CLIENTS).map(|_| log_in(address, "admin", PASSWORD)).collect();
    let shown = token(address, "admin", PASSWORD);
    let mut backend_side = PyJwt::start(&gateway, "doorward");
    let (is_over, mut tokens) = (AtomicBool::new(false), BTreeSet::new());
    std::thread::scope(|scope| {
        let over = Over(&is_over);
        let load: Vec<_> = sessions
            .iter()
            .map(|session| {
                let (is_over, shown) = (&is_over, &shown);
                scope.spawn(move || {
                    let mut client = Raw::connect(address);
                    let mut count = 0;
                    while !is_over.load(Ordering::Relaxed) {
                        client.send(session_bytes("GET", "/api/x", session));
                        assert_eq!(client.read_answer().status, 200);
                        let bearer = format!("Bearer {shown}");
                        client.send(raw::request("GET", "/api/y", &[("Authorization", &bearer)], ""));
                        assert_eq!(client.read_answer().status, 200);
                        count += 2;
                    }
                    count
                })
            })
            .collect();
        for _ in 0..4 {
            backend.forget();
            let seen = backend.wait("requests after a rotation", |requests| requests.len() > 50);
            for (user, token) in distinct(&seen) {
                let told = backend_side.verify(&token);
                assert_eq!(told["sub"].as_str(), Some(&*user), "{told}");
                tokens.insert(token);
            }
            // What 10 minutes between two rotations give every verifier the time for.
            backend_side.look_again();
            let rotated = command(&gateway, &["key", "rotate", "--force"], &[]);
            assert_eq!(rotated.code, Some(0), "{rotated:?}");
        }
        drop(over);
        let counts: usize = load.into_iter().map(|one| one.join().unwrap()).sum();
        assert!(counts > 200, "{counts}");
    });
    // Each that was made before the last rotation still verifies, by a verifier that never asked before.
    let mut fresh = PyJwt::start(&gateway, "doorward");
    let kids: BTreeSet<_> = tokens.iter().map(|token| token.split('.').next().unwrap()).collect();
    assert!(kids.len() >= 4, "one key before each rotation: {kids:?}");
    for token in &tokens {
        assert_eq!(fresh.verify(token)["name"], "admin");
    }
    assert_eq!(with_token(address, "GET", "/api/z", &shown).status, 200, "nobody was logged out");
}
