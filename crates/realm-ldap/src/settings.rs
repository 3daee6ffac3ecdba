//! What an LDAP realm needs to know, as types. `doorward` has a realm's config read here once; connections and logins read
//! nothing else. Must never guess: what is misspelt, out of range or contradicts itself is a mistake with its own words.

mod groups;
mod login;
mod reader;
mod servers;
#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

use auth::limits::MAX_ATTRIBUTES;
use auth::{RealmFault, UserRecords};
use rustls_pki_types::CertificateDer;
use serde_json::Value;
use zeroize::Zeroizing;

use self::reader::{Fields, NO_ATTRIBUTE, attribute_name, fault, out_of_range};
use crate::limits::{
    MAX_ATTRIBUTE_NAME_BYTES, MAX_POOL, MAX_POOL_WAIT, MAX_RECHECK, MAX_STALENESS, MAX_TIMEOUT, MIN_RECHECK,
    MIN_TIMEOUT,
};
use crate::words::mapping::RoleMapping;
use crate::words::template::{DnTemplate, FilterTemplate, GroupTemplate, PrincipalTemplate};

/// What an LDAP realm needs to know. Made by [`parse`] only.
#[derive(Debug)]
pub struct Settings {
    /// The servers in the order in which they are tried; 1 to [`MAX_SERVERS`](crate::limits::MAX_SERVERS).
    pub(crate) servers: Vec<Server>,
    /// How what is said is kept from others.
    pub(crate) transport: Transport,
    /// The only certificates that servers' certificates may come from; `None`: the system's.
    pub(crate) trusted: Option<Vec<CertificateDer<'static>>>,
    /// Which family of directories it is.
    pub(crate) directory: DirectoryKind,
    /// For one server: TCP, TLS and the service account's bind together.
    pub(crate) connect_timeout: Duration,
    /// For one operation.
    pub(crate) timeout: Duration,
    /// Connections to be bound as users; 1 to [`MAX_POOL`](crate::limits::MAX_POOL).
    pub(crate) pool_size: usize,
    /// How long a login waits for one of them.
    pub(crate) pool_wait: Duration,
    /// How people log in, and where their entries are.
    pub(crate) login: Login,
    /// Where their groups come from, and what they stand for.
    pub(crate) groups: Groups,
    /// What else is told of a user. At most [`auth::limits::MAX_ATTRIBUTES`].
    pub(crate) attributes: Vec<AttributeRule>,
    /// When those who are logged in are looked at again; `None`: never.
    pub(crate) recheck: Option<RecheckTimes>,
    /// Where the records of the users come from.
    pub(crate) users: UserRecords,
}

/// One server of the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Server {
    /// A name or an address (IPv6 without brackets), in lower case. Its certificate must be for this.
    pub(crate) host: Box<str>,
    /// 1 to 65535.
    pub(crate) port: u16,
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// How what is said to a server is kept from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    /// Not at all: to this machine, or because the settings say that it is meant.
    Plain,
    /// StartTLS (RFC 4511 section 4.14) before anything else is said.
    StartTls,
    /// TLS from the first byte.
    Ldaps,
}

/// Which family of directories it is: chooses defaults, and the few things that only one of them has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DirectoryKind {
    /// OpenLDAP, 389 Directory Server and their like.
    Generic,
    /// Active Directory, and Samba as its domain controller.
    ActiveDirectory,
}

/// How people log in, and where their entries are.
#[derive(Debug)]
pub(crate) struct Login {
    /// Template or search.
    pub(crate) way: LoginWay,
    /// The account that searches; `None`: anonymous.
    pub(crate) service: Option<ServiceAccount>,
    /// The attribute whose value is the user's name here.
    pub(crate) name_attribute: Box<str>,
    /// The attributes of which one value must be the name that was typed, in its canonical form: `name_attribute` first.
    pub(crate) typed_attributes: Vec<Box<str>>,
    /// A whole filter, in parentheses: whoever matches is disabled. `None`: nobody.
    pub(crate) disabled_filter: Option<Box<str>>,
    /// Whether somebody chose that filter. What the defaults ask for, directories look at themselves before they let anybody bind;
    /// of what somebody chose nobody knows.
    pub(crate) has_own_disabled_filter: bool,
}

/// Template or search.
#[derive(Debug)]
pub(crate) enum LoginWay {
    /// The user's DN is made of his name.
    Template(DnTemplate),
    /// Active Directory's other names for a bind (`{}@corp.example.com`, `CORP\{}`), without a service account: bound so, he
    /// searches for his entry himself, and his password must be that entry's.
    Principal(PrincipalTemplate, UserSearch),
    /// His entry is found by the service account.
    Search(UserSearch),
}

/// How a user's entry is found.
#[derive(Debug)]
pub(crate) struct UserSearch {
    /// Below which entry; not empty.
    pub(crate) base: Box<str>,
    /// His name goes in.
    pub(crate) filter: FilterTemplate,
    /// How far below.
    pub(crate) scope: SearchScope,
}

/// How far below the base is searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SearchScope {
    /// The entries right below it.
    One,
    /// It, and everything below it.
    Subtree,
}

/// The account that searches.
pub(crate) struct ServiceAccount {
    /// Its DN, or its principal name in an Active Directory; not empty.
    pub(crate) dn: Box<str>,
    /// Its password; not empty.
    pub(crate) password: Secret,
}

impl fmt::Debug for ServiceAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ServiceAccount").field(&self.dn).finish()
    }
}

/// A secret of the settings. Wiped when dropped, and not printed.
pub(crate) struct Secret(Zeroizing<String>);

impl Secret {
    pub(crate) fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The secret. Read it only to send it to the server.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// Where groups come from, and what they stand for.
#[derive(Debug)]
pub(crate) struct Groups {
    /// Where a user's groups come from.
    pub(crate) source: GroupSource,
    /// Whether groups of groups are walked up, level by level. Never with Active Directory, where [`GroupSource::Search`] has a
    /// filter that finds all of them at once.
    pub(crate) is_walked_up: bool,
    /// The attribute whose value is a group's name.
    pub(crate) name_attribute: Box<str>,
    /// Which group is which role.
    pub(crate) mapping: RoleMapping,
}

/// Where a user's groups come from.
#[derive(Debug)]
pub(crate) enum GroupSource {
    /// There are none.
    Nowhere,
    /// An attribute of the user's entry that holds the groups' DNs.
    MemberOf {
        /// Its name.
        attribute: Box<str>,
    },
    /// A search for the groups he is in.
    Search(GroupSearch),
}

/// How groups are found.
#[derive(Debug)]
pub(crate) struct GroupSearch {
    /// Below which entry; not empty.
    pub(crate) base: Box<str>,
    /// The member's DN and name go in.
    pub(crate) filter: GroupTemplate,
    /// How far below.
    pub(crate) scope: SearchScope,
}

/// One attribute that is told of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AttributeRule {
    /// What it is called here.
    pub(crate) name: Box<str>,
    /// What it is called there.
    pub(crate) attribute: Box<str>,
}

/// When those who are logged in are looked at again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RecheckTimes {
    /// This long after the last look.
    pub(crate) interval: Duration,
    /// Whom nobody could ask about for this long is let in no more; at least the interval.
    pub(crate) staleness: Duration,
}

const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(3);
const DEFAULT_POOL: u64 = 16;
const DEFAULT_POOL_WAIT: Duration = Duration::from_secs(1);
const DEFAULT_RECHECK: Duration = Duration::from_secs(5 * 60);
const DEFAULT_STALENESS: Duration = Duration::from_secs(8 * 60 * 60);

/// Reads a realm's config, a JSON object. Fields below `login`, `groups` and `attributes` may be nested or have a dot in their
/// name; what is `null` counts as left out.
///
/// | field | default |
/// |---|---|
/// | `host` | required: a name or an address, with or without `:port`, or a list of them |
/// | `port` | 636 with `ssl`, else 389 |
/// | `ssl`, `startTls`, `insecure` | `false` |
/// | `ca` | the system's certificates |
/// | `directory` | `"generic"`; or `"active-directory"` |
/// | `connectTimeout`, `timeout` | `"1s"`, `"3s"`; 10 ms to 1 min |
/// | `poolSize`, `poolWait` | 16, `"1s"`; 1 to 256, 0 to 10 s |
/// | `login.bindDnTemplate`, `login.searchBase` | one of them is required; both with a template that is no DN |
/// | `login.searchFilter` | `(uid={})`; Active Directory by `sAMAccountName` and `userPrincipalName` |
/// | `login.searchScope` | `"subtree"`; or `"one"` |
/// | `login.bindDn`, `login.bindPassword` | none: anonymous |
/// | `login.nameAttribute` | the template's attribute, else `uid`; Active Directory `sAMAccountName` |
/// | `login.disabledFilter` | what the directory's family has for it; `""` for nobody |
/// | `groups.source` | `"memberOf"`; `"search"` with a `groups.searchBase`; or `"none"` |
/// | `groups.searchBase`, `groups.searchScope` | none (Active Directory: the `dc=` part of where people are), `"subtree"` |
/// | `groups.searchFilter` | `(\|(member={})(uniqueMember={}))`, Active Directory `(member={})` |
/// | `groups.nested` | `true` |
/// | `groups.nameAttribute`, `groups.memberOfAttribute` | `cn`, `memberOf` |
/// | `groups.roleMapping` | `[]` |
/// | `attributes` | `{"mail": "mail", "displayName": "displayName"}` |
/// | `recheck`, `staleness` | `"5m"`, `"8h"` or `recheck` where that is longer; 0 or 1 s to 24 h, `recheck` to 30 d |
/// | `autoCreateUsers`, `ephemeralUsers` | `true`, `false` |
///
/// # Errors
/// [`RealmFault`] with the first field that is wrong, and with what is wrong with it; no secret is in it.
pub fn parse(config: &str) -> Result<Settings, RealmFault> {
    let fields = Fields::read(config)?;
    let (servers, transport) = servers::read(&fields)?;
    let families =
        [("generic", DirectoryKind::Generic), ("active-directory", DirectoryKind::ActiveDirectory)];
    let directory = fields.word("directory", &families)?.unwrap_or(DirectoryKind::Generic);
    let login = login::read(&fields, directory)?;
    let timeouts = MIN_TIMEOUT..=MAX_TIMEOUT;
    let pool_size = fields.number("poolSize", 1..=MAX_POOL as u64)?.unwrap_or(DEFAULT_POOL);
    let pool_wait = fields.duration("poolWait", Duration::ZERO..=MAX_POOL_WAIT)?;
    Ok(Settings {
        trusted: servers::read_trusted(&fields, transport)?,
        servers,
        transport,
        directory,
        connect_timeout: fields
            .duration("connectTimeout", timeouts.clone())?
            .unwrap_or(DEFAULT_CONNECT_TIMEOUT),
        timeout: fields.duration("timeout", timeouts)?.unwrap_or(DEFAULT_TIMEOUT),
        pool_size: usize::try_from(pool_size).unwrap_or(MAX_POOL),
        pool_wait: pool_wait.unwrap_or(DEFAULT_POOL_WAIT),
        groups: groups::read(&fields, directory, &login)?,
        attributes: read_attributes(&fields)?,
        recheck: read_recheck(&fields, &login)?,
        users: read_users(&fields)?,
        login,
    })
}

/// Whether the field of this dotted name is a secret.
#[must_use]
pub fn is_secret(field: &str) -> bool {
    field == "login.bindPassword"
}

/// Whether the field of this dotted name says to whom the service account's password is sent, or how.
#[must_use]
pub fn is_destination(field: &str) -> bool {
    matches!(field, "host" | "port" | "ssl" | "startTls" | "insecure" | "ca")
}

fn read_attributes(fields: &Fields) -> Result<Vec<AttributeRule>, RealmFault> {
    const FIELD: &str = "attributes";
    let is_default = !fields.has(FIELD) && fields.below(FIELD).next().is_none();
    if is_default {
        let rule = |name: &str| AttributeRule { name: Box::from(name), attribute: Box::from(name) };
        return Ok(vec![rule("mail"), rule("displayName")]);
    }
    let mut rules = Vec::new();
    for (name, value) in fields.below(FIELD) {
        let field = format!("{FIELD}.{name}");
        let is_name = !name.is_empty()
            && name.len() <= MAX_ATTRIBUTE_NAME_BYTES
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
        if !is_name {
            let why = format!(
                "is no name for an attribute: letters, digits, _, - and ., {MAX_ATTRIBUTE_NAME_BYTES} at the most"
            );
            return Err(fault(&field, why));
        }
        match value {
            Value::Null => {}
            Value::String(text) => {
                let attribute = attribute_name(text).ok_or_else(|| fault(&field, NO_ATTRIBUTE))?;
                rules.push(AttributeRule { name: Box::from(name), attribute });
            }
            _ => return Err(fault(&field, NO_ATTRIBUTE)),
        }
    }
    if rules.len() > MAX_ATTRIBUTES {
        return Err(fault(FIELD, format!("has more than {MAX_ATTRIBUTES} attributes")));
    }
    Ok(rules)
}

fn read_recheck(fields: &Fields, login: &Login) -> Result<Option<RecheckTimes>, RealmFault> {
    if login.service.is_none() && !matches!(login.way, LoginWay::Search(_)) {
        let why = "beside a bindDnTemplate without a service account (login.bindDn): nobody can look users up who do not log in";
        fields.refuse(&["recheck", "staleness"], why)?;
        return Ok(None);
    }
    let interval = fields.any_duration("recheck")?.unwrap_or(DEFAULT_RECHECK);
    if interval.is_zero() {
        fields.refuse(&["staleness"], "where recheck is 0")?;
        return Ok(None);
    }
    let range = MIN_RECHECK..=MAX_RECHECK;
    if !range.contains(&interval) {
        return Err(out_of_range("recheck", interval, &range));
    }
    let staleness = fields.duration("staleness", interval..=MAX_STALENESS)?;
    Ok(Some(RecheckTimes { interval, staleness: staleness.unwrap_or(DEFAULT_STALENESS.max(interval)) }))
}

fn read_users(fields: &Fields) -> Result<UserRecords, RealmFault> {
    let is_made = fields.boolean("autoCreateUsers")?.unwrap_or(true);
    match (is_made, fields.boolean("ephemeralUsers")?.unwrap_or(false)) {
        (true, false) => Ok(UserRecords::AtFirstLogin),
        (true, true) => Ok(UserRecords::Ephemeral),
        (false, false) => Ok(UserRecords::ByHand),
        (false, true) => Err(fault(
            "ephemeralUsers",
            "means nothing where autoCreateUsers is false: no login makes a user",
        )),
    }
}
