//! Every statement finds its sessions by key: one that looked at all of them would hold a login up for seconds.

use sqlx::{AssertSqlSafe, Row, SqliteConnection};

use crate::engine::{self, Use};
use crate::folder;
use crate::statements::{self, Bulk};

async fn plan(connection: &mut SqliteConnection, statement: &str) -> Vec<String> {
    let explained = sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}")));
    let rows = explained.fetch_all(connection).await.unwrap();
    rows.iter().map(|row| row.get("detail")).collect()
}

fn statements_of(bulk: &Bulk) -> Vec<String> {
    let texts = Bulk::SIZES
        .into_iter()
        .flat_map(|size| bulk.pieces(&[(); Bulk::SIZES[0]][..size]).collect::<Vec<_>>());
    texts.map(|(text, _)| text.to_string()).collect()
}

#[tokio::test]
async fn no_statement_looks_at_all_sessions_or_ends() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("store");
    folder::make_private(&file).unwrap();
    let mut connection = engine::connect(&file, Use::Make).await.unwrap();
    engine::migrate(&mut connection, &file, 0).await.unwrap();
    let mut all = vec![
        statements::FORGET_ENDS.to_owned(),
        statements::LAST_END.to_owned(),
        statements::ENDED_TOKENS.to_owned(),
    ];
    all.extend(statements_of(&statements::DELETE_SESSIONS));
    all.extend(statements_of(&statements::TOUCH_SESSIONS));
    for statement in all {
        let plan = plan(&mut connection, &statement).await;
        let looks_at_all = |step: &String| step.starts_with("SCAN sessions") || step.starts_with("SCAN ends");
        // The least and the greatest key are found from the side, whatever the plan calls it.
        let is_of_side = statement.contains("max(number)");
        assert!(is_of_side || !plan.iter().any(looks_at_all), "{} … {plan:#?}", &statement[..40]);
        assert!(!plan.iter().any(|step| step.contains("FOR ORDER BY")), "{} … {plan:#?}", &statement[..40]);
    }
}

#[tokio::test]
async fn no_statement_but_a_walk_looks_at_all_of_the_audit_log() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("store");
    folder::make_private(&file).unwrap();
    let mut connection = engine::connect(&file, Use::Make).await.unwrap();
    engine::migrate(&mut connection, &file, 0).await.unwrap();
    for statement in [
        statements::AUDIT_FORWARDS,
        statements::AUDIT_BACKWARDS,
        statements::AUDIT_BLOCKS,
        statements::FORGET_AUDIT,
        statements::FORGET_AUDIT_BLOCKS,
        statements::AUDIT_ENDS,
    ] {
        let plan = plan(&mut connection, statement).await;
        let steps = || plan.iter().filter(|step| step.contains("audit"));
        assert!(
            steps().count() > 0 && steps().all(|step| step.starts_with("SEARCH")),
            "{statement} {plan:#?}"
        );
        assert!(!plan.iter().any(|step| step.contains("TEMP B-TREE")), "{statement} {plan:#?}");
    }
}
