//! `[[realm]]`: who can log in where. `settings.rs` reads what all realms have in common; the keys of a type stay a table that
//! the wiring reads when it builds that realm. It must never know what a type's keys mean.

use auth::{NameFault, RealmName, RoleName};

use super::own::first_duplicate;
use crate::document::reader::{Reader, Taken};
use crate::document::tree::Section;
use crate::limits::MAX_ROLES;
use crate::mistake::Report;
use crate::value::Fault;

pub(crate) const KEYS: &[&str] = &["name", "type", "enabled", "roles"];

/// What kind of realm it is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum RealmType {
    /// Users and passwords of the gateway itself.
    Native,
    /// A directory server.
    Ldap,
    /// Kerberos tickets.
    Kerberos,
    /// A SAML identity provider.
    Saml,
    /// An OpenID provider.
    Oidc,
    /// Signed tokens of somebody else.
    Jwt,
    /// A header that a trusted proxy sets.
    TrustedHttp,
    /// API keys.
    ApiKey,
}

impl RealmType {
    const ALL: [Self; 8] = [
        Self::Native,
        Self::Ldap,
        Self::Kerberos,
        Self::Saml,
        Self::Oidc,
        Self::Jwt,
        Self::TrustedHttp,
        Self::ApiKey,
    ];

    /// The word for it in settings and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Ldap => "ldap",
            Self::Kerberos => "kerberos",
            Self::Saml => "saml",
            Self::Oidc => "oidc",
            Self::Jwt => "jwt",
            Self::TrustedHttp => "trusted-http",
            Self::ApiKey => "apikey",
        }
    }
}

/// A realm of the settings file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Realm {
    /// Its name, unique.
    pub name: RealmName,
    /// What it is.
    pub kind: RealmType,
    /// Whether it vouches for anybody; true by default.
    pub enabled: bool,
    /// The roles that every user of the realm inherits.
    pub roles: Vec<RoleName>,
    /// The keys of its type, not yet read. Empty for `native`, which has none.
    pub own_keys: Section,
}

impl Realm {
    /// The realm that is there without being mentioned.
    pub(crate) fn native() -> Self {
        Self {
            name: RealmName::native(),
            kind: RealmType::Native,
            enabled: true,
            roles: Vec::new(),
            own_keys: Section::default(),
        }
    }

    /// Its full name in mistakes, such as `realm[0]`; empty where it isn't written in the file.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.own_keys.key
    }

    /// The keys of its type as an object of JSON: nested tables are objects, durations and sizes texts as they are written.
    /// A value that came from a file or the environment is what stands there. Secrets are in it in clear: whoever has it must
    /// neither print nor store it.
    #[must_use]
    pub fn config_json(&self) -> serde_json::Value {
        self.own_keys.to_json()
    }
}

/// Reads a realm; `None` where it has no name or type, which is reported then.
pub(crate) fn read(section: &Section, report: &mut Report) -> Option<Realm> {
    let mut reader = section.read(KEYS, report);
    let name = reader.take_parsed("name", |text| parse_name(text, RealmName::parse));
    if name.is_absent() {
        reader.mistake("name", "is missing: what users and clients call the realm");
    }
    let words = RealmType::ALL.map(|kind| (kind.as_str(), kind));
    let kind = reader.take_choice("type", &words);
    if kind.is_absent() {
        reader.mistake(
            "type",
            format!("is missing: one of {}", RealmType::ALL.map(RealmType::as_str).join(", ")),
        );
    }
    let (enabled, roles) = (reader.take_boolean("enabled").or(true), roles(&mut reader));
    let own_keys = match kind {
        Taken::Given(RealmType::Native) => {
            let key = reader.section_key().to_owned();
            reader.finish();
            Section { key, ..Section::default() }
        }
        _ => reader.into_rest(),
    };
    Some(Realm { name: name.given()?, kind: kind.given()?, enabled, roles, own_keys })
}

fn roles(reader: &mut Reader<'_>) -> Vec<RoleName> {
    let roles = reader
        .take_list("roles", MAX_ROLES, |text| parse_name(text, RoleName::parse))
        .given()
        .unwrap_or_default();
    if let Some(twice) = first_duplicate(&roles) {
        reader.mistake("roles", format!("\"{}\" stands in it twice", roles[twice]));
    }
    roles
}

/// A realm's or a role's name, by the kernel's rule.
pub(super) fn parse_name<T>(text: &str, parse: impl Fn(&str) -> Result<T, NameFault>) -> Result<T, Fault> {
    parse(text).map_err(|fault| match fault {
        NameFault::Blank => Fault::with_better(fault.to_string(), format!("{:?}", text.trim_matches(' '))),
        _ => Fault::new(fault.to_string()),
    })
}
