//! Proving: what somebody shows becomes an account that a realm vouches for. Called by the kernel's door for passwords (a login's,
//! and those sent along with requests). Must never let a realm that could not be asked be papered over by another.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use super::{Kernel, PresentedPassword};
use crate::directory::{Account, ChangeError, Snapshot};
use crate::login::{Outcome, Paused, Proven};
use crate::realm::{Unavailability, UserRecords, Verdict, Verified};
use crate::reason::Reason;
use crate::store::{AttemptRecord, Change};
use crate::trust::Authenticated;
use crate::witness::Event;
use crate::words::clock::Moment;
use crate::words::credential::{AuthMethod, Evidence, Password};
use crate::words::ids::UserId;
use crate::words::names::{RealmName, Username};
use crate::words::records::{RealmRecord, User, Vouched};

/// Which realms are asked who somebody is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RealmChoice {
    /// The one that the client names, and no other.
    Named(Box<str>),
    /// These in their order, until one knows him. Those that are off or gone are passed over.
    Chain(Arc<[RealmName]>),
}

impl RealmChoice {
    fn names(&self) -> impl Iterator<Item = &str> {
        let (named, chain) = match self {
            Self::Named(name) => (Some(&**name), &[][..]),
            Self::Chain(names) => (None, &**names),
        };
        named.into_iter().chain(chain.iter().map(RealmName::as_str))
    }

    /// The realm that stands for all of them where none of them is to be told apart.
    fn first(&self) -> &str {
        self.names().next().unwrap_or_default()
    }
}

/// Why nobody is proven, and which realm decided.
struct Refused {
    realm: Box<str>,
    reason: Reason,
}

/// What a realm said that proved nobody.
enum Miss {
    /// It does not know him, or was switched off meanwhile: another may be asked. With the reason where no other is there.
    Passed(Reason),
    /// It decided. So it did where it verified him and he was kept out here: his password is no other realm's business.
    Decided(Reason),
}

impl Miss {
    fn reason(self) -> Reason {
        match self {
            Self::Passed(reason) | Self::Decided(reason) => reason,
        }
    }
}

impl Kernel {
    /// By a password that was sent along with a request. What is remembered of it does not do where a session may begin: that
    /// lives longer than a memory of the password that was.
    pub(super) async fn by_password(
        &self,
        shown: PresentedPassword,
        client: IpAddr,
        may_begin: bool,
    ) -> Result<(Authenticated, Proven), Reason> {
        let now = self.parts.clock.now();
        let PresentedPassword { realm, username, password } = shown;
        let Some(password) = password else {
            let reason = self.in_force(&realm).err().unwrap_or(Reason::WrongPassword);
            return Err(self.refused(realm.first(), &username, client, reason));
        };
        let remembered = if may_begin { None } else { self.recall_any(&realm, &username, &password) };
        let proven = match remembered {
            Some(proven) => proven,
            None => {
                let evidence = Evidence::Password { username, password };
                let proven = self.prove(&realm, &evidence, client, !may_begin).await?;
                if let Evidence::Password { username, password } = &evidence {
                    let realm = proven.realm.name.as_str();
                    self.parts.remembered.remember(realm, username, password, &proven, now);
                }
                let user = &proven.account.user;
                self.parts.witness.note(&Event::Verified {
                    user: user.id,
                    username: Box::from(user.username.shown()),
                    realm: Box::from(user.realm.as_str()),
                    address: client,
                    method: AuthMethod::Basic,
                    key: None,
                });
                proven
            }
        };
        let known = Authenticated::by_secret(&self.parts.directory.present(), &proven, AuthMethod::Basic);
        let user = &proven.account.user;
        match known {
            Ok(known) => Ok((known, proven)),
            Err(reason) => Err(self.refused(user.realm.as_str(), &user.username, client, reason)),
        }
    }

    /// Shows evidence to the realms, under the throttle; a refusal is told to the witness. `may_recall`: for who had to wait, what
    /// was found out meanwhile will do.
    pub(super) async fn prove(
        &self,
        choice: &RealmChoice,
        evidence: &Evidence,
        client: IpAddr,
        may_recall: bool,
    ) -> Result<Proven, Reason> {
        let Evidence::Password { username, password } = evidence else {
            return Err(Reason::MalformedCredentials("no password"));
        };
        let asked = Asked { evidence, username, password, client, may_recall };
        let proven = self.ask(choice, &asked).await;
        proven.map_err(|Refused { realm, reason }| self.refused(&realm, username, client, reason))
    }

    /// Asks the realms in their order. Only one that does not know him lets the next be asked.
    async fn ask(&self, choice: &RealmChoice, asked: &Asked<'_>) -> Result<Proven, Refused> {
        let refused = |realm: &str, reason| Refused { realm: Box::from(realm), reason };
        let (before, last) = self.in_force(choice).map_err(|reason| refused(choice.first(), reason))?;
        let mut passed = Vec::new();
        for realm in before {
            match self.look(realm, asked, false).await {
                Err(Miss::Passed(Reason::UnknownUser)) => passed.push(realm),
                // It was switched off while others were asked.
                Err(Miss::Passed(_)) => {}
                Ok(proven) => {
                    return self.note_passed(&passed, asked, proven).await.map_err(|r| refused(realm, r));
                }
                Err(Miss::Decided(reason)) => return Err(refused(realm, reason)),
            }
        }
        let proven = self.look(last, asked, true).await.map_err(|miss| refused(last, miss.reason()))?;
        self.note_passed(&passed, asked, proven).await.map_err(|reason| refused(last, reason))
    }

    /// Notes with the realms that did not know him from where he logs in, so that strangers who fail there under his name lock
    /// out strangers, and not him (security.md row 47).
    async fn note_passed(
        &self,
        passed: &[&str],
        asked: &Asked<'_>,
        proven: Proven,
    ) -> Result<Proven, Reason> {
        let throttle = &self.parts.throttle;
        let news =
            passed.iter().filter_map(|realm| throttle.note_passed(realm, asked.username, asked.client));
        self.write_attempts(news.collect()).await?;
        Ok(proven)
    }

    /// The realms that can be asked: the last of them, and those before it; or why there is none. Looks at each once: one that
    /// is switched on meanwhile must not make another answer of it.
    fn in_force<'c>(&self, choice: &'c RealmChoice) -> Result<(Vec<&'c str>, &'c str), Reason> {
        let (mut in_force, mut why) = (Vec::new(), Reason::UnknownRealm);
        for name in choice.names() {
            match self.realm_in_force(name) {
                Ok(()) => in_force.push(name),
                Err(reason) => why = reason,
            }
        }
        let last = in_force.pop().ok_or(why)?;
        Ok((in_force, last))
    }

    /// Shows evidence to one realm, under the throttle. Failures are on disk before the client hears of them. That a realm
    /// does not know somebody is a failure only where nobody else is asked.
    async fn look(&self, realm: &str, asked: &Asked<'_>, is_last: bool) -> Result<Proven, Miss> {
        let Asked { evidence, username, password, client, may_recall } = *asked;
        let ticket = self
            .parts
            .throttle
            .admit(realm, username, client)
            .await
            .map_err(|retry_after| Miss::Decided(Reason::TooManyAttempts { retry_after }))?;
        // The same Basic credential in many requests at once: those who waited need no look of their own.
        if may_recall
            && ticket.waited()
            && let Some(proven) = self.recall(realm, username, password)
        {
            ticket.settle(&Outcome::Void);
            return Ok(proven);
        }
        // What is proven is proven of the user as he was before anybody looked.
        let before = self.parts.directory.held();
        let (found, vouching) = verify_found(&before, realm, evidence).await;
        // Whom the name that he typed is another name of.
        let found = found.filter(|found| found != username);
        let result = match self.let_count(realm, found.as_ref(), client, vouching).await {
            Ok(vouching) => self.account_of(&before, vouching, client).await.map_err(Miss::Decided),
            Err(reason @ (Reason::UnknownUser | Reason::UnknownRealm | Reason::RealmDisabled)) => {
                Err(Miss::Passed(reason))
            }
            Err(reason) => Err(Miss::Decided(reason)),
        };
        let outcome = match &result {
            Ok(_) => Outcome::Success,
            Err(Miss::Passed(Reason::UnknownUser)) if !is_last => Outcome::Void,
            Err(Miss::Passed(reason) | Miss::Decided(reason)) => match reason {
                Reason::RealmUnavailable(_) | Reason::StoreFailed => Outcome::Void,
                Reason::UnknownRealm | Reason::RealmDisabled => Outcome::Void,
                _ => Outcome::Failure,
            },
        };
        if let Ok(proven) = &result {
            self.parts.remembered.note_secret(&proven.account.user.id, password);
        }
        let mut attempts = ticket.settle(&outcome);
        if let (Ok(_), Some(found)) = (&result, &found) {
            let throttle = &self.parts.throttle;
            attempts.extend(throttle.count_found(realm, found, client, &outcome).unwrap_or_default());
        }
        self.write_attempts(attempts).await.map_err(Miss::Decided)?;
        result
    }

    /// What the realm found out by another name of `found`, if there is a look left for him; a wrong password takes one. Whoever
    /// has none left is told what he would be told of a wrong password, whether it was one or not.
    async fn let_count(
        &self,
        realm: &str,
        found: Option<&Username>,
        client: IpAddr,
        told: Result<Vouching, Reason>,
    ) -> Result<Vouching, Reason> {
        let Some(found) = found else { return told };
        let outcome = if told.is_ok() { Outcome::Void } else { Outcome::Failure };
        match self.parts.throttle.count_found(realm, found, client, &outcome) {
            Ok(attempts) => self.write_attempts(attempts).await.and(told),
            Err(Paused) => Err(Reason::AccountLocked),
        }
    }

    /// What is remembered of this credential, of the first realm that would be asked and knows of it. A realm that stands
    /// before it and has such a user here is asked first.
    fn recall_any(&self, choice: &RealmChoice, username: &Username, password: &Password) -> Option<Proven> {
        for name in choice.names() {
            if self.realm_in_force(name).is_err() {
                continue;
            }
            if let Some(proven) = self.recall(name, username, password) {
                return Some(proven);
            }
            let id = UserId::of(&RealmName::parse(name).ok()?, username);
            if self.parts.directory.present().account(&id).is_some() {
                return None;
            }
        }
        None
    }

    /// What is remembered of this credential.
    fn recall(&self, realm: &str, username: &Username, password: &Password) -> Option<Proven> {
        let snapshot = self.parts.directory.present();
        let state = snapshot.realm(realm)?;
        let present = |id: &UserId| snapshot.account(id).map(|account| (account, state));
        self.parts.remembered.recall(realm, username, password, present, self.parts.clock.now())
    }

    pub(super) async fn write_attempts(&self, attempts: Vec<AttemptRecord>) -> Result<(), Reason> {
        if attempts.is_empty() {
            return Ok(());
        }
        self.parts.store.put_attempts(attempts).await.map_err(|_| Reason::StoreFailed)
    }

    /// The account behind a verified user, if it is still the one that was verified; made where the realm's users come with
    /// their first login. What the realm says of him is written down: his groups' roles, a costlier hash of his password.
    pub(super) async fn account_of(
        &self,
        before: &Snapshot,
        vouching: Vouching,
        client: IpAddr,
    ) -> Result<Proven, Reason> {
        let Vouching { record, users, is_rechecked, verified } = vouching;
        let id = UserId::of(&record.name, &verified.username);
        let is_ephemeral = users == UserRecords::Ephemeral;
        if is_rechecked || is_ephemeral {
            let was_away = self.rechecks.vouched(id, self.parts.clock.now());
            if was_away && is_ephemeral {
                // Housekeeping may be forgetting him at this moment: what it decided before he came back is over then.
                drop(self.parts.directory.hold().await);
            }
        }
        // Where a record is made by a login, another login may have made it meanwhile, and another may be made any time.
        let known = match users {
            UserRecords::WithPassword | UserRecords::ByHand => before.account(&id).cloned(),
            UserRecords::AtFirstLogin | UserRecords::Ephemeral => {
                self.parts.directory.present().account(&id).cloned()
            }
        };
        let account = match known {
            Some(account) => account,
            None => self.welcome(&record, users, &verified, client).await?,
        };
        let proven = Proven { account, realm: Arc::new(record) };
        let account = still(&self.parts.directory.present(), &proven)?;
        if !account.user.enabled {
            return Err(Reason::UserDisabled);
        }
        // Also where the realm says no more than yes: what it said when it was of another type is void. After a change of what
        // groups stand for, everybody who logs in brings news: they are written together.
        let vouched = vouched_for(&verified);
        if account.user.vouched != vouched {
            let (proven, now) = (proven.clone(), self.parts.clock.now());
            let change = self.parts.directory.change_together(move |snapshot| {
                let account = still(snapshot, &proven)?;
                let (changes, event) = news(&account, vouched, now);
                Ok((changes, event))
            });
            change.await.map_err(refusal)?;
        }
        if let Some(rehashed) = verified.rehashed {
            let amended = self.parts.directory.amend(|snapshot| {
                let user = User { password: Some(rehashed), ..still(snapshot, &proven)?.user.clone() };
                Ok((vec![Change::PutUser(Box::new(user))], ()))
            });
            match amended.await {
                // Where the store failed, the login is good all the same; the next one tries again.
                Ok(()) | Err(ChangeError::Store(_)) => {}
                Err(ChangeError::Refused(reason)) => return Err(reason),
            }
        }
        let account = still(&self.parts.directory.present(), &proven)?;
        Ok(Proven { account, ..proven })
    }

    /// Writes down what a realm says of a user who did not log in just now, where it is something new.
    pub(super) async fn take_over(
        &self,
        id: &UserId,
        verified: &Verified,
        still: impl FnOnce(&Snapshot) -> Result<Arc<Account>, Reason>,
    ) -> Result<(), Reason> {
        let vouched = vouched_for(verified);
        let is_known =
            |snapshot: &Snapshot| snapshot.account(id).is_some_and(|account| account.user.vouched == vouched);
        if is_known(&self.parts.directory.present()) {
            return Ok(());
        }
        let now = self.parts.clock.now();
        let change = self.parts.directory.change(|snapshot| {
            let (changes, event) = news(&*still(snapshot)?, vouched, now);
            Ok((changes, event, ()))
        });
        change.await.map_err(refusal)
    }

    /// Makes the record of somebody whom a realm vouches for and who has none, if the realm's users come so.
    async fn welcome(
        &self,
        record: &RealmRecord,
        users: UserRecords,
        verified: &Verified,
        client: IpAddr,
    ) -> Result<Arc<Account>, Reason> {
        if !matches!(users, UserRecords::AtFirstLogin | UserRecords::Ephemeral) {
            return Err(Reason::UnknownUser);
        }
        // A name that no record may have is nobody's: it could be taken for another's.
        let username = Username::chosen(verified.username.shown()).map_err(|_| Reason::UnknownUser)?;
        let now = self.parts.clock.now();
        let user = User {
            id: UserId::of(&record.name, &username),
            realm: record.name.clone(),
            username,
            roles: Vec::new(),
            permissions: Vec::new(),
            vouched: vouched_for(verified),
            enabled: true,
            password: None,
            password_version: u64::from(u32::from_le_bytes(*self.draw())),
            created: now,
            updated: now,
        };
        let (id, record) = (user.id, record.clone());
        // Everybody who comes in the morning of the first day: their records are written together.
        let change = self.parts.directory.change_together(move |snapshot| {
            let mut event = learnt("user.create", &user, &user.vouched);
            if let Event::DirectoryChanged { address, .. } = &mut event {
                *address = Some(client);
            }
            // Another login of his may have been quicker.
            if snapshot.account(&id).is_some() {
                return Ok((Vec::new(), event));
            }
            let state = snapshot.realm(record.name.as_str()).ok_or(Reason::UnknownRealm)?;
            if !state.record.enabled {
                return Err(Reason::RealmDisabled);
            }
            if !state.is_source_of(&record) {
                return Err(Reason::WrongPassword);
            }
            Ok((vec![Change::PutUser(Box::new(user))], event))
        });
        change.await.map_err(refusal)?;
        self.parts.directory.present().account(&id).cloned().ok_or(Reason::UnknownUser)
    }
}

/// What is asked of the realms.
#[derive(Clone, Copy)]
struct Asked<'a> {
    evidence: &'a Evidence,
    username: &'a Username,
    password: &'a Password,
    client: IpAddr,
    may_recall: bool,
}

/// A realm that vouches, as it was when it was asked.
pub(super) struct Vouching {
    pub(super) record: RealmRecord,
    pub(super) users: UserRecords,
    pub(super) is_rechecked: bool,
    pub(super) verified: Verified,
}

/// Asks the realm of this name, as it is in `directory`.
pub(super) async fn verify(
    directory: &Snapshot,
    name: &str,
    evidence: &Evidence,
) -> Result<Vouching, Reason> {
    verify_found(directory, name, evidence).await.1
}

/// The same, with the name of whom it looked at, where the realm says so.
async fn verify_found(
    directory: &Snapshot,
    name: &str,
    evidence: &Evidence,
) -> (Option<Username>, Result<Vouching, Reason>) {
    let Some(state) = directory.realm(name) else { return (None, Err(Reason::UnknownRealm)) };
    if !state.record.enabled {
        return (None, Err(Reason::RealmDisabled));
    }
    let refused = match state.realm.verify(evidence, directory).await {
        Verdict::Verified(verified) => {
            let found = verified.username.clone();
            let (users, is_rechecked) = (state.realm.users(), state.realm.recheck().is_some());
            let vouching = Vouching { record: state.record.clone(), users, is_rechecked, verified };
            return (Some(found), Ok(vouching));
        }
        Verdict::RejectedAs(found, rejection) => return (Some(found), Err(rejection.into())),
        Verdict::NotMine => Reason::UnknownUser,
        Verdict::Rejected(rejection) => rejection.into(),
        Verdict::Unavailable(Unavailability(why)) => Reason::RealmUnavailable(why),
        // A password login has one leg: a realm that asks for more cannot be used this way.
        Verdict::Challenge(_) => Reason::RealmUnavailable(Cow::Borrowed("the realm asks for a second leg")),
    };
    (None, Err(refused))
}

/// The account of who was proven, if it is still the one that was.
fn still(snapshot: &Snapshot, proven: &Proven) -> Result<Arc<Account>, Reason> {
    let present = snapshot.account(&proven.account.user.id).ok_or(Reason::UnknownUser)?;
    let state = snapshot.realm(proven.realm.name.as_str()).ok_or(Reason::UnknownRealm)?;
    proven.holds_for(present, state).then(|| Arc::clone(present)).ok_or(Reason::WrongPassword)
}

/// That a realm says something new of a user; no change where it is not.
fn news(account: &Account, vouched: Vouched, now: Moment) -> (Vec<Change>, Event) {
    let event = learnt("user.refresh", &account.user, &vouched);
    if account.user.vouched == vouched {
        return (Vec::new(), event);
    }
    let user = User { vouched, updated: now, ..account.user.clone() };
    (vec![Change::PutUser(Box::new(user))], event)
}

/// What a realm says of a user, as his record keeps it.
fn vouched_for(verified: &Verified) -> Vouched {
    Vouched { roles: verified.roles.clone(), attributes: verified.attributes.clone(), lapsed: false }
}

/// That a user's record came to hold what his realm says of him. Attributes are the user's own business, and are left out.
pub(super) fn learnt(operation: &'static str, user: &User, vouched: &Vouched) -> Event {
    let roles: Vec<_> = vouched.roles.iter().map(ToString::to_string).collect();
    let detail = format!(
        "{:?} of {:?}, by the realm; {}roles={}",
        user.username.shown(),
        user.realm.as_str(),
        if vouched.lapsed { "lapsed; " } else { "" },
        roles.join(",")
    );
    Event::DirectoryChanged {
        by: None,
        address: None,
        operation,
        subject: user.id.to_string().into_boxed_str(),
        detail: detail.into_boxed_str(),
    }
}

pub(super) fn refusal(error: ChangeError<Reason>) -> Reason {
    match error {
        ChangeError::Refused(reason) => reason,
        ChangeError::Store(_) => Reason::StoreFailed,
    }
}
