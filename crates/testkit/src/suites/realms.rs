//! The suite that every realm must pass, and a realm for the tests of those who only need one.
//!
//! Called by the tests of the realm rooms, with a closure that makes a realm which knows [`KNOWN`]; [`FakeRealm`] by the
//! tests of the kernel and of whatever stands on it. Must never look at the time, or know a realm by name.

use std::sync::Arc;

use auth::directory::Snapshot;
use auth::{Evidence, Password, Realm, Rejection, Username, Verdict, Verified};
use zeroize::Zeroizing;

pub use super::fake_realm::{Answers, FakeRealm, LISTED_PEER};

/// A user whom a realm under test must know.
#[derive(Clone, Copy, Debug)]
pub struct KnownUser {
    /// His name, as it is shown.
    pub name: &'static str,
    /// His password.
    pub password: &'static str,
    /// Whether the realm lets him in.
    pub enabled: bool,
}

const fn enabled(name: &'static str, password: &'static str) -> KnownUser {
    KnownUser { name, password, enabled: true }
}

/// Two passwords that differ after byte 72 (security.md case 19): this, and the same with another last letter.
const LONG: &str = "correct horse battery staple, correct horse battery staple, correct horse battery A";

/// Whom the realm under test knows.
pub const KNOWN: [KnownUser; 9] = [
    enabled("alice", "alice's password"),
    enabled("Bob", "bob's password"),
    enabled("charlie", "alice's password "),
    enabled("longpass", LONG),
    enabled("spaces", "  spaces on both sides  "),
    enabled("jürgen", "Pässwörd \u{1f511}"),
    enabled("admin", "x\0y"),
    KnownUser { name: "dora", password: "dora's password", enabled: false },
    enabled("user name with blanks", "; DROP TABLE users; -- *)(uid=*"),
];

/// Names that nobody has, among them those that mean something to other people's directories (security.md case 16).
const ODD_NAMES: [&str; 21] = [
    "nobody",
    "*",
    "a*",
    "al?ce",
    "a)(uid=*",
    "*)(|(uid=*",
    "\\2a",
    "\0",
    "alice\0",
    "alice\0x",
    "alice ",
    " alice",
    "alice,dc=example",
    "cn=alice,ou=people",
    "alice\r\nx: y",
    "..",
    "native/alice",
    "alice@native",
    "' OR 1=1 --",
    "\u{202e}ecila",
    "аlice",
];

/// How a realm is shown who somebody is, and what it can tell of him.
#[derive(Clone, Copy)]
pub struct Manner {
    /// A name and a secret as the evidence that this realm reads.
    pub evidence: fn(&str, &str) -> Evidence,
    /// Whether it tells wrong secrets, strangers and disabled users apart. One that takes somebody's word does not: the
    /// wrong one's word is as good as none, and whoever is named by the right one is known.
    pub tells_apart: bool,
}

impl Manner {
    /// Of realms that are shown a name and a password.
    pub const PASSWORD: Self = Self { evidence, tells_apart: true };

    /// What it answers to a wrong secret.
    fn is_refusal(&self, verdict: &Verdict) -> bool {
        match verdict {
            Verdict::Rejected(Rejection::WrongPassword) => self.tells_apart,
            Verdict::NotMine => !self.tells_apart,
            _ => false,
        }
    }
}

/// A realm under test, and the state of the directory that it is asked with.
struct Asked<R> {
    realm: R,
    directory: Arc<Snapshot>,
    manner: Manner,
}

impl<R: Realm> Asked<R> {
    async fn verify(&self, name: &str, secret: &str) -> Verdict {
        self.realm.verify(&(self.manner.evidence)(name, secret), &self.directory).await
    }
}

/// Everything that every realm must do that is shown a name and a password. `make` makes a realm that knows [`KNOWN`], and
/// the directory that it is asked with.
///
/// # Panics
/// If the realm does not.
pub async fn realm_suite<R: Realm + 'static>(make: impl AsyncFn(&[KnownUser]) -> (R, Arc<Snapshot>)) {
    realm_suite_of(Manner::PASSWORD, make).await;
}

/// Everything that every realm must do, in its manner.
///
/// # Panics
/// If the realm does not.
pub async fn realm_suite_of<R: Realm + 'static>(
    manner: Manner,
    make: impl AsyncFn(&[KnownUser]) -> (R, Arc<Snapshot>),
) {
    let (realm, directory) = make(&KNOWN).await;
    let asked = Arc::new(Asked { realm, directory, manner });
    right_passwords_and_no_others(&asked).await;
    if manner.tells_apart {
        unknown_names(&asked).await;
        disabled_users(&asked).await;
    } else {
        odd_names_stay_apart(&asked).await;
    }
    spellings(&asked).await;
    case_20_parallel_looks_never_mix_verdicts(&asked).await;
    case_25_parallel_logins_never_mix_users(&asked).await;
}

async fn right_passwords_and_no_others<R: Realm>(realm: &Asked<R>) {
    for user in KNOWN.iter().filter(|user| user.enabled) {
        let verified = expect_verified(realm.verify(user.name, user.password).await, user.name);
        assert_eq!(verified.username, username(user.name));
        for wrong in near_misses(user.password) {
            let verdict = realm.verify(user.name, &wrong).await;
            assert!(realm.manner.is_refusal(&verdict), "{}: {verdict:?} for a near miss", user.name);
        }
        for other in KNOWN.iter().filter(|other| other.password != user.password) {
            let verdict = realm.verify(user.name, other.password).await;
            assert!(realm.manner.is_refusal(&verdict), "{} with {}'s: {verdict:?}", user.name, other.name);
        }
    }
}

/// Passwords that are almost this one: cut, trimmed, in another case, longer.
fn near_misses(password: &str) -> Vec<String> {
    let mut cut = password.to_owned();
    let last = cut.pop().unwrap_or('x');
    let other_last = if last == 'B' { 'C' } else { 'B' };
    let misses = [
        cut.clone(),
        format!("{cut}{other_last}"),
        format!("{password} "),
        format!("{password}\0"),
        format!("\0{password}"),
        format!("{password}{password}"),
        password.trim().to_owned(),
        password.to_uppercase(),
        password.split('\0').next().unwrap_or_default().to_owned(),
        "x".repeat(auth::limits::MAX_PASSWORD_BYTES),
    ];
    misses.into_iter().filter(|miss| miss != password && presented(miss).is_some()).collect()
}

async fn unknown_names<R: Realm>(realm: &Asked<R>) {
    let longest = "x".repeat(auth::limits::MAX_USERNAME_BYTES);
    let unassigned = "\u{1f980}".repeat(64);
    for name in ODD_NAMES.into_iter().chain([longest.as_str(), unassigned.as_str()]) {
        for user in KNOWN {
            let verdict = realm.verify(name, user.password).await;
            assert!(matches!(verdict, Verdict::NotMine), "{verdict:?} for {name:?}");
        }
    }
}

/// Whom it cannot tell from somebody whom it knows is himself, or nobody.
async fn odd_names_stay_apart<R: Realm>(realm: &Asked<R>) {
    for name in ODD_NAMES {
        match realm.verify(name, KNOWN[0].password).await {
            Verdict::Verified(verified) => {
                // Blanks around a field's value are none of it (RFC 9110 section 5.5).
                let name = name.trim_matches([' ', '\t']);
                assert_eq!(verified.username.shown(), name);
                assert!(Username::chosen(name).is_ok(), "nobody's record can be called {name:?}");
            }
            Verdict::NotMine | Verdict::Rejected(_) => {}
            other => panic!("{other:?} for {name:?}"),
        }
    }
}

async fn disabled_users<R: Realm>(realm: &Asked<R>) {
    for user in KNOWN.iter().filter(|user| !user.enabled) {
        let right = realm.verify(user.name, user.password).await;
        assert!(matches!(right, Verdict::Rejected(Rejection::Disabled)), "{right:?}");
        let wrong = realm.verify(user.name, "not his password").await;
        assert!(matches!(wrong, Verdict::Rejected(Rejection::WrongPassword)), "{wrong:?}");
    }
}

/// One user has one canonical name (case 13), and a password has one normal form (asvs 65).
async fn spellings<R: Realm>(realm: &Asked<R>) {
    for spelling in ["Alice", "ALICE", "ａｌｉｃｅ"] {
        let verified = expect_verified(realm.verify(spelling, "alice's password").await, spelling);
        assert_eq!(verified.username.canonical(), "alice");
    }
    for spelling in ["ju\u{308}rgen", "JÜRGEN"] {
        for password in ["Pässwörd \u{1f511}", "Pa\u{308}sswo\u{308}rd \u{1f511}"] {
            expect_verified(realm.verify(spelling, password).await, spelling);
        }
    }
}

/// 64 looks at a time at one user, right and wrong mixed.
async fn case_20_parallel_looks_never_mix_verdicts<R: Realm + 'static>(realm: &Arc<Asked<R>>) {
    let looks = (0..64).map(|number| {
        let right = number % 3 != 0;
        let password =
            if right { "alice's password".to_owned() } else { format!("alice's passwore{number}") };
        ("alice", password, right)
    });
    for (_, right, verdict) in parallel(realm, looks).await {
        match verdict {
            Verdict::Verified(_) if right => {}
            refused if !right && realm.manner.is_refusal(&refused) => {}
            other => panic!("{other:?} where right is {right}"),
        }
    }
}

/// 64 logins at a time of two users: each is told apart from the other, every time.
async fn case_25_parallel_logins_never_mix_users<R: Realm + 'static>(realm: &Arc<Asked<R>>) {
    let looks = (0..64).map(|number| {
        let [mine, other] = if number % 2 == 0 { [KNOWN[0], KNOWN[1]] } else { [KNOWN[1], KNOWN[0]] };
        let right = number % 5 != 0;
        (mine.name, if right { mine.password } else { other.password }.to_owned(), right)
    });
    for (name, right, verdict) in parallel(realm, looks).await {
        match verdict {
            Verdict::Verified(verified) if right => assert_eq!(verified.username, username(name)),
            refused if !right && realm.manner.is_refusal(&refused) => {}
            other => panic!("{other:?} for {name} where right is {right}"),
        }
    }
}

async fn parallel<R: Realm + 'static>(
    realm: &Arc<Asked<R>>,
    looks: impl Iterator<Item = (&'static str, String, bool)>,
) -> Vec<(&'static str, bool, Verdict)> {
    let mut running = tokio::task::JoinSet::new();
    for (name, password, right) in looks {
        let realm = Arc::clone(realm);
        running.spawn(async move { (name, right, realm.verify(name, &password).await) });
    }
    running.join_all().await
}

fn expect_verified(verdict: Verdict, name: &str) -> Verified {
    match verdict {
        Verdict::Verified(verified) => verified,
        other => panic!("{other:?} for {name} with the right password"),
    }
}

/// A name as presented.
///
/// # Panics
/// If it is empty or too long.
#[must_use]
pub fn username(name: &str) -> Username {
    Username::presented(name).expect("a name of a tolerable length")
}

/// A password as presented, unless nobody can have it.
#[must_use]
pub fn presented(password: &str) -> Option<Password> {
    Password::presented(Zeroizing::new(password.to_owned()))
}

/// A name and a password as evidence.
///
/// # Panics
/// If nobody can be called so or have such a password.
#[must_use]
pub fn evidence(name: &str, password: &str) -> Evidence {
    let password = presented(password).expect("a password that somebody can have");
    Evidence::Password { username: username(name), password }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use auth::DirectoryImage;

    use super::*;
    use crate::suites::maker;

    #[tokio::test]
    async fn the_fake_realm_passes_the_suite() {
        realm_suite(async |known: &[KnownUser]| {
            let realm = FakeRealm::default();
            for user in known {
                realm.put(user.name, user.password, user.enabled);
            }
            (realm, Arc::new(maker::snapshot(DirectoryImage::default(), HashMap::new())))
        })
        .await;
    }
}
