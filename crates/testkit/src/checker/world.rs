//! What the clients of a run share: the book of each user, realm and role, the credentials, the clock, the turns.
//!
//! Used by `drive`. A book is locked by whoever changes its subject, from before he asks until after he knows: changes of one
//! subject never overlap, and everything else does. Must never hold a lock of the registry across a question.
#![allow(clippy::disallowed_methods, reason = "a history is judged by what came before what in real time")]

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::Mutex as Lock;

use super::chance::Chance;
use super::drive::Plan;
use super::history::{Issued, Kind, Span, Timeline, UserState};
use super::system::{Credential, Operation, Shape, System, Told};

/// How many keys are used at a time; older ones are forgotten.
const KEYS_IN_USE: usize = 64;
/// How many passwords of each user: the present one, and those before it, which must be refused.
const PASSWORDS_IN_USE: usize = 3;

/// A credential that clients may show.
#[derive(Clone)]
pub(super) struct Held {
    pub(super) number: u32,
    pub(super) user: usize,
    pub(super) credential: Arc<Credential>,
}

#[derive(Default)]
struct Registry {
    issued: Vec<Issued>,
    sessions: VecDeque<(Held, usize)>,
    keys: VecDeque<Held>,
    passwords: Vec<VecDeque<Held>>,
}

/// What the clients share.
pub(super) struct World {
    pub(super) system: Arc<dyn System>,
    pub(super) shape: Shape,
    pub(super) users: Vec<Lock<Timeline<UserState>>>,
    pub(super) realms: Vec<Lock<Timeline<bool>>>,
    pub(super) roles: Vec<Lock<Timeline<bool>>>,
    /// Numbers that the next passwords get.
    passwords: Vec<AtomicU32>,
    registry: Mutex<Registry>,
    began: Instant,
    asked: AtomicU64,
    turns: u64,
    sessions: usize,
    restarted: AtomicU64,
    restarts: u64,
}

impl World {
    pub(super) fn new(system: Arc<dyn System>, plan: &Plan) -> Self {
        let shape = plan.shape;
        let first = UserState { life: 1, exists: true, password: 1, enabled: true, granted: true };
        let registry = Registry { passwords: vec![VecDeque::new(); shape.users], ..Registry::default() };
        let world = Self {
            system,
            shape,
            users: (0..shape.users).map(|_| Lock::new(Timeline::new(first))).collect(),
            realms: (0..shape.realms).map(|_| Lock::new(Timeline::new(true))).collect(),
            roles: (0..shape.roles).map(|_| Lock::new(Timeline::new(true))).collect(),
            passwords: (0..shape.users).map(|_| AtomicU32::new(2)).collect(),
            registry: Mutex::new(registry),
            began: Instant::now(),
            asked: AtomicU64::new(0),
            turns: plan.operations,
            sessions: plan.sessions,
            restarted: AtomicU64::new(0),
            restarts: plan.restarts,
        };
        for user in 0..shape.users {
            world.issue_password(user, 1, Span { invoked: 0, returned: 0 });
        }
        world
    }

    /// Whether there is a turn left.
    pub(super) fn goes_on(&self) -> bool {
        self.asked.load(Ordering::Relaxed) < self.turns
    }

    /// Whether it is time that somebody restarts the system; true for one client.
    pub(super) fn is_restart_due(&self) -> bool {
        let done = self.restarted.load(Ordering::Relaxed);
        done < self.restarts
            && self.asked() >= (done + 1) * self.turns / (self.restarts + 1)
            && self.restarted.compare_exchange(done, done + 1, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    pub(super) fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }

    /// Asks the system, and notes when.
    pub(super) async fn ask(&self, operation: &Operation) -> (Told, Span) {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let invoked = self.now();
        let told = self.system.perform(operation).await;
        let returned = if told == Told::Lost { Span::NEVER } else { self.now() };
        (told, Span { invoked, returned })
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(Span::NEVER)
    }

    /// A number that no password of this user has had.
    pub(super) fn new_password(&self, user: usize) -> u32 {
        self.passwords[user].fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn issue_password(&self, user: usize, password: u32, span: Span) {
        let mut registry = self.registry();
        let credential = Credential::Basic(user, password);
        let held = registry.issue(Issued { kind: Kind::Basic { password }, user, span }, credential);
        let passwords = &mut registry.passwords[user];
        passwords.push_back(held);
        if passwords.len() > PASSWORDS_IN_USE {
            passwords.pop_front();
        }
    }

    pub(super) fn issue_session(&self, user: usize, password: u32, app: usize, token: String, span: Span) {
        let mut registry = self.registry();
        let kind = Kind::Session { password, app };
        let held = registry.issue(Issued { kind, user, span }, Credential::Session(token));
        registry.sessions.push_back((held, app));
        if registry.sessions.len() > self.sessions {
            registry.sessions.pop_front();
        }
    }

    pub(super) fn issue_key(&self, user: usize, life: u32, text: String, span: Span) {
        let mut registry = self.registry();
        let held = registry.issue(Issued { kind: Kind::Key { life }, user, span }, Credential::Key(text));
        registry.keys.push_back(held);
        if registry.keys.len() > KEYS_IN_USE {
            registry.keys.pop_front();
        }
    }

    /// Some session, live or dead.
    pub(super) fn some_session(&self, chance: &mut Chance) -> Option<Held> {
        let registry = self.registry();
        let place = chance.below(registry.sessions.len());
        registry.sessions.get(place).map(|(held, _)| held.clone())
    }

    /// Some key, good or not.
    pub(super) fn some_key(&self, chance: &mut Chance) -> Option<Held> {
        let registry = self.registry();
        registry.keys.get(chance.below(registry.keys.len())).cloned()
    }

    /// The password of this user that was set last, or one before that.
    pub(super) fn some_password(&self, user: usize, stale: bool, chance: &mut Chance) -> Held {
        let registry = self.registry();
        let passwords = &registry.passwords[user];
        let place = if stale { chance.below(passwords.len()) } else { passwords.len() - 1 };
        passwords[place].clone()
    }

    /// Some sessions for which this is true of user and app, the newest first, not more than `most`.
    pub(super) fn sessions_of(&self, most: usize, fits: impl Fn(usize, usize) -> bool) -> Vec<Held> {
        let registry = self.registry();
        let fitting = registry.sessions.iter().rev().filter(|(held, app)| fits(held.user, *app));
        fitting.take(most).map(|(held, _)| held.clone()).collect()
    }

    /// The newest key of each of some users, not more than `most`.
    pub(super) fn keys_of(&self, most: usize, fits: impl Fn(usize) -> bool) -> Vec<Held> {
        let registry = self.registry();
        registry.keys.iter().rev().filter(|held| fits(held.user)).take(most).cloned().collect()
    }

    /// Everything that was issued.
    pub(super) fn all_issued(&self) -> Vec<Issued> {
        self.registry().issued.clone()
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Registry {
    fn issue(&mut self, issued: Issued, credential: Credential) -> Held {
        let number = u32::try_from(self.issued.len()).unwrap_or(u32::MAX);
        let held = Held { number, user: issued.user, credential: Arc::new(credential) };
        self.issued.push(issued);
        held
    }
}
