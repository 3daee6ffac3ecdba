//! The look again at users who are logged in: who is still there, still enabled, and in which groups.
//!
//! Called by `mod.rs`, on the office's runtime, for some users at a time. Must never call somebody gone because nobody could be
//! asked, or leave others untold because of what one of them made of his entry: where several cannot be told of together, each
//! is asked about alone.

use std::collections::HashSet;
use std::slice;

use auth::{Pending, Rejection, Standing, Unavailability, Username, Verified};

use super::Core;
use super::account::{Name, attributes_of, is_called, is_expired, name_of};
use super::groups::Parents;
use super::login::can_be_asked;
use super::named::{ENTRIES_PER_USER, Known, filter_for, named_so, pick};
use super::reader::{Read, Reader, excess, no_base, of_nobody, scope, unavailable};
use super::together::together;
use crate::limits::MAX_RECHECKED_AT_ONCE;
use crate::net::{Cause, Entry, Search, Untold};
use crate::settings::{LoginWay, UserSearch};
use crate::words::template::DnTemplate;

/// What the look is called in the log.
const WHAT: &str = "the look again at users";
/// Matches every entry.
const ANYTHING: &str = "(objectClass=*)";
/// Searches about different users that are under way at a time.
const AT_A_TIME: usize = 8;
/// Users whom nobody could tell of, among some who are asked about one by one, at the most; the rest of them wait for the next
/// look, which has them in another order. So one look takes so many time-outs at the most.
const MOST_UNTOLD: usize = 4;

/// Who reads for a look, and what is the same for all of its users.
#[derive(Clone, Copy)]
struct Look<'a> {
    reader: Reader<'a>,
    parents: &'a Parents,
}

impl Core {
    /// How these users stand, in their order.
    ///
    /// # Errors
    /// [`Unavailability`]: nobody can tell, of none of them.
    pub(super) async fn look(&self, users: &[Username]) -> Result<Vec<Standing>, Unavailability> {
        let parents = Parents::default();
        let mut standings = Vec::with_capacity(users.len());
        for some in users.chunks(MAX_RECHECKED_AT_ONCE) {
            let together = Look { reader: Reader::Service(&self.network), parents: &parents };
            match self.look_at_some(together, some).await {
                Ok(told) => standings.extend(told),
                Err(Untold { cause: Cause::Server, why }) => return Err(why),
                Err(_) => standings.extend(self.look_at_each(some, &parents).await?),
            }
        }
        Ok(standings)
    }

    /// Each of them alone: one of them cannot be told of.
    async fn look_at_each(
        &self,
        users: &[Username],
        parents: &Parents,
    ) -> Result<Vec<Standing>, Unavailability> {
        let alone = Look { reader: Reader::Apart(&self.network), parents };
        let mut standings = Vec::with_capacity(users.len());
        let mut untold = 0;
        for user in users {
            if untold == MOST_UNTOLD {
                standings.push(Standing::Untold(unavailable(format!("{WHAT}: too many cannot be told of"))));
                continue;
            }
            match self.look_at_some(alone, slice::from_ref(user)).await {
                Ok(told) => standings.extend(told),
                Err(Untold { cause: Cause::Server, why }) => return Err(why),
                Err(Untold { cause: Cause::User, why }) => {
                    untold += 1;
                    standings.push(Standing::Untold(why));
                }
                // A login would not let him in, either.
                Err(Untold { cause: Cause::Excess, .. }) => {
                    standings.push(Standing::Out(Rejection::NotAllowed));
                }
            }
        }
        Ok(standings)
    }

    async fn look_at_some(&self, look: Look<'_>, users: &[Username]) -> Result<Vec<Standing>, Untold> {
        let (known, disabled) = match &self.settings().login.way {
            LoginWay::Search(search) | LoginWay::Principal(_, search) => {
                // One after the other: a server that is being tried is asked one thing at a time.
                let known = self.search_for(look.reader, search, users).await?;
                (known, self.search_disabled(look.reader, search, users).await?)
            }
            LoginWay::Template(template) => self.read_each(look.reader, template, users).await?,
        };
        let mut standings = Vec::with_capacity(users.len());
        let mut known = known.into_iter();
        loop {
            let some: Vec<_> = known.by_ref().take(AT_A_TIME).collect();
            if some.is_empty() {
                return Ok(standings);
            }
            let asked = some
                .into_iter()
                .map(|known| -> Pending<'_, _> { Box::pin(self.standing(look, known, &disabled)) });
            standings.extend(together(asked.collect()).await?);
        }
    }

    async fn standing(
        &self,
        look: Look<'_>,
        known: Known,
        disabled: &HashSet<String>,
    ) -> Result<Standing, Untold> {
        let entry = match known {
            Known::Nothing => return Ok(Standing::Gone),
            // A login would not tell them apart either, and let nobody in.
            Known::Several => return Ok(Standing::Out(Rejection::NotAllowed)),
            Known::Entry(entry) => entry,
        };
        let username = match name_of(&entry, self.settings()) {
            Name::One(username) => username,
            Name::Nothing => return Ok(Standing::Gone),
            Name::Several => return Ok(Standing::Out(Rejection::NotAllowed)),
        };
        if disabled.contains(&entry.name) {
            return Ok(Standing::Out(Rejection::Disabled));
        }
        if is_expired(&entry, self.settings(), self.network.clock().wall()) {
            return Ok(Standing::Out(Rejection::Expired));
        }
        let mapping = &self.settings().groups.mapping;
        let groups = if mapping.is_empty() {
            Vec::new()
        } else {
            self.groups_among(look.reader, &entry, username.canonical(), Some(look.parents)).await?
        };
        Ok(Standing::Good(Verified {
            roles: mapping.roles(&groups),
            attributes: attributes_of(&entry, self.settings()),
            username,
            rehashed: None,
        }))
    }

    /// All of them with one search.
    async fn search_for(
        &self,
        reader: Reader<'_>,
        search: &UserSearch,
        users: &[Username],
    ) -> Result<Vec<Known>, Untold> {
        let Some(filter) = filter_for(users, &search.filter, self.settings()) else {
            return Ok(users.iter().map(|_| Known::Nothing).collect());
        };
        let entries = self.entries(reader, search, &filter, &self.wanted.names()).await?;
        Ok(users.iter().map(|username| pick(&entries, username, self.settings())).collect())
    }

    /// The names of the entries of those among them who are disabled.
    async fn search_disabled(
        &self,
        reader: Reader<'_>,
        search: &UserSearch,
        users: &[Username],
    ) -> Result<HashSet<String>, Untold> {
        let Some(disabled) = &self.settings().login.disabled_filter else { return Ok(HashSet::new()) };
        let Some(named) = named_so(users, self.settings()) else { return Ok(HashSet::new()) };
        let filter = format!("(&{disabled}{named})");
        let entries = self.entries(reader, search, &filter, &["1.1"]).await?;
        Ok(entries.into_iter().map(|entry| entry.name).collect())
    }

    async fn entries(
        &self,
        reader: Reader<'_>,
        search: &UserSearch,
        filter: &str,
        attributes: &[&str],
    ) -> Result<Vec<Entry>, Untold> {
        let asked = Search {
            base: &search.base,
            scope: scope(search.scope),
            filter,
            attributes,
            most: MAX_RECHECKED_AT_ONCE * ENTRIES_PER_USER,
        };
        match reader.read(WHAT, asked).await? {
            Read::Entries(entries) => Ok(entries),
            Read::TooMany => Err(excess(format!("{WHAT}: several entries for one name"))),
            Read::Hidden => Err(of_nobody(no_base(WHAT, &search.base))),
            Read::Forbidden(why) => Err(of_nobody(why)),
        }
    }

    /// Each where the template says that he is.
    async fn read_each(
        &self,
        reader: Reader<'_>,
        template: &DnTemplate,
        users: &[Username],
    ) -> Result<(Vec<Known>, HashSet<String>), Untold> {
        let mut known = Vec::with_capacity(users.len());
        let mut disabled = HashSet::new();
        for some in users.chunks(AT_A_TIME) {
            let asked = some
                .iter()
                .map(|username| -> Pending<'_, _> { Box::pin(self.read_him(reader, template, username)) });
            for (entry, is_disabled) in together(asked.collect()).await? {
                if let (Known::Entry(entry), true) = (&entry, is_disabled) {
                    disabled.insert(entry.name.clone());
                }
                known.push(entry);
            }
        }
        Ok((known, disabled))
    }

    async fn read_him(
        &self,
        reader: Reader<'_>,
        template: &DnTemplate,
        username: &Username,
    ) -> Result<(Known, bool), Untold> {
        if !can_be_asked(username) {
            return Ok((Known::Nothing, false));
        }
        let dn = template.fill(username.canonical());
        match reader.read_one(WHAT, &dn, ANYTHING, &self.wanted.names()).await? {
            Read::Entries(entries) => match entries.into_iter().next() {
                Some(entry) if is_called(&entry, username, self.settings()) => {
                    let is_disabled = self.is_disabled(reader, &entry.name).await?;
                    Ok((Known::Entry(entry), is_disabled))
                }
                _ => Ok((Known::Nothing, false)),
            },
            Read::Hidden => Ok((Known::Nothing, false)),
            Read::TooMany => Ok((Known::Several, false)),
            Read::Forbidden(why) => Err(why.into()),
        }
    }
}

#[cfg(test)]
mod tests;
