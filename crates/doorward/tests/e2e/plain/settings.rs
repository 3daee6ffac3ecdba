//! What the settings of plain mounts may not say, and what is said then.

use testkit::process;

use crate::common::BINARY;

const PLAIN: &str = "[[mount]]\ndialect = \"plain\"\nupstream = \"http://127.0.0.1:1\"\n";
const SECOND: &str = "[[mount]]\ndialect = \"plain\"\npath = \"/b\"\nupstream = \"http://127.0.0.1:1\"\n";
const FUSION: &str = "[[mount]]\npath = \"/api\"\nupstream = \"http://127.0.0.1:1\"\n";

#[test]
fn contract_what_cannot_be_kept_is_refused_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("doorward.toml");
    let check = |text: &str| {
        std::fs::write(&file, text).unwrap();
        process::run(BINARY, &["check", "-c", file.to_str().unwrap()], &[], "")
    };
    for good in [
        PLAIN.to_owned(),
        format!("{PLAIN}{SECOND}"),
        format!("{PLAIN}{FUSION}"),
        format!("{PLAIN}session_scope = \"lab\"\n"),
    ] {
        let ended = check(&good);
        assert_eq!(ended.code, Some(0), "{good}\n{ended:#?}");
    }
    for (text, said) in [
        (
            format!("{PLAIN}{SECOND}idle_timeout = \"5m\"\n"),
            "mount[1].idle_timeout: is not what mount[0] says",
        ),
        (format!("{PLAIN}generation = \"5\"\n"), "mount[0].generation: "),
    ] {
        let ended = check(&text);
        assert_eq!(ended.code, Some(1), "{text}");
        assert!(ended.stderr.contains(said), "{text}\n{}", ended.stderr);
    }
}
