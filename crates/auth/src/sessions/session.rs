//! A session in memory, and the rules of its life. Checking and touching one takes no lock and allocates nothing.
//!
//! ```text
//!            touch (activity)                 sweep, after REASON_KEPT
//!          ┌──────┐                                   │
//!   login ─▶ live ├── idle_timeout passed ─▶ idle ─────┤
//!          └──┬───┘── max_lifetime passed ─▶ maximum ──┼─▶ forgotten (unknown)
//!             └────── end(reason) ─────────▶ reason ───┘
//! ```
//! There is no way back to live. Of two limits that have both passed, the one that passed first is the reason.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::words::clock::Moment;
use crate::words::credential::AuthMethod;
use crate::words::ids::{SessionId, UserId};
use crate::words::names::{AppName, RealmName, Scope};
use crate::words::session::{EndReason, Ended, Origin, SessionLimits, SessionRecord};
use crate::words::token::TokenHash;

/// A session.
pub struct Session {
    /// Hash of the token; the key.
    pub token: TokenHash,
    /// The public id.
    pub id: SessionId,
    /// Whose it is.
    pub user: UserId,
    /// The realm that vouched for him.
    pub realm: RealmName,
    /// Where it counts.
    pub scope: Scope,
    /// The app that it was made for.
    pub app: Option<AppName>,
    /// How he logged in.
    pub method: AuthMethod,
    /// When he logged in.
    pub created: Moment,
    /// Its limits.
    pub limits: SessionLimits,
    /// Where the login came from.
    pub origin: Origin,
    /// Whether its clients must say the token a second time, where no page of another site can.
    pub is_guarded: bool,
    /// The session that was shown as a bearer token when this one was begun, and that this one ends with.
    pub parent: Option<Box<SessionId>>,
    last_seen: AtomicU64,
    /// 0 while nobody ended it; else the moment in milliseconds times 8, plus the reason's place in `EndReason::ALL`.
    ended: AtomicU64,
    /// Whether a touch waits to be written behind.
    pub(super) touched: AtomicBool,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Session {
    /// The session that a store kept.
    #[must_use]
    pub fn from_record(record: SessionRecord) -> Self {
        Self {
            token: record.token,
            id: record.id,
            user: record.user,
            realm: record.realm,
            scope: record.scope,
            app: record.app,
            method: record.method,
            created: record.created,
            limits: record.limits,
            origin: record.origin,
            is_guarded: record.is_guarded,
            parent: record.parent,
            last_seen: AtomicU64::new(record.last_seen.as_millis()),
            ended: AtomicU64::new(record.ended.map_or(0, pack)),
            touched: AtomicBool::new(false),
        }
    }

    /// The session as a store keeps it, now.
    #[must_use]
    pub fn record(&self) -> SessionRecord {
        SessionRecord {
            token: self.token,
            id: self.id,
            user: self.user,
            realm: self.realm.clone(),
            scope: self.scope.clone(),
            app: self.app.clone(),
            method: self.method,
            created: self.created,
            last_seen: self.last_seen(),
            limits: self.limits,
            origin: self.origin.clone(),
            is_guarded: self.is_guarded,
            parent: self.parent.clone(),
            ended: self.noted_end(),
        }
    }

    /// The last activity.
    #[must_use]
    pub fn last_seen(&self) -> Moment {
        Moment::from_millis(self.last_seen.load(Ordering::Relaxed))
    }

    /// When it ends if nothing happens, and why it will.
    #[must_use]
    pub fn deadline(&self) -> Ended {
        let idle = self.last_seen().plus(self.limits.idle_timeout);
        let maximum = self.created.plus(self.limits.max_lifetime);
        if maximum < idle {
            Ended { at: maximum, reason: EndReason::Maximum }
        } else {
            Ended { at: idle, reason: EndReason::Idle }
        }
    }

    /// Whether, when and why it has ended, as of `now`. At its deadline a session is over.
    #[must_use]
    pub fn ended(&self, now: Moment) -> Option<Ended> {
        if let Some(ended) = self.noted_end() {
            return Some(ended);
        }
        let deadline = self.deadline();
        (now >= deadline.at).then_some(deadline)
    }

    /// Whether this is a bearer token's own session, which others may have been begun with.
    pub(crate) fn may_have_children(&self) -> bool {
        self.method == AuthMethod::Token && self.parent.is_none()
    }

    /// The end that somebody noted, if one is noted.
    pub(super) fn noted_end(&self) -> Option<Ended> {
        unpack(self.ended.load(Ordering::Acquire))
    }

    /// Whether it has timed out without anybody having written that down.
    pub(super) fn record_needs_end(&self, now: Moment) -> bool {
        self.noted_end().is_none() && now >= self.deadline().at
    }

    /// Whether it ended before `before`, so that nobody needs to know why any more.
    pub(super) fn ended_before(&self, before: Moment) -> bool {
        self.ended(before).is_some_and(|ended| ended.at < before)
    }

    /// Notes activity at `now`; true where the caller must see to it that this is written behind.
    ///
    /// The caller has just found the session live. A touch can never move the last activity back.
    pub(super) fn touch(&self, now: Moment) -> bool {
        let before = self.last_seen.fetch_max(now.as_millis(), Ordering::Relaxed);
        before < now.as_millis()
            && !self.touched.load(Ordering::Relaxed)
            && !self.touched.swap(true, Ordering::Relaxed)
    }

    /// Ends it in memory. The first end stays: what is returned is the end that counts.
    pub(super) fn end(&self, end: Ended) -> Ended {
        self.end_first(end).0
    }

    /// As [`end`](Self::end), and whether this call is the first that ended it: of two with the same moment and reason one is.
    pub(super) fn end_first(&self, end: Ended) -> (Ended, bool) {
        match self.ended.compare_exchange(0, pack(end), Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => (end, true),
            Err(standing) => (unpack(standing).unwrap_or(end), false),
        }
    }
}

// A ninth reason needs another bit.
const _: () = assert!(EndReason::ALL.len() <= 8);

fn pack(ended: Ended) -> u64 {
    let place = EndReason::ALL.iter().position(|reason| *reason == ended.reason).unwrap_or(0) as u64;
    // The moment is at least 1, so that an end is never 0.
    (ended.at.as_millis().max(1) << 3) | place
}

fn unpack(packed: u64) -> Option<Ended> {
    let reason = *EndReason::ALL.get((packed & 7) as usize)?;
    (packed != 0).then(|| Ended { at: Moment::from_millis(packed >> 3), reason })
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::time::Duration;

    use super::*;

    const START: Moment = Moment::from_millis(1_700_000_000_000);

    fn session(idle: u64, max: u64) -> Session {
        Session::from_record(SessionRecord {
            token: TokenHash::from_bytes([7; 32]),
            id: SessionId::from_random([1; 16]),
            user: UserId::from_bytes([2; 16]),
            realm: RealmName::native(),
            scope: Scope::new("/api"),
            app: AppName::parse("demo").ok(),
            method: AuthMethod::Password,
            created: START,
            last_seen: START,
            limits: SessionLimits {
                idle_timeout: Duration::from_secs(idle),
                max_lifetime: Duration::from_secs(max),
            },
            origin: Origin::new(IpAddr::from([127, 0, 0, 1]), None),
            is_guarded: false,
            parent: None,
            ended: None,
        })
    }

    fn at(seconds: u64) -> Moment {
        START.plus(Duration::from_secs(seconds))
    }

    #[test]
    fn asvs_7_idle_ends_it_at_the_second() {
        let session = session(60, 3_600);
        assert_eq!(session.ended(at(59)), None);
        assert_eq!(session.ended(at(60)).unwrap().reason, EndReason::Idle);
        session.touch(at(59));
        assert_eq!(session.ended(at(118)), None);
        assert_eq!(session.ended(at(119)).unwrap().reason, EndReason::Idle);
    }

    #[test]
    fn asvs_8_the_maximum_ends_it_however_busy() {
        let session = session(60, 100);
        for second in (0..100).step_by(10) {
            session.touch(at(second));
            assert_eq!(session.ended(at(second)), None);
        }
        assert_eq!(session.ended(at(99)), None);
        assert_eq!(session.ended(at(100)).unwrap().reason, EndReason::Maximum);
    }

    #[test]
    fn of_two_passed_limits_the_first_is_the_reason() {
        assert_eq!(session(60, 100).ended(at(1_000)).unwrap(), Ended { at: at(60), reason: EndReason::Idle });
        assert_eq!(
            session(200, 100).ended(at(1_000)).unwrap(),
            Ended { at: at(100), reason: EndReason::Maximum }
        );
        assert_eq!(session(100, 100).ended(at(1_000)).unwrap().reason, EndReason::Idle);
    }

    #[test]
    fn figure_18_a_clock_that_steps_back_revives_nothing_and_moves_nothing() {
        let session = session(60, 3_600);
        session.touch(at(50));
        assert!(!session.touch(at(10)));
        assert_eq!(session.last_seen(), at(50));
    }

    #[test]
    fn the_first_end_stays() {
        let session = session(60, 3_600);
        for (second, reason) in [(5, EndReason::Revoked), (6, EndReason::Logout)] {
            let counted = session.end(Ended { at: at(second), reason });
            assert_eq!(counted, Ended { at: at(5), reason: EndReason::Revoked });
        }
        session.touch(at(7));
        assert_eq!(session.ended(at(8)).unwrap().reason, EndReason::Revoked);
    }

    #[test]
    fn ends_survive_packing() {
        for reason in EndReason::ALL {
            let ended = Ended { at: START, reason };
            assert_eq!(unpack(pack(ended)), Some(ended));
        }
        assert_eq!(unpack(0), None);
    }

    #[test]
    fn records_survive_the_round_trip() {
        let session = session(60, 100);
        session.touch(at(3));
        session.end(Ended { at: at(4), reason: EndReason::Evicted });
        assert_eq!(Session::from_record(session.record()).record(), session.record());
    }
}
