//! The audit log where one store's content takes another's place: no restore takes lines away.
//!
//! Called by `adopt.rs` (a server is restored) and `../carry.rs` (a folder is). Must never mix two logs: lines are chained, so a
//! store has the one or the other.

use std::sync::Arc;

use sqlx::SqliteConnection;

/// Gives `main` the log of the attached store `schema`, whatever it had.
pub(crate) async fn take_from(connection: &mut SqliteConnection, schema: &str) -> Result<(), sqlx::Error> {
    let statements = [
        "DELETE FROM main.audit".to_owned(),
        "DELETE FROM main.audit_blocks".to_owned(),
        format!("INSERT INTO main.audit SELECT * FROM {schema}.audit"),
        format!("INSERT INTO main.audit_blocks SELECT * FROM {schema}.audit_blocks"),
        format!(
            "UPDATE main.audit_head SET first = theirs.first, before = theirs.before, last = theirs.last, \
             hash = theirs.hash, seal = theirs.seal FROM {schema}.audit_head AS theirs \
             WHERE audit_head.name = theirs.name"
        ),
    ];
    for statement in statements {
        sqlx::query(sqlx::AssertSqlSafe(Arc::<str>::from(statement))).execute(&mut *connection).await?;
    }
    Ok(())
}
