//! Several mounts with different dialects in one process: a session of one is unknown to the other unless the settings say
//! otherwise (issue 5).

use testkit::{Doorward, Recorder, raw};

use super::{API, LONG, PERSISTENT, form, id_of, login, xml};
use crate::common::{BINARY, PASSWORD, ask, basic};

/// A gateway with two mounts of each dialect, where `one`, `two` and `three` are added to the first three.
fn gateway(backend: &Recorder, [one, two, three]: [&str; 3]) -> Doorward {
    backend.script(|request| xml(&request.method, &request.target));
    let url = backend.url();
    let mount = |path: &str, dialect: &str, more: &str| {
        format!("[[mount]]\npath = \"{path}\"\ndialect = \"{dialect}\"\nupstream = \"{url}\"\n{more}\n")
    };
    let settings = [
        mount("/api", "fusion", one),
        mount("/old", "fusion", two),
        mount(API, "ovirt", three),
        mount("/lab/api", "ovirt", ""),
    ];
    let gateway = Doorward::new(BINARY)
        .environment("DOORWARD_ADMIN_PASSWORD", PASSWORD)
        .settings(&settings.concat())
        .start();
    let shown = basic("admin", PASSWORD);
    let body = serde_json::json!({ "username": "ada", "password": LONG, "roleNames": ["admin"] }).to_string();
    assert_eq!(ask(gateway.address(), "POST", "/api/users", &[("Authorization", &shown)], &body).status, 201);
    gateway
}

/// Logs ada in below each mount; the tokens in the mounts' order.
fn tokens(gateway: &Doorward) -> [String; 4] {
    let body = serde_json::json!({ "username": "ada", "password": LONG }).to_string();
    let fusion = |mount: &str| {
        let answer = ask(gateway.address(), "POST", &format!("{mount}/session"), &[], &body);
        assert_eq!(answer.status, 201, "{}", answer.body_text());
        answer.set_cookie("id").unwrap().to_owned()
    };
    let ovirt = |mount: &str| {
        let shown = login("ada");
        let headers = [PERSISTENT, ("Authorization", shown.as_str())];
        let answer = raw::once(gateway.address(), raw::request("GET", &format!("{mount}/vms"), &headers, ""));
        assert!(answer.header_values("set-cookie")[0].contains(&format!("; Path={mount}; ")));
        id_of(&answer).unwrap().to_owned()
    };
    [fusion("/api"), fusion("/old"), ovirt(API), ovirt("/lab/api")]
}

/// Which mounts know a token, shown as each of them wants it and as a bearer token.
fn known(gateway: &Doorward, token: &str) -> [bool; 4] {
    let asked = |mount: &str, cookie: &str| {
        let (jar, bearer) = (format!("{cookie}={token}"), format!("Bearer {token}"));
        let bytes = |headers: &[(&str, &str)]| raw::request("GET", &format!("{mount}/vms"), headers, "");
        let answer = raw::once(gateway.address(), bytes(&[PERSISTENT, ("Cookie", &jar)]));
        let by_bearer = raw::once(gateway.address(), bytes(&[("Authorization", &bearer)]));
        assert_eq!(by_bearer.status, 401, "a cookie is no bearer token");
        assert!(matches!(answer.status, 200 | 401), "{}", answer.head_text());
        answer.status == 200
    };
    [asked("/api", "id"), asked("/old", "id"), asked(API, "JSESSIONID"), asked("/lab/api", "JSESSIONID")]
}

fn table(gateway: &Doorward) -> [[bool; 4]; 4] {
    tokens(gateway).map(|token| known(gateway, &token))
}

#[test]
fn a_session_of_one_mount_is_unknown_to_all_others() {
    let backend = Recorder::start();
    let gateway = gateway(&backend, ["", "", ""]);
    let own = |place: usize| std::array::from_fn(|mount| mount == place);
    assert_eq!(table(&gateway), [own(0), own(1), own(2), own(3)]);
}

#[test]
fn mounts_of_one_name_share_their_sessions() {
    let backend = Recorder::start();
    let shared = "session_scope = \"lab\"";
    let gateway = gateway(&backend, [shared, "", shared]);
    let (both, old, lab) =
        ([true, false, true, false], [false, true, false, false], [false, false, false, true]);
    assert_eq!(table(&gateway), [both, old, both, lab]);
    // A log-out is one everywhere.
    let [token, ..] = tokens(&gateway);
    let headers = [("Cookie", format!("JSESSIONID={token}"))];
    let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
    let ended = raw::once(gateway.address(), raw::request("GET", &format!("{API}/vms"), &headers, ""));
    assert_eq!(ended.status, 401);
    assert_eq!(known(&gateway, &token), [false; 4]);
    // And so is a token of the engine's single sign-on.
    let form_type = [("Content-Type", "application/x-www-form-urlencoded")];
    let given =
        ask(gateway.address(), "POST", "/ovirt-engine/sso/oauth/token", &form_type, &form("ada", LONG));
    let given: serde_json::Value = serde_json::from_slice(&given.body).unwrap();
    let bearer = format!("Bearer {}", given["access_token"].as_str().unwrap());
    let asked = ["/api", "/old", API, "/lab/api"].map(|mount| {
        ask(gateway.address(), "GET", &format!("{mount}/vms"), &[("Authorization", &bearer)], "").status
    });
    assert_eq!(asked, [200, 401, 200, 401]);
}

#[test]
fn each_mount_speaks_its_own_dialect_at_once() {
    let backend = Recorder::start();
    let gateway = gateway(&backend, ["", "", ""]);
    let challenge = |path: &str| {
        let answer = ask(gateway.address(), "GET", path, &[], "");
        assert_eq!(answer.status, 401);
        (
            answer.header("www-authenticate").unwrap().to_owned(),
            answer.header("content-type").unwrap().to_owned(),
        )
    };
    let fusion = ("Cookie realm=\"native\"".to_owned(), "application/json; charset=utf-8".to_owned());
    let ovirt = ("Basic realm=\"RESTAPI\"".to_owned(), "application/xml".to_owned());
    assert_eq!(challenge("/api/x"), fusion);
    assert_eq!(challenge(&format!("{API}/x")), ovirt);
    // Whoever is known at one is told to its backend in its words, and nobody else's words come through.
    let shown = login("ada");
    let headers =
        [("Authorization", shown.as_str()), ("fusion-user-name", "root"), ("X-Forwarded-Realm", "root")];
    assert_eq!(ask(gateway.address(), "GET", &format!("{API}/x"), &headers, "").status, 200);
    let seen = backend.wait_for(1).remove(0);
    assert_eq!((seen.header("x-forwarded-user"), seen.header("fusion-user-name")), (Some("ada"), None));
    assert!(!seen.head_text().contains("root"));
}

/// Whoever is told of `/ovirt-engine/api` looks for tokens beside it, and they count there, also where `/api` is another such mount
/// and stands before it.
#[test]
fn tokens_count_below_the_mount_that_they_are_beside() {
    let backend = Recorder::start();
    backend.script(|request| xml(&request.method, &request.target));
    let mount = |path: &str, dialect: &str| {
        format!("[[mount]]\npath = \"{path}\"\ndialect = \"{dialect}\"\nupstream = \"{}\"\n", backend.url())
    };
    let settings = [mount("/api", "ovirt"), mount(API, "ovirt"), mount("/admin", "fusion")].concat();
    let gateway =
        Doorward::new(BINARY).environment("DOORWARD_ADMIN_PASSWORD", PASSWORD).settings(&settings).start();
    let shown = basic("admin", PASSWORD);
    let body = serde_json::json!({ "username": "ada", "password": LONG, "roleNames": ["admin"] }).to_string();
    let made = ask(gateway.address(), "POST", "/admin/users", &[("Authorization", &shown)], &body);
    assert_eq!(made.status, 201);
    let form_type = ("Content-Type", "application/x-www-form-urlencoded");
    let given =
        ask(gateway.address(), "POST", "/ovirt-engine/sso/oauth/token", &[form_type], &form("ada", LONG));
    let given: serde_json::Value = serde_json::from_slice(&given.body).unwrap();
    let bearer = format!("Bearer {}", given["access_token"].as_str().unwrap());
    for (path, status) in [(API, 200), ("/api", 401)] {
        let answer = ask(gateway.address(), "GET", &format!("{path}/vms"), &[("Authorization", &bearer)], "");
        assert_eq!(answer.status, status, "{path}");
    }
}
