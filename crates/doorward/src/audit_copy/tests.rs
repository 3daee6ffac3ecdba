//! Where a copy goes on.

use std::borrow::Cow;

use auth::{AuditEntry, AuditHash};

use super::*;

fn line(sequence: u64) -> AuditRecord {
    let fields = [(Cow::Borrowed("user.name"), Box::from("x".repeat(500)))].into();
    let entry = AuditEntry { at: Moment::from_millis(sequence), event: Cow::Borrowed("login"), fields };
    AuditRecord { sequence, hash: AuditHash::GENESIS.followed_by(sequence, &entry), entry }
}

fn tail(content: &[u8]) -> Result<Tail, String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("audit.jsonl");
    std::fs::write(&file, content).unwrap();
    Tail::read(&file).map_err(|fault| fault.to_string())
}

fn lines(count: u64) -> Vec<u8> {
    (1..=count).flat_map(|number| format!("{}\n", to_json(&line(number))).into_bytes()).collect()
}

#[test]
fn a_copy_goes_on_after_its_last_whole_line() {
    assert_eq!(tail(b""), Ok(Tail { last: None, is_torn: false }));
    let whole = lines(300);
    assert_eq!(tail(&whole), Ok(Tail { last: Some(line(300)), is_torn: false }));
    let before = lines(299).len();
    for end in (before + 1..whole.len()).step_by(97) {
        // A line that misses its end only is whole.
        let last = if end == whole.len() - 1 { 300 } else { 299 };
        assert_eq!(tail(&whole[..end]), Ok(Tail { last: Some(line(last)), is_torn: true }), "{end}");
    }
    assert_eq!(tail(&whole[..whole.len() - 1]), Ok(Tail { last: Some(line(300)), is_torn: true }));
    assert_eq!(
        tail(&whole[..40]),
        Ok(Tail { last: None, is_torn: true }),
        "the first line was never written"
    );
}

#[test]
fn case_27_what_is_behind_the_last_line_does_not_matter_up_to_a_limit() {
    let limit = usize::try_from(MAX_TAIL).unwrap();
    let mut content = lines(3);
    content.extend(std::iter::repeat_n(0, limit / 2));
    assert_eq!(tail(&content), Ok(Tail { last: Some(line(3)), is_torn: true }));
    content.extend(std::iter::repeat_n(0, 2 * limit));
    assert!(tail(&content).unwrap_err().contains("no copy of an audit log"));
}
