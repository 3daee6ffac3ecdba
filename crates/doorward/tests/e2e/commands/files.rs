//! The commands that read files: `import`, `explain`, `check`, and `serve` without a settings file.

use std::path::Path;

use auth::PasswordHasher as _;
use testkit::backend::Recorder;
use testkit::process::{self, Doorward, Ended};
use testkit::raw;

use super::assert_failed;
use crate::common::{BINARY, PASSWORD, create_user, gateway, log_in, login_bytes, with_session};

fn run(arguments: &[&str]) -> Ended {
    process::run(BINARY, arguments, &[], "")
}

fn written(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

const PROPERTIES: &str = "zookeeper.password = canary\nproxy.port = 8770\napi.port = 8771\nproxy.jvmOptions = -Xmx512m \
     -Dcom.lucidworks.apollo.admin.session.timeout=14400 -Dcom.lucidworks.apollo.admin.session.idle.timeout=600\n";

#[test]
fn contract_import_makes_settings_that_check_accepts() {
    let folder = tempfile::tempdir().unwrap();
    let cases = [
        (
            "fusion.properties",
            PROPERTIES,
            "idle_timeout = \"10m\"\nmax_lifetime = \"4h\"\n",
            "zookeeper.password",
        ),
        (
            "values.yaml",
            "api-gateway:\n  replicas: 2\n  jwtExpirationSecs: 1200\n",
            "idle_timeout = \"20m\"\n",
            "replicas",
        ),
        ("flat.yaml", "jwtExpirationSecs: 3600\nsolr: {}\n", "idle_timeout = \"1h\"\n", "solr"),
    ];
    for (name, text, expected, unused) in cases {
        let file = written(folder.path(), name, text);
        let imported = run(&["import", &file]);
        assert_eq!(imported.code, Some(0), "{imported:#?}");
        assert!(imported.stdout.contains(expected), "{imported:#?}");
        assert!(imported.stderr.contains("not used: ") && imported.stderr.contains(unused), "{imported:#?}");
        assert!(!format!("{imported:?}").contains("canary"), "{imported:#?}");
        let made = folder.path().join(format!("{name}.toml"));
        let made = made.to_str().unwrap();
        let quiet = run(&["import", &file, "-o", made]);
        assert_eq!((quiet.code, quiet.stdout.as_str()), (Some(0), ""), "{quiet:#?}");
        assert_eq!(std::fs::read_to_string(made).unwrap(), imported.stdout);
        let checked = run(&["check", "-c", made]);
        assert_eq!((checked.code, checked.stderr.as_str()), (Some(0), ""), "{checked:#?}");
    }
    assert_failed(&run(&["import", "/nonexistent"]), 1, "/nonexistent: cannot be read");
    let poem = written(folder.path(), "poem.txt", "O Captain! my Captain!\n");
    assert_failed(
        &run(&["import", &poem]),
        1,
        "neither fusion.properties nor values.yaml nor an htpasswd file",
    );
}

/// What an htpasswd file has for a user with this password.
fn hash(password: &str) -> String {
    let pool = realm_native::HashPool::start(realm_native::HashSettings::standard(19 * 1024, 1)).unwrap();
    let password = auth::Password::presented(password.to_owned().into()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(pool.hash(&password)).unwrap().expose().to_owned()
}

#[test]
fn contract_import_takes_htpasswd_users_who_can_log_in() {
    let backend = Recorder::start();
    let mut gateway = gateway(&backend, "");
    let hash = hash("imported password");
    let text = format!(
        "harry:{hash}\nbob:$2y$05$abcdefghijklmnopqrstuu\nadmin:{hash}\nharry:{hash}\nodd:$argon2id$x\n"
    );
    let file = written(gateway.folder(), "htpasswd", &text);
    let data = gateway.data();
    let line = ["import", &file, "--data", data.to_str().unwrap(), "--role", "search"];
    assert_failed(&run(&line), 1, &format!("process {}", gateway.pid()));
    assert_failed(&run(&["import", &file]), 1, "--data");
    assert_eq!(gateway.terminate().code, Some(0));
    let taken = run(&line);
    assert_eq!(taken.code, Some(0), "{taken:#?}");
    assert!(taken.stdout.starts_with("1 user taken into "), "{taken:#?}");
    for why in [
        "bob has a bcrypt hash",
        "there is a user admin already",
        "harry stands here a second time",
        "line 5",
    ] {
        assert!(taken.stderr.contains(why), "{why}: {taken:#?}");
    }
    assert!(!taken.stderr.contains(&hash), "hashes are not repeated: {taken:#?}");
    gateway.restart();
    let token = log_in(gateway.address(), "harry", "imported password");
    assert_eq!(with_session(gateway.address(), "PUT", "/api/users/harry", &token).status, 403);
    assert_eq!(raw::once(gateway.address(), login_bytes("harry", "another password")).status, 401);
    assert_eq!(raw::once(gateway.address(), login_bytes("admin", "imported password")).status, 401);
    let _token = log_in(gateway.address(), "admin", PASSWORD);
}

#[test]
fn contract_explain_says_which_rule_decides() {
    let backend = Recorder::start();
    let mut gateway = gateway(&backend, "");
    create_user(&gateway, "sam", PASSWORD, "search");
    crate::common::create_user_with(&gateway, "rita", &["GET:/reports/{id}:id=demo"]);
    let settings = gateway.settings_file();
    let explain = |user: &str, method: &str, path: &str| {
        run(&[
            "explain",
            "--user",
            user,
            "--realm",
            "native",
            "--method",
            method,
            "--path",
            path,
            "-c",
            settings.to_str().unwrap(),
        ])
    };
    for _ in 0..2 {
        let cases = [
            (
                "admin",
                "DELETE",
                "/api/anything",
                "yes: admin of realm native may DELETE /anything below /api, by ",
                "role admin",
            ),
            (
                "rita",
                "get",
                "/api/reports/demo",
                "yes: rita of realm native may GET /reports/demo below /api, by ",
                "the user's own entries",
            ),
            (
                "rita",
                "GET",
                "/api/reports/other",
                "no: rita of realm native (no role) may not GET /reports/other",
                "nearly, in the user's own entries",
            ),
            (
                "sam",
                "PUT",
                "/api/users/x",
                "no: sam of realm native (roles search) may not PUT /users/x below /api",
                "it would take PUT:/users/x",
            ),
        ];
        for (user, method, path, begins, has) in cases {
            let told = explain(user, method, path);
            assert_eq!((told.code, told.stderr.as_str()), (Some(0), ""), "{told:#?}");
            assert!(told.stdout.starts_with(begins) && told.stdout.contains(has), "{told:#?}");
        }
        assert_failed(&explain("nobody", "GET", "/api/x"), 3, "no user nobody in realm native");
        assert_failed(&explain("admin", "GET", "/elsewhere"), 3, "no mount is there");
        assert_failed(&explain("admin", "FETCH", "/api/x"), 1, "no method FETCH");
        assert_failed(&explain("admin", "GET", "/api/../etc"), 1, "refused with 400");
        // The same beside a gateway that runs, and without one.
        if gateway.is_running() {
            assert_eq!(gateway.terminate().code, Some(0));
        }
    }
}

#[test]
fn contract_explain_and_the_gateway_agree() {
    let backend = Recorder::start();
    let gateway = gateway(&backend, "");
    create_user(&gateway, "sam", PASSWORD, "search");
    create_user(&gateway, "dev", PASSWORD, "developer");
    create_user(&gateway, "eye", PASSWORD, "readonly");
    let settings = gateway.settings_file();
    for user in ["sam", "dev", "eye"] {
        let token = log_in(gateway.address(), user, PASSWORD);
        for method in ["GET", "POST", "DELETE"] {
            for path in [
                "/api/collections",
                "/api/query/x",
                "/api/query-pipelines/p/collections/c/select",
                "/api/usage",
            ] {
                let line = [
                    "explain",
                    "--user",
                    user,
                    "--method",
                    method,
                    "--path",
                    path,
                    "-c",
                    settings.to_str().unwrap(),
                ];
                let yes = run(&line).stdout.starts_with("yes");
                let status = with_session(gateway.address(), method, path, &token).status;
                assert_eq!(status, if yes { 200 } else { 403 }, "{user} {method} {path}");
            }
        }
    }
}

#[test]
fn contract_check_says_fine_or_every_mistake() {
    let folder = tempfile::tempdir().unwrap();
    let good = written(
        folder.path(),
        "good.toml",
        "[[mount]]\npath = \"/api\"\nupstream = \"http://127.0.0.1:9000\"\n",
    );
    let fine = run(&["check", "-c", &good]);
    assert_eq!((fine.code, fine.stderr.as_str()), (Some(0), ""), "{fine:#?}");
    assert_eq!(fine.stdout, format!("{good}: fine: 1 listener, mount /api\n"));
    let bad = written(folder.path(), "bad.toml", "lisen = \"x\"\n[[mount]]\nidle_timeout = 5\n");
    let told = run(&["check", "-c", &bad]);
    assert_failed(&told, 1, "lisen: unknown key; did you mean `listen`?");
    assert_eq!(told.stderr.lines().count(), 3, "{told:#?}");
    assert!(told.stderr.lines().all(|line| line.starts_with(&format!("{bad}:"))), "{told:#?}");
    assert_failed(&run(&["check", "-c", "/nonexistent.toml"]), 1, "/nonexistent.toml: cannot be read");
}

#[test]
fn contract_serve_without_a_file_is_one_mount_at_api() {
    let backend = Recorder::start();
    let gateway = Doorward::new(BINARY)
        .argument("--upstream")
        .argument(backend.url())
        .environment("DOORWARD_ADMIN_PASSWORD", PASSWORD)
        .start();
    let token = log_in(gateway.address(), "admin", PASSWORD);
    assert_eq!(with_session(gateway.address(), "GET", "/api/collections", &token).status, 200);
    assert_eq!(with_session(gateway.address(), "GET", "/other", &token).status, 404);
    assert!(gateway.data().join("doorward.db").exists());
    let bare = Doorward::new(BINARY).try_start().unwrap_err();
    assert_eq!((bare.code, bare.stdout.as_str()), (Some(1), ""));
    assert!(bare.stderr.contains("--upstream: is missing"), "{bare:#?}");
    let wrong =
        Doorward::new(BINARY).argument("--upstream").argument("127.0.0.1:9000").try_start().unwrap_err();
    assert!(wrong.stderr.contains("did you mean `http://127.0.0.1:9000`?"), "{wrong:#?}");
}

#[test]
fn contract_the_command_line_is_stronger_than_the_file() {
    let backend = Recorder::start();
    let folder = tempfile::tempdir().unwrap();
    let gateway = Doorward::new(BINARY)
        .settings("data = \"/nonexistent/data\"\nlisten = \"127.0.0.1:1\"\n[[mount]]\npath = \"/api\"\nupstream = \"http://127.0.0.1:1\"\n")
        .argument("--listen")
        .argument("127.0.0.1:0")
        .argument("--upstream")
        .argument(backend.url())
        .argument("--data")
        .argument(folder.path().join("data").to_str().unwrap())
        .environment("DOORWARD_ADMIN_PASSWORD", PASSWORD)
        .start();
    let token = log_in(gateway.address(), "admin", PASSWORD);
    assert_eq!(with_session(gateway.address(), "GET", "/api/x", &token).status, 200);
    assert!(folder.path().join("data").join("doorward.db").exists());
}

#[test]
fn contract_commands_without_a_file_use_doorward_toml_beside_them() {
    let backend = Recorder::start();
    let gateway = gateway(&backend, "");
    let here = |arguments: &[&str]| {
        let ended = std::process::Command::new(BINARY)
            .args(arguments)
            .current_dir(gateway.folder())
            .output()
            .unwrap();
        (ended.status.code(), String::from_utf8(ended.stderr).unwrap())
    };
    assert_eq!(here(&["check"]), (Some(0), String::new()));
    assert_eq!(
        here(&["explain", "--user", "admin", "--method", "GET", "--path", "/api/x"]),
        (Some(0), String::new())
    );
    assert_eq!(here(&["backup", "copy"]), (Some(0), String::new()));
    assert_eq!(here(&["restore", "copy"]), (Some(0), String::new()));
}
