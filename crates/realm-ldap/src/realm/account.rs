//! What an entry says of a user: his name here, his attributes, whether his time is over.
//!
//! Called by `login.rs`, `look.rs`, `named.rs` and `rehearsal.rs`. Must never take somebody for another because a directory compares
//! less strictly than we do.

use auth::limits::{MAX_ATTRIBUTE_BYTES, MAX_ATTRIBUTES};
use auth::{Attribute, Moment, Username};

use crate::net::Entry;
use crate::settings::{DirectoryKind, GroupSource, Settings};
use crate::words::distinguished_name::DistinguishedName;
use crate::words::verdicts::is_past;

/// When an account of Active Directory ends.
const ACCOUNT_EXPIRES: &str = "accountExpires";

/// The attributes of a user's entry that are asked for.
#[derive(Debug)]
pub(super) struct Wanted(Vec<Box<str>>);

impl Wanted {
    /// Those that these settings need, each once.
    pub(super) fn of(settings: &Settings) -> Self {
        let mut wanted = Self(Vec::new());
        wanted.add(&settings.login.name_attribute);
        settings.login.typed_attributes.iter().for_each(|attribute| wanted.add(attribute));
        settings.attributes.iter().for_each(|rule| wanted.add(&rule.attribute));
        if let GroupSource::MemberOf { attribute } = &settings.groups.source {
            wanted.add(attribute);
        }
        if settings.directory == DirectoryKind::ActiveDirectory {
            wanted.add(ACCOUNT_EXPIRES);
        }
        wanted
    }

    fn add(&mut self, attribute: &str) {
        if !self.0.iter().any(|held| held.eq_ignore_ascii_case(attribute)) {
            self.0.push(Box::from(attribute));
        }
    }

    /// As a search takes them.
    pub(super) fn names(&self) -> Vec<&str> {
        self.0.iter().map(|name| &**name).collect()
    }
}

/// Whether he can have typed this name: directories ignore blanks and more, and two of our users must not become one there.
pub(super) fn is_called(entry: &Entry, typed: &Username, settings: &Settings) -> bool {
    settings.login.typed_attributes.iter().any(|attribute| has_value(entry, attribute, typed))
}

/// Whether the entry is the one of this user here, or could be.
pub(super) fn is_of(entry: &Entry, username: &Username, settings: &Settings) -> bool {
    match name_of(entry, settings) {
        Name::One(name) => name == *username,
        Name::Several => has_value(entry, &settings.login.name_attribute, username),
        Name::Nothing => false,
    }
}

fn has_value(entry: &Entry, attribute: &str, username: &Username) -> bool {
    entry.values(attribute).any(|value| Username::presented(value).is_ok_and(|value| value == *username))
}

/// What an entry says of a user's name here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Name {
    /// It is this.
    One(Username),
    /// There is none that a user can have.
    Nothing,
    /// There are several, and nothing says which of them counts.
    Several,
}

/// His name here. Values of an attribute have no order, and in many directories people write some of them themselves: of several
/// the one counts that his DN begins with.
pub(super) fn name_of(entry: &Entry, settings: &Settings) -> Name {
    let attribute = &*settings.login.name_attribute;
    let mut values = entry.values(attribute);
    let chosen = |text: &str| Username::chosen(text).map_or(Name::Nothing, Name::One);
    match (values.next(), values.next()) {
        (None, _) => Name::Nothing,
        (Some(only), None) => chosen(only),
        (Some(_), Some(_)) => {
            let dn = DistinguishedName::parse(&entry.name);
            let of_dn = dn.as_ref().ok().and_then(|dn| dn.first_value(attribute));
            of_dn.map_or(Name::Several, chosen)
        }
    }
}

/// Whether no other spelling of this name is the same to a directory that compares less strictly than we do: failures are
/// counted by the name that was typed, and before a direct bind nobody looks whose it is.
///
/// Directories ignore blanks at the ends and count several as one (RFC 4518 section 2.6.1), and fold more letters than we do
/// (appendix B.2 of RFC 3454); Active Directory ignores accents as well, and all signs that it does not know.
pub(super) fn has_one_spelling(username: &Username, directory: DirectoryKind) -> bool {
    let is_folded = |c: char| c.is_alphanumeric() && c.to_uppercase().flat_map(char::to_lowercase).eq([c]);
    Username::chosen(username.shown()).is_ok()
        && !username.canonical().contains("  ")
        && username
            .canonical()
            .chars()
            .all(|c| c.is_ascii() || directory == DirectoryKind::Generic && is_folded(c))
}

/// What is told of him beside his name and roles.
pub(super) fn attributes_of(entry: &Entry, settings: &Settings) -> Vec<Attribute> {
    let is_good = |value: &&str| {
        !value.is_empty() && value.len() <= MAX_ATTRIBUTE_BYTES && !value.chars().any(char::is_control)
    };
    let told = settings.attributes.iter().filter_map(|rule| {
        let value = entry.first(&rule.attribute).filter(is_good)?;
        Some(Attribute { name: rule.name.clone(), value: Box::from(value) })
    });
    told.take(MAX_ATTRIBUTES).collect()
}

/// Whether his account was for a time that is over. By the wall clock, which is the one that administrators mean.
pub(super) fn is_expired(entry: &Entry, settings: &Settings, wall: Moment) -> bool {
    settings.directory == DirectoryKind::ActiveDirectory
        && entry.first(ACCOUNT_EXPIRES).and_then(|expires| is_past(expires, wall)).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn settings() -> Settings {
        let config = r#"{"host":"localhost","login":{"searchBase":"dc=x"},"groups":{"source":"none"}}"#;
        crate::parse(config).unwrap()
    }

    #[test]
    fn of_several_names_the_one_of_his_dn_counts() {
        let name = |dn: &str, uids: &[&str]| match name_of(&Entry::of(dn, &[("uid", uids)]), &settings()) {
            Name::One(name) => name.shown().to_owned(),
            other => format!("{other:?}"),
        };
        assert_eq!(name("cn=A,dc=x", &["Alice"]), "Alice");
        for order in [["bob", "mallory"], ["mallory", "bob"]] {
            assert_eq!(name("uid=mallory,dc=x", &order), "mallory");
            assert_eq!(name("cn=A+UID=mallory,dc=x", &order), "mallory");
            for other in ["cn=A,dc=x", "cn=A,uid=mallory,dc=x", "uid=#04016d,dc=x", "no name"] {
                assert_eq!(name(other, &order), "Several", "{other}");
            }
        }
        for none in [&[][..], &["a:b"], &[" alice"], &["al\u{202e}ice"]] {
            assert_eq!(name("uid=alice,dc=x", none), "Nothing", "{none:?}");
        }
        assert_eq!(name("uid=a\\:b,dc=x", &["alice", "a:b"]), "Several", "no DN of RFC 4514");
        assert_eq!(name("uid=a:b,dc=x", &["alice", "a:b"]), "Nothing");
    }

    #[test]
    fn ordinary_names_have_one_spelling() {
        use DirectoryKind::{ActiveDirectory, Generic};
        let has = |name: &str, kind| has_one_spelling(&Username::presented(name).unwrap(), kind);
        for name in
            ["alice", "ALICE", "a.b-c_d", "o'neill", "user name with blanks", "\u{ff41}lice", "#a", "a,b"]
        {
            assert!(has(name, Generic) && has(name, ActiveDirectory), "{name}");
        }
        for name in
            ["j\u{fc}rgen", "J\u{dc}RGEN", "ju\u{308}rgen", "\u{438}\u{432}\u{430}\u{43d}", "\u{738b}"]
        {
            assert!(has(name, Generic) && !has(name, ActiveDirectory), "{name}");
        }
        for name in [
            " alice",
            "alice ",
            "al  ice",
            "alice\u{a0}",
            "al \u{2003}ice",
            "al\tice",
            "al\u{200b}ice",
            "al\u{ad}ice",
            "al\u{130}ce",
            "stra\u{df}e",
            "\u{3b1}\u{3c2}",
            "al\u{131}ce",
            "al\u{307}ice",
            "alice\u{378}",
            "a:b",
        ] {
            assert!(!has(name, Generic) && !has(name, ActiveDirectory), "{name:?}");
        }
    }

    /// A name as the least strict of directories sees it: without case (in full), blanks that mean nothing and signs that cannot be
    /// seen; Active Directory without accents, too.
    fn seen(name: &str, kind: DirectoryKind) -> String {
        let upper = Username::presented(&name.to_uppercase()).map(|name| name.canonical().to_owned());
        let folded = upper.unwrap_or_default().to_uppercase().to_lowercase();
        let is_seen = |c: &char| match kind {
            DirectoryKind::Generic => Username::chosen(&format!("a{c}a")).is_ok() && *c != '\u{307}',
            DirectoryKind::ActiveDirectory => c.is_ascii(),
        };
        let base = |c: char| match (kind, c) {
            (DirectoryKind::ActiveDirectory, '\u{e1}' | '\u{e0}' | '\u{e4}') => 'a',
            (DirectoryKind::ActiveDirectory, '\u{ed}' | '\u{131}') => 'i',
            _ => c,
        };
        let signs: String = folded.chars().map(base).filter(is_seen).collect();
        signs.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_096))]

        #[test]
        fn two_names_that_a_directory_takes_for_one_are_one_here_or_not_bound(
            one in name(), other in name(), is_active: bool
        ) {
            let kind = if is_active { DirectoryKind::ActiveDirectory } else { DirectoryKind::Generic };
            let (Ok(first), Ok(second)) = (Username::presented(&one), Username::presented(&other)) else {
                return Ok(());
            };
            if has_one_spelling(&first, kind) && has_one_spelling(&second, kind) && seen(&one, kind) == seen(&other, kind) {
                prop_assert_eq!(first.canonical(), second.canonical());
            }
        }
    }

    /// A spelling of a few names.
    fn name() -> impl Strategy<Value = String> {
        let a = prop::sample::select(vec![
            "a",
            "A",
            "\u{e1}",
            "\u{e0}",
            "a\u{301}",
            "\u{ff41}",
            "\u{ff21}",
            "a\u{200d}",
            "\u{e4}",
        ]);
        let i = prop::sample::select(vec![
            "i", "I", "\u{130}", "\u{131}", "\u{ed}", "\u{2170}", "i\u{307}", "i\u{ad}",
        ]);
        let s = prop::sample::select(vec![
            "ss", "\u{df}", "\u{1e9e}", "SS", "\u{17f}s", "\u{3c3}", "\u{3c2}", "\u{3a3}",
        ]);
        let blank =
            prop::sample::select(vec!["", " ", "  ", "\u{a0}", "\t", "\u{3000}", "\u{378}", "\u{2060}"]);
        (blank.clone(), a, blank.clone(), i, blank.clone(), s, blank)
            .prop_map(|(b0, a, b1, i, b2, s, b3)| format!("{b0}{a}{b1}{i}{b2}{s}{b3}"))
    }
}
