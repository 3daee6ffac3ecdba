//! The look again at users who are logged in: who is still there, still enabled, and in which groups.
//!
//! Called by `mod.rs`, on the office's runtime, for some users at a time. Must never call somebody gone because nobody could be
//! asked.

use std::collections::HashSet;

use auth::{Pending, Rejection, Standing, Unavailability, Username, Verified};

use super::Core;
use super::account::{attributes_of, is_called, is_expired, is_of, username_of};
use super::groups::Parents;
use super::login::can_be_asked;
use super::reader::{Read, Reader, no_base, scope, unavailable};
use super::together::together;
use crate::limits::MAX_RECHECKED_AT_ONCE;
use crate::net::{Entry, Search};
use crate::settings::{LoginWay, Settings, UserSearch};
use crate::words::escape::filter_value;
use crate::words::template::{DnTemplate, FilterTemplate};

/// What the look is called in the log.
const WHAT: &str = "the look again at users";
/// Matches every entry.
const ANYTHING: &str = "(objectClass=*)";
/// Searches about different users that are under way at a time.
const AT_A_TIME: usize = 8;
/// Entries for each user whom a search asks for: one, and room for those that have his name as their second.
const ENTRIES_PER_USER: usize = 4;
/// Stands for a name where a filter is made that every user matches. Not in anybody's name (private use).
const SAMPLE: &str = "\u{e000}";

/// What the directory has of a user.
enum Known {
    Nothing,
    Several,
    Entry(Entry),
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
            standings.extend(self.look_at_some(some, &parents).await?);
        }
        Ok(standings)
    }

    async fn look_at_some(
        &self,
        users: &[Username],
        parents: &Parents,
    ) -> Result<Vec<Standing>, Unavailability> {
        let (known, disabled) = match &self.settings().login.way {
            LoginWay::Search(search) | LoginWay::Principal(_, Some(search)) => {
                // One after the other: a server that is being tried is asked one thing at a time.
                (self.search_for(search, users).await?, self.search_disabled(search, users).await?)
            }
            LoginWay::Template(template) => self.read_each(template, users).await?,
            LoginWay::Principal(_, None) => {
                return Err(unavailable(format!("{WHAT}: nobody knows where they are")));
            }
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
                .map(|known| -> Pending<'_, _> { Box::pin(self.standing(known, &disabled, parents)) });
            standings.extend(together(asked.collect()).await?);
        }
    }

    async fn standing(
        &self,
        known: Known,
        disabled: &HashSet<String>,
        parents: &Parents,
    ) -> Result<Standing, Unavailability> {
        let entry = match known {
            Known::Nothing => return Ok(Standing::Gone),
            // A login would not tell them apart either, and let nobody in.
            Known::Several => return Ok(Standing::Out(Rejection::NotAllowed)),
            Known::Entry(entry) => entry,
        };
        let Some(username) = username_of(&entry, self.settings()) else { return Ok(Standing::Gone) };
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
            let reader = Reader::Service(&self.network);
            self.groups_of(reader, &entry, username.canonical(), Some(parents)).await?
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
        search: &UserSearch,
        users: &[Username],
    ) -> Result<Vec<Known>, Unavailability> {
        let Some(named) = named_so(users, self.settings()) else {
            return Ok(users.iter().map(|_| Known::Nothing).collect());
        };
        let filter = match every_user(&search.filter) {
            Some(restriction) => format!("(&{named}{restriction})"),
            None => named,
        };
        let entries = self.entries(search, &filter, &self.wanted.names()).await?;
        Ok(users.iter().map(|username| pick(&entries, username, self.settings())).collect())
    }

    /// The names of the entries of those among them who are disabled.
    async fn search_disabled(
        &self,
        search: &UserSearch,
        users: &[Username],
    ) -> Result<HashSet<String>, Unavailability> {
        let Some(disabled) = &self.settings().login.disabled_filter else { return Ok(HashSet::new()) };
        let Some(named) = named_so(users, self.settings()) else { return Ok(HashSet::new()) };
        let entries = self.entries(search, &format!("(&{disabled}{named})"), &["1.1"]).await?;
        Ok(entries.into_iter().map(|entry| entry.name).collect())
    }

    async fn entries(
        &self,
        search: &UserSearch,
        filter: &str,
        attributes: &[&str],
    ) -> Result<Vec<Entry>, Unavailability> {
        let asked = Search {
            base: &search.base,
            scope: scope(search.scope),
            filter,
            attributes,
            most: MAX_RECHECKED_AT_ONCE * ENTRIES_PER_USER,
        };
        match Reader::Service(&self.network).read(WHAT, asked).await? {
            Read::Entries(entries) => Ok(entries),
            Read::TooMany => Err(unavailable(format!("{WHAT}: several entries for one name"))),
            Read::Hidden => Err(no_base(WHAT, &search.base)),
            Read::Forbidden(why) => Err(why),
        }
    }

    /// Each where the template says that he is.
    async fn read_each(
        &self,
        template: &DnTemplate,
        users: &[Username],
    ) -> Result<(Vec<Known>, HashSet<String>), Unavailability> {
        let mut known = Vec::with_capacity(users.len());
        let mut disabled = HashSet::new();
        for some in users.chunks(AT_A_TIME) {
            let asked =
                some.iter().map(|username| -> Pending<'_, _> { Box::pin(self.read_him(template, username)) });
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
        template: &DnTemplate,
        username: &Username,
    ) -> Result<(Known, bool), Unavailability> {
        let reader = Reader::Service(&self.network);
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
            Read::Forbidden(why) => Err(why),
        }
    }
}

/// The entry of this user among them.
fn pick(entries: &[Entry], username: &Username, settings: &Settings) -> Known {
    let mut his = entries.iter().filter(|entry| is_of(entry, username, settings));
    match (his.next(), his.next()) {
        (None, _) => Known::Nothing,
        (Some(entry), None) => Known::Entry(entry.clone()),
        (Some(_), Some(_)) => Known::Several,
    }
}

/// The filter for those of these names; `None` where nobody is left.
fn named_so(users: &[Username], settings: &Settings) -> Option<String> {
    let attribute = &settings.login.name_attribute;
    let names = users.iter().filter(|username| can_be_asked(username));
    let names: String =
        names.map(|username| format!("({attribute}={})", filter_value(username.canonical()))).collect();
    (!names.is_empty()).then(|| format!("(|{names})"))
}

/// What the filter for users asks beside the name: who does not match any more would not be let in. `None` where it can not be
/// taken apart: then the name is enough.
fn every_user(filter: &FilterTemplate) -> Option<String> {
    let filled = filter.fill(SAMPLE);
    let is_plain = |(at, _): (usize, &str)| {
        filled[..at]
            .ends_with(|before: char| before != ':' && before != '<' && before != '>' && before != '~')
    };
    if !filled.match_indices(&format!("={SAMPLE}")).all(is_plain) {
        return None;
    }
    let filter = filled.replace(SAMPLE, "*");
    ldap3::parse_filter(&filter).is_ok().then_some(filter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_for_a_user_becomes_one_for_every_user() {
        let every = |text: &str| every_user(&FilterTemplate::read(text).unwrap());
        for (template, filter) in [
            ("(uid={})", "(uid=*)"),
            ("(&(objectClass=person)(|(uid={})(mail={})))", "(&(objectClass=person)(|(uid=*)(mail=*)))"),
            ("(&(mail={}@example.com)(x=y))", "(&(mail=*@example.com)(x=y))"),
        ] {
            assert_eq!(every(template).as_deref(), Some(filter));
        }
        for template in ["(uid:caseExactMatch:={})", "(uid>={})", "(uid=*{})"] {
            assert_eq!(every(template), None, "{template}");
        }
    }

    #[test]
    fn one_entry_of_his_name_is_his() {
        let settings =
            crate::parse(r#"{"host":"localhost","login":{"searchBase":"dc=x"},"groups":{"source":"none"}}"#)
                .unwrap();
        let alice = Username::presented("alice").unwrap();
        let entry = |name: &str, uids: &[&str]| Entry::of(name, &[("uid", uids)]);
        let picked = |entries: &[Entry]| match pick(entries, &alice, &settings) {
            Known::Nothing => "nothing".to_owned(),
            Known::Several => "several".to_owned(),
            Known::Entry(entry) => entry.name,
        };
        assert_eq!(picked(&[]), "nothing");
        assert_eq!(picked(&[entry("a", &["Alice"]), entry("b", &["bob", "alice"])]), "a");
        assert_eq!(picked(&[entry("a", &["alice "])]), "nothing");
        assert_eq!(picked(&[entry("a", &["alice"]), entry("b", &["ALICE"])]), "several");
    }
}
