//! Clients who log in and out at once, each noting what was acknowledged to him. Called by the tests of durability. Must
//! never note as live or dead what no answer said.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use testkit::patience::wait_until;
use testkit::process::Doorward;
use testkit::raw::{self, Answer, Raw};

use crate::common::{PASSWORD, create_user, judged, log_in, login_bytes, session_bytes};

/// Clients at a time: enough that group commit has groups.
const CLIENTS: usize = 8;

/// A number below `bound`, drawn anew each time.
pub(super) fn chance(bound: u64) -> u64 {
    RandomState::new().build_hasher().finish() % bound
}

/// What the answers said of one session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Told {
    Live,
    /// An end was asked for, and nobody said whether it is one.
    Ending,
    Dead,
}

/// One client, with everything that he was told.
struct Client {
    user: String,
    id: String,
    admin: String,
    sessions: Vec<(String, Told)>,
    logins: usize,
    ends: usize,
}

/// The clients.
pub(super) struct Crowd {
    idle: Vec<Client>,
    working: Vec<JoinHandle<Client>>,
    logged_in: Arc<AtomicUsize>,
    admin: String,
    worked: Duration,
    began: Instant,
}

impl Crowd {
    /// Makes their users.
    pub(super) fn gather(gateway: &Doorward) -> Self {
        let admin = log_in(gateway.address(), "admin", PASSWORD);
        let idle =
            (0..CLIENTS).map(|number| Client::new(gateway, &format!("client-{number}"), &admin)).collect();
        Self {
            idle,
            working: Vec::new(),
            logged_in: Arc::default(),
            admin,
            worked: Duration::ZERO,
            began: Instant::now(),
        }
    }

    /// They log in and out until the gateway is gone.
    pub(super) fn set_to_work(&mut self, address: SocketAddr) {
        self.logged_in.store(0, Ordering::SeqCst);
        self.began = Instant::now();
        for mut client in self.idle.drain(..) {
            let logged_in = Arc::clone(&self.logged_in);
            self.working.push(std::thread::spawn(move || {
                client.work(address, &logged_in);
                client
            }));
        }
    }

    /// Waits until they have logged in so often since they set to work.
    pub(super) fn wait_for_logins(&self, count: u64) {
        let enough = || (self.logged_in.load(Ordering::SeqCst) as u64 >= count).then_some(());
        wait_until(enough).expect("logins");
    }

    /// They have noticed that the gateway is gone.
    pub(super) fn come_back(&mut self) {
        self.worked += self.began.elapsed();
        self.idle.extend(self.working.drain(..).map(|working| working.join().expect("a client came back")));
    }

    /// A session that must be live.
    pub(super) fn any_live(&self) -> &str {
        &self.admin
    }

    pub(super) fn logins(&self) -> usize {
        self.idle.iter().map(|client| client.logins).sum()
    }

    pub(super) fn ends(&self) -> usize {
        self.idle.iter().map(|client| client.ends).sum()
    }

    pub(super) fn summary(&self) -> String {
        let rate = self.logins() as f64 / self.worked.as_secs_f64();
        format!("{} logins ({rate:.0}/s) and {} ends acknowledged", self.logins(), self.ends())
    }

    /// Whether the gateway still says what it said. A session whose end nobody acknowledged may be either, and is settled now.
    pub(super) fn verify(&mut self, gateway: &mut Raw, round: usize) {
        for client in &mut self.idle {
            // Those of earlier rounds are looked at in the end again.
            let recent = client.sessions.len().saturating_sub(100);
            for (token, told) in &mut client.sessions[recent..] {
                let found = judged(gateway, token);
                let live = match (*told, found.0, found.1.as_str()) {
                    (Told::Live | Told::Ending, 200, _) => Told::Live,
                    (Told::Ending | Told::Dead, 401, "session-unknown") => Told::Dead,
                    _ => panic!("round {round}: {}: told {told:?}, found {found:?}", client.user),
                };
                *told = live;
            }
        }
    }

    /// As [`Crowd::verify`], for all sessions ever.
    pub(super) fn verify_every_session(&self, gateway: &mut Raw) {
        for (token, told) in self.idle.iter().flat_map(|client| &client.sessions) {
            let expected = match told {
                Told::Live => (200, String::new()),
                _ => (401, "session-unknown".to_owned()),
            };
            assert_eq!(judged(gateway, token), expected, "told {told:?}");
        }
    }
}

impl Client {
    fn new(gateway: &Doorward, user: &str, admin: &str) -> Self {
        create_user(gateway, user, PASSWORD, "search");
        let found =
            raw::once(gateway.address(), session_bytes("GET", &format!("/api/users?username={user}"), admin));
        let found: serde_json::Value = serde_json::from_slice(&found.body).expect("a list of users");
        let id = found[0]["id"].as_str().expect("the user's id").to_owned();
        Self { user: user.to_owned(), id, admin: admin.to_owned(), sessions: Vec::new(), logins: 0, ends: 0 }
    }

    fn work(&mut self, address: SocketAddr, logged_in: &AtomicUsize) {
        let Ok(mut client) = Raw::try_connect(address) else { return };
        while self.log_in(&mut client).is_some() {
            logged_in.fetch_add(1, Ordering::SeqCst);
            let step = match chance(6) {
                0 | 1 => self.log_out(&mut client),
                2 => self.log_in_over(&mut client),
                3 if chance(4) == 0 => self.be_revoked(&mut client),
                _ => Some(()),
            };
            if step.is_none() {
                return;
            }
        }
    }

    fn log_in(&mut self, client: &mut Raw) -> Option<()> {
        let answer = ask(client, login_bytes(&self.user, PASSWORD))?;
        self.note_login(&answer);
        Some(())
    }

    /// Logs in while showing a session, which the new one replaces.
    fn log_in_over(&mut self, client: &mut Raw) -> Option<()> {
        let Some((at, token)) = self.some_live() else { return Some(()) };
        self.sessions[at].1 = Told::Ending;
        let body = serde_json::json!({ "username": self.user, "password": PASSWORD }).to_string();
        let fields = [("Content-Type", "application/json"), ("Cookie", &format!("id={token}"))];
        let answer = ask(client, raw::request("POST", "/api/session", &fields, &body))?;
        self.note_login(&answer);
        self.sessions[at].1 = Told::Dead;
        self.ends += 1;
        Some(())
    }

    fn log_out(&mut self, client: &mut Raw) -> Option<()> {
        let Some((at, token)) = self.some_live() else { return Some(()) };
        self.sessions[at].1 = Told::Ending;
        let answer = ask(client, session_bytes("DELETE", "/api/session", &token))?;
        assert_eq!(answer.status, 204, "{answer:?}");
        self.sessions[at].1 = Told::Dead;
        self.ends += 1;
        Some(())
    }

    /// The administrator ends all his sessions.
    fn be_revoked(&mut self, client: &mut Raw) -> Option<()> {
        let live: Vec<_> = (0..self.sessions.len()).filter(|at| self.sessions[*at].1 == Told::Live).collect();
        for at in &live {
            self.sessions[*at].1 = Told::Ending;
        }
        let answer =
            ask(client, session_bytes("DELETE", &format!("/api/users/{}/sessions", self.id), &self.admin))?;
        assert_eq!(answer.status, 204, "{answer:?}");
        for at in &live {
            self.sessions[*at].1 = Told::Dead;
        }
        self.ends += live.len();
        Some(())
    }

    fn note_login(&mut self, answer: &Answer) {
        assert_eq!(answer.status, 201, "{}: {}", self.user, answer.body_text());
        self.sessions.push((answer.set_cookie("id").expect("a token").to_owned(), Told::Live));
        self.logins += 1;
    }

    fn some_live(&self) -> Option<(usize, String)> {
        let live: Vec<_> = (0..self.sessions.len()).filter(|at| self.sessions[*at].1 == Told::Live).collect();
        let at = *live.get(usize::try_from(chance(live.len().max(1) as u64)).unwrap_or(0))?;
        Some((at, self.sessions[at].0.clone()))
    }
}

/// The whole answer, or nothing where the gateway is gone: half an answer acknowledges nothing.
fn ask(client: &mut Raw, bytes: Vec<u8>) -> Option<Answer> {
    client.try_send(bytes).ok()?;
    client.try_read_answer_to("GET").ok()
}
