//! The audit log from the event to the reader: each kind of event, the filters, the pages, the chain, the copy, and that no secret
//! is in any of it.

use serde_json::{Value, json};
use testkit::Recorder;
use testkit::patience::wait_until;
use testkit::process::{self, Doorward, Ended};

use crate::common::{
    BINARY, PASSWORD, as_admin, ask, basic, command, gateway, log_in, login_bytes, new_user, with_session,
};

mod copy;

const LONG: &str = "a good long password";

/// The lines that a query gives, as `admin`.
fn lines(gateway: &Doorward, query: &str) -> Vec<Value> {
    let (status, found) = as_admin(gateway.address(), "GET", &format!("/audit{query}"), "");
    assert_eq!(status, 200, "{query}: {found}");
    found.as_array().unwrap().clone()
}

fn events<'a>(lines: &'a [Value], field: &str) -> Vec<(&'a str, &'a str)> {
    lines
        .iter()
        .map(|line| (line["event"].as_str().unwrap(), line["fields"][field].as_str().unwrap_or("-")))
        .collect()
}

fn verify(gateway: &Doorward, more: &[&str]) -> Ended {
    let data = gateway.data();
    let mut arguments = vec!["audit", "verify", "--data", data.to_str().unwrap()];
    arguments.extend_from_slice(more);
    process::run(BINARY, &arguments, &[], "")
}

/// The end of the log as `audit verify` prints it.
fn end(gateway: &Doorward) -> String {
    let told = verify(gateway, &[]);
    assert_eq!(told.code, Some(0), "{told:#?}");
    told.stdout.lines().find_map(|line| line.strip_prefix("its end: ")).unwrap().to_owned()
}

fn sqlite(gateway: &Doorward, statement: &str) {
    let file = gateway.data().join("doorward.db");
    let done = std::process::Command::new("sqlite3").arg(&file).arg(statement).output().unwrap();
    assert!(done.status.success(), "{statement}: {}", String::from_utf8_lossy(&done.stderr));
}

#[test]
fn asvs_109_each_kind_of_event_has_its_line() {
    let backend = Recorder::start();
    let more = "max_sessions_per_user = 2\n[login]\nattempts_per_user = 2\nattempts_per_address = 100\nwindow = \"1m\"";
    let gateway = gateway(&backend, more);
    let address = gateway.address();
    let id = new_user(address, "alice", LONG, &["readonly"]);
    let admin = as_admin(address, "GET", "/users?username=admin", "").1[0]["id"].as_str().unwrap().to_owned();
    let first = log_in(address, "alice", LONG);
    assert_eq!(with_session(address, "POST", "/api/x", &first).status, 403);
    assert_eq!(with_session(address, "DELETE", "/api/session", &first).status, 204);
    let tokens = [(); 3].map(|()| log_in(address, "alice", LONG));
    assert_eq!(as_admin(address, "DELETE", &format!("/users/{id}/sessions"), "").0, 204);
    assert_eq!(with_session(address, "GET", "/api/x", &tokens[2]).status, 401);
    for status in [401, 401, 429] {
        let answer = testkit::raw::once(address, login_bytes("mallory", "a guess that is wrong"));
        assert_eq!(answer.status, status);
    }
    let mine = lines(&gateway, &format!("?user={id}&order=asc"));
    let found = events(&mine, "reason");
    let wanted = [
        ("login", "-"),
        ("denied", "forbidden"),
        ("session_ended", "logout"),
        ("login", "-"),
        ("login", "-"),
        ("login", "-"),
        ("session_ended", "evicted"),
        ("session_ended", "revoked"),
        ("session_ended", "revoked"),
    ];
    assert_eq!(found, wanted, "{mine:#?}");
    assert_eq!(mine[0]["fields"]["client.address"], "127.0.0.1");
    assert_eq!(mine[0]["fields"]["session.id"], mine[2]["fields"]["session.id"]);
    assert_eq!(mine[1]["fields"]["action"], "POST /api/x");
    assert_eq!(mine[7]["fields"]["by"], json!(admin), "who ended it");
    let guesses = lines(&gateway, "?name=mallory&order=asc");
    let reasons = [
        ("login_failed", "unknown_user"),
        ("login_failed", "unknown_user"),
        ("login_throttled", "too_many_attempts"),
    ];
    assert_eq!(events(&guesses, "reason"), reasons);
    let shown = lines(&gateway, "?event=credential_verified");
    assert_eq!((shown.len(), shown[0]["fields"]["user.name"].as_str()), (1, Some("admin")));
    assert_eq!(events(&lines(&gateway, "?event=operated"), "operation"), [("operated", "server.start")]);
}

#[test]
fn asvs_109_a_session_that_timed_out_has_its_line() {
    let backend = Recorder::start();
    for (settings, reason) in [
        ("idle_timeout = \"1s\"\nmax_lifetime = \"1h\"", "idle"),
        ("idle_timeout = \"1s\"\nmax_lifetime = \"1s\"", "maximum"),
    ] {
        let gateway = gateway(&backend, settings);
        let token = log_in(gateway.address(), "admin", PASSWORD);
        let over = || {
            (with_session(gateway.address(), "GET", "/api/session?peek=true", &token).status == 401)
                .then_some(())
        };
        assert!(wait_until(over).is_some());
        // Whoever finds it dead; at the latest the sweep.
        assert_eq!(with_session(gateway.address(), "DELETE", "/api/session", &token).status, 204);
        let ends = lines(&gateway, "?event=session_ended");
        let expected = if reason == "maximum" { vec!["idle", "maximum"] } else { vec![reason] };
        assert!(
            ends.len() == 1 && expected.contains(&ends[0]["fields"]["reason"].as_str().unwrap()),
            "{ends:?}"
        );
        assert_eq!(ends[0]["fields"].get("by"), None);
    }
}

#[test]
fn asvs_109_each_change_of_the_directory_says_who_where_and_what() {
    let backend = Recorder::start();
    let gateway = gateway(&backend, "");
    let address = gateway.address();
    let admin = as_admin(address, "GET", "/users?username=admin", "").1[0]["id"].as_str().unwrap().to_owned();
    let user = new_user(address, "alice", LONG, &[]);
    let change = |method: &str, path: &str, body: Value| {
        let (status, told) = as_admin(address, method, path, &body.to_string());
        assert!((200..300).contains(&status), "{method} {path}: {status} {told}");
        told["id"].as_str().unwrap_or_default().to_owned()
    };
    change(
        "PATCH",
        &format!("/users/{user}"),
        json!({ "roleNames": ["search"], "password": "another good password" }),
    );
    let role = change("POST", "/roles", json!({ "name": "desk", "permissions": ["GET:/x"] }));
    change("PATCH", &format!("/roles/{role}"), json!({ "permissions": ["GET,POST:/x"] }));
    change("DELETE", &format!("/roles/{role}"), Value::Null);
    let key = change(
        "POST",
        "/api-keys",
        json!({ "name": "reports", "username": "alice", "permissions": ["GET:/x"] }),
    );
    change("DELETE", &format!("/api-keys/{key}"), Value::Null);
    let app = change("POST", "/apps", json!({ "name": "Shop" }));
    change("DELETE", &format!("/apps/{app}"), Value::Null);
    let realm = change("POST", "/realm-configs", json!({ "name": "partners", "realmType": "native" }));
    change("PATCH", &format!("/realm-configs/{realm}"), json!({ "enabled": false }));
    change("DELETE", &format!("/realm-configs/{realm}"), Value::Null);
    change("DELETE", &format!("/users/{user}"), Value::Null);
    let changes = lines(&gateway, "?event=directory_changed&order=asc");
    let told = events(&changes, "operation");
    let words: Vec<&str> = told.iter().map(|(_, operation)| *operation).collect();
    let wanted = [
        "setup.initialise",
        "user.create",
        "user.change",
        "role.create",
        "role.change",
        "role.delete",
        "key.create",
        "key.delete",
        "app.create",
        "app.delete",
        "realm.create",
        "realm.change",
        "realm.delete",
        "user.delete",
    ];
    assert_eq!(words[1..], wanted[1..], "{changes:#?}");
    for change in &changes[1..] {
        assert_eq!(
            (&change["fields"]["by"], &change["fields"]["client.address"]),
            (&json!(admin), &json!("127.0.0.1"))
        );
        assert_ne!(change["fields"]["subject"], "", "{change}");
    }
    let detail = |operation: &str| {
        lines(&gateway, &format!("?operation={operation}"))[0]["fields"]["detail"].to_string()
    };
    assert!(detail("user.change").contains("search") && detail("user.change").contains("new password"));
    assert!(detail("role.change").contains("GET,POST:/x"));
    assert!(detail("key.create").contains("GET:/x"));
    assert_eq!(lines(&gateway, &format!("?subject={user}&operation=user.delete")).len(), 1);
    assert_eq!(lines(&gateway, &format!("?by={admin}")).len(), wanted.len() - 1);
}

#[test]
fn contract_the_log_is_filtered_and_paged_both_ways() {
    let backend = Recorder::start();
    let gateway = gateway(&backend, "");
    let address = gateway.address();
    new_user(address, "alice", LONG, &["readonly"]);
    for _ in 0..4 {
        log_in(address, "alice", LONG);
    }
    // Looking is no event but for the password that was shown for it, so the log stands still.
    let all = lines(&gateway, "");
    let ids = |lines: &[Value]| lines.iter().map(|line| line["id"].as_u64().unwrap()).collect::<Vec<_>>();
    let newest_first: Vec<u64> = (1..=all.len() as u64).rev().collect();
    assert_eq!(ids(&all), newest_first, "none is left out, the newest first");
    let shown = basic("admin", PASSWORD);
    for order in ["desc", "asc"] {
        let (mut seen, mut target) = (Vec::new(), format!("/api/audit?limit=3&order={order}"));
        loop {
            let page = ask(address, "GET", &target, &[("Authorization", &shown)], "");
            seen.extend(ids(&serde_json::from_slice::<Vec<Value>>(&page.body).unwrap()));
            let Some(link) = page.header("link") else { break };
            target = link.strip_prefix('<').unwrap().strip_suffix(">; rel=\"next\"").unwrap().to_owned();
        }
        if order == "asc" {
            seen.reverse();
        }
        assert_eq!(seen, newest_first, "{order}");
    }
    let logins = lines(&gateway, "?event=login&name=alice");
    assert_eq!(logins.len(), 4);
    let session = logins[0]["fields"]["session.id"].as_str().unwrap();
    assert_eq!(ids(&lines(&gateway, &format!("?session={session}"))), [logins[0]["id"].as_u64().unwrap()]);
    let at = logins[1]["at"].as_str().unwrap();
    assert!(at.ends_with('Z') && at.contains('.'), "{at}: with milliseconds");
    let (since, until) = (lines(&gateway, &format!("?since={at}")), lines(&gateway, &format!("?until={at}")));
    assert_eq!(since.len() + until.len(), all.len());
    assert!(ids(&since).contains(&logins[1]["id"].as_u64().unwrap()));
    assert_eq!(lines(&gateway, "?address=127.0.0.1&realm=native&event=login&limit=2").len(), 2);
    for none in [
        "?event=x",
        "?name=ALICE2",
        "?address=::1",
        "?realm=x",
        "?since=2999-01-01T00:00:00Z",
        "?until=1999-01-01T00:00:00Z",
    ] {
        assert_eq!(lines(&gateway, none), [] as [Value; 0], "{none}");
    }
    for (wrong, field) in [
        ("?order=x", "order"),
        ("?user=x", "user"),
        ("?by=x", "by"),
        ("?session=x", "session"),
        ("?address=x", "address"),
        ("?since=yesterday", "since"),
        ("?until=1", "until"),
    ] {
        let (status, told) = as_admin(address, "GET", &format!("/audit{wrong}"), "");
        assert_eq!((status, told["field"].as_str()), (400, Some(field)), "{wrong}: {told}");
    }
    for wrong in ["?limit=0", "?limit=1001", "?after=x", "?event=a&event=b"] {
        assert_eq!(as_admin(address, "GET", &format!("/audit{wrong}"), "").0, 400, "{wrong}");
    }
    let head = ask(address, "HEAD", "/api/audit", &[("Authorization", &shown)], "");
    assert_eq!((head.status, head.body.len()), (200, 0));
    // Who may not, may not; and strangers even less.
    let token = log_in(address, "alice", LONG);
    assert_eq!(with_session(address, "GET", "/api/audit", &token).status, 403);
    assert_eq!(ask(address, "GET", "/api/audit", &[], "").status, 401);
    assert_eq!(lines(&gateway, "?event=denied")[0]["fields"]["action"], "GET /api/audit");
}

#[test]
fn contract_the_command_line_lists_and_verifies() {
    let backend = Recorder::start();
    let mut gateway = gateway(&backend, "");
    new_user(gateway.address(), "alice", LONG, &[]);
    log_in(gateway.address(), "alice", LONG);
    let told = command(&gateway, &["audit", "list", "--event", "login", "--name", "alice"], &[]);
    assert_eq!((told.code, told.stdout.lines().count()), (Some(0), 2), "{told:#?}");
    assert!(told.stdout.lines().nth(1).unwrap().contains("alice"), "{told:#?}");
    let told = command(&gateway, &["audit", "list", "--json", "--oldest-first", "--limit", "2"], &[]);
    let list: Vec<Value> = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!((list.len(), &list[0]["id"]), (2, &json!(1)));
    let wrong = command(&gateway, &["audit", "list", "--since", "yesterday"], &[]);
    assert_eq!(wrong.code, Some(1), "{wrong:#?}");
    assert!(wrong.stderr.contains("since"), "{wrong:#?}");
    let refused = command(&gateway, &["audit", "list", "--login", "alice"], &[("DOORWARD_PASSWORD", LONG)]);
    assert_eq!(refused.code, Some(4), "{refused:#?}");
    // Beside the server, and without it.
    let before = end(&gateway);
    assert_eq!(gateway.terminate().code, Some(0));
    let after = end(&gateway);
    assert_ne!(before, after, "`server.stop` is written");
    for noted in [&before, &after] {
        let told = verify(&gateway, &["--expect", noted]);
        assert_eq!(told.code, Some(0), "{told:#?}");
    }
    let json: Value = serde_json::from_str(&verify(&gateway, &["--json"]).stdout).unwrap();
    assert_eq!(format!("{}:{}", json["last"], json["hash"].as_str().unwrap()), after);
    let (line, hash) = after.split_once(':').unwrap();
    let other = if hash.starts_with('0') { hash.replacen('0', "1", 1) } else { format!("0{}", &hash[1..]) };
    for (noted, code) in [(format!("{line}:{other}"), 1), (format!("9{line}:{hash}"), 1), ("7".to_owned(), 2)]
    {
        assert_eq!(verify(&gateway, &["--expect", &noted]).code, Some(code), "{noted}");
    }
    let nowhere = process::run(BINARY, &["audit", "verify", "--data", "/nowhere"], &[], "");
    assert_eq!(nowhere.code, Some(1), "{nowhere:#?}");
}

#[test]
fn contract_an_altered_or_missing_line_is_found() {
    let backend = Recorder::start();
    let mut gateway = gateway(&backend, "");
    for name in ["alice", "bob"] {
        new_user(gateway.address(), name, LONG, &[]);
    }
    assert_eq!(gateway.terminate().code, Some(0));
    let noted = end(&gateway);
    let file = gateway.data().join("doorward.db");
    let whole = std::fs::read(&file).unwrap();
    for (statement, line) in [
        ("UPDATE audit SET fields = replace(fields, 'alice', 'eve') WHERE fields LIKE '%alice%'", "line"),
        ("UPDATE audit SET at = at + 1 WHERE sequence = 3", "line 3"),
        ("UPDATE audit SET event = 'login' WHERE sequence = 1", "line 1"),
        ("DELETE FROM audit WHERE sequence = 2", "line 2"),
        ("DELETE FROM audit WHERE sequence = 1", "line 1"),
        ("DELETE FROM audit WHERE sequence = (SELECT max(sequence) FROM audit)", "line"),
        ("UPDATE audit SET sequence = -sequence WHERE sequence IN (2, 3)", "line"),
    ] {
        sqlite(&gateway, &format!("{statement}; PRAGMA wal_checkpoint(TRUNCATE)"));
        let told = verify(&gateway, &[]);
        assert_eq!((told.code, told.stdout.as_str()), (Some(1), ""), "{statement}: {told:#?}");
        assert!(told.stderr.contains(line), "{statement}: {told:#?}");
        std::fs::write(&file, &whole).unwrap();
    }
    assert_eq!(end(&gateway), noted, "it is whole again");
}

/// Whatever was answered has its line, however the process ends right after.
#[test]
fn asvs_109_what_was_answered_before_a_kill_has_its_line() {
    let backend = Recorder::start();
    let mut gateway = gateway(&backend, "");
    let mut answered: Vec<(String, Value)> = Vec::new();
    for round in 0..5 {
        let name = format!("user{round}");
        let id = new_user(gateway.address(), &name, LONG, &["readonly"]);
        answered.push(("user.create".to_owned(), json!(id)));
        let token = log_in(gateway.address(), &name, LONG);
        answered.push(("login".to_owned(), json!(id)));
        match round % 3 {
            0 => {
                assert_eq!(with_session(gateway.address(), "DELETE", "/api/session", &token).status, 204);
                answered.push(("logout".to_owned(), json!(id)));
            }
            1 => {
                let body = json!({ "name": name, "permissions": ["GET:/x"] }).to_string();
                assert_eq!(as_admin(gateway.address(), "POST", "/roles", &body).0, 201);
                answered.push(("role.create".to_owned(), json!(name)));
            }
            _ => {}
        }
        gateway.kill();
        gateway.restart();
    }
    let all = lines(&gateway, "?limit=1000");
    for (what, whom) in answered {
        let is_it = |line: &&Value| {
            let fields = &line["fields"];
            match what.as_str() {
                "login" => line["event"] == "login" && fields["user.id"] == whom,
                "logout" => fields["reason"] == "logout" && fields["user.id"] == whom,
                operation => {
                    let names = |detail: &str| {
                        whom.as_str().is_some_and(|name| detail.starts_with(&format!("{name};")))
                    };
                    fields["operation"] == operation
                        && (fields["subject"] == whom || fields["detail"].as_str().is_some_and(names))
                }
            }
        };
        assert_eq!(all.iter().filter(is_it).count(), 1, "{what} {whom}: {all:#?}");
    }
    let starts = all.iter().filter(|line| line["fields"]["operation"] == "server.start").count();
    assert_eq!(starts, 6);
    assert_eq!(verify(&gateway, &[]).code, Some(0));
}

/// What the permissions allow and the operation does not, and what another site's page asks for.
#[test]
fn asvs_109_denials_beyond_the_permissions_have_their_line() {
    let backend = Recorder::start();
    let gateway = gateway(&backend, "");
    let address = gateway.address();
    let id = new_user(address, "alice", LONG, &["readonly"]);
    let cookie = format!("id={}", log_in(address, "alice", LONG));
    let own = format!("/api/users/{id}");
    let asked = ask(address, "PATCH", &own, &[("Cookie", &cookie)], r#"{"roleNames":["admin"]}"#);
    assert_eq!(asked.status, 403);
    let cross = [("Cookie", cookie.as_str()), ("Sec-Fetch-Site", "cross-site")];
    assert_eq!(ask(address, "PATCH", &own, &cross, "{}").status, 403);
    let denied = lines(&gateway, "?event=denied&order=asc");
    assert_eq!(events(&denied, "reason"), [("denied", "forbidden"), ("denied", "cross_site")]);
    assert_eq!(
        (denied[0]["fields"]["user.id"].as_str(), denied[1]["fields"].get("user.id")),
        (Some(&*id), None)
    );
    assert!(denied.iter().all(|line| line["fields"]["action"] == json!(format!("PATCH {own}"))));
}

#[test]
fn asvs_109_settings_that_are_read_again_have_their_line() {
    let backend = Recorder::start();
    let mut gateway = gateway(&backend, "");
    gateway.hangup();
    let _ = gateway.wait_for_log("settings_reloaded");
    gateway.write_settings("nonsense = 1\n[[mount]]\npath = \"/api\"\nupstream = \"http://127.0.0.1:9\"\n");
    gateway.hangup();
    let _ = gateway.wait_for_log("settings_refused");
    let told = lines(&gateway, "?event=operated&order=asc");
    let wanted = ["server.start", "settings.reload", "settings.refused"];
    assert_eq!(
        events(&told, "operation").iter().map(|(_, operation)| *operation).collect::<Vec<_>>(),
        wanted
    );
    assert!(told[2]["fields"]["detail"].as_str().unwrap().contains("nonsense"));
}

#[test]
fn asvs_109_a_restore_takes_no_line_away() {
    let backend = Recorder::start();
    let mut gateway = gateway(&backend, "");
    let (data, copy) = (gateway.data(), gateway.folder().join("backup.db"));
    let (data, copy) = (data.to_str().unwrap(), copy.to_str().unwrap());
    let saved = process::run(BINARY, &["backup", "--data", data, copy], &[], "");
    assert_eq!(saved.code, Some(0), "{saved:#?}");
    new_user(gateway.address(), "alice", LONG, &[]);
    for serves in [true, false] {
        if !serves {
            assert_eq!(gateway.terminate().code, Some(0));
        }
        let noted = end(&gateway);
        let restored = process::run(BINARY, &["restore", "--data", data, copy], &[], "");
        assert_eq!(restored.code, Some(0), "{restored:#?}");
        let told = verify(&gateway, &["--expect", &noted]);
        assert_eq!(told.code, Some(0), "{told:#?}");
        if !serves {
            gateway.restart();
        }
        assert_eq!(lines(&gateway, "?operation=user.create").len(), 1);
        assert_eq!(as_admin(gateway.address(), "GET", "/users?username=alice", "").1, json!([]));
    }
    assert_eq!(lines(&gateway, "?operation=store.restore").len(), 1);
}

/// Strangers decide how often they fail, and not how long the log gets.
#[test]
fn case_15_a_flood_of_failures_is_counted() {
    let backend = Recorder::start();
    let gateway = gateway(&backend, "[login]\nattempts_per_user = 1\nattempts_per_address = 1000");
    let mut client = testkit::raw::Raw::connect(gateway.address());
    for _ in 0..150 {
        client.send(login_bytes("mallory", "a guess that is wrong"));
        assert!([401, 429].contains(&client.read_answer().status));
    }
    // One look, and then nobody looked: two kinds of failures, each with its own hundred.
    assert_eq!(lines(&gateway, "?name=mallory&event=login_failed&limit=1000").len(), 1);
    assert_eq!(lines(&gateway, "?name=mallory&event=login_throttled&limit=1000").len(), 100);
}

#[test]
fn asvs_110_no_line_has_a_secret_in_it() {
    let backend = Recorder::start();
    let (gateway, file) = copy::copying(&backend);
    let address = gateway.address();
    let canaries = ["canary-of-a-password", "canary-of-a-new-password", "canary-of-a-guess"];
    let id = new_user(address, "alice", canaries[0], &["readonly"]);
    let token = log_in(address, "alice", canaries[0]);
    let _ = testkit::raw::once(address, login_bytes("alice", canaries[2]));
    let cookie = format!("id={token}");
    let body = json!({ "password": canaries[1], "currentPassword": canaries[0] }).to_string();
    let changed = ask(address, "PATCH", &format!("/api/users/{id}"), &[("Cookie", &cookie)], &body);
    assert_eq!(changed.status, 200, "{}", changed.body_text());
    let (_, key) =
        as_admin(address, "POST", "/api-keys", &json!({ "name": "k", "username": "alice" }).to_string());
    let key = key["key"].as_str().unwrap().to_owned();
    for target in [format!("/api/x?apiKey={key}"), format!("/api/x?apiKey={key}x"), "/api/audit".to_owned()] {
        ask(address, "DELETE", &target, &[("X-Api-Key", &key)], "");
    }
    let shown = basic("alice", canaries[1]);
    assert_eq!(ask(address, "POST", "/api/x", &[("Authorization", &shown)], "").status, 403);
    ask(
        address,
        "POST",
        "/api",
        &[],
        &json!({ "password": canaries[0], "setupToken": "canary-of-a-token" }).to_string(),
    );
    copy::wait_for_copy(&gateway, &file);
    let written = std::fs::read_to_string(&file).unwrap();
    let listed = json!(lines(&gateway, "?limit=1000")).to_string();
    let printed = command(&gateway, &["audit", "list", "--limit", "1000"], &[]).stdout;
    for text in [written, listed, printed] {
        assert!(text.contains("alice"));
        for secret in [PASSWORD, &token, &key, &key[4..], &shown, "canary"].iter().chain(&canaries) {
            assert!(!text.contains(secret), "{secret}");
        }
    }
}
