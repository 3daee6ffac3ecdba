//! The keys that tokens are signed with, administered whatever the mounts speak and wherever they lie.

use testkit::process::{self, Ended};

use super::*;

fn start(settings: &str, listeners: usize) -> Doorward {
    Doorward::new(crate::common::BINARY)
        .environment("DOORWARD_ADMIN_PASSWORD", PASSWORD)
        .settings(settings)
        .listeners(listeners)
        .start()
}

fn mount(backend: &Recorder, path: &str, dialect: &str) -> String {
    format!("[[mount]]\npath = \"{path}\"\ndialect = \"{dialect}\"\nupstream = \"{}\"\n", backend.url())
}

/// `doorward key …` at this server.
fn key(server: &str, arguments: &[&str]) -> Ended {
    let environment = [("DOORWARD_SERVER", server), ("DOORWARD_PASSWORD", PASSWORD)];
    process::run(crate::common::BINARY, &[&["key"], arguments].concat(), &environment, "")
}

/// The ids of the keys that a command told of, in their order.
fn ids(ended: &Ended) -> Vec<String> {
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended.stdout.lines().skip(1).map(|row| row.split_whitespace().last().unwrap().to_owned()).collect()
}

/// All that the commands do, at the server under this URL.
fn administer(server: &str) {
    let first = ids(&key(server, &["signing"]));
    assert_eq!(first.len(), 2, "{server}: {first:?}");
    let soon = key(server, &["rotate"]);
    assert!(soon.code == Some(1) && soon.stderr.contains("10 minutes"), "{server}: {soon:?}");
    let rotated = ids(&key(server, &["rotate", "--force"]));
    assert_eq!((&rotated[0], &rotated[2]), (&first[1], &first[0]), "{server}");
    let left = ids(&key(server, &["withdraw", &rotated[0]]));
    assert_eq!((&left[0], &left[2]), (&rotated[1], &first[0]), "{server}");
    let left = ids(&key(server, &["withdraw", &first[0]]));
    assert_eq!((left.len(), &left[0]), (2, &rotated[1]), "{server}");
    assert_eq!(ids(&key(server, &["signing"])), left);
}

#[test]
fn keys_are_administered_whatever_the_mounts_speak() {
    let backend = Recorder::start();
    for (settings, listeners, admin, path) in [
        (mount(&backend, "/ovirt-engine/api", "ovirt"), 1, 0, "/ovirt-engine/api"),
        (mount(&backend, "/", "ovirt"), 1, 0, "/"),
        (mount(&backend, "/", "plain"), 1, 0, ""),
        (mount(&backend, "/api", "fusion"), 1, 0, "/api"),
        ([mount(&backend, "/oauth2", "ovirt"), mount(&backend, "/api", "fusion")].concat(), 1, 0, "/api"),
        (format!("admin = \"127.0.0.1:0\"\n{}", mount(&backend, "/api", "ovirt")), 2, 1, "/api"),
    ] {
        let gateway = start(&settings, listeners);
        administer(&format!("http://{}{path}", gateway.addresses()[admin]));
        if admin > 0 {
            for arguments in [&["signing"][..], &["rotate", "--force"], &["withdraw", "x"]] {
                let elsewhere = key(&format!("{}{path}", gateway.url()), arguments);
                assert_eq!(elsewhere.code, Some(3), "{elsewhere:?}");
                assert!(!elsewhere.stderr.contains("no key has this id"), "{elsewhere:?}");
            }
        }
    }
    assert!(backend.requests().is_empty());
}

#[test]
fn below_ours_there_is_nothing_but_the_keys_and_for_nobody_but_administrators() {
    let backend = Recorder::start();
    let gateway = start(&mount(&backend, "/ovirt-engine/api", "ovirt"), 1);
    let address = gateway.address();
    let shown = basic("admin", PASSWORD);
    let admin = [("Authorization", &*shown)];
    for path in ["token", "revoke", "introspect", "", "keys/a/b", "x"] {
        let path = format!("/.doorward/oauth2/{path}");
        assert_eq!(ask(address, "POST", &path, &admin, "").status, 404, "{path}");
    }
    for (method, path) in [("GET", "keys"), ("POST", "keys/rotate?force=true"), ("DELETE", "keys/x")] {
        let path = format!("/.doorward/oauth2/{path}");
        assert_eq!(ask(address, method, &path, &[], "").status, 401, "{path}");
        let wrong = basic("admin", "wrong");
        assert_eq!(ask(address, method, &path, &[("Authorization", &wrong)], "").status, 401, "{path}");
    }
    // A session of the mount is none here, however it is shown.
    let prefer = [("Authorization", &*basic("admin@internal", PASSWORD)), ("Prefer", "persistent-auth")];
    let login = ask(address, "GET", "/ovirt-engine/api/vms", &prefer, "");
    let session =
        login.set_cookie("JSESSIONID").unwrap_or_else(|| panic!("{}", login.head_text())).to_owned();
    for cookie in [format!("JSESSIONID={session}"), format!("id={session}")] {
        let answer = ask(address, "GET", "/.doorward/oauth2/keys", &[("Cookie", &cookie)], "");
        assert_eq!(answer.status, 401, "{cookie}");
    }
    assert_eq!(ask(address, "GET", "/.doorward/oauth2/keys", &admin, "").status, 200);
    assert_eq!(ask(address, "GET", "/.doorward/health", &[], "").status, 200);
}

#[test]
fn permissions_on_keys_are_the_same_wherever_they_are_administered() {
    let (_backend, gateway) = house("");
    create_user_with(&gateway, "looks", &["GET:/oauth2/keys"]);
    create_user_with(&gateway, "elsewhere", &["*:/.doorward/**"]);
    let status = |user: &str, method: &str, path: &str| {
        ask(gateway.address(), method, path, &[("Authorization", &basic(user, PASSWORD))], "").status
    };
    for place in ["", "/.doorward"] {
        assert_eq!(status("looks", "GET", &format!("{place}/oauth2/keys")), 200, "{place}");
        assert_eq!(
            status("looks", "POST", &format!("{place}/oauth2/keys/rotate?force=true")),
            403,
            "{place}"
        );
        assert_eq!(status("looks", "DELETE", &format!("{place}/oauth2/keys/x")), 403, "{place}");
        assert_eq!(status("elsewhere", "GET", &format!("{place}/oauth2/keys")), 403, "{place}");
    }
}

#[test]
fn what_is_no_key_cannot_be_withdrawn() {
    let (_backend, gateway) = house("");
    let server = format!("{}/api", gateway.url());
    let before = ids(&key(&server, &["signing"]));
    for odd in [
        "unknown",
        "rotate",
        "",
        ".",
        "..",
        "../keys",
        "a/b",
        "a?b",
        &before[0][1..],
        &before[0].to_uppercase(),
    ] {
        let ended = key(&server, &["withdraw", "--", odd]);
        assert_eq!(ended.code, Some(3), "{odd:?}: {ended:?}");
        assert!(ended.stderr.contains("no key has this id"), "{ended:?}");
    }
    // An id may begin with a hyphen, and options may stand on either side of it.
    for line in [&["-x"][..], &["--x-"], &["-x", "--json"], &["--json", "-x"], &["-x", "--login", "admin"]] {
        let ended = key(&server, &[&["withdraw"], line].concat());
        assert_eq!(ended.code, Some(3), "{line:?}: {ended:?}");
        assert!(ended.stderr.contains("x") && ended.stderr.contains("no key has this id"), "{ended:?}");
    }
    assert_eq!(ids(&key(&server, &["signing"])), before);
    let shown = basic("admin", PASSWORD);
    let answer = ask(gateway.address(), "DELETE", "/oauth2/keys/unknown", &[("Authorization", &shown)], "");
    assert_refused(&answer, 404, "not-found", "over the API");
}

/// Somebody has a copy of the backup. What it brings back are not the keys that were taken out of use since.
#[test]
fn no_restore_makes_an_old_key_sign_again() {
    let (_backend, mut gateway) = house("");
    let signing = |gateway: &Doorward| ids(&key(&gateway.url(), &["signing"]));
    let (data, copy) = (gateway.data(), gateway.folder().join("copy.db"));
    let (data, copy) = (data.to_str().unwrap(), copy.to_str().unwrap());
    let store = |command: &str| {
        let ended = process::run(crate::common::BINARY, &[command, copy, "--data", data], &[], "");
        assert_eq!(ended.code, Some(0), "{ended:?}");
    };
    let stolen = signing(&gateway);
    store("backup");
    for id in stolen.iter().rev() {
        let _left = ids(&key(&gateway.url(), &["withdraw", id]));
    }
    let present = signing(&gateway);
    assert!(stolen.iter().all(|id| !present.contains(id)), "{present:?}");
    gateway.kill();
    store("restore");
    gateway.restart();
    assert_eq!(signing(&gateway), present, "of a stopped server");
    store("restore");
    assert_eq!(signing(&gateway), present, "of one that serves");
    let published = ask(gateway.address(), "GET", "/.well-known/jwks.json", &[], "").body_text().to_owned();
    assert!(stolen.iter().all(|id| !published.contains(id.as_str())), "{published}");
}
