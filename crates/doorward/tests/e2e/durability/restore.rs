//! A backup put in place while the gateway serves: no request fails of it, no revocation is undone by it, and a backup that
//! is not whole changes nothing.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

use store_embedded::EmbeddedStore;
use testkit::backend::Recorder;
use testkit::patience::wait_until;
use testkit::process::Doorward;
use testkit::raw::Raw;

use super::crowd::chance;
use super::{GENEROUS, copy, text};
use crate::common::{
    PASSWORD, as_admin, ask, assert_refused, basic, gateway, log_in, login_bytes, new_user, session_bytes,
    with_session,
};

const LONG: &str = "a password that is long";

/// Clients who ask without a pause; what they were answered.
struct Bystanders {
    stop: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
    clients: Vec<JoinHandle<Vec<u16>>>,
}

impl Bystanders {
    /// One who has a session, one who shows his password each time, one who logs in again and again, one who looks at the
    /// list of sessions.
    fn gather(address: SocketAddr, token: &str) -> Self {
        let (stop, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let shown = basic("admin", PASSWORD);
        let by_password = |target| testkit::raw::request("GET", target, &[("Authorization", &shown)], "");
        let requests = [
            session_bytes("GET", "/api/x", token),
            by_password("/api/x"),
            login_bytes("admin", PASSWORD),
            by_password("/api/sessions"),
        ];
        let clients = requests
            .into_iter()
            .map(|request| {
                let (stop, asked) = (Arc::clone(&stop), Arc::clone(&asked));
                std::thread::spawn(move || {
                    let mut client = Raw::connect(address);
                    let mut answers = Vec::new();
                    while !stop.load(Ordering::Relaxed) {
                        client.send(&request);
                        answers.push(client.read_answer().status);
                        asked.fetch_add(1, Ordering::Relaxed);
                    }
                    answers
                })
            })
            .collect();
        Self { stop, asked, clients }
    }

    /// Waits until they have asked so many more.
    fn wait_for(&self, more: usize) {
        let goal = self.asked.load(Ordering::Relaxed) + more;
        wait_until(|| (self.asked.load(Ordering::Relaxed) >= goal).then_some(())).expect("they go on asking");
    }

    /// What each of them was answered.
    fn come_back(self) -> Vec<Vec<u16>> {
        self.stop.store(true, Ordering::Relaxed);
        self.clients.into_iter().map(|client| client.join().expect("each request has an answer")).collect()
    }
}

fn names_of_users(address: SocketAddr) -> Vec<String> {
    let (status, told) = as_admin(address, "GET", "/users", "");
    assert_eq!(status, 200, "{told}");
    let name = |user: &serde_json::Value| user["username"].as_str().unwrap().to_owned();
    let mut names: Vec<_> = told.as_array().unwrap().iter().map(name).collect();
    names.sort();
    names
}

fn backup_of(gateway: &Doorward) -> std::path::PathBuf {
    let file = gateway.folder().join("copy");
    let made = copy(&["backup", text(&file), "--data", text(&gateway.data())]);
    assert_eq!(made.code, Some(0), "{made:#?}");
    file
}

fn left_of_requests(data: &Path) -> Vec<String> {
    let names =
        std::fs::read_dir(data).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with("doorward.db.restore-")).collect()
}

#[test]
fn contract_a_backup_is_put_in_place_while_requests_come_in_and_undoes_no_logout() {
    let backend = Recorder::start();
    let mut gateway = gateway(&backend, GENEROUS);
    let address = gateway.address();
    let early = new_user(address, "early", LONG, &[]);
    let (kept, ended) = (log_in(address, "admin", PASSWORD), log_in(address, "admin", PASSWORD));
    let of_early = log_in(address, "early", LONG);
    let file = backup_of(&gateway);
    // All that happens after the backup.
    assert_eq!(with_session(address, "DELETE", "/api/session", &ended).status, 204);
    assert_eq!(as_admin(address, "DELETE", &format!("/users/{early}"), "").0, 204);
    new_user(address, "late", LONG, &["admin"]);
    let late = log_in(address, "late", LONG);
    let late_shown = basic("late", LONG);
    let late_asks = || ask(address, "GET", "/api/x", &[("Authorization", &late_shown)], "");
    assert_eq!(late_asks().status, 200, "and is remembered");
    assert_eq!(names_of_users(address), ["admin", "late"]);

    let bystanders = Bystanders::gather(address, &kept);
    bystanders.wait_for(40);
    let restored = copy(&["restore", text(&file), "--data", text(&gateway.data())]);
    assert_eq!(restored.code, Some(0), "{restored:#?}");
    assert!(restored.stdout.contains("before-restore-"), "{restored:#?}");
    let holds = |address| {
        let seen = |token: &str| with_session(address, "GET", "/api/session", token);
        assert_eq!(seen(&kept).status, 200);
        assert_refused(&seen(&ended), 401, "session-unknown", "a logout is never undone");
        assert_refused(&seen(&of_early), 401, "session-unknown", "neither is the end with the user's");
        assert_refused(&seen(&late), 401, "session-unknown", "made after the backup");
        let late = ask(address, "GET", "/api/x", &[("Authorization", &late_shown)], "");
        assert_refused(&late, 401, "invalid-credentials", "a user made after the backup");
        assert_eq!(names_of_users(address), ["admin", "early"]);
    };
    holds(address);
    bystanders.wait_for(40);
    let answers = bystanders.come_back();
    for (answers, good) in answers.iter().zip([200, 200, 201, 200]) {
        assert!(answers.iter().all(|status| *status == good), "{answers:?}");
    }
    assert!(gateway.log_lines().iter().any(|line| line.contains("restored")));
    // What is made now is made in the new state; and it is what a crash leaves.
    let fresh = log_in(address, "early", LONG);
    new_user(address, "newest", LONG, &[]);
    assert_eq!(as_admin(address, "DELETE", "/users/none", "").0, 404);
    gateway.kill();
    gateway.restart();
    let address = gateway.address();
    assert_eq!(with_session(address, "GET", "/api/session", &fresh).status, 200);
    assert_eq!(names_of_users(address), ["admin", "early", "newest"]);
    assert_eq!(with_session(address, "GET", "/api/session", &kept).status, 200);
    assert_refused(
        &with_session(address, "GET", "/api/session", &ended),
        401,
        "session-unknown",
        "after a crash",
    );
    assert_eq!(left_of_requests(&gateway.data()), [""; 0]);
}

#[test]
fn figure_3_a_backup_that_cannot_be_put_in_place_changes_nothing_while_serving() {
    let backend = Recorder::start();
    let mut gateway = gateway(&backend, GENEROUS);
    let address = gateway.address();
    let file = backup_of(&gateway);
    let later = log_in(address, "admin", PASSWORD);
    let mut changed = std::fs::read(&file).unwrap();
    let at = changed.windows(5).position(|five| five == b"admin").expect("the user is in the copy");
    changed[at] = b'b';
    let broken = gateway.folder().join("broken");
    // One that the command refuses, and one that only the server knows to be wrong.
    let bare = gateway.folder().join("bare");
    super::with_store(&gateway.folder().join("another"), async |_| {});
    let made = copy(&["backup", text(&bare), "--data", text(&gateway.folder().join("another"))]);
    assert_eq!(made.code, Some(0), "{made:#?}");
    std::fs::write(&broken, changed).unwrap();
    for (file, why) in [(&broken, "checksum"), (&bare, "without an administrator")] {
        let refused = copy(&["restore", text(file), "--data", text(&gateway.data())]);
        assert_eq!(refused.code, Some(1), "{refused:#?}");
        assert!(
            refused.stderr.contains("cannot be restored") && refused.stderr.contains(why),
            "{refused:#?}"
        );
        assert_eq!(with_session(address, "GET", "/api/session", &later).status, 200);
        assert_eq!(left_of_requests(&gateway.data()), [""; 0]);
    }
    // SIGHUP still means what it meant.
    gateway.hangup();
    let _line = gateway.wait_for_log("settings_reloaded");
    assert!(gateway.is_running());
    gateway.kill();
    gateway.restart();
    assert_eq!(with_session(gateway.address(), "GET", "/api/session", &later).status, 200);
}

/// Killed in the middle of it, the gateway has the old state or the new one, and the command never says "done" of the old.
#[test]
fn figure_2_killed_in_a_restore_the_state_is_the_old_or_the_new_one() {
    const KILLED: usize = 8;
    let backend = Recorder::start();
    let mut gateway = gateway(&backend, GENEROUS);
    let (kept, ended) =
        (log_in(gateway.address(), "admin", PASSWORD), log_in(gateway.address(), "admin", PASSWORD));
    let file = backup_of(&gateway);
    assert_eq!(with_session(gateway.address(), "DELETE", "/api/session", &ended).status, 204);
    let data = gateway.data();
    let mut seen = [0, 0];
    for _ in 0..KILLED {
        if names_of_users(gateway.address()) == ["admin"] {
            new_user(gateway.address(), "late", LONG, &[]);
        }
        let command = std::thread::spawn({
            let (file, data) = (file.clone(), data.clone());
            move || copy(&["restore", text(&file), "--data", text(&data)])
        });
        // In the middle of whatever it is doing: at the latest when the server has begun.
        let delay = chance(20_000);
        wait_until(|| {
            let begun =
                data.join("doorward.db.restore-request").exists() || !left_of_requests(&data).is_empty();
            (begun || command.is_finished()).then_some(())
        });
        std::thread::sleep(std::time::Duration::from_micros(delay));
        gateway.kill();
        let told = command.join().expect("the command ends");
        gateway.restart();
        let address = gateway.address();
        let is_new = names_of_users(address) == ["admin"];
        seen[usize::from(is_new)] += 1;
        assert!(is_new || names_of_users(address) == ["admin", "late"]);
        assert!(told.code == Some(1) || (told.code == Some(0) && is_new), "{told:#?}");
        assert_eq!(with_session(address, "GET", "/api/session", &kept).status, 200);
        assert_refused(
            &with_session(address, "GET", "/api/session", &ended),
            401,
            "session-unknown",
            "ended",
        );
        assert_eq!(left_of_requests(&data), [""; 0]);
    }
    println!("old {}, new {}", seen[0], seen[1]);
}

/// A process that holds the folder and is no server would die of the signal.
#[test]
fn a_process_that_is_no_server_is_left_alone() {
    let mut gateway = gateway(&Recorder::start(), "");
    let file = backup_of(&gateway);
    let data = gateway.data();
    assert_eq!(gateway.terminate().code, Some(0));
    super::with_store(&data, async |store: &Arc<EmbeddedStore>| {
        let refused = copy(&["restore", text(&file), "--data", text(&data)]);
        assert_eq!(refused.code, Some(1), "{refused:#?}");
        assert!(refused.stderr.contains(&format!("process {}", std::process::id())), "{refused:#?}");
        assert!(store.take_request(auth::Moment::default()).is_none());
    });
}
