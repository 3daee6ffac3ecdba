//! Wrong settings, and exactly what is said about each. The cases stand in `wrong.txt`: a text, `=>`, the mistakes, `----`.

use super::*;

/// What the settings of the cases see besides their text.
fn surroundings() -> Tables {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    Tables::default()
        .with_variable("SECRET", "canary")
        .with_file("secret", "canary\n")
        .with_file("binary", b"\xff\xfe".as_slice())
        .with_file("noise", "canary")
        .with_file("encrypted", key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY"))
        .with_file("cut", key.lines().take(2).collect::<Vec<_>>().join("\n"))
        .with_file("garbled", "-----BEGIN CERTIFICATE-----\n!canary!\n-----END CERTIFICATE-----\n")
        .with_file("certificate", certificate)
        .with_file("key", key)
}

#[test]
fn every_mistake_is_told_with_its_place() {
    let environment = surroundings();
    let (mut actual, cases) = (String::new(), include_str!("wrong.txt"));
    for case in cases.split_inclusive("----\n") {
        let (text, _) = case.split_once("=>\n").expect("a case has a =>");
        let said = Settings::parse("doorward.toml", text, &environment)
            .map_or_else(|mistakes| mistakes.to_string(), |_| "nothing".to_owned());
        assert!(!said.contains("canary"), "{said}");
        actual.push_str(&format!("{text}=>\n{said}\n----\n"));
    }
    if actual != cases {
        let path = std::env::temp_dir().join("doorward-config-wrong.txt");
        std::fs::write(&path, &actual).unwrap();
        panic!("what is said has changed; compare wrong.txt with {}", path.display());
    }
}

#[test]
fn what_the_parser_says_never_quotes_the_file() {
    for text in [
        "password = canary",
        "password = \"canary",
        "password = \"canary\\q\"",
        "canary = 1\ncanary = 2",
        "canary",
        "[canary",
        "x = 12canary",
        "x = 2020-99-99canary",
        "x = [canary",
        "x = \"\\ud800canary\"",
        "canary = { canary = 1, canary = 2 }",
        "x = '''canary",
        "x = 1 canary",
        "= canary",
    ] {
        let said = shown(text);
        assert!(said.starts_with("doorward.toml:") && !said.contains("canary"), "{said}");
    }
}
