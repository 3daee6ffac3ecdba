//! Rotation as a state machine: whatever is done when, keys are known before they sign and as long as they are needed.

use std::collections::HashMap;
use std::time::Duration;

use auth::{PrivateKey, PublicKey, SigningAlgorithm};
use proptest::prelude::*;

use super::*;
use crate::limits::KEY_SET_KEPT;

const START: Moment = Moment::from_millis(1_748_441_115_000);
const HOUR: Duration = Duration::from_secs(3_600);

fn key(number: u64, now: Moment) -> SigningKey {
    SigningKey {
        id: format!("key{number}").into_boxed_str(),
        private: PrivateKey::from_pkcs8(b"none").unwrap(),
        public: PublicKey::Ed25519 { x: [0; 32] },
        created: now,
        state: KeyState::Next,
    }
}

fn ring() -> KeyRing {
    begun(key(0, START), key(1, START)).unwrap()
}

fn rotation(longest_life: Duration, forced: bool) -> Rotation {
    Rotation { algorithm: SigningAlgorithm::Es256, longest_life, forced }
}

fn ids(ring: &KeyRing) -> Vec<&str> {
    ring.keys().iter().map(|key| &*key.id).collect()
}

#[test]
fn verifiers_ask_again_before_the_next_key_signs() {
    assert!(PUBLISHED_BEFORE_USE > KEY_SET_KEPT);
}

#[test]
fn each_rotation_moves_every_key_on() {
    let first = ring();
    assert_eq!(ids(&first), ["key0", "key1"]);
    let now = START.plus(PUBLISHED_BEFORE_USE);
    let second = rotated(&first, key(2, now), rotation(HOUR, false), now).unwrap();
    assert_eq!(ids(&second), ["key1", "key2", "key0"]);
    let until = now.plus(HOUR).plus(PUBLISHED_AFTER_USE);
    assert_eq!(second.retired().next().unwrap().state, KeyState::Retired { until });
    // A life that is shorter than an identity token's may be says nothing of those.
    let short = rotated(&first, key(2, now), rotation(Duration::ZERO, false), now).unwrap();
    let until = now.plus(MAX_IDENTITY_LIFETIME).plus(PUBLISHED_AFTER_USE);
    assert_eq!(short.retired().next().unwrap().state, KeyState::Retired { until });
}

#[test]
fn ten_minutes_have_two_sides() {
    let usable = START.plus(PUBLISHED_BEFORE_USE);
    let early = usable.minus(Duration::from_millis(1));
    let at = |now, forced| rotated(&ring(), key(2, now), rotation(HOUR, forced), now).map(|_| ());
    assert_eq!(at(early, false), Err(RotationFault::TooSoon(usable)));
    assert_eq!(at(START.minus(HOUR), false), Err(RotationFault::TooSoon(usable)));
    assert_eq!((at(early, true), at(usable, false)), (Ok(()), Ok(())));
}

#[test]
fn a_ring_has_two_sides_even_where_it_is_forced() {
    let mut ring = ring();
    for number in 2..MAX_SIGNING_KEYS as u64 {
        ring = rotated(&ring, key(number, START), rotation(HOUR, true), START).unwrap();
    }
    assert_eq!(ring.keys().len(), MAX_SIGNING_KEYS);
    let until = START.plus(HOUR).plus(PUBLISHED_AFTER_USE);
    let again = |now| rotated(&ring, key(99, now), rotation(HOUR, true), now);
    assert_eq!(again(START).map(|_| ()), Err(RotationFault::TooMany(until)));
    assert!(again(until.minus(Duration::from_millis(1))).is_err());
    assert_eq!(again(until).unwrap().keys().len(), 3, "those that are over go with the rotation");
}

#[test]
fn sweeping_takes_what_is_over_and_nothing_else() {
    let now = START.plus(PUBLISHED_BEFORE_USE);
    let ring = rotated(&ring(), key(2, now), rotation(HOUR, false), now).unwrap();
    let until = now.plus(HOUR).plus(PUBLISHED_AFTER_USE);
    assert!(swept(&ring, until.minus(Duration::from_millis(1))).is_none());
    assert_eq!(ids(&swept(&ring, until).unwrap()), ["key1", "key2"]);
    assert!(swept(&swept(&ring, until).unwrap(), until).is_none());
}

fn without(ring: &KeyRing, id: &str) -> Option<KeyRing> {
    withdrawn(ring, id, || Ok(key(99, START))).unwrap()
}

#[test]
fn whatever_is_withdrawn_is_gone_at_once_and_another_does_its_work() {
    let now = START.plus(PUBLISHED_BEFORE_USE);
    let ring = rotated(&ring(), key(2, now), rotation(HOUR, false), now).unwrap();
    assert_eq!(ids(&ring), ["key1", "key2", "key0"]);
    let current = without(&ring, "key1").unwrap();
    assert_eq!(ids(&current), ["key2", "key99", "key0"]);
    assert_eq!(current.retired().next().unwrap().state, ring.retired().next().unwrap().state);
    assert_eq!(ids(&without(&ring, "key2").unwrap()), ["key1", "key99", "key0"]);
    // Nobody needs a key in the place of one that signs no more.
    let retired = withdrawn(&ring, "key0", || Err(SignFault::System)).unwrap().unwrap();
    assert_eq!(ids(&retired), ["key1", "key2"]);
    for odd in ["key9", "key", "key11", "KEY1", ""] {
        assert!(without(&ring, odd).is_none(), "{odd:?}");
    }
    let failed = withdrawn(&ring, "key1", || Err(SignFault::System)).unwrap_err();
    assert_eq!(failed, SignFault::System);
}

#[test]
fn a_full_ring_loses_any_of_its_keys() {
    let mut ring = ring();
    for number in 2..MAX_SIGNING_KEYS as u64 {
        ring = rotated(&ring, key(number, START), rotation(HOUR, true), START).unwrap();
    }
    for id in ids(&ring) {
        let left = without(&ring, id).unwrap();
        assert!(!ids(&left).contains(&id));
        assert!((MAX_SIGNING_KEYS - 1..=MAX_SIGNING_KEYS).contains(&left.keys().len()));
    }
}

#[derive(Clone, Debug)]
enum Step {
    Pass(u64),
    Sign(u64),
    Rotate {
        forced: bool,
    },
    Sweep,
    /// The key at this place, or one that is not there.
    Withdraw(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (1..2_000_u64).prop_map(Step::Pass),
        (10..=3_600_u64).prop_map(Step::Sign),
        prop::bool::weighted(0.1).prop_map(|forced| Step::Rotate { forced }),
        Just(Step::Sweep),
        (0..4_usize).prop_map(Step::Withdraw),
    ]
}

/// What the world outside knows.
struct World {
    ring: KeyRing,
    now: Moment,
    keys: u64,
    /// When each key was first published.
    published: HashMap<Box<str>, Moment>,
    /// Keys, and until when tokens of them live.
    tokens: Vec<(Box<str>, Moment)>,
    /// Keys that began to sign because somebody insisted.
    forced: Vec<Box<str>>,
    withdrawn: Vec<Box<str>>,
}

impl World {
    fn take(&mut self, step: &Step) {
        match *step {
            Step::Pass(seconds) => self.now = self.now.plus(Duration::from_secs(seconds)),
            Step::Sign(life) => {
                let expires = self.now.plus(Duration::from_secs(life));
                self.tokens.push((self.ring.current().id.clone(), expires));
            }
            Step::Rotate { forced } => {
                let fresh = key(self.keys, self.now);
                if let Ok(ring) = rotated(&self.ring, fresh, rotation(HOUR, forced), self.now) {
                    if forced {
                        self.forced.push(ring.current().id.clone());
                    }
                    self.keys += 1;
                    self.ring = ring;
                }
            }
            Step::Sweep => {
                if let Some(ring) = swept(&self.ring, self.now) {
                    self.ring = ring;
                }
            }
            Step::Withdraw(place) => {
                let id = self.ring.keys().get(place).map_or(Box::from("none"), |key| key.id.clone());
                let fresh = key(self.keys, self.now);
                let left = withdrawn(&self.ring, &id, || Ok(fresh)).unwrap();
                assert_eq!(left.is_some(), &*id != "none");
                if let Some(ring) = left {
                    // Whoever takes away the one that signs insists that the next one does.
                    self.forced.push(ring.current().id.clone());
                    self.tokens.retain(|(signed_with, _)| *signed_with != id);
                    self.withdrawn.push(id);
                    self.keys += 1;
                    self.ring = ring;
                }
            }
        }
        for key in self.ring.keys() {
            self.published.entry(key.id.clone()).or_insert(self.now);
        }
    }

    fn check(&self) -> Result<(), TestCaseError> {
        let current = self.ring.current();
        let published = self.published[&current.id];
        let is_first = &*current.id == "key0";
        prop_assert!(
            is_first
                || self.forced.contains(&current.id)
                || self.now.since(published) >= PUBLISHED_BEFORE_USE,
            "{} signs too soon",
            current.id
        );
        for (id, expires) in &self.tokens {
            let is_there = self.ring.keys().iter().any(|key| key.id == *id);
            prop_assert!(*expires <= self.now || is_there, "{id} is gone before its tokens");
        }
        for id in &self.withdrawn {
            prop_assert!(self.ring.keys().iter().all(|key| key.id != *id), "{id} came back");
        }
        prop_assert!(self.ring.keys().len() <= MAX_SIGNING_KEYS);
        Ok(())
    }
}

proptest! {
    #[test]
    fn keys_are_known_before_they_sign_and_as_long_as_they_are_needed(
        steps in proptest::collection::vec(step(), 1..200),
    ) {
        let published = ["key0", "key1"].map(|id| (Box::from(id), START)).into();
        let mut world = World {
            ring: ring(),
            now: START,
            keys: 2,
            published,
            tokens: Vec::new(),
            forced: Vec::new(),
            withdrawn: Vec::new(),
        };
        for step in &steps {
            world.take(step);
            world.check()?;
        }
    }
}
