//! Real proxies in front of a recording backend: what gets in, what the backend sees, and what a client cannot say.

use testkit::patience::wait_until;
use testkit::raw::{self, Raw};

use super::LONG;
use super::street::{FORGED_FROM, KINDS, Kind, Street};
use crate::common::{ask, basic};

#[test]
fn t11_from_login_to_logout() {
    for kind in KINDS {
        let street = Street::new(kind);
        let nobody = street.ask("GET", "/a/x", &[]);
        assert_eq!(nobody.status, 401, "{kind:?}");
        assert!(nobody.header("www-authenticate").is_some(), "{kind:?}: {}", nobody.head_text());
        street.assert_nothing_forwarded("nobody");
        let session = street.log_in();
        let jar = format!("a=1; {session}; b=2");
        let fields = [("Cookie", jar.as_str()), ("X-Mine", "1"), ("Authorization", "")];
        for (method, target) in
            [("GET", "/a/x?y=%20z&x=/../%2f"), ("POST", "/a/x"), ("HEAD", "/a/x"), ("GET", "/a/%7eb;c=d")]
        {
            let answer = raw::once(street.proxy.address, raw::request(method, target, &fields[..2], ""));
            assert_eq!(answer.status, 200, "{kind:?} {method} {target}: {}", answer.head_text());
            let request = street.seen(target);
            // The bytes that were judged are those that go on; Traefik and Envoy decode what needs no code before they ask.
            let decodes = matches!(kind, Kind::Traefik | Kind::Envoy);
            let target = if decodes { target.replace("%7e", "~") } else { target.to_owned() };
            assert_eq!((&*request.method, &*request.target), (method, &*target), "{kind:?}");
            assert_eq!(request.header("x-forwarded-user"), Some("ada"), "{kind:?}");
            assert_eq!(request.header("x-forwarded-realm"), Some("native"), "{kind:?}");
            assert_eq!(request.header("x-forwarded-user-id").map(str::len), Some(36), "{kind:?}");
            assert_eq!(request.header("cookie"), Some("a=1; b=2"), "{kind:?}");
            assert_eq!(
                (request.header("x-mine"), request.header("x-cookies-left")),
                (Some("1"), None),
                "{kind:?}"
            );
            assert_eq!(request.header("x-forwarded-for"), street.from(&request), "{kind:?}");
        }
        // A session alone leaves no cookie.
        assert_eq!(street.ask("GET", "/a/x", &[("Cookie", &session)]).status, 200, "{kind:?}");
        assert_eq!(street.seen("a session alone").header("cookie"), None, "{kind:?}");
        for (method, target, status) in [("DELETE", "/a/x", 403), ("GET", "/b", 403)] {
            let answer = street.ask(method, target, &[("Cookie", &session)]);
            assert_eq!(answer.status, status, "{kind:?} {method} {target}");
        }
        street.assert_nothing_forwarded("not permitted");
        let answer = street.ask("DELETE", "/.doorward/session", &[("Cookie", &session)]);
        assert!(matches!(answer.status, 200 | 204), "{kind:?}: {}", answer.head_text());
        assert_eq!(street.ask("GET", "/a/x", &[("Cookie", &session)]).status, 401, "{kind:?}");
        street.assert_nothing_forwarded("logged out");
    }
}

#[test]
fn t11_bodies_go_to_the_backend_and_not_to_the_gateway() {
    for kind in KINDS {
        let street = Street::new(kind);
        let session = street.log_in();
        let body = "x".repeat(300_000);
        let fields = [("Cookie", session.as_str()), ("Content-Type", "text/plain")];
        let answer = ask(street.proxy.address, "POST", "/a/x", &fields, &body);
        assert_eq!(answer.status, 200, "{kind:?}");
        assert_eq!(street.seen("a body").body.len(), body.len(), "{kind:?}");
        let answer = ask(street.proxy.address, "POST", "/a/x", &[("Content-Type", "text/plain")], &body);
        assert_eq!(answer.status, 401, "{kind:?}");
        street.assert_nothing_forwarded("a body of nobody's");
    }
}

#[test]
fn asvs_69_other_credentials_go_no_further_either() {
    for kind in KINDS {
        let street = Street::new(kind);
        let shown = basic("ada", LONG);
        let fields = [("Authorization", shown.as_str()), ("apikey", "CANARY"), ("X-Api-Key", "CANARY")];
        assert_eq!(street.ask("GET", "/a/x", &fields[..1]).status, 200, "{kind:?}");
        let request = street.seen("Basic");
        assert_eq!(
            (request.header("authorization"), request.header("x-forwarded-user")),
            (None, Some("ada"))
        );
        // On a public route nobody looks, and still nothing goes on.
        assert_eq!(street.ask("GET", "/open/x", &fields).status, 200, "{kind:?}");
        let head = street.seen("public").head_text().to_lowercase();
        assert!(!head.contains("authorization") && !head.contains("canary"), "{kind:?}: {head}");
    }
}

#[test]
fn t11_a_session_that_begins_with_a_question_is_the_clients() {
    // Caddy's `forward_auth` hands on nothing of an answer that lets pass.
    for kind in KINDS.into_iter().filter(|kind| *kind != Kind::Caddy) {
        let street = Street::new(kind);
        let shown = basic("ada@internal", LONG);
        let fields = [("Authorization", shown.as_str()), ("Prefer", "persistent-auth")];
        let answer = street.ask("GET", "/engine/a/x", &fields);
        assert_eq!(answer.status, 200, "{kind:?}: {}", answer.head_text());
        let session = answer.set_cookie("JSESSIONID");
        let cookie =
            format!("JSESSIONID={}", session.unwrap_or_else(|| panic!("{kind:?}: {}", answer.head_text())));
        street.seen("the first");
        // Without `Prefer` no cookie counts (contract/ovirt.md).
        for (fields, status) in [(&fields[1..], 200), (&fields[1..], 200), (&[], 401)] {
            let fields = [&[("Cookie", cookie.as_str())], fields].concat();
            let answer = street.ask("GET", "/engine/a/x", &fields);
            assert_eq!(answer.status, status, "{kind:?} {fields:?}: {}", answer.head_text());
        }
    }
}

#[test]
fn case_6_no_client_says_who_he_is_or_which_request_is_judged() {
    for kind in KINDS {
        let street = Street::new(kind);
        // Over TLS, the cookie had another name; the log would have the address.
        let hops = [
            ("X-Forwarded-Proto", "https"),
            ("X-Forwarded-Host", "FORGED"),
            ("X-Forwarded-For", FORGED_FROM),
        ];
        let session = street.log_in_with(&hops);
        let forged = [
            hops[0],
            hops[1],
            hops[2],
            ("X-Forwarded-User", "FORGED"),
            ("x-forwarded-user-id", "FORGED"),
            ("X-FORWARDED-REALM", "FORGED"),
            ("X_Forwarded_User", "FORGED"),
            ("X-Forwarded_User", "FORGED"),
            ("X-Cookies-Left", "FORGED"),
            ("X-Forwarded-Uri", "/open/FORGED"),
            ("X-Forwarded-Method", "GET"),
            ("X-Original-URI", "/open/FORGED"),
            ("X-Original-Method", "GET"),
            ("X-Original-URL", "http://h/open/FORGED"),
        ];
        for (target, fields, status) in [
            ("/a/x", vec![], 401),
            ("/a/x", vec![("Cookie", session.as_str())], 200),
            ("/b", vec![("Cookie", session.as_str())], 403),
            ("/open/x", vec![], 200),
        ] {
            let answer = street.ask("GET", target, &[&fields[..], &forged].concat());
            assert_eq!(answer.status, status, "{kind:?} {target}: {}", answer.head_text());
            if status != 200 {
                street.assert_nothing_forwarded(target);
                continue;
            }
            let request = street.seen(target);
            let user = (target == "/a/x").then_some("ada");
            assert_eq!(request.header("x-forwarded-user"), user, "{kind:?} {target}");
            let identity = |name: &str| {
                let name = name.to_lowercase().replace('_', "-");
                ["x-forwarded-user", "x-forwarded-user-id", "x-forwarded-realm", "cookie"].contains(&&*name)
            };
            for (name, value) in request.headers.iter().filter(|(name, _)| identity(name)) {
                assert!(value != "FORGED" && user.is_some(), "{kind:?} {target}: {name}: {value}");
            }
            let hops = ["for", "proto", "host"].map(|what| request.header(&format!("x-forwarded-{what}")));
            assert_eq!(hops, [street.from(&request), Some("http"), Some("gateway.test")], "{kind:?}");
        }
        // Each alone, too.
        for field in forged {
            assert_eq!(street.ask("GET", "/a/x", &[field]).status, 401, "{kind:?} {field:?}");
            let fields = [field, ("Cookie", session.as_str())];
            assert_eq!(street.ask("GET", "/a/x", &fields).status, 200, "{kind:?} {field:?}");
            assert_eq!(street.seen(field.0).header("x-forwarded-user"), Some("ada"), "{kind:?} {field:?}");
        }
        street.assert_nothing_forwarded("forged");
        let log = street.gateway.log_lines().join("\n");
        assert!(!log.contains("FORGED") && !log.contains(FORGED_FROM), "{kind:?}: {log}");
    }
}

/// What the answer tells Envoy to take out, the guide's other configurations take out by name.
#[test]
fn case_5_no_field_tells_the_backend_another_request_than_was_judged() {
    for kind in KINDS {
        let street = Street::new(kind);
        let answer = ask(street.gateway.address(), "GET", "/.doorward/auth/open/x", &[], "");
        let names = answer.header("x-envoy-auth-headers-to-remove").expect("what is to be taken out");
        // A cookie of the client's own stays.
        let names: Vec<&str> = names.split(", ").filter(|name| *name != "Cookie").collect();
        assert!(names.len() > 40, "{names:?}");
        // Every character of a name (RFC 9110 section 5.6.2) that a backend of CGI's kind takes for the same as a dash.
        for separator in "-_.!#$%&'*+^`|~".split("").filter(|one| !one.is_empty()) {
            let spelled: Vec<String> = names
                .iter()
                .map(|name| name.replace('-', separator))
                .filter(|name| separator == "-" || name.contains(separator))
                .collect();
            let fields: Vec<(&str, &str)> = spelled.iter().map(|name| (&**name, "FORGED")).collect();
            assert_eq!(street.ask("GET", "/open/x", &fields).status, 200, "{kind:?} {separator}");
            let head = street.seen(separator).head_text();
            assert!(!head.contains("FORGED"), "{kind:?} {separator}: {head}");
        }
    }
}

#[test]
fn case_6_a_fusion_mount_tells_who_it_is_in_its_own_fields() {
    const FIELDS: [&str; 6] = [
        "fusion-user-id",
        "fusion-user-name",
        "fusion-user-realm",
        "fusion-user-roles",
        "fusion-user-groups",
        "fusion-user",
    ];
    for kind in KINDS {
        let street = Street::new(kind);
        let shown = basic("ada", LONG);
        let forged = FIELDS.map(|name| (name, "FORGED"));
        let fields = [&[("Authorization", shown.as_str())], &forged[..]].concat();
        assert_eq!(street.ask("GET", "/administration/a/x", &fields).status, 200, "{kind:?}");
        let request = street.seen("a fusion mount");
        let told = FIELDS.map(|name| request.header(name));
        assert!(told[0].is_some_and(|id| id.len() == 36), "{kind:?}: {}", request.head_text());
        assert_eq!(told[1..], [Some("ada"), Some("native"), None, None, None], "{kind:?}");
        assert!(!request.head_text().contains("FORGED"), "{kind:?}: {}", request.head_text());
    }
}

#[test]
fn case_8_connection_takes_nothing_away() {
    for kind in KINDS {
        let street = Street::new(kind);
        let session = street.log_in();
        for named in [
            "X-Forwarded-User",
            "close, X-Forwarded-User, X-Forwarded-User-Id",
            "Cookie",
            "x-original-uri, x-forwarded-uri",
            "X-Forwarded-For",
            "X-Cookies-Left",
        ] {
            let fields = [("Cookie", session.as_str()), ("Connection", named)];
            let answer = street.ask("GET", "/a/x", &fields);
            // Either it is no use, or it is refused; the backend never sees a request without its user, or with the session.
            if answer.status == 200 {
                let request = street.seen(named);
                assert_eq!(request.header("x-forwarded-user"), Some("ada"), "{kind:?} {named}");
                assert_eq!(request.header("cookie"), None, "{kind:?} {named}");
                assert_eq!(request.header("x-forwarded-for"), street.from(&request), "{kind:?} {named}");
            } else {
                assert!(matches!(answer.status, 400 | 401), "{kind:?} {named}: {}", answer.head_text());
                street.assert_nothing_forwarded(named);
            }
        }
        let kept = [("Cookie", session.as_str()), ("Connection", "keep-alive")];
        assert_eq!(street.ask("GET", "/a/x", &kept).status, 200, "{kind:?}");
    }
}

#[test]
fn case_5_nobody_asks_through_the_proxy() {
    for kind in KINDS {
        let street = Street::new(kind);
        let shown = basic("admin", crate::common::PASSWORD);
        for target in [
            "/.doorward/auth",
            "/.doorward/auth?x",
            "/.doorward/auth/",
            "/.doorward/auth/open/x",
            "/.doorward/auth/a/x",
            "/.doorward/%61uth",
            "/.doorward/%61uth/open/x",
            "/.doorward//auth",
            "/.doorward/./auth/open/x",
            "/.doorward/x/../auth",
            "/.doorward/auth%2fopen",
            "/.doorward/auth;x",
            "/.Doorward/auth",
            "//.doorward/auth/open/x",
        ] {
            for statement in [
                &[][..],
                &[("X-Original-Method", "GET"), ("X-Original-URI", "/open/x")],
                &[("X-Forwarded-Method", "GET"), ("X-Forwarded-Uri", "/open/x")],
            ] {
                let fields = [statement, &[("Authorization", shown.as_str())]].concat();
                let mut client = Raw::connect(street.proxy.address);
                client.send(raw::request("GET", target, &fields, ""));
                let answer = client.read_answer();
                assert!(answer.status >= 300, "{kind:?} {target} {statement:?}: {}", answer.head_text());
                assert_eq!(answer.header("x-forwarded-user"), None, "{kind:?} {target}");
                assert_eq!(answer.header("x-envoy-auth-headers-to-remove"), None, "{kind:?} {target}");
            }
        }
        street.assert_nothing_forwarded("questions");
        let judged = street.judged();
        assert!(!judged.iter().any(|path| path == "/open/x" || path == "/a/x"), "{kind:?}: {judged:?}");
    }
}

#[test]
fn case_1_what_two_servers_could_read_differently_is_refused() {
    for kind in KINDS {
        let street = Street::new(kind);
        let session = street.log_in();
        for target in
            ["/a/../b", "/open/../b", "/open/%2e%2e/b", "/open%2f..%2fb", "/open/..;/b", "/open//x", "/a\\b"]
        {
            let answer = street.ask("GET", target, &[("Cookie", &session)]);
            // Traefik and Envoy make one reading of it before they ask: what goes on is what was judged then.
            if matches!(kind, Kind::Traefik | Kind::Envoy) && answer.status == 200 {
                let passed = street.seen(target).target;
                assert!(["/open/x", "/a/b"].contains(&&*passed), "{kind:?} {target}: {passed}");
                let judged = wait_until(|| (street.judged().last() == Some(&passed)).then_some(()));
                assert!(judged.is_some(), "{kind:?} {target}: {:?}", street.judged());
                continue;
            }
            assert!(answer.status >= 400, "{kind:?} {target}: {}", answer.head_text());
        }
        street.assert_nothing_forwarded("paths with two readings");
    }
}

#[test]
fn case_34_no_upgrade_makes_a_tunnel_past_the_questions() {
    for kind in KINDS {
        let street = Street::new(kind);
        let session = street.log_in();
        let asked = [
            ("h2c", "Upgrade, HTTP2-Settings"),
            ("HTTP/1.1", "Upgrade"),
            ("foo", "upgrade"),
            ("\"h2c\"", "Upgrade"),
        ];
        let lists = [
            ("websocket, h2c", "Upgrade"),
            ("h2c, websocket", "keep-alive, Upgrade"),
            ("websocketx", "Upgrade"),
        ];
        for (upgrade, connection) in asked.into_iter().chain(lists) {
            let fields = [
                ("Cookie", session.as_str()),
                ("Connection", connection),
                ("Upgrade", upgrade),
                ("HTTP2-Settings", "AAMAAABkAAQCAAAAAAIAAAAA"),
            ];
            for (target, fields) in [("/a/x", &fields[..]), ("/open/x", &fields[1..])] {
                let answer = street.ask("GET", target, fields);
                if answer.status == 200 {
                    let head = street.seen(upgrade).head_text();
                    assert!(!head.to_lowercase().contains("upgrade:"), "{kind:?} {upgrade} {target}: {head}");
                } else {
                    let named = format!("{kind:?} {upgrade} {target}: {}", answer.head_text());
                    assert!(matches!(answer.status, 400 | 403 | 404 | 501), "{named}");
                    street.assert_nothing_forwarded(&named);
                }
            }
        }
    }
}

/// Caddy can mix its connections up where many are opened at once (caddyserver/caddy#7859).
#[test]
fn case_4_in_a_crowd_each_is_judged_by_the_gateway() {
    const CLIENTS: usize = 48;
    for kind in KINDS {
        let street = Street::new(kind);
        let session = street.log_in();
        std::thread::scope(|scope| {
            for client in 0..CLIENTS {
                let (street, session) = (&street, session.as_str());
                scope.spawn(move || {
                    let mut raw = Raw::connect(street.proxy.address);
                    for number in 0..24 {
                        let target = format!("/a/{client}-{number}");
                        let is_somebody = number % 4 != 3;
                        let fields: &[_] = if is_somebody { &[("Cookie", session)] } else { &[] };
                        raw.send(raw::request("GET", &target, fields, ""));
                        let answer = raw.read_answer();
                        let status = if is_somebody { 200 } else { 401 };
                        assert_eq!(answer.status, status, "{kind:?} {target}: {}", answer.head_text());
                        if answer
                            .header("connection")
                            .is_some_and(|value| value.eq_ignore_ascii_case("close"))
                        {
                            raw = Raw::connect(street.proxy.address);
                        }
                    }
                });
            }
        });
        for request in street.backend.requests() {
            assert!(request.target.starts_with("/a/"), "{kind:?}: {}", request.head_text());
            assert_eq!(request.header("x-forwarded-user"), Some("ada"), "{kind:?}: {}", request.head_text());
        }
    }
}

#[test]
fn contract_cookies_that_are_odd_neither_carry_the_session_nor_lose_the_others() {
    for kind in KINDS {
        let street = Street::new(kind);
        let session = street.log_in();
        let joined = format!("a=1,{session}; b=2");
        assert_eq!(
            street.ask("GET", "/a/x", &[("Cookie", &joined)]).status,
            401,
            "{kind:?}: of two readings"
        );
        assert_eq!(street.ask("GET", "/open/x", &[("Cookie", &joined)]).status, 200, "{kind:?}");
        assert_eq!(street.seen("joined").header("cookie"), Some("b=2"), "{kind:?}");
        let lines = [("Cookie", "a=1"), ("Cookie", session.as_str()), ("Cookie", "b=2")];
        assert_eq!(street.ask("GET", "/open/x", &lines).status, 200, "{kind:?}");
        let head = street.seen("three lines").head_text();
        assert!(!head.contains(&session), "{kind:?}: {head}");
        let mut request = b"GET /a/x HTTP/1.1\r\nHost: gateway.test\r\nCookie: q=".to_vec();
        request.extend(b"\xe4\xff; ");
        request.extend(format!("{session}; r=1\r\n\r\n").into_bytes());
        let answer = raw::once(street.proxy.address, request);
        assert_eq!(answer.status, 200, "{kind:?}: {}", answer.head_text());
        // Envoy makes text of it before it asks.
        let left = if kind == Kind::Envoy { "q=!!; r=1" } else { "r=1" };
        assert_eq!(street.seen("no text").header("cookie"), Some(left), "{kind:?}");
    }
}

#[test]
fn contract_what_is_no_yes_and_no_refusal() {
    for kind in KINDS {
        let street = Street::new(kind);
        let session = street.log_in();
        // A method that is not passed on is a 501 of the gateway's.
        let answer = street.ask("PROPFIND", "/a/x", &[("Cookie", &session)]);
        let expected = match kind {
            Kind::Nginx => 500,
            Kind::Envoy => 503,
            Kind::Caddy | Kind::Traefik => 501,
        };
        assert_eq!(answer.status, expected, "{kind:?}: {}", answer.head_text());
        street.assert_nothing_forwarded("no method");
        let old = format!("GET /a/x HTTP/1.0\r\nCookie: {session}\r\n\r\n");
        let answer = raw::once(street.proxy.address, old.into_bytes());
        let expected = match kind {
            // What nginx hands on has no `Host` either, which is the backend's to refuse.
            Kind::Nginx => 400,
            Kind::Envoy => 426,
            Kind::Caddy | Kind::Traefik => 200,
        };
        assert_eq!(answer.status, expected, "{kind:?}: {}", answer.head_text());
    }
}
