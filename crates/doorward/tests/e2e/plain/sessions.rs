//! The session's endpoint: log in, who am I, timeouts, log out; and what plain mounts share.

use testkit::Recorder;
use testkit::patience::wait_until;

use super::{
    House, LONG, SESSION, assert_problem, assert_unauthorized, cookie, credentials, json, mount, start,
};
use crate::common::{PASSWORD, ask, basic};

#[test]
fn contract_a_session_from_its_login_to_its_logout() {
    let house = House::new();
    let answer = house.try_log_in(&credentials("ada", LONG), &[]);
    assert_eq!(answer.status, 201);
    let token = answer.set_cookie("doorward").unwrap().to_owned();
    assert_eq!(token.len(), 43, "256 bits");
    let expected = format!("doorward={token}; HttpOnly; Path=/; SameSite=Lax");
    assert_eq!(answer.header_values("set-cookie"), [expected]);
    assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
    let begun = json(&answer);
    assert_eq!((begun["username"].as_str(), begun["realmName"].as_str()), (Some("ada"), Some("native")));
    assert_eq!((begun["mount"].as_str(), begun["method"].as_str()), (Some("plain"), Some("password")));
    let left = |field: &str| begun[field].as_u64().unwrap();
    assert!((1_790..=1_800).contains(&left("idleSecondsLeft")), "{begun}");
    assert!((28_790..=28_800).contains(&left("maxSecondsLeft")), "{begun}");
    assert!(!answer.body_text().contains(&token));

    let told = json(&house.with_session("GET", SESSION, &token));
    assert_eq!(told["user"]["username"], "ada");
    assert_eq!(told["roles"][0]["name"], "developer");
    assert_eq!(told["session"]["id"], begun["id"]);
    assert!((1_790..=1_800).contains(&told["session"]["idleSecondsLeft"].as_u64().unwrap()));
    assert_eq!(house.with_session("GET", "/x", &token).status, 200);
    let mine = json(&house.with_session("GET", "/.doorward/session/mine", &token));
    assert_eq!((mine.as_array().unwrap().len(), mine[0]["current"].as_bool()), (1, Some(true)));

    let answer = house.with_session("DELETE", SESSION, &token);
    assert_eq!((answer.status, answer.header("clear-site-data")), (204, Some("\"cache\"")));
    let taken = "doorward=; HttpOnly; Path=/; SameSite=Lax; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT";
    assert_eq!(answer.header("set-cookie"), Some(taken));
    for target in ["/x", SESSION] {
        assert_unauthorized(&house.with_session("GET", target, &token), "session-unknown", target);
    }
    assert_eq!(house.with_session("DELETE", SESSION, &token).status, 204, "whether or not it was live");
    assert_eq!(house.backend.requests().len(), 1);
}

#[test]
fn contract_a_login_is_judged_by_its_body_alone() {
    let house = House::new();
    let realm = |realm: &str| {
        let mut body = credentials("ada", LONG);
        body["realm"] = realm.into();
        body
    };
    assert_eq!(
        house.try_log_in(&realm("native"), &[("Cookie", "doorward=x"), ("Authorization", "x")]).status,
        201
    );
    for body in
        [credentials("ada", "wrong password"), credentials("nobody", LONG), realm("elsewhere"), realm("")]
    {
        assert_unauthorized(&house.try_log_in(&body, &[]), "invalid-credentials", &body.to_string());
    }
    let expected = "\"code\":\"bad-request\",\"detail\":\"the body is not the JSON that is expected\"";
    for body in [
        serde_json::json!({ "username": "ada" }),
        serde_json::json!({ "username": "ada", "password": LONG, "realmName": "native" }),
        serde_json::json!({ "username": "ada", "password": 1 }),
    ] {
        assert_problem(&house.try_log_in(&body, &[]), 400, "Bad Request", expected, &body.to_string());
    }
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    assert_eq!(ask(house.address(), "POST", SESSION, &form, "username=ada").status, 400);
    let answer = house.try_log_in(&credentials("ada", LONG), &[("Content-Type", "text/plain")]);
    assert_problem(&answer, 415, "Unsupported Media Type", "\"code\":\"unsupported-media-type\"", "text");
    let long = credentials("ada", &"x".repeat(64 * 1024));
    assert_eq!(house.try_log_in(&long, &[]).status, 413);
}

#[test]
fn case_23_a_login_ends_the_session_that_was_shown() {
    let house = House::new();
    let old = house.log_in("ada");
    let answer = house.try_log_in(&credentials("ada", LONG), &[("Cookie", &cookie(&old))]);
    let new = answer.set_cookie("doorward").unwrap();
    assert_ne!(new, old);
    assert_unauthorized(&house.with_session("GET", "/x", &old), "session-unknown", "the old one");
    assert_eq!(house.with_session("GET", "/x", new).status, 200);
    // A token that the client made up is never his session's.
    let planted = "A".repeat(43);
    let answer = house.try_log_in(&credentials("ada", LONG), &[("Cookie", &cookie(&planted))]);
    assert_ne!(answer.set_cookie("doorward"), Some(planted.as_str()));
}

#[test]
fn case_35_no_page_of_another_site_changes_anything() {
    let house = House::new();
    let token = house.log_in("ada");
    for evil in
        [("Origin", "https://evil.test"), ("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Site", "same-site")]
    {
        let answer = house.try_log_in(&credentials("ada", LONG), &[evil]);
        assert_problem(&answer, 403, "Forbidden", "\"code\":\"forbidden\"", "a login");
        let shown = cookie(&token);
        for (method, target) in
            [("DELETE", SESSION), ("DELETE", "/.doorward/session/mine"), ("POST", "/.doorward/users")]
        {
            let answer = house.ask(method, target, &[evil, ("Cookie", &shown)]);
            assert_problem(&answer, 403, "Forbidden", "\"code\":\"forbidden\"", target);
        }
    }
    assert_eq!(house.with_session("GET", SESSION, &token).status, 200);
}

#[test]
fn contract_sessions_time_out_and_say_so() {
    let house = House::with("idle_timeout = \"1s\"\nno_refresh_query = \"quiet\"", "");
    let (peeked, quiet, busy) = (house.log_in("ada"), house.log_in("ada"), house.log_in("ada"));
    let idle = "\"code\":\"session-idle-timeout\",\"detail\":\"The session has idled too long.\"";
    let targets = [(format!("{SESSION}?peek=true"), peeked), ("/x?quiet=true".to_owned(), quiet)];
    for (target, token) in targets {
        let late = wait_until(|| {
            assert_eq!(house.with_session("GET", "/x", &busy).status, 200, "activity keeps it");
            let answer = house.with_session("GET", &target, &token);
            (answer.status != 200).then_some(answer)
        });
        assert_problem(&late.expect("it idles out"), 401, "Unauthorized", idle, &target);
    }
    let house = House::with("idle_timeout = \"1s\"\nmax_lifetime = \"1s\"", "");
    let token = house.log_in("ada");
    let late = wait_until(|| {
        let answer = house.with_session("GET", "/x", &token);
        (answer.status != 200).then_some(answer)
    });
    let old = "\"code\":\"session-timeout\",\"detail\":\"The session has reached its longest life.\"";
    assert_problem(&late.expect("it is over"), 401, "Unauthorized", old, "however busy");
}

#[test]
fn contract_too_many_attempts_say_when_to_try_again() {
    let house = House::with("", "[login]\nattempts_per_user = 2");
    for _ in 0..2 {
        assert_eq!(house.try_log_in(&credentials("ada", "wrong password"), &[]).status, 401);
    }
    let answer = house.try_log_in(&credentials("ada", LONG), &[]);
    let rest = "\"code\":\"too-many-attempts\",\"detail\":\"Too many logins have failed.\"";
    assert_problem(&answer, 429, "Too Many Requests", rest, "the right password");
    assert!(answer.header("retry-after").unwrap().parse::<u32>().unwrap() >= 1);
}

#[test]
fn contract_the_cap_is_kept() {
    let house = House::with("max_sessions_per_user = 1\nat_session_cap = \"refuse\"", "");
    let _token = house.log_in("ada");
    let rest = "\"code\":\"session-limit\",\"detail\":\"You have as many sessions as you may have.\"";
    let answer = house.try_log_in(&credentials("ada", LONG), &[]);
    assert_problem(&answer, 403, "Forbidden", rest, "a second one");
}

#[test]
fn contract_ones_own_sessions_end_one_by_one() {
    let house = House::new();
    let (first, second) = (house.log_in("ada"), house.log_in("ada"));
    let mine = json(&house.with_session("GET", "/.doorward/session/mine", &first));
    let id = |current: bool| {
        let one = mine.as_array().unwrap().iter().find(|one| one["current"] == current).unwrap();
        format!("/.doorward/session/mine/{}", one["id"].as_str().unwrap())
    };
    let other = house.with_session("DELETE", &id(false), &first);
    assert_eq!((other.status, other.header("set-cookie")), (204, None));
    assert_eq!(house.with_session("GET", "/x", &second).status, 401);
    let own = house.with_session("DELETE", &id(true), &first);
    assert_eq!(own.status, 204);
    assert_eq!(own.set_cookie("doorward"), Some(""));
    assert_eq!(house.with_session("GET", "/x", &first).status, 401);
}

#[test]
fn contract_plain_mounts_share_their_sessions() {
    let (one, two) = (Recorder::start(), Recorder::start());
    let gateway = start(&format!("{}{}strip = true\n", mount(&one, "/one"), mount(&two, "/two")));
    let answer = ask(gateway.address(), "POST", SESSION, &[], &credentials("admin", PASSWORD).to_string());
    let shown = cookie(answer.set_cookie("doorward").unwrap());
    for target in ["/one/x", "/two/x"] {
        assert_eq!(ask(gateway.address(), "GET", target, &[("Cookie", &shown)], "").status, 200);
    }
    assert_eq!((one.wait_for(1)[0].target.as_str(), two.wait_for(1)[0].target.as_str()), ("/one/x", "/x"));
    assert!([one, two].iter().all(|backend| backend.requests()[0].header("cookie").is_none()));
    assert_eq!(ask(gateway.address(), "DELETE", SESSION, &[("Cookie", &shown)], "").status, 204);
    for target in ["/one/x", "/two/x"] {
        assert_eq!(ask(gateway.address(), "GET", target, &[("Cookie", &shown)], "").status, 401);
    }
}

#[test]
fn contract_a_browser_is_asked_for_basic_where_the_settings_say_so() {
    let house = House::with("basic_challenge = true", "");
    let expected = Some("Basic realm=\"doorward\", charset=\"UTF-8\"");
    assert_eq!(house.ask("GET", "/x", &[]).header("www-authenticate"), expected);
    assert_eq!(house.ask("GET", "/x", &[("Authorization", &basic("ada", LONG))]).status, 200);
}
