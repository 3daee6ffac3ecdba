//! The realm's settings: a JSON object with the names of contract/fusion.md ("Realm … trusted-http"), nested or with dots. Called by
//! `realm.rs`. Must never take a setting that it does not know: somebody would believe in it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use auth::limits::{MAX_ATTRIBUTE_BYTES, MAX_ATTRIBUTES, MAX_ROLES_PER_USER};
use auth::{RealmFault, RoleName, UserRecords};
use ipnet::IpNet;
use serde_json::Value;

use crate::limits::{MAX_FIELD_NAME_BYTES, MAX_MAPPINGS, MAX_PEERS};

/// Fields by which HTTP, or a client, says something else.
const TAKEN: [&str; 13] = [
    "apikey",
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "forwarded",
    "host",
    "te",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-api-key",
];

const KNOWN: &str = "identityKey, groups.key, groups.delimiter, groups.roleMapping, attributes, allowedIps, autoCreateUsers \
                     and ephemeralUsers";

/// Who is believed, and what is read where.
///
/// | field | default | meaning |
/// |---|---|---|
/// | `identityKey` | required | the header field with the user's name |
/// | `groups.key` | none | the header field with his groups |
/// | `groups.delimiter` | `,` | what stands between two groups |
/// | `groups.roleMapping` | none | pairs of a group, written exactly so, and the role that it stands for |
/// | `attributes` | none | what it is called here, and the header field with it: `{"mail": "X-Mail"}` |
/// | `allowedIps` | nobody | the peers that are believed: addresses, or networks such as `10.0.0.0/8` |
/// | `autoCreateUsers` | true | whether a user's record is made when he comes first |
/// | `ephemeralUsers` | false | whether the record goes when nobody uses it any more |
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) identity: Box<str>,
    pub(crate) groups: Option<Groups>,
    pub(crate) attributes: Vec<Named>,
    pub(crate) peers: Vec<IpNet>,
    pub(crate) users: UserRecords,
}

/// What an attribute is called here, and the header field with it.
type Named = (Box<str>, Box<str>);

/// Where groups are read, and what they stand for.
#[derive(Debug)]
pub(crate) struct Groups {
    pub(crate) field: Box<str>,
    pub(crate) delimiter: Box<str>,
    pub(crate) mapping: Vec<(Box<str>, RoleName)>,
}

fn fault(field: &str, why: impl Into<String>) -> RealmFault {
    RealmFault { field: Some(field.to_owned()), why: why.into() }
}

/// Reads the settings.
///
/// # Errors
/// The first field that is wrong, and why.
pub(crate) fn parse(config: &str) -> Result<Settings, RealmFault> {
    let config: Value =
        serde_json::from_str(config).map_err(|error| fault("", format!("is no JSON: {error}")))?;
    let mut fields = Fields::of(&config)?;
    let identity = match fields.take("identityKey") {
        Some(value) => header_name("identityKey", &value)?,
        None => {
            return Err(fault(
                "identityKey",
                "is missing: the header field with the user's name, such as REMOTE_USER",
            ));
        }
    };
    let groups = groups(&mut fields)?;
    let attributes = attributes(fields.take("attributes"))?;
    let peers = peers(fields.take("allowedIps"))?;
    let (create, ephemeral) = (fields.flag("autoCreateUsers")?, fields.flag("ephemeralUsers")?);
    let users = match (create.unwrap_or(true), ephemeral.unwrap_or(false)) {
        (true, true) => UserRecords::Ephemeral,
        (true, false) => UserRecords::AtFirstLogin,
        (false, false) => UserRecords::ByHand,
        (false, true) => {
            return Err(fault("ephemeralUsers", "has no meaning where autoCreateUsers is false"));
        }
    };
    fields.finish()?;
    Ok(Settings { identity, groups, attributes, peers, users })
}

/// The fields by their dotted names.
struct Fields(BTreeMap<String, Value>);

impl Fields {
    fn of(config: &Value) -> Result<Self, RealmFault> {
        let config = config.as_object().ok_or_else(|| fault("", "is no JSON object"))?;
        let mut fields = BTreeMap::new();
        for (name, value) in config {
            let inner = value.as_object().filter(|_| name == "groups");
            let named: Vec<(String, Value)> = match inner {
                Some(inner) => {
                    inner.iter().map(|(key, value)| (format!("{name}.{key}"), value.clone())).collect()
                }
                None => vec![(name.clone(), value.clone())],
            };
            for (name, value) in named {
                if fields.insert(name.clone(), value).is_some() {
                    return Err(fault(&name, "is given twice, nested and with a dot"));
                }
            }
        }
        Ok(Self(fields))
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name).filter(|value| !value.is_null())
    }

    fn flag(&mut self, name: &str) -> Result<Option<bool>, RealmFault> {
        let Some(value) = self.take(name) else { return Ok(None) };
        value.as_bool().map(Some).ok_or_else(|| fault(name, "must be true or false"))
    }

    fn finish(self) -> Result<(), RealmFault> {
        match self.0.into_iter().find(|(_, value)| !value.is_null()) {
            None => Ok(()),
            Some((name, _)) => Err(fault(&name, format!("is no setting of this type: it knows {KNOWN}"))),
        }
    }
}

fn text<'v>(name: &str, value: &'v Value) -> Result<&'v str, RealmFault> {
    value.as_str().ok_or_else(|| fault(name, "must be a text"))
}

/// The name of a header field (RFC 9110 section 5.1), in lower case.
fn header_name(name: &str, value: &Value) -> Result<Box<str>, RealmFault> {
    let text = text(name, value)?;
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if text.is_empty() || text.len() > MAX_FIELD_NAME_BYTES || !text.chars().all(is_token) {
        let why = format!(
            "is no name of a header field: letters, digits, - and _, at most {MAX_FIELD_NAME_BYTES} bytes"
        );
        return Err(fault(name, why));
    }
    let lower = text.to_ascii_lowercase();
    if TAKEN.contains(&lower.as_str()) || lower.starts_with("x-forwarded-") && lower != "x-forwarded-user" {
        return Err(fault(name, format!("{text} says something else already")));
    }
    Ok(lower.into_boxed_str())
}

fn groups(fields: &mut Fields) -> Result<Option<Groups>, RealmFault> {
    const MAPPING: &str = "groups.roleMapping";
    let (key, delimiter, mapping) =
        (fields.take("groups.key"), fields.take("groups.delimiter"), fields.take(MAPPING));
    let Some(key) = key else {
        let given = delimiter.map(|_| "groups.delimiter").or_else(|| mapping.map(|_| MAPPING));
        return given.map_or(Ok(None), |name| Err(fault(name, "has no meaning without groups.key")));
    };
    let delimiter = match &delimiter {
        None => ",",
        Some(value) => text("groups.delimiter", value)?,
    };
    if delimiter.is_empty() || delimiter.chars().any(char::is_control) {
        return Err(fault("groups.delimiter", "must be a visible text"));
    }
    let pairs = match &mapping {
        None => &[][..],
        Some(value) => value.as_array().ok_or_else(|| fault(MAPPING, "must be a list of pairs"))?,
    };
    if pairs.len() > MAX_MAPPINGS {
        return Err(fault(MAPPING, format!("has {} pairs; {MAX_MAPPINGS} are allowed", pairs.len())));
    }
    let mut read: Vec<(Box<str>, RoleName)> = Vec::with_capacity(pairs.len());
    for pair in pairs {
        let (group, role) = match pair.as_array().map(Vec::as_slice) {
            Some([group, role]) => (text(MAPPING, group)?, text(MAPPING, role)?),
            _ => return Err(fault(MAPPING, "must be a list of pairs: [[\"group\", \"role\"]]")),
        };
        if group.is_empty() || group.contains(delimiter) || group.trim() != group {
            return Err(fault(MAPPING, format!("no field can name the group {group:?}")));
        }
        let role = RoleName::parse(role).map_err(|why| fault(MAPPING, format!("the role {role:?} {why}")))?;
        read.push((Box::from(group), role));
    }
    let mut roles: Vec<_> = read.iter().map(|(_, role)| role).collect();
    roles.sort();
    roles.dedup();
    if roles.len() > MAX_ROLES_PER_USER {
        return Err(fault(MAPPING, format!("has {} roles; {MAX_ROLES_PER_USER} are allowed", roles.len())));
    }
    let field = header_name("groups.key", &key)?;
    Ok(Some(Groups { field, delimiter: Box::from(delimiter), mapping: read }))
}

fn attributes(value: Option<Value>) -> Result<Vec<Named>, RealmFault> {
    const NAME: &str = "attributes";
    let Some(value) = value else { return Ok(Vec::new()) };
    let named = value.as_object().ok_or_else(|| fault(NAME, "must be an object: {\"mail\": \"X-Mail\"}"))?;
    if named.len() > MAX_ATTRIBUTES {
        return Err(fault(NAME, format!("has {} entries; {MAX_ATTRIBUTES} are allowed", named.len())));
    }
    let attribute = |(name, field): (&String, &Value)| {
        if name.is_empty() || name.len() > MAX_ATTRIBUTE_BYTES || name.chars().any(char::is_control) {
            return Err(fault(NAME, format!("{name:?} is no name for an attribute")));
        }
        Ok((Box::from(name.as_str()), header_name(&format!("{NAME}.{name}"), field)?))
    };
    named.iter().map(attribute).collect()
}

fn peers(value: Option<Value>) -> Result<Vec<IpNet>, RealmFault> {
    const NAME: &str = "allowedIps";
    let Some(value) = value else { return Ok(Vec::new()) };
    let listed = value.as_array().ok_or_else(|| fault(NAME, "must be a list of addresses"))?;
    if listed.len() > MAX_PEERS {
        return Err(fault(NAME, format!("has {} entries; {MAX_PEERS} are allowed", listed.len())));
    }
    listed.iter().map(|one| peer(NAME, text(NAME, one)?)).collect()
}

fn peer(name: &str, text: &str) -> Result<IpNet, RealmFault> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(IpNet::from(address.to_canonical()));
    }
    let network: IpNet = text.parse().map_err(|_| {
        fault(name, format!("{text:?} is neither an address nor a network such as 10.0.0.0/8"))
    })?;
    if let IpAddr::V6(address) = network.addr()
        && address.to_ipv4_mapped().is_some()
    {
        // Peers of IPv4 are known by their addresses of IPv4, so nobody would ever be in it.
        return Err(fault(
            name,
            format!("{text:?} is a network of IPv4: write it as one, such as 10.0.0.0/8"),
        ));
    }
    if network.trunc() != network {
        return Err(fault(name, format!("{text:?} has bits set after its prefix: {}?", network.trunc())));
    }
    Ok(network)
}

#[cfg(test)]
mod tests;
