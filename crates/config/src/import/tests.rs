//! What comes out of other products' files.

use super::*;
use crate::environment::double::Tables;
use crate::settings::Settings;

fn settings(file: &str, text: &str) -> (Settings, String, Vec<String>) {
    let imported = convert(file, text).unwrap();
    let Product::Settings(text) = imported.product else { panic!("no settings") };
    let settings =
        Settings::parse("imported.toml", &text, &Tables::default()).unwrap_or_else(|e| panic!("{e}\n{text}"));
    (settings, text, imported.unused)
}

fn times(file: &str, text: &str) -> (u64, u64) {
    let (settings, ..) = settings(file, text);
    (settings.mounts[0].idle_timeout.as_secs(), settings.mounts[0].max_lifetime.as_secs())
}

const JVM: &str = "proxy.jvmOptions = -Xmx512m -Dcom.lucidworks.apollo.admin.session.timeout=14400 \
                   -Dcom.lucidworks.apollo.admin.session.idle.timeout=600";

#[test]
fn the_documents_own_line_of_fusion_properties() {
    let text = format!("# proxy\nzookeeper.password = canary\nproxy.port = 8770\napi.port=8771\n{JVM}\n");
    let (settings, written, notes) = settings("/opt/fusion/conf/fusion.properties", &text);
    assert_eq!(
        written,
        "# Made by `doorward import` from fusion.properties.\nlisten = \"127.0.0.1:8770\"\n\n[[mount]]\n\
         path = \"/api\"\ndialect = \"fusion\"\ngeneration = \"4\"\nupstream = \"http://127.0.0.1:8771\"\n\
         idle_timeout = \"10m\"\nmax_lifetime = \"4h\"\n"
    );
    assert_eq!(settings.listen[0].address.port(), 8770);
    assert_eq!(
        notes,
        [
            "line 5: the Java option -Xmx512m is not used",
            "line 2: zookeeper.password is not used",
            "listen is set to this machine only; the proxy listened on all addresses",
        ]
    );
}

#[test]
fn properties_without_or_with_odd_times() {
    let file = "fusion.properties";
    let line = |idle: &str, most: &str| {
        format!(
            "proxy.jvmOptions=-Dcom.lucidworks.apollo.admin.session.idle.timeout={idle} \\\n  \
             -Dcom.lucidworks.apollo.admin.session.timeout={most}"
        )
    };
    assert_eq!(times(file, "api.port = 8765"), (3_600, 28_800));
    assert_eq!(times(file, ""), (3_600, 28_800));
    assert_eq!(times(file, &line("60", "120")), (60, 120));
    assert_eq!(times(file, &line("600", "60")), (60, 60));
    assert_eq!(times(file, &line("0", "-1")), (3_600, 28_800));
    assert_eq!(times(file, &line("60", "99999999")), (60, 30 * 86_400));
    assert_eq!(times(file, &line("99999999", "99999999")), (30 * 86_400, 30 * 86_400));
    let shown = |text: &str| convert(file, text).unwrap_err().to_string();
    assert_eq!(
        shown(&line("canary", "1")),
        "fusion.properties:1: com.lucidworks.apollo.admin.session.idle.timeout is not a number of seconds"
    );
    assert_eq!(shown("\nproxy.port = http"), "fusion.properties:2: proxy.port is not a port, 1 to 65535");
    assert!(shown("proxy.port=1\napi.port=1").contains("its own backend"));
}

#[test]
fn values_nested_and_flat() {
    let file = "values.yaml";
    assert_eq!(times(file, "jwtExpirationSecs: 3600\n"), (3_600, 28_800));
    assert_eq!(times(file, "api-gateway:\n  jwtExpirationSecs: 1200 # 20 min\n"), (1_200, 28_800));
    assert_eq!(times(file, "api-gateway:\n  \"jwtExpirationSecs\": \"1200\"\n"), (1_200, 28_800));
    assert_eq!(times(file, "fusion:\n  api-gateway:\n    jwtExpirationSecs: 1200\n"), (1_200, 28_800));
    assert_eq!(times(file, "jwtExpirationSecs: 60\napi-gateway:\n  jwtExpirationSecs: 120\n"), (120, 28_800));
    assert_eq!(times(file, "api-gateway:\n  replicas: 2\n"), (1_800, 28_800));
    assert_eq!(times(file, "api-gateway:\n  jwtExpirationSecs: 86400\n"), (86_400, 86_400));
    assert_eq!(times(file, "  jwtExpirationSecs: 3600\n"), (3_600, 28_800));
}

#[test]
fn values_in_places_that_do_not_count() {
    let text = "\
---
solr:
  script: |
    api-gateway:
      jwtExpirationSecs: 1

    jwtExpirationSecs: 2
  flow: { a: [1,
jwtExpirationSecs: 3,
  ] }
  quoted: \"x
jwtExpirationSecs: 4
  \\\" y\"
  list:
    - jwtExpirationSecs: 5
    - a
  jwtExpirationSecs: 6
secret: canary
api-gateway:
  # jwtExpirationSecs: 7
  resources:
    limits: {cpu: 1}
  jwtExpirationSecs: 900
";
    let (settings, _, notes) = settings("values.yaml", text);
    assert_eq!(settings.mounts[0].idle_timeout.as_secs(), 900);
    assert!(!format!("{notes:?}").contains("canary"));
    assert!(notes.contains(&"line 18: secret is not used".to_owned()), "{notes:#?}");
    assert!(notes.contains(&"line 21: api-gateway.resources is not used".to_owned()), "{notes:#?}");
    assert!(notes.contains(&"line 17: solr.jwtExpirationSecs is not used".to_owned()), "{notes:#?}");
}

#[test]
fn values_that_are_refused() {
    for (text, message) in [
        ("jwtExpirationSecs: soon", "values.yaml:1: jwtExpirationSecs is not a positive number of seconds"),
        ("jwtExpirationSecs: 0", "values.yaml:1: jwtExpirationSecs is not a positive number of seconds"),
        (
            "jwtExpirationSecs:\n  3600",
            "values.yaml:1: jwtExpirationSecs is not a positive number of seconds",
        ),
        ("jwtExpirationSecs: *x", "values.yaml:1: jwtExpirationSecs is not a positive number of seconds"),
        ("a: 1\n\tb: 2", "values.yaml:2: is indented with a tab, which YAML does not allow"),
        (
            "jwtExpirationSecs: 1\njwtExpirationSecs: 1",
            "values.yaml:2: jwtExpirationSecs stands here a second time",
        ),
        (
            "api-gateway: {jwtExpirationSecs: 3600}",
            "values.yaml:1: write api-gateway in lines of its own, not in braces",
        ),
    ] {
        assert_eq!(convert("values.yaml", text).unwrap_err().to_string(), message, "{text}");
    }
}

#[test]
fn users_of_htpasswd() {
    let text = "# users\nalice:$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaA\nbob:$2y$05$canary\ncarol:{SHA}canary=\n\
                dave:rl1canary1234:comment\nerin:plain canary\nbob:$apr1$canary\nfrank:$apr1$x$canary\n";
    let imported = convert(".htpasswd", text).unwrap();
    let Product::Users(users) = &imported.product else { panic!("no users") };
    let names: Vec<&str> = users.iter().map(|user| user.name.as_str()).collect();
    assert_eq!(names, ["alice", "bob", "carol", "dave", "erin", "frank"]);
    let ImportedPassword::Argon2id(hash) = &users[0].password else { panic!("no hash") };
    assert_eq!(hash.expose(), "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaA");
    assert_eq!(
        imported.unused,
        [
            "line 3: bob has a bcrypt hash, which cannot be verified here: set a new password",
            "line 4: carol has a SHA-1 hash, which cannot be verified here: set a new password",
            "line 5: dave has a DES crypt hash, which cannot be verified here: set a new password",
            "line 6: erin has a hash of an unknown kind, or a password in clear, which cannot be verified here: \
             set a new password",
            "line 7: bob stands here a second time and is not used",
            "line 8: frank has an MD5 hash, which cannot be verified here: set a new password",
        ]
    );
    let printed = format!("{imported:?}");
    assert!(!printed.contains("canary") && !printed.contains("m=19456"), "{printed}");
    assert_eq!(
        convert("htpasswd", "alice").unwrap_err().to_string(),
        "htpasswd:1: has no colon between name and hash"
    );
    assert_eq!(convert("htpasswd", "\n:x").unwrap_err().to_string(), "htpasswd:2: has no valid user name");
}

#[test]
fn the_number_of_users_is_limited_on_both_sides() {
    let many = |count: usize| (0..count).map(|n| format!("u{n}:{{SHA}}x\n")).collect::<String>();
    assert!(convert("htpasswd", &many(crate::limits::MAX_IMPORT_USERS)).is_ok());
    assert!(convert("htpasswd", &many(crate::limits::MAX_IMPORT_USERS + 1)).is_err());
}

#[test]
fn the_content_decides_where_the_name_does_not() {
    assert!(matches!(convert("fusion.cors", JVM).unwrap().product, Product::Settings(_)));
    assert!(matches!(convert("my-values", "api-gateway:\n").unwrap().product, Product::Settings(_)));
    assert!(matches!(convert("users.txt", "a:$apr1$x$y").unwrap().product, Product::Users(_)));
    for text in ["", "hello", "a: b", "<xml/>"] {
        assert!(matches!(convert("x", text), Err(ImportError::Unknown { .. })), "{text}");
    }
}

#[test]
fn files_are_read_also_in_latin_1() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fusion.properties");
    std::fs::write(&path, b"# caf\xe9\napi.port=8765\n").unwrap();
    assert!(read(&path).is_ok());
    let missing = read(&folder.path().join("none")).unwrap_err().to_string();
    assert!(missing.ends_with("none: cannot be read: there is no such file"), "{missing}");
}

proptest::proptest! {
    #[test]
    fn whatever_comes_out_is_accepted(
        idle in -5i64..200_000_000, most in -5i64..200_000_000, yaml: bool,
    ) {
        let (file, text) = if yaml {
            ("values.yaml", format!("api-gateway:\n  jwtExpirationSecs: {}\n", idle.max(1)))
        } else {
            ("fusion.properties", format!(
                "proxy.jvmOptions=-Dcom.lucidworks.apollo.admin.session.idle.timeout={idle} \
                 -Dcom.lucidworks.apollo.admin.session.timeout={most}"
            ))
        };
        settings(file, &text);
    }

    #[test]
    fn nothing_makes_it_panic(
        file in "(fusion.properties|values.yaml|htpasswd|x)",
        text in "([ \\-:#{}\\[\\]|\"'\\\\$=\\n\u{e9}]|api-gateway|jwtExpirationSecs|proxy.jvmOptions|1){0,40}",
    ) {
        let _ = convert(&file, &text);
    }
}
