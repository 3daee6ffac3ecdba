//! Any order of events against a model of a few lines: a session is shown while it lives, with its reason after, and
//! never again once it ended; a key is shown until it expires or is taken back; neither while the realm is off or the user
//! disabled. Across restarts too.

use std::time::Duration;

use auth::{ApiKey, Change, EndReason, Moment, Reason};
use proptest::prelude::{Strategy, prop_oneof};

use crate::house::{House, IDLE, MAXIMUM, PASSWORD, api_key, put_key, realms, scope, token, user};

const NAMES: [&str; 2] = ["alice", "bob"];
const MOST_SESSIONS: usize = 6;
const MOST_KEYS: u8 = 4;

#[derive(Clone, Debug)]
enum Event {
    Login(usize),
    Show(usize),
    Logout(usize),
    Wait(u64),
    /// Disables a user as the operation does: the directory first, then his sessions.
    Disable(usize),
    Enable(usize),
    /// Makes a key that counts for so many minutes.
    MakeKey(usize, u64),
    RevokeKey(u8),
    ShowKey(u8),
    /// Switches the realm on or off.
    Realm(bool),
    Sweep,
    Restart,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        3 => (0..2usize).prop_map(Event::Login),
        8 => (0..MOST_SESSIONS).prop_map(Event::Show),
        1 => (0..MOST_SESSIONS).prop_map(Event::Logout),
        6 => (1..40u64).prop_map(Event::Wait),
        1 => (0..2usize).prop_map(Event::Disable),
        2 => (0..2usize).prop_map(Event::Enable),
        1 => ((0..2usize), (1..200u64)).prop_map(|(owner, minutes)| Event::MakeKey(owner, minutes)),
        1 => (0..MOST_KEYS).prop_map(Event::RevokeKey),
        4 => (0..MOST_KEYS).prop_map(Event::ShowKey),
        1 => proptest::strategy::Just(Event::Realm(false)),
        2 => proptest::strategy::Just(Event::Realm(true)),
        1 => proptest::strategy::Just(Event::Sweep),
        1 => proptest::strategy::Just(Event::Restart),
    ];
    proptest::collection::vec(event, 1..80)
}

/// What the model knows of a session.
struct Expected {
    owner: usize,
    created: Moment,
    last_seen: Moment,
    ended: Option<(Moment, Reason)>,
}

impl Expected {
    /// Why it is over at `now`, if it is; fixes the end in the model.
    fn end(&mut self, now: Moment) -> Option<(Moment, Reason)> {
        let (idle, maximum) = (self.last_seen.plus(IDLE), self.created.plus(MAXIMUM));
        if self.ended.is_none() && now >= idle.min(maximum) {
            let reason = if maximum < idle { Reason::SessionTooOld } else { Reason::SessionIdle };
            self.ended = Some((idle.min(maximum), reason));
        }
        self.ended.clone()
    }

    fn end_now(&mut self, now: Moment, reason: EndReason) {
        if self.end(now).is_none() {
            self.ended = Some((now, Reason::SessionEnded(reason)));
        }
    }
}

/// What the model knows of a key.
struct ExpectedKey {
    owner: usize,
    expires: Moment,
    revoked: bool,
}

struct Run {
    house: House,
    expected: Vec<Expected>,
    keys: Vec<ExpectedKey>,
    enabled: [bool; 2],
    realm_on: bool,
}

impl Run {
    async fn step(&mut self, event: Event) {
        let now = self.house.kernel.clock().now();
        match event {
            Event::Login(owner) => {
                if !self.realm_on {
                    let refused = self.house.try_login(NAMES[owner], PASSWORD, 900).await;
                    assert_eq!(refused.err(), Some(Reason::RealmDisabled));
                } else if self.expected.len() < MOST_SESSIONS && self.enabled[owner] {
                    self.house.login(NAMES[owner], self.expected.len() as u64).await;
                    self.expected.push(Expected { owner, created: now, last_seen: now, ended: None });
                }
            }
            Event::Show(number) => self.show(number, now).await,
            Event::Logout(number) => {
                self.house.kernel.logout(&token(number as u64), &scope()).await.unwrap();
                if let Some(session) = self.expected.get_mut(number) {
                    session.end_now(now, EndReason::Logout);
                }
            }
            Event::Wait(minutes) => self.house.clock.advance(Duration::from_secs(60 * minutes)),
            Event::Disable(owner) => self.disable(owner, now).await,
            Event::Enable(owner) => {
                self.house.change(NAMES[owner], |user| user.enabled = true).await;
                self.enabled[owner] = true;
            }
            Event::MakeKey(owner, minutes) => self.make_key(owner, minutes, now).await,
            Event::RevokeKey(number) => {
                let id = api_key(number, NAMES[0]).id;
                self.house.make(vec![Change::DeleteKey(id)]).await;
                if let Some(key) = self.keys.get_mut(usize::from(number)) {
                    key.revoked = true;
                }
            }
            Event::ShowKey(number) => self.show_key(number, now).await,
            Event::Realm(on) => {
                self.house.set(realms(&self.house.realm, on)).await;
                self.realm_on = on;
            }
            Event::Sweep => {
                self.house.kernel.sweep().await.unwrap();
            }
            Event::Restart => {
                self.house.kernel.sessions().write_touches().await.unwrap();
                self.house = self.house.restarted().await;
                self.house.set(realms(&self.house.realm, self.realm_on)).await;
            }
        }
    }

    async fn disable(&mut self, owner: usize, now: Moment) {
        self.house.change(NAMES[owner], |user| user.enabled = false).await;
        self.enabled[owner] = false;
        let live = self.house.kernel.sessions().live_of(&user(NAMES[owner]).id);
        self.house.kernel.end(&live, EndReason::UserChanged, None).await.unwrap();
        for session in self.expected.iter_mut().filter(|session| session.owner == owner) {
            session.end_now(now, EndReason::UserChanged);
        }
    }

    async fn make_key(&mut self, owner: usize, minutes: u64, now: Moment) {
        let number = u8::try_from(self.keys.len()).unwrap();
        if number < MOST_KEYS {
            let expires = now.plus(Duration::from_secs(60 * minutes));
            let key = ApiKey { expires: Some(expires), created: now, ..api_key(number, NAMES[owner]) };
            self.house.make(vec![put_key(key)]).await;
            self.keys.push(ExpectedKey { owner, expires, revoked: false });
        }
    }

    async fn show_key(&self, number: u8, now: Moment) {
        let shown = self.house.show_key(number).await.map(|known| known.account().user.username.clone());
        let key = self.keys.get(usize::from(number)).filter(|key| !key.revoked);
        match key {
            Some(key) if key.expires <= now => assert_eq!(shown.err(), Some(Reason::KeyExpired)),
            Some(key) if self.realm_on && self.enabled[key.owner] => {
                assert_eq!(shown.unwrap().shown(), NAMES[key.owner]);
            }
            Some(_) | None => assert_eq!(shown.err(), Some(Reason::UnknownKey)),
        }
    }

    async fn show(&mut self, number: usize, now: Moment) {
        let shown = self.house.show(number as u64).await;
        let Some(session) = self.expected.get_mut(number) else {
            assert_eq!(shown.err(), Some(Reason::SessionUnknown));
            return;
        };
        match (session.end(now), shown) {
            (None, Err(reason)) if !self.realm_on => assert_eq!(reason, Reason::SessionUserGone),
            (None, Ok(known)) => {
                assert!(self.realm_on, "shown while the realm is off");
                assert_eq!(known.account().user.username.shown(), NAMES[session.owner]);
                session.last_seen = now;
            }
            (None, Err(reason)) => panic!("{reason:?} for a live session"),
            (Some(ended), Ok(_)) => panic!("shown after its end: {ended:?}"),
            (Some((at, reason)), Err(told)) => {
                let forgotten = now.since(at) > auth::limits::REASON_KEPT && told == Reason::SessionUnknown;
                assert!(told == reason || forgotten, "{told:?} where it was {reason:?}");
            }
        }
    }
}

#[test]
fn no_order_of_events_shows_a_session_or_a_key_after_its_end() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    proptest::proptest!(|(events in events())| {
        runtime.block_on(async {
            let house = House::new().await;
            let mut run =
                Run { house, expected: Vec::new(), keys: Vec::new(), enabled: [true; 2], realm_on: true };
            for event in events {
                run.step(event).await;
            }
            for number in 0..run.expected.len() {
                let now = run.house.kernel.clock().now();
                run.show(number, now).await;
            }
            for number in 0..MOST_KEYS {
                run.show_key(number, run.house.kernel.clock().now()).await;
            }
        });
    });
}
