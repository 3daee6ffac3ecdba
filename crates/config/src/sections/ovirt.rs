//! The keys of a `[[mount]]` that only the dialect `ovirt` has, and those that mean nothing to it. `mount.rs` reads them. It must
//! never let a key stand that has no effect: somebody would believe in it.

use auth::RealmName;

use super::mount::Dialect;
use super::realm::parse_name;
use crate::document::reader::{Reader, parsed, shown};
use crate::document::tree::{Section, Value};
use crate::limits::{MAX_PROFILE_BYTES, MAX_PROFILES};
use crate::mistake::Report;

/// The keys that mean something to no other dialect.
const ONLY_HERE: [&str; 3] = ["profiles", "csrf_protection", "end_session"];

/// The keys that mean nothing here, and why.
const NOT_HERE: [(&str, &str); 3] = [
    ("own", "it answers nothing below the mount itself"),
    ("realms", "a login name's profile says which realm is asked"),
    ("basic_challenge", "a 401 always asks for Basic"),
];

/// When a session ends whose client sends a request without `Prefer: persistent-auth`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EndSession {
    /// Before the request, which then needs other credentials: as in 4.x; the default.
    Before,
    /// After the request was performed by it: as in 3.1.
    AfterResponse,
}

/// What only the dialect `ovirt` has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ovirt {
    /// Which profile (`user@profile`) is which realm, up to 64; `internal` is the realm `native` by default.
    pub profiles: Vec<(String, RealmName)>,
    /// Whether a session may ask its clients to repeat its id in a header; false by default.
    pub csrf_protection: bool,
    /// When a session ends.
    pub end_session: EndSession,
}

impl Default for Ovirt {
    fn default() -> Self {
        Self {
            profiles: vec![("internal".to_owned(), RealmName::native())],
            csrf_protection: false,
            end_session: EndSession::Before,
        }
    }
}

/// Reads the keys but for the profiles, which are a section of their own where they are written.
pub(crate) fn read(reader: &mut Reader<'_>, dialect: Dialect) -> (Ovirt, Option<Section>) {
    let standard = Ovirt::default();
    if dialect != Dialect::Ovirt {
        for key in ONLY_HERE {
            if reader.take_any(key).is_some() {
                reader.mistake(key, format!("means nothing to the dialect {dialect}: leave it out"));
            }
        }
        return (standard, None);
    }
    for (key, why) in NOT_HERE {
        if reader.take_any(key).is_some() {
            reader.mistake(key, format!("means nothing to the dialect {dialect}, where {why}: leave it out"));
        }
    }
    let profiles = reader.peek("profiles").is_some().then(|| reader.take_section("profiles"));
    let words = [("before", EndSession::Before), ("after-response", EndSession::AfterResponse)];
    let ovirt = Ovirt {
        csrf_protection: reader.take_boolean("csrf_protection").or(standard.csrf_protection),
        end_session: reader.take_choice("end_session", &words).or(standard.end_session),
        ..standard
    };
    (ovirt, profiles)
}

/// Reads the table of profiles, in the order of their names.
pub(crate) fn read_profiles(section: &Section, report: &mut Report) -> Vec<(String, RealmName)> {
    if section.entries.len() > MAX_PROFILES {
        let message = format!("has {} entries; {MAX_PROFILES} are allowed", section.entries.len());
        report.add(&section.key, message);
        return Vec::new();
    }
    let mut profiles = Vec::new();
    for (profile, entry) in &section.entries {
        let key = section.full_key(profile);
        // What stands behind the last @ of a login name has none.
        if profile.is_empty() || profile.len() > MAX_PROFILE_BYTES || profile.contains(['@', ':']) {
            report.add(
                &key,
                format!("is no name of a profile: at most {MAX_PROFILE_BYTES} bytes, without @ and :"),
            );
            continue;
        }
        match &entry.value {
            Value::Text(..) => {
                let realm = parsed(report, &key, &entry.value, |text| parse_name(text, RealmName::parse));
                profiles.extend(realm.map(|realm| (profile.clone(), realm)));
            }
            Value::Unreadable => {}
            other => report.add(&key, format!("{} is not the name of a realm", shown(other))),
        }
    }
    if section.entries.is_empty() && !report.speaks_of(&section.key) {
        report.add(&section.key, "is empty: then nobody could log in");
    }
    profiles
}
