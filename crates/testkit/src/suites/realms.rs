//! The suite that every realm must pass, and a realm for the tests of those who only need one.
//!
//! Called by the tests of the realm rooms, with a closure that makes a realm which knows [`KNOWN`]; [`FakeRealm`] by the
//! tests of the kernel and of whatever stands on it. Must never look at the time, or know a realm by name.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use auth::directory::Snapshot;
use auth::{
    Evidence, Password, PasswordHash, Pending, Realm, Rejection, Unavailability, Username, Verdict, Verified,
};
use tokio::sync::watch;
use zeroize::Zeroizing;

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

/// A realm under test, and the state of the directory that it is asked with.
struct Asked<R> {
    realm: R,
    directory: Arc<Snapshot>,
}

impl<R: Realm> Asked<R> {
    async fn verify(&self, evidence: &Evidence) -> Verdict {
        self.realm.verify(evidence, &self.directory).await
    }
}

/// Everything that every realm must do. `make` makes a realm that knows [`KNOWN`], and the directory that it is asked with.
///
/// # Panics
/// If the realm does not.
pub async fn realm_suite<R: Realm + 'static>(make: impl AsyncFn(&[KnownUser]) -> (R, Arc<Snapshot>)) {
    let (realm, directory) = make(&KNOWN).await;
    let asked = Arc::new(Asked { realm, directory });
    right_passwords_and_no_others(&asked).await;
    unknown_names(&asked).await;
    disabled_users(&asked).await;
    spellings(&asked).await;
    case_20_parallel_looks_never_mix_verdicts(&asked).await;
    case_25_parallel_logins_never_mix_users(&asked).await;
}

async fn right_passwords_and_no_others<R: Realm>(realm: &Asked<R>) {
    for user in KNOWN.iter().filter(|user| user.enabled) {
        let verified = expect_verified(realm.verify(&evidence(user.name, user.password)).await, user.name);
        assert_eq!(verified.username, username(user.name));
        for wrong in near_misses(user.password) {
            let verdict = realm.verify(&evidence(user.name, &wrong)).await;
            let wrong_password = matches!(verdict, Verdict::Rejected(Rejection::WrongPassword));
            assert!(wrong_password, "{}: {verdict:?} for a near miss", user.name);
        }
        for other in KNOWN.iter().filter(|other| other.password != user.password) {
            let verdict = realm.verify(&evidence(user.name, other.password)).await;
            assert!(matches!(verdict, Verdict::Rejected(_)), "{} with {}'s", user.name, other.name);
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
            let verdict = realm.verify(&evidence(name, user.password)).await;
            assert!(matches!(verdict, Verdict::NotMine), "{verdict:?} for {name:?}");
        }
    }
}

async fn disabled_users<R: Realm>(realm: &Asked<R>) {
    for user in KNOWN.iter().filter(|user| !user.enabled) {
        let right = realm.verify(&evidence(user.name, user.password)).await;
        assert!(matches!(right, Verdict::Rejected(Rejection::Disabled)), "{right:?}");
        let wrong = realm.verify(&evidence(user.name, "not his password")).await;
        assert!(matches!(wrong, Verdict::Rejected(Rejection::WrongPassword)), "{wrong:?}");
    }
}

/// One user has one canonical name (case 13), and a password has one normal form (asvs 65).
async fn spellings<R: Realm>(realm: &Asked<R>) {
    for spelling in ["Alice", "ALICE", "ａｌｉｃｅ"] {
        let verified = expect_verified(realm.verify(&evidence(spelling, "alice's password")).await, spelling);
        assert_eq!(verified.username.canonical(), "alice");
    }
    for spelling in ["ju\u{308}rgen", "JÜRGEN"] {
        for password in ["Pässwörd \u{1f511}", "Pa\u{308}sswo\u{308}rd \u{1f511}"] {
            expect_verified(realm.verify(&evidence(spelling, password)).await, spelling);
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
            Verdict::Rejected(Rejection::WrongPassword) if !right => {}
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
            Verdict::Rejected(Rejection::WrongPassword) if !right => {}
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
        running.spawn(async move { (name, right, realm.verify(&evidence(name, &password)).await) });
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

/// A realm that keeps its users in memory and their passwords in clear. It can be held: looks that have begun then end
/// only when it is released, with the verdict that was true when they began.
#[derive(Default)]
pub struct FakeRealm {
    kept: Mutex<Kept>,
    held: watch::Sender<bool>,
    looks: AtomicUsize,
}

#[derive(Default)]
struct Kept {
    users: HashMap<Box<str>, (Username, String, bool)>,
    unavailable: Option<&'static str>,
    rehash: Option<PasswordHash>,
}

impl FakeRealm {
    /// Knows this user from now on, with this password.
    pub fn put(&self, name: &str, password: &str, enabled: bool) {
        let username = username(name);
        let password = presented(password).expect("a password that somebody can have").expose().to_owned();
        self.kept().users.insert(Box::from(username.canonical()), (username, password, enabled));
    }

    /// Is unavailable from now on, for this reason; `None` ends it.
    pub fn fail(&self, why: Option<&'static str>) {
        self.kept().unavailable = why;
    }

    /// Reports this hash with each right password from now on, as a realm does whose settings rose.
    pub fn rehash(&self, hash: Option<&str>) {
        self.kept().rehash = hash.map(PasswordHash::from_phc);
    }

    /// Looks that begin from now on do not end.
    pub fn hold(&self) {
        self.held.send_replace(true);
    }

    /// Looks that were held end.
    pub fn release(&self) {
        self.held.send_replace(false);
    }

    /// How many looks began.
    #[must_use]
    pub fn looks(&self) -> usize {
        self.looks.load(Ordering::SeqCst)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn judge(&self, evidence: &Evidence) -> Verdict {
        let Evidence::Password { username, password } = evidence;
        let kept = self.kept();
        if let Some(why) = kept.unavailable {
            return Verdict::Unavailable(Unavailability(why));
        }
        match kept.users.get(username.canonical()) {
            None => Verdict::NotMine,
            Some((_, right, _)) if right != password.expose() => Verdict::Rejected(Rejection::WrongPassword),
            Some((_, _, false)) => Verdict::Rejected(Rejection::Disabled),
            Some((username, _, true)) => Verdict::Verified(Verified {
                username: username.clone(),
                roles: Vec::new(),
                rehashed: kept.rehash.clone(),
            }),
        }
    }
}

impl Realm for FakeRealm {
    fn verify<'a>(&'a self, evidence: &'a Evidence, _: &'a Snapshot) -> Pending<'a, Verdict> {
        self.looks.fetch_add(1, Ordering::SeqCst);
        let verdict = self.judge(evidence);
        let mut held = self.held.subscribe();
        Box::pin(async move {
            // It can only fail when the sender is gone, and that is part of the realm.
            let _ = held.wait_for(|held| !held).await;
            verdict
        })
    }
}

#[cfg(test)]
mod tests {
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
