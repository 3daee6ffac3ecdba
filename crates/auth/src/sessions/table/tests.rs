//! The table's indexes agree, and a walk in steps of any size misses nobody.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use proptest::prelude::{Strategy, any, prop_oneof};

use super::*;
use crate::words::clock::Moment;
use crate::words::credential::AuthMethod;
use crate::words::names::{RealmName, Scope};
use crate::words::session::{Origin, SessionLimits, SessionRecord};

/// The session of this number. Numbers that follow each other are far apart as ids.
fn session(number: u32, user: u8) -> Arc<Session> {
    let mut drawn = [0; 16];
    drawn[..4].copy_from_slice(&number.wrapping_mul(0x9e37_79b1).to_be_bytes());
    drawn[12..].copy_from_slice(&number.to_be_bytes());
    let mut token = [0; 32];
    token[..4].copy_from_slice(&number.to_le_bytes());
    let hour = Duration::from_secs(3_600);
    Arc::new(Session::from_record(SessionRecord {
        token: TokenHash::from_bytes(token),
        id: SessionId::from_random(drawn),
        user: UserId::from_bytes([user; 16]),
        realm: RealmName::native(),
        scope: Scope::new("/api"),
        app: None,
        method: AuthMethod::Password,
        created: Moment::from_millis(1),
        last_seen: Moment::from_millis(1),
        limits: SessionLimits { idle_timeout: hour, max_lifetime: hour },
        origin: Origin::new(IpAddr::from([127, 0, 0, 1]), None),
        is_guarded: false,
        parent: None,
        ended: None,
    }))
}

fn filled(sessions: u32) -> (Table, BTreeMap<SessionId, Arc<Session>>) {
    let table = Table::default();
    let mut expected = BTreeMap::new();
    for number in 0..sessions {
        let session = session(number, 7);
        table.insert(Arc::clone(&session));
        expected.insert(session.id, session);
    }
    (table, expected)
}

/// The ids of a whole walk, in steps of at most `most`, with something done between them.
fn walk(table: &Table, most: usize, mut between: impl FnMut(&[SessionId])) -> Vec<SessionId> {
    let (mut ids, mut after) = (Vec::new(), None);
    loop {
        let step = table.page(after, most, |_| true);
        ids.extend(step.found.iter().map(|session| session.id));
        match step.next {
            Some(next) => after = Some(next),
            None => return ids,
        }
        between(&ids);
    }
}

#[test]
fn a_step_has_a_limit_on_both_sides() {
    let most = u32::try_from(MOST_IN_STEP).unwrap();
    for (sessions, more) in [(most - 1, false), (most, true), (most + 1, true)] {
        let (table, _) = filled(sessions);
        let mut looked = 0;
        let step = table.page(None, usize::MAX, |_| {
            looked += 1;
            false
        });
        assert_eq!((looked, step.found.len(), step.next.is_some()), (sessions.min(most), 0, more));
        let step = table.page_of_user(&UserId::from_bytes([7; 16]), None, |_| true);
        let found = MOST_IN_STEP.min(sessions as usize);
        assert_eq!((step.found.len(), step.next), (found, (sessions > most).then_some(1)));
    }
}

#[test]
fn a_step_gives_no_more_than_was_asked_for() {
    const { assert!(MOST_IN_STEP > 100, "so that a step has room for all") };
    let (table, expected) = filled(100);
    for most in [1, 2, 9, 10, 11, 100] {
        let step = table.page(None, most, |_| true);
        assert_eq!(step.found.len(), most);
        assert_eq!(step.next.as_ref(), expected.keys().nth(most - 1));
    }
    assert_eq!(table.page(None, 101, |_| true).next, None);
    assert_eq!(table.page(None, 0, |_| true).found.len(), 1, "a walk always goes on");
}

#[test]
fn a_walk_follows_the_order_of_ids_whatever_its_steps() {
    let (table, expected) = filled(3 * 2_048);
    let expected: Vec<_> = expected.into_keys().collect();
    for most in [1, 7, 1_000, 2_048, usize::MAX] {
        assert_eq!(walk(&table, most, |_| {}), expected, "{most}");
    }
    assert_eq!(walk(&Table::default(), 10, |_| {}), Vec::new());
    let last = expected.last().copied();
    assert_eq!(table.page(last, 10, |_| true).found.len(), 0);
    let highest = SessionId::from_bytes([0xff; 16]);
    assert_eq!(table.page(Some(highest), 10, |_| true).next, None);
}

#[test]
fn a_users_walk_sees_everybody_who_stays() {
    let user = UserId::from_bytes([7; 16]);
    for step in [1, 2, 3] {
        let (table, _) = filled(5 * 2_048 + 13);
        let (mut seen, mut below) = (BTreeSet::new(), None);
        let mut number = 0;
        let mut gone = BTreeSet::new();
        loop {
            let page = table.page_of_user(&user, below, |_| true);
            seen.extend(page.found.iter().map(|session| session.id));
            let Some(next) = page.next else { break };
            below = Some(next);
            // Old and new ones go, and others come.
            for _ in 0..700 {
                let session = session(number, 7);
                table.remove(&session.token);
                gone.insert(session.id);
                number = (number + step * 1_009) % (5 * 2_048 + 13);
            }
            table.insert(session(1_000_000 + number, 7));
        }
        for session in table.of_user(&user) {
            let came_later =
                u32::from_le_bytes(session.token.as_bytes()[..4].try_into().unwrap()) >= 1_000_000;
            assert!(came_later || seen.contains(&session.id));
        }
        assert!(!gone.is_empty());
    }
}

#[derive(Clone, Debug)]
enum Change {
    Insert(u32, u8),
    Remove(u32),
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let change = prop_oneof![
        3 => (0..300u32, 0..4u8).prop_map(|(number, user)| Change::Insert(number, user)),
        2 => (0..300u32).prop_map(Change::Remove),
    ];
    proptest::collection::vec(change, 0..400)
}

/// Makes a change in the table and in the model of it.
fn make(table: &Table, model: &mut BTreeMap<SessionId, Arc<Session>>, change: &Change) {
    match *change {
        Change::Insert(number, user) => {
            let session = session(number, user);
            if let Entry::Vacant(place) = model.entry(session.id) {
                place.insert(Arc::clone(&session));
                table.insert(session);
            }
        }
        Change::Remove(number) => {
            let session = session(number, 0);
            model.remove(&session.id);
            table.remove(&session.token);
        }
    }
}

#[test]
fn every_index_tells_the_same() {
    proptest::proptest!(|(changes in changes())| {
        let (table, mut model) = (Table::default(), BTreeMap::new());
        for change in &changes {
            make(&table, &mut model, change);
        }
        proptest::prop_assert_eq!(table.len(), model.len());
        for number in 0..300 {
            let session = session(number, 0);
            let expected = model.get(&session.id).map(|known| known.id);
            proptest::prop_assert_eq!(table.by_id(&session.id).map(|found| found.id), expected);
            proptest::prop_assert_eq!(table.find(&session.token).map(|found| found.id), expected);
        }
        for user in 0..4 {
            let user = UserId::from_bytes([user; 16]);
            let indexed: BTreeSet<_> = table.of_user(&user).iter().map(|session| session.id).collect();
            let expected: BTreeSet<_> =
                model.values().filter(|session| session.user == user).map(|session| session.id).collect();
            proptest::prop_assert_eq!(indexed, expected);
        }
        proptest::prop_assert_eq!(walk(&table, 5, |_| {}), model.into_keys().collect::<Vec<_>>());
    });
}

#[test]
fn a_walk_sees_once_whoever_stays_while_others_come_and_go() {
    proptest::proptest!(|(before in changes(), meanwhile in changes(), most in 1..50usize, each in 1..30usize)| {
        let (table, mut model) = (Table::default(), BTreeMap::new());
        for change in &before {
            make(&table, &mut model, change);
        }
        let mut stayed: BTreeSet<_> = model.keys().copied().collect();
        let mut ever = stayed.clone();
        let mut meanwhile = meanwhile.chunks(each);
        let ids = walk(&table, most, |_| {
            for change in meanwhile.next().unwrap_or_default() {
                make(&table, &mut model, change);
            }
            stayed.retain(|id| model.contains_key(id));
            ever.extend(model.keys());
        });
        proptest::prop_assert!(ids.is_sorted_by(|one, next| one < next), "in order, each once");
        let ids: BTreeSet<_> = ids.into_iter().collect();
        proptest::prop_assert!(stayed.is_subset(&ids) && ids.is_subset(&ever));
    });
}

#[test]
fn a_walk_finds_what_fits_and_nothing_else() {
    proptest::proptest!(|(changes in changes(), most in 1..50usize, user in any::<u8>())| {
        let (table, mut model) = (Table::default(), BTreeMap::new());
        for change in &changes {
            make(&table, &mut model, change);
        }
        let user = UserId::from_bytes([user % 4; 16]);
        let (mut ids, mut after) = (Vec::new(), None);
        loop {
            let step = table.page(after, most, |session| session.user == user);
            ids.extend(step.found.iter().map(|session| session.id));
            match step.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        let expected: Vec<_> =
            model.values().filter(|session| session.user == user).map(|session| session.id).collect();
        proptest::prop_assert_eq!(ids, expected);
    });
}

#[test]
fn threads_that_change_the_table_hide_nobody_from_a_walk() {
    let (table, stays) = filled(4_000);
    let stays: Vec<_> = stays.into_keys().collect();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for thread in 0..2u32 {
            let (table, done) = (&table, &done);
            scope.spawn(move || {
                for round in 0.. {
                    let number = 100_000 + thread * 10_000 + round % 3_000;
                    if done.load(Ordering::Relaxed) {
                        return;
                    }
                    match table.by_id(&session(number, 7).id) {
                        Some(present) => table.remove(&present.token),
                        None => table.insert(session(number, 7)),
                    }
                }
            });
        }
        for most in [1, 10, 100, 1_000, usize::MAX] {
            let ids = walk(&table, most, |_| {});
            assert!(ids.is_sorted_by(|one, next| one < next));
            assert!(stays.iter().all(|id| ids.binary_search(id).is_ok()), "{most}");
        }
        done.store(true, Ordering::Relaxed);
    });
}
