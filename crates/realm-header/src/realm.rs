//! The realm itself. Called by the kernel for each request that shows one of its fields. Must never believe a peer that is not
//! listed, or choose between two values.

use std::collections::HashSet;
use std::net::IpAddr;

use auth::directory::Snapshot;
use auth::limits::{MAX_ASSERTED_BYTES, MAX_ATTRIBUTE_BYTES};
use auth::{
    Asserted, Attribute, Evidence, Pending, Realm, RealmFault, Rejection, RoleName, UserRecords, Username,
    Verdict, Verified,
};

use crate::limits::MAX_GROUPS;
use crate::settings::{self, Groups, Settings};

/// Takes the word of listed peers.
///
/// | the peer | the fields | the verdict |
/// |---|---|---|
/// | not listed | any | `NotMine`: as if there were none |
/// | listed | no identity, or an empty one | `NotMine` |
/// | listed | one identity | `Verified`, with the roles of the groups |
/// | listed | two of a kind, no text, a name that no record may have, too long, too many groups | `Rejected` |
pub struct HeaderRealm {
    settings: Settings,
    fields: Vec<Box<str>>,
    /// The roles that groups stand for.
    granted: HashSet<RoleName>,
}

impl HeaderRealm {
    /// The realm of this config ([contract/fusion.md], "Realm").
    ///
    /// # Errors
    /// The field that is wrong, and why.
    pub fn new(config: &str) -> Result<Self, RealmFault> {
        let settings = settings::parse(config)?;
        let mut fields = vec![settings.identity.clone()];
        fields.extend(settings.groups.iter().map(|groups| groups.field.clone()));
        fields.extend(settings.attributes.iter().map(|(_, field)| field.clone()));
        fields.sort();
        fields.dedup();
        let mapping = settings.groups.iter().flat_map(|groups| &groups.mapping);
        let granted = mapping.map(|(_, role)| role.clone()).collect();
        Ok(Self { settings, fields, granted })
    }

    fn judge(&self, asserted: &Asserted) -> Verdict {
        let is_listed = |peer: IpAddr| {
            let peer = peer.to_canonical();
            self.settings.peers.iter().any(|network| network.contains(&peer))
        };
        if !asserted.peer.is_some_and(is_listed) {
            return Verdict::NotMine;
        }
        match self.read(asserted) {
            Ok(Some(verified)) => Verdict::Verified(verified),
            Ok(None) => Verdict::NotMine,
            Err(Ambiguous) => Verdict::Rejected(Rejection::NotAllowed),
        }
    }

    fn read(&self, asserted: &Asserted) -> Result<Option<Verified>, Ambiguous> {
        let Some(name) = only(asserted, &self.settings.identity)? else { return Ok(None) };
        let username = Username::chosen(name).map_err(|_| Ambiguous)?;
        let roles = match &self.settings.groups {
            Some(groups) => roles(groups, only(asserted, &groups.field)?.unwrap_or_default())?,
            None => Vec::new(),
        };
        let mut attributes = Vec::new();
        for (name, field) in &self.settings.attributes {
            let said = only(asserted, field)?.filter(|value| value.len() <= MAX_ATTRIBUTE_BYTES);
            attributes.extend(said.map(|value| Attribute { name: name.clone(), value: Box::from(value) }));
        }
        Ok(Some(Verified { roles, attributes, ..Verified::named(username) }))
    }
}

/// What may stand around a field's value and is none of it (RFC 9110 section 5.6.3). Other blanks are part of a name: to somebody
/// else they make another.
const BLANKS: [char; 2] = [' ', '\t'];

/// What is said can be read in two ways, or in none.
struct Ambiguous;

/// The one value of a field. An empty one is none.
fn only<'a>(asserted: &'a Asserted, field: &str) -> Result<Option<&'a str>, Ambiguous> {
    let mut values = asserted.fields.iter().filter(|(name, _)| **name == *field).map(|(_, value)| value);
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() || value.len() > MAX_ASSERTED_BYTES {
        return Err(Ambiguous);
    }
    let value = std::str::from_utf8(value).map_err(|_| Ambiguous)?.trim_matches(BLANKS);
    Ok(Some(value).filter(|value| !value.is_empty()))
}

/// The roles that these groups stand for, each once, in the mapping's order.
fn roles(groups: &Groups, said: &str) -> Result<Vec<RoleName>, Ambiguous> {
    let named = said.split(&*groups.delimiter).map(|group| group.trim_matches(BLANKS));
    let named: Vec<&str> = named.take(MAX_GROUPS + 1).collect();
    if named.len() > MAX_GROUPS {
        return Err(Ambiguous);
    }
    let mut roles: Vec<RoleName> = Vec::new();
    for (group, role) in &groups.mapping {
        if named.contains(&&**group) && !roles.contains(role) {
            roles.push(role.clone());
        }
    }
    Ok(roles)
}

impl Realm for HeaderRealm {
    fn verify<'a>(&'a self, evidence: &'a Evidence, _: &'a Snapshot) -> Pending<'a, Verdict> {
        let verdict = match evidence {
            Evidence::Asserted(asserted) => self.judge(asserted),
            Evidence::Password { .. } => Verdict::NotMine,
        };
        Box::pin(std::future::ready(verdict))
    }

    fn users(&self) -> UserRecords {
        self.settings.users
    }

    fn grants(&self, role: &RoleName) -> bool {
        self.granted.contains(role)
    }

    fn asserting_fields(&self) -> &[Box<str>] {
        &self.fields
    }
}

#[cfg(test)]
mod tests;
