//! Settings files, right and wrong, and what is said about them.

mod forward_auth;
mod identity_token;
mod limits;
mod ovirt;
mod wrong;

use std::time::Duration;

use super::*;
use crate::environment::double::Tables;
use crate::sections::audit::AuditFile;
use crate::sections::mount::{AtSessionCap, CookieSecure, Dialect, Generation, SameSite};
use crate::sections::own::OwnEndpoint;
use crate::sections::realm::RealmType;
use crate::sections::{SECTIONS, logs::LogFormat};

const MOUNT: &str = "[[mount]]\nupstream = \"http://127.0.0.1:9000\"\n";

fn parse(text: &str) -> Result<Settings, Mistakes> {
    Settings::parse("doorward.toml", text, &Tables::default())
}

fn good(text: &str) -> Settings {
    parse(text).unwrap_or_else(|mistakes| panic!("{mistakes}\n{text}"))
}

fn shown(text: &str) -> String {
    match parse(text) {
        Ok(_) => "no mistake".to_owned(),
        Err(mistakes) => mistakes.to_string(),
    }
}

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn the_example_is_the_defaults() {
    let example = Settings::parse("doorward.toml", Settings::example(), &Tables::default()).unwrap();
    let defaults = good(MOUNT);
    assert_eq!(example.listen, defaults.listen);
    assert_eq!(example.data, defaults.data);
    assert_eq!(example.login, defaults.login);
    assert_eq!(example.log, defaults.log);
    assert_eq!(example.audit, defaults.audit);
    assert_eq!(example.mounts, defaults.mounts);
    assert_eq!(
        (example.realms.len(), example.realms[0].name.as_str()),
        (1, defaults.realms[0].name.as_str())
    );
    let made = Settings::default_for(Some("http://127.0.0.1:9000"), None, None).unwrap();
    assert_eq!(made.mounts, defaults.mounts);
    assert_eq!(made.listen, defaults.listen);
    assert_eq!(made.listen[0].address.to_string(), crate::DEFAULT_LISTEN);
}

#[test]
fn the_example_with_its_comments_on_is_read_too() {
    let (mut text, mut in_route) = (String::new(), false);
    for line in Settings::example().lines() {
        in_route |= line.starts_with("# [[mount.route]]");
        in_route &= !line.is_empty();
        let keys = ["# admin = ", "# file = ", "# at_session_cap = "];
        let on = in_route || keys.iter().any(|key| line.starts_with(key));
        // A word about the cap needs a cap.
        let line =
            line.strip_prefix("max_sessions_per_user = 0").map_or(line, |_| "max_sessions_per_user = 1");
        text.push_str(if on { line.trim_start_matches("# ") } else { line });
        text.push('\n');
    }
    let settings = good(&text);
    assert_eq!(settings.admin.unwrap().to_string(), "127.0.0.1:8765");
    assert_eq!(settings.audit.file, Some(AuditFile::Path(PathBuf::from("audit.jsonl"))));
    assert_eq!(settings.mounts[0].at_session_cap, AtSessionCap::EndOldest);
    let route = &settings.mounts[0].routes[0];
    assert_eq!(
        (route.path.as_str(), route.public, route.methods.to_string()),
        ("/status/**", true, "GET".to_owned())
    );
    assert_eq!(route.upstream.as_ref().unwrap()[0].port, 9001);
}

#[test]
fn the_example_names_every_key() {
    for (section, keys) in SECTIONS {
        for key in *keys {
            let named = [format!("{key} = "), format!("[{key}]"), format!(".{key}]")]
                .iter()
                .any(|spelling| Settings::example().contains(spelling.as_str()))
                || (*section == "listen = [{ … }]" && Settings::example().contains(key));
            assert!(named, "{section} {key}");
        }
    }
}

#[test]
fn every_default_of_the_contract() {
    let settings = good(MOUNT);
    assert_eq!(settings.listen[0].address.to_string(), "127.0.0.1:8764");
    assert_eq!(settings.data, Path::new("doorward-data"));
    assert_eq!((settings.workers, settings.admin, settings.trusted_proxies.len()), (0, None, 0));
    assert_eq!((settings.login.attempts_per_user, settings.login.attempts_per_address), (10, 100));
    assert_eq!((settings.login.window, settings.login.hash_memory.kibibytes()), (5 * MINUTE, 19_456));
    assert_eq!((settings.login.hash_parallel, settings.login.min_password_length), (0, 15));
    assert_eq!((&settings.audit.file, settings.audit.keep), (&None, 400 * 24 * 60 * MINUTE));
    assert_eq!((settings.log.format, settings.log.requests), (LogFormat::Auto, true));
    let mount = &settings.mounts[0];
    assert_eq!((&*mount.path, mount.dialect), ("/api", Dialect::Fusion(Generation::Five)));
    assert_eq!((mount.cookie_secure, mount.cookie_same_site), (CookieSecure::Auto, SameSite::Lax));
    assert_eq!((mount.max_sessions_per_user, mount.upstream_timeout), (0, MINUTE));
    assert_eq!((mount.strip, mount.basic_challenge, mount.own.len()), (false, false, 9));
    assert_eq!((mount.at_session_cap, mount.no_refresh.len()), (AtSessionCap::EndOldest, 0));
    assert_eq!(mount.no_refresh_query.as_deref(), Some("_noSessionRefresh"));
    assert_eq!((&*mount.realms, mount.attribute_headers.len()), (&[RealmName::native()][..], 0));
    assert!(settings.realms[0].enabled);
    assert_eq!((settings.realms[0].name.as_str(), settings.realms[0].kind), ("native", RealmType::Native));
}

#[test]
fn the_dialect_and_generation_set_the_default_times() {
    for (keys, path, idle, most) in [
        ("", "/api", 30, 480),
        ("dialect = \"fusion\"\ngeneration = \"5\"", "/api", 30, 480),
        ("generation = 5", "/api", 30, 480),
        ("generation = \"4\"", "/api", 60, 480),
        ("generation = 3", "/api", 60, 480),
        ("generation = 2", "/api", 60, 480),
        ("dialect = \"ovirt\"", "/ovirt-engine/api", 30, 600),
        ("dialect = \"plain\"", "/", 30, 480),
        ("generation = 2\nidle_timeout = \"5m\"\nmax_lifetime = \"6m\"", "/api", 5, 6),
        ("idle_timeout = \"6m\"\nmax_lifetime = \"6m\"", "/api", 6, 6),
    ] {
        let settings = good(&format!("{MOUNT}{keys}"));
        let mount = &settings.mounts[0];
        assert_eq!(mount.path, path, "{keys}");
        assert_eq!((mount.idle_timeout, mount.max_lifetime), (idle * MINUTE, most * MINUTE), "{keys}");
    }
}

#[test]
fn everything_at_once() {
    let settings = good(
        r#"
        listen = ["127.0.0.1:1", { address = "[::1]:2" }, { address = "127.0.0.1:3", http2 = false }]
        data = "/var/lib/doorward"
        workers = 256
        trusted_proxies = ["10.0.0.0/8", "::1", "192.0.2.7"]
        admin = "127.0.0.1:4"
        login = { attempts_per_user = 5, min_password_length = 8, window = "1h", hash_memory = "64MiB", hash_parallel = 2 }
        [log]
        format = "json"
        requests = false
        [audit]
        file = "-"
        keep = "3650d"
        [[mount]]
        path = "/api/"
        upstream = ["http://a:1", "https://b"]
        own = ["session"]
        strip = true
        basic_challenge = true
        realms = ["acmeLDAP", "native"]
        attribute_headers = { mail = "X-User-Mail", displayName = "x-user-display" }
        cookie_secure = "always"
        cookie_same_site = "none"
        max_sessions_per_user = 3
        at_session_cap = "refuse"
        no_refresh = ["GET:/jobs/*/status", "*:/poll/{id}/**:id=a;!/poll/*/x"]
        no_refresh_query = "poll"
        upstream_timeout = "1500ms"
        [[mount.route]]
        path = "/a/{id}/*"
        methods = ["GET", "HEAD"]
        public = true
        [[mount.route]]
        path = "/**"
        [[mount]]
        path = "/api/v2"
        upstream = "http://c"
        [[realm]]
        name = "acmeLDAP"
        type = "ldap"
        enabled = false
        roles = ["search", "readonly"]
        host = "ldap.example"
        [realm.login]
        password = "canary"
        [[realm]]
        name = "contractors"
        type = "native"
        "#,
    );
    assert_eq!(settings.listen.len(), 3);
    assert_eq!(settings.trusted_proxies[1].to_string(), "::1/128");
    assert_eq!(settings.trusted_proxies[2].to_string(), "192.0.2.7/32");
    assert_eq!((settings.login.attempts_per_address, settings.login.min_password_length), (100, 8));
    assert_eq!(
        (settings.audit.file.clone(), settings.audit.keep),
        (Some(AuditFile::Stdout), 3_650 * 24 * 60 * MINUTE)
    );
    let mount = &settings.mounts[0];
    assert_eq!((&*mount.path, mount.own.as_slice()), ("/api", &[OwnEndpoint::Session][..]));
    assert_eq!(mount.upstream[1].to_string(), "https://b");
    assert_eq!(mount.upstream_timeout, Duration::from_millis(1500));
    assert_eq!((mount.max_sessions_per_user, mount.at_session_cap), (3, AtSessionCap::Refuse));
    assert_eq!(mount.no_refresh[1].to_string(), "*:/poll/{id}/**:id=a;!/poll/*/x");
    assert_eq!((mount.no_refresh.len(), mount.no_refresh_query.as_deref()), (2, Some("poll")));
    assert_eq!((mount.routes.len(), mount.routes[1].public), (2, false));
    assert_eq!(mount.realms.iter().map(RealmName::as_str).collect::<Vec<_>>(), ["acmeLDAP", "native"]);
    let told = [("displayName", "x-user-display"), ("mail", "X-User-Mail")];
    assert_eq!(mount.attribute_headers, told.map(|(name, field)| (name.to_owned(), field.to_owned())));
    assert_eq!(settings.mounts[1].path, "/api/v2");
    // The realm `native` is there without being mentioned.
    assert_eq!(
        settings.realms.iter().map(|realm| (realm.name.as_str(), realm.enabled)).collect::<Vec<_>>(),
        [("native", true), ("acmeLDAP", false), ("contractors", true)]
    );
    let printed = format!("{settings:?}");
    assert!(!printed.contains("canary"), "{printed}");
}

#[test]
fn the_wiring_reads_a_realms_own_keys_and_reports_at_their_lines() {
    let text = format!(
        "{MOUNT}[[realm]]\nname = \"l\"\ntype = \"ldap\"\nhost = \"h\"\nprot = 1\n[realm.login]\n\
         bind = {{ env = \"SECRET\" }}\nwait = \"5s\"\n"
    );
    let environment = Tables::default().with_variable("SECRET", "canary");
    let settings = Settings::parse("doorward.toml", &text, &environment).unwrap();
    let realm = &settings.realms[1];
    let mut report = settings.report();
    let mut reader = realm.own_keys.read(&["host", "port", "login"], &mut report);
    assert_eq!(reader.take_text("host").given().as_deref(), Some("h"));
    assert!(reader.take_integer("port", 1..=65_535).is_absent());
    let login = reader.take_section("login");
    reader.finish();
    let mut reader = login.read(&["bind", "wait"], &mut report);
    assert_eq!(reader.take_secret("bind").given().unwrap().expose(), "canary");
    assert_eq!(reader.take_duration("wait", (MINUTE, MINUTE), "why").given(), None);
    reader.finish();
    report.add(&realm.own_keys.full_key("type"), "is not built into this version");
    report.add("mount[0].dialect", "unwritten");
    assert_eq!(
        report.finish().unwrap_err().to_string(),
        "doorward.toml:1:1: mount[0].dialect: unwritten\n\
         doorward.toml:5:8: realm[0].type: is not built into this version\n\
         doorward.toml:7:1: realm[0].prot: unknown key; did you mean `port`?\n\
         doorward.toml:10:8: realm[0].login.wait: \"5s\" is shorter than 1m: why"
    );
}

#[test]
fn a_realms_own_keys_are_an_object_with_what_the_references_stand_for() {
    let environment = Tables::default().with_variable("SECRET", "canary").with_file("/etc/d/key", "canary");
    let text = format!(
        r#"{MOUNT}
        [[realm]]
        name = "l"
        type = "ldap"
        roles = ["search"]
        hosts = ["a", {{ env = "SECRET" }}, ["b", 1]]
        wait = "30m"
        port = 636
        weight = 1_000.5
        since = 2020-01-01
        far = 0xffffffffffffffff
        odd = nan
        "odd key" = ""
        tls = {{ verify = true, ca = {{ file = "key" }} }}
        [realm.login]
        name.env = "SECRET"
        password = "clear"
        [[realm.group]]
        x = 1
        [[realm]]
        name = "more"
        type = "native"
        "#
    );
    let settings = Settings::parse("/etc/d/d.toml", &text, &environment).unwrap();
    let json = settings.realms[1].config_json();
    assert_eq!(
        json,
        serde_json::json!({
            "hosts": ["a", "canary", ["b", 1]],
            "wait": "30m",
            "port": 636,
            "weight": 1000.5,
            "since": "2020-01-01",
            "far": "a number beyond 64 bits",
            "odd": "nan",
            "odd key": "",
            "tls": { "verify": true, "ca": "canary" },
            "login": { "name": "canary", "password": "clear" },
            "group": [{ "x": 1 }],
        })
    );
    // The same keys give the same text, whatever their order in the file.
    assert!(json.to_string().starts_with(r#"{"far":"#), "{json}");
    for native in [&settings.realms[0], &settings.realms[2]] {
        assert_eq!(native.config_json(), serde_json::json!({}));
    }
}

#[test]
fn the_query_flag_of_each_dialect() {
    for (keys, flag) in [
        ("generation = 2", Some("_noSessionRefresh")),
        ("dialect = \"ovirt\"", None),
        ("dialect = \"plain\"", None),
        ("no_refresh_query = \"\"", None),
        ("no_refresh_query = \"q.1-x_\"", Some("q.1-x_")),
        ("dialect = \"plain\"\nno_refresh_query = \"q\"", Some("q")),
    ] {
        let settings = good(&format!("{MOUNT}{keys}"));
        assert_eq!(settings.mounts[0].no_refresh_query.as_deref(), flag, "{keys}");
    }
}

#[test]
fn a_section_whose_one_key_is_file_is_no_reference() {
    let environment = Tables::default().with_file("/etc/d/a", "canary").with_variable("AUDIT", "/var/log/a");
    let file = |text: &str| {
        let text = format!("{text}\n{MOUNT}");
        Settings::parse("/etc/d/d.toml", &text, &environment).map(|settings| settings.audit.file)
    };
    let there = |path: &str| Ok(Some(AuditFile::Path(PathBuf::from(path))));
    assert_eq!(file("[audit]\nfile = \"a\""), there("/etc/d/a"));
    assert_eq!(file("audit = { file = \"a\" }"), there("/etc/d/a"));
    assert_eq!(file("audit.file = \"a\""), there("/etc/d/a"));
    assert_eq!(file("audit.file = \"/b\""), there("/b"));
    assert_eq!(file("audit.file = { env = \"AUDIT\" }"), there("/var/log/a"));
    assert_eq!(file("audit.file = \"-\""), Ok(Some(AuditFile::Stdout)));
    assert_eq!(file(""), Ok(None));
    assert_eq!(
        file("audit = { env = \"AUDIT\" }").unwrap_err().to_string(),
        "/etc/d/d.toml:1:11: audit.env: unknown key"
    );
}

#[test]
fn any_value_may_come_from_a_file_or_the_environment() {
    let environment = Tables::default()
        .with_variable("WORKERS", "8")
        .with_variable("BACKEND", "http://b:1")
        .with_variable("NO", "false")
        .with_file("/etc/doorward/idle", "10m\n")
        .with_file("/etc/doorward/roles/first", "search\r\n")
        .with_file("/run/listen", "127.0.0.1:1");
    let text = r#"
        listen = { file = "/run/listen" }
        workers = { env = "WORKERS" }
        log.requests = { env = "NO" }
        [[mount]]
        upstream = { env = "BACKEND" }
        idle_timeout.file = "idle"
        [[realm]]
        name = "native"
        type = "native"
        roles = [{ file = "roles/first" }]
    "#;
    let settings = Settings::parse("/etc/doorward/doorward.toml", text, &environment).unwrap();
    assert_eq!(settings.listen[0].address.port(), 1);
    assert_eq!(settings.workers, 8);
    assert!(!settings.log.requests);
    assert_eq!(settings.mounts[0].upstream[0].host, "b");
    assert_eq!(settings.mounts[0].idle_timeout, 10 * MINUTE);
    assert_eq!(settings.realms[0].roles[0].as_str(), "search");
    // A newline is trimmed once, and only of files.
    let environment = Tables::default().with_file("f", "127.0.0.1:1\n\n");
    let text = format!("listen = {{ file = \"f\" }}\n{MOUNT}");
    assert_eq!(
        Settings::parse("doorward.toml", &text, &environment).unwrap_err().to_string(),
        "doorward.toml:1:10: listen: the content of the file f is not an address to listen on: an IP address and a \
         port, such as \"127.0.0.1:8764\""
    );
}

#[test]
fn a_value_from_elsewhere_is_never_quoted() {
    let environment = Tables::default().with_variable("SECRET", "canary").with_file("f", "canary");
    let keys = "workers data admin trusted_proxies listen login log mount realm login.window login.hash_memory \
                login.attempts_per_user log.format log.requests login.other audit audit.file.x audit.keep \
                login.min_password_length";
    for key in keys.split_whitespace() {
        for reference in ["{ env = \"SECRET\" }", "{ file = \"f\" }", "[{ file = \"f\" }]"] {
            let text = format!("{key} = {reference}\n");
            let mistakes = Settings::parse("doorward.toml", &text, &environment).unwrap_err().to_string();
            assert!(!mistakes.contains("canary"), "{mistakes}");
        }
    }
    let keys = "path dialect generation upstream idle_timeout max_lifetime cookie_secure cookie_same_site \
                max_sessions_per_user upstream_timeout own strip basic_challenge route route.methods \
                at_session_cap no_refresh realms attribute_headers attribute_headers.mail";
    // Two that the faults of patterns and permissions quote, and one that is wrong as a name.
    let environment = environment
        .with_variable("PATTERN", "/a/b*canary")
        .with_variable("REQUESTS", "canary:/x")
        .with_variable("FLAG", "?canary");
    let lines = keys.split_whitespace().map(|key| format!("{key} = {{ env = \"SECRET\" }}")).chain([
        "route = [{ path = { env = \"PATTERN\" } }]".to_owned(),
        "no_refresh = [{ env = \"REQUESTS\" }, { env = \"PATTERN\" }, { env = \"SECRET\" }]".to_owned(),
        "no_refresh_query = { env = \"FLAG\" }".to_owned(),
    ]);
    for line in lines {
        let text = format!("[[mount]]\n{line}\n");
        let mistakes = Settings::parse("doorward.toml", &text, &environment).unwrap_err().to_string();
        assert!(!mistakes.contains("canary"), "{mistakes}");
    }
}

#[test]
fn the_command_line_replaces_what_the_file_says() {
    let overrides = |listen: Option<&str>, upstream: Option<&str>| Overrides {
        listen: listen.map(str::to_owned),
        upstream: upstream.map(str::to_owned),
        data: Some(PathBuf::from("here")),
    };
    let with = |text: &str, overrides: &Overrides| {
        Settings::parse_with("/etc/doorward.toml", text, &Tables::default(), overrides)
    };
    let settings = with(
        &format!("data = \"there\"\n{MOUNT}generation = 4"),
        &overrides(Some("0.0.0.0:80"), Some("http://b:1")),
    );
    let settings = settings.unwrap();
    assert_eq!((settings.listen.len(), settings.listen[0].address.port()), (1, 80));
    assert_eq!(settings.data, Path::new("here"));
    assert_eq!(settings.mounts[0].upstream[0].to_string(), "http://b:1");
    assert_eq!(settings.mounts[0].dialect, Dialect::Fusion(Generation::Four));
    assert_eq!(good(&format!("data = \"there\"\n{MOUNT}")).data, Path::new("there"));
    assert_eq!(with("[[mount]]", &overrides(None, Some("http://b"))).unwrap().mounts.len(), 1);
    assert_eq!(with("workers = 1", &overrides(None, Some("http://b"))).unwrap().mounts.len(), 1);
    let two = format!("{MOUNT}{MOUNT}path = \"/b\"");
    assert_eq!(
        with(&two, &overrides(Some("80"), Some("http://b"))).unwrap_err().to_string(),
        "command line: --listen: \"80\" is not an address to listen on: an IP address and a port, such as \
         \"127.0.0.1:8764\"; did you mean `127.0.0.1:80`?\n\
         command line: --upstream: could be meant for each of the 2 mounts in the file"
    );
    assert_eq!(
        Settings::default_for(None, None, None).unwrap_err().to_string(),
        "command line: --upstream: is missing: without a settings file, `serve` needs the backend's URL"
    );
    assert_eq!(
        Settings::default_for(Some("http://127.0.0.1:8764"), None, None).unwrap_err().to_string(),
        "command line: --upstream: \"http://127.0.0.1:8764\" is this gateway itself, which listens on \
         127.0.0.1:8764"
    );
}

#[test]
fn relative_paths_begin_in_the_folder_of_the_file() {
    let settings =
        Settings::parse("/etc/d/d.toml", &format!("data = \"x\"\n{MOUNT}"), &Tables::default()).unwrap();
    assert_eq!(settings.data, Path::new("/etc/d/x"));
    let settings = Settings::parse("/etc/d/d.toml", MOUNT, &Tables::default()).unwrap();
    assert_eq!(settings.data, Path::new("doorward-data"));
}

#[test]
fn files_are_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("d.toml");
    let said = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        Settings::load(&path).map_or_else(
            |mistakes| mistakes.to_string().replace(&format!("{}/", folder.path().display()), ""),
            |settings| settings.mounts[0].path.clone(),
        )
    };
    assert_eq!(said(MOUNT.as_bytes()), "/api");
    assert_eq!(said(format!("\u{feff}{MOUNT}").as_bytes()), "/api");
    assert_eq!(
        said("\u{feff}wrokers = 1\n[[mount]]\nupstream=\"http://a\"".as_bytes()),
        "d.toml:1:1: wrokers: unknown key; did you mean `workers`?"
    );
    assert_eq!(said(b"workers = 1\n# \xe9\n"), "d.toml:2:1: this line is not UTF-8 text");
    std::fs::remove_file(&path).unwrap();
    let missing = Settings::load(&path).unwrap_err().to_string();
    assert!(missing.ends_with("d.toml: cannot be read: there is no such file"), "{missing}");
}

#[test]
fn listeners_with_certificates() {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let environment = Tables::default()
        .with_file("tls/chain.pem", format!("{certificate}{certificate}"))
        .with_file("tls/key.pem", key.clone())
        .with_variable("KEY", &key);
    for key in ["\"tls/key.pem\"", "{ file = \"tls/key.pem\" }", "{ env = \"KEY\" }"] {
        let text = format!(
            "listen = {{ address = \"127.0.0.1:1\", certificate = \"tls/chain.pem\", key = {key} }}\n{MOUNT}"
        );
        let settings = Settings::parse("doorward.toml", &text, &environment).unwrap();
        let tls = settings.listen[0].tls.as_ref().unwrap();
        assert_eq!(tls.chain.len(), 2);
        assert_eq!(format!("{tls:?}"), "Tls(2 certificates)");
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,200}") {
        let _ = parse(&text);
    }

    #[test]
    fn no_settings_make_it_panic(
        lines in proptest::collection::vec((0usize..60, 0usize..24), 0..20),
    ) {
        let keys: Vec<&str> = SECTIONS.iter().flat_map(|(_, keys)| keys.iter().copied()).collect();
        let values = [
            "0", "1", "-1", "\"\"", "\"30m\"", "\"2\"", "[]", "{}", "true", "1.5", "2020-01-01", "\"GET\"", "[\"GET\"]",
            "\"http://a\"", "[\"http://a\", 1]", "{ env = \"X\" }", "{ file = \"x\" }", "[[1]]", "\"/a/**\"", "\"native\"",
            "[\"127.0.0.1:1\", \"127.0.0.1:1\"]", "{ address = \"[::]:1\" }", "0xffffffffffffffff", "'''\nx'''",
        ];
        let headers = ["[login]", "[log]", "[audit]", "[[mount]]", "[[mount.route]]", "[[realm]]", "[mount]"];
        let mut text = String::new();
        for (key, value) in lines {
            let line = match keys.get(key) {
                Some(key) => format!("{key} = {}\n", values[value]),
                None => format!("{}\n", headers[key % headers.len()]),
            };
            text.push_str(&line);
        }
        if let Err(mistakes) = parse(&text) {
            proptest::prop_assert!(!mistakes.0.is_empty());
            for mistake in mistakes.0 {
                proptest::prop_assert!(mistake.place.line > 0 && !mistake.message.is_empty(), "{mistake}");
            }
        }
    }
}
