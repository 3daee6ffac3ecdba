//! The identity tokens that were signed lately.
//!
//! Called by `signer.rs`. Must never give a token of another user, and must never give one that says what the snapshot at hand does
//! not say.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use auth::directory::{Account, Snapshot};
use auth::trust::Authenticated;
use auth::{Audience, AuthMethod, Moment, RoleName, SessionId, UserId};
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::limits::MAX_REMEMBERED_BYTES;

/// About what a token has beside its text: itself, its roles' list, its key's name, its place in the cache.
const BYTES_BESIDE: u64 = 256;
/// For how many tokens the cache makes room at once; it grows.
const FIRST_ROOM: usize = 1_024;

/// Whose token for whom.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    who: Who,
    audience: [u8; 16],
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Who {
    /// He came with a session.
    Session(SessionId),
    /// He came with a secret: all that such tokens say of it is its kind.
    Secret(UserId, AuthMethod),
}

impl Place {
    pub(crate) fn of(known: &Authenticated, audience: &Audience) -> Self {
        let who = match known.session() {
            Some(session) => Who::Session(session.id),
            None => Who::Secret(known.account().user.id, known.method()),
        };
        Self { who, audience: *audience.digest() }
    }
}

/// A token, and all that it was made of.
pub(crate) struct Signed {
    pub(crate) account: Arc<Account>,
    pub(crate) roles: Box<[RoleName]>,
    /// The id of the key.
    pub(crate) key: Box<str>,
    /// The last snapshot of which this was found true.
    pub(crate) generation: AtomicU64,
    /// The last moment at which half of its life is left, in house time.
    pub(crate) fresh_until: Moment,
    /// When the wall clock may say of it that it began and has half of its life left. The wall can be set while house time goes
    /// on, and others hold a token's times against walls.
    pub(crate) on_the_wall: RangeInclusive<Moment>,
    pub(crate) token: Arc<str>,
}

impl Signed {
    /// Whether it says of `account` what `snapshot` says, and would be signed with the same key.
    fn holds_for(&self, account: &Arc<Account>, snapshot: &Snapshot, (now, wall): (Moment, Moment)) -> bool {
        // Asked in any case: the account may be of an earlier snapshot than the one at hand.
        let is_fresh = now <= self.fresh_until && self.on_the_wall.contains(&wall);
        if !is_fresh || !Arc::ptr_eq(&self.account, account) {
            return false;
        }
        // Relaxed: the number says something of this value alone, which never changes.
        if self.generation.load(Ordering::Relaxed) == snapshot.generation() {
            return true;
        }
        let roles = snapshot.roles_of(account).map(|role| &role.role.name);
        let holds = self.roles.iter().eq(roles)
            && snapshot.key_ring().is_some_and(|ring| ring.current().id == self.key);
        if holds {
            self.generation.store(snapshot.generation(), Ordering::Relaxed);
        }
        holds
    }
}

#[derive(Clone)]
struct Bytes;

impl Weighter<Place, Arc<Signed>> for Bytes {
    fn weight(&self, _: &Place, signed: &Arc<Signed>) -> u64 {
        let roles = size_of_val::<[RoleName]>(&signed.roles);
        (signed.token.len() + roles) as u64 + BYTES_BESIDE
    }
}

/// The memory of tokens: bounded, and each as short-lived as half a token.
pub(crate) struct Remembered(Cache<Place, Arc<Signed>, Bytes>);

impl Remembered {
    /// An empty memory.
    pub(crate) fn new() -> Self {
        Self::with_room(MAX_REMEMBERED_BYTES)
    }

    fn with_room(bytes: u64) -> Self {
        Self(Cache::with_weighter(FIRST_ROOM, bytes, Bytes))
    }

    /// The token of this place, if it is as good as a new one. `times` are house time and the wall clock's.
    pub(crate) fn recall(
        &self,
        place: &Place,
        account: &Arc<Account>,
        snapshot: &Snapshot,
        times: (Moment, Moment),
    ) -> Option<Arc<str>> {
        let signed = self.0.get(place)?;
        signed.holds_for(account, snapshot, times).then(|| Arc::clone(&signed.token))
    }

    /// Remembers a token in the place of any other.
    pub(crate) fn remember(&self, place: Place, signed: Signed) {
        self.0.insert(place, Arc::new(signed));
    }
}

#[cfg(test)]
mod tests {
    use testkit::suites::{maker, samples};

    use super::*;

    #[test]
    fn the_memory_has_two_sides() {
        let user = samples::user("alice");
        let image = auth::DirectoryImage { users: vec![user.clone()], ..auth::DirectoryImage::default() };
        let snapshot = maker::snapshot(image, [].into());
        let account = snapshot.account(&user.id).unwrap();
        let now = Moment::default();
        let signed = || Signed {
            account: Arc::clone(account),
            roles: Box::default(),
            key: Box::from("a"),
            generation: AtomicU64::new(0),
            fresh_until: now,
            on_the_wall: now..=now,
            token: Arc::from("x".repeat(744)),
        };
        let place =
            |number: u8| Place { who: Who::Session(SessionId::from_bytes([number; 16])), audience: [0; 16] };
        // Each weighs 1,000 bytes. All of a shard's room is for what fits into it.
        let kept = |room: u64, count: u8| {
            let memory = Remembered::with_room(room);
            (0..count).for_each(|number| memory.remember(place(number), signed()));
            assert!(memory.0.weight() <= memory.0.capacity());
            (0..count)
                .filter(|number| memory.recall(&place(*number), account, &snapshot, (now, now)).is_some())
                .count()
        };
        assert_eq!(kept(1_000_000, 100), 100);
        assert!((1..100).contains(&kept(50_000, 100)));
        assert_eq!(kept(0, 1), 0);
    }
}
