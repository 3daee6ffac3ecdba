//! What an entry says of a user: his name here, his attributes, whether his time is over.
//!
//! Called by `login.rs`, `look.rs` and `rehearsal.rs`. Must never take somebody for another because a directory compares
//! less strictly than we do.

use auth::limits::{MAX_ATTRIBUTE_BYTES, MAX_ATTRIBUTES};
use auth::{Attribute, Moment, Username};

use crate::net::Entry;
use crate::settings::{DirectoryKind, GroupSource, Settings};
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

/// Whether the entry is the one of this user here.
pub(super) fn is_of(entry: &Entry, username: &Username, settings: &Settings) -> bool {
    username_of(entry, settings).is_some_and(|name| name == *username)
}

fn has_value(entry: &Entry, attribute: &str, username: &Username) -> bool {
    entry.values(attribute).any(|value| Username::presented(value).is_ok_and(|value| value == *username))
}

/// His name here; `None` where the directory has none that a user can have.
pub(super) fn username_of(entry: &Entry, settings: &Settings) -> Option<Username> {
    entry.first(&settings.login.name_attribute).and_then(|name| Username::chosen(name).ok())
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
