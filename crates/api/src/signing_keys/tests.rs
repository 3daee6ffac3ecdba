//! The rules of rotation that are this room's: who is told, and for how long retired keys stay. When keys may change is `signer`'s.

use std::future::Future as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use auth::directory::Snapshot;
use auth::sessions::{MOST_IN_STEP, Session};
use auth::trust::Authenticated;
use auth::{
    Audience, BearerClaims, BearerText, KeyRing, KeyState, Moment, PrivateKey, PublicKey, Rotation,
    RotationFault, SessionId, SignFault, Signatory, SigningAlgorithm, SigningKey,
};

use super::{keep, read, rotate, withdraw};
use crate::error::Error;
use crate::sessions::tests::house::House;
use crate::tokens::tests::give;

/// How long a key waits here before it may sign.
const WAIT: Duration = Duration::from_secs(600);

/// Signs by writing down what it was asked to sign; keys are numbers.
#[derive(Default)]
pub(crate) struct FakeSignatory(AtomicU64);

impl FakeSignatory {
    fn key(&self, created: Moment, state: KeyState) -> SigningKey {
        SigningKey {
            id: format!("k{}", self.0.fetch_add(1, Ordering::Relaxed)).into_boxed_str(),
            private: PrivateKey::from_pkcs8(b"canary").unwrap(),
            public: PublicKey::Ed25519 { x: [7; 32] },
            created,
            state,
        }
    }
}

impl Signatory for FakeSignatory {
    fn identity_token(
        &self,
        _: &Authenticated,
        _: &Snapshot,
        _: &Audience,
        _: Moment,
    ) -> Result<Arc<str>, SignFault> {
        Err(SignFault::System)
    }

    fn bearer_token(
        &self,
        ring: &Snapshot,
        claims: &BearerClaims,
        _: Moment,
    ) -> Result<BearerText, SignFault> {
        ring.key_ring().ok_or(SignFault::NoKeys)?;
        let expires = claims.expires.as_millis();
        Ok(BearerText::new(format!("{} {} {expires} {:?}", claims.subject, claims.session, claims.unique)))
    }

    fn key_set(&self, snapshot: &Snapshot) -> Arc<str> {
        let ids = snapshot.key_ring().map(|ring| ids(ring));
        Arc::from(ids.unwrap_or_default())
    }

    fn first_keys(&self, _: SigningAlgorithm, now: Moment) -> Result<KeyRing, SignFault> {
        let keys = vec![self.key(now, KeyState::Current), self.key(now, KeyState::Next)];
        Ok(KeyRing::new(keys).unwrap())
    }

    fn rotated(&self, ring: &KeyRing, rotation: Rotation, now: Moment) -> Result<KeyRing, RotationFault> {
        if !rotation.forced && now < ring.next().created.plus(WAIT) {
            return Err(RotationFault::TooSoon(ring.next().created.plus(WAIT)));
        }
        let until = now.plus(rotation.longest_life);
        let mut keys = ring.keys().to_vec();
        keys[0].state = KeyState::Retired { until };
        keys[1].state = KeyState::Current;
        keys.push(self.key(now, KeyState::Next));
        Ok(KeyRing::new(keys).unwrap())
    }

    fn withdrawn(
        &self,
        ring: &KeyRing,
        id: &str,
        _: SigningAlgorithm,
        now: Moment,
    ) -> Result<Option<KeyRing>, SignFault> {
        let mut keys = ring.keys().to_vec();
        let Some(place) = keys.iter().position(|key| *key.id == *id) else { return Ok(None) };
        keys.remove(place);
        if place < 2 {
            keys[0].state = KeyState::Current;
            keys.push(self.key(now, KeyState::Next));
        }
        Ok(Some(KeyRing::new(keys).unwrap()))
    }

    fn swept(&self, ring: &KeyRing, now: Moment) -> Option<KeyRing> {
        let over = |key: &SigningKey| matches!(key.state, KeyState::Retired { until } if until <= now);
        let kept: Vec<_> = ring.keys().iter().filter(|key| !over(key)).cloned().collect();
        (kept.len() < ring.keys().len()).then(|| KeyRing::new(kept).unwrap())
    }
}

fn ids(ring: &KeyRing) -> String {
    ring.keys().iter().map(|key| &*key.id).collect::<Vec<_>>().join(" ")
}

fn ids_of(house: &House) -> String {
    house.services.kernel.directory().present().key_ring().map_or_else(String::new, |ring| ids(ring))
}

async fn keep(house: &House) {
    keep::run(&house.services, SigningAlgorithm::Es256).await.unwrap();
}

async fn rotate(house: &House, longest_life: u64, is_forced: bool) -> Result<Arc<KeyRing>, Error> {
    let permit = house.permit_by_password("alice", rotate::NAME).await;
    let longest_life = Duration::from_secs(longest_life);
    let terms = rotate::Terms { algorithm: SigningAlgorithm::Es256, longest_life };
    rotate::run(&house.services, &permit, terms, is_forced).await
}

#[tokio::test]
async fn there_are_keys_from_the_first_start_on() {
    let house = House::new().await;
    let rotated = rotate(&house, 60, true).await;
    assert!(matches!(rotated, Err(Error::Unsigned(SignFault::NoKeys))));
    keep(&house).await;
    assert_eq!(ids_of(&house), "k0 k1");
    keep(&house).await;
    assert_eq!(ids_of(&house), "k0 k1", "those that are there stay");
    let image = auth::DirectoryStore::load(&*house.store).await.unwrap();
    assert_eq!(ids(&image.key_ring.unwrap()), "k0 k1", "on disk");
    assert!(house.told.lines("directory_changed", ["operation"]).is_empty(), "nobody asked for it");
    let permit = house.permit_of_nobody(read::NAME_PUBLISHED);
    assert_eq!(&*read::published(&house.services, &permit).unwrap(), "k0 k1");
    let permit = house.permit_of_nobody(read::NAME);
    assert_eq!(ids(&read::run(&house.services, &permit).unwrap().unwrap()), "k0 k1");
}

#[tokio::test]
async fn a_rotation_is_told_and_too_soon_a_conflict() {
    let house = House::new().await;
    keep(&house).await;
    assert!(matches!(rotate(&house, 60, false).await, Err(Error::Conflict(_))));
    assert_eq!(ids_of(&house), "k0 k1");
    assert_eq!(ids(&rotate(&house, 60, true).await.unwrap()), "k1 k2 k0");
    house.clock.advance(WAIT);
    assert_eq!(ids(&rotate(&house, 60, false).await.unwrap()), "k2 k3 k1 k0");
    let told = house.told.lines("directory_changed", ["operation", "subject", "detail"]);
    let texts: Vec<_> = told.iter().map(|line| line.join(" ")).collect();
    assert_eq!(texts.len(), 2, "{texts:?}");
    assert!(texts[0].contains("signing_key.rotate") && texts[0].contains("k1"), "{texts:?}");
    assert!(texts[0].contains("before: k0; next: k2 (EdDSA); forced"), "{texts:?}");
}

async fn withdraw(house: &House, id: &str) -> Result<Arc<KeyRing>, Error> {
    let permit = house.permit_by_password("alice", withdraw::NAME).await;
    withdraw::run(&house.services, &permit, id, SigningAlgorithm::Es256).await
}

#[tokio::test]
async fn a_withdrawn_key_is_gone_in_memory_and_on_disk_and_told_of() {
    let house = House::new().await;
    assert!(matches!(withdraw(&house, "k0").await, Err(Error::NotFound)), "there are no keys");
    keep(&house).await;
    rotate(&house, 60, true).await.unwrap();
    assert_eq!(ids_of(&house), "k1 k2 k0");
    assert!(matches!(withdraw(&house, "k9").await, Err(Error::NotFound)));
    assert_eq!(ids_of(&house), "k1 k2 k0");
    assert_eq!(ids(&withdraw(&house, "k1").await.unwrap()), "k2 k3 k0");
    let permit = house.permit_of_nobody(read::NAME_PUBLISHED);
    assert_eq!(&*read::published(&house.services, &permit).unwrap(), "k2 k3 k0");
    let image = auth::DirectoryStore::load(&*house.store).await.unwrap();
    assert_eq!(ids(&image.key_ring.unwrap()), "k2 k3 k0", "on disk");
    assert_eq!(ids(&withdraw(&house, "k0").await.unwrap()), "k2 k3");
    assert_eq!(ids(&withdraw(&house, "k3").await.unwrap()), "k2 k4");
    let told = house.told.lines("directory_changed", ["operation", "subject", "detail"]);
    let texts: Vec<_> = told.iter().map(|line| line.join(" ")).collect();
    assert_eq!(texts.len(), 4, "{texts:?}");
    for (text, says) in texts[1..].iter().zip([
        ["k1", "was the current key; signs: k2; next: k3"],
        ["k0", "was retired; signs: k2; next: k3"],
        ["k3", "was the next key; signs: k2; next: k4"],
    ]) {
        assert!(text.contains("signing_key.withdraw"), "{text}");
        assert!(says.iter().all(|says| text.contains(says)), "{text}: {says:?}");
    }
}

#[tokio::test]
async fn a_withdrawal_ends_no_session() {
    let house = House::new().await;
    keep(&house).await;
    let given = give(&house, "alice").await;
    withdraw(&house, "k0").await.unwrap();
    assert!(given.session.ended(house.services.kernel.clock().now()).is_none());
}

#[tokio::test]
async fn a_rotation_among_many_sessions_gives_the_thread_away() {
    let house = House::new().await;
    keep(&house).await;
    let (steps, table) = (5, house.services.kernel.sessions().table());
    let template = give(&house, "alice").await.session.record();
    for number in 1..(steps * MOST_IN_STEP) as u64 {
        let mut drawn = [0; 16];
        drawn[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
        let token = crate::sessions::tests::house::token(number).hash();
        let record = auth::SessionRecord { token, id: SessionId::from_random(drawn), ..template.clone() };
        table.insert(Arc::new(Session::from_record(record)));
    }
    let mut looking = std::pin::pin!(rotate::longest_left(&house.services));
    let mut pauses = 0;
    let longest = loop {
        match looking.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(longest) => break longest,
            Poll::Pending => pauses += 1,
        }
    };
    assert_eq!((pauses, longest), (steps, Duration::from_secs(8 * 3_600)));
}

#[tokio::test]
async fn a_retired_key_stays_as_long_as_a_token_of_it_may_live() {
    let house = House::new().await;
    keep(&house).await;
    // This one was given when tokens lived for 8 hours; now they live for a minute.
    let given = give(&house, "alice").await;
    rotate(&house, 60, true).await.unwrap();
    house.clock.advance(Duration::from_secs(8 * 3_600 - 1));
    keep(&house).await;
    assert_eq!(ids_of(&house), "k1 k2 k0");
    house.clock.advance(Duration::from_secs(1));
    keep(&house).await;
    assert_eq!(ids_of(&house), "k1 k2");
    // Those that have ended hold no key.
    assert!(given.session.ended(house.services.kernel.clock().now()).is_some());
    rotate(&house, 60, true).await.unwrap();
    house.clock.advance(Duration::from_secs(60));
    keep(&house).await;
    assert_eq!(ids_of(&house), "k2 k3");
}
