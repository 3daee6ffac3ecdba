//! The session table of the contract: each row a case over a raw socket.

use testkit::raw::{self, Answer, Raw};

use super::{API, Engine, LONG, PERSISTENT, assert_unauthorized, id_of, login};
use crate::common::basic;

/// What row 1 to 11 start from: ada's session, and what others show.
struct Case {
    engine: Engine,
    id: String,
    cookie: String,
    bob: String,
}

impl Case {
    fn new() -> Self {
        let engine = Engine::new();
        let id = engine.log_in("ada");
        let cookie = format!("JSESSIONID={id}");
        engine.reached();
        Self { engine, id, cookie, bob: login("bob") }
    }

    /// One request, and whom the engine took it for, if it reached it.
    fn ask(&self, headers: &[(&str, &str)]) -> (Answer, Option<String>) {
        let answer = self.engine.get(headers);
        let reached = self.engine.reached();
        assert!(reached.len() <= 1, "{reached:?}");
        (answer, reached.into_iter().next().map(|(_, _, user)| user.expect("somebody is named")))
    }

    fn live(&self) -> usize {
        self.engine.sessions().len()
    }
}

#[test]
fn contract_row_1_a_one_off_login_leaves_nothing_behind() {
    let case = Case::new();
    let (answer, user) = case.ask(&[("Authorization", &case.bob)]);
    assert_eq!((answer.status, user.as_deref(), id_of(&answer)), (200, Some("bob"), None));
    assert_eq!(case.live(), 1);
}

#[test]
fn contract_row_2_the_session_is_there_whatever_the_backend_answers() {
    let case = Case::new();
    for (path, status) in [("/vms", 200), ("/nothing", 404), ("/locked", 409)] {
        let answer = case.engine.ask("GET", path, &[PERSISTENT, ("Authorization", &case.bob)]);
        assert_eq!(answer.status, status);
        let id = id_of(&answer).unwrap();
        assert_eq!(id.len(), 40);
        assert!(id.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b)), "{id}");
        // The first of the answer, and byte for byte.
        let given = format!("JSESSIONID={id}; Path={API}; HttpOnly");
        assert_eq!(answer.header_values("set-cookie"), [given.as_str(), "locale=en_US; Path=/"]);
        assert!(
            answer
                .head_text()
                .starts_with(&format!("HTTP/1.1 {status} {}\r\nSet-Cookie: {given}\r\n", answer.reason))
        );
        assert_eq!(answer.header("preference-applied"), Some("persistent-auth"));
        assert_eq!(answer.header("vary"), Some("Prefer"));
        assert!(case.engine.lives(id), "{path}");
    }
    let refused = case.engine.get(&[PERSISTENT, ("Authorization", &basic("bob@internal", "wrong"))]);
    assert_unauthorized(&refused, "a failed login");
    assert_eq!(refused.header("preference-applied"), None);
}

#[test]
fn contract_row_2_over_tls_the_cookie_is_secure() {
    let engine = Engine::with("", "trusted_proxies = [\"127.0.0.0/8\"]");
    let shown = login("bob");
    let headers = [PERSISTENT, ("Authorization", shown.as_str()), ("X-Forwarded-Proto", "https")];
    let answer = engine.get(&headers);
    let id = id_of(&answer).unwrap();
    assert_eq!(
        answer.header_values("set-cookie")[0],
        format!("JSESSIONID={id}; Path={API}; HttpOnly; Secure")
    );
    let switched = Engine::with("cookie_secure = \"never\"", "trusted_proxies = [\"127.0.0.0/8\"]");
    let answer = switched.get(&headers);
    assert!(!answer.header_values("set-cookie")[0].contains("Secure"), "{}", answer.head_text());
}

#[test]
fn contract_row_3_the_session_wins_and_nobody_looks_at_authorization() {
    let case = Case::new();
    let wrong = basic("ada@internal", "wrong");
    for shown in [case.bob.as_str(), &wrong, "Basic !!!", "Basic", "Bearer nonsense", "Digest x", ""] {
        let (answer, user) = case.ask(&[PERSISTENT, ("Cookie", &case.cookie), ("Authorization", shown)]);
        assert_eq!((answer.status, user.as_deref()), (200, Some("ada")), "{shown}");
        assert_eq!(id_of(&answer), None, "{shown}");
        assert_eq!(answer.header("preference-applied"), Some("persistent-auth"));
    }
    let twice =
        [PERSISTENT, ("Cookie", &*case.cookie), ("Authorization", &wrong), ("Authorization", &case.bob)];
    assert_eq!(case.ask(&twice).1.as_deref(), Some("ada"));
    assert_eq!(case.ask(&[PERSISTENT, ("Cookie", &case.cookie)]).1.as_deref(), Some("ada"));
    assert_eq!(case.live(), 1);
}

#[test]
fn contract_row_4_without_the_preference_the_session_ends_first() {
    let case = Case::new();
    let (answer, user) = case.ask(&[("Cookie", &case.cookie)]);
    assert_unauthorized(&answer, "row 4");
    assert_eq!((user, case.live()), (None, 0));
    assert!(!case.engine.lives(&case.id));
}

#[test]
fn contract_row_5_the_session_ends_and_the_credentials_count_once() {
    let case = Case::new();
    let (answer, user) = case.ask(&[("Cookie", &case.cookie), ("Authorization", &case.bob)]);
    assert_eq!((answer.status, user.as_deref()), (200, Some("bob")));
    let first = answer.header_values("set-cookie")[0];
    assert!(first.starts_with(&format!("JSESSIONID=; Path={API}; HttpOnly; Max-Age=0")), "{first}");
    assert_eq!(case.live(), 0);
}

#[test]
fn contract_row_6_new_auth_ends_the_old_session_and_begins_another() {
    let case = Case::new();
    let prefer = ("Prefer", "persistent-auth, new-auth");
    let (answer, user) = case.ask(&[prefer, ("Cookie", &case.cookie), ("Authorization", &case.bob)]);
    assert_eq!((answer.status, user.as_deref()), (200, Some("bob")));
    let id = id_of(&answer).unwrap();
    assert_ne!(id, case.id);
    assert!(case.engine.lives(id) && !case.engine.lives(&case.id));
    assert_eq!(case.live(), 1);
}

#[test]
fn contract_row_7_and_8_a_dead_id_is_never_adopted() {
    let case = Case::new();
    let made_up = "A".repeat(40);
    case.ask(&[("Cookie", &case.cookie)]);
    for dead in [case.id.as_str(), &made_up, "5dQja5ubr4yvI2MM2z+LZxrK", "x"] {
        let cookie = format!("JSESSIONID={dead}");
        let (answer, user) = case.ask(&[PERSISTENT, ("Cookie", &cookie)]);
        assert_unauthorized(&answer, "row 7");
        assert_eq!(user, None);
        let (answer, user) = case.ask(&[PERSISTENT, ("Cookie", &cookie), ("Authorization", &case.bob)]);
        assert_eq!((answer.status, user.as_deref()), (200, Some("bob")), "row 8");
        assert_ne!(id_of(&answer).unwrap(), dead);
    }
    assert_eq!(case.live(), 4);
}

#[test]
fn contract_row_9_what_is_wrong_is_a_401() {
    let case = Case::new();
    let good = case.bob.as_str();
    for shown in [
        basic("bob@internal", "wrong").as_str(),
        &basic("nobody@internal", LONG),
        &basic("bob", LONG),
        &basic("bob@nowhere", LONG),
        &basic("bob@native", LONG),
        &basic("@internal", LONG),
        &basic("bob@internal", ""),
        "Basic !!!",
        "Bearer",
        "Bearer nonsense",
        "Negotiate abc",
    ] {
        for prefer in ["persistent-auth", "none"] {
            let (answer, user) = case.ask(&[("Prefer", prefer), ("Authorization", shown)]);
            assert_unauthorized(&answer, shown);
            assert_eq!(user, None, "{shown}");
        }
    }
    let twice = [PERSISTENT, ("Authorization", good), ("Authorization", good)];
    assert_unauthorized(&case.ask(&twice).0, "two Authorization fields");
    assert_eq!(case.live(), 1);
    // Row 5 with a password that is wrong is row 4.
    let (answer, _) =
        case.ask(&[("Cookie", &case.cookie), ("Authorization", &basic("bob@internal", "wrong"))]);
    assert_unauthorized(&answer, "row 9 with a cookie");
    assert_eq!(case.live(), 0);
}

#[test]
fn contract_row_10_and_11_a_token_outlives_the_request_and_begins_a_session() {
    let case = Case::new();
    let bearer = format!("Bearer {}", case.engine.token("cid"));
    for _ in 0..2 {
        let (answer, user) = case.ask(&[("Authorization", &bearer)]);
        assert_eq!((answer.status, user.as_deref(), id_of(&answer)), (200, Some("cid"), None), "row 10");
    }
    assert_eq!(case.live(), 2);
    let (answer, user) = case.ask(&[PERSISTENT, ("Authorization", &bearer)]);
    assert_eq!((answer.status, user.as_deref()), (200, Some("cid")), "row 11");
    let id = id_of(&answer).unwrap();
    assert!(case.engine.lives(id));
    assert_eq!(case.live(), 3);
    // Neither counts as the other.
    let token = bearer.trim_start_matches("Bearer ");
    assert!(!case.engine.lives(token));
    assert_unauthorized(&case.ask(&[("Authorization", &format!("Bearer {id}"))]).0, "an id as a token");
}

#[test]
fn contract_row_12_at_the_limit_the_body_names_it() {
    let engine = Engine::with("max_sessions_per_user = 2", "");
    let shown = login("bob");
    let from = |agent: &str| engine.get(&[PERSISTENT, ("Authorization", &shown), ("User-Agent", agent)]);
    let ids: Vec<String> = ["one", "two"].map(|agent| id_of(&from(agent)).unwrap().to_owned()).to_vec();
    let refused = from("three");
    assert_unauthorized(&refused, "row 12");
    assert!(refused.body_text().contains("limit of 2 sessions"), "{}", refused.body_text());
    assert!(ids.iter().all(|id| engine.lives(id)), "nobody else's session made room");
    // The same client again: its own oldest one goes.
    let answer = from("one");
    assert_eq!(answer.status, 200);
    assert_eq!((engine.lives(&ids[0]), engine.lives(&ids[1])), (false, true));
    assert!(engine.lives(id_of(&answer).unwrap()));
    // Other users have their own count, and a one-off login needs none.
    engine.log_in("ada");
    assert_eq!(engine.get(&[("Authorization", &shown), ("User-Agent", "three")]).status, 200);
    assert_eq!(engine.sessions().len(), 3);
}

#[test]
fn after_response_is_what_persistent_auth_did_in_3_1() {
    let engine = Engine::with("end_session = \"after-response\"", "");
    let shown = login("bob");
    for more in [None, Some(("Authorization", shown.as_str()))] {
        let id = engine.log_in("ada");
        engine.reached();
        let cookie = format!("JSESSIONID={id}");
        let mut headers = vec![("Cookie", cookie.as_str())];
        headers.extend(more);
        let answer = engine.get(&headers);
        assert_eq!(answer.status, 200);
        assert_eq!(engine.reached(), [("GET".to_owned(), format!("{API}/vms"), Some("ada".to_owned()))]);
        assert!(answer.header_values("set-cookie")[0].starts_with("JSESSIONID=; "), "{}", answer.head_text());
        assert!(engine.sessions().is_empty());
        assert!(!engine.lives(&id));
    }
    let (one, two) = (engine.get(&[]), engine.get(&[("Cookie", "JSESSIONID=dead")]));
    assert_unauthorized(&one, "nobody");
    assert_unauthorized(&two, "dead");
}

/// What the session lets through without the preference, a page of another site could have sent: it makes no changes.
#[test]
fn case_26_a_page_of_another_site_gets_no_last_request() {
    let engine = Engine::with("end_session = \"after-response\"", "");
    let cookie = format!("JSESSIONID={}", engine.log_in("ada"));
    let shown = login("bob");
    engine.reached();
    let (cross, foreign) = (("Sec-Fetch-Site", "cross-site"), ("Origin", "https://evil.test"));
    let cases: [&[(&str, &str)]; 5] = [
        &[cross],
        &[("Sec-Fetch-Site", "same-site")],
        &[foreign],
        &[("Origin", "null")],
        &[cross, ("Authorization", &shown)],
    ];
    for more in cases {
        let mut headers = vec![("Cookie", cookie.as_str())];
        headers.extend_from_slice(more);
        for method in ["POST", "PUT", "PATCH", "DELETE"] {
            let answer = engine.ask(method, "/vms", &headers);
            assert_eq!(answer.status, 403, "{method} {more:?}: {}", answer.body_text());
            assert_eq!(answer.header_values("set-cookie"), Vec::<&str>::new(), "{method} {more:?}");
        }
    }
    assert!(engine.reached().is_empty());
    assert_eq!(engine.sessions().len(), 1, "and the session lives on");
    // By the preference, which no form can send, and without the session.
    assert_eq!(engine.ask("POST", "/vms", &[PERSISTENT, cross, ("Cookie", &cookie)]).status, 200);
    assert_eq!(engine.ask("POST", "/vms", &[cross, ("Authorization", &shown)]).status, 200);
    // Reading is no change, and scripts say nothing of a site.
    let of_this_site = format!("http://{}", engine.address());
    let allowed: [(&str, &[(&str, &str)]); 5] = [
        ("GET", &[cross]),
        ("HEAD", &[foreign]),
        ("POST", &[]),
        ("POST", &[("Sec-Fetch-Site", "same-origin")]),
        ("DELETE", &[("Origin", &of_this_site)]),
    ];
    for (method, more) in allowed {
        let cookie = format!("JSESSIONID={}", engine.log_in("ada"));
        let host = engine.address().to_string();
        let mut headers = vec![("Host", host.as_str()), ("Cookie", cookie.as_str())];
        headers.extend_from_slice(more);
        assert_eq!(engine.ask(method, "/vms", &headers).status, 200, "{method} {more:?}");
    }
}

#[test]
fn contract_csrf_protection_asks_for_the_id_twice() {
    let engine = Engine::with("csrf_protection = true", "");
    let guarded = engine.log_in_with("ada", &[PERSISTENT, ("Prefer", "csrf-protection")]);
    let plain = engine.log_in("ada");
    let cookie = format!("JSESSIONID={guarded}");
    let shown = login("bob");
    engine.reached();
    let wrong: [&[(&str, &str)]; 6] = [
        &[PERSISTENT],
        &[],
        &[PERSISTENT, ("JSESSIONID", &plain)],
        &[("Authorization", &shown)],
        &[PERSISTENT, ("Prefer", "new-auth"), ("Authorization", &shown)],
        &[PERSISTENT, ("JSESSIONID", &guarded), ("JSESSIONID", &guarded)],
    ];
    for more in wrong {
        let mut headers = vec![("Cookie", cookie.as_str())];
        headers.extend_from_slice(more);
        let answer = engine.get(&headers);
        assert_eq!(answer.status, 403, "{more:?}: {}", answer.body_text());
        assert_eq!(answer.header_values("set-cookie"), Vec::<&str>::new());
        assert!(engine.reached().is_empty());
    }
    let twice = [PERSISTENT, ("Cookie", &*cookie), ("jsessionid", &*guarded)];
    assert_eq!(engine.get(&twice).status, 200);
    // The header is a credential: the engine does not see it.
    let seen = engine.backend.wait_for(1).remove(0);
    assert!(!seen.head_text().contains(&guarded), "{}", seen.head_text());
    assert!(engine.lives(&plain));
    let switched_off = Engine::new();
    let id = switched_off.log_in_with("ada", &[("Prefer", "persistent-auth, csrf-protection")]);
    assert!(switched_off.lives(&id));
}

#[test]
fn who_may_less_is_told_so_and_his_session_is_there() {
    let engine = Engine::new();
    let made = serde_json::json!({ "username": "eve", "password": LONG, "permissions": ["GET:/vms"] });
    assert_eq!(engine.admin("POST", "/users", &made.to_string()).0, 201);
    let id = engine.log_in("eve");
    let cookie = format!("JSESSIONID={id}");
    let asked = |path: &str| engine.ask("GET", path, &[PERSISTENT, ("Cookie", &cookie)]);
    // The engine reads what stands behind the semicolon for itself.
    assert_eq!(asked("/vms;case_sensitive=True").status, 200);
    let refused = asked("/hosts");
    assert_eq!(refused.status, 403);
    assert!(refused.body_text().contains("<fault><reason>Forbidden</reason>"), "{}", refused.body_text());
    assert_eq!(refused.header("www-authenticate"), None);
    let shown = login("eve");
    let begun = engine.ask("GET", "/hosts", &[PERSISTENT, ("Authorization", &shown)]);
    assert_eq!(begun.status, 403);
    assert!(engine.lives(id_of(&begun).unwrap()));
}

#[test]
fn a_session_survives_the_death_of_the_gateway() {
    let mut engine = Engine::new();
    let id = engine.log_in("ada");
    let token = engine.token("cid");
    engine.gateway.kill();
    engine.gateway.restart();
    assert!(engine.lives(&id));
    assert_eq!(engine.get(&[("Authorization", &format!("Bearer {token}"))]).status, 200);
}

/// Many requests of one connection, each of its own row: nothing of one is left in the next.
#[test]
fn rows_do_not_leak_into_each_other() {
    let case = Case::new();
    let mut client = Raw::connect(case.engine.address());
    let target = format!("{API}/vms");
    let mut send = |headers: &[(&str, &str)]| {
        client.send(raw::request("GET", &target, headers, ""));
        client.read_answer()
    };
    let begun = send(&[PERSISTENT, ("Authorization", &case.bob)]);
    assert!(id_of(&begun).is_some());
    assert_eq!(send(&[]).status, 401);
    let kept = send(&[PERSISTENT, ("Cookie", &case.cookie)]);
    assert_eq!((kept.status, id_of(&kept)), (200, None));
    assert_eq!(send(&[("Authorization", &case.bob)]).status, 200);
    assert_eq!(send(&[("Cookie", &case.cookie)]).status, 401);
    assert_eq!(send(&[PERSISTENT, ("Cookie", &case.cookie)]).status, 401);
}

/// An API key as a bearer token is for that request only: it may do less than its user, and a session would not.
#[test]
fn a_key_begins_no_session() {
    let case = Case::new();
    let (status, made) = case.engine.admin("POST", "/api-keys", r#"{"name":"robot"}"#);
    assert_eq!(status, 201, "{made}");
    let text = ["key", "apiKey", "value", "secret", "token"].iter().find_map(|name| made[*name].as_str());
    let bearer = format!("Bearer {}", text.unwrap_or_else(|| panic!("{made}")));
    let (answer, user) = case.ask(&[PERSISTENT, ("Authorization", &bearer)]);
    assert_eq!((answer.status, user.as_deref(), id_of(&answer)), (200, Some("admin"), None));
    assert_eq!(answer.header("preference-applied"), None);
    assert_eq!(case.live(), 1);
}

/// Every Java server of a host has a cookie of this name; those at `/` come along.
#[test]
fn asvs_43_the_one_jsessionid_that_could_be_ours_counts() {
    let Case { engine, id, .. } = &Case::new();
    let of_another = "6E3A0F2B7C9D4E5F8A1B2C3D4E5F6A7B.node1";
    for jar in [
        format!("JSESSIONID={of_another}; JSESSIONID={id}"),
        format!("JSESSIONID={id}; JSESSIONID={of_another}; JSESSIONID={id}"),
        format!("JSESSIONID=x; JSESSIONID={of_another}; JSESSIONID={id}"),
    ] {
        assert_eq!(engine.get(&[PERSISTENT, ("Cookie", &jar)]).status, 200, "{jar}");
    }
    let other = engine.log_in("bob");
    for jar in [
        format!("JSESSIONID={other}; JSESSIONID={id}"),
        format!("JSESSIONID={of_another}; JSESSIONID={other}; JSESSIONID={id}"),
        format!("JSESSIONID={of_another}; JSESSIONID=x"),
    ] {
        assert_eq!(engine.get(&[PERSISTENT, ("Cookie", &jar)]).status, 400, "{jar}");
    }
}
