//! One login: whose entry it is, whether the password is his, and what the directory says of him.
//!
//! Called by `mod.rs`, on the office's runtime. Must never bind before exactly one entry was found, tell an unknown name by the
//! time that it takes, or ask for the account's state before the password was right.

use auth::{Rejection, Unavailability, Username, Verdict, Verified};

use super::Core;
use super::account::{attributes_of, is_called, is_expired, username_of};
use super::reader::{Read, Reader, no_base, scope, unavailable};
use crate::net::{Entry, Search};
use crate::settings::{LoginWay, UserSearch};
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
            LoginWay::Template(template) => {
                let dn = template.fill(username.canonical());
                self.directly(&dn, Place::Named(&dn), username, password).await
            }
            LoginWay::Principal(template, search) => match template.fill(username.canonical()) {
                None => Ok(Verdict::NotMine),
                Some(name) => {
                    let place = search.as_ref().map_or(Place::Nowhere, Place::Below);
                    self.directly(&name, place, username, password).await
                }
            },
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
            (Some(entry), Bound::In) => self.admit(reader, &entry).await,
            (Some(_), refused) => told(refused),
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

    /// Binds as him, and reads his entry then: by the service account where there is one, else as himself.
    async fn directly(
        &self,
        name: &str,
        place: Place<'_>,
        username: &Username,
        password: &str,
    ) -> Result<Verdict, Unavailability> {
        let (bound, answer) = self.network.bind(name, password).await?;
        let judged = judge_bind(&answer, Origin::Template);
        if judged != Bound::In {
            bound.release();
            return told(judged);
        }
        let reader = match &self.settings().login.service {
            Some(_) => Reader::Service(&self.network),
            None => Reader::Himself(&bound),
        };
        // Without an answer the connection is closed with `bound`, and not given back.
        let verdict = self.read_and_admit(reader, place, username).await?;
        bound.release();
        Ok(verdict)
    }

    async fn read_and_admit(
        &self,
        reader: Reader<'_>,
        place: Place<'_>,
        username: &Username,
    ) -> Result<Verdict, Unavailability> {
        match place {
            Place::Nowhere => Ok(as_typed(username)),
            Place::Below(search) => match self.find(reader, search, username).await? {
                Some(entry) => self.admit(reader, &entry).await,
                // The settings say where people are, and he is somewhere else.
                None => Ok(Verdict::Rejected(Rejection::NotAllowed)),
            },
            Place::Named(dn) => match reader.read_one(WHAT, dn, ANYTHING, &self.wanted.names()).await? {
                Read::Entries(entries) => match entries.first() {
                    Some(entry) if is_called(entry, username, self.settings()) => {
                        self.admit(reader, entry).await
                    }
                    Some(_) => Ok(Verdict::NotMine),
                    None => Ok(as_typed(username)),
                },
                Read::Hidden | Read::Forbidden(_) => Ok(as_typed(username)),
                Read::TooMany => Err(unavailable(format!("{WHAT}: several entries of one name"))),
            },
        }
    }

    /// His password is right: whether he may come in, and as whom.
    async fn admit(&self, reader: Reader<'_>, entry: &Entry) -> Result<Verdict, Unavailability> {
        let Some(username) = username_of(entry, self.settings()) else { return Ok(Verdict::NotMine) };
        let has_roles = !self.settings().groups.mapping.is_empty();
        let groups = async {
            match has_roles {
                true => self.groups_of(reader, entry, username.canonical(), None).await,
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

/// Where the entry of somebody is who is bound already.
#[derive(Clone, Copy)]
enum Place<'a> {
    /// It has this name.
    Named(&'a str),
    /// It is found by this search.
    Below(&'a UserSearch),
    /// Nobody knows.
    Nowhere,
}

/// Whether a directory can be asked for him at all.
pub(super) fn can_be_asked(username: &Username) -> bool {
    !username.canonical().chars().any(char::is_control)
}

/// He is let in and nothing is known of him: his name is the one that he typed. Directories ignore blanks, and we do not, so
/// that he has one name he must not play with them.
fn as_typed(username: &Username) -> Verdict {
    match Username::chosen(username.shown()) {
        Ok(name) if !name.canonical().contains("  ") => Verdict::Verified(Verified::named(name)),
        _ => Verdict::NotMine,
    }
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
    let mut random = [0u8; NOBODY_BYTES];
    getrandom::fill(&mut random).map_err(|fault| unavailable(fault.to_string()))?;
    let name: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("cn={name},{base}"))
}
