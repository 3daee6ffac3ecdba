//! From groups to roles.
//!
//! Called by `settings` (to read the mapping) and by the realm (to apply it). Must never give a role for a group whose name is
//! only like the one that the mapping has.

use std::collections::{HashMap, HashSet};

use auth::RoleName;

use super::distinguished_name::{DistinguishedName, folded};

/// A group that a user is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    /// Its DN as the directory writes it.
    dn: Box<str>,
    /// The form in which its DN is compared; where nobody can read the DN, the DN itself.
    key: Box<str>,
    /// Its names, as the directory writes them.
    names: Vec<Box<str>>,
}

impl Group {
    /// A group of which only the DN is known: its name is the value of `name_attribute` in the first part of it.
    pub(crate) fn of_dn(dn: &str, name_attribute: &str) -> Self {
        let parsed = DistinguishedName::parse(dn).ok();
        let name = parsed.as_ref().and_then(|parsed| parsed.first_value(name_attribute));
        let names = name.map(Box::from).into_iter().collect();
        Self { dn: Box::from(dn), key: key_of(dn, parsed.as_ref()), names }
    }

    /// A group whose entry was read; a group can have several names.
    pub(crate) fn found(dn: &str, names: impl IntoIterator<Item = String>) -> Self {
        let parsed = DistinguishedName::parse(dn).ok();
        let names = names.into_iter().map(String::into_boxed_str).collect();
        Self { dn: Box::from(dn), key: key_of(dn, parsed.as_ref()), names }
    }

    /// Its DN as the directory writes it.
    pub(crate) fn dn(&self) -> &str {
        &self.dn
    }

    /// The form in which its DN is compared: two groups with the same one are the same.
    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// What people call it: its first name, or its DN.
    pub(crate) fn shown(&self) -> &str {
        self.names.first().map_or(&self.dn, |name| name)
    }
}

fn key_of(dn: &str, parsed: Option<&DistinguishedName>) -> Box<str> {
    parsed.map_or_else(|| Box::from(dn), |parsed| parsed.key().into_boxed_str())
}

/// Which group is which role.
#[derive(Debug, Default)]
pub(crate) struct RoleMapping {
    roles: Vec<RoleName>,
    /// The same, each once.
    granted: HashSet<RoleName>,
    by_name: HashMap<Box<str>, Vec<usize>>,
    by_key: HashMap<Box<str>, Vec<usize>>,
}

impl RoleMapping {
    /// One more row, behind the others: whoever is in the group of this DN has the role.
    pub(crate) fn add_dn(&mut self, group: &DistinguishedName, role: RoleName) {
        self.by_key.entry(group.key().into_boxed_str()).or_default().push(self.roles.len());
        self.add(role);
    }

    /// One more row, behind the others: whoever is in a group of this name, wherever it is, has the role.
    pub(crate) fn add_name(&mut self, group: &str, role: RoleName) {
        self.by_name.entry(folded(group).into_boxed_str()).or_default().push(self.roles.len());
        self.add(role);
    }

    fn add(&mut self, role: RoleName) {
        self.granted.insert(role.clone());
        self.roles.push(role);
    }

    /// Whether any group is this role.
    pub(crate) fn grants(&self, role: &RoleName) -> bool {
        self.granted.contains(role)
    }

    /// Whether no group is any role.
    pub(crate) fn is_empty(&self) -> bool {
        self.roles.is_empty()
    }

    /// The roles that these groups stand for, each once, in the order of the mapping.
    pub(crate) fn roles<'a>(&self, groups: impl IntoIterator<Item = &'a Group>) -> Vec<RoleName> {
        if self.is_empty() {
            return Vec::new();
        }
        let mut rows: Vec<usize> = Vec::new();
        for group in groups {
            rows.extend(self.by_key.get(&group.key).into_iter().flatten());
            for name in &group.names {
                rows.extend(self.by_name.get(&*folded(name)).into_iter().flatten());
            }
        }
        rows.sort_unstable();
        rows.dedup();
        let mut roles: Vec<RoleName> = Vec::with_capacity(rows.len());
        for row in rows {
            let role = &self.roles[row];
            if !roles.contains(role) {
                roles.push(role.clone());
            }
        }
        roles
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(rows: &[(&str, &str)]) -> RoleMapping {
        let mut mapping = RoleMapping::default();
        for (group, role) in rows {
            let role = RoleName::parse(role).unwrap();
            match DistinguishedName::parse(group) {
                Ok(dn) => mapping.add_dn(&dn, role),
                Err(_) => mapping.add_name(group, role),
            }
        }
        mapping
    }

    fn roles(mapping: &RoleMapping, groups: &[Group]) -> Vec<String> {
        mapping.roles(groups).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_role_is_given_once_in_the_order_of_the_mapping() {
        let mapping = mapping(&[
            ("cn=Ops,ou=groups,dc=x", "admin"),
            ("staff", "search"),
            ("ops", "developer"),
            ("all", "search"),
            ("staff", "readonly"),
        ]);
        let group = |dn| Group::of_dn(dn, "cn");
        assert_eq!(roles(&mapping, &[]), Vec::<String>::new());
        assert_eq!(
            roles(&mapping, &[group("cn=all,dc=x"), group("CN=Staff,dc=x"), group("cn=OPS, ou=Groups,dc=x")]),
            ["admin", "search", "developer", "readonly"]
        );
        assert_eq!(roles(&mapping, &[group("cn=ops,ou=other,dc=x")]), ["developer"]);
        assert_eq!(roles(&mapping, &[group("ou=staff,dc=x")]), Vec::<String>::new(), "not its cn");
    }

    #[test]
    fn what_some_group_stands_for_can_be_granted() {
        let mapping = mapping(&[("cn=Ops,ou=groups,dc=x", "admin"), ("staff", "search"), ("all", "search")]);
        for (role, is_granted) in [("admin", true), ("search", true), ("Admin", false), ("staff", false)] {
            assert_eq!(mapping.grants(&RoleName::parse(role).unwrap()), is_granted, "{role}");
        }
        assert!(!RoleMapping::default().grants(&RoleName::parse("admin").unwrap()));
    }

    #[test]
    fn a_group_that_was_found_goes_by_its_names() {
        let mapping = mapping(&[("\u{c4}rzte", "doctor"), ("cn=a,dc=x", "a")]);
        let group = Group::found("cn=1,dc=x", ["first".to_owned(), "\u{e4}rzte".to_owned()]);
        assert_eq!(roles(&mapping, std::slice::from_ref(&group)), ["doctor"]);
        assert_eq!((group.dn(), group.key(), group.shown()), ("cn=1,dc=x", "cn=1,dc=x", "first"));
        let nameless = Group::found("cn=A, dc=x", []);
        assert_eq!(roles(&mapping, std::slice::from_ref(&nameless)), ["a"]);
        assert_eq!((nameless.key(), nameless.shown()), ("cn=a,dc=x", "cn=A, dc=x"));
    }

    #[test]
    fn a_name_that_is_only_alike_gives_nothing() {
        let mapping = mapping(&[("admins", "admin")]);
        for other in ["cn=admin,dc=x", "cn=admins\\ ,dc=x", "cn=admins2,dc=x", "cn=\\,admins,dc=x", "admins"]
        {
            assert_eq!(roles(&mapping, &[Group::of_dn(other, "cn")]), Vec::<String>::new(), "{other}");
        }
    }
}
