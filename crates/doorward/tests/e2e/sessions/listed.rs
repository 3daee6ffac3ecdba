//! Sessions as a resource, for administrators: what each filter of `/sessions` finds, and what `DELETE /sessions` ends.

use std::net::SocketAddr;

use serde_json::{Value, json};
use testkit::{Doorward, Recorder};

use super::post;
use crate::common::{
    BINARY, PASSWORD, as_admin, ask, assert_refused, basic, code, log_in, log_in_at, new_user, with_session,
};

const LONG: &str = "a good long password";
const ALICE: &str = r#"{"username":"alice","password":"a good long password"}"#;
const ELSEWHERE: &str = "192.0.2.7";

/// A gateway with two mounts and a user alice; where she and `admin` are logged in.
struct Scene {
    gateway: Doorward,
    alice: String,
    /// At `/api`: `admin`'s, hers, hers from [`ELSEWHERE`], hers at an app; then `admin`'s at `/old`.
    tokens: Vec<(&'static str, String)>,
    _backend: Recorder,
}

impl Scene {
    fn new() -> Self {
        let backend = Recorder::start();
        let url = backend.url();
        let settings = format!(
            "trusted_proxies = [\"127.0.0.1/32\"]\n[[mount]]\npath = \"/api\"\nupstream = \"{url}\"\n\
             [[mount]]\npath = \"/old\"\nupstream = \"{url}\"\n"
        );
        let gateway = Doorward::new(BINARY)
            .environment("DOORWARD_ADMIN_PASSWORD", PASSWORD)
            .settings(&settings)
            .start();
        let address = gateway.address();
        let alice = new_user(address, "alice", LONG, &["readonly"]);
        assert_eq!(as_admin(address, "POST", "/apps", r#"{"name":"demo"}"#).0, 201);
        let at = |target: &str, headers: &[(&str, &str)]| {
            let answer = post(address, target, headers, ALICE);
            assert_eq!(answer.status, 201, "{}", answer.body_text());
            ("/api", answer.set_cookie("id").unwrap().to_owned())
        };
        let tokens = vec![
            ("/api", log_in(address, "admin", PASSWORD)),
            at("/api/session", &[]),
            at("/api/session", &[("X-Forwarded-For", ELSEWHERE)]),
            at("/api/apps/demo/session", &[]),
            ("/old", log_in_at(address, "/old")),
        ];
        Self { gateway, alice, tokens, _backend: backend }
    }

    fn address(&self) -> SocketAddr {
        self.gateway.address()
    }

    /// The places of the sessions that are live.
    fn live(&self) -> Vec<usize> {
        let lives = |(mount, token): &(&str, String)| {
            let answer = with_session(self.address(), "GET", &format!("{mount}/session?peek=true"), token);
            assert!(answer.status == 200 || code(&answer) == "session-unknown", "{}", answer.body_text());
            answer.status == 200
        };
        (0..self.tokens.len()).filter(|place| lives(&self.tokens[*place])).collect()
    }

    fn list(&self, query: &str) -> (u16, Value) {
        as_admin(self.address(), "GET", &format!("/sessions{query}"), "")
    }

    fn end(&self, query: &str) -> (u16, Value) {
        as_admin(self.address(), "DELETE", &format!("/sessions{query}"), "")
    }
}

#[test]
fn asvs_12_sessions_are_found_by_all_that_is_told_of_them() {
    let scene = Scene::new();
    let ids: Vec<Value> =
        scene.tokens.iter().map(|(mount, token)| own_id(scene.address(), mount, token)).collect();
    let alice = &scene.alice;
    let cases: Vec<(String, &[usize])> = vec![
        (String::new(), &[0, 1, 2, 3, 4]),
        ("state=live".to_owned(), &[0, 1, 2, 3, 4]),
        ("state=ended".to_owned(), &[]),
        (format!("user={alice}"), &[1, 2, 3]),
        (format!("user={alice}&realm=native&mount=/api"), &[1, 2, 3]),
        (format!("user={alice}&mount=%2Fold"), &[]),
        ("username=ALICE&realm=native".to_owned(), &[1, 2, 3]),
        ("username=nobody&realm=native".to_owned(), &[]),
        ("username=alice&realm=other".to_owned(), &[]),
        ("realm=native".to_owned(), &[0, 1, 2, 3, 4]),
        ("realm=Native".to_owned(), &[]),
        ("app=demo".to_owned(), &[3]),
        ("mount=/old".to_owned(), &[4]),
        (format!("address={ELSEWHERE}"), &[2]),
        (format!("address=::ffff:{ELSEWHERE}"), &[2]),
        ("address=127.0.0.1".to_owned(), &[0, 1, 3, 4]),
        ("method=password".to_owned(), &[0, 1, 2, 3, 4]),
        ("method=basic".to_owned(), &[]),
        ("createdBefore=2001-01-01T00:00:00Z".to_owned(), &[]),
        ("createdAfter=2001-01-01T00:00:00%2B02:00".to_owned(), &[0, 1, 2, 3, 4]),
        ("createdBefore=2991-01-01T00:00:00.5Z&app=demo".to_owned(), &[3]),
        ("createdAfter=2991-01-01T00:00:00Z".to_owned(), &[]),
        ("idleLongerThan=1h".to_owned(), &[]),
        ("idleLongerThan=3600".to_owned(), &[]),
        // Parameters of other requests are no filters, and names that nobody reads find everything.
        ("realmName=native&_noSessionRefresh=true&colour=red".to_owned(), &[0, 1, 2, 3, 4]),
    ];
    for (query, expected) in cases {
        let (status, found) = scene.list(&format!("?{query}"));
        assert_eq!(status, 200, "{query}: {found}");
        let mut places: Vec<_> = found.as_array().unwrap().iter().map(|one| place(&ids, one)).collect();
        places.sort_unstable();
        assert_eq!(places, expected, "{query}");
    }
    let (_, one) = scene.list("?app=demo");
    let fields: Vec<_> = one[0].as_object().unwrap().keys().map(String::as_str).collect();
    let expected = [
        "address",
        "app",
        "createdAt",
        "id",
        "idleSecondsLeft",
        "lastSeenAt",
        "maxSecondsLeft",
        "method",
        "mount",
        "realmName",
        "userAgent",
        "userId",
        "username",
    ];
    let mut fields = fields;
    fields.sort_unstable();
    assert_eq!(fields, expected, "{one}");
}

/// The public id of a session, without a touch.
fn own_id(address: SocketAddr, mount: &str, token: &str) -> Value {
    let answer = with_session(address, "GET", &format!("{mount}/session?peek=true"), token);
    let told: Value = serde_json::from_slice(&answer.body).unwrap();
    told["session"]["id"].clone()
}

fn place(ids: &[Value], session: &Value) -> usize {
    ids.iter().position(|id| *id == session["id"]).expect("a known session")
}

#[test]
fn asvs_12_wrong_filters_are_told_by_name_and_end_nothing() {
    let scene = Scene::new();
    let alice = &scene.alice;
    let both = format!("user={alice}&username=alice&realm=native");
    let wrong = [
        ("user=alice", "user"),
        ("user=", "user"),
        (&both, "user"),
        ("username=alice", "realm"),
        ("username=&realm=native", "username"),
        ("username=alice&realm=a/b", "realm"),
        ("address=localhost", "address"),
        ("address=192.0.2.0/24", "address"),
        ("method=magic", "method"),
        ("createdBefore=yesterday", "createdBefore"),
        ("createdAfter=2025-05-28", "createdAfter"),
        ("idleLongerThan=1w", "idleLongerThan"),
        ("idleLongerThan=-1", "idleLongerThan"),
    ];
    for (query, field) in wrong {
        for (method, (status, told)) in
            [("GET", scene.list(&format!("?{query}"))), ("DELETE", scene.end(&format!("?{query}")))]
        {
            let seen = (status, told["code"].as_str(), told["field"].as_str());
            assert_eq!(seen, (400, Some("bad-request"), Some(field)), "{method} {query}: {told}");
            assert!(told["message"].as_str().is_some_and(|why| !why.is_empty()), "{method} {query}: {told}");
        }
    }
    for query in ["?app=a&app=b", "?app=%ff", "?limit=0", "?limit=1001", "?limit=x", "?after=x"] {
        assert_eq!(scene.list(query).0, 400, "GET {query}");
        assert_eq!(scene.end(query).0, 400, "DELETE {query}");
    }
    assert_eq!(scene.list("?limit=1000").0, 200);
    let told = [
        // Nobody ends everything by leaving something out, or by writing it wrong.
        ("", "realm"),
        ("?realmName=native", "realm"),
        ("?all=false", "realm"),
        ("?all=yes&realm=native", "all"),
        ("?all=true&realm=native", "all"),
        ("?realm=native&usr=x", "query"),
        ("?realm=native&USER=x", "query"),
        ("?realm=native&state=live", "query"),
        ("?realm=native&limit=1", "query"),
        ("?realm=native&after=00000000-0000-4000-8000-000000000000", "query"),
        ("?realm=native;app=x&x", "query"),
    ];
    for (query, field) in told {
        let (status, told) = scene.end(query);
        assert_eq!((status, told["field"].as_str()), (400, Some(field)), "DELETE {query}: {told}");
    }
    assert_eq!(scene.live(), [0, 1, 2, 3, 4]);
}

#[test]
fn asvs_12_what_a_filter_names_is_gone_and_stays_gone() {
    let mut scene = Scene::new();
    assert_eq!(scene.end("?app=nowhere"), (200, json!({ "ended": 0 })));
    assert_eq!(scene.end("?realmName=native&app=demo"), (200, json!({ "ended": 1 })));
    assert_eq!(scene.live(), [0, 1, 2, 4]);
    assert_eq!(scene.end("?app=demo"), (200, json!({ "ended": 0 })), "it has ended");
    assert_eq!(scene.end(&format!("?address={ELSEWHERE}&idleLongerThan=0")), (200, json!({ "ended": 1 })));
    assert_eq!(scene.end("?username=alice&realm=native"), (200, json!({ "ended": 1 })));
    assert_eq!(scene.live(), [0, 4]);
    assert_eq!(scene.end("?mo%75nt=/old"), (200, json!({ "ended": 1 })), "a name has one reading");
    assert_eq!(scene.live(), [0]);
    // Who may not is told so before anything is read.
    let alice = basic("alice", LONG);
    let refused = ask(scene.address(), "DELETE", "/api/sessions?all=true", &[("Authorization", &alice)], "");
    assert_refused(&refused, 403, "forbidden", "alice");
    assert_refused(
        &ask(scene.address(), "DELETE", "/api/sessions?all=true", &[], ""),
        401,
        "unauthorized",
        "nobody",
    );
    let foreign = [("Authorization", alice.as_str()), ("Sec-Fetch-Site", "cross-site")];
    assert_refused(
        &ask(scene.address(), "DELETE", "/api/sessions?all=true", &foreign, ""),
        403,
        "forbidden",
        "foreign",
    );
    assert_eq!(scene.live(), [0]);
    // All of them, also the one that asks.
    let answer = with_session(scene.address(), "DELETE", "/api/sessions?all=true", &scene.tokens[0].1);
    assert_eq!((answer.status, answer.body_text()), (200, r#"{"ended":1}"#));
    scene.gateway.kill();
    scene.gateway.restart();
    assert!(scene.live().is_empty(), "after a crash");
    let (_, ended) = scene.list("?state=ended");
    let reasons: Vec<_> =
        ended.as_array().unwrap().iter().map(|one| one["endReason"].as_str().unwrap()).collect();
    assert_eq!(reasons, ["revoked"; 5]);
    log_in(scene.address(), "alice", LONG);
}

#[test]
fn contract_pages_of_sessions_keep_their_filter() {
    let scene = Scene::new();
    let mut seen: Vec<String> = Vec::new();
    let mut target = "/api/sessions?mount=%2Fapi&limit=1".to_owned();
    let shown = basic("admin", PASSWORD);
    loop {
        let answer = ask(scene.address(), "GET", &target, &[("Authorization", &shown)], "");
        let page: Value = serde_json::from_slice(&answer.body).unwrap();
        let ids = page.as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned());
        seen.extend(ids);
        let Some(link) = answer.header("link") else { break };
        let next = link.strip_prefix('<').unwrap().strip_suffix(">; rel=\"next\"").unwrap();
        assert!(next.starts_with("/api/sessions?mount=%2Fapi&limit=1&after="), "{next}");
        target = next.to_owned();
    }
    assert_eq!(seen.len(), 4);
    assert!(seen.is_sorted_by(|one, next| one < next), "{seen:?}");
}
