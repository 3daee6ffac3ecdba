//! Versions of the schema, and what is refused.

use auth::{Change, DirectoryStore, EndReason, KeyUse, SessionStore};
use sqlx::Connection;
use testkit::suites::clock::START;
use testkit::suites::samples::{api_key, ended_session, facts_of_key, key_ring, session};

use crate::EmbeddedStore;
use crate::engine::{self, Use};
use crate::folder;
use crate::rows::key::KeyRow;
use crate::statements;

async fn change(file: &std::path::Path, statement: &'static str) {
    let mut connection = engine::connect(file, Use::Make).await.unwrap();
    sqlx::query(statement).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

async fn refusal_after(statement: &'static str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(folder.path()).await.unwrap();
    store.insert(session(1)).await.unwrap();
    store.insert(ended_session(2, START, EndReason::Logout)).await.unwrap();
    store.close().await;
    change(&folder.path().join("doorward.db"), statement).await;
    let store = match EmbeddedStore::open(folder.path()).await {
        Ok(store) => store,
        Err(error) => return error.to_string(),
    };
    let error = SessionStore::load(&store, &mut |_| {}).await.unwrap_err();
    store.close().await;
    error.to_string()
}

#[tokio::test]
async fn other_files_and_versions_are_refused_by_name() {
    for (statement, complaint) in [
        ("PRAGMA user_version = 1", "has other tables than were made"),
        ("PRAGMA user_version = 3", "written by a newer server"),
        ("PRAGMA user_version = 0", "no schema version"),
        ("PRAGMA user_version = -1", "no schema version"),
        ("PRAGMA application_id = 7", "not a store of this server"),
        ("DROP INDEX ends_by_time", "has other tables than were made"),
        ("ALTER TABLE users RENAME updated TO changed", "has other tables than were made"),
    ] {
        let refusal = refusal_after(statement).await;
        assert!(refusal.contains(complaint) && refusal.contains("doorward.db"), "{refusal}");
    }
}

#[tokio::test]
async fn figure_3_records_that_cannot_be_read_are_named_and_not_skipped() {
    for (statement, complaint) in [
        ("UPDATE sessions SET method = 'telepathy'", "checksum"),
        ("UPDATE sessions SET realm = 'other'", "checksum"),
        ("UPDATE sessions SET user_agent = NULL", "checksum"),
        ("UPDATE sessions SET app = 'other'", "checksum"),
        ("UPDATE sessions SET last_seen = last_seen + 1", "checksum"),
        ("UPDATE ends SET at = at + 1", "table ends, record of session 3c6ef372fe94f82a: its checksum"),
        ("UPDATE ends SET reason = 'idle'", "checksum"),
        ("UPDATE ends SET number = number + 1", "checksum"),
        ("UPDATE ends SET token = (SELECT max(token) FROM sessions)", "checksum"),
        ("UPDATE ends SET token = x'00'", "32 bytes"),
        ("DELETE FROM ends", "table ends has 0 records where 1 were written"),
        (
            "INSERT INTO ends (token, at, reason, seal) SELECT token, at, reason, seal FROM ends",
            "its checksum is wrong",
        ),
        ("UPDATE tallies SET count = 2 WHERE name = 'ends'", "has 1 records where 2 were written"),
        // One of the two: the halves of the table are read at once, and either could be the first to tell.
        (
            "UPDATE sessions SET address = 'a,b' WHERE token = (SELECT min(token) FROM sessions)",
            "table sessions, record 3c6ef372fe94f82a",
        ),
        ("DELETE FROM sessions", "has 0 records where 2 were written"),
        (
            "UPDATE sessions SET token = x'00' WHERE token = (SELECT min(token) FROM sessions)",
            "the file was damaged",
        ),
    ] {
        let refusal = refusal_after(statement).await;
        assert!(refusal.contains(complaint), "{statement}: {refusal}");
    }
}

/// A ring that was damaged, or from which a key was taken, must never be taken for whole.
#[tokio::test]
async fn figure_3_signing_keys_that_were_changed_by_hand_are_refused() {
    for (statement, complaint) in [
        (
            "UPDATE key_ring SET keys = replace(keys, '\"next\"', '\"retired\"')",
            "table key_ring, record keys: its checksum",
        ),
        ("DELETE FROM key_ring", "table key_ring has 0 records where 1 were written"),
        (
            "INSERT INTO key_ring SELECT 'more', keys, seal FROM key_ring",
            "table key_ring has 2 records where 1 were",
        ),
        ("UPDATE key_ring SET seal = 1", "checksum"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let store = EmbeddedStore::open(folder.path()).await.unwrap();
        store.apply(vec![Change::PutKeyRing(Box::new(key_ring(1)))]).await.unwrap();
        store.close().await;
        change(&folder.path().join("doorward.db"), statement).await;
        let store = EmbeddedStore::open(folder.path()).await.unwrap();
        let refusal = DirectoryStore::load(&store).await.unwrap_err().to_string();
        assert!(refusal.contains(complaint), "{statement}: {refusal}");
        assert!(!refusal.contains("private"), "{refusal}");
        store.close().await;
    }
}

/// The migrations never change, not even a comment in them: stores out there have the schemas that they made.
#[tokio::test]
async fn every_version_has_the_schema_that_it_is_sealed_with() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("store");
    folder::make_private(&file).unwrap();
    let mut connection = engine::connect(&file, Use::Make).await.unwrap();
    for version in 1..=engine::NEWEST {
        engine::migrate_with(&mut connection, &file, version - 1, &engine::MIGRATIONS[..version])
            .await
            .unwrap();
        let seal = engine::schema_seal(&mut connection, &file).await.unwrap();
        assert_eq!(engine::SCHEMAS[version - 1], seal, "schema {version}");
    }
}

/// A store of the first version: its keys are as they were, and have not been used.
#[tokio::test]
async fn keys_of_a_store_without_uses_have_none() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("doorward.db");
    folder::make_private(&file).unwrap();
    let mut connection = engine::connect(&file, Use::Make).await.unwrap();
    engine::migrate_with(&mut connection, &file, 0, &engine::MIGRATIONS[..1]).await.unwrap();
    let row = KeyRow::new(Box::new(api_key(1))).unwrap();
    row.bind(sqlx::query(statements::PUT_KEY)).execute(&mut connection).await.unwrap();
    sqlx::query(statements::PUT_TALLY)
        .bind("api_keys")
        .bind(1)
        .bind(row.seal)
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    let store = EmbeddedStore::open(folder.path()).await.unwrap();
    let used = KeyUse { at: START, address: [192, 0, 2, 1].into() };
    for expected in [Vec::new(), vec![(api_key(1).id, used)]] {
        let image = DirectoryStore::load(&store).await.unwrap();
        assert_eq!(image.keys.iter().map(facts_of_key).collect::<Vec<_>>(), [facts_of_key(&api_key(1))]);
        assert_eq!(image.key_uses, expected);
        store.note_key_uses(vec![(api_key(1).id, used)]).await.unwrap();
    }
}

#[tokio::test]
async fn a_last_use_that_was_changed_by_hand_is_refused() {
    for statement in [
        "UPDATE api_keys SET used_at = used_at + 1",
        "UPDATE api_keys SET used_at = NULL",
        "UPDATE api_keys SET used_from = '192.0.2.2'",
        "UPDATE api_keys SET used_seal = NULL",
        "UPDATE api_keys SET used_at = NULL, used_from = NULL",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let store = EmbeddedStore::open(folder.path()).await.unwrap();
        store.apply(vec![Change::PutKey(Box::new(api_key(1)))]).await.unwrap();
        let used = KeyUse { at: START, address: [192, 0, 2, 1].into() };
        store.note_key_uses(vec![(api_key(1).id, used)]).await.unwrap();
        store.close().await;
        change(&folder.path().join("doorward.db"), statement).await;
        let store = EmbeddedStore::open(folder.path()).await.unwrap();
        let refusal = DirectoryStore::load(&store).await.unwrap_err().to_string();
        assert!(
            refusal.contains("api_keys") && refusal.contains("last use is wrong"),
            "{statement}: {refusal}"
        );
        store.close().await;
    }
}

/// A schema that grows: every step in one transaction, none twice, all or none.
#[tokio::test]
async fn a_store_is_brought_up_step_by_step() {
    const STEPS: [&str; 3] = [
        "CREATE TABLE one (a BIGINT); INSERT INTO one VALUES (1)",
        "CREATE TABLE two (b BIGINT)",
        "INSERT INTO two SELECT a FROM one",
    ];
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("store");
    folder::make_private(&file).unwrap();
    let mut connection = engine::connect(&file, Use::Make).await.unwrap();
    let version = async |connection: &mut sqlx::SqliteConnection| -> i64 {
        sqlx::query_scalar("PRAGMA user_version").fetch_one(connection).await.unwrap()
    };
    engine::migrate_with(&mut connection, &file, 0, &STEPS[..1]).await.unwrap();
    assert_eq!(version(&mut connection).await, 1);
    let broken = [STEPS[0], STEPS[1], "INSERT INTO nowhere VALUES (1)"];
    assert!(engine::migrate_with(&mut connection, &file, 1, &broken).await.is_err());
    assert_eq!(version(&mut connection).await, 1, "all or none");
    engine::migrate_with(&mut connection, &file, 1, &STEPS).await.unwrap();
    engine::migrate_with(&mut connection, &file, 3, &STEPS).await.unwrap();
    assert_eq!(version(&mut connection).await, 3);
    let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM two").fetch_one(&mut connection).await.unwrap();
    assert_eq!(kept, 1, "none twice");
}
