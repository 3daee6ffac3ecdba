//! The rule itself, as a table: the answer to a question is what the same request gets that is sent to the gateway, and a proxy
//! that does what the answer says forwards what the gateway would have forwarded.

use std::collections::BTreeSet;

use testkit::backend::Request;
use testkit::raw::Answer;

use super::{ASKED_AT, ENGINE, FORMS, Form, LONG, Stage};
use crate::common::{PASSWORD, as_admin, basic};

/// Below each mount. `ada` may `GET:/a/**`, `/open/**` is everybody's.
const REQUESTS: [(&str, &str); 14] = [
    ("GET", "/a/x?y=%20z&X=%zz"),
    ("POST", "/a/x"),
    ("GET", "/b"),
    ("GET", "/open/x"),
    ("HEAD", "/a/x"),
    ("OPTIONS", "/a"),
    ("GET", "/a/%7eb;c=d"),
    ("GET", "/A/x"),
    ("GET", "/a%2fx"),
    ("GET", "/b/../a/x"),
    ("GET", "/a//x"),
    ("POST", "/open/x?"),
    ("TRACE", "/a/x"),
    ("BREW", "/a/x"),
];

/// Fields of every client: what is the client's own passes, and what only the gateway may say does not.
const CLIENTS: [(&str, &str); 7] = [
    ("X-Mine", "1"),
    ("Accept", "a/b"),
    ("X-Forwarded-User", "FORGED"),
    ("X-Forwarded-User-Id", "FORGED"),
    ("X-Forwarded-Realm", "FORGED"),
    ("fusion-user-id", "FORGED"),
    ("fusion-user-name", "FORGED"),
];

/// What each hop says of itself.
const HOPS: [&str; 8] = [
    "host",
    "via",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-host",
    "content-length",
    "prefer",
    "x-envoy-auth-headers-to-remove",
];

/// What an answer says of itself, and not of the request.
const ANSWERS: [&str; 8] = [
    "date",
    "connection",
    "content-length",
    "cache-control",
    "x-content-type-options",
    "set-cookie",
    "vary",
    "preference-applied",
];

/// What one client shows, by name.
struct Shown {
    name: &'static str,
    fields: Vec<(&'static str, String)>,
    /// How many of the requests are tried: who shows much that is nothing is answered late.
    requests: usize,
}

fn shown_at(stage: &Stage, mount: &str, key: &str) -> Vec<Shown> {
    let all = REQUESTS.len();
    let of = |name, fields, requests| Shown { name, fields, requests };
    let user = if mount == ENGINE { "ada@internal" } else { "ada" };
    let live = stage.log_in(mount, "ada", LONG);
    let dead = stage.log_in(mount, "admin", PASSWORD);
    let (status, list) = as_admin(stage.address(), "GET", "/sessions?limit=100", "");
    assert_eq!(status, 200, "{list}");
    for session in list.as_array().unwrap() {
        if session["user"]["username"] == "admin" || session["username"] == "admin" {
            let path = format!("/sessions/{}", session["id"].as_str().unwrap());
            assert_eq!(as_admin(stage.address(), "DELETE", &path, "").0, 204, "{path}");
        }
    }
    let goes_on = || ("Prefer", "persistent-auth".to_owned());
    let jar = |cookie: &str| vec![("Cookie", format!("a=1; {cookie}; b=2")), goes_on()];
    vec![
        of("nothing", vec![], all),
        of("others' cookies", vec![("Cookie", "a=1; idx=2".to_owned()), ("Cookie", "b=3".to_owned())], 4),
        of("a session", jar(&live), all),
        of("a session alone", vec![("Cookie", live.clone()), goes_on()], 4),
        of("a dead session", jar(&dead), 3),
        of("two sessions", jar(&format!("{live}; {dead}")), 3),
        of("a password", vec![("Authorization", basic(user, LONG)), ("Cookie", "a=1".to_owned())], all),
        of("a wrong password", vec![("Authorization", basic(user, "wrong"))], 4),
        of("a key", vec![("Authorization", format!("Bearer {key}"))], all),
        of("a key in its own field", vec![("X-Api-Key", key.to_owned())], 4),
        of("no key", vec![("Authorization", "Bearer dwk_nothing".to_owned())], 3),
        of("nonsense", vec![("Authorization", "Digest x".to_owned())], 3),
    ]
}

type Fields = BTreeSet<(String, String)>;

fn sorted<'a>(fields: impl Iterator<Item = (&'a str, &'a str)>, without: &[&str]) -> Fields {
    let lower = fields.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
    // Several lines of cookies are one.
    let (cookies, others): (Vec<_>, Vec<_>) = lower.partition(|(name, _)| name == "cookie");
    let cookies: Vec<_> = cookies.into_iter().map(|(_, value)| value).collect();
    let cookies = (!cookies.is_empty()).then(|| ("cookie".to_owned(), cookies.join("; ")));
    others.into_iter().chain(cookies).filter(|(name, _)| !without.contains(&name.as_str())).collect()
}

/// What the backend got of the gateway.
fn received(request: &Request) -> Fields {
    sorted(request.headers.iter().map(|(name, value)| (&**name, &**value)), &HOPS)
}

/// What a proxy forwards that does as the answer says: takes out what is named, and puts in what is told.
fn forwarded(answer: &Answer, client: &[(&str, &str)]) -> Fields {
    let to_remove = answer.header("x-envoy-auth-headers-to-remove").expect("what to remove");
    let told: Vec<(&str, &str)> = answer
        .headers
        .iter()
        .map(|(name, value)| (&**name, &**value))
        .filter(|(name, _)| !ANSWERS.iter().any(|own| own.eq_ignore_ascii_case(name)))
        .collect();
    let goes = |name: &str| {
        to_remove.split(", ").any(|other| other.eq_ignore_ascii_case(name))
            || told.iter().any(|(other, _)| other.eq_ignore_ascii_case(name))
    };
    let left = client.iter().copied().filter(|(name, _)| !goes(name));
    sorted(left.chain(told.iter().copied()), &HOPS)
}

/// A refusal: status, fields but those of the moment, and the body where the question's method has one.
fn refusal(answer: &Answer, with_body: bool) -> (u16, Fields, String) {
    let fields = answer.headers.iter().map(|(name, value)| (&**name, &**value));
    // What is wrong with a statement is said in other words than what is wrong with a request.
    let body = if with_body && answer.status != 400 { answer.body_text() } else { "" };
    (answer.status, sorted(fields, &["date", "connection", "content-length"]), body.to_owned())
}

/// Asks about one request in each form, after it was sent to the gateway itself; gives its status.
fn compare(stage: &Stage, method: &str, target: &str, shown: &Shown) -> u16 {
    let own = shown.fields.iter().map(|(name, value)| (*name, value.as_str()));
    let client: Vec<(&str, &str)> = CLIENTS.into_iter().chain(own).collect();
    let direct = stage.ask(method, target, &client);
    let reached = stage.backend.requests();
    stage.backend.forget();
    for form in FORMS {
        let case = format!("{form:?} of {method} {target} with {}", shown.name);
        let answer = form.ask(stage.address(), method, target, &client);
        stage.assert_nothing_forwarded(&case);
        match reached.as_slice() {
            [request] => {
                assert_eq!(answer.status, 200, "{case}: {}", answer.head_text());
                assert_eq!(forwarded(&answer, &client), received(request), "{case}");
                assert!(answer.body.is_empty(), "{case}");
            }
            _ => {
                let with_body = form != Form::Url && method != "HEAD";
                assert_eq!(refusal(&answer, with_body), refusal(&direct, with_body), "{case}");
            }
        }
    }
    direct.status
}

#[test]
fn t11_a_question_is_answered_as_the_request_would_be() {
    let stage = Stage::new();
    let (status, made) = as_admin(stage.address(), "POST", "/api-keys", r#"{"name":"ci"}"#);
    assert_eq!(status, 201, "{made}");
    let key = made["key"].as_str().unwrap();
    for mount in ["/api", ENGINE, ""] {
        let mut seen = BTreeSet::new();
        for shown in shown_at(&stage, mount, key) {
            for (method, path) in &REQUESTS[..shown.requests] {
                let status = compare(&stage, method, &format!("{mount}{path}"), &shown);
                seen.insert(status);
            }
        }
        let expected = BTreeSet::from([200, 400, 401, 403, 405, 501]);
        assert!(seen.is_superset(&expected), "{mount}: {seen:?}");
    }
}

/// Not one of the table's requests only: the mount's own root, long paths, paths beside every mount's.
#[test]
fn t11_odd_targets_are_judged_alike() {
    let stage = Stage::new();
    let shown =
        Shown { name: "a password", fields: vec![("Authorization", basic("admin", PASSWORD))], requests: 0 };
    let long = format!("/a/{}", "x".repeat(4_000));
    for (target, status) in [
        ("/", 200),
        ("/?", 200),
        ("/apix", 200),
        ("/API/x", 400),
        ("/api;a=b/x", 400),
        ("/.Doorward/auth", 400),
        ("/a?b#c", 400),
        ("/a?x=/../y//z%2f", 200),
        ("/a?/.doorward/auth", 200),
        ("/a\\b", 400),
        ("/a%00", 400),
        ("/a%", 400),
        (&long, 200),
    ] {
        assert_eq!(compare(&stage, "GET", target, &shown), status, "{target}");
    }
    // A question about a question is one about an endpoint of ours.
    for form in FORMS {
        let answer = form.ask(stage.address(), "GET", ASKED_AT, &[]);
        assert_eq!(answer.status, 403, "{form:?}");
    }
}
