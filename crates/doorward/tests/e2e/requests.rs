//! The contract's parts "Any other request below the mount", "Timeouts" and "To the backend" (`fusion.md`), row by row.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use testkit::patience::wait_until;
use testkit::raw::{Answer, Raw};
use testkit::{Doorward, Gate, Recorder, Reply};

use crate::common::{
    BINARY, PASSWORD, as_admin, ask, assert_refused, basic, gateway, log_in, log_in_at, new_user,
    session_bytes, with_session,
};

const UNKNOWN: &str = "840a33d4-b650-49f2-87a4-85412e99b37c";

fn get(address: SocketAddr, target: &str, headers: &[(&str, &str)]) -> Answer {
    ask(address, "GET", target, headers, "")
}

/// A gateway with these mounts, each in front of `backend`.
fn mounts(backend: &Recorder, mounts: &[(&str, &str)]) -> Doorward {
    let settings: String = mounts
        .iter()
        .map(|(path, more)| {
            format!("[[mount]]\npath = \"{path}\"\nupstream = \"{}\"\n{more}\n", backend.url())
        })
        .collect();
    Doorward::new(BINARY).environment("DOORWARD_ADMIN_PASSWORD", PASSWORD).settings(&settings).start()
}

/// Polls as the old user interface does, which keeps nobody alive, until the session is over.
fn poll_to_the_end(client: &mut Raw, target: &str, token: &str) -> Answer {
    let target = format!("{target}?_noSessionRefresh=true");
    wait_until(|| {
        client.send(session_bytes("GET", &target, token));
        let answer = client.read_answer();
        (answer.status != 200).then_some(answer)
    })
    .expect("the session ends")
}

#[test]
fn contract_an_idle_session_is_answered_with_exactly_31_bytes() {
    let backend = Recorder::start();
    let mut gateway = gateway(&backend, "idle_timeout = \"2s\"");
    let token = log_in(gateway.address(), "admin", PASSWORD);
    let mut client = Raw::connect(gateway.address());
    // Used within its two seconds again and again, it lives longer than two seconds.
    let began = Instant::now();
    wait_until(|| {
        client.send(session_bytes("GET", "/api/collections", &token));
        assert_eq!(client.read_answer().status, 200, "after {:?}", began.elapsed());
        (began.elapsed() > Duration::from_millis(2_300)).then_some(())
    });
    let last_use = Instant::now();
    let answer = poll_to_the_end(&mut client, "/api/collections", &token);
    assert!(last_use.elapsed() > Duration::from_millis(1_990), "{:?}", last_use.elapsed());
    assert_eq!(answer.status, 401);
    assert_eq!(answer.reason, "Unauthorized");
    assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
    assert_eq!(answer.header("content-length"), Some("31"));
    assert_eq!(answer.header("www-authenticate"), Some("Cookie realm=\"native\""));
    assert_eq!(answer.body, b"{\"code\":\"session-idle-timeout\"}");
    assert_eq!(answer.body.len(), 31);
    // It is over for good, keeps its reason, also over a crash, and never reached the backend.
    let seen = backend.requests().len();
    assert_refused(
        &with_session(gateway.address(), "GET", "/api/x", &token),
        401,
        "session-idle-timeout",
        "later",
    );
    gateway.kill();
    gateway.restart();
    assert_refused(
        &with_session(gateway.address(), "GET", "/api/x", &token),
        401,
        "session-idle-timeout",
        "restarted",
    );
    assert_eq!(with_session(gateway.address(), "DELETE", "/api/session", &token).status, 204);
    assert_eq!(backend.requests().len(), seen);
}

#[test]
fn asvs_8_the_maximum_ends_a_busy_session_and_the_first_limit_that_passed_is_the_reason() {
    let backend = Recorder::start();
    let both = "idle_timeout = \"2s\"\nmax_lifetime = \"2s\"";
    let gateway =
        mounts(&backend, &[("/busy", both), ("/idle", "idle_timeout = \"1s\"\nmax_lifetime = \"2s\"")]);
    let address = gateway.address();
    let (busy, idle) = (log_in_at(address, "/busy"), log_in_at(address, "/idle"));
    let began = Instant::now();
    let mut client = Raw::connect(address);
    let over = wait_until(|| {
        client.send(session_bytes("GET", "/busy/x", &busy));
        let answer = client.read_answer();
        (answer.status != 200).then_some(answer)
    });
    assert_refused(&over.unwrap(), 401, "session-timeout", "busy");
    assert!(began.elapsed() > Duration::from_millis(1_900), "{:?}", began.elapsed());
    // Both of its limits have passed by now; it idled out first.
    assert_refused(&with_session(address, "GET", "/idle/x", &idle), 401, "session-idle-timeout", "idle");
    // The idle limit of the busy one passes as well, and changes nothing.
    wait_until(|| (began.elapsed() > Duration::from_millis(4_100)).then_some(()));
    assert_refused(&with_session(address, "GET", "/busy/x", &busy), 401, "session-timeout", "busy, later");
    assert_refused(
        &with_session(address, "GET", "/idle/x", &idle),
        401,
        "session-idle-timeout",
        "idle, later",
    );
}

#[test]
fn contract_the_generations_timeouts() {
    let of = |generation: &str| format!("generation = \"{generation}\"");
    let given = "idle_timeout = \"10m\"\nmax_lifetime = \"4h\"".to_owned();
    let mounts = [
        ("/d", String::new()),
        ("/2", of("2")),
        ("/3", of("3")),
        ("/4", of("4")),
        ("/5", of("5")),
        ("/x", given),
    ];
    let listed: Vec<_> = mounts.iter().map(|(path, more)| (*path, more.as_str())).collect();
    let gateway = self::mounts(&Recorder::start(), &listed);
    let expected = [("/d", 30), ("/2", 60), ("/3", 60), ("/4", 60), ("/5", 30), ("/x", 10)];
    for (mount, idle_minutes) in expected {
        let token = log_in_at(gateway.address(), mount);
        let list = with_session(gateway.address(), "GET", &format!("{mount}/sessions"), &token);
        let list: serde_json::Value = serde_json::from_slice(&list.body).unwrap();
        let mine = list.as_array().unwrap().iter().find(|session| session["mount"] == mount).unwrap();
        let near = |value: &serde_json::Value, seconds: u64| {
            (seconds - 20..=seconds).contains(&value.as_u64().unwrap())
        };
        assert!(near(&mine["idleSecondsLeft"], idle_minutes * 60), "{mine}");
        assert!(near(&mine["maxSecondsLeft"], if mount == "/x" { 4 } else { 8 } * 3_600), "{mine}");
    }
}

#[test]
fn asvs_3_a_token_that_names_no_session_is_unknown() {
    let backend = Recorder::start();
    let gateway = gateway(&backend, "");
    let live = log_in(gateway.address(), "admin", PASSWORD);
    let mut flipped = live.clone();
    let last = if flipped.ends_with('0') { "1" } else { "0" };
    flipped.replace_range(35.., last);
    let values = [
        UNKNOWN.to_owned(),
        flipped,
        live.to_uppercase(),
        live.replace('-', ""),
        format!("{live}x"),
        live[..35].to_owned(),
        format!("\"{live}\""),
        format!("{live}=1"),
        "x".to_owned(),
        "*".to_owned(),
        "%00".to_owned(),
        "x".repeat(200),
        "../../etc/passwd".to_owned(),
        "\u{fc}\u{fc}".to_owned(),
        "00000000-0000-0000-0000-000000000000".to_owned(),
    ];
    for value in values {
        let answer = get(gateway.address(), "/api/collections", &[("Cookie", &format!("id={value}"))]);
        assert_refused(&answer, 401, "session-unknown", &value);
    }
    // ASVS 16 and 30: a token counts in its cookie and nowhere else.
    let session_in = [
        get(gateway.address(), &format!("/api/collections?id={live}"), &[]),
        get(gateway.address(), &format!("/api/collections;id={live}"), &[]),
        get(gateway.address(), "/api/collections", &[("id", &live)]),
    ];
    for answer in session_in {
        assert_refused(&answer, 401, "unauthorized", &live);
    }
    assert_refused(
        &get(gateway.address(), "/api/x", &[("Authorization", &format!("Bearer {live}"))]),
        401,
        "invalid-token",
        "",
    );
    assert!(backend.requests().is_empty());
}

#[test]
fn asvs_43_cookies_in_every_order_and_number() {
    let backend = Recorder::start();
    let gateway = gateway(&backend, "");
    let address = gateway.address();
    let live = log_in(address, "admin", PASSWORD);
    let passes = |lines: &[String]| {
        let headers: Vec<_> = lines.iter().map(|line| ("Cookie", line.as_str())).collect();
        get(address, "/api/collections", &headers)
    };
    let one = |line: String| passes(&[line]);
    // An empty cookie is none, and so is one of another name.
    for nothing in
        ["", "id=", "id", "id=; id=", "Id=x", "ID=x", "xid=1", "a=id=1", "__Host-id=x", ";;;", "=id"]
    {
        assert_refused(&one(nothing.to_owned()), 401, "unauthorized", nothing);
    }
    let many: Vec<_> =
        (0..40).map(|n| if n == 17 { format!("id={live}") } else { format!("c{n}={n}") }).collect();
    let good = [
        vec![format!("id={live}")],
        vec![format!("a=b; id={live}; c=d")],
        vec![format!("a=b;id={live};c=d")],
        vec![format!("id={live}; id={live}")],
        vec![format!("id=; id={live}")],
        vec![format!("id={live}"), "a=b".to_owned()],
        vec!["a=b".to_owned(), format!("id={live}"), format!("id={live}")],
        many,
    ];
    for lines in good {
        assert_eq!(passes(&lines).status, 200, "{lines:?}");
    }
    for other in [UNKNOWN, "x", " y"] {
        let bad = [
            vec![format!("id={live}; id={other}")],
            vec![format!("id={other}; id={live}")],
            vec![format!("id={live}"), format!("id={other}")],
            vec![format!("id={other}"), "a=b".to_owned(), format!("id={live}")],
        ];
        for lines in bad {
            assert_refused(&passes(&lines), 400, "bad-request", &format!("{lines:?}"));
        }
    }
}

#[test]
fn asvs_66_every_form_of_basic() {
    let backend = Recorder::start();
    let limits = "[login]\nattempts_per_user = 100\nattempts_per_address = 1000";
    let gateway = gateway(&backend, limits);
    let address = gateway.address();
    new_user(address, "colon", "a:good:long:password", &["admin"]);
    new_user(address, "r\u{e9}my", "a na\u{ef}ve passw\u{f6}rd", &["admin"]);
    let shown = |value: &str| get(address, "/api/collections", &[("Authorization", value)]);
    let admin = basic("admin", PASSWORD);
    let encoded = admin.strip_prefix("Basic ").unwrap();
    let unpadded = basic("colon", "a:good:long:password");
    let good = [
        admin.clone(),
        format!("bAsIc {encoded}"),
        format!("BASIC   {encoded}"),
        basic("ADMIN", PASSWORD),
        unpadded.clone(),
        unpadded.trim_end_matches('=').to_owned(),
        basic("r\u{e9}my", "a na\u{ef}ve passw\u{f6}rd"),
        // Asvs 65: in the other normal form.
        basic("re\u{301}my", "a nai\u{308}ve passwo\u{308}rd"),
    ];
    for value in &good {
        assert_eq!(shown(value).status, 200, "{value}");
    }
    let of = |bytes: &[u8]| {
        use base64::Engine as _;
        format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(bytes))
    };
    let bad = [
        basic("admin", "wrong horse battery"),
        basic("nobody", PASSWORD),
        basic("admin", ""),
        basic("", PASSWORD),
        basic("admin", "\0"),
        basic(" admin", PASSWORD),
        basic("admin", &format!("{PASSWORD} ")),
        of(b"admin"),
        of(b""),
        of(b"admin\0:correct horse battery"),
        of(b"admin:correct horse\r\nbattery"),
        // Asvs 67: the same letters in Latin-1 are no UTF-8, and match nobody.
        of(b"r\xe9my:na\xefve passw\xf6rd"),
        of(b"admin:\xff"),
        "Basic".to_owned(),
        "Basic !!!".to_owned(),
        format!("Basic {encoded}{encoded}"),
        format!("Basic {} x", encoded.trim_end_matches('=')),
        format!("Basic,{encoded}").replace(',', " ,"),
    ];
    for value in &bad {
        assert_refused(&shown(value), 401, "invalid-credentials", value);
    }
    // Another scheme is none of ours: nobody has shown anything.
    for value in ["Digest username=\"admin\"", "Basicx YTpi", "", "Negotiate YTpi"] {
        assert_refused(&shown(value), 401, "unauthorized", value);
    }
    assert_refused(
        &get(address, "/api/x", &[("Authorization", &admin), ("Authorization", &admin)]),
        400,
        "bad-request",
        "two",
    );
    let in_realm = |query: &str, value: &str| {
        get(address, &format!("/api/collections{query}"), &[("Authorization", value)])
    };
    assert_eq!(in_realm("?realmName=native", &admin).status, 200);
    assert_refused(&in_realm("?realmName=nowhere", &admin), 401, "unknown-realm", "realm");
    assert_refused(&in_realm("?realmName=native&realmName=x", &admin), 400, "bad-request", "two realms");
    assert_eq!(backend.requests().len(), good.len() + 1);
}

/// The text of a new key that may do all that this user may.
fn text_of_new_key(address: SocketAddr, username: &str) -> String {
    let body = serde_json::json!({ "name": "a key", "username": username }).to_string();
    let (status, made) = as_admin(address, "POST", "/api-keys", &body);
    assert_eq!(status, 201, "{made}");
    made["key"].as_str().unwrap().to_owned()
}

/// The order of the kinds: the first that is present decides, and a bad one is never papered over by the next. But a
/// dead cookie with good `Authorization` passes on the latter.
#[test]
fn contract_the_first_kind_of_credentials_that_is_present_decides() {
    let backend = Recorder::start();
    let gateway = gateway(&backend, "[login]\nattempts_per_user = 100");
    let address = gateway.address();
    new_user(address, "alice", "a good long password", &["readonly"]);
    let live = format!("id={}", log_in(address, "alice", "a good long password"));
    let dead = format!("id={UNKNOWN}");
    let (good, bad) = (basic("admin", PASSWORD), basic("admin", "wrong horse"));
    let key = text_of_new_key(address, "admin");
    let (key, bearer) = (("x-api-key", key.as_str()), ("Authorization", "Bearer abc"));
    let (live, dead, good, bad) = (live.as_str(), dead.as_str(), good.as_str(), bad.as_str());
    type Case<'a> = (&'a [(&'a str, &'a str)], u16, &'a str);
    let cases: [Case<'_>; 18] = [
        // Alice may not POST: who passes by her cookie gets 403, who passes by admin's password or key 200.
        (&[("Cookie", live)], 403, "forbidden"),
        (&[("Cookie", live), ("Authorization", good)], 403, "forbidden"),
        (&[("Cookie", live), ("Authorization", bad)], 403, "forbidden"),
        (&[("Cookie", live), ("Authorization", "Basic !!!")], 403, "forbidden"),
        (&[("Cookie", live), bearer, key], 403, "forbidden"),
        (&[("Cookie", dead), ("Authorization", good)], 200, ""),
        (&[("Cookie", dead), ("Authorization", good), key], 200, ""),
        (&[("Cookie", dead), ("Authorization", bad)], 401, "invalid-credentials"),
        (&[("Cookie", dead), ("Authorization", "Basic !!!")], 401, "session-unknown"),
        (&[("Cookie", dead), bearer], 401, "invalid-token"),
        (&[("Cookie", dead), key], 401, "session-unknown"),
        (&[("Authorization", good), key], 200, ""),
        (&[("Authorization", bad), key], 401, "invalid-credentials"),
        (&[bearer, key], 401, "invalid-token"),
        (&[key], 200, ""),
        (&[("x-api-key", "k-1")], 401, "invalid-token"),
        (&[key, ("apiKey", "k-1")], 400, "bad-request"),
        (&[("Cookie", "id="), ("Authorization", good)], 200, ""),
    ];
    for (headers, status, word) in cases {
        let answer = ask(address, "POST", "/api/collections", headers, "");
        if status == 200 {
            assert_eq!(answer.status, 200, "{headers:?}");
        } else {
            assert_refused(&answer, status, word, &format!("{headers:?}"));
        }
    }
}

#[test]
fn contract_bearer_tokens_and_api_keys_that_nobody_vouches_for() {
    let backend = Recorder::start();
    let gateway = gateway(&backend, "");
    let address = gateway.address();
    let unknown = format!("dwk_{}", "a5".repeat(32));
    let carriers: [&[(&str, &str)]; 9] = [
        &[("Authorization", "Bearer eyJhbGciOiJub25lIn0.e30.")],
        &[("Authorization", "bearer abc")],
        &[("Authorization", "Bearer")],
        &[("x-api-key", "abc")],
        &[("X-API-Key", "abc")],
        &[("apiKey", "abc")],
        &[("APIKEY", "abc")],
        &[("x-api-key", &unknown)],
        &[("apiKey", &unknown)],
    ];
    for headers in carriers {
        assert_refused(
            &get(address, "/api/collections", headers),
            401,
            "invalid-token",
            &format!("{headers:?}"),
        );
    }
    assert_refused(&get(address, "/api/collections?apiKey=abc", &[]), 401, "invalid-token", "query");
}

#[test]
fn contract_known_but_no_permission_is_403() {
    let backend = Recorder::start();
    let gateway = gateway(&backend, "");
    let address = gateway.address();
    let password = "a good long password";
    new_user(address, "reader", password, &["readonly"]);
    new_user(address, "nothing", password, &[]);
    let (reader, nothing) = (log_in(address, "reader", password), log_in(address, "nothing", password));
    let cases = [
        ("GET", "/api/collections", &reader, 200),
        ("HEAD", "/api/collections", &reader, 200),
        ("POST", "/api/collections", &reader, 403),
        ("DELETE", "/api/collections/demo", &reader, 403),
        ("GET", "/api/users", &reader, 403),
        ("GET", "/api/collections", &nothing, 403),
        ("GET", "/api/session", &nothing, 200),
    ];
    for (method, target, token, status) in cases {
        let answer = with_session(address, method, target, token);
        assert_eq!(answer.status, status, "{method} {target}");
        if status == 403 {
            assert_refused(&answer, 403, "forbidden", target);
        }
    }
    assert_eq!(backend.requests().len(), 2);
    // The session lives on.
    assert_eq!(with_session(address, "GET", "/api/session", &nothing).status, 200);
}

#[test]
fn contract_a_backend_that_is_not_there_or_too_slow() {
    let gone = Recorder::start().stop();
    let backend = Recorder::start();
    let gate = Gate::new();
    let held = gate.clone();
    backend.script(move |_| Reply::new().hold(&held).send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
    let settings = format!(
        "[[mount]]\npath = \"/api\"\nupstream = \"http://{gone}\"\n\
         [[mount]]\npath = \"/slow\"\nupstream = \"{}\"\nupstream_timeout = \"200ms\"\n",
        backend.url()
    );
    let gateway =
        Doorward::new(BINARY).environment("DOORWARD_ADMIN_PASSWORD", PASSWORD).settings(&settings).start();
    let address = gateway.address();
    let shown = basic("admin", PASSWORD);
    let headers = [("Authorization", shown.as_str())];
    assert_refused(&get(address, "/api/collections", &headers), 502, "bad-gateway", "gone");
    assert_refused(&get(address, "/slow/collections", &headers), 504, "gateway-timeout", "slow");
    assert_eq!(backend.requests().len(), 1, "what may have been done is not asked twice");
    gate.open();
    // Who may not is told so, whether or not the backend is there.
    assert_refused(&get(address, "/api/collections", &[]), 401, "unauthorized", "gone, and nobody");
    assert_eq!(get(address, "/api/session", &headers).status, 200);
}

#[test]
fn case_26_a_session_of_one_mount_is_unknown_at_another() {
    let backend = Recorder::start();
    let gateway = mounts(&backend, &[("/api", ""), ("/api/v2", ""), ("/other", "")]);
    let address = gateway.address();
    let all = ["/api", "/api/v2", "/other"];
    let tokens = all.map(|mount| log_in_at(address, mount));
    for (own, token) in all.iter().zip(&tokens) {
        for mount in all {
            let answer = with_session(address, "GET", &format!("{mount}/x"), token);
            if mount == *own {
                assert_eq!(answer.status, 200, "{mount}");
            } else {
                assert_refused(&answer, 401, "session-unknown", mount);
            }
        }
    }
    // Nor can it be ended there.
    assert_eq!(with_session(address, "DELETE", "/other/session", &tokens[0]).status, 204);
    assert_eq!(with_session(address, "GET", "/api/x", &tokens[0]).status, 200);
}

#[test]
fn asvs_68_a_mount_can_ask_for_basic() {
    let backend = Recorder::start();
    let gateway = gateway(&backend, "basic_challenge = true");
    let challenge = |target: &str, headers: &[(&str, &str)]| {
        let answer = get(gateway.address(), target, headers);
        assert_eq!(answer.status, 401);
        answer.header("www-authenticate").unwrap().to_owned()
    };
    let native = "Basic realm=\"native\", charset=\"UTF-8\"";
    assert_eq!(challenge("/api/x", &[]), native);
    assert_eq!(challenge("/api/x", &[("Authorization", "Basic !!!")]), native);
    assert_eq!(challenge("/api/x", &[("Cookie", "id=x")]), native);
    assert_eq!(challenge("/api/x?realmName=acmeLDAP", &[]), "Basic realm=\"acmeLDAP\", charset=\"UTF-8\"");
    assert_eq!(challenge("/api/x?realmName=%0d%0aX:%20y", &[]), native);
}

#[test]
fn contract_no_session_refresh_is_exactly_that_parameter() {
    let backend = Recorder::start();
    let gateway = gateway(&backend, "");
    let address = gateway.address();
    let token = log_in(address, "admin", PASSWORD);
    let seen = || {
        let shown = basic("admin", PASSWORD);
        let list = get(address, "/api/sessions", &[("Authorization", &shown)]);
        let list: serde_json::Value = serde_json::from_slice(&list.body).unwrap();
        list[0]["lastSeenAt"].as_str().unwrap().to_owned()
    };
    let first = seen();
    // Polls for two seconds: the last use stays where it was. Then any other spelling is a use.
    let began = Instant::now();
    wait_until(|| {
        assert_eq!(with_session(address, "GET", "/api/x?a=b&_noSessionRefresh=true", &token).status, 200);
        (began.elapsed() > Duration::from_millis(1_100)).then_some(())
    });
    assert_eq!(seen(), first);
    assert_eq!(with_session(address, "GET", "/api/x?_noSessionRefresh=false", &token).status, 200);
    assert_ne!(seen(), first);
}

/// Contract, "what a change does to live credentials": it holds from the next request on.
#[test]
fn case_24_a_change_of_the_user_holds_from_the_next_request_on() {
    let backend = Recorder::start();
    let gateway = gateway(&backend, "");
    let address = gateway.address();
    let password = "a good long password";
    let id = new_user(address, "alice", password, &["readonly"]);
    let token = log_in(address, "alice", password);
    let by_basic = |password: &str| get(address, "/api/x", &[("Authorization", &basic("alice", password))]);
    let by_cookie = || with_session(address, "GET", "/api/x", &token);
    let change =
        |body: &str| assert_eq!(as_admin(address, "PATCH", &format!("/users/{id}"), body).0, 200, "{body}");
    assert_eq!((by_cookie().status, by_basic(password).status), (200, 200));
    change(r#"{"roleNames":[]}"#);
    assert_refused(&by_cookie(), 403, "forbidden", "no role, cookie");
    assert_refused(&by_basic(password), 403, "forbidden", "no role, Basic");
    change(r#"{"permissions":["GET:/x"]}"#);
    assert_eq!((by_cookie().status, by_basic(password).status), (200, 200));
    change(r#"{"enabled":false}"#);
    assert_refused(&by_cookie(), 401, "session-unknown", "disabled, cookie");
    assert_refused(&by_basic(password), 401, "invalid-credentials", "disabled, Basic");
    change(r#"{"enabled":true}"#);
    assert_refused(&by_cookie(), 401, "session-unknown", "enabled again: ended sessions stay ended");
    assert_eq!(by_basic(password).status, 200);
    let second = log_in(address, "alice", password);
    change(r#"{"password":"another good password"}"#);
    assert_refused(
        &with_session(address, "GET", "/api/x", &second),
        401,
        "session-unknown",
        "new password, cookie",
    );
    assert_refused(&by_basic(password), 401, "invalid-credentials", "the old password");
    assert_eq!(by_basic("another good password").status, 200);
    let third = log_in(address, "alice", "another good password");
    assert_eq!(as_admin(address, "DELETE", &format!("/users/{id}"), "").0, 204);
    assert_refused(
        &with_session(address, "GET", "/api/x", &third),
        401,
        "session-unknown",
        "deleted, cookie",
    );
    assert_refused(&by_basic("another good password"), 401, "invalid-credentials", "deleted, Basic");
}
