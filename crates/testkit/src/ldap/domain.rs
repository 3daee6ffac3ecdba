//! Users and groups of a test's Active Directory domain.
//!
//! Called by tests, and by `samba`. Must never set what a domain controller keeps for itself (`lockoutTime`, `pwdLastSet`
//! other than 0).

use super::ldif::{Entry, change, escape_dn_value};
use super::samba::{DOMAIN, GROUPS, PEOPLE};

/// `userAccountControl` of an ordinary user whose password never expires (NORMAL_ACCOUNT, DONT_EXPIRE_PASSWORD).
pub(crate) const ENABLED: u32 = 0x10200;

/// The same, with ACCOUNTDISABLE.
pub(crate) const DISABLED: u32 = ENABLED | 2;

/// The same as enabled, without DONT_EXPIRE_PASSWORD: a password older than 42 days is too old.
const EXPIRING: u32 = 0x200;

/// `accountExpires` of somebody whose time was over on 1 January 2000 (100 ns since 1601).
const LONG_AGO: &str = "125911584000000000";

/// The DN of a user that a test named.
pub(crate) fn user_dn(name: &str) -> String {
    format!("CN={},{PEOPLE}", escape_dn_value(name))
}

/// The DN of a group that a test named.
pub(crate) fn group_dn(name: &str) -> String {
    format!("CN={},{GROUPS}", escape_dn_value(name))
}

/// A password as `unicodePwd` wants it: in quotes, in UTF-16, the low byte first ([MS-ADTS] section 3.1.1.3.1.5).
pub(crate) fn quoted(password: &str) -> Vec<u8> {
    format!("\"{password}\"").encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// A user of the domain.
#[derive(Clone, Debug)]
pub struct DomainUser {
    name: String,
    password: String,
    common_name: Option<String>,
    principal: Option<String>,
    control: u32,
    attributes: Vec<(String, Vec<u8>)>,
    must_change: bool,
    pub(crate) is_locked: bool,
    pub(crate) has_old_password: bool,
}

impl DomainUser {
    /// A user with this `sAMAccountName` and password, and the `userPrincipalName` `NAME@ad.example.org`.
    #[must_use]
    pub fn named(name: &str, password: &str) -> Self {
        Self {
            name: name.to_owned(),
            password: password.to_owned(),
            common_name: None,
            principal: None,
            control: ENABLED,
            attributes: Vec::new(),
            must_change: false,
            is_locked: false,
            has_old_password: false,
        }
    }

    /// His `mail`.
    #[must_use]
    pub fn mail(self, address: &str) -> Self {
        self.with("mail", address)
    }

    /// His `displayName`.
    #[must_use]
    pub fn display_name(self, name: &str) -> Self {
        self.with("displayName", name)
    }

    /// His `cn`, which is in his DN (default: the `sAMAccountName`). In many domains it has a comma.
    #[must_use]
    pub fn cn(mut self, name: &str) -> Self {
        self.common_name = Some(name.to_owned());
        self
    }

    /// Another `userPrincipalName`.
    #[must_use]
    pub fn principal(mut self, name: &str) -> Self {
        self.principal = Some(name.to_owned());
        self
    }

    /// Disabled by the administrator.
    #[must_use]
    pub fn disabled(mut self) -> Self {
        self.control = DISABLED;
        self
    }

    /// His account's time was over in 2000.
    #[must_use]
    pub fn expired(self) -> Self {
        self.with("accountExpires", LONG_AGO)
    }

    /// His password is too old.
    #[must_use]
    pub fn password_expired(mut self) -> Self {
        self.control = EXPIRING;
        self.has_old_password = true;
        self
    }

    /// He must choose another password when he logs in next.
    #[must_use]
    pub fn must_change(mut self) -> Self {
        self.control = EXPIRING;
        self.must_change = true;
        self
    }

    /// Locked after too many wrong passwords.
    #[must_use]
    pub fn locked(mut self) -> Self {
        self.is_locked = true;
        self
    }

    /// One more value of any other attribute.
    #[must_use]
    pub fn with(mut self, attribute: &str, value: impl AsRef<[u8]>) -> Self {
        self.attributes.push((attribute.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// His DN.
    #[must_use]
    pub fn dn(&self) -> String {
        user_dn(self.common_name.as_deref().unwrap_or(&self.name))
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn ldif(&self) -> String {
        let principal = self.principal.clone().unwrap_or_else(|| format!("{}@{DOMAIN}", self.name));
        let entry = Entry::new(&self.dn(), &["user"])
            .with("sAMAccountName", &self.name)
            .with("userPrincipalName", principal)
            .with("userAccountControl", self.control.to_string())
            .with("unicodePwd", quoted(&self.password));
        let others = self.attributes.iter();
        let mut text = others.fold(entry, |entry, (attribute, value)| entry.with(attribute, value)).ldif();
        if self.must_change {
            text.push_str(&change(&self.dn(), "replace", "pwdLastSet", &[b"0"]));
        }
        text
    }
}

/// A global security group of the domain.
#[derive(Clone, Debug)]
pub struct DomainGroup {
    name: String,
    members: Vec<String>,
}

impl DomainGroup {
    /// A group with this `cn` and `sAMAccountName`, without members yet.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self { name: name.to_owned(), members: Vec::new() }
    }

    /// One more member: a user without a `cn` of his own, by `sAMAccountName`.
    #[must_use]
    pub fn user(self, name: &str) -> Self {
        self.member(&user_dn(name))
    }

    /// One more member: a group that is there already.
    #[must_use]
    pub fn nested(self, name: &str) -> Self {
        self.member(&group_dn(name))
    }

    /// One more member, by DN.
    #[must_use]
    pub fn member(mut self, dn: &str) -> Self {
        self.members.push(dn.to_owned());
        self
    }

    pub(crate) fn ldif(&self) -> String {
        let entry = Entry::new(&group_dn(&self.name), &["group"]).with("sAMAccountName", &self.name);
        self.members.iter().fold(entry, |entry, member| entry.with("member", member)).ldif()
    }
}
