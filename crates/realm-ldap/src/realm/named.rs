//! Whose a name is: the filter for those who have one, and the one entry among what is found.
//!
//! Called by `login.rs`, `look.rs` and `rehearsal.rs`. Must never take the first of several: whoever gets another's name gets all
//! that the other may.

use std::slice;

use auth::{Unavailability, Username};

use super::Core;
use super::account::{Name, is_of, name_of};
use super::login::can_be_asked;
use super::reader::{Read, Reader, no_base, scope, unavailable};
use crate::net::{Entry, Search};
use crate::settings::{LoginWay, Settings, UserSearch};
use crate::words::distinguished_name::DistinguishedName;
use crate::words::escape::filter_value;
use crate::words::filter;
use crate::words::template::FilterTemplate;

/// What the question whether somebody else has a name is called in the log.
const WHAT: &str = "the search for others of his name";
/// Entries for each user whom a search asks for: one, and room for those that have his name as their second.
pub(super) const ENTRIES_PER_USER: usize = 4;
/// Stands for a name where a filter is made that every user matches. Not in anybody's name (private use).
const SAMPLE: &str = "\u{e000}";

/// What the directory has of a user.
pub(super) enum Known {
    Nothing,
    Several,
    Entry(Entry),
}

impl Core {
    /// The name here of the user of this entry, which nobody else has. `None`: he has none, or not the one that he typed where
    /// that is what found him.
    ///
    /// # Errors
    /// [`Unavailability`] where others have it too: a mistake of the directory, of which nobody is to profit.
    pub(super) async fn name_for(
        &self,
        reader: Reader<'_>,
        entry: &Entry,
        typed: &Username,
    ) -> Result<Option<Username>, Unavailability> {
        let attribute = &*self.settings().login.name_attribute;
        let name = match name_of(entry, self.settings()) {
            Name::One(name) => name,
            Name::Nothing => return Ok(None),
            Name::Several => {
                let why = format!("{attribute} has several values, and his DN begins with none of them");
                return Err(unavailable(why));
            }
        };
        let is_it = |other: &str| other.eq_ignore_ascii_case(attribute);
        match &self.settings().login.way {
            // His DN is made of what he typed, and nobody else has his DN. The names that no DN is made of are unique in a domain.
            LoginWay::Template(template) if is_it(template.attribute()) => {
                Ok(Some(name).filter(|name| name == typed))
            }
            LoginWay::Template(_) => Ok(Some(name)),
            LoginWay::Search(search) | LoginWay::Principal(_, search) => {
                // Who was found by his name was the only one then.
                let was_asked =
                    name == *typed && search.filter.equal_attributes().iter().any(|one| is_it(one));
                if !was_asked {
                    self.check_that_nobody_else_is(reader, search, entry, &name).await?;
                }
                Ok(Some(name))
            }
        }
    }

    /// He was found by something else than his name: another may have the same.
    async fn check_that_nobody_else_is(
        &self,
        reader: Reader<'_>,
        search: &UserSearch,
        entry: &Entry,
        name: &Username,
    ) -> Result<(), Unavailability> {
        let attribute = &*self.settings().login.name_attribute;
        let filter = filter_for(slice::from_ref(name), &search.filter, self.settings());
        let filter = filter.ok_or_else(|| unavailable(format!("{WHAT}: nobody can be called so")))?;
        let asked = Search {
            base: &search.base,
            scope: scope(search.scope),
            filter: &filter,
            attributes: &[attribute],
            most: ENTRIES_PER_USER,
        };
        let found = match reader.read(WHAT, asked).await? {
            Read::Entries(entries) => pick(&entries, name, self.settings()),
            Read::TooMany => Known::Several,
            Read::Hidden => return Err(no_base(WHAT, &search.base)),
            Read::Forbidden(why) => return Err(why),
        };
        match found {
            Known::Entry(found) if DistinguishedName::are_same(&found.name, &entry.name) => Ok(()),
            Known::Several => Err(unavailable(format!("{WHAT}: several entries have one {attribute}"))),
            Known::Entry(_) | Known::Nothing => {
                Err(unavailable(format!("{WHAT}: he is not found by his {attribute}")))
            }
        }
    }
}

/// The entry of this user among them.
pub(super) fn pick(entries: &[Entry], username: &Username, settings: &Settings) -> Known {
    let mut his = entries.iter().filter(|entry| is_of(entry, username, settings));
    match (his.next(), his.next()) {
        (None, _) => Known::Nothing,
        (Some(entry), None) => Known::Entry(entry.clone()),
        (Some(_), Some(_)) => Known::Several,
    }
}

/// The filter for those of these names whom the filter for users lets in; `None` where nobody is left.
pub(super) fn filter_for(users: &[Username], filter: &FilterTemplate, settings: &Settings) -> Option<String> {
    let named = named_so(users, settings)?;
    Some(match every_user(filter) {
        Some(restriction) => format!("(&{named}{restriction})"),
        None => named,
    })
}

/// The filter for those of these names; `None` where nobody is left.
pub(super) fn named_so(users: &[Username], settings: &Settings) -> Option<String> {
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
    if !filled.match_indices(&format!("={SAMPLE}")).all(is_plain) || is_negated(&filled) {
        return None;
    }
    let filter = filled.replace(SAMPLE, "*");
    ldap3::parse_filter(&filter).is_ok().then_some(filter)
}

/// Whether the sample stands in a part that must not be: not to have a name is not the same as to have none.
fn is_negated(filled: &str) -> bool {
    let Ok(filter) = filter::read(filled) else { return true };
    let of_sample = |value: &Vec<u8>| value.windows(SAMPLE.len()).any(|part| part == SAMPLE.as_bytes());
    filter::comparisons(&filter).iter().any(|one| one.is_negated && one.values.iter().any(of_sample))
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
        for template in [
            "(uid:caseExactMatch:={})",
            "(uid>={})",
            "(uid=*{})",
            "(&(uid={})(!(ou={})))",
            "(&(uid={})(!(ou=a{}*)))",
        ] {
            assert_eq!(every(template), None, "{template}");
        }
    }

    #[test]
    fn one_entry_of_his_name_is_his() {
        let settings =
            crate::parse(r#"{"host":"localhost","login":{"searchBase":"dc=x"},"groups":{"source":"none"}}"#)
                .unwrap();
        let alice = Username::presented("alice").unwrap();
        let entry = |name: &str, uids: &[&str]| Entry::of(&format!("uid={name},dc=x"), &[("uid", uids)]);
        let picked = |entries: &[Entry]| match pick(entries, &alice, &settings) {
            Known::Nothing => "nothing".to_owned(),
            Known::Several => "several".to_owned(),
            Known::Entry(entry) => entry.name,
        };
        assert_eq!(picked(&[]), "nothing");
        assert_eq!(picked(&[entry("a", &["Alice"]), entry("bob", &["bob", "alice"])]), "uid=a,dc=x");
        assert_eq!(picked(&[entry("a", &["alice "])]), "nothing");
        assert_eq!(picked(&[entry("a", &["alice"]), entry("b", &["ALICE"])]), "several");
        // Nothing says that he is not called so.
        let unsaid = Entry::of("cn=b,dc=x", &[("uid", &["bob", "alice"])]);
        assert_eq!(picked(&[entry("a", &["alice"]), unsaid.clone()]), "several");
        assert_eq!(picked(&[unsaid]), "cn=b,dc=x");
    }
}
