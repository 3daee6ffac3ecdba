//! What survives the process: acknowledged logins, acknowledged ends and their reasons, the throttle's counters, copies of
//! the store (issue 2 "It must show"; security.md figures 1, 2, 7, 14, 18).
//!
//! `DURABILITY_ROUNDS=1000 cargo test -p doorward --test e2e durability::` runs a longer form.

mod crowd;
mod disk;
mod restore;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use auth::{
    AuthMethod, Change, DirectoryStore, EndReason, Ended, Moment, Origin, RealmName, Scope, SessionId,
    SessionLimits, SessionRecord, SessionStore, SessionToken, User, UserId, Username,
};
use store_embedded::EmbeddedStore;
use testkit::backend::Recorder;
use testkit::patience::wait_until;
use testkit::process::{self, Doorward, Ended as EndedProcess};
use testkit::raw::{self, Raw};

use super::common::{
    BINARY, PASSWORD, code, create_user, gateway, judged, log_in, login_bytes, with_session,
};
use crowd::Crowd;

/// Rounds of `kill -9` where the environment does not say how many.
const ROUNDS: usize = 100;
/// Sessions in the store of the restart test (figure 7).
const MANY: usize = 100_000;
/// Sessions that are handed to the store at a time when it is filled.
const IN_FLIGHT: usize = 2_000;
/// How long the first good answer may take with [`MANY`] sessions, in a build without optimisation on a busy machine.
const FIRST_ANSWER: Duration = Duration::from_secs(3);

/// Many attempts for everybody: what is tested here is not the throttle.
const GENEROUS: &str = "[login]\nattempts_per_user = 100\nattempts_per_address = 1000000\nhash_parallel = 2";

fn rounds() -> usize {
    std::env::var("DURABILITY_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(ROUNDS)
}

#[test]
fn figures_1_and_2_killed_at_any_moment_no_login_is_lost_and_no_end_undone() {
    let backend = Recorder::start();
    let mut gateway = gateway(&backend, GENEROUS);
    let mut crowd = Crowd::gather(&gateway);
    let mut slowest = Duration::ZERO;
    for round in 0..rounds() {
        crowd.set_to_work(gateway.address());
        crowd.wait_for_logins(1 + crowd::chance(30));
        // In the middle of whatever they are doing.
        std::thread::sleep(Duration::from_micros(crowd::chance(60_000)));
        gateway.kill();
        crowd.come_back();
        let began = Instant::now();
        gateway.restart();
        let mut client = Raw::connect(gateway.address());
        assert_eq!(judged(&mut client, crowd.any_live()).0, 200, "round {round}");
        slowest = slowest.max(began.elapsed());
        crowd.verify(&mut client, round);
    }
    println!("{} rounds; {}; slowest first good answer {slowest:?}", rounds(), crowd.summary());
    assert!(crowd.logins() > rounds() && crowd.ends() > 0);
    crowd.verify_every_session(&mut Raw::connect(gateway.address()));
}

#[test]
fn figure_2_an_end_by_time_keeps_its_reason_over_a_crash() {
    let backend = Recorder::start();
    let mut gateway = gateway(&backend, "idle_timeout = \"1s\"\nmax_lifetime = \"2s\"");
    let token = log_in(gateway.address(), "admin", PASSWORD);
    let idle = || {
        wait_until(|| {
            Some(with_session(gateway.address(), "GET", "/api/x?_noSessionRefresh=true", &token))
                .filter(|a| a.status == 401)
        })
    };
    let answer = idle().expect("an idle session ends");
    assert_eq!(answer.body_text(), "{\"code\":\"session-idle-timeout\"}");
    for _ in 0..2 {
        gateway.kill();
        gateway.restart();
        let answer = with_session(gateway.address(), "GET", "/api/x", &token);
        assert_eq!((answer.status, answer.body_text()), (401, "{\"code\":\"session-idle-timeout\"}"));
    }
}

/// A session of `admin` with this token, as a store keeps it.
fn record(token: &str, created: Moment, last_seen: Moment, ended: Option<Ended>) -> SessionRecord {
    let token = SessionToken::from_text(token).expect("a token").hash();
    let mut id = [0; 16];
    id.copy_from_slice(&token.as_bytes()[..16]);
    let realm = RealmName::native();
    let minutes = |count: u64| Duration::from_secs(count * 60);
    SessionRecord {
        token,
        id: SessionId::from_random(id),
        user: UserId::of(&realm, &Username::presented("admin").expect("a name")),
        realm,
        scope: Scope::new("/api"),
        app: None,
        method: AuthMethod::Password,
        created,
        last_seen,
        limits: SessionLimits { idle_timeout: minutes(30), max_lifetime: minutes(8 * 60) },
        origin: Origin::new([127, 0, 0, 1].into(), Some("durability")),
        is_guarded: false,
        parent: None,
        ended,
    }
}

fn wall() -> Moment {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock after 1970");
    Moment::from_millis(u64::try_from(now.as_millis()).expect("a clock before the year 584 million"))
}

/// Puts sessions into the store of a gateway that does not run.
fn fill(folder: &Path, records: impl IntoIterator<Item = SessionRecord>) {
    with_store(folder, async |store| {
        let mut records = records.into_iter().peekable();
        while records.peek().is_some() {
            let mut writing = tokio::task::JoinSet::new();
            for record in records.by_ref().take(IN_FLIGHT) {
                let store = Arc::clone(store);
                writing.spawn(async move { store.insert(record).await.unwrap() });
            }
            writing.join_all().await;
        }
    });
}

/// Makes the users of a gateway that does not run as old as this.
fn date_users(folder: &Path, created: Moment) {
    with_store(folder, async |store| {
        let image = DirectoryStore::load(&**store).await.unwrap();
        let dated = |user: User| Change::PutUser(Box::new(User { created, updated: created, ..user }));
        store.apply(image.users.into_iter().map(dated).collect()).await.unwrap();
    });
}

fn with_store(folder: &Path, work: impl AsyncFnOnce(&Arc<EmbeddedStore>)) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let store = Arc::new(EmbeddedStore::open(folder).await.unwrap());
        work(&store).await;
        store.close().await;
    });
}

const HOUR: Duration = Duration::from_secs(60 * 60);

#[test]
fn contract_ended_sessions_keep_their_reason_for_a_day_and_over_restarts() {
    let backend = Recorder::start();
    let mut gateway = gateway(&backend, "");
    assert_eq!(gateway.terminate().code, Some(0));
    let ago = |hours: u32| wall().minus(HOUR * hours);
    let ended = |hours, reason| Some(Ended { at: ago(hours), reason });
    let minutes = |count: u64| Duration::from_secs(count * 60);
    let cases = [
        ("live", record("live", ago(7), ago(0).minus(minutes(29)), None), 200, ""),
        ("idle-unwritten", record("idle-unwritten", ago(7), ago(1), None), 401, "session-idle-timeout"),
        (
            "max-unwritten",
            record("max-unwritten", ago(9), ago(1).minus(minutes(10)), None),
            401,
            "session-timeout",
        ),
        (
            "idle-23",
            record("idle-23", ago(26), ago(24), ended(23, EndReason::Idle)),
            401,
            "session-idle-timeout",
        ),
        ("max-23", record("max-23", ago(31), ago(24), ended(23, EndReason::Maximum)), 401, "session-timeout"),
        ("idle-25", record("idle-25", ago(30), ago(29), ended(25, EndReason::Idle)), 401, "session-unknown"),
        (
            "logout",
            record("logout", ago(1), ago(0).minus(minutes(5)), ended(0, EndReason::Logout)),
            401,
            "session-unknown",
        ),
        (
            "revoked",
            record("revoked", ago(1), ago(0).minus(minutes(5)), ended(0, EndReason::Revoked)),
            401,
            "session-unknown",
        ),
        (
            "changed",
            record("changed", ago(1), ago(0).minus(minutes(5)), ended(0, EndReason::UserChanged)),
            401,
            "session-unknown",
        ),
    ];
    date_users(&gateway.data(), ago(48));
    fill(&gateway.data(), cases.iter().map(|(_, record, ..)| record.clone()));
    for _ in 0..3 {
        gateway.restart();
        let mut client = Raw::connect(gateway.address());
        for (token, _, status, code) in &cases {
            assert_eq!(judged(&mut client, token), (*status, (*code).to_owned()), "{token}");
        }
    }
}

#[test]
fn figure_18_a_wall_clock_that_was_set_back_revives_nothing() {
    let backend = Recorder::start();
    let mut gateway = gateway(&backend, "");
    assert_eq!(gateway.terminate().code, Some(0));
    // The store knows of activity a year ahead of this machine's wall clock.
    let ahead = wall().plus(HOUR * 24 * 365);
    fill(
        &gateway.data(),
        [record("now", wall(), wall(), None), record("ahead", ahead.minus(HOUR), ahead, None)],
    );
    gateway.restart();
    let mut client = Raw::connect(gateway.address());
    assert_eq!(judged(&mut client, "ahead").0, 200);
    let (status, code) = judged(&mut client, "now");
    assert_eq!(status, 401);
    assert_ne!(code, "", "a session from a year before is over");
    let new = log_in(gateway.address(), "admin", PASSWORD);
    gateway.kill();
    gateway.restart();
    assert_eq!(judged(&mut Raw::connect(gateway.address()), &new).0, 200);
}

#[test]
fn figure_18_a_user_from_ahead_of_the_wall_clock_can_log_in() {
    let backend = Recorder::start();
    let mut gateway = gateway(&backend, "");
    assert_eq!(gateway.terminate().code, Some(0));
    // A session that is older than its user counts for nothing, and this one would be.
    date_users(&gateway.data(), wall().plus(HOUR * 24 * 365));
    gateway.restart();
    let token = log_in(gateway.address(), "admin", PASSWORD);
    assert_eq!(judged(&mut Raw::connect(gateway.address()), &token).0, 200);
}

#[test]
fn figure_18_a_pause_from_ahead_of_the_wall_clock_is_no_longer_than_it_was() {
    let backend = Recorder::start();
    let mut gateway = gateway(&backend, "[login]\nattempts_per_user = 1\nwindow = \"1s\"");
    create_user(&gateway, "alice", PASSWORD, "search");
    assert_eq!(attempt(gateway.address(), "alice", "not it at all").0, 401);
    assert_eq!(gateway.terminate().code, Some(0));
    let later = |moment: Moment| moment.plus(HOUR * 24 * 365);
    with_store(&gateway.data(), async |store| {
        let mut attempts = store.load_attempts().await.unwrap();
        for attempt in &mut attempts {
            (attempt.since, attempt.paused_until) = (later(attempt.since), later(attempt.paused_until));
        }
        assert!(!attempts.is_empty());
        store.put_attempts(attempts).await.unwrap();
    });
    gateway.restart();
    let admitted = || (attempt(gateway.address(), "alice", PASSWORD).0 == 201).then_some(());
    wait_until(admitted).expect("the pause of a second ends");
}

#[test]
fn figure_7_the_first_good_answer_comes_soon_with_100_000_sessions_in_the_store() {
    let backend = Recorder::start();
    let mut gateway = gateway(&backend, "");
    assert_eq!(gateway.terminate().code, Some(0));
    let token = |number: usize| format!("00000000-0000-4000-8000-{number:012}");
    fill(&gateway.data(), (0..MANY).map(|number| record(&token(number), wall(), wall(), None)));
    let mut took = Vec::new();
    for number in [0, MANY / 2, MANY - 1] {
        let began = Instant::now();
        gateway.restart();
        assert_eq!(with_session(gateway.address(), "GET", "/api/collections", &token(number)).status, 200);
        took.push(began.elapsed());
    }
    println!("first good answers with {MANY} sessions: {took:?}; {} KiB resident", gateway.rss_kib());
    assert!(gateway.wait_for_log("\"started\"").contains("\"sessions\":100000"));
    let best = took.iter().min().expect("three");
    assert!(*best < FIRST_ANSWER, "{took:?}");
}

fn attempt(address: SocketAddr, user: &str, password: &str) -> (u16, String) {
    let answer = raw::once(address, login_bytes(user, password));
    (answer.status, code(&answer))
}

#[test]
fn figure_14_the_throttle_counts_on_over_a_crash() {
    let backend = Recorder::start();
    let mut gateway = gateway(&backend, "[login]\nattempts_per_user = 3\nattempts_per_address = 8");
    create_user(&gateway, "alice", "alice's own password", "search");
    let wrong = (401, "invalid-credentials".to_owned());
    let throttled = (429, "too-many-attempts".to_owned());
    for failures in 1..=3 {
        assert_eq!(attempt(gateway.address(), "alice", "not it at all"), wrong, "failure {failures}");
        gateway.kill();
        gateway.restart();
    }
    for _ in 0..2 {
        assert_eq!(attempt(gateway.address(), "alice", "alice's own password"), throttled);
        gateway.kill();
        gateway.restart();
    }
    // The address has made three failures; five more are looked at, then nobody's.
    for number in 4..=8 {
        assert_eq!(attempt(gateway.address(), &format!("nobody-{number}"), "not it at all"), wrong);
    }
    gateway.kill();
    gateway.restart();
    assert_eq!(attempt(gateway.address(), "nobody-9", "not it at all"), throttled);
}

fn copy(arguments: &[&str]) -> EndedProcess {
    process::run(BINARY, arguments, &[], "")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

#[test]
fn contract_a_backup_is_made_while_logins_come_in_and_serves_elsewhere() {
    let backend = Recorder::start();
    let mut first = gateway(&backend, GENEROUS);
    let mut crowd = Crowd::gather(&first);
    crowd.set_to_work(first.address());
    crowd.wait_for_logins(5);
    let before = log_in(first.address(), "admin", PASSWORD);
    let ended = log_in(first.address(), "admin", PASSWORD);
    assert_eq!(with_session(first.address(), "DELETE", "/api/session", &ended).status, 204);
    let (data, file) = (first.data(), first.folder().join("copy"));
    let made = copy(&["backup", text(&file), "--data", text(&data)]);
    assert_eq!(made.code, Some(0), "{made:#?}");
    let again = copy(&["backup", text(&file), "--data", text(&data)]);
    assert_eq!(again.code, Some(1), "{again:#?}");
    assert!(again.stderr.contains("exists"), "{again:#?}");
    let forced = copy(&["backup", text(&file), "--overwrite", "-c", text(&first.settings_file())]);
    assert_eq!(forced.code, Some(0), "{forced:#?}");
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    first.kill();
    crowd.come_back();

    let elsewhere = first.folder().join("elsewhere");
    let restored = copy(&["restore", text(&file), "--data", text(&elsewhere)]);
    assert_eq!(restored.code, Some(0), "{restored:#?}");
    let second =
        Doorward::new(BINARY).data(&elsewhere).argument("--upstream").argument(backend.url()).start();
    let mut client = Raw::connect(second.address());
    assert_eq!(judged(&mut client, &before).0, 200);
    assert_eq!(judged(&mut client, &ended), (401, "session-unknown".to_owned()));
    drop((client, second));

    // Over a store that is there, what was there is kept.
    let over = copy(&["restore", text(&file), "--data", text(&data)]);
    assert_eq!(over.code, Some(0), "{over:#?}");
    assert!(over.stdout.contains("before-restore-"), "{over:#?}");
    first.restart();
    assert_eq!(judged(&mut Raw::connect(first.address()), &before).0, 200);
}

#[test]
fn figure_3_a_damaged_backup_is_refused_and_changes_nothing() {
    let backend = Recorder::start();
    let mut gateway = gateway(&backend, "");
    let token = log_in(gateway.address(), "admin", PASSWORD);
    let (data, file, broken) =
        (gateway.data(), gateway.folder().join("copy"), gateway.folder().join("broken"));
    assert_eq!(copy(&["backup", text(&file), "--data", text(&data)]).code, Some(0));
    assert_eq!(gateway.terminate().code, Some(0));
    let whole = std::fs::read(&file).unwrap();
    let mut cases = vec![("nothing", Vec::new()), ("no store", b"<html>404</html>".repeat(1_000))];
    cases.extend([1, 2, 3].map(|part| ("cut", whole[..whole.len() * part / 4].to_vec())));
    // A byte of a record's own text, wherever it lies.
    let mut changed = whole.clone();
    let at = changed.windows(5).position(|five| five == b"admin").expect("the user is in the copy");
    changed[at] = b'b';
    cases.push(("changed", changed));
    for (what, bytes) in cases {
        std::fs::write(&broken, bytes).unwrap();
        let refused = copy(&["restore", text(&broken), "--data", text(&data)]);
        assert_eq!(refused.code, Some(1), "{what}: {refused:#?}");
        assert!(refused.stderr.contains("cannot be restored"), "{what}: {refused:#?}");
    }
    let missing = copy(&["restore", "/nonexistent/copy", "--data", text(&data)]);
    assert_eq!(missing.code, Some(1), "{missing:#?}");
    gateway.restart();
    assert_eq!(judged(&mut Raw::connect(gateway.address()), &token).0, 200);
}

#[test]
fn figure_3_a_damaged_store_does_not_start_and_says_why() {
    let backend = Recorder::start();
    let mut gateway = gateway(&backend, "");
    assert_eq!(gateway.terminate().code, Some(0));
    let file = gateway.data().join("doorward.db");
    let mut bytes = std::fs::read(&file).unwrap();
    let at = bytes.windows(5).position(|five| five == b"admin").expect("the user is in the store");
    bytes[at] = b'b';
    std::fs::write(&file, bytes).unwrap();
    let refused = gateway.try_restart().unwrap_err();
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""), "{refused:#?}");
    assert!(refused.stderr.contains(text(&gateway.data())), "{refused:#?}");
}
