//! How many sessions a user may have at a mount, and what becomes of the login beyond that (security.md row 2).

use testkit::{Doorward, Recorder};

use super::{GOOD, post};
use crate::common::{
    BINARY, PASSWORD, as_admin, assert_refused, command, gateway, log_in, log_in_at, new_user, with_session,
};

const LONG: &str = "a good long password";

#[test]
fn asvs_2_the_cap_refuses_the_newest_where_the_mount_says_so() {
    let backend = Recorder::start();
    let url = backend.url();
    let settings = format!(
        "[[mount]]\npath = \"/api\"\nupstream = \"{url}\"\nmax_sessions_per_user = 2\nat_session_cap = \"refuse\"\n\
         [[mount]]\npath = \"/old\"\nupstream = \"{url}\"\n"
    );
    let mut gateway =
        Doorward::new(BINARY).environment("DOORWARD_ADMIN_PASSWORD", PASSWORD).settings(&settings).start();
    let address = gateway.address();
    new_user(address, "alice", LONG, &["readonly"]);
    let tokens = [(); 2].map(|()| log_in(address, "admin", PASSWORD));
    let refused = |address| {
        let answer = post(address, "/api/session", &[], GOOD);
        assert_refused(&answer, 403, "session-limit", "one too many");
    };
    refused(address);
    let status = |address, token: &str| with_session(address, "GET", "/api/session", token).status;
    assert_eq!(tokens.each_ref().map(|token| status(address, token)), [200, 200]);
    // Whoever does not know the password does not learn how many sessions there are.
    let wrong = post(address, "/api/session", &[], r#"{"username":"admin","password":"wrong"}"#);
    assert_refused(&wrong, 401, "invalid-credentials", "wrong password");
    // Others, and other mounts, have counts of their own.
    log_in(address, "alice", LONG);
    log_in_at(address, "/old");
    let (_, ended) = as_admin(address, "GET", "/sessions?state=ended", "");
    let ended = ended.as_array().unwrap();
    assert!(ended.iter().all(|session| session["endReason"] == "refused"), "{ended:?}");
    // The session that comes along with a login makes room for it.
    let shown = format!("id={}", tokens[1]);
    let again = post(address, "/api/session", &[("Cookie", &shown)], GOOD);
    assert_eq!(again.status, 201, "{}", again.body_text());
    assert_eq!(status(address, &tokens[1]), 401);
    refused(address);
    gateway.kill();
    gateway.restart();
    let address = gateway.address();
    assert_eq!(status(address, &tokens[0]), 200);
    refused(address);
    assert_eq!(with_session(address, "DELETE", "/api/session", &tokens[0]).status, 204);
    log_in(address, "admin", PASSWORD);
    refused(address);
    let (_, live) = as_admin(address, "GET", "/sessions?username=admin&realm=native&mount=/api", "");
    assert_eq!(live.as_array().unwrap().len(), 2);
}

#[test]
fn asvs_2_a_cap_of_one_moves_a_user_from_place_to_place() {
    let gateway = gateway(&Recorder::start(), "max_sessions_per_user = 1\nat_session_cap = \"end-oldest\"");
    let address = gateway.address();
    let mut last: Option<String> = None;
    for _ in 0..3 {
        let token = log_in(address, "admin", PASSWORD);
        if let Some(last) = last.replace(token.clone()) {
            let answer = with_session(address, "GET", "/api/session", &last);
            assert_refused(&answer, 401, "session-unknown", "the one before");
        }
        assert_eq!(with_session(address, "GET", "/api/session", &token).status, 200);
    }
    let listed = command(&gateway, &["session", "list", "--ended", "--json"], &[]);
    let ended: serde_json::Value = serde_json::from_str(&listed.stdout).unwrap();
    let reasons: Vec<_> =
        ended.as_array().unwrap().iter().map(|session| session["endReason"].as_str()).collect();
    assert_eq!(reasons, [Some("evicted"); 2]);
}

/// However many log in at once, no more than the cap come in.
#[test]
fn asvs_2_logins_at_the_same_time_do_not_slip_past_the_cap() {
    for at_cap in ["refuse", "end-oldest"] {
        let more = format!("max_sessions_per_user = 3\nat_session_cap = \"{at_cap}\"");
        let gateway = gateway(&Recorder::start(), &more);
        let address = gateway.address();
        let logins: Vec<_> =
            (0..8).map(|_| std::thread::spawn(move || post(address, "/api/session", &[], GOOD))).collect();
        let answers: Vec<_> = logins.into_iter().map(|login| login.join().unwrap()).collect();
        let live = answers.iter().filter_map(|answer| answer.set_cookie("id"));
        let live =
            live.filter(|token| with_session(address, "GET", "/api/session", token).status == 200).count();
        // Of logins that see each other half-way, each may give way to the other.
        assert!((1..=3).contains(&live), "{at_cap}: {live}");
        let told = as_admin(address, "GET", "/sessions", "").1;
        assert_eq!(told.as_array().unwrap().len(), live, "{at_cap}");
    }
}
