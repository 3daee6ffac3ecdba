//! The ledger with a hand on the clock: what is written, what is counted, and that nothing is left out of both.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::atomic::AtomicU64;

use proptest::prelude::*;

use super::*;
use crate::login::Hand;
use crate::reason::Reason;
use crate::store::{Pending, StoreError};
use crate::words::audit::{AuditFilter, AuditRecord};

/// A store that remembers what it was told and nothing else.
#[derive(Default)]
struct Pages(Mutex<Vec<AuditEntry>>);

impl AuditStore for Pages {
    fn append(&self, entry: AuditEntry) {
        self.0.lock().unwrap().push(entry);
    }

    fn read(&self, _: AuditFilter) -> Pending<'_, Result<Vec<AuditRecord>, StoreError>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn forget_audit(&self, _: Moment) -> Pending<'_, Result<u64, StoreError>> {
        Box::pin(async { Ok(0) })
    }
}

struct House {
    clock: Arc<Hand>,
    pages: Arc<Pages>,
    ledger: Ledger,
}

impl House {
    fn new() -> Self {
        let clock = Arc::new(Hand(AtomicU64::new(1_748_441_115_000)));
        let pages = Arc::new(Pages::default());
        let ledger = Ledger::new(Arc::clone(&pages) as _, Arc::clone(&clock) as _);
        Self { clock, pages, ledger }
    }

    fn fail(&self, address: IpAddr) {
        self.ledger.note(&failure("alice", address));
    }

    /// How many lines say so, and the counts of those that were counted.
    fn written(&self) -> (usize, Vec<u64>) {
        let lines = self.pages.0.lock().unwrap();
        let failures = lines.iter().filter(|line| line.event == "login_failed").count();
        let counts = lines.iter().filter(|line| line.event == "failures_repeated");
        (failures, counts.map(|line| line.fields["count"].parse().unwrap()).collect())
    }
}

fn failure(username: &str, address: IpAddr) -> Event {
    let reason = Reason::WrongPassword;
    Event::LoginFailed { realm: Box::from("native"), username: Box::from(username), address, reason }
}

fn address(number: u32) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from_bits(number))
}

fn most() -> usize {
    usize::try_from(MAX_AUDITED_FAILURES).unwrap()
}

#[test]
fn case_15_the_failures_of_an_address_are_written_up_to_a_limit_and_then_counted() {
    let house = House::new();
    for _ in 0..most() {
        house.fail(address(1));
    }
    house.clock.advance(MINUTE);
    house.ledger.settle();
    assert_eq!(house.written(), (most(), vec![]), "exactly the limit: nothing is left to be counted");
    for _ in 0..most() + 3 {
        house.fail(address(1));
    }
    house.fail(address(2));
    house.clock.advance(MINUTE - Duration::from_millis(1));
    house.ledger.settle();
    assert_eq!(house.written(), (2 * most() + 1, vec![]), "the minute is not over");
    house.clock.advance(Duration::from_millis(1));
    house.ledger.settle();
    house.ledger.settle();
    assert_eq!(house.written(), (2 * most() + 1, vec![3]), "once");
    house.fail(address(1));
    assert_eq!(house.written().0, 2 * most() + 2, "the next minute begins with nothing");
}

#[test]
fn a_count_is_written_with_the_next_event_or_at_the_end() {
    let house = House::new();
    let operated = Event::Operated { operation: "server.start", detail: Box::from("") };
    for _ in 0..=most() {
        house.fail(address(1));
    }
    house.ledger.note(&operated);
    assert!(house.written().1.is_empty());
    house.clock.advance(MINUTE);
    house.ledger.note(&operated);
    assert_eq!(house.written().1, [1]);
    for _ in 0..most() + 2 {
        house.fail(address(1));
    }
    house.ledger.close();
    assert_eq!(house.written().1, [1, 2]);
}

#[test]
fn a_network_of_ipv6_is_one_client_and_what_worked_is_always_written() {
    let house = House::new();
    let at = |host: u16| IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 1, 2, 0, 0, 0, host));
    for host in 0..=MAX_AUDITED_FAILURES {
        house.fail(at(host.try_into().unwrap()));
    }
    house.fail(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 1, 3, 0, 0, 0, 1)));
    house.ledger.close();
    assert_eq!(house.written(), (most() + 1, vec![1]));
    let lines = house.pages.0.lock().unwrap();
    assert_eq!(&*lines.last().unwrap().fields["client.address"], "2001:db8:1:2::");
    drop(lines);
    for _ in 0..2 * most() {
        house.ledger.note(&Event::Operated { operation: "server.start", detail: Box::from("") });
    }
    assert_eq!(house.pages.0.lock().unwrap().len(), most() + 2 + 2 * most());
}

#[test]
fn addresses_beyond_the_limit_share_a_count() {
    let house = House::new();
    let room = u32::try_from(MAX_AUDITED_ADDRESSES).unwrap();
    for number in 0..room {
        house.fail(address(number));
    }
    assert_eq!(house.written().0, MAX_AUDITED_ADDRESSES);
    for number in room..room + MAX_AUDITED_FAILURES + 7 {
        house.fail(address(number));
    }
    house.fail(address(0));
    house.ledger.close();
    assert_eq!(house.written(), (MAX_AUDITED_ADDRESSES + most() + 1, vec![7]));
    assert!(!house.pages.0.lock().unwrap().last().unwrap().fields.contains_key("client.address"));
}

#[test]
fn case_27_texts_are_cut_between_characters() {
    let house = House::new();
    house.ledger.note(&failure(&"x".repeat(MAX_STRANGERS_TEXT), address(1)));
    house.ledger.note(&failure(&format!("{}ß", "x".repeat(MAX_STRANGERS_TEXT - 1)), address(1)));
    for length in [MAX_AUDITED_TEXT, MAX_AUDITED_TEXT + 1] {
        let detail = "x".repeat(length).into_boxed_str();
        house.ledger.note(&Event::Operated { operation: "server.start", detail });
    }
    let lines = house.pages.0.lock().unwrap();
    let text = |line: usize, field: &str| lines[line].fields[field].to_string();
    assert_eq!(text(0, "user.name"), "x".repeat(MAX_STRANGERS_TEXT));
    assert_eq!(text(1, "user.name"), format!("{}…", "x".repeat(MAX_STRANGERS_TEXT - 1)));
    assert_eq!(text(2, "detail"), "x".repeat(MAX_AUDITED_TEXT));
    assert_eq!(text(3, "detail"), format!("{}…", "x".repeat(MAX_AUDITED_TEXT)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever comes in whatever order: what is written and what is counted is what happened.
    #[test]
    fn no_failure_is_lost(steps in proptest::collection::vec((0u32..4, 0u64..40_000, 0usize..250), 1..30)) {
        let house = House::new();
        let mut happened = 0;
        for (from, passes, failures) in steps {
            house.clock.advance(Duration::from_millis(passes));
            if failures % 7 == 0 {
                house.ledger.settle();
            }
            for _ in 0..failures {
                house.fail(address(from));
            }
            happened += failures;
            let (written, counted) = house.written();
            prop_assert!(written + usize::try_from(counted.iter().sum::<u64>()).unwrap() <= happened);
        }
        house.ledger.close();
        let (written, counted) = house.written();
        prop_assert_eq!(written + usize::try_from(counted.iter().sum::<u64>()).unwrap(), happened);
    }
}
