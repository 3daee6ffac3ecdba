//! Users and groups of a test's OpenLDAP directory, as entries.
//!
//! Called by tests, and by `slapd`, which puts them below its suffix. Must never change a byte of a password.

use super::ldif::{Entry, escape_dn_value};
use super::slapd::{GROUPS, PEOPLE};

/// When an administrator has locked an account for good (draft-behera-ldap-password-policy-10, section 5.3.3).
pub(crate) const LOCKED_FOR_GOOD: &str = "000001010000Z";

/// The DN of a user that a test named. `uid=NAME,ou=people,dc=example,dc=org`.
pub(crate) fn user_dn(uid: &str) -> String {
    format!("uid={},{PEOPLE}", escape_dn_value(uid))
}

/// The DN of a group that a test named. `cn=NAME,ou=groups,dc=example,dc=org`.
pub(crate) fn group_dn(cn: &str) -> String {
    format!("cn={},{GROUPS}", escape_dn_value(cn))
}

/// A user: an `inetOrgPerson`.
#[derive(Clone, Debug)]
pub struct User {
    pub(crate) uid: String,
    pub(crate) password: Vec<u8>,
    pub(crate) is_hashed: bool,
    common_name: Option<String>,
    is_disabled: bool,
    attributes: Vec<(String, Vec<u8>)>,
}

impl User {
    /// A user with this `uid` and password, which is stored as it is, byte for byte (hashed where
    /// it begins with `{` and would be taken for a hash).
    #[must_use]
    pub fn named(uid: &str, password: impl AsRef<[u8]>) -> Self {
        Self {
            uid: uid.to_owned(),
            password: password.as_ref().to_vec(),
            is_hashed: false,
            common_name: None,
            is_disabled: false,
            attributes: Vec::new(),
        }
    }

    /// His `mail`.
    #[must_use]
    pub fn mail(self, address: &str) -> Self {
        self.with("mail", address)
    }

    /// His `cn` (his `uid`, where none is given).
    #[must_use]
    pub fn cn(mut self, name: &str) -> Self {
        self.common_name = Some(name.to_owned());
        self
    }

    /// Locked by the administrator for good: his password is right, and he is not let in.
    #[must_use]
    pub fn disabled(mut self) -> Self {
        self.is_disabled = true;
        self
    }

    /// Stores the password as `{SSHA}` (one run of `slappasswd`; not for ten thousand users).
    #[must_use]
    pub fn hashed(mut self) -> Self {
        self.is_hashed = true;
        self
    }

    /// One more value of any attribute that an `inetOrgPerson` may have, also an operational one.
    #[must_use]
    pub fn with(mut self, attribute: &str, value: impl AsRef<[u8]>) -> Self {
        self.attributes.push((attribute.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// The entry, with the password in the form that the server is to store.
    pub(crate) fn entry(&self, stored: &[u8]) -> Entry {
        let name = self.common_name.as_deref().unwrap_or(&self.uid);
        let mut entry = Entry::new(&user_dn(&self.uid), &["inetOrgPerson"])
            .with("uid", &self.uid)
            .with("cn", name)
            .with("sn", name)
            .with("userPassword", stored);
        if self.is_disabled {
            entry = entry.with("pwdAccountLockedTime", LOCKED_FOR_GOOD);
        }
        for (attribute, value) in &self.attributes {
            entry = entry.with(attribute, value);
        }
        entry
    }
}

/// A group with members by DN: a `groupOfNames`.
#[derive(Clone, Debug)]
pub struct Group {
    cn: String,
    members: Vec<String>,
}

impl Group {
    /// A group without members yet.
    #[must_use]
    pub fn named(cn: &str) -> Self {
        Self { cn: cn.to_owned(), members: Vec::new() }
    }

    /// One more member: a user, by `uid`.
    #[must_use]
    pub fn user(self, uid: &str) -> Self {
        self.member(&user_dn(uid))
    }

    /// One more member: a group, by `cn`. It must be there already, or its `memberOf` is not written.
    #[must_use]
    pub fn nested(self, cn: &str) -> Self {
        self.member(&group_dn(cn))
    }

    /// One more member, by DN.
    #[must_use]
    pub fn member(mut self, dn: &str) -> Self {
        self.members.push(dn.to_owned());
        self
    }

    /// The entry. The schema wants one member at least: an empty group has itself.
    pub(crate) fn entry(&self) -> Entry {
        let dn = group_dn(&self.cn);
        let entry = Entry::new(&dn, &["groupOfNames"]).with("cn", &self.cn);
        if self.members.is_empty() {
            return entry.with("member", &dn);
        }
        self.members.iter().fold(entry, |entry, member| entry.with("member", member))
    }
}

/// A group with members by name: a `posixGroup` of RFC 2307.
#[derive(Clone, Debug)]
pub struct PosixGroup {
    cn: String,
    number: u32,
    members: Vec<String>,
}

impl PosixGroup {
    /// A group with this `gidNumber` and without members yet.
    #[must_use]
    pub fn named(cn: &str, number: u32) -> Self {
        Self { cn: cn.to_owned(), number, members: Vec::new() }
    }

    /// One more `memberUid`.
    #[must_use]
    pub fn user(mut self, uid: &str) -> Self {
        self.members.push(uid.to_owned());
        self
    }

    pub(crate) fn entry(&self) -> Entry {
        let entry = Entry::new(&group_dn(&self.cn), &["posixGroup"])
            .with("cn", &self.cn)
            .with("gidNumber", self.number.to_string());
        self.members.iter().fold(entry, |entry, uid| entry.with("memberUid", uid))
    }
}
