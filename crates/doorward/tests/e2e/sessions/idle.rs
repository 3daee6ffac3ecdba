//! The idle clock: what is activity and what is not, mount by mount (`fusion.md`, Timeouts; security.md row 7); and how much is
//! left, told without a touch.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use testkit::patience::wait_until;
use testkit::{Doorward, Recorder};

use crate::common::{
    BINARY, PASSWORD, as_admin, ask, assert_refused, basic, gateway, log_in, log_in_at, with_session,
};

fn told(address: SocketAddr, target: &str, token: &str) -> Value {
    let answer = with_session(address, "GET", target, token);
    assert_eq!(answer.status, 200, "{target}: {}", answer.body_text());
    serde_json::from_slice(&answer.body).unwrap()
}

/// Mount, method, what is asked for below it; and whether that is activity.
const REQUESTS: [(&str, &str, &str, bool); 24] = [
    ("/api", "GET", "/x", true),
    ("/api", "GET", "/x?_noSessionRefresh=true", false),
    ("/api", "POST", "/x?a=b&_noSessionRefresh=true", false),
    ("/api", "GET", "/x?_noSessionRefresh=false", true),
    ("/api", "GET", "/x?_noSessionRefresh", true),
    ("/api", "GET", "/x?_nosessionrefresh=true", true),
    ("/api", "GET", "/session", true),
    ("/api", "GET", "/session?_noSessionRefresh=true", false),
    ("/api", "GET", "/session?peek=true", false),
    ("/api", "HEAD", "/session?peek=true", false),
    ("/api", "GET", "/session?peek=false", true),
    ("/api", "GET", "/x?peek=true", true),
    ("/paths", "GET", "/jobs/7/status", false),
    ("/paths", "HEAD", "/jobs/7/status", false),
    ("/paths", "GET", "/jobs/7/status?x=y", false),
    ("/paths", "POST", "/jobs/7/status", true),
    ("/paths", "GET", "/jobs/7/8/status", true),
    ("/paths", "GET", "/jobs/7/Status", true),
    ("/paths", "POST", "/poll", false),
    ("/paths", "GET", "/x?_noSessionRefresh=true", false),
    ("/renamed", "GET", "/x?poll=true", false),
    ("/renamed", "GET", "/x?_noSessionRefresh=true", true),
    ("/off", "GET", "/x?_noSessionRefresh=true", true),
    ("/off", "GET", "/session?peek=true", false),
];

#[test]
fn asvs_7_what_the_mount_says_is_no_activity_is_none() {
    let backend = Recorder::start();
    let url = backend.url();
    let mounts = [
        ("/api", ""),
        ("/paths", "no_refresh = [\"GET:/jobs/*/status\", \"POST:/poll\"]"),
        ("/renamed", "no_refresh_query = \"poll\""),
        ("/off", "no_refresh_query = \"\""),
    ];
    let settings: String = mounts
        .iter()
        .map(|(path, more)| format!("[[mount]]\npath = \"{path}\"\nupstream = \"{url}\"\n{more}\n"))
        .collect();
    let gateway =
        Doorward::new(BINARY).environment("DOORWARD_ADMIN_PASSWORD", PASSWORD).settings(&settings).start();
    let address = gateway.address();
    let tokens: Vec<_> = REQUESTS.iter().map(|(mount, ..)| log_in_at(address, mount)).collect();
    let seen = |place: usize| {
        let (mount, ..) = REQUESTS[place];
        let session = told(address, &format!("{mount}/session?peek=true"), &tokens[place])["session"].clone();
        session["lastSeenAt"].as_str().unwrap().to_owned()
    };
    let before: Vec<_> = (0..REQUESTS.len()).map(seen).collect();
    // Lists tell whole seconds.
    std::thread::sleep(Duration::from_millis(1_010));
    for ((mount, method, path, _), token) in REQUESTS.iter().zip(&tokens) {
        let answer = with_session(address, method, &format!("{mount}{path}"), token);
        assert_eq!(answer.status, 200, "{method} {mount}{path}: {}", answer.body_text());
    }
    for (place, (mount, method, path, counts)) in REQUESTS.iter().enumerate() {
        assert_eq!(seen(place) > before[place], *counts, "{method} {mount}{path}");
    }
}

#[test]
fn contract_a_peek_tells_what_is_left() {
    let gateway = gateway(&Recorder::start(), "idle_timeout = \"1h\"\nmax_lifetime = \"2h\"");
    let address = gateway.address();
    let token = log_in(address, "admin", PASSWORD);
    let peeked = told(address, "/api/session?peek=true&realmName=native", &token);
    let fields: Vec<_> = peeked.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(fields, ["user", "roles", "session"]);
    let session = &peeked["session"];
    let left = |field: &str| session[field].as_u64().unwrap();
    assert!((3_590..=3_600).contains(&left("idleSecondsLeft")), "{session}");
    assert!((7_190..=7_200).contains(&left("maxSecondsLeft")), "{session}");
    assert!(!peeked.to_string().contains(&token));
    assert_eq!(
        as_admin(address, "GET", &format!("/sessions/{}", session["id"].as_str().unwrap()), "").0,
        200
    );
    // The contract's own answer has two fields.
    let plain = told(address, "/api/session", &token);
    let fields: Vec<_> = plain.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(fields, ["user", "roles"]);
    assert_eq!(plain["user"], peeked["user"]);
    // Who shows a password has no session to look at.
    let shown = basic("admin", PASSWORD);
    let answer = ask(address, "GET", "/api/session?peek=true", &[("Authorization", &shown)], "");
    let by_password: Value = serde_json::from_slice(&answer.body).unwrap();
    assert!(by_password["user"].is_object() && by_password.get("session").is_none(), "{by_password}");
}

/// However often somebody looks, the session goes on to its end.
#[test]
fn asvs_7_a_session_that_is_only_looked_at_idles_out() {
    let backend = Recorder::start();
    let gateway = gateway(&backend, "idle_timeout = \"1s\"\nno_refresh = [\"GET:/poll\"]");
    let address = gateway.address();
    let (looked_at, polled) = (log_in(address, "admin", PASSWORD), log_in(address, "admin", PASSWORD));
    for (target, token) in [("/api/session?peek=true", looked_at), ("/api/poll", polled)] {
        let late = wait_until(|| {
            let answer = with_session(address, "GET", target, &token);
            (answer.status != 200).then_some(answer)
        });
        assert_refused(&late.expect("it idles out"), 401, "session-idle-timeout", target);
    }
}
