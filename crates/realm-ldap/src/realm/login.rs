//! One login: whose entry it is, whether the password is his, and what the directory says of him.
//!
//! Called by `mod.rs`, on the office's runtime. Must never let anybody in as the user of an entry that his password is not for, tell
//! an unknown name by the time that it takes, or ask for the account's state before the password was right.

use auth::{Rejection, Unavailability, Username, Verdict, Verified};

use super::Core;
use super::account::{Name, attributes_of, has_one_spelling, is_called, is_expired, name_of};
use super::reader::{Read, Reader, no_base, scope, unavailable};
use crate::net::{self, Entry, Search};
use crate::settings::{LoginWay, UserSearch};
use crate::words::template::DnTemplate;
use crate::words::verdicts::{Bound, Origin, judge_bind};

/// What a search for a user is called in the log.
const WHAT: &str = "the search for the user";
/// Matches every entry.
const ANYTHING: &str = "(objectClass=*)";
/// Bytes of the name that nobody has.
const NOBODY_BYTES: usize = 16;

impl Core {
    /// The verdict on a name and a password.
    ///
    /// # Errors
    /// [`Unavailability`]: nobody can tell.
    pub(super) async fn log_in(
        &self,
        username: &Username,
        password: &str,
    ) -> Result<Verdict, Unavailability> {
        if password.is_empty() || !can_be_asked(username) {
            return Ok(Verdict::NotMine);
        }
        match &self.settings().login.way {
            LoginWay::Search(search) => self.by_search(search, username, password).await,
            LoginWay::Template(_) | LoginWay::Principal(..) => self.directly(username, password).await,
        }
    }

    async fn by_search(
        &self,
        search: &UserSearch,
        username: &Username,
        password: &str,
    ) -> Result<Verdict, Unavailability> {
        let reader = Reader::Service(&self.network);
        let found = self.find(reader, search, username).await?;
        // Who is unknown costs the same two answers as who is known (security.md case 28).
        let dn = match &found {
            Some(entry) => entry.name.clone(),
            None => nobody_below(&search.base)?,
        };
        let (bound, answer) = self.network.bind(&dn, password).await?;
        bound.release();
        match (found, judge_bind(&answer, Origin::Search)) {
            (None, _) => Ok(Verdict::NotMine),
            (Some(entry), Bound::In) => self.admit(reader, &entry, username).await,
            // Of several names that are his, each is as good a place to guess at.
            (Some(entry), refused) => match (told(refused)?, name_of(&entry, self.settings())) {
                (Verdict::Rejected(why), Name::One(name)) if name != *username => {
                    Ok(Verdict::RejectedAs(name, why))
                }
                (verdict, _) => Ok(verdict),
            },
        }
    }

    /// Exactly one entry, of exactly this name.
    pub(super) async fn find(
        &self,
        reader: Reader<'_>,
        search: &UserSearch,
        username: &Username,
    ) -> Result<Option<Entry>, Unavailability> {
        let asked = Search {
            base: &search.base,
            scope: scope(search.scope),
            filter: &search.filter.fill(username.canonical()),
            attributes: &self.wanted.names(),
            most: 1,
        };
        match reader.read(WHAT, asked).await? {
            Read::Entries(entries) => {
                let entry = entries.into_iter().next();
                Ok(entry
                    .filter(|entry| !entry.name.is_empty() && is_called(entry, username, self.settings())))
            }
            Read::TooMany => Err(unavailable(format!("{WHAT}: several entries for one name"))),
            Read::Hidden => Err(no_base(WHAT, &search.base)),
            Read::Forbidden(why) => Err(why),
        }
    }

    /// Binds by a name that is made of the one that he typed, and looks then whose that is.
    async fn directly(&self, username: &Username, password: &str) -> Result<Verdict, Unavailability> {
        // A name of another domain, for one.
        let Some(his) = self.name_of_bind(username.canonical()) else { return Ok(Verdict::NotMine) };
        let is_askable = has_one_spelling(username, self.settings().directory);
        // To a server another spelling of a name is the same, to the counter of failures it is not: it is as good as unknown.
        let name = if is_askable { Some(his) } else { self.name_of_bind(&nobody()?) };
        let (bound, answer) = self.network.bind(&name.unwrap_or_default(), password).await?;
        match judge_bind(&answer, Origin::Template) {
            Bound::In if is_askable => {}
            judged => {
                bound.release();
                return if judged == Bound::In { Ok(refused()) } else { told(judged) };
            }
        }
        // Without an answer the connection is closed with `bound`, and not given back.
        let verdict = match &self.settings().login.way {
            LoginWay::Principal(_, search) | LoginWay::Search(search) => {
                self.admit_found(&bound, search, username, password).await?
            }
            LoginWay::Template(template) => self.admit_named(&bound, template, username).await?,
        };
        bound.release();
        Ok(verdict)
    }

    /// What the user of this name binds as, where nobody looks for him first. `None`: nothing, his name has a sign that means
    /// something there.
    pub(super) fn name_of_bind(&self, name: &str) -> Option<String> {
        match &self.settings().login.way {
            LoginWay::Template(template) => Some(template.fill(name)),
            LoginWay::Principal(template, _) => template.fill(name),
            LoginWay::Search(_) => None,
        }
    }

    /// He is bound by a principal's name: his entry is the one that he finds by what he typed, if his password is that entry's.
    /// Active Directory tries several kinds of names in turn ([MS-ADTS] section 5.1.1.1.1), so that Jane, whose
    /// `userPrincipalName` is `jsmith@corp`, is bound where the search finds John, whose `sAMAccountName` is `jsmith`.
    async fn admit_found(
        &self,
        bound: &net::Bound<'_>,
        search: &UserSearch,
        username: &Username,
        password: &str,
    ) -> Result<Verdict, Unavailability> {
        let himself = Reader::Himself(bound);
        // The settings say where people are, and he may be somewhere else.
        let Some(entry) = self.find(himself, search, username).await? else { return Ok(refused()) };
        let answer = bound.bind(&entry.name, password).await?;
        match judge_bind(&answer, Origin::Search) {
            Bound::In => self.admit(himself, &entry, username).await,
            // A password was right: it is no other realm's business.
            Bound::NotMine => Ok(refused()),
            judged => told(judged),
        }
    }

    /// He is bound by the DN that is made of what he typed, and so his entry is the one of this DN.
    async fn admit_named(
        &self,
        bound: &net::Bound<'_>,
        template: &DnTemplate,
        username: &Username,
    ) -> Result<Verdict, Unavailability> {
        let reader = match &self.settings().login.service {
            Some(_) => Reader::Service(&self.network),
            None => Reader::Himself(bound),
        };
        let dn = template.fill(username.canonical());
        let entry = match reader.read_one(WHAT, &dn, ANYTHING, &self.wanted.names()).await? {
            Read::Entries(entries) => entries.into_iter().next(),
            Read::Hidden | Read::Forbidden(_) => None,
            Read::TooMany => return Err(unavailable(format!("{WHAT}: several entries of one name"))),
        };
        let attribute = &*self.settings().login.name_attribute;
        match entry {
            Some(entry) if is_called(&entry, username, self.settings()) => {
                self.admit(reader, &entry, username).await
            }
            Some(_) => Ok(refused()),
            None if self.cannot_do_without_entry() => {
                let why =
                    "it is not there, or must not be read, and login.disabledFilter is to be judged of it";
                Err(unavailable(format!("{WHAT}: {why}")))
            }
            // Nothing is known of him but the name that he typed, which is the one in his DN.
            None if template.attribute().eq_ignore_ascii_case(attribute) => {
                Ok(Verdict::Verified(Verified::named(username.clone())))
            }
            None => {
                Err(unavailable(format!("{WHAT}: {attribute} is his name, and his entry must not be read")))
            }
        }
    }

    /// His password is right: whether he may come in, and as whom.
    async fn admit(
        &self,
        reader: Reader<'_>,
        entry: &Entry,
        typed: &Username,
    ) -> Result<Verdict, Unavailability> {
        let Some(username) = self.name_for(reader, entry, typed).await? else { return Ok(refused()) };
        let has_roles = !self.settings().groups.mapping.is_empty();
        let groups = async {
            match has_roles {
                true => self.groups_of(reader, entry, username.canonical()).await,
                false => Ok(Vec::new()),
            }
        };
        let (is_disabled, groups) = tokio::try_join!(self.is_disabled(reader, &entry.name), groups)?;
        if is_disabled {
            return Ok(Verdict::Rejected(Rejection::Disabled));
        }
        if is_expired(entry, self.settings(), self.network.clock().wall()) {
            return Ok(Verdict::Rejected(Rejection::Expired));
        }
        Ok(Verdict::Verified(Verified {
            username,
            roles: self.settings().groups.mapping.roles(&groups),
            attributes: attributes_of(entry, self.settings()),
            rehashed: None,
        }))
    }

    /// Whether nobody can be let in whose entry cannot be read.
    pub(super) fn cannot_do_without_entry(&self) -> bool {
        self.settings().login.disabled_filter.is_some() && self.settings().login.has_own_disabled_filter
    }

    /// Whether the filter of the settings says that he is disabled.
    pub(super) async fn is_disabled(&self, reader: Reader<'_>, dn: &str) -> Result<bool, Unavailability> {
        let Some(filter) = &self.settings().login.disabled_filter else { return Ok(false) };
        let what = "the question whether he is disabled";
        match reader.read_one(what, dn, filter, &["1.1"]).await? {
            Read::Entries(entries) => Ok(!entries.is_empty()),
            Read::TooMany => Ok(true),
            Read::Hidden => Err(no_base(what, dn)),
            Read::Forbidden(why) => Err(why),
        }
    }
}

/// Whether a directory can be asked for him at all.
pub(super) fn can_be_asked(username: &Username) -> bool {
    !username.canonical().chars().any(char::is_control)
}

/// A password was right, and nobody is let in: never [`Verdict::NotMine`], which would have the next realm shown that password.
fn refused() -> Verdict {
    Verdict::Rejected(Rejection::NotAllowed)
}

fn told(judged: Bound) -> Result<Verdict, Unavailability> {
    match judged {
        Bound::NotMine => Ok(Verdict::NotMine),
        Bound::Rejected(rejection) => Ok(Verdict::Rejected(rejection)),
        Bound::Unavailable(why) => Err(why),
        Bound::In => Err(unavailable("a bind that succeeded was taken for one that did not".to_owned())),
    }
}

/// The DN of nobody, where people are.
fn nobody_below(base: &str) -> Result<String, Unavailability> {
    Ok(format!("cn={},{base}", nobody()?))
}

/// A name that nobody has.
fn nobody() -> Result<String, Unavailability> {
    let mut random = [0u8; NOBODY_BYTES];
    getrandom::fill(&mut random).map_err(|fault| unavailable(fault.to_string()))?;
    Ok(random.iter().map(|byte| format!("{byte:02x}")).collect())
}
