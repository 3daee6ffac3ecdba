//! What every audit log must do, whatever it is made of.
//!
//! Called by the tests of every store room with a closure that makes empty stores. Must never know a store by name, nor
//! test what only one of them can do (that is the room's own test).

use std::borrow::Cow;
use std::time::Duration;

use auth::{AuditEntry, AuditFilter, AuditHash, AuditRecord, AuditStore, Moment};

use super::clock::START;
use super::samples::{HOSTILE, audit_entry};

/// More lines than any test has.
const ALL: usize = 1_000_000;

/// Runs every case, each on an empty store of its own.
///
/// # Panics
/// If the store does not do what a store must.
pub async fn audit_store_suite<S: AuditStore>(make: impl AsyncFn() -> S) {
    starts_empty(&make().await).await;
    keeps_lines_in_order_and_chained(&make().await).await;
    finds_by_every_filter(&make().await).await;
    finds_across_many_lines(&make().await).await;
    pages_in_both_orders(&make().await).await;
    forgets_the_oldest_only(&make().await).await;
    forgets_everything_and_goes_on(&make().await).await;
    case_27_no_field_alters_another(&make().await).await;
}

/// Every line of a store, the oldest first.
///
/// # Panics
/// If the store cannot be read.
pub async fn all_lines(store: &(impl AuditStore + ?Sized)) -> Vec<AuditRecord> {
    find(store, AuditFilter { oldest_first: true, limit: ALL, ..AuditFilter::default() }).await
}

/// Holds lines against what was to be written, `before` being the place of the line before the first.
///
/// # Panics
/// If they are not these, or not chained.
pub fn assert_chained(lines: &[AuditRecord], mut before: AuditHash, expected: &[AuditEntry]) {
    assert_eq!(lines.len(), expected.len());
    for (line, entry) in lines.iter().zip(expected) {
        assert_eq!(line.entry, *entry);
        assert_eq!(line.hash, before.followed_by(line.sequence, entry), "line {}", line.sequence);
        before = line.hash;
    }
    assert!(lines.is_sorted_by(|one, other| one.sequence + 1 == other.sequence), "none is left out");
}

async fn find(store: &(impl AuditStore + ?Sized), filter: AuditFilter) -> Vec<AuditRecord> {
    store.read(filter).await.expect("read")
}

async fn numbers(store: &impl AuditStore, filter: AuditFilter) -> Vec<u64> {
    find(store, filter).await.iter().map(|line| line.sequence).collect()
}

fn oldest_first() -> AuditFilter {
    AuditFilter { oldest_first: true, limit: ALL, ..AuditFilter::default() }
}

fn newest_first() -> AuditFilter {
    AuditFilter { oldest_first: false, ..oldest_first() }
}

fn at(second: u64) -> Moment {
    START.plus(Duration::from_secs(second))
}

async fn starts_empty(store: &impl AuditStore) {
    assert!(all_lines(store).await.is_empty());
    assert!(find(store, newest_first()).await.is_empty());
    assert_eq!(store.forget_audit(at(1_000_000)).await.expect("forget"), 0);
}

async fn keeps_lines_in_order_and_chained(store: &impl AuditStore) {
    let entries: Vec<_> = (0..300).map(audit_entry).collect();
    for (number, entry) in entries.iter().enumerate() {
        store.append(entry.clone());
        if number % 100 == 7 {
            assert_eq!(all_lines(store).await.len(), number + 1, "what was added before is read");
        }
    }
    let lines = all_lines(store).await;
    assert_eq!(lines[0].sequence, 1);
    assert_chained(&lines, AuditHash::GENESIS, &entries);
    let mut backwards = find(store, newest_first()).await;
    backwards.reverse();
    assert_eq!(backwards, lines);
}

/// Lines 1 to 60: a login, a denial and an end in turn, of three users from two addresses, one each second.
async fn sixty_lines(store: &impl AuditStore) {
    for number in 0..60 {
        store.append(audit_entry(number));
    }
}

async fn finds_by_every_filter(store: &impl AuditStore) {
    sixty_lines(store).await;
    let filter = |event: Option<&str>,
                  fields: &[(&'static str, String)],
                  times: (Option<u64>, Option<u64>)| AuditFilter {
        event: event.map(str::to_owned),
        fields: fields.to_vec(),
        since: times.0.map(at),
        until: times.1.map(at),
        ..oldest_first()
    };
    let field = |name: &'static str, number: u64| (name, audit_entry(number).fields[name].to_string());
    let expect = async |filter: AuditFilter, fits: &dyn Fn(&AuditEntry) -> bool| {
        let expected: Vec<u64> =
            (0..60).filter(|number| fits(&audit_entry(*number))).map(|number| number + 1).collect();
        assert_eq!(numbers(store, filter.clone()).await, expected, "{filter:?}");
        let mut backwards = numbers(store, AuditFilter { oldest_first: false, ..filter.clone() }).await;
        backwards.reverse();
        assert_eq!(backwards, expected, "{filter:?}");
        expected.len()
    };
    let (user, address) = (field("user.id", 1), field("client.address", 1));
    let has = |entry: &AuditEntry, (name, value): &(&'static str, String)| {
        entry.fields.get(*name).is_some_and(|found| **found == **value)
    };
    let none = (None, None);
    assert_eq!(expect(filter(Some("login"), &[], none), &|entry| entry.event == "login").await, 20);
    assert_eq!(expect(filter(Some("log"), &[], none), &|_| false).await, 0);
    assert!(expect(filter(None, std::slice::from_ref(&user), none), &|entry| has(entry, &user)).await > 5);
    let both = [user.clone(), address.clone()];
    assert!(expect(filter(None, &both, none), &|entry| has(entry, &user) && has(entry, &address)).await > 1);
    assert_eq!(
        expect(filter(None, &[("user.id", address.1.clone())], none), &|_| false).await,
        0,
        "of another name"
    );
    assert_eq!(
        expect(filter(None, &[("nothing", String::new())], none), &|_| false).await,
        0,
        "absent is not empty"
    );
    assert_eq!(
        expect(filter(None, &[], (Some(10), Some(20))), &|entry| entry.at >= at(10) && entry.at < at(20))
            .await,
        10
    );
    assert_eq!(expect(filter(None, &[], (Some(59), None)), &|entry| entry.at >= at(59)).await, 1);
    assert_eq!(expect(filter(None, &[], (None, Some(1))), &|entry| entry.at < at(1)).await, 1);
    assert_eq!(expect(filter(None, &[], (Some(20), Some(10))), &|_| false).await, 0);
    let everything = filter(Some("login"), &both, (Some(3), Some(50)));
    let fits = |entry: &AuditEntry| {
        entry.event == "login"
            && has(entry, &user)
            && has(entry, &address)
            && entry.at >= at(3)
            && entry.at < at(50)
    };
    expect(everything, &fits).await;
}

/// As many lines as a store may keep in pieces, and times that go back in between, as after a clock was set.
async fn finds_across_many_lines(store: &impl AuditStore) {
    let count = 5_000_u64;
    let moment = |number: u64| at(if number < 3_000 { number } else { number - 1_500 });
    for number in 0..count {
        store.append(AuditEntry { at: moment(number), ..audit_entry(number) });
    }
    let since = AuditFilter { since: Some(at(2_000)), until: Some(at(2_003)), ..oldest_first() };
    assert_eq!(numbers(store, since.clone()).await, [2_001, 2_002, 2_003, 3_501, 3_502, 3_503]);
    let newest = AuditFilter { limit: 4, oldest_first: false, ..since };
    assert_eq!(numbers(store, newest).await, [3_503, 3_502, 3_501, 2_003]);
    for number in [0, 1_022, 1_023, 1_024, 2_047, 4_096, 4_999] {
        let session = audit_entry(number).fields["session.id"].to_string();
        let filter = AuditFilter { fields: vec![("session.id", session)], ..newest_first() };
        assert_eq!(numbers(store, filter).await, [number + 1]);
    }
}

async fn pages_in_both_orders(store: &impl AuditStore) {
    sixty_lines(store).await;
    for (oldest_first, expected) in
        [(true, (1..=60).collect::<Vec<u64>>()), (false, (1..=60).rev().collect())]
    {
        for (event, limit) in [(None, 7), (Some("login"), 3), (None, 60), (None, 1)] {
            let (mut seen, mut after) = (Vec::new(), None);
            loop {
                let event = event.map(str::to_owned);
                let filter = AuditFilter { event, after, oldest_first, limit, ..AuditFilter::default() };
                let page = numbers(store, filter).await;
                assert!(page.len() <= limit);
                let Some(last) = page.last() else { break };
                after = Some(*last);
                seen.extend(page);
            }
            let fits = |number: &u64| event.is_none_or(|event| audit_entry(*number - 1).event == event);
            assert_eq!(seen, expected.iter().copied().filter(fits).collect::<Vec<_>>());
        }
    }
    let beyond = |after, oldest_first| AuditFilter {
        after: Some(after),
        oldest_first,
        limit: 5,
        ..AuditFilter::default()
    };
    assert!(numbers(store, beyond(60, true)).await.is_empty());
    assert!(numbers(store, beyond(u64::MAX, true)).await.is_empty());
    assert!(numbers(store, beyond(1, false)).await.is_empty());
    assert!(numbers(store, beyond(0, false)).await.is_empty());
    assert_eq!(numbers(store, beyond(0, true)).await, [1, 2, 3, 4, 5]);
    assert_eq!(numbers(store, beyond(u64::MAX, false)).await, [60, 59, 58, 57, 56]);
}

async fn forgets_the_oldest_only(store: &impl AuditStore) {
    let count = 2_500_u64;
    let entries: Vec<_> = (0..count).map(audit_entry).collect();
    entries.iter().for_each(|entry| store.append(entry.clone()));
    let before = all_lines(store).await;
    assert_eq!(store.forget_audit(at(0)).await.expect("forget"), 0);
    assert_eq!(store.forget_audit(at(10)).await.expect("forget"), 10);
    assert_eq!(store.forget_audit(at(10)).await.expect("forget"), 0);
    assert_eq!(all_lines(store).await, before[10..]);
    assert_eq!(store.forget_audit(at(2_000)).await.expect("forget"), 1_990);
    store.append(audit_entry(count));
    let lines = all_lines(store).await;
    assert_eq!(lines[..500], before[2_000..], "their places stay");
    let expected = [&entries[2_000..], &[audit_entry(count)]].concat();
    assert_chained(&lines, before[1_999].hash, &expected);
    let old = AuditFilter { until: Some(at(2_001)), ..oldest_first() };
    assert_eq!(numbers(store, old).await, [2_001]);
    // A younger line guards the older ones behind it: what is kept is without a gap.
    store.append(AuditEntry { at: at(5), ..audit_entry(0) });
    assert_eq!(store.forget_audit(at(6)).await.expect("forget"), 0);
}

async fn forgets_everything_and_goes_on(store: &impl AuditStore) {
    sixty_lines(store).await;
    let last = all_lines(store).await.pop().expect("sixty lines");
    assert_eq!(store.forget_audit(at(1_000)).await.expect("forget"), 60);
    assert!(all_lines(store).await.is_empty());
    store.append(audit_entry(60));
    let lines = all_lines(store).await;
    assert_eq!(lines[0].sequence, 61);
    assert_chained(&lines, last.hash, &[audit_entry(60)]);
}

async fn case_27_no_field_alters_another(store: &impl AuditStore) {
    let texts = HOSTILE.iter().map(|text| (*text).to_owned());
    let long = ["x".repeat(64 * 1024), "\"\0\r\n".repeat(16 * 1024), String::new()];
    let mut entries = Vec::new();
    for text in texts.chain(long) {
        let fields = [("a", text.clone()), ("b", String::new()), ("c", text.clone())];
        entries.push(AuditEntry {
            at: START,
            event: Cow::Owned(text.clone()),
            fields: fields.map(|(name, value)| (Cow::Borrowed(name), value.into_boxed_str())).into(),
        });
        let fields = [(Cow::Owned(text.clone()), Box::from("value"))].into();
        entries.push(AuditEntry { at: Moment::from_millis(0), event: Cow::Borrowed("odd"), fields });
    }
    entries.iter().for_each(|entry| store.append(entry.clone()));
    assert_chained(&all_lines(store).await, AuditHash::GENESIS, &entries);
    for entry in entries.iter().step_by(2) {
        let fields = vec![("a", entry.fields["a"].to_string())];
        let filter = AuditFilter { event: Some(entry.event.to_string()), fields, ..oldest_first() };
        let found = find(store, filter).await;
        assert!(found.len() == 1 && found[0].entry == *entry);
    }
}
