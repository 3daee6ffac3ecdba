//! Tokens (contract/ovirt.md, SSO tokens): given for a password, taken back at once.

use serde_json::{Value, json};

use super::{Engine, LONG, assert_unauthorized, form};
use crate::common::ask;

/// The longest form that is taken, in bytes.
const MOST: usize = 8 * 1024;

fn told(answer: &testkit::raw::Answer) -> Value {
    assert_eq!(answer.header("content-type"), Some("application/json"), "{}", answer.head_text());
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header_values("set-cookie"), Vec::<&str>::new());
    serde_json::from_slice(&answer.body).unwrap()
}

#[test]
fn contract_a_token_is_given_and_taken_back() {
    let engine = Engine::new();
    for (path, more) in [
        ("services/sso-logout", "scope=ovirt-app-api&"),
        ("sso/oauth/revoke", ""),
        ("sso/oauth/revoke", "scope=&"),
    ] {
        let before = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
        let answer = engine.sso("sso/oauth/token", &form("ada", LONG));
        assert_eq!(answer.status, 200);
        let given = told(&answer);
        let keys: Vec<_> = given.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys, ["access_token", "scope", "exp", "token_type"]);
        assert_eq!((&given["scope"], &given["token_type"]), (&json!("ovirt-app-api"), &json!("bearer")));
        let exp: u128 = given["exp"].as_str().unwrap().parse().unwrap();
        let most = 600 * 60 * 1_000;
        assert!((before + most - 60_000..=before + most + 60_000).contains(&exp), "{exp}");
        let token = given["access_token"].as_str().unwrap();
        let bearer = format!("Bearer {token}");
        assert_eq!(engine.get(&[("Authorization", &bearer)]).status, 200);
        assert_eq!(engine.sessions().len(), 1);
        let ended = engine.sso(path, &format!("{more}token={token}"));
        assert_eq!((ended.status, told(&ended)), (200, json!({})), "{path}");
        assert_unauthorized(&engine.get(&[("Authorization", &bearer)]), "a token that was taken back");
        assert!(engine.sessions().is_empty());
        assert_eq!(engine.sso(path, &format!("{more}token={token}")).status, 200, "it is not there any more");
    }
}

#[test]
fn contract_what_is_refused_is_said_with_a_400() {
    let engine = Engine::new();
    let good = form("ada", LONG);
    let denied = [
        form("ada", "wrong"),
        form("nobody", LONG),
        good.replace("%40internal", ""),
        good.replace("%40internal", "%40nowhere"),
        good.replace("ada%40internal", "%40internal"),
        good.replace(&LONG.replace(' ', "+"), ""),
    ];
    let first = engine.sso("sso/oauth/token", &denied[0]);
    for form in &denied {
        let answer = engine.sso("sso/oauth/token", form);
        assert_eq!((answer.status, &told(&answer)["error_code"]), (400, &json!("access_denied")), "{form}");
        assert_eq!(answer.body, first.body, "{form}: nobody learns why");
    }
    for (form, code) in [
        (good.replace("grant_type=password", "grant_type=client_credentials"), "unsupported_grant_type"),
        (good.replace("grant_type=password&", ""), "invalid_request"),
        (good.replace("ovirt-app-api", "other"), "invalid_scope"),
        (format!("{good}&password=other"), "invalid_request"),
        (format!("{good}&%75sername=bob%40internal"), "invalid_request"),
        (format!("{good}&x=%zz"), "invalid_request"),
        (String::from("grant_type=password&username=ada%40internal"), "invalid_request"),
        (String::from("x"), "invalid_request"),
    ] {
        let answer = engine.sso("sso/oauth/token", &form);
        assert_eq!((answer.status, &told(&answer)["error_code"]), (400, &json!(code)), "{form}");
        assert!(told(&answer)["error"].is_string());
    }
    assert_eq!(told(&engine.sso("services/sso-logout", "scope=x"))["error_code"], "invalid_request");
    assert!(engine.sessions().is_empty());
    assert!(engine.reached().is_empty());
}

#[test]
fn row_109_who_shows_no_password_is_told_of() {
    let engine = Engine::new();
    for password in ["", " ", "\u{a0}"] {
        let answer = engine.sso("sso/oauth/token", &form("ada", password));
        assert_eq!((answer.status, &told(&answer)["error_code"]), (400, &json!("access_denied")));
    }
    let (_, lines) = engine.admin("GET", "/audit?event=login_failed&limit=10", "");
    let names = lines.as_array().unwrap().iter().map(|line| line["fields"]["user.name"].as_str());
    assert_eq!(names.collect::<Vec<_>>(), [Some("ada"); 3], "{lines}");
}

#[test]
fn rfc_7009_a_key_is_not_given_back_as_a_token() {
    let engine = Engine::new();
    let (status, made) = engine.admin("POST", "/api-keys", "{\"name\":\"ci\"}");
    assert_eq!(status, 201, "{made}");
    let key = made["key"].as_str().unwrap();
    for path in ["sso/oauth/revoke", "services/sso-logout"] {
        let answer = engine.sso(path, &format!("token={key}"));
        assert_eq!((answer.status, &told(&answer)["error_code"]), (400, &json!("unsupported_token_type")));
    }
    assert_eq!(engine.get(&[("Authorization", &format!("Bearer {key}"))]).status, 200);
}

#[test]
fn the_endpoints_take_a_form_by_post_and_nothing_else() {
    let engine = Engine::new();
    let path = "/ovirt-engine/sso/oauth/token";
    let good = form("ada", LONG);
    for method in ["GET", "PUT", "DELETE", "OPTIONS"] {
        let answer = ask(engine.address(), method, path, &[], "");
        assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")), "{method}");
    }
    for media in ["application/json", "text/plain"] {
        assert_eq!(
            ask(engine.address(), "POST", path, &[("Content-Type", media)], &good).status,
            415,
            "{media}"
        );
    }
    let form_type = ("Content-Type", "Application/X-WWW-Form-Urlencoded; charset=UTF-8");
    assert_eq!(ask(engine.address(), "POST", path, &[form_type], &good).status, 200);
    let cross = [form_type, ("Origin", "https://evil.test")];
    assert_eq!(ask(engine.address(), "POST", path, &cross, &good).status, 400);
    let long = |length: usize| format!("{good}&pad={}", "x".repeat(length - good.len() - "&pad=".len()));
    assert_eq!(ask(engine.address(), "POST", path, &[form_type], &long(MOST)).status, 200);
    assert_eq!(ask(engine.address(), "POST", path, &[form_type], &long(MOST + 1)).status, 413);
    for path in ["/ovirt-engine/sso/oauth/token/x", "/ovirt-engine/sso/oauth", "/ovirt-engine/services"] {
        assert_eq!(ask(engine.address(), "POST", path, &[form_type], &good).status, 404, "{path}");
    }
}

#[test]
fn contract_a_tokens_session_counts_against_the_limit_and_is_throttled_like_a_login() {
    let engine = Engine::with("max_sessions_per_user = 1", "");
    engine.token("ada");
    let id = engine.log_in_with("bob", &[super::PERSISTENT, ("User-Agent", "one")]);
    let refused = engine.sso("sso/oauth/token", &form("bob", LONG));
    assert_eq!(refused.status, 400);
    assert!(told(&refused)["error"].as_str().unwrap().contains("limit of 1 sessions"));
    assert!(engine.lives(&id));
    for _ in 0..100 {
        assert_eq!(engine.sso("sso/oauth/token", &form("cid", "wrong")).status, 400);
    }
    let throttled = engine.sso("sso/oauth/token", &form("cid", LONG));
    assert_eq!((throttled.status, told(&throttled)["error_code"].as_str()), (429, Some("access_denied")));
    assert!(throttled.header("retry-after").is_some());
}

#[test]
fn asvs_16_no_secret_is_in_the_log_or_in_the_store() {
    let engine = Engine::new();
    let id = engine.log_in("ada");
    let (token, given_back) = (engine.token("ada"), engine.token("ada"));
    assert_eq!(engine.sso("sso/oauth/revoke", &format!("token={given_back}")).status, 200);
    assert_eq!(engine.sso("sso/oauth/token", &form("ada", "a WRONG marker")).status, 400);
    let cookie = format!("JSESSIONID={id}");
    assert_eq!(engine.get(&[("Cookie", &cookie)]).status, 401);
    let _written = engine.gateway.wait_for_log("session_ended");
    let secrets = [id.as_str(), &token, &given_back, LONG, "a WRONG marker", "WRONG+marker"];
    let mut places = vec![("the log".to_owned(), engine.gateway.log_lines().join("\n").into_bytes())];
    for entry in std::fs::read_dir(engine.gateway.data()).unwrap() {
        let path = entry.unwrap().path();
        places.push((path.display().to_string(), std::fs::read(&path).unwrap_or_default()));
    }
    for (place, bytes) in places {
        for secret in secrets {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{secret} is in {place}");
        }
    }
}
