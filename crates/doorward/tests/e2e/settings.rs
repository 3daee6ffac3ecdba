//! Settings that must not start, and what is said about them (contract/config.md, Settings; issue 2 "It must show"): exit
//! code 1, the file with line, column and key, a suggestion where there is one, and nobody listens.

use std::path::Path;

use testkit::backend::Recorder;
use testkit::process::{self, Doorward, Ended};

use super::common::{BINARY, PASSWORD, log_in, with_session};

/// A mount, so that the rest of a case is all that can be wrong.
const MOUNT: &str = "[[mount]]\npath = \"/api\"\nupstream = \"http://127.0.0.1:9000\"\n";

/// One wrong text, and each line that is said about it, without the file's name.
struct Case {
    text: String,
    said: &'static [&'static str],
}

fn case(text: impl Into<String>, said: &'static [&'static str]) -> Case {
    Case { text: text.into(), said }
}

/// Runs `serve` and `check` with this text; both say the same. Gives the lines of stderr without the file's name.
fn said(folder: &Path, text: &str) -> Vec<String> {
    let file = folder.join("doorward.toml");
    std::fs::write(&file, text).unwrap();
    let name = file.to_str().unwrap();
    let data = folder.join("never-made");
    let run = |arguments: &[&str]| -> Ended { process::run(BINARY, arguments, &[], "") };
    let check = run(&["check", "-c", name]);
    let serve = run(&["serve", "-c", name, "--data", data.to_str().unwrap()]);
    for ended in [&check, &serve] {
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{text}\n{ended:#?}");
    }
    assert_eq!(check.stderr, serve.stderr, "check and serve say the same of\n{text}");
    assert!(!data.exists(), "nothing was begun for\n{text}");
    let strip =
        |line: &str| line.strip_prefix(&format!("{name}:")).unwrap_or_else(|| panic!("{line:?}")).to_owned();
    check.stderr.lines().map(strip).collect()
}

fn assert_all(cases: &[Case]) {
    let folder = tempfile::tempdir().unwrap();
    for Case { text, said: expected } in cases {
        let said = said(folder.path(), text);
        assert_eq!(said.len(), expected.len(), "{text}\n{said:#?}");
        for (line, expected) in said.iter().zip(*expected) {
            assert!(line.starts_with(expected), "{text}\n{line:?}\ndoes not begin with\n{expected:?}");
        }
    }
}

#[test]
fn contract_unknown_keys_are_errors_with_a_suggestion() {
    assert_all(&[
        case(
            format!("lisen = \"127.0.0.1:0\"\n{MOUNT}"),
            &["1:1: lisen: unknown key; did you mean `listen`?"],
        ),
        case(
            format!("{MOUNT}idel_timeout = \"1m\"\n"),
            &["4:1: mount[0].idel_timeout: unknown key; did you mean `idle_timeout`?"],
        ),
        case(
            format!("{MOUNT}[login]\nhash_memroy = \"19MiB\"\n"),
            &["5:1: login.hash_memroy: unknown key; did you mean `hash_memory`?"],
        ),
        case(
            format!("{MOUNT}[[mount.route]]\npath = \"/x\"\npubilc = true\n"),
            &["6:1: mount[0].route[0].pubilc: unknown key; did you mean `public`?"],
        ),
        case(
            format!("idle_timeout = \"1m\"\n{MOUNT}"),
            &["1:1: idle_timeout: unknown key; it belongs in [[mount]]"],
        ),
        case(
            format!("{MOUNT}[[realm]]\nname = \"native\"\ntype = \"native\"\nrolse = []\n"),
            &["7:1: realm[0].rolse: unknown key; did you mean `roles`?"],
        ),
        case(format!("{MOUNT}[sessions]\nx = 1\n"), &["4:2: sessions: unknown key"]),
    ]);
}

#[test]
fn contract_bad_values_are_told_with_their_place() {
    let mount = |more: &str| format!("{MOUNT}{more}\n");
    assert_all(&[
        case(
            mount("idle_timeout = \"30min\""),
            &["4:16: mount[0].idle_timeout: \"30min\" is not a duration"],
        ),
        case(
            mount("idle_timeout = 30"),
            &["4:16: mount[0].idle_timeout: 30 has no unit: ms, s, m, h or d; did you mean `\"30s\"`?"],
        ),
        case(mount("idle_timeout = \"9h\""), &["4:16: mount[0].idle_timeout: "]),
        case(mount("max_lifetime = \"31d\""), &["4:16: mount[0].max_lifetime: "]),
        case(mount("max_lifetime = \"0s\""), &["4:16: mount[0].max_lifetime: "]),
        case(mount("generation = \"6\""), &["4:14: mount[0].generation: "]),
        case(mount("cookie_secure = \"yes\""), &["4:17: mount[0].cookie_secure: "]),
        case(mount("cookie_same_site = \"Lax\""), &["4:20: mount[0].cookie_same_site: "]),
        case(mount("own = [\"session\", \"user\"]"), &["4:19: mount[0].own[1]: "]),
        case(format!("workers = -1\n{MOUNT}"), &["1:11: workers: "]),
        case(format!("workers = 257\n{MOUNT}"), &["1:11: workers: "]),
        case(
            format!("listen = \"8764\"\n{MOUNT}"),
            &["1:10: listen: \"8764\" is not an address to listen on"],
        ),
        case(format!("trusted_proxies = [\"10.0.0.1/8\"]\n{MOUNT}"), &["1:20: trusted_proxies[0]: "]),
        case(mount("[login]\nhash_memory = \"18MiB\""), &["5:15: login.hash_memory: "]),
        case(mount("[login]\nattempts_per_user = 101"), &["5:21: login.attempts_per_user: "]),
        case(mount("[login]\nwindow = \"0s\""), &["5:10: login.window: "]),
        case("[[mount]]\npath = \"api\"\nupstream = \"http://127.0.0.1:9000\"\n", &["2:8: mount[0].path: "]),
        case(
            "[[mount]]\npath = \"/.doorward\"\nupstream = \"http://127.0.0.1:9000\"\n",
            &["2:8: mount[0].path: "],
        ),
        case("[[mount]]\npath = \"/api\"\nupstream = \"127.0.0.1:9000\"\n", &["3:12: mount[0].upstream: "]),
        case("[[mount]]\npath = \"/api\"\n", &["1:1: mount[0].upstream: "]),
        case("", &["1:1: mount: is missing"]),
    ]);
}

#[test]
fn contract_settings_that_contradict_each_other_are_told() {
    let twice = format!("{MOUNT}[[mount]]\npath = \"/api/\"\nupstream = \"http://127.0.0.1:9001\"\n");
    assert_all(&[
        case(twice, &["5:8: mount[1].path: \"/api\" is mounted already"]),
        case(
            format!("listen = [\"127.0.0.1:8764\", \"127.0.0.1:8764\"]\n{MOUNT}"),
            &["1:29: listen[1]: 127.0.0.1:8764 is the same as 127.0.0.1:8764"],
        ),
        case(
            format!("listen = [\"0.0.0.0:8764\", \"127.0.0.1:8764\"]\n{MOUNT}"),
            &["1:27: listen[1]: 127.0.0.1:8764 overlaps with 0.0.0.0:8764"],
        ),
        case(
            format!("listen = \"127.0.0.1:8764\"\nadmin = \"127.0.0.1:8764\"\n{MOUNT}"),
            &["2:9: admin: 127.0.0.1:8764 is the same as"],
        ),
        case(
            format!("listen = \"127.0.0.1:9000\"\n{MOUNT}"),
            &["4:12: mount[0].upstream: \"http://127.0.0.1:9000\" is this gateway itself"],
        ),
        case(
            format!(
                "{MOUNT}[[realm]]\nname = \"a\"\ntype = \"ldap\"\n[[realm]]\nname = \"a\"\ntype = \"ldap\"\n"
            ),
            &["8:8: realm[1].name: \"a\" is the name of another realm"],
        ),
    ]);
}

#[test]
fn contract_words_that_this_version_does_not_know_are_told() {
    assert_all(&[
        case(format!("{MOUNT}dialect = \"fusoin\"\n"), &["4:11: mount[0].dialect: "]),
        case(format!("{MOUNT}[[realm]]\nname = \"acme\"\ntype = \"lpad\"\n"), &["6:8: realm[0].type: "]),
        case(
            format!("{MOUNT}[[realm]]\nname = \"acme\"\ntype = \"saml\"\n"),
            &["6:8: realm[0].type: this type of realm is not in this version"],
        ),
    ]);
    let folder = tempfile::tempdir().unwrap();
    for (text, better) in
        [("dialect = \"fusoin\"", "fusion"), ("[[realm]]\nname = \"a\"\ntype = \"lda\"", "ldap")]
    {
        let said = said(folder.path(), &format!("{MOUNT}{text}\n"));
        assert!(said[0].contains(&format!("did you mean `\"{better}\"`?")), "{said:?}");
    }
}

#[test]
fn contract_text_that_is_no_toml_is_told_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    for (text, line) in [("listen = ", 1), ("\n\n[[mount]\n", 3), ("a = 1\na = 2\n", 2), ("x = 'canary", 1)] {
        let said = said(folder.path(), text);
        assert!(said[0].starts_with(&format!("{line}:")), "{text:?}: {said:?}");
        assert!(!said[0].contains("canary"), "{said:?}");
    }
    std::fs::write(folder.path().join("binary.toml"), b"# fine\n\xff\xfe\n").unwrap();
    let file = folder.path().join("binary.toml");
    let ended = process::run(BINARY, &["check", "-c", file.to_str().unwrap()], &[], "");
    assert_eq!(ended.stderr, format!("{}:2:1: this line is not UTF-8 text\n", file.display()));
}

#[test]
fn contract_every_mistake_is_told_at_once_in_the_order_of_the_file() {
    assert_all(&[case(
        "lisen = 1\nworkers = \"many\"\n[[mount]]\npath = \"/api\"\nupstream = \"ftp://x\"\nidle_timeout = \"soon\"\n[[realm]]\ntype = \"x\"\n",
        &[
            "1:1: lisen: unknown key",
            "2:11: workers: ",
            "5:12: mount[0].upstream: ",
            "6:16: mount[0].idle_timeout: ",
            "7:1: realm[0].name: ",
            "8:8: realm[0].type: ",
        ],
    )]);
}

#[test]
fn contract_a_missing_or_wrong_certificate_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let other = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    for (name, text) in [
        ("certificate", made.cert.pem()),
        ("key", made.signing_key.serialize_pem()),
        ("other-key", other.signing_key.serialize_pem()),
        ("noise", "canary".to_owned()),
    ] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let cases = [
        (
            "certificate = \"nowhere\", key = \"key\"",
            "1:52: listen[0].certificate: ",
            "there is no such file",
        ),
        (
            "certificate = \"certificate\", key = \"nowhere\"",
            "1:73: listen[0].key: ",
            "there is no such file",
        ),
        ("certificate = \"noise\", key = \"key\"", "1:52: listen[0].certificate: ", ""),
        ("certificate = \"certificate\", key = \"noise\"", "1:73: listen[0].key: ", ""),
        (
            "certificate = \"certificate\", key = \"other-key\"",
            "1:52: listen[0].certificate: ",
            "cannot be used together",
        ),
        ("certificate = \"certificate\"", "1:11: listen[0].key: ", ""),
        ("key = \"key\"", "1:11: listen[0].certificate: ", ""),
    ];
    for (pair, place, why) in cases {
        let said =
            said(folder.path(), &format!("listen = [{{ address = \"127.0.0.1:0\", {pair} }}]\n{MOUNT}"));
        assert_eq!(said.len(), 1, "{pair}: {said:?}");
        assert!(said[0].starts_with(place) && said[0].contains(why), "{pair}: {said:?}");
        assert!(!said[0].contains("canary"), "{said:?}");
    }
}

#[test]
fn contract_values_may_come_from_a_file_or_the_environment() {
    let backend = Recorder::start();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("upstream");
    std::fs::write(&file, format!("{}\n", backend.url())).unwrap();
    let settings = format!(
        "[[mount]]\npath = {{ env = \"THE_PATH\" }}\nupstream = {{ file = {:?} }}\n",
        file.to_str().unwrap()
    );
    let gateway = Doorward::new(BINARY)
        .settings(&settings)
        .environment("THE_PATH", "/api")
        .environment("DOORWARD_ADMIN_PASSWORD", PASSWORD)
        .start();
    let token = log_in(gateway.address(), "admin", PASSWORD);
    assert_eq!(with_session(gateway.address(), "GET", "/api/x", &token).status, 200);

    // What comes from there may be a secret: it is not quoted.
    let wrong =
        Doorward::new(BINARY).settings(&settings).environment("THE_PATH", "canary").try_start().unwrap_err();
    assert_eq!((wrong.code, wrong.stdout.as_str()), (Some(1), ""));
    assert!(wrong.stderr.contains("mount[0].path: ") && !wrong.stderr.contains("canary"), "{wrong:#?}");
    let unset = Doorward::new(BINARY).settings(&settings).try_start().unwrap_err();
    assert!(unset.stderr.contains("THE_PATH"), "{unset:#?}");
}
