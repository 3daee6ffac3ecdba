//! When keys change: pure functions of a ring and a moment in house time.
//!
//! ```text
//!  made ──▶ next ──rotation──▶ current ──rotation──▶ retired ──its last token expired──▶ gone
//!           published, waits    signs                 published
//! ```
//! A rotation moves all three by one, and makes a new next key. So a key is known to every verifier before it signs, and as
//! long as anything lives that it signed. A withdrawal takes one away at once, because somebody else may have it.
//!
//! Called by `signer.rs`. Must never take away a key that a living token may need, but where just that is asked for.

use auth::limits::{MAX_IDENTITY_LIFETIME, MAX_SIGNING_KEYS};
use auth::{KeyRing, KeyState, Moment, Rotation, RotationFault, SignFault, SigningKey};

use crate::limits::{PUBLISHED_AFTER_USE, PUBLISHED_BEFORE_USE};

/// The keys of a new installation. Its first key signs at once: nobody can have asked for keys before.
pub(crate) fn begun(current: SigningKey, next: SigningKey) -> Option<KeyRing> {
    let current = SigningKey { state: KeyState::Current, ..current };
    KeyRing::new(vec![current, SigningKey { state: KeyState::Next, ..next }]).ok()
}

/// Whether `ring` may be rotated.
///
/// # Errors
/// [`RotationFault::TooSoon`] unless it is forced, [`RotationFault::TooMany`] even then.
pub(crate) fn permit(ring: &KeyRing, forced: bool, now: Moment) -> Result<(), RotationFault> {
    let usable = ring.next().created.plus(PUBLISHED_BEFORE_USE);
    if !forced && now < usable {
        return Err(RotationFault::TooSoon(usable));
    }
    let mut ends: Vec<Moment> = ring.keys().iter().filter_map(end).filter(|until| now < *until).collect();
    ends.sort_unstable();
    // Those that are still published, the one that retires, the one that signs, the one that is made.
    match ends.first() {
        Some(first) if ends.len() + 3 > MAX_SIGNING_KEYS => Err(RotationFault::TooMany(*first)),
        _ => Ok(()),
    }
}

/// `ring` after its rotation: the next key signs, `fresh` is the next.
///
/// # Errors
/// As [`permit`].
pub(crate) fn rotated(
    ring: &KeyRing,
    fresh: SigningKey,
    rotation: Rotation,
    now: Moment,
) -> Result<KeyRing, RotationFault> {
    permit(ring, rotation.forced, now)?;
    let life = rotation.longest_life.max(MAX_IDENTITY_LIFETIME);
    let until = now.plus(life).plus(PUBLISHED_AFTER_USE);
    let moved = ring.keys().iter().filter_map(|key| {
        let state = match key.state {
            KeyState::Next => KeyState::Current,
            KeyState::Current => KeyState::Retired { until },
            KeyState::Retired { until } if until <= now => return None,
            retired @ KeyState::Retired { .. } => retired,
        };
        Some(SigningKey { state, ..key.clone() })
    });
    let keys = moved.chain([SigningKey { state: KeyState::Next, ..fresh }]).collect();
    // Its id is a hash of the key: two of the same would be two of the same key.
    KeyRing::new(keys).map_err(|_| RotationFault::Key(SignFault::System))
}

/// `ring` without the key of this id, as if it had never been; `make` makes the one that is next then, where one is needed. If it
/// was the one that signs, the next one does from now on, however short it is published: what the other signs is worth nothing.
/// `None` where no key has this id.
///
/// # Errors
/// What `make` says.
pub(crate) fn withdrawn(
    ring: &KeyRing,
    id: &str,
    make: impl FnOnce() -> Result<SigningKey, SignFault>,
) -> Result<Option<KeyRing>, SignFault> {
    let Some(gone) = ring.keys().iter().find(|key| *key.id == *id) else { return Ok(None) };
    let fresh = match gone.state {
        KeyState::Retired { .. } => None,
        KeyState::Next | KeyState::Current => Some(SigningKey { state: KeyState::Next, ..make()? }),
    };
    let kept = ring.keys().iter().filter(|key| key.id != gone.id).map(|key| match (gone.state, key.state) {
        (KeyState::Current, KeyState::Next) => SigningKey { state: KeyState::Current, ..key.clone() },
        _ => key.clone(),
    });
    // There are as many keys as before or one less.
    KeyRing::new(kept.chain(fresh).collect()).map(Some).map_err(|_| SignFault::System)
}

/// `ring` without the keys that nobody needs any more; `None` where there is none of these.
pub(crate) fn swept(ring: &KeyRing, now: Moment) -> Option<KeyRing> {
    let is_over = |key: &SigningKey| end(key).is_some_and(|until| until <= now);
    if !ring.keys().iter().any(is_over) {
        return None;
    }
    KeyRing::new(ring.keys().iter().filter(|key| !is_over(key)).cloned().collect()).ok()
}

fn end(key: &SigningKey) -> Option<Moment> {
    match key.state {
        KeyState::Retired { until } => Some(until),
        KeyState::Next | KeyState::Current => None,
    }
}

#[cfg(test)]
mod tests;
