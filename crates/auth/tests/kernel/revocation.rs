//! The revocation checker over the kernel in this process: many clients, a million mixed operations, a process that dies in
//! the middle of them, and not one request that begins after the answer to a revocation and passes (issue 3, "It must show";
//! security.md figures 2 and 4). And the mistakes that it must find.
//!
//! `REVOCATION_OPERATIONS=100000000 cargo test -p auth --test kernel revocation` runs a longer form, in rounds of a million;
//! `REVOCATION_SEED` begins at a seed that was printed.

mod ends;
mod running;

use std::sync::Arc;
use std::time::Duration;

use testkit::checker::{
    Chance, Fault, KeyOutlives, Kind, Mix, OneMoreRequest, Plan, RevivedAfterRestart, Shape, StaleCache,
    SurvivingEvidence, System, Tally, Violation, drive,
};

use running::Running;

/// Operations where the environment does not say how many.
const OPERATIONS: u64 = 1_000_000;
/// Operations of one round: a history fits in memory, and a round begins with a directory of its own.
const ROUND: u64 = 1_000_000;
/// Restarts of one round.
const RESTARTS: u64 = 500;
/// Operations in which a planted mistake must be found.
const FEW: u64 = 20_000;

const SHAPE: Shape = Shape { users: 24, realms: 3, roles: 3, apps: 2 };

fn plan(operations: u64, restarts: u64, seed: u64) -> Plan {
    Plan { shape: SHAPE, clients: 12, operations, restarts, mix: Mix::QUICK, seed, sessions: 128 }
}

fn on_threads<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    runtime.block_on(work)
}

#[test]
fn figure_4_no_request_that_begins_after_the_answer_to_a_revocation_passes() {
    let asked = std::env::var("REVOCATION_OPERATIONS").ok();
    let operations =
        asked.map_or(OPERATIONS, |text| text.parse().expect("REVOCATION_OPERATIONS is a number"));
    let mut seeds = Chance::of(Chance::seed("REVOCATION_SEED"));
    let (mut done, mut tally) = (0, Tally::default());
    while done < operations {
        let seed = if done == 0 { Chance::seed("REVOCATION_SEED") } else { seeds.draw() };
        let round = plan(ROUND.min(operations - done), RESTARTS, seed);
        println!("REVOCATION_SEED={seed}");
        let history = on_threads(async { drive(Running::start(SHAPE).await, &round).await });
        let judged = history.check();
        let judged = judged.unwrap_or_else(|violations| panic!("seed {seed}:\n{}", shown(&violations)));
        tally = tally.plus(judged);
        done += history.operations;
    }
    println!("{done} operations: {tally:?}");
    // A run in which next to nothing had to fail, or to pass, would prove next to nothing.
    assert!(tally.had_to_fail > done / 10 && tally.had_to_pass > done / 10, "{tally:?}");
    assert!(tally.unheard < done / 20, "{tally:?}");
}

fn shown(violations: &[Violation]) -> String {
    violations.iter().take(5).map(ToString::to_string).collect()
}

/// What the checker finds in a system that is broken like this.
#[allow(clippy::print_stdout, reason = "a seed that nobody sees cannot be begun at again")]
fn found(restarts: u64, plant: impl FnOnce(Arc<dyn System>) -> Arc<dyn System>) -> Vec<Violation> {
    let seed = Chance::seed("REVOCATION_SEED");
    println!("REVOCATION_SEED={seed}");
    let history = on_threads(async {
        let whole = Running::start(SHAPE).await;
        drive(plant(whole), &plan(FEW, restarts, seed)).await
    });
    let found = history.check().expect_err("the mistake is found");
    println!("{} found; the first:\n{}", found.len(), found[0]);
    found
}

fn assert_all(found: &[Violation], expected: impl Fn(&Violation) -> bool) {
    assert!(found.iter().all(expected), "something else than what was planted:\n{}", shown(found));
}

fn is_let_in(violation: &Violation) -> bool {
    matches!(violation.fault, Fault::PassedAfterItsEnd | Fault::PassedWithoutPermission | Fault::Revived)
}

#[test]
fn figure_4_a_verdict_that_is_remembered_is_found() {
    let found = found(0, |whole| Arc::new(StaleCache::over(whole, Duration::from_millis(50))));
    assert_all(&found, is_let_in);
}

#[test]
fn figure_4_one_more_request_is_found() {
    let found = found(0, |whole| Arc::new(OneMoreRequest::over(whole)));
    assert_all(&found, |violation| {
        is_let_in(violation) && matches!(violation.issued.kind, Kind::Session { .. })
    });
}

#[test]
fn figure_2_an_end_that_a_restart_forgets_is_found() {
    let found = found(10, |whole| Arc::new(RevivedAfterRestart::over(whole)));
    assert_all(&found, |violation| {
        is_let_in(violation) && matches!(violation.issued.kind, Kind::Session { .. })
    });
}

#[test]
fn figure_4_a_password_that_counts_after_it_was_changed_is_found() {
    let found = found(0, |whole| Arc::new(SurvivingEvidence::over(whole)));
    assert_all(&found, |violation| {
        is_let_in(violation) && matches!(violation.issued.kind, Kind::Basic { .. })
    });
}

#[test]
fn figure_4_a_key_of_a_user_who_is_shut_out_is_found() {
    let found = found(0, |whole| Arc::new(KeyOutlives::over(whole)));
    assert_all(&found, |violation| is_let_in(violation) && matches!(violation.issued.kind, Kind::Key { .. }));
}
