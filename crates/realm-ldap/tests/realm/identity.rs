//! Whose user a login is: one name is one person's, and one person has one name, whatever people write into their entries.

use std::collections::HashMap;

use auth::{Realm, Rejection, Standing, Verdict};
use serde_json::json;
use testkit::ldap::{Entry, Slapd, User};
use testkit::suites::realms::username;

use super::house::{House, by_search, by_template, rejected, with};
use super::injection::Chance;

const FILTERS: [&str; 4] = ["(uid={})", "(mail={})", "(|(uid={})(mail={}))", "(|(cn={})(mail={}))"];
const UIDS: [&str; 9] = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];
const MAILS: [&str; 7] = ["a@x", "b@x", "c@x", "d@x", "a", "b", "c"];
const PEOPLE: usize = 5;

fn person(dn: &str, number: usize, uids: &[&str], mails: &[&str]) -> Entry {
    let entry = Entry::new(dn, &["inetOrgPerson"])
        .with("cn", format!("p{number}"))
        .with("sn", "x")
        .with("userPassword", password(number));
    let entry = uids.iter().fold(entry, |entry, uid| entry.with("uid", uid));
    mails.iter().fold(entry, |entry, mail| entry.with("mail", mail))
}

fn password(number: usize) -> String {
    format!("the password of {number}")
}

fn some<'a>(chance: &mut Chance, of: &[&'a str], least: usize) -> Vec<&'a str> {
    let mut some: Vec<&str> = (0..least + chance.below(2)).map(|_| of[chance.below(of.len())]).collect();
    some.sort_unstable();
    some.dedup();
    // The order in which they were written, which is no order.
    if chance.below(2) == 0 {
        some.reverse();
    }
    some
}

/// People below a base of their own, in two folders, who have each other's names and addresses.
fn people(chance: &mut Chance, base: &str) -> Vec<Entry> {
    let folder =
        |name: &str| Entry::new(&format!("ou={name},{base}"), &["organizationalUnit"]).with("ou", name);
    let mut entries = vec![
        Entry::new(base, &["organizationalUnit"]).with("ou", &base[3..base.find(',').unwrap()]),
        folder("one"),
        folder("two"),
    ];
    let mut taken = Vec::new();
    for number in 0..PEOPLE {
        let (uids, mails) = (some(chance, &UIDS, 1), some(chance, &MAILS, 0));
        let place = ["one", "two"][chance.below(2)];
        let by_uid = format!("uid={},ou={place},{base}", uids[chance.below(uids.len())]);
        let dn = if chance.below(2) == 0 || taken.contains(&by_uid) {
            format!("cn=p{number},ou={place},{base}")
        } else {
            by_uid
        };
        entries.push(person(&dn, number, &uids, &mails));
        taken.push(dn);
    }
    entries
}

#[tokio::test(flavor = "multi_thread")]
async fn no_directory_makes_two_people_one_user_or_one_person_two_users() {
    let mut chance = Chance(0x5eed_1ead_0000_0004);
    let bases: Vec<_> = (0..8).map(|number| format!("ou=base{number},{}", Slapd::PEOPLE)).collect();
    let mut plan = Slapd::new().policy("pwdLockout", "FALSE");
    for base in &bases {
        plan = people(&mut chance, base).into_iter().fold(plan, testkit::ldap::SlapdPlan::entry);
    }
    let slapd = plan.start();
    let (mut let_in, mut ambiguous) = (0, 0);
    for (base, filter) in bases.iter().flat_map(|base| FILTERS.map(|filter| (base, filter))) {
        let login = json!({ "searchBase": base, "searchFilter": filter, "disabledFilter": "" });
        let house = House::of(&with(by_search(&[slapd.port()]), json!({ "login": login })));
        let (mut whose, mut called) = (HashMap::new(), HashMap::new());
        for typed in UIDS.iter().chain(&MAILS).chain(&["p0", "p1"]) {
            for number in 0..PEOPLE {
                match house.verify(typed, &password(number)).await {
                    Verdict::Verified(verified) => {
                        let_in += 1;
                        let name = verified.username.shown().to_owned();
                        let what = format!("{name}, typed {typed}, {number} of {base} by {filter}");
                        assert_eq!(*whose.entry(name.clone()).or_insert(number), number, "{what}");
                        assert_eq!(*called.entry(number).or_insert(name.clone()), name, "{what}");
                    }
                    Verdict::Unavailable(_) => ambiguous += 1,
                    Verdict::NotMine
                    | Verdict::Rejected(Rejection::WrongPassword)
                    | Verdict::RejectedAs(_, Rejection::WrongPassword) => {}
                    other => panic!("{other:?}"),
                }
            }
        }
        // Who was let in stays in, as who he is.
        let names: Vec<_> = whose.keys().map(|name| username(name)).collect();
        let standings = house.realm.recheck().unwrap().look(&names).await.unwrap();
        for (name, standing) in names.iter().zip(&standings) {
            let is_good = matches!(standing, Standing::Good(verified) if verified.username == *name);
            assert!(is_good, "{name:?} of {base} by {filter}: {standing:?}");
        }
    }
    assert!(let_in > 50 && ambiguous > 50, "{let_in} {ambiguous}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_writes_anothers_name_into_his_entry_does_not_become_him() {
    let at = |rdn: &str| format!("{rdn},{}", Slapd::PEOPLE);
    let slapd = Slapd::new()
        // Bob is not where people are searched, but he is a user here.
        .entry(person(&at("uid=mallory"), 1, &["bob", "mallory"], &["mallory@x"]))
        .entry(person(&at("cn=Eve"), 2, &["carol", "eve"], &["eve@x"]))
        .entry(person(&at("cn=Dan"), 3, &["dan"], &["dan@x"]))
        .entry(person(&at("cn=Dan the other"), 4, &["DAN"], &["other@x"]))
        .start();
    let filter = json!({ "login": { "searchFilter": "(|(uid={})(mail={}))" } });
    let house = House::of(&with(by_search(&[slapd.port()]), filter));
    for typed in ["mallory", "mallory@x", "bob", "BOB"] {
        assert_eq!(house.says(typed, &password(1)).await, "mallory", "{typed}");
    }
    for typed in ["carol", "eve", "eve@x"] {
        let (why, _) = house.unavailable(typed, &password(2)).await;
        assert!(why.contains("uid has several values"), "{why}");
        // That is told to nobody who does not know the password.
        assert_eq!(house.says(typed, "another").await, rejected(Rejection::WrongPassword));
    }
    for (typed, number) in [("dan@x", 3), ("other@x", 4)] {
        let (why, _) = house.unavailable(typed, &password(number)).await;
        assert!(why.contains("several entries have one uid"), "{why}");
    }
    let steps = house.realm.rehearsal().unwrap();
    let steps =
        steps.play(&username("dan@x"), testkit::suites::realms::presented(&password(3)).as_ref()).await;
    let last = steps.last().unwrap();
    assert!(!last.is_good && last.what == "his name" && last.said.contains("several"), "{steps:#?}");
    slapd.delete(&at("cn=Dan the other"));
    assert_eq!(house.says("dan@x", &password(3)).await, "dan");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_question_whose_name_it_is_costs_nothing_where_it_was_asked() {
    let slapd = Slapd::new().user(User::named("alice", "secret").mail("a@x")).start();
    let login = json!({ "searchFilter": "(|(uid={})(mail={}))", "disabledFilter": "" });
    let house = House::of(&with(by_search(&[slapd.port()]), json!({ "login": login })));
    for (typed, searches) in [("alice", 1), ("ALICE", 1), ("a@x", 2)] {
        slapd.clear_log();
        assert_eq!(house.says(typed, "secret").await, "alice");
        assert_eq!(slapd.filters().len(), searches, "{typed}: {:?}", slapd.filters());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_counted_for_whom_the_search_found() {
    let slapd =
        Slapd::new().policy("pwdLockout", "FALSE").user(User::named("alice", "secret").mail("a@x")).start();
    let login = json!({ "searchFilter": "(|(uid={})(mail={}))" });
    let house = House::of(&with(by_search(&[slapd.port()]), json!({ "login": login })));
    for (typed, told) in
        [("alice", "Rejected(WrongPassword)"), ("ALICE", "Rejected(WrongPassword)"), ("nobody", "NotMine")]
    {
        assert_eq!(format!("{:?}", house.verify(typed, "guess").await), told, "{typed}");
    }
    match house.verify("A@X", "guess").await {
        Verdict::RejectedAs(name, Rejection::WrongPassword) => assert_eq!(name.shown(), "alice"),
        other => panic!("{other:?}"),
    }
}

/// Spellings of `alice` that a directory could take for hers, and that are counted each for itself.
fn spellings() -> Vec<String> {
    let blanks = [" ", "  ", "\u{a0}", "\u{2003}", "\u{3000} ", "\t", "\u{200b}", "\u{ad}"];
    let around = blanks
        .iter()
        .flat_map(|blank| [format!("{blank}alice"), format!("alice{blank}"), format!("{blank}ALICE{blank}")]);
    around.chain(["al\u{130}ce".to_owned(), "al\u{130}CE ".to_owned()]).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn case_13_no_spelling_of_a_name_is_another_guess_at_its_password() {
    let slapd = Slapd::new().policy("pwdMaxFailure", "1000").user(User::named("alice", "secret")).start();
    let failures = || slapd.values(&Slapd::user_dn("alice"), "pwdFailureTime").len();
    let house = House::of(&by_template(slapd.port()));
    assert_eq!(house.says("alice", "guess").await, rejected(Rejection::WrongPassword));
    assert_eq!(failures(), 1, "the server counts what is tried at her entry");
    let unknown = house.says("nobody", "guess").await;
    for spelling in spellings() {
        for password in ["guess", "secret"] {
            slapd.clear_log();
            let told = house.says(&spelling, password).await;
            // A sign that no name can have is nobody's at once, as it ever was.
            if spelling.contains('\t') {
                assert_eq!((told.as_str(), slapd.binds().len()), ("NotMine", 0), "{spelling:?}");
            } else {
                assert_eq!((told.as_str(), slapd.binds().len()), (unknown.as_str(), 1), "{spelling:?}");
            }
        }
        assert_eq!(failures(), 1, "{spelling:?} was tried at her entry");
    }
    assert_eq!(house.says("alice", "secret").await, "alice");
    assert_eq!(house.says("ALICE", "secret").await, "alice");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_of_other_alphabets_bind_directly_too() {
    let names = ["j\u{fc}rgen", "\u{438}\u{432}\u{430}\u{43d}", "\u{738b}", "a b"];
    let slapd = Slapd::new().users(names.map(|name| User::named(name, "secret"))).start();
    let house = House::of(&by_template(slapd.port()));
    for name in names {
        assert_eq!(house.says(name, "secret").await, name);
    }
    assert_eq!(house.says("JU\u{308}RGEN", "secret").await, "j\u{fc}rgen");
}

/// As an Active Directory has it: the DN is made of one name, and he is called by another.
#[tokio::test(flavor = "multi_thread")]
async fn whose_name_is_in_his_entry_only_is_nobody_without_it() {
    let config = |slapd: &Slapd| {
        let login = json!({ "disabledFilter": "" });
        let other = json!({ "directory": "active-directory", "login": login, "groups": { "nested": false } });
        with(by_template(slapd.port()), other)
    };
    let hidden = Slapd::new().hides_own_entry().user(User::named("alice", "secret")).start();
    let (why, _) = House::of(&config(&hidden)).unavailable("alice", "secret").await;
    assert!(why.contains("sAMAccountName is his name"), "{why}");
    // A password was right: the next realm is not shown it.
    let seen = Slapd::new().user(User::named("alice", "secret")).start();
    let house = House::of(&config(&seen));
    assert_eq!(house.says("alice", "secret").await, rejected(Rejection::NotAllowed));
    assert_eq!(house.says("alice", "other").await, rejected(Rejection::WrongPassword));
}
