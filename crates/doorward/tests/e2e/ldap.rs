//! Logins against a real OpenLDAP (issue 4): roles of groups, attributes for the backend, several realms at once, `doorward realm
//! test`, users who change there while they are logged in, and a directory that dies.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::ldap::{Group, Slapd, User};
use testkit::patience::wait_until;
use testkit::process::{self, Ended};
use testkit::raw::Answer;
use testkit::{Doorward, Recorder};

use crate::common::{BINARY, PASSWORD, as_admin, ask, basic, code, command, log_in, new_user, with_session};

/// Alice's password in the directory.
const ALICE: &str = "alice's own password";
const BOB: &str = "bob's own password";
/// How often those who are logged in are looked at again, in the settings below.
const RECHECK: Duration = Duration::from_secs(1);
/// Where the settings find the service account's password.
const VARIABLE: &str = "LDAP_PASSWORD";

/// Alice is of the staff, which is part of everybody; bob is in no group.
fn directory() -> Slapd {
    Slapd::new()
        .user(User::named("alice", ALICE).mail("alice@example.org"))
        .user(User::named("bob", BOB))
        .group(Group::named("staff").user("alice"))
        .group(Group::named("everybody").nested("staff"))
        .start()
}

/// The realm's config, over TLS under the test's own authority.
fn config(directory: &Slapd) -> Value {
    json!({
        "host": "localhost",
        "port": directory.tls_port(),
        "ssl": true,
        "ca": directory.authority().pem(),
        "login": {
            "searchBase": Slapd::PEOPLE,
            "bindDn": Slapd::SERVICE_DN,
            "bindPassword": Slapd::SERVICE_PASSWORD,
        },
        "groups": { "searchBase": Slapd::GROUPS, "roleMapping": [["staff", "search"], ["everybody", "readonly"]] },
        "recheck": "1s",
    })
}

/// The realm as it stands in a settings file.
fn realm_section(directory: &Slapd) -> String {
    format!(
        "[[realm]]\nname = \"acmeLDAP\"\ntype = \"ldap\"\nhost = \"localhost:{}\"\nssl = true\nca = {{ file = {:?} }}\n\
         login = {{ searchBase = {:?}, bindDn = {:?}, bindPassword = {{ env = \"{VARIABLE}\" }} }}\n\
         groups = {{ searchBase = {:?}, roleMapping = [[\"staff\", \"search\"], [\"everybody\", \"readonly\"]] }}\n\
         recheck = \"1s\"\n",
        directory.tls_port(),
        directory.authority().file(),
        Slapd::PEOPLE,
        Slapd::SERVICE_DN,
        Slapd::GROUPS,
    )
}

fn gateway(backend: &Recorder, directory: &Slapd) -> Doorward {
    let settings = format!(
        "[[mount]]\npath = \"/api\"\nupstream = \"{}\"\nrealms = [\"native\", \"acmeLDAP\"]\n\
         attribute_headers = {{ mail = \"X-User-Mail\" }}\n{}",
        backend.url(),
        realm_section(directory)
    );
    Doorward::new(BINARY)
        .environment("DOORWARD_ADMIN_PASSWORD", PASSWORD)
        .environment(VARIABLE, Slapd::SERVICE_PASSWORD)
        .settings(&settings)
        .start()
}

/// A login at this realm, or at those that the mount asks.
fn try_log_in(address: SocketAddr, realm: Option<&str>, name: &str, password: &str) -> Answer {
    let query = realm.map(|realm| format!("?realmName={realm}")).unwrap_or_default();
    let body = json!({ "username": name, "password": password }).to_string();
    ask(address, "POST", &format!("/api/session{query}"), &[], &body)
}

fn logged_in(address: SocketAddr, name: &str, password: &str) -> String {
    let answer = try_log_in(address, Some("acmeLDAP"), name, password);
    assert_eq!(answer.status, 201, "{}", answer.body_text());
    answer.set_cookie("id").unwrap().to_owned()
}

fn told(answer: &Answer) -> (u16, String) {
    (answer.status, code(answer))
}

fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

fn who(address: SocketAddr, token: &str) -> Value {
    let answer = with_session(address, "GET", "/api/session?peek=true", token);
    assert_eq!(answer.status, 200, "{}", answer.body_text());
    serde_json::from_slice(&answer.body).unwrap()
}

fn record_of(address: SocketAddr, name: &str) -> Value {
    as_admin(address, "GET", &format!("/users?realm=acmeLDAP&username={name}"), "").1[0].clone()
}

fn sorted(names: &Value) -> Vec<&str> {
    let mut names: Vec<_> = names.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    names.sort_unstable();
    names
}

/// Waits until a request with this session is answered so.
fn becomes(address: SocketAddr, method: &str, token: &str, status: u16) {
    let is_so = || (with_session(address, method, "/api/x", token).status == status).then_some(());
    assert!(wait_until(is_so).is_some(), "{method} with this session is never {status}");
}

#[test]
fn contract_a_login_at_a_directory_has_the_roles_of_its_groups() {
    let (backend, directory) = (Recorder::start(), directory());
    let gateway = gateway(&backend, &directory);
    let address = gateway.address();
    let token = logged_in(address, "Alice", ALICE);
    let user = who(address, &token)["user"].clone();
    assert_eq!(
        (&user["username"], &user["realmName"], &user["roleNames"]),
        (&json!("alice"), &json!("acmeLDAP"), &json!([]))
    );
    assert_eq!(
        sorted(&user["grantedRoleNames"]),
        ["readonly", "search"],
        "also of the group that the group is in"
    );
    assert_eq!(user["attributes"]["mail"], "alice@example.org");
    // The backend is told what the directory says, whatever the client says.
    let cookie = format!("id={token}");
    let spoofed = [
        ("Cookie", cookie.as_str()),
        ("X-User-Mail", "mallory@example.org"),
        ("X_User_Mail", "mallory@example.org"),
    ];
    assert_eq!(ask(address, "GET", "/api/x", &spoofed, "").status, 200);
    let seen = backend.wait_for(1).remove(0);
    assert_eq!(seen.header_values("x-user-mail"), ["alice@example.org"]);
    assert!(!seen.head_text().contains("mallory"), "{}", seen.head_text());
    assert_eq!(
        (seen.header("fusion-user-name"), seen.header("fusion-user-realm")),
        (Some("alice"), Some("acmeLDAP"))
    );
    // Bob is in no group, so he is known and may nothing; Basic is asked of the directory, too.
    let bob = logged_in(address, "bob", BOB);
    assert_eq!(told(&with_session(address, "GET", "/api/x", &bob)), refused(403, "forbidden"));
    let shown = basic("alice", ALICE);
    assert_eq!(
        ask(address, "GET", "/api/x?realmName=acmeLDAP", &[("Authorization", &shown)], "").status,
        200
    );
    // The same answer for a wrong password, a name that nobody has, and one that would be a filter.
    for (name, password) in
        [("alice", BOB), ("nobody", ALICE), ("*", ALICE), ("alice)(uid=*", ALICE), ("a*", ALICE)]
    {
        assert_eq!(
            told(&try_log_in(address, Some("acmeLDAP"), name, password)),
            refused(401, "invalid-credentials"),
            "{name}"
        );
    }
    let log = gateway.log_lines().join("\n");
    for secret in [ALICE, BOB, Slapd::SERVICE_PASSWORD] {
        assert!(!log.contains(secret), "{log}");
    }
}

#[test]
fn contract_several_realms_are_asked_in_their_order() {
    let (backend, mut directory) = (Recorder::start(), directory());
    let gateway = gateway(&backend, &directory);
    let address = gateway.address();
    log_in(address, "admin", PASSWORD);
    let own = "another alice's password";
    let ours = new_user(address, "alice", own, &[]);
    let realm_of = |answer: &Answer| {
        assert_eq!(answer.status, 201, "{}", answer.body_text());
        who(address, answer.set_cookie("id").unwrap())["user"].clone()
    };
    // Nobody here is called bob, so the directory is asked; there is an alice here, and nobody else is asked for her.
    assert_eq!(realm_of(&try_log_in(address, None, "bob", BOB))["realmName"], "acmeLDAP");
    assert_eq!(realm_of(&try_log_in(address, None, "alice", own))["id"], json!(ours));
    assert_eq!(told(&try_log_in(address, None, "alice", ALICE)), refused(401, "invalid-credentials"));
    // By the realm's name she is another.
    let theirs = realm_of(&try_log_in(address, Some("acmeLDAP"), "alice", ALICE));
    assert_eq!((theirs["realmName"].as_str(), theirs["id"] == json!(ours)), (Some("acmeLDAP"), false));
    assert_eq!(
        told(&try_log_in(address, Some("acmeLDAP"), "alice", own)),
        refused(401, "invalid-credentials")
    );
    assert_eq!(told(&try_log_in(address, Some("native"), "bob", BOB)), refused(401, "invalid-credentials"));
    // A realm that cannot be asked is no "no", and those whom an earlier realm knows do not wait for it.
    directory.kill();
    assert_eq!(told(&try_log_in(address, None, "bob", BOB)), refused(503, "realm-unavailable"));
    log_in(address, "admin", PASSWORD);
    assert_eq!(realm_of(&try_log_in(address, None, "alice", own))["id"], json!(ours));
}

#[test]
fn a_user_who_changes_in_the_directory_changes_here_without_a_login() {
    let (backend, directory) = (Recorder::start(), directory());
    let gateway = gateway(&backend, &directory);
    let address = gateway.address();
    let (token, bob) = (logged_in(address, "alice", ALICE), logged_in(address, "bob", BOB));
    assert_eq!(with_session(address, "GET", "/api/x", &token).status, 200);
    // She leaves the group; another must stay in it. Her session goes on, with fewer rights.
    directory.add_member("staff", &Slapd::user_dn("bob"));
    directory.remove_member("staff", &Slapd::user_dn("alice"));
    becomes(address, "GET", &token, 403);
    becomes(address, "GET", &bob, 200);
    assert_eq!(who(address, &token)["user"]["grantedRoleNames"], json!([]));
    directory.add_member("staff", &Slapd::user_dn("alice"));
    becomes(address, "GET", &token, 200);
    // She is disabled: the session is gone for good, and a login is refused as a wrong password is.
    directory.disable("alice");
    becomes(address, "GET", &token, 401);
    assert_eq!(told(&with_session(address, "GET", "/api/session", &token)), refused(401, "session-unknown"));
    assert_eq!(
        told(&try_log_in(address, Some("acmeLDAP"), "alice", ALICE)),
        refused(401, "invalid-credentials")
    );
    assert_eq!(record_of(address, "alice")["lapsed"], true);
    let run = |arguments: &[&str]| command(&gateway, arguments, &[]);
    for arguments in
        [&["user", "show", "alice", "--realm", "acmeLDAP"][..], &["user", "list", "--realm", "acmeLDAP"]]
    {
        let table = run(arguments);
        let row = table.stdout.lines().find(|line| line.starts_with("alice")).unwrap_or_default();
        let cells: Vec<_> = row.split_whitespace().collect();
        assert_eq!(
            (cells.len(), &cells[..2], &cells[3..5]),
            (6, &["alice", "acmeLDAP"][..], &["true", "true"][..]),
            "{table:#?}"
        );
        assert!(cells[2].contains("readonly") && table.stdout.starts_with("NAME"), "{table:#?}");
    }
    assert_eq!(with_session(address, "GET", "/api/x", &bob).status, 200, "the others go on");
    directory.enable("alice");
    let again = logged_in(address, "alice", ALICE);
    assert_eq!(
        (
            record_of(address, "alice")["lapsed"].clone(),
            with_session(address, "GET", "/api/x", &again).status
        ),
        (json!(false), 200)
    );
    assert_eq!(with_session(address, "GET", "/api/x", &token).status, 401, "no session lives again");
    // And whoever is deleted there is out here.
    directory.delete(&Slapd::user_dn("alice"));
    becomes(address, "GET", &again, 401);
}

#[test]
fn a_directory_that_dies_ends_no_session_and_comes_back() {
    let (backend, mut directory) = (Recorder::start(), directory());
    let gateway = gateway(&backend, &directory);
    let address = gateway.address();
    let token = logged_in(address, "alice", ALICE);
    directory.kill();
    let answer = try_log_in(address, Some("acmeLDAP"), "bob", BOB);
    assert_eq!(told(&answer), refused(503, "realm-unavailable"));
    assert!(answer.header("retry-after").is_some());
    // For longer than two intervals of the recheck: whom nobody can ask about goes on.
    let until = Instant::now() + RECHECK * 5 / 2;
    while Instant::now() < until {
        assert_eq!(with_session(address, "GET", "/api/x", &token).status, 200);
    }
    directory.start_again();
    let comes_in = || (try_log_in(address, Some("acmeLDAP"), "bob", BOB).status == 201).then_some(());
    assert!(wait_until(comes_in).is_some(), "bob never comes in again");
    assert_eq!(with_session(address, "GET", "/api/x", &token).status, 200);
}

/// The marks and what was done, of the lines that the command prints.
fn steps(ended: &Ended) -> Vec<(&str, &str)> {
    ended
        .stdout
        .lines()
        .map(|line| {
            let (mark, rest) = line.split_once(' ').expect("a mark");
            let (milliseconds, done) = rest.trim_start().split_once(" ms  ").expect("a time");
            assert!(milliseconds.trim().parse::<f64>().is_ok_and(|time| time >= 0.0), "{line}");
            (mark, done)
        })
        .collect()
}

fn assert_good(ended: &Ended) {
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:#?}");
    let steps = steps(ended);
    assert!(steps.len() > 5 && steps.iter().all(|(mark, _)| *mark == "ok"), "{ended:#?}");
    for part in [Slapd::SERVICE_DN, "uid=alice", "staff", "search, readonly", "mail=alice@example.org"] {
        assert!(ended.stdout.contains(part), "{part}: {ended:#?}");
    }
}

fn assert_silent(ended: &Ended) {
    for secret in [ALICE, BOB, Slapd::SERVICE_PASSWORD, PASSWORD] {
        assert!(!ended.stdout.contains(secret) && !ended.stderr.contains(secret), "{ended:#?}");
    }
}

#[test]
fn a_realm_is_tested_from_the_command_line() {
    let (backend, mut directory) = (Recorder::start(), directory());
    let gateway = gateway(&backend, &directory);
    let address = gateway.address();
    let with = |password: &str, more: &[&str]| {
        let arguments = [&["realm", "test", "acmeLDAP", "alice"][..], more].concat();
        let ended = command(&gateway, &arguments, &[("DOORWARD_TEST_PASSWORD", password)]);
        assert_silent(&ended);
        ended
    };
    assert_good(&with(ALICE, &[]));
    let wrong = with(BOB, &[]);
    assert_eq!(wrong.code, Some(1), "{wrong:#?}");
    let last = *steps(&wrong).last().unwrap();
    assert!(last.0 == "FAILED" && last.1.contains("bind as uid=alice"), "{wrong:#?}");
    let without = with(BOB, &["--no-password"]);
    assert_eq!(without.code, Some(0), "{without:#?}");
    assert!(
        without.stdout.contains("staff") && !without.stdout.contains("bind as uid=alice"),
        "{without:#?}"
    );
    let file = gateway.folder().join("password");
    std::fs::write(&file, format!("{ALICE}\n")).unwrap();
    assert_good(&with(BOB, &["--password-file", file.to_str().unwrap()]));
    let json: Value = serde_json::from_str(&with(ALICE, &["--json"]).stdout).unwrap();
    assert_eq!(json["good"], true);
    for step in json["steps"].as_array().unwrap() {
        let keys: Vec<_> = step.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys, ["what", "milliseconds", "good", "said"]);
    }
    let nobody = command(&gateway, &["realm", "test", "acmeLDAP", "nobody", "--no-password"], &[]);
    assert_eq!(nobody.code, Some(1), "{nobody:#?}");
    // Nobody came in by it, and nothing was changed; but it is written down.
    assert_eq!(as_admin(address, "GET", "/users?realm=acmeLDAP", ""), (200, json!([])));
    assert_eq!(as_admin(address, "GET", "/sessions?realm=acmeLDAP", ""), (200, json!([])));
    let (_, lines) = as_admin(address, "GET", "/audit?operation=realm.test&order=asc", "");
    let fields = |line: &Value| line["fields"].clone();
    let lines: Vec<_> = lines.as_array().unwrap().iter().map(fields).collect();
    let details: Vec<_> = lines.iter().map(|line| line["detail"].as_str().unwrap()).collect();
    let of = |name: &str, came: &str| format!("{name:?} of \"acmeLDAP\"; {came}");
    let (good, bad) = (of("alice", "good"), of("alice", "bad"));
    assert_eq!(details, [good.as_str(), &bad, &good, &good, &good, &of("nobody", "bad")]);
    assert!(lines.iter().all(|line| line["by.name"] == "admin"), "{lines:#?}");
    // Who may not administer may not test, and a wrong password counts as it does at a login.
    new_user(address, "carol", ALICE, &["readonly"]);
    let carol = command(
        &gateway,
        &["realm", "test", "acmeLDAP", "alice", "--no-password", "--login", "carol"],
        &[("DOORWARD_PASSWORD", ALICE)],
    );
    assert_eq!(carol.code, Some(4), "{carol:#?}");
    for _ in 0..9 {
        assert_eq!(with("wrong", &[]).code, Some(1));
    }
    let paused = with(ALICE, &[]);
    assert_eq!(paused.code, Some(1), "{paused:#?}");
    assert!(paused.stderr.contains("429") && paused.stdout.is_empty(), "{paused:#?}");
    assert_eq!(
        told(&try_log_in(address, Some("acmeLDAP"), "alice", ALICE)),
        refused(429, "too-many-attempts")
    );
    directory.kill();
    let dead = with(ALICE, &["--no-password"]);
    assert_eq!(dead.code, Some(1), "{dead:#?}");
    assert_eq!(steps(&dead).last().unwrap().0, "FAILED");
}

#[test]
fn a_realm_of_a_settings_file_is_tested_without_a_server() {
    let directory = directory();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("doorward.toml");
    let mount = "[[mount]]\npath = \"/api\"\nupstream = \"http://127.0.0.1:1\"\n";
    std::fs::write(&file, format!("{mount}{}", realm_section(&directory))).unwrap();
    let run = |name: &str, more: &[&str], service: &str| {
        let arguments = [&["realm", "test", name, "alice", "-c", file.to_str().unwrap()][..], more].concat();
        let environment = [("DOORWARD_TEST_PASSWORD", ALICE), (VARIABLE, service)];
        let ended = process::run(BINARY, &arguments, &environment, "");
        assert_silent(&ended);
        ended
    };
    assert_good(&run("acmeLDAP", &[], Slapd::SERVICE_PASSWORD));
    let json: Value =
        serde_json::from_str(&run("acmeLDAP", &["--json"], Slapd::SERVICE_PASSWORD).stdout).unwrap();
    assert_eq!(json["good"], true);
    let refused = run("acmeLDAP", &[], "another password");
    assert_eq!(refused.code, Some(1), "{refused:#?}");
    let last = *steps(&refused).last().unwrap();
    assert!(last.0 == "FAILED" && last.1.contains("service account"), "{refused:#?}");
    assert_eq!(run("nowhere", &[], Slapd::SERVICE_PASSWORD).code, Some(3));
    let native = run("native", &[], Slapd::SERVICE_PASSWORD);
    assert_eq!((native.code, native.stderr.contains("nothing to test")), (Some(1), true), "{native:#?}");
    // What is wrong in the file is told with its place.
    std::fs::write(&file, format!("{mount}{}colour = \"red\"\n", realm_section(&directory))).unwrap();
    let wrong = run("acmeLDAP", &[], Slapd::SERVICE_PASSWORD);
    assert_eq!(wrong.code, Some(1));
    assert!(wrong.stderr.contains("doorward.toml:") && wrong.stderr.contains("colour"), "{wrong:#?}");
}

#[test]
fn contract_a_directory_is_a_realm_from_the_moment_that_it_is_made_over_the_api() {
    let (backend, directory) = (Recorder::start(), directory());
    let gateway = crate::common::gateway(&backend, "");
    let address = gateway.address();
    let mut by_hand = config(&directory);
    by_hand["autoCreateUsers"] = json!(false);
    let file = gateway.folder().join("realm.json");
    std::fs::write(&file, by_hand.to_string()).unwrap();
    let config_option = format!("@{}", file.display());
    let made = command(
        &gateway,
        &["realm", "create", "acmeLDAP", "--type", "ldap", "--config", &config_option],
        &[],
    );
    assert_eq!(made.code, Some(0), "{made:#?}");
    assert_silent(&made);
    // Whom nobody has made is not let in, though his password is right.
    assert_eq!(
        told(&try_log_in(address, Some("acmeLDAP"), "alice", ALICE)),
        refused(401, "invalid-credentials")
    );
    let new = json!({ "username": "alice", "realmName": "acmeLDAP", "roleNames": ["developer"] });
    assert_eq!(as_admin(address, "POST", "/users", &new.to_string()).0, 201);
    let token = logged_in(address, "alice", ALICE);
    let told_of = who(address, &token);
    let mut roles: Vec<_> =
        told_of["roles"].as_array().unwrap().iter().map(|role| role["name"].as_str().unwrap()).collect();
    roles.sort_unstable();
    assert_eq!(roles, ["developer", "readonly", "search"], "those given here and those of his groups");
    // What is read can be sent back, and changes nothing of what the directory said.
    let alice = record_of(address, "alice");
    let path = format!("/users/{}", alice["id"].as_str().unwrap());
    for method in ["PUT", "PATCH"] {
        let (status, same) = as_admin(address, method, &path, &alice.to_string());
        assert_eq!(status, 200, "{same}");
        for field in ["roleNames", "grantedRoleNames", "attributes", "lapsed", "enabled"] {
            assert_eq!(same[field], alice[field], "{field}");
        }
    }
    assert_eq!(with_session(address, "GET", "/api/x", &token).status, 200);
    // A realm whose config is sent back without its secret still has it; a name of another certificate is nobody's.
    let realm = as_admin(address, "GET", "/realm-configs?name=acmeLDAP", "").1[0].clone();
    let path = format!("/realm-configs/{}", realm["id"].as_str().unwrap());
    assert_eq!(realm["config"]["login"]["bindPassword"], "***");
    let mut longer = realm["config"].clone();
    longer["recheck"] = json!("2s");
    assert_eq!(as_admin(address, "PATCH", &path, &json!({ "config": longer }).to_string()).0, 200);
    logged_in(address, "alice", ALICE);
    let mut elsewhere = by_hand.clone();
    elsewhere["host"] = json!("127.0.0.2");
    assert_eq!(as_admin(address, "PATCH", &path, &json!({ "config": elsewhere }).to_string()).0, 200);
    assert_eq!(
        told(&try_log_in(address, Some("acmeLDAP"), "alice", ALICE)),
        refused(503, "realm-unavailable")
    );
    assert_eq!(
        as_admin(address, "PATCH", &path, &json!({ "config": by_hand, "enabled": false }).to_string()).0,
        200
    );
    assert_eq!(told(&try_log_in(address, Some("acmeLDAP"), "alice", ALICE)), refused(401, "unknown-realm"));
    // Switched off it can be tested all the same.
    let tested =
        command(&gateway, &["realm", "test", "acmeLDAP", "alice"], &[("DOORWARD_TEST_PASSWORD", ALICE)]);
    assert_good(&tested);
    assert_eq!(as_admin(address, "DELETE", &format!("{path}?deleteUsers=true"), "").0, 204);
    assert_eq!(with_session(address, "GET", "/api/x", &token).status, 401);
    assert_eq!(as_admin(address, "GET", "/users?realm=acmeLDAP", ""), (200, json!([])));
}

#[test]
fn case_24_a_row_that_is_taken_out_of_the_mapping_takes_its_role_away_at_once() {
    let (backend, directory) = (Recorder::start(), directory());
    let gateway = crate::common::gateway(&backend, "");
    let address = gateway.address();
    let mut config = config(&directory);
    // Nobody is looked at again for as long as this takes.
    config["recheck"] = json!("1h");
    let realm = json!({ "name": "acmeLDAP", "realmType": "ldap", "config": config });
    let (status, made) = as_admin(address, "POST", "/realm-configs", &realm.to_string());
    assert_eq!(status, 201, "{made}");
    let path = format!("/realm-configs/{}", made["id"].as_str().unwrap());
    let token = logged_in(address, "alice", ALICE);
    assert_eq!(with_session(address, "GET", "/api/x", &token).status, 200);
    for (mapping, status) in [
        (json!([["another", "readonly"]]), 200),
        (json!([["everybody", "search"]]), 403),
        (json!([]), 403),
        (json!([["everybody", "readonly"]]), 200),
    ] {
        config["groups"]["roleMapping"] = mapping;
        let change = json!({ "config": config });
        assert_eq!(as_admin(address, "PATCH", &path, &change.to_string()).0, 200);
        assert_eq!(with_session(address, "GET", "/api/x", &token).status, status, "{change}");
    }
}
