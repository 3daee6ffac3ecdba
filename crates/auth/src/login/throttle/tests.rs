//! Tests of the throttle alone, with a hand on the clock. With the kernel around it: `tests/kernel.rs`.

use std::pin::{Pin, pin};
use std::sync::atomic::AtomicU64;
use std::task::{Context, Poll, Waker};

use super::*;
use crate::login::hand::Hand;

const START: Moment = Moment::from_millis(1_748_441_115_000);
const WINDOW: Duration = Duration::from_secs(300);
const LIMITS: ThrottleLimits =
    ThrottleLimits { attempts_per_user: 10, attempts_per_address: 100, window: WINDOW };
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A throttle with its clock.
struct Scene {
    clock: Arc<Hand>,
    throttle: Throttle,
}

impl Scene {
    fn new() -> Self {
        Self::remembering(LIMITS, Vec::new(), MAX_THROTTLED_KEYS)
    }

    fn remembering(limits: ThrottleLimits, attempts: Vec<AttemptRecord>, room: usize) -> Self {
        let clock = Arc::new(Hand(AtomicU64::new(START.as_millis())));
        let throttle = Throttle::with_room(limits, Arc::clone(&clock) as Arc<dyn Clock>, attempts, room);
        Self { clock, throttle }
    }

    /// Asks for a ticket; nobody is in flight, so nobody waits.
    fn ask(&self, user: &str, from: &str) -> Result<Ticket<'_>, Duration> {
        let username = Username::presented(user).unwrap();
        now(pin!(self.throttle.admit("native", &username, from.parse().unwrap())))
            .expect("nobody to wait for")
    }

    /// One look that ends so; the counters to be written down.
    fn look(&self, user: &str, from: &str, outcome: Outcome) -> Result<Vec<AttemptRecord>, Duration> {
        self.ask(user, from).map(|ticket| ticket.settle(&outcome))
    }

    fn fail(&self, user: &str, from: &str) -> Result<Vec<AttemptRecord>, Duration> {
        self.look(user, from, Outcome::Failure)
    }

    /// Fails until a pause begins; how many looks that took.
    fn fail_until_paused(&self, user: &str, from: &str) -> u32 {
        let mut looks = 0;
        while self.fail(user, from).is_ok() {
            looks += 1;
        }
        looks
    }
}

fn now<T>(future: Pin<&mut impl Future<Output = T>>) -> Option<T> {
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => Some(done),
        Poll::Pending => None,
    }
}

#[test]
fn one_household_is_one_client() {
    let key = |text: &str| address_key(client_of(text.parse().unwrap()));
    assert_eq!(key("2001:db8:1:2::1"), key("2001:db8:1:2:ffff::9"));
    assert_ne!(key("2001:db8:1:2::1"), key("2001:db8:1:3::1"));
    assert_eq!(key("::ffff:192.0.2.1"), key("192.0.2.1"));

    let scene = Scene::new();
    for number in 0..LIMITS.attempts_per_address {
        scene.fail(&format!("user{number}"), &format!("2001:db8:1:2::{number:x}")).unwrap();
    }
    assert_eq!(scene.fail("another", "2001:db8:1:2:aaaa::1").unwrap_err(), WINDOW);
    scene.fail("another", "2001:db8:1:3::1").unwrap();
}

#[test]
fn the_last_failure_before_the_limit_does_not_pause_and_the_next_does() {
    let scene = Scene::new();
    for _ in 1..LIMITS.attempts_per_user {
        scene.fail("alice", "192.0.2.1").unwrap();
    }
    let last = scene.ask("alice", "192.0.2.1").expect("one look is left");
    last.settle(&Outcome::Failure);
    for from in ["192.0.2.1", "198.51.100.7", "2001:db8::1"] {
        assert_eq!(scene.fail("alice", from).unwrap_err(), WINDOW, "a user's pause counts from everywhere");
    }
    scene.fail("bob", "192.0.2.1").unwrap();
    scene.clock.advance(WINDOW - Duration::from_millis(1));
    assert_eq!(scene.fail("alice", "192.0.2.1").unwrap_err(), Duration::from_millis(1));
    scene.clock.advance(Duration::from_millis(1));
    scene.fail("alice", "192.0.2.1").unwrap();
}

#[test]
fn the_limit_of_an_address_has_two_sides() {
    let scene = Scene::new();
    for number in 0..LIMITS.attempts_per_address {
        scene.fail(&format!("user{number}"), "192.0.2.1").unwrap();
    }
    assert_eq!(scene.fail("user", "192.0.2.1").unwrap_err(), WINDOW);
    scene.fail("user", "192.0.2.2").unwrap();
}

#[test]
fn failures_outside_the_window_are_forgotten() {
    let scene = Scene::new();
    for _ in 1..LIMITS.attempts_per_user {
        scene.fail("alice", "192.0.2.1").unwrap();
    }
    scene.clock.advance(WINDOW);
    assert_eq!(scene.fail_until_paused("alice", "192.0.2.1"), LIMITS.attempts_per_user);
}

#[test]
fn pauses_double_up_to_the_longest_and_a_quiet_day_forgets_them() {
    let scene = Scene::new();
    let mut expected = WINDOW;
    for _ in 0..40 {
        assert_eq!(scene.fail_until_paused("alice", "192.0.2.1"), LIMITS.attempts_per_user);
        assert_eq!(scene.fail("alice", "192.0.2.1").unwrap_err(), expected);
        scene.clock.advance(expected);
        expected = (expected * 2).min(MAX_PAUSE);
    }
    assert_eq!(expected, MAX_PAUSE);
    scene.clock.advance(DAY);
    scene.fail_until_paused("alice", "192.0.2.1");
    assert_eq!(scene.fail("alice", "192.0.2.1").unwrap_err(), WINDOW);
}

#[test]
fn asvs_61_a_success_clears_the_count() {
    let scene = Scene::new();
    for _ in 0..20 {
        for _ in 0..5 {
            scene.fail("alice", "192.0.2.1").unwrap();
        }
        scene.look("alice", "192.0.2.1", Outcome::Success).unwrap();
        scene.clock.advance(WINDOW / 2);
    }
    // The pauses of before count no more either.
    scene.fail_until_paused("bob", "192.0.2.9");
    scene.clock.advance(WINDOW);
    scene.look("bob", "192.0.2.9", Outcome::Success).unwrap();
    scene.fail_until_paused("bob", "192.0.2.10");
    assert_eq!(scene.fail("bob", "192.0.2.10").unwrap_err(), WINDOW);
}

#[test]
fn asvs_62_at_most_100_failures_of_a_user_in_an_hour() {
    let scene = Scene::new();
    for hour in 0..24 {
        let mut looks = 0;
        for second in 0..3_600u32 {
            let from = format!("198.51.{}.{}", second / 256, second % 256);
            looks += u32::from(scene.fail("alice", &from).is_ok());
            scene.clock.advance(Duration::from_secs(1));
        }
        assert!(looks <= 100, "{looks} looks in hour {hour}");
    }
}

#[test]
fn case_13_spellings_of_a_name_are_counted_as_one() {
    let scene = Scene::new();
    let spellings = ["alice", "Alice", "ALICE", "ａｌｉｃｅ", "ＡＬＩＣＥ"];
    for look in 0..LIMITS.attempts_per_user as usize {
        scene.fail(spellings[look % spellings.len()], "192.0.2.1").unwrap();
    }
    for spelling in spellings {
        assert!(scene.fail(spelling, "192.0.2.1").is_err(), "{spelling}");
    }
    scene.fail("аlice", "192.0.2.1").unwrap();
}

#[test]
fn realm_and_name_cannot_slide_into_each_other() {
    let key = |realm: &str, user: &str| user_key(realm, &Username::presented(user).unwrap());
    assert_ne!(key("a", "b/c"), key("a/b", "c"));
    assert_ne!(key("native", "alice"), key("ldap", "alice"));
}

#[test]
fn asvs_47_strangers_do_not_lock_out_the_user_where_he_is_known() {
    let scene = Scene::new();
    scene.look("alice", "192.0.2.1", Outcome::Success).unwrap();
    scene.look("alice", "2001:db8:1:2::1", Outcome::Success).unwrap();
    scene.fail_until_paused("alice", "198.51.100.7");
    assert!(scene.look("alice", "203.0.113.5", Outcome::Success).is_err(), "nobody knows this address");
    scene.look("alice", "192.0.2.1", Outcome::Success).unwrap();
    scene.look("alice", "2001:db8:1:2:ffff::77", Outcome::Success).unwrap();
    // His own failures there count, and lock out that address only.
    assert_eq!(scene.fail_until_paused("alice", "192.0.2.1"), LIMITS.attempts_per_user);
    scene.look("alice", "2001:db8:1:2::1", Outcome::Success).unwrap();
    // An address is known for a month.
    scene.clock.advance(ADDRESS_KNOWN + DAY);
    scene.fail_until_paused("alice", "198.51.100.7");
    assert!(scene.ask("alice", "2001:db8:1:2::1").is_err());
}

#[test]
fn known_addresses_are_limited_and_the_oldest_makes_room() {
    let scene = Scene::new();
    for number in 0..=MAX_KNOWN_ADDRESSES {
        scene.look("alice", &format!("192.0.2.{number}"), Outcome::Success).unwrap();
        scene.clock.advance(Duration::from_secs(1));
    }
    scene.fail_until_paused("alice", "198.51.100.7");
    assert!(scene.ask("alice", "192.0.2.0").is_err());
    for number in 1..=MAX_KNOWN_ADDRESSES {
        scene.look("alice", &format!("192.0.2.{number}"), Outcome::Success).unwrap();
    }
}

#[test]
fn a_look_that_nobody_could_take_counts_neither_way() {
    let scene = Scene::new();
    for _ in 1..LIMITS.attempts_per_user {
        scene.fail("alice", "192.0.2.1").unwrap();
    }
    for _ in 0..1_000 {
        assert!(scene.look("alice", "192.0.2.1", Outcome::Void).unwrap().is_empty());
    }
    assert_eq!(scene.fail_until_paused("alice", "192.0.2.1"), 1);
}

#[test]
fn case_14_who_leaves_before_the_answer_has_used_his_look() {
    let scene = Scene::new();
    for _ in 0..LIMITS.attempts_per_user {
        drop(scene.ask("alice", "192.0.2.1").unwrap());
    }
    assert_eq!(scene.fail("alice", "192.0.2.1").unwrap_err(), WINDOW);
}

#[test]
fn case_15_pauses_and_known_addresses_survive_a_restart() {
    let scene = Scene::new();
    let mut disk: HashMap<Box<str>, AttemptRecord> = HashMap::new();
    let mut write =
        |records: Vec<AttemptRecord>| disk.extend(records.into_iter().map(|r| (r.key.clone(), r)));
    write(scene.look("alice", "192.0.2.1", Outcome::Success).unwrap());
    for _ in 0..LIMITS.attempts_per_user {
        write(scene.fail("alice", "198.51.100.7").unwrap());
    }
    for _ in 0..3 {
        write(scene.fail("bob", "198.51.100.7").unwrap());
    }
    let after = Scene::remembering(LIMITS, disk.into_values().collect(), MAX_THROTTLED_KEYS);
    assert_eq!(after.fail("alice", "198.51.100.7").unwrap_err(), WINDOW);
    after.look("alice", "192.0.2.1", Outcome::Success).unwrap();
    assert_eq!(after.fail_until_paused("bob", "198.51.100.8"), LIMITS.attempts_per_user - 3);
    after.clock.advance(WINDOW);
    after.fail_until_paused("alice", "198.51.100.8");
    assert_eq!(
        after.fail("alice", "198.51.100.8").unwrap_err(),
        WINDOW * 2,
        "the second pause is the longer one"
    );
}

#[test]
fn case_15_a_full_table_throttles_strangers_and_frees_nobody() {
    // Room for alice, three others, and the four addresses they came from.
    let scene = Scene::remembering(LIMITS, Vec::new(), 8);
    scene.fail_until_paused("alice", "192.0.2.1");
    for number in 2..5 {
        scene.fail(&format!("user{number}"), &format!("192.0.2.{number}")).unwrap();
    }
    assert_eq!(scene.throttle.lock().counters.len(), 8);
    for number in 0..1_000 {
        assert_eq!(scene.fail(&format!("random{number}"), "192.0.2.1").unwrap_err(), SHORTLY);
    }
    assert_eq!(scene.throttle.lock().counters.len(), 8);
    scene.fail("user2", "192.0.2.2").unwrap();
    assert_eq!(scene.fail("alice", "192.0.2.1").unwrap_err(), WINDOW);
    // A day later the counts say nothing any more, and make room.
    scene.clock.advance(DAY + WINDOW);
    scene.fail("stranger", "203.0.113.1").unwrap();
}

#[test]
fn refused_attempts_take_no_room() {
    let scene = Scene::new();
    for number in 0..LIMITS.attempts_per_address {
        scene.fail(&format!("user{number}"), "192.0.2.1").unwrap();
    }
    let before = scene.throttle.lock().counters.len();
    for number in 0..1_000 {
        assert!(scene.fail(&format!("random{number}"), "192.0.2.1").is_err());
    }
    assert_eq!(scene.throttle.lock().counters.len(), before);
}

#[test]
fn housekeeping_forgets_what_frees_nobody() {
    let scene = Scene::new();
    scene.fail_until_paused("alice", "192.0.2.1");
    scene.look("bob", "192.0.2.2", Outcome::Success).unwrap();
    scene.throttle.forget_idle();
    assert_eq!(scene.throttle.lock().counters.len(), 4);
    scene.clock.advance(DAY + WINDOW);
    let (before, known_before) = scene.throttle.forget_idle();
    assert_eq!(scene.throttle.lock().counters.len(), 1, "bob's address is remembered for a month");
    let now = scene.clock.now();
    assert_eq!((now.since(before), now.since(known_before)), (DAY, ADDRESS_KNOWN));
    scene.clock.advance(ADDRESS_KNOWN);
    scene.throttle.forget_idle();
    assert_eq!(scene.throttle.lock().counters.len(), 0);
}

#[test]
fn who_comes_while_others_fill_the_limit_waits_for_their_ends() {
    let scene = Scene::new();
    let alice = Username::presented("alice").unwrap();
    let from: IpAddr = "192.0.2.1".parse().unwrap();
    let mut tickets: Vec<_> =
        (0..LIMITS.attempts_per_user).map(|_| scene.ask("alice", "192.0.2.1").unwrap()).collect();
    assert!(tickets.iter().all(|ticket| !ticket.waited()));
    let mut first = pin!(scene.throttle.admit("native", &alice, from));
    let mut second = pin!(scene.throttle.admit("native", &alice, from));
    assert!(now(first.as_mut()).is_none() && now(second.as_mut()).is_none());
    scene.fail("bob", "192.0.2.1").unwrap();
    assert!(now(first.as_mut()).is_none(), "another user's end is not the one that is waited for");

    tickets.pop().unwrap().settle(&Outcome::Void);
    let ticket = now(first.as_mut()).expect("a place is free").expect("and there is no pause");
    assert!(ticket.waited());
    assert!(now(second.as_mut()).is_none());
    for other in tickets {
        other.settle(&Outcome::Failure);
    }
    assert!(now(second.as_mut()).is_none(), "nine failures and one in flight");
    ticket.settle(&Outcome::Failure);
    assert_eq!(now(second.as_mut()).expect("the pause is an answer").err(), Some(WINDOW));
    assert_eq!(scene.throttle.waiting.load(Ordering::SeqCst), 0);
}

#[test]
fn the_number_of_those_who_wait_has_a_limit_on_both_sides() {
    let scene = Scene::new();
    let alice = Username::presented("alice").unwrap();
    let from: IpAddr = "192.0.2.1".parse().unwrap();
    let tickets: Vec<_> =
        (0..LIMITS.attempts_per_user).map(|_| scene.ask("alice", "192.0.2.1").unwrap()).collect();
    let mut waiting: Vec<_> =
        (0..MAX_WAITING_LOGINS).map(|_| Box::pin(scene.throttle.admit("native", &alice, from))).collect();
    for one in &mut waiting {
        assert!(now(one.as_mut()).is_none());
    }
    let refused = now(pin!(scene.throttle.admit("native", &alice, from)));
    assert_eq!(refused.expect("nobody waits without a place").err(), Some(SHORTLY));
    waiting.pop();
    assert!(now(pin!(scene.throttle.admit("native", &alice, from))).is_none(), "a place was given back");
    drop(tickets);
}

#[test]
fn stricter_settings_hold_at_once_and_are_not_waited_for() {
    let scene = Scene::new();
    for _ in 0..5 {
        scene.fail("alice", "192.0.2.1").unwrap();
    }
    scene.throttle.replace_limits(ThrottleLimits { attempts_per_user: 5, ..LIMITS });
    assert_eq!(scene.fail("alice", "192.0.2.1").unwrap_err(), WINDOW);
    scene.throttle.replace_limits(ThrottleLimits { attempts_per_user: 0, ..LIMITS });
    assert!(scene.fail("bob", "192.0.2.9").is_err());
}

proptest::proptest! {
    /// However looks overlap and end: never more failures and looks in flight than the limit, no look in a pause, and a
    /// pause after the last allowed failure.
    #[test]
    fn no_order_of_events_gives_more_looks_than_the_limit(
        steps in proptest::collection::vec((0u8..6, 0usize..8, 0u64..400), 1..200),
    ) {
        let limits = ThrottleLimits { attempts_per_user: 3, ..LIMITS };
        let scene = Scene::remembering(limits, Vec::new(), 100);
        let alice = Username::presented("alice").unwrap();
        let from: IpAddr = "192.0.2.1".parse().unwrap();
        let mut tickets = Vec::new();
        // The window starts with the first look, so `since` starts long ago.
        let (mut failures, mut since, mut paused_until) = (0, Moment::default(), Moment::default());
        for (step, which, seconds) in steps {
            let at = scene.clock.now();
            match step {
                0 | 1 => {
                    if at >= paused_until && at.since(since) >= WINDOW {
                        (failures, since) = (0, at);
                    }
                    match now(pin!(scene.throttle.admit("native", &alice, from))) {
                        Some(Ok(ticket)) => {
                            proptest::prop_assert!(at >= paused_until, "a look in a pause");
                            tickets.push(ticket);
                            proptest::prop_assert!(failures + tickets.len() <= 3, "{} + {}", failures, tickets.len());
                        }
                        Some(Err(span)) => proptest::prop_assert_eq!(span, paused_until.since(at)),
                        None => proptest::prop_assert!(failures + tickets.len() >= 3, "nobody to wait for"),
                    }
                }
                2 | 3 if !tickets.is_empty() => {
                    let ticket = tickets.swap_remove(which % tickets.len());
                    if step == 2 { drop(ticket) } else { drop(ticket.settle(&Outcome::Failure)) }
                    failures += 1;
                    if failures >= 3 {
                        paused_until = scene.throttle.lock().counters[&user_key("native", &alice)].record.paused_until;
                        proptest::prop_assert!(paused_until >= at.plus(WINDOW));
                        (failures, since) = (0, at);
                    }
                }
                4 if !tickets.is_empty() => {
                    let ticket = tickets.swap_remove(which % tickets.len());
                    ticket.settle(&Outcome::Void);
                }
                _ => scene.clock.advance(Duration::from_secs(seconds)),
            }
        }
    }
}
