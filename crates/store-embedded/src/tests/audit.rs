//! Damage to the audit log: whatever is altered, missing, put in or moved is found.

use std::path::Path;

use auth::{AuditStore, DirectoryStore};
use proptest::test_runner::{Config, TestRunner};
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};
use tempfile::TempDir;
use testkit::suites::audit::all_lines;
use testkit::suites::clock::START;
use testkit::suites::samples::audit_entry;

use crate::EmbeddedStore;
use crate::audit::block;
use crate::audit::verify::walk;
use crate::engine::{self, Use};

/// A closed store with so many lines, the oldest of which were forgotten.
async fn store_with(lines: u64, forgotten: u64) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(folder.path()).await.unwrap();
    (0..lines).for_each(|number| store.append(audit_entry(number)));
    assert_eq!(store.forget_audit(audit_entry(forgotten).at).await.unwrap(), forgotten);
    store.close().await;
    folder
}

async fn connect(folder: &Path) -> SqliteConnection {
    engine::connect(&folder.join("doorward.db"), Use::Make).await.unwrap()
}

async fn run(connection: &mut SqliteConnection, statements: &str) {
    sqlx::raw_sql(AssertSqlSafe(statements.to_owned())).execute(connection).await.unwrap();
}

/// Where the damage shows first. Afterwards the log is as it was.
async fn fault_after(connection: &mut SqliteConnection, damage: &str) -> Option<u64> {
    let mut whole = connection.begin().await.unwrap();
    run(&mut whole, damage).await;
    let report = walk(&mut whole).await;
    whole.rollback().await.unwrap();
    report.fault.map(|fault| fault.sequence)
}

/// What may happen to the line `number`, and where it shows, in a log that ends with `last`.
fn damages(number: u64, last: u64) -> Vec<(String, u64)> {
    let line = |change: &str| format!("UPDATE audit SET {change} WHERE sequence = {number}");
    let mut damages: Vec<(String, u64)> = [
        "at = at + 1",
        "event = 'login '",
        "event = x'00'",
        "fields = '{}'",
        "fields = replace(fields, 'user', 'loser')",
        "fields = fields || ' '",
        "fields = 'nothing'",
        "fields = replace(fields, '{', '{\"user.id\":\"x\",')",
        "hash = zeroblob(32)",
        "hash = x'00'",
    ]
    .map(|change| (line(change), number))
    .into();
    damages.push((format!("DELETE FROM audit WHERE sequence = {number}"), number));
    damages.push((format!("DELETE FROM audit WHERE sequence >= {number}"), number));
    damages.push((line(&format!("sequence = {}", last + 1)), last + 1));
    if number < last {
        let next = number + 1;
        damages.push((
            format!(
                "UPDATE audit SET sequence = -1 WHERE sequence = {number}; \
                 UPDATE audit SET sequence = {number} WHERE sequence = {next}; \
                 UPDATE audit SET sequence = {next} WHERE sequence = -1"
            ),
            number,
        ));
        // All after it moved up, so that none is missing in between.
        damages.push((
            format!(
                "DELETE FROM audit WHERE sequence = {number}; \
                 UPDATE audit SET sequence = -sequence WHERE sequence > {number}; \
                 UPDATE audit SET sequence = -sequence - 1 WHERE sequence < 0"
            ),
            number,
        ));
    }
    damages
}

#[tokio::test]
async fn figure_3_every_line_that_is_altered_missing_or_moved_is_found() {
    let (first, last) = (4, 12);
    let folder = store_with(last, first - 1).await;
    let mut connection = connect(folder.path()).await;
    assert_eq!(fault_after(&mut connection, "SELECT 1").await, None);
    for number in first..=last {
        for (damage, shows) in damages(number, last) {
            assert_eq!(fault_after(&mut connection, &damage).await, Some(shows), "{damage}");
        }
        let cut = format!("DELETE FROM audit WHERE sequence <= {number}");
        assert_eq!(fault_after(&mut connection, &cut).await, Some(first), "{cut}");
    }
    for (damage, shows) in [
        ("INSERT INTO audit SELECT sequence - 1, at, event, fields, hash FROM audit WHERE sequence = 4", 3),
        ("INSERT INTO audit SELECT sequence + 1, at, event, fields, hash FROM audit WHERE sequence = 12", 13),
        ("INSERT INTO audit SELECT -5, at, event, fields, hash FROM audit WHERE sequence = 12", 0),
        ("UPDATE audit_head SET first = first + 1", 0),
        ("UPDATE audit_head SET last = last - 1", 0),
        ("UPDATE audit_head SET before = hash", 0),
        ("UPDATE audit_head SET hash = before", 0),
        ("DELETE FROM audit_head", 0),
        ("DELETE FROM audit_blocks", first),
        ("UPDATE audit_blocks SET latest = earliest", first),
        ("UPDATE audit_blocks SET marks = zeroblob(3840)", first),
        ("UPDATE audit_blocks SET marks = x'00'", first),
    ] {
        assert_eq!(fault_after(&mut connection, damage).await, Some(shows), "{damage}");
    }
}

/// The same anywhere in a log of several blocks.
#[test]
fn figure_3_damage_is_found_in_a_long_log_too() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (first, last) = (1_000, 2 * block::LINES + 100);
    let folder = runtime.block_on(store_with(last, first - 1));
    let connection = tokio::sync::Mutex::new(runtime.block_on(connect(folder.path())));
    let config = Config { cases: 60, failure_persistence: None, ..Config::default() };
    let edges = [first, block::LINES - 1, block::LINES, 2 * block::LINES - 1, 2 * block::LINES, last];
    let line = proptest::prop_oneof![proptest::sample::select(edges.to_vec()), first..=last];
    let cases = (line, proptest::prelude::any::<proptest::sample::Index>());
    let ran = TestRunner::new(config).run(&cases, |(number, which)| {
        let mut damages = damages(number, last);
        let (damage, shows) = damages.swap_remove(which.index(damages.len()));
        let found = runtime.block_on(async { fault_after(&mut *connection.lock().await, &damage).await });
        proptest::prop_assert_eq!(found, Some(shows), "{}", damage);
        Ok(())
    });
    ran.unwrap();
}

/// Who changes a line and computes its hash anew is found at the next line; at the last one, by the note of the log's end.
#[tokio::test]
async fn figure_3_a_line_with_a_hash_computed_anew_is_found() {
    let folder = store_with(6, 0).await;
    let mut connection = connect(folder.path()).await;
    let store = EmbeddedStore::peek(folder.path()).await.unwrap();
    let lines = all_lines(&store).await;
    store.close().await;
    for (place, line) in lines.iter().enumerate() {
        let mut forged = line.entry.clone();
        forged.fields.insert("user.id".into(), "somebody else".into());
        let before = if place == 0 { auth::AuditHash::GENESIS } else { lines[place - 1].hash };
        let hash = before.followed_by(line.sequence, &forged);
        let fields = serde_json::to_string(&forged.fields).unwrap();
        let damage = format!(
            "UPDATE audit SET fields = '{fields}', hash = x'{hash}' WHERE sequence = {}",
            line.sequence
        );
        let shows = (line.sequence + 1).min(6);
        assert_eq!(fault_after(&mut connection, &damage).await, Some(shows), "{damage}");
    }
}

/// A log without its ends is not added to: a store that did would bury what was done to it.
#[tokio::test]
async fn figure_3_a_log_whose_ends_are_missing_is_not_opened() {
    for damage in [
        "DELETE FROM audit WHERE sequence = 1",
        "DELETE FROM audit WHERE sequence = 20",
        "DELETE FROM audit",
        "UPDATE audit_head SET last = 19",
        "DELETE FROM audit_head",
        "DELETE FROM audit_blocks",
        "INSERT INTO audit SELECT 21, at, event, fields, hash FROM audit WHERE sequence = 20",
    ] {
        let folder = store_with(20, 0).await;
        let mut connection = connect(folder.path()).await;
        run(&mut connection, damage).await;
        connection.close().await.unwrap();
        let refusal = EmbeddedStore::open(folder.path()).await.unwrap_err().to_string();
        assert!(refusal.contains("audit log is damaged"), "{damage}: {refusal}");
        assert!(crate::check(folder.path()).await.is_err(), "{damage}");
    }
    // In the middle it is: the server serves, and the walk says what is wrong. A backup can be made of it.
    let folder = store_with(20, 0).await;
    let mut connection = connect(folder.path()).await;
    run(&mut connection, "DELETE FROM audit WHERE sequence = 7").await;
    connection.close().await.unwrap();
    let store = EmbeddedStore::open(folder.path()).await.unwrap();
    store.append(audit_entry(20));
    let done = auth::Initialised { version: "1".to_owned(), at: START };
    store.apply(vec![auth::Change::Initialise(done)]).await.unwrap();
    let report = EmbeddedStore::verify_audit(folder.path()).await.unwrap();
    assert_eq!(report.fault.unwrap().sequence, 7);
    let refusal = crate::check(folder.path()).await.unwrap_err().to_string();
    assert!(refusal.contains("line 7: it is missing"), "{refusal}");
    let copy = folder.path().join("copy");
    crate::backup(folder.path(), &copy, false).await.unwrap();
    store.close().await;
    // Nor does a restore make the fault go away.
    crate::restore(&copy, folder.path(), START).await.unwrap();
    let report = EmbeddedStore::verify_audit(folder.path()).await.unwrap();
    assert_eq!((report.fault.unwrap().sequence, report.last), (7, 21));
}

/// A restore is the way out where a store cannot be opened any more; the replaced one is kept beside it.
#[tokio::test]
async fn figure_3_a_store_with_a_broken_log_can_be_restored() {
    let folder = store_with(20, 0).await;
    let copy = folder.path().join("copy");
    crate::backup(folder.path(), &copy, false).await.unwrap();
    let mut connection = connect(folder.path()).await;
    run(&mut connection, "DELETE FROM audit WHERE sequence = 20").await;
    connection.close().await.unwrap();
    assert!(crate::restore(&copy, folder.path(), START).await.unwrap().is_some());
    let store = EmbeddedStore::open(folder.path()).await.unwrap();
    assert_eq!(all_lines(&store).await.len(), 20);
}
