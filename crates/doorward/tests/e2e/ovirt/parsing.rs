//! Parsing and lifetime: how clients in the field write what they mean (contract/ovirt.md, Parsing and Lifetime).

use testkit::raw::{self, Raw};

use super::{API, Engine, PERSISTENT, assert_unauthorized, id_of, login};

#[test]
fn contract_the_ways_of_writing_a_cookie_and_a_preference() {
    let engine = Engine::new();
    let id = engine.log_in("ada");
    let cookies = [
        format!("Cookie: JSESSIONID={id}"),
        format!("cookie: JSESSIONID={id};"),
        format!("COOKIE: a=b; JSESSIONID={id}; c=d"),
        format!("Cookie: a=b\r\nCookie: JSESSIONID={id}"),
        format!("Cookie: JSESSIONID={id};JSESSIONID={id}"),
        format!("Cookie: jsessionid=other; JSESSIONID={id}"),
    ];
    let preferences = [
        "Prefer: persistent-auth",
        "prefer: Persistent-Auth",
        "Prefer: persistent-auth=false",
        "Prefer: a=\"b, c\"; d, persistent-auth; x=y",
        "Prefer: respond-async\r\nPrefer: persistent-auth",
    ];
    for cookie in &cookies {
        for preference in preferences {
            let request = format!("GET {API}/vms HTTP/1.1\r\nHost: h\r\n{cookie}\r\n{preference}\r\n\r\n");
            let answer = raw::once(engine.address(), &request);
            assert_eq!(answer.status, 200, "{request}");
        }
    }
    for request in engine.backend.requests() {
        assert!(!request.head_text().contains(&id), "{}", request.head_text());
        assert_eq!(request.header_values("authorization"), Vec::<&str>::new());
    }
    let two = format!("JSESSIONID={id}; JSESSIONID={}", "A".repeat(id.len()));
    assert_eq!(engine.get(&[PERSISTENT, ("Cookie", &two)]).status, 400, "never the first of two");
    assert!(engine.lives(&id));
}

#[test]
fn contract_session_ttl_is_the_idle_time_of_the_session_that_begins() {
    let engine = Engine::with("max_lifetime = \"2h\"\nidle_timeout = \"20m\"", "");
    for (asked, minutes) in [
        (None, 20),
        (Some("1"), 1),
        (Some("90"), 90),
        (Some("120"), 120),
        (Some("121"), 120),
        (Some("99999999999999999999"), 120),
        (Some("0"), 20),
        (Some("-5"), 20),
        (Some("1.5"), 20),
        (Some("soon"), 20),
        (Some(""), 20),
    ] {
        let mut headers = vec![PERSISTENT];
        headers.extend(asked.map(|asked| ("Session-TTL", asked)));
        let id = engine.log_in_with("ada", &headers);
        let [session] = &engine.sessions()[..] else { panic!("one session") };
        let left = session["idleSecondsLeft"].as_u64().unwrap();
        assert!((minutes * 60 - 30..=minutes * 60).contains(&left), "{asked:?}: {left}");
        assert_eq!(engine.get(&[("Cookie", &format!("JSESSIONID={id}"))]).status, 401);
    }
}

#[test]
fn contract_the_mount_itself_is_answered_and_not_redirected() {
    let engine = Engine::new();
    let shown = login("ada");
    for (path, target) in [("", API.to_owned()), ("/", format!("{API}/"))] {
        for method in ["GET", "HEAD"] {
            let answer = engine.ask(method, path, &[PERSISTENT, ("Authorization", &shown)]);
            assert_eq!((answer.status, answer.header("location")), (200, None), "{method} {path}");
            assert!(id_of(&answer).is_some());
            let reached = engine.reached();
            assert_eq!(reached, [(method.to_owned(), target.clone(), Some("ada".to_owned()))]);
        }
    }
    let answer =
        engine.ask("GET", "/vms;case_sensitive=True;max=1?search=a%3Db", &[("Authorization", &shown)]);
    assert_eq!(answer.status, 200);
    assert_eq!(engine.reached()[0].1, format!("{API}/vms;case_sensitive=True;max=1?search=a%3Db"));
}

#[test]
fn contract_faults_are_xml_or_json_as_the_client_accepts() {
    let engine = Engine::new();
    let xml = engine.get(&[("Accept", "application/xml")]);
    assert_unauthorized(&xml, "xml");
    let json = engine.get(&[("Accept", "application/json")]);
    assert_eq!((json.status, json.header("content-type")), (401, Some("application/json")));
    let fault: serde_json::Value = serde_json::from_slice(&json.body).unwrap();
    assert_eq!((&fault["reason"], fault["detail"].is_string()), (&"Unauthorized".into(), true));
    assert_eq!(json.header("www-authenticate"), Some("Basic realm=\"RESTAPI\""));
    let head = engine.ask("HEAD", "/vms", &[]);
    assert_eq!((head.status, head.body.len()), (401, 0));
    // The oldest mount's 401 names another realm.
    let old = Engine::at("/api", "", "");
    let answer = raw::once(old.address(), raw::request("GET", "/api/vms", &[], ""));
    assert_eq!(answer.header_values("www-authenticate"), ["Basic realm=\"ENGINE\""]);
}

/// Clients in the field announce a body with GET and never send it. They are answered at once, and where the next request would
/// begin nobody guesses: the connection ends.
#[test]
fn contract_a_get_whose_body_never_comes_is_answered() {
    let engine = Engine::new();
    let id = engine.log_in("ada");
    let fields = format!("Host: h\r\nPrefer: persistent-auth\r\nCookie: JSESSIONID={id}\r\n");
    for framing in [
        "Content-Length: 7",
        "Content-Length: 99999999",
        "Transfer-Encoding: chunked",
        "Content-Length: 5\r\nExpect: 100-continue",
    ] {
        for method in ["GET", "HEAD"] {
            engine.reached();
            let mut client = Raw::connect(engine.address());
            client.send(format!("{method} {API}/vms HTTP/1.1\r\n{fields}{framing}\r\n\r\n"));
            let answer = client.read_answer_to(method);
            assert_eq!(
                (answer.status, answer.header("connection")),
                (200, Some("close")),
                "{method} {framing}"
            );
            assert_eq!(engine.reached().len(), 1);
            // What comes now is neither a body nor a request.
            let _closed = client.try_send(format!("DELETE {API}/vms/1 HTTP/1.1\r\n{fields}\r\n"));
            client.finish_sending();
            assert!(client.is_closed_by_peer(), "{method} {framing}");
            assert!(engine.reached().is_empty(), "{method} {framing}");
        }
    }
    for request in engine.backend.requests() {
        assert!(request.header("content-length").is_none() && request.header("transfer-encoding").is_none());
        assert!(request.header("expect").is_none() && request.body.is_empty());
    }
    assert!(engine.backend.complaints().is_empty(), "{:?}", engine.backend.complaints());
    // Refused ones are answered at once, too.
    let mut client = Raw::connect(engine.address());
    client.send(format!("GET {API}/vms HTTP/1.1\r\nHost: h\r\nContent-Length: 7\r\n\r\n"));
    let answer = client.read_answer();
    assert_eq!((answer.status, answer.header("connection")), (401, Some("close")));
    // With the body in the same packet it is the same: no byte of it becomes a request.
    let mut client = Raw::connect(engine.address());
    let smuggled = format!("GET {API}/smuggled HTTP/1.1\r\nHost: h\r\n\r\n");
    let length = smuggled.len();
    client.send(format!("GET {API}/vms HTTP/1.1\r\n{fields}Content-Length: {length}\r\n\r\n{smuggled}"));
    assert_eq!(client.read_answer().header("connection"), Some("close"));
    client.finish_sending();
    assert!(client.is_closed_by_peer());
    assert!(engine.reached().iter().all(|(_, target, _)| !target.contains("smuggled")));
    // Bodies of other methods go on as they came, and without a body the connection stays.
    let mut client = Raw::connect(engine.address());
    for _ in 0..2 {
        client.send(format!("POST {API}/vms HTTP/1.1\r\n{fields}Content-Length: 5\r\n\r\n<vm/>"));
        assert_eq!(client.read_answer().header("connection"), None);
        client.send(format!("GET {API}/vms HTTP/1.1\r\n{fields}Content-Length: 0\r\n\r\n"));
        assert_eq!(client.read_answer().header("connection"), None);
    }
    let bodies: Vec<_> = engine.backend.requests().into_iter().filter(|seen| seen.method == "POST").collect();
    assert!(bodies.len() == 2 && bodies.iter().all(|seen| seen.body == b"<vm/>"));
}

#[test]
fn contract_what_the_engine_sees() {
    let engine = Engine::new();
    let id = engine.log_in("ada");
    engine.reached();
    let mut client = Raw::connect(engine.address());
    client.send(format!(
        "GET {API}/vms HTTP/1.1\r\nHost: engine.example\r\nPrefer: persistent-auth\r\nCookie: locale=de; JSESSIONID={id}\r\n\
         Authorization: Basic !!!\r\nJSESSIONID: {id}\r\nj_session_id: {id}\r\nX-Forwarded-User: root\r\nX-Forwarded-Realm: root\r\n\
         X_Forwarded_User_Id: root\r\nfusion-user-name: root\r\nVersion: 4\r\nAll-Content: true\r\n\r\n"
    ));
    assert_eq!(client.read_answer().status, 200);
    let seen = engine.backend.wait_for(1).remove(0);
    let head = seen.head_text();
    assert!(!head.contains(&id) && !head.contains("root") && !head.contains("!!!"), "{head}");
    for (name, value) in [
        ("host", "engine.example"),
        ("cookie", "locale=de"),
        ("x-forwarded-user", "ada"),
        ("x-forwarded-realm", "native"),
        ("version", "4"),
        ("all-content", "true"),
        ("prefer", "persistent-auth"),
    ] {
        assert_eq!(seen.header(name), Some(value), "{head}");
    }
    // The engine cannot set the gateway's cookie.
    engine.backend.script(|_| {
        testkit::Reply::answer(
            "200 OK",
            &[("Set-Cookie", "JSESSIONID=evil; Path=/"), ("Set-Cookie", "a=b")],
            "",
        )
    });
    let answer = engine.get(&[PERSISTENT, ("Cookie", &format!("JSESSIONID={id}"))]);
    assert_eq!(answer.header_values("set-cookie"), ["a=b"]);
}
