//! Names that mean something to a directory, and passwords that are none (security.md cases 16 and 17).

use auth::{Password, Verdict};
use serde_json::json;
use testkit::ldap::{Slapd, User};

use super::house::{House, by_search, by_template, with};

/// A generator of numbers that is the same in every run (xorshift).
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    /// A number below this.
    pub(crate) fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % most as u64).unwrap()
    }
}

/// What has a meaning in filters and DNs, and what has none.
const PIECES: [&str; 36] = [
    "*",
    "(",
    ")",
    "\\",
    "&",
    "|",
    "!",
    "=",
    "<",
    ">",
    "~",
    ",",
    "+",
    "\"",
    ";",
    "#",
    " ",
    "/",
    ":",
    "{}",
    "{name}",
    "\\2a",
    "\\00",
    "\\28",
    "uid=",
    "*)(uid=*",
    ")(|(uid=*",
    "cn",
    "alice",
    "bob",
    "a",
    "b",
    "ä",
    "é",
    "\u{1f980}",
    "%00",
];

fn name(chance: &mut Chance) -> String {
    (0..1 + chance.below(6)).map(|_| PIECES[chance.below(PIECES.len())]).collect()
}

/// What slapd writes into its log for `(uid=NAME)`: everything special as `\XX`. What is not ASCII as well.
fn is_one_value(filter: &str) -> bool {
    let Some(value) = filter.strip_prefix("(uid=").and_then(|rest| rest.strip_suffix(')')) else {
        return false;
    };
    let mut rest = value;
    while let Some(at) = rest.find(['\\', '*', '(', ')']) {
        let Some(escape) = rest[at..].strip_prefix('\\') else { return false };
        if !escape.get(..2).is_some_and(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit())) {
            return false;
        }
        rest = &escape[2..];
    }
    true
}

#[tokio::test(flavor = "multi_thread")]
async fn case_16_ten_thousand_odd_names_find_their_own_entry_or_none() {
    let odd_users = [
        "a*b",
        "(alice)",
        "back\\slash",
        "co,mma",
        "pl+us",
        "\"quoted\"",
        "#sharp",
        "eq=ual",
        "a;b",
        "<>",
        "{}",
    ];
    let users = odd_users.iter().chain(&["alice", "bob"]).map(|name| User::named(name, "the one password"));
    let slapd = Slapd::new().policy("pwdLockout", "FALSE").users(users).start();
    let house = House::of(&by_search(&[slapd.port()]));
    for odd in odd_users {
        assert_eq!(house.says(odd, "the one password").await, odd);
    }
    let mut chance = Chance(0x5eed_1ead_0000_0001);
    for number in 0..10_000 {
        let name = name(&mut chance);
        match house.verify(&name, "the one password").await {
            Verdict::NotMine => {}
            Verdict::Verified(verified) => {
                assert_eq!(verified.username, testkit::suites::realms::username(&name), "number {number}");
            }
            other => panic!("{other:?} for {name:?}, number {number}"),
        }
    }
    let filters = slapd.filters();
    // The service account's search is the first of each login; whether he is disabled is asked after it, of one entry.
    let of_users: Vec<_> = filters.iter().filter(|filter| !filter.contains("nsAccountLock")).collect();
    assert_eq!(of_users.len(), 10_000 + odd_users.len());
    for filter in of_users {
        assert!(is_one_value(filter), "{filter}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn case_16_odd_names_in_a_template_stay_one_value() {
    let slapd =
        Slapd::new().policy("pwdLockout", "FALSE").user(User::named("alice", "the one password")).start();
    let house = House::of(&by_template(slapd.port()));
    let mut chance = Chance(0x5eed_1ead_0000_0002);
    for _ in 0..1_000 {
        let name = name(&mut chance);
        match house.verify(&name, "the one password").await {
            Verdict::NotMine | Verdict::Rejected(_) => {}
            Verdict::Verified(verified) => assert_eq!(verified.username.canonical(), "alice", "{name:?}"),
            other => panic!("{other:?} for {name:?}"),
        }
    }
    for dn in slapd.binds() {
        let value =
            dn.strip_prefix("uid=").and_then(|rest| rest.strip_suffix(",ou=people,dc=example,dc=org"));
        let value = value.unwrap_or_else(|| panic!("{dn}"));
        let unescaped = value.replace("\\\\", "").replace("\\,", "").replace("\\+", "");
        assert!(!unescaped.contains([',', '+']), "{dn}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn case_17_an_empty_password_reaches_no_server() {
    let slapd = Slapd::new().bind_anon_dn().user(User::named("alice", "secret")).start();
    assert!(slapd.bind(&Slapd::user_dn("alice"), "").code == 0, "the server that it is about");
    for nothing in ["", "\0", " "] {
        assert!(Password::presented(nothing.to_owned().into()).is_none());
    }
    for config in [by_search(&[slapd.port()]), by_template(slapd.port())] {
        let house = House::of(&config);
        assert_eq!(house.says("alice", "secret").await, "alice");
        slapd.clear_log();
        // What is not empty and would be to somebody who stops at NUL is sent as it is, and refused.
        assert_eq!(house.says("alice", "\0secret").await, "WrongPassword");
        assert_eq!(slapd.binds(), [Slapd::user_dn("alice")]);
        assert_ne!(house.says("nobody", "\0secret").await, "nobody");
    }
    let config = with(by_search(&[slapd.port()]), json!({ "login": { "bindPassword": "" } }));
    assert!(realm_ldap::parse(&config.to_string()).is_err());
}
