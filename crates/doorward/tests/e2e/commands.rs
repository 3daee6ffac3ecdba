//! Every command against a running gateway: what it does, what it says, `--json`, and its exit code (contract/config.md,
//! Commands). Exit codes: 0 done, 1 failed, 2 the command line is wrong, 3 there is no such thing, 4 not allowed.

mod demo;
mod files;

use serde_json::Value;
use testkit::backend::Recorder;
use testkit::process::{self, Doorward, Ended};
use testkit::raw::Raw;

use super::common::{BINARY, PASSWORD, command, create_user, gateway, judged, log_in, with_session};

/// What a command says with `--json`.
fn json(ended: &Ended) -> Value {
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:#?}");
    assert_eq!(ended.stdout.lines().count(), 1, "one line for scripts: {ended:#?}");
    serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{ended:#?}"))
}

fn run(gateway: &Doorward, arguments: &[&str]) -> Ended {
    command(gateway, arguments, &[("DOORWARD_NEW_PASSWORD", "a new good password")])
}

/// It failed with this code, said nothing on stdout, and this on stderr.
fn assert_failed(ended: &Ended, code: i32, why: &str) {
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(code), ""), "{ended:#?}");
    assert!(ended.stderr.contains(why), "{why:?} is not in {ended:#?}");
}

#[test]
fn contract_user_commands() {
    let backend = Recorder::start();
    let gateway = gateway(&backend, "");
    let made = run(
        &gateway,
        &["user", "create", "Alice", "--role", "search", "--permission", "GET:/reports/**", "--json"],
    );
    let made = &json(&made)[0];
    assert_eq!(made["username"], "Alice");
    assert_eq!((&made["realmName"], &made["roleNames"]), (&"native".into(), &serde_json::json!(["search"])));
    assert!(made.get("password").is_none() && !made.to_string().contains("a new good password"), "{made}");
    let id = made["id"].as_str().unwrap();
    // How strong the password is is told once.
    let mut known = made.clone();
    assert!(known.as_object_mut().unwrap().remove("strength").is_some(), "{made}");
    assert_failed(&run(&gateway, &["user", "create", "alice"]), 1, "");
    for named in ["alice", "ALICE", id] {
        assert_eq!(json(&run(&gateway, &["user", "show", named, "--json"]))[0], known, "{named}");
    }
    let table = run(&gateway, &["user", "show", "alice"]);
    let rows: Vec<Vec<&str>> = table.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(
        rows,
        [
            vec!["NAME", "REALM", "ROLES", "GRANTED", "ENABLED", "LAPSED", "ID"],
            vec!["Alice", "native", "search", "true", "false", id]
        ]
    );
    let names = |ended: &Ended| -> Vec<String> {
        json(ended)
            .as_array()
            .unwrap()
            .iter()
            .map(|user| user["username"].as_str().unwrap().to_owned())
            .collect()
    };
    let mut all = names(&run(&gateway, &["user", "list", "--json"]));
    all.sort();
    assert_eq!(all, ["Alice", "admin"]);
    assert!(names(&run(&gateway, &["user", "list", "--realm", "acme", "--json"])).is_empty());

    let token = log_in(gateway.address(), "alice", "a new good password");
    let mut client = Raw::connect(gateway.address());
    let set = run(&gateway, &["user", "set", "alice", "--role", "readonly", "--role", "developer", "--json"]);
    assert_eq!(json(&set)[0]["roleNames"], serde_json::json!(["readonly", "developer"]));
    let set = run(&gateway, &["user", "set", "alice", "--no-roles", "--no-permissions", "--json"]);
    assert_eq!(
        (&json(&set)[0]["roleNames"], &json(&set)[0]["permissions"]),
        (&serde_json::json!([]), &serde_json::json!([]))
    );
    assert_eq!(judged(&mut client, &token).0, 200, "roles change, the session lives on");
    assert_failed(&run(&gateway, &["user", "set", "alice"]), 1, "nothing to change");
    assert_failed(&run(&gateway, &["user", "set", "alice", "--role", "nobody-has-this"]), 1, "role");

    let changed = command(
        &gateway,
        &["user", "set", "alice", "--password"],
        &[("DOORWARD_NEW_PASSWORD", "yet another one")],
    );
    assert_eq!(changed.code, Some(0), "{changed:#?}");
    assert_eq!(judged(&mut client, &token), (401, "session-unknown".to_owned()));
    let token = log_in(gateway.address(), "alice", "yet another one");
    assert_eq!(json(&run(&gateway, &["user", "set", "alice", "--disable", "--json"]))[0]["enabled"], false);
    assert_eq!(judged(&mut client, &token).0, 401);
    assert_eq!(json(&run(&gateway, &["user", "set", "alice", "--enable", "--json"]))[0]["enabled"], true);
    assert_eq!(judged(&mut client, &token).0, 401, "what ended stays ended");

    let deleted = run(&gateway, &["user", "delete", "alice"]);
    assert_eq!((deleted.code, deleted.stdout.as_str()), (Some(0), "Alice is deleted\n"), "{deleted:#?}");
    for action in
        [vec!["show", "alice"], vec!["delete", "alice"], vec!["set", "alice", "--enable"], vec!["show", id]]
    {
        let mut line = vec!["user"];
        line.extend(action);
        assert_failed(&run(&gateway, &line), 3, "");
    }
}

#[test]
fn contract_one_changes_ones_own_password_with_the_present_one() {
    let backend = Recorder::start();
    let gateway = gateway(&backend, "");
    let changed = run(&gateway, &["user", "set", "admin", "--password"]);
    assert_eq!(changed.code, Some(0), "{changed:#?}");
    assert_failed(&run(&gateway, &["user", "list"]), 4, "");
    let _token = log_in(gateway.address(), "admin", "a new good password");
    let weak = command(
        &gateway,
        &["user", "set", "admin", "--password"],
        &[("DOORWARD_PASSWORD", "a new good password"), ("DOORWARD_NEW_PASSWORD", "short")],
    );
    assert_failed(&weak, 1, "at least 15 characters");
}

#[test]
fn contract_role_commands() {
    let backend = Recorder::start();
    let gateway = gateway(&backend, "");
    let names = |ended: &Ended| -> Vec<String> {
        json(ended).as_array().unwrap().iter().map(|role| role["name"].as_str().unwrap().to_owned()).collect()
    };
    let mut built_in = names(&run(&gateway, &["role", "list", "--json"]));
    built_in.sort();
    assert_eq!(built_in, ["admin", "developer", "readonly", "search"]);
    let permissions =
        ["--permission", "GET:/reports/**", "--permission", "GET,POST:/collections/{id}:id=demo"];
    let mut line = vec!["role", "create", "reporter", "--description", "Reads reports", "--json"];
    line.extend(permissions);
    let made = json(&run(&gateway, &line))[0].clone();
    assert_eq!((&made["name"], &made["desc"]), (&"reporter".into(), &"Reads reports".into()));
    assert_eq!(made["permissions"].as_array().unwrap().len(), 2, "{made}");
    assert_eq!(json(&run(&gateway, &["role", "show", "reporter", "--json"]))[0], made);
    let shown = run(&gateway, &["role", "show", "reporter"]);
    assert!(shown.stdout.contains("/reports/**") && shown.stdout.contains("Reads reports"), "{shown:#?}");
    assert_failed(&run(&gateway, &["role", "create", "reporter"]), 1, "");
    assert_failed(&run(&gateway, &["role", "create", "odd", "--permission", "FETCH:/x"]), 1, "");

    // It counts at once for those who have it, and is gone from them with its end.
    create_user(&gateway, "rita", PASSWORD, "reporter");
    let token = log_in(gateway.address(), "rita", PASSWORD);
    let status = |target: &str| with_session(gateway.address(), "GET", target, &token).status;
    assert_eq!((status("/api/reports/1"), status("/api/invoices/1")), (200, 403));
    let set = run(&gateway, &["role", "set", "reporter", "--permission", "GET:/invoices/**", "--json"]);
    assert_eq!(json(&set)[0]["desc"], "Reads reports", "what is not given stays");
    assert_eq!((status("/api/reports/1"), status("/api/invoices/1")), (403, 200));
    assert_eq!(
        json(&run(&gateway, &["role", "set", "reporter", "--no-permissions", "--json"]))[0]["permissions"],
        serde_json::json!([])
    );
    assert_eq!(status("/api/invoices/1"), 403);
    assert_failed(&run(&gateway, &["role", "set", "reporter"]), 1, "nothing to change");
    let deleted = run(&gateway, &["role", "delete", "reporter"]);
    assert_eq!((deleted.code, deleted.stdout.as_str()), (Some(0), "reporter is deleted\n"), "{deleted:#?}");
    assert_eq!(
        json(&run(&gateway, &["user", "show", "rita", "--json"]))[0]["roleNames"],
        serde_json::json!([])
    );
    for action in ["show", "delete"] {
        assert_failed(&run(&gateway, &["role", action, "reporter"]), 3, "reporter");
    }
}

#[test]
fn contract_session_commands() {
    let backend = Recorder::start();
    let gateway = gateway(&backend, "");
    create_user(&gateway, "alice", PASSWORD, "search");
    let tokens: Vec<String> = (0..3).map(|_| log_in(gateway.address(), "alice", PASSWORD)).collect();
    let admin = log_in(gateway.address(), "admin", PASSWORD);
    let listed = json(&run(&gateway, &["session", "list", "--json"]));
    assert_eq!(listed.as_array().unwrap().len(), 4);
    let of_alice = json(&run(&gateway, &["session", "list", "--user", "alice", "--json"]));
    assert_eq!(of_alice.as_array().unwrap().len(), 3);
    assert!(of_alice.as_array().unwrap().iter().all(|session| session["username"] == "alice"));
    for token in &tokens {
        assert!(!listed.to_string().contains(token), "a list shows no token");
    }
    let table = run(&gateway, &["session", "list", "--realm", "native"]);
    assert!(table.stdout.starts_with("USER") && table.stdout.lines().count() == 5, "{table:#?}");

    let mut client = Raw::connect(gateway.address());
    let first = of_alice[0]["id"].as_str().unwrap();
    let shown = run(&gateway, &["session", "show", first]);
    assert!(shown.stdout.contains("IDLE LEFT, S") && shown.stdout.contains(first), "{shown:#?}");
    assert_eq!(json(&run(&gateway, &["session", "show", first, "--json"]))[0]["username"], "alice");
    let ended = run(&gateway, &["session", "end", first]);
    assert_eq!(
        (ended.code, ended.stdout.as_str()),
        (Some(0), format!("{first} is ended\n").as_str()),
        "{ended:#?}"
    );
    let live = tokens.iter().filter(|token| judged(&mut client, token).0 == 200).count();
    assert_eq!(live, 2);
    let ended = run(&gateway, &["session", "end", "--user", "alice"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), "2 sessions are ended\n"), "{ended:#?}");
    assert!(tokens.iter().all(|token| judged(&mut client, token) == (401, "session-unknown".to_owned())));
    assert_eq!(judged(&mut client, &admin).0, 200);
    let over = json(&run(&gateway, &["session", "list", "--ended", "--json"]));
    assert_eq!(over.as_array().unwrap().len(), 3);
    assert!(over.as_array().unwrap().iter().all(|session| session["endReason"] == "revoked"), "{over}");
    let none = run(&gateway, &["session", "revoke", "--user", "alice", "--app", "demo", "--json"]);
    assert_eq!((none.code, none.stdout.as_str()), (Some(0), "{\"ended\":0}\n"), "{none:#?}");
    assert_failed(&run(&gateway, &["session", "revoke", "--idle-longer-than", "1w"]), 1, "idleLongerThan: ");
    assert_failed(&run(&gateway, &["session", "show", first, "--login", "alice"]), 4, "");
    assert_failed(&run(&gateway, &["session", "end", "not-an-id"]), 3, "not-an-id");
    assert_failed(&run(&gateway, &["session", "end", "00000000-0000-4000-8000-000000000000"]), 3, "");
    assert_failed(&run(&gateway, &["session", "end", "--user", "nobody"]), 3, "nobody");
}

#[test]
fn asvs_14_ones_own_sessions_from_the_command_line() {
    let backend = Recorder::start();
    let gateway = gateway(&backend, "");
    create_user(&gateway, "alice", PASSWORD, "search");
    let tokens: Vec<String> = (0..4).map(|_| log_in(gateway.address(), "alice", PASSWORD)).collect();
    let admin = log_in(gateway.address(), "admin", PASSWORD);
    let alice = |more: &[&str]| run(&gateway, &[&["session", "mine", "--login", "alice"], more].concat());
    let mine = json(&alice(&["--json"]));
    assert_eq!(mine.as_array().unwrap().len(), 4);
    assert!(mine.as_array().unwrap().iter().all(|session| session["username"] == "alice"), "{mine}");
    let first = mine[0]["id"].as_str().unwrap();
    let ended = alice(&["--end", first]);
    assert_eq!((ended.code, ended.stdout), (Some(0), format!("{first} is ended\n")));
    assert_failed(&alice(&["--end", first]), 3, "");
    let of_admin = json(&run(&gateway, &["session", "mine", "--json"]))[0]["id"].as_str().unwrap().to_owned();
    assert_failed(&alice(&["--end", &of_admin]), 3, "");
    let mut client = Raw::connect(gateway.address());
    assert_eq!(tokens.iter().filter(|token| judged(&mut client, token).0 == 200).count(), 3);
    let ended = alice(&["--end-all"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), "3 sessions are ended\n"));
    assert!(tokens.iter().all(|token| judged(&mut client, token).0 == 401));
    assert_eq!(judged(&mut client, &admin).0, 200);
    let everything = run(&gateway, &["session", "revoke", "--all"]);
    assert_eq!((everything.code, everything.stdout.as_str()), (Some(0), "1 session is ended\n"));
    assert_eq!(judged(&mut client, &admin).0, 401);
}

#[test]
fn contract_commands_fail_with_a_code_that_says_how() {
    let backend = Recorder::start();
    let gateway = gateway(&backend, "");
    create_user(&gateway, "sam", PASSWORD, "search");
    let list = ["user", "list"];
    assert_failed(&command(&gateway, &list, &[("DOORWARD_PASSWORD", "not it at all")]), 4, "");
    assert_failed(&command(&gateway, &list, &[("DOORWARD_LOGIN", "sam")]), 4, "");
    assert_failed(&command(&gateway, &["user", "list", "--login-realm", "acme"], &[]), 4, "");
    assert_failed(
        &command(&gateway, &list, &[("DOORWARD_SERVER", "http://127.0.0.1:9/api")]),
        1,
        "http://127.0.0.1:9/api",
    );
    assert_failed(
        &command(&gateway, &list, &[("DOORWARD_SERVER", &format!("{}/none", gateway.url()))]),
        3,
        "",
    );
    // Without a terminal and without the variable there is no password, and nothing hangs.
    let asked = process::run(BINARY, &list, &[("DOORWARD_SERVER", &gateway.url())], "");
    assert_failed(&asked, 1, "DOORWARD_PASSWORD");
}

#[test]
fn contract_a_wrong_command_line_is_told_with_exit_code_2() {
    let cases: [&[&str]; 16] = [
        &["serv"],
        &["serve", "--listne", "127.0.0.1:0"],
        &["user"],
        &["user", "create"],
        &["user", "set", "x", "--enable", "--disable"],
        &["role", "set", "x", "--no-permissions", "--permission", "GET:/x"],
        &["session", "end"],
        &["session", "end", "x", "--user", "y"],
        &["session", "revoke", "x", "--all"],
        &["session", "revoke", "--all", "--realm", "y"],
        &["session", "show"],
        &["session", "mine", "--end", "x", "--end-all"],
        &["import"],
        &["explain", "--user", "x"],
        &["backup"],
        &["restore", "a", "-c", "b", "--data", "c"],
    ];
    for case in cases {
        let ended = process::run(BINARY, case, &[("DOORWARD_PASSWORD", "x")], "");
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{case:?}: {ended:#?}");
        assert!(ended.stderr.contains("Usage: doorward"), "{case:?}: {ended:#?}");
    }
    let near = process::run(BINARY, &["serv"], &[], "");
    assert!(near.stderr.contains("'serve'"), "{near:#?}");
}

#[test]
fn contract_every_command_has_a_help_text() {
    let cases: [&[&str]; 28] = [
        &[],
        &["demo"],
        &["serve"],
        &["check"],
        &["import"],
        &["explain"],
        &["user"],
        &["user", "list"],
        &["user", "show"],
        &["user", "create"],
        &["user", "set"],
        &["user", "delete"],
        &["role"],
        &["role", "list"],
        &["role", "show"],
        &["role", "create"],
        &["role", "set"],
        &["role", "delete"],
        &["realm"],
        &["realm", "test"],
        &["session"],
        &["session", "list"],
        &["session", "show"],
        &["session", "revoke"],
        &["session", "end"],
        &["session", "mine"],
        &["backup"],
        &["restore"],
    ];
    for case in cases {
        let mut line = case.to_vec();
        line.push("--help");
        let ended = process::run(BINARY, &line, &[], "");
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{case:?}");
        assert!(!ended.stdout.starts_with("Usage"), "{case:?} says first what it does");
        for option in ended.stdout.lines().filter(|line| line.trim_start().starts_with("--")) {
            let (_, text) = option.trim().split_once("  ").unwrap_or((option, ""));
            assert!(!text.trim().is_empty() || case.is_empty(), "{case:?}: {option:?} has no text");
        }
    }
    let version = process::run(BINARY, &["--version"], &[], "");
    assert_eq!(version.stdout, format!("doorward {}\n", env!("CARGO_PKG_VERSION")));
}
