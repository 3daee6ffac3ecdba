//! A realm for the tests of those who only need one: of every kind that there is, by what a test tells it.
//!
//! Called by the tests of the kernel and of whatever stands on it. Must never look at the time.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use auth::directory::Snapshot;
use auth::{
    Asserted, Attribute, Evidence, PasswordHash, Pending, Realm, Recheck, Rejection, RoleName, Standing,
    Unavailability, UserRecords, Username, Verdict, Verified,
};
use tokio::sync::watch;
use zeroize::Zeroizing;

use super::realms::{presented, username};

/// The one peer whose word a [`FakeRealm`] takes.
pub const LISTED_PEER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A realm that keeps its users in memory and their passwords in clear. It can be held: looks that have begun then end
/// only when it is released, with the verdict that was true when they began.
#[derive(Default)]
pub struct FakeRealm {
    kept: Mutex<Kept>,
    held: watch::Sender<bool>,
    held_again: watch::Sender<bool>,
    looks: AtomicUsize,
    /// The fields of its identity and its roles, where it takes somebody's word.
    fields: Vec<Box<str>>,
}

#[derive(Default)]
struct Kept {
    users: HashMap<Box<str>, Known>,
    aliases: HashMap<Box<str>, Box<str>>,
    records: Option<UserRecords>,
    unavailable: Option<&'static str>,
    untold: HashSet<Box<str>>,
    grants: Option<Vec<RoleName>>,
    challenges: bool,
    rehash: Option<PasswordHash>,
    rechecks: Option<(Duration, Duration)>,
    asked_again: Vec<Vec<String>>,
    answers: Answers,
}

/// What a [`FakeRealm`] answers when it is asked again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Answers {
    /// How each of them stands.
    #[default]
    All,
    /// So many times more how each of them stands, then that it cannot tell.
    Times(usize),
    /// Of one fewer than it was asked about.
    TooFew,
    /// Of each as of somebody else.
    OfAnother,
}

struct Known {
    username: Username,
    password: String,
    rejection: Option<Rejection>,
    roles: Vec<RoleName>,
    attributes: Vec<Attribute>,
}

impl FakeRealm {
    /// A realm that takes the word of [`LISTED_PEER`]: of who somebody is in the first of these fields, and of his roles in
    /// the second, if there is one.
    #[must_use]
    pub fn asserting(fields: &[&str]) -> Self {
        Self { fields: fields.iter().copied().map(Box::from).collect(), ..Self::default() }
    }

    /// Knows this user from now on, with this password.
    pub fn put(&self, name: &str, password: &str, enabled: bool) {
        let username = username(name);
        let password = presented(password).expect("a password that somebody can have").expose().to_owned();
        let mut kept = self.kept();
        let before = kept.users.remove(username.canonical());
        let (roles, attributes) = before.map(|known| (known.roles, known.attributes)).unwrap_or_default();
        let rejection = (!enabled).then_some(Rejection::Disabled);
        let key = Box::from(username.canonical());
        kept.users.insert(key, Known { username, password, rejection, roles, attributes });
    }

    /// Knows this user no more.
    pub fn remove(&self, name: &str) {
        self.kept().users.remove(username(name).canonical());
    }

    /// Says that he is in groups which stand for these roles.
    ///
    /// # Panics
    /// If it does not know him, or no role can be called so.
    pub fn give(&self, name: &str, roles: &[&str]) {
        let roles = roles.iter().map(|role| RoleName::parse(role).expect("a name of a role")).collect();
        self.known(name, |known| known.roles = roles);
    }

    /// Says this of him as well.
    ///
    /// # Panics
    /// If it does not know him.
    pub fn describe(&self, name: &str, attributes: &[(&str, &str)]) {
        let attribute =
            |(name, value): &(&str, &str)| Attribute { name: Box::from(*name), value: Box::from(*value) };
        let attributes = attributes.iter().map(attribute).collect();
        self.known(name, |known| known.attributes = attributes);
    }

    /// Rejects him for this, whatever he shows, unless it is a wrong password; `None` ends it.
    ///
    /// # Panics
    /// If it does not know him.
    pub fn reject(&self, name: &str, rejection: Option<Rejection>) {
        self.known(name, |known| known.rejection = rejection);
    }

    fn known(&self, name: &str, change: impl FnOnce(&mut Known)) {
        change(self.kept().users.get_mut(username(name).canonical()).expect("a user that it knows"));
    }

    /// Knows him by this name as well.
    pub fn call(&self, name: &str, alias: &str) {
        let (name, alias) = (username(name), username(alias));
        self.kept().aliases.insert(Box::from(alias.canonical()), Box::from(name.canonical()));
    }

    /// Where its users' records come from, from now on.
    pub fn keep(&self, records: UserRecords) {
        self.kept().records = Some(records);
    }

    /// Is unavailable from now on, for this reason, also to who asks again; `None` ends it.
    pub fn fail(&self, why: Option<&'static str>) {
        self.kept().unavailable = why;
    }

    /// Cannot tell of him from now on, when it is asked again, though it can tell of others.
    pub fn leave_untold(&self, name: &str) {
        self.kept().untold.insert(Box::from(username(name).canonical()));
    }

    /// Its groups can stand for these roles and no others from now on; without this, for all.
    ///
    /// # Panics
    /// If no role can be called so.
    pub fn grant_only(&self, roles: &[&str]) {
        let roles = roles.iter().map(|role| RoleName::parse(role).expect("a name of a role")).collect();
        self.kept().grants = Some(roles);
    }

    /// Asks for another leg of every login from now on.
    pub fn challenge(&self, challenges: bool) {
        self.kept().challenges = challenges;
    }

    /// Reports this hash with each right password from now on, as a realm does whose settings rose.
    pub fn rehash(&self, hash: Option<&str>) {
        self.kept().rehash = hash.map(PasswordHash::from_phc);
    }

    /// Can be asked again from now on.
    pub fn recheck_every(&self, interval: Duration, staleness: Duration) {
        self.kept().rechecks = Some((interval, staleness));
    }

    /// Answers so when it is asked again.
    pub fn answer(&self, answers: Answers) {
        self.kept().answers = answers;
    }

    /// Whom it was asked about again, look by look, each look's names sorted. Everything is forgotten.
    #[must_use]
    pub fn asked_again(&self) -> Vec<Vec<String>> {
        let mut looks = std::mem::take(&mut self.kept().asked_again);
        looks.iter_mut().for_each(|names| names.sort());
        looks
    }

    /// Looks that begin from now on do not end.
    pub fn hold(&self) {
        self.held.send_replace(true);
    }

    /// Looks that were held end.
    pub fn release(&self) {
        self.held.send_replace(false);
    }

    /// Who asks again from now on gets no answer.
    pub fn hold_again(&self) {
        self.held_again.send_replace(true);
    }

    /// Who asked again gets the answer that was true when he asked.
    pub fn release_again(&self) {
        self.held_again.send_replace(false);
    }

    /// How many looks at evidence began.
    #[must_use]
    pub fn looks(&self) -> usize {
        self.looks.load(Ordering::SeqCst)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn judge(&self, evidence: &Evidence) -> Verdict {
        let kept = self.kept();
        if let Some(why) = kept.unavailable {
            return Verdict::Unavailable(Unavailability(Cow::Borrowed(why)));
        }
        if kept.challenges {
            return Verdict::Challenge(Zeroizing::new(b"another leg".to_vec()));
        }
        match evidence {
            Evidence::Password { username, password } => match kept.find(username.canonical()) {
                None => Verdict::NotMine,
                Some(known) if known.password != password.expose() && known.username != *username => {
                    Verdict::RejectedAs(known.username.clone(), Rejection::WrongPassword)
                }
                Some(known) if known.password != password.expose() => {
                    Verdict::Rejected(Rejection::WrongPassword)
                }
                Some(known) => kept.verdict(known),
            },
            Evidence::Asserted(asserted) => self.judge_asserted(&kept, asserted),
        }
    }

    fn judge_asserted(&self, kept: &Kept, asserted: &Asserted) -> Verdict {
        let value = |field: Option<&Box<str>>| {
            let (_, value) = asserted.fields.iter().find(|(name, _)| Some(name) == field)?;
            std::str::from_utf8(value).ok()
        };
        let name = value(self.fields.first()).filter(|_| asserted.peer == Some(LISTED_PEER));
        let Some(known) = name.and_then(|name| kept.find(username(name).canonical())) else {
            return Verdict::NotMine;
        };
        let mut verdict = kept.verdict(known);
        if let (Verdict::Verified(verified), Some(roles)) = (&mut verdict, value(self.fields.get(1))) {
            verified.roles = roles.split(',').filter_map(|role| RoleName::parse(role).ok()).collect();
        }
        verdict
    }
}

impl Kept {
    fn find(&self, canonical: &str) -> Option<&Known> {
        self.users.get(self.aliases.get(canonical).map_or(canonical, |name| name))
    }

    fn verdict(&self, known: &Known) -> Verdict {
        match known.rejection {
            Some(rejection) => Verdict::Rejected(rejection),
            None => Verdict::Verified(Verified { rehashed: self.rehash.clone(), ..known.verified() }),
        }
    }

    fn standing(&self, user: &Username) -> Standing {
        if self.untold.contains(user.canonical()) {
            return Standing::Untold(Unavailability(Cow::Borrowed("not of him")));
        }
        match self.users.get(user.canonical()) {
            None => Standing::Gone,
            Some(Known { rejection: Some(rejection), .. }) => Standing::Out(*rejection),
            Some(known) => Standing::Good(known.verified()),
        }
    }

    fn look(&mut self, users: &[Username]) -> Result<Vec<Standing>, Unavailability> {
        self.asked_again.push(users.iter().map(|user| user.shown().to_owned()).collect());
        if let Some(why) = self.unavailable {
            return Err(Unavailability(Cow::Borrowed(why)));
        }
        let mut standings: Vec<Standing> = users.iter().map(|user| self.standing(user)).collect();
        match &mut self.answers {
            Answers::All => {}
            Answers::Times(0) => return Err(Unavailability(Cow::Borrowed("no more"))),
            Answers::Times(left) => *left -= 1,
            Answers::TooFew => {
                standings.pop();
            }
            Answers::OfAnother => {
                standings.fill_with(|| Standing::Good(Verified::named(username("another"))));
            }
        }
        Ok(standings)
    }
}

impl Known {
    fn verified(&self) -> Verified {
        Verified {
            roles: self.roles.clone(),
            attributes: self.attributes.clone(),
            ..Verified::named(self.username.clone())
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

    fn users(&self) -> UserRecords {
        self.kept().records.unwrap_or(UserRecords::ByHand)
    }

    fn grants(&self, role: &RoleName) -> bool {
        self.kept().grants.as_ref().is_none_or(|roles| roles.contains(role))
    }

    fn asserting_fields(&self) -> &[Box<str>] {
        &self.fields
    }

    fn recheck(&self) -> Option<&dyn Recheck> {
        self.kept().rechecks.is_some().then_some(self as &dyn Recheck)
    }
}

impl Recheck for FakeRealm {
    fn interval(&self) -> Duration {
        self.kept().rechecks.unwrap_or_default().0
    }

    fn staleness(&self) -> Duration {
        self.kept().rechecks.unwrap_or_default().1
    }

    fn look<'a>(&'a self, users: &'a [Username]) -> Pending<'a, Result<Vec<Standing>, Unavailability>> {
        let standings = self.kept().look(users);
        let mut held = self.held_again.subscribe();
        Box::pin(async move {
            let _ = held.wait_for(|held| !held).await;
            standings
        })
    }
}
