//! Where groups come from, and which of them is which role.
//!
//! Called by `parse`. Must never leave out in silence what cannot be: nested groups that nobody could find are a mistake.

use auth::{RealmFault, RoleName};
use serde_json::Value;

use super::login::{SCOPES, read_base};
use super::reader::{Fields, fault};
use super::{DirectoryKind, GroupSearch, GroupSource, Groups, Login, LoginWay, SearchScope};
use crate::limits::{MAX_DN_BYTES, MAX_GROUP_NAME_BYTES, MAX_MAPPED_GROUPS};
use crate::words::distinguished_name::DistinguishedName;
use crate::words::mapping::RoleMapping;
use crate::words::template::GroupTemplate;

const GENERIC_FILTER: &str = "(|(member={})(uniqueMember={}))";
const ACTIVE_DIRECTORY_FILTER: &str = "(member={})";
/// Active Directory's rule that walks up all groups of groups by itself.
const NESTED_FILTER: &str = "(member:1.2.840.113556.1.4.1941:={})";

const FILTER: &str = "groups.searchFilter";
const BASE: &str = "groups.searchBase";
const SCOPE: &str = "groups.searchScope";
const NESTED: &str = "groups.nested";
const MEMBER_OF: &str = "groups.memberOfAttribute";
const NAME: &str = "groups.nameAttribute";
const MAPPING: &str = "groups.roleMapping";

/// The words of `groups.source`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    Nowhere,
    MemberOf,
    Search,
}

/// Everything below `groups`.
pub(super) fn read(fields: &Fields, directory: DirectoryKind, login: &Login) -> Result<Groups, RealmFault> {
    let name_attribute = fields.attribute(NAME)?.unwrap_or_else(|| Box::from("cn"));
    let mapping = read_mapping(fields)?;
    let base = read_base(fields, BASE)?;
    let is_nested = fields.boolean(NESTED)?;
    let source = match read_source(fields, directory, base.is_some())? {
        Source::Nowhere => {
            let useless = [BASE, FILTER, SCOPE, MEMBER_OF, NAME];
            fields.refuse(&useless, "where groups.source is \"none\"")?;
            if !mapping.is_empty() || is_nested == Some(true) {
                let field = if mapping.is_empty() { NESTED } else { MAPPING };
                return Err(fault(field, "means nothing where groups.source is \"none\""));
            }
            return Ok(Groups { source: GroupSource::Nowhere, is_walked_up: false, name_attribute, mapping });
        }
        source => source,
    };
    let (source, is_walked_up) = match directory {
        DirectoryKind::ActiveDirectory => (active_directory(fields, source, base, is_nested, login)?, false),
        DirectoryKind::Generic => {
            let is_walked_up = is_nested.unwrap_or(true);
            (generic(fields, source, base, is_nested)?, is_walked_up)
        }
    };
    let is_walked_up =
        is_walked_up && !matches!(&source, GroupSource::Search(search) if !search.filter.has_member());
    Ok(Groups { source, is_walked_up, name_attribute, mapping })
}

fn read_source(fields: &Fields, directory: DirectoryKind, has_base: bool) -> Result<Source, RealmFault> {
    const FIELD: &str = "groups.source";
    let words = [("memberOf", Source::MemberOf), ("search", Source::Search), ("none", Source::Nowhere)];
    let source = match fields.word(FIELD, &words)? {
        Some(source) => source,
        None if has_base && directory == DirectoryKind::Generic => Source::Search,
        None => Source::MemberOf,
    };
    match source {
        Source::Search => fields.refuse(&[MEMBER_OF], "where groups.source is \"search\"")?,
        Source::MemberOf => fields.refuse(&[FILTER], "where groups.source is \"memberOf\"")?,
        Source::Nowhere => {}
    }
    Ok(source)
}

fn generic(
    fields: &Fields,
    source: Source,
    base: Option<Box<str>>,
    is_nested: Option<bool>,
) -> Result<GroupSource, RealmFault> {
    if source == Source::MemberOf {
        fields.refuse(&[BASE, SCOPE], "where groups.source is \"memberOf\"")?;
        return member_of(fields);
    }
    let base = base.ok_or_else(|| fault(BASE, "is missing: where are the groups that are searched?"))?;
    let search = search(fields, base, GENERIC_FILTER)?;
    if is_nested == Some(true) && !search.filter.has_member() {
        let why = "cannot be with a searchFilter that has no {}: a group is in others by its DN";
        return Err(fault(NESTED, why));
    }
    if is_nested != Some(false) && search.filter.has_member() && search.filter.has_name() {
        let why = "must be false with a searchFilter that has both {} and {name}: a group has a DN, but no user's name";
        return Err(fault(NESTED, why));
    }
    Ok(GroupSource::Search(search))
}

fn active_directory(
    fields: &Fields,
    source: Source,
    base: Option<Box<str>>,
    is_nested: Option<bool>,
    login: &Login,
) -> Result<GroupSource, RealmFault> {
    let has_filter = fields.has(FILTER);
    if has_filter && is_nested == Some(true) {
        let why = format!("cannot be with a searchFilter of one's own: write {NESTED_FILTER} in it instead");
        return Err(fault(NESTED, why));
    }
    if is_nested.unwrap_or(!has_filter) {
        fields.refuse(&[MEMBER_OF], "with nested groups, which are searched: set groups.nested to false")?;
        let base = base.or_else(|| domain(login)).ok_or_else(|| {
            fault(BASE, "is missing: below which nested groups are searched (or set groups.nested to false)")
        })?;
        return Ok(GroupSource::Search(search(fields, base, NESTED_FILTER)?));
    }
    match source {
        Source::Search => {
            let base = base.or_else(|| domain(login));
            let base =
                base.ok_or_else(|| fault(BASE, "is missing: where are the groups that are searched?"))?;
            Ok(GroupSource::Search(search(fields, base, ACTIVE_DIRECTORY_FILTER)?))
        }
        Source::MemberOf | Source::Nowhere => {
            fields
                .refuse(&[BASE, SCOPE], "where groups.source is \"memberOf\" and groups.nested is false")?;
            member_of(fields)
        }
    }
}

fn member_of(fields: &Fields) -> Result<GroupSource, RealmFault> {
    let attribute = fields.attribute(MEMBER_OF)?.unwrap_or_else(|| Box::from("memberOf"));
    Ok(GroupSource::MemberOf { attribute })
}

fn search(fields: &Fields, base: Box<str>, standard: &str) -> Result<GroupSearch, RealmFault> {
    let filter = fields.text(FILTER)?.unwrap_or(standard);
    let filter = GroupTemplate::read(filter).map_err(|why| fault(FILTER, why.to_string()))?;
    let scope = fields.word(SCOPE, &SCOPES)?.unwrap_or(SearchScope::Subtree);
    Ok(GroupSearch { base, filter, scope })
}

/// The base of the domain that people are in.
fn domain(login: &Login) -> Option<Box<str>> {
    match &login.way {
        LoginWay::Template(template) => template.domain().map(Box::from),
        LoginWay::Principal(_, search) | LoginWay::Search(search) => {
            DistinguishedName::parse(&search.base).ok()?.domain().map(String::into_boxed_str)
        }
    }
}

fn read_mapping(fields: &Fields) -> Result<RoleMapping, RealmFault> {
    const FORM: &str = "is no list of pairs: [[\"group\", \"role\"], …]";
    let mut mapping = RoleMapping::default();
    let rows = match fields.value(MAPPING) {
        None => return Ok(mapping),
        Some(Value::Array(rows)) => rows,
        Some(_) => return Err(fault(MAPPING, FORM)),
    };
    if rows.len() > MAX_MAPPED_GROUPS {
        return Err(fault(MAPPING, format!("has more than {MAX_MAPPED_GROUPS} rows")));
    }
    for row in rows {
        let Some([Value::String(group), Value::String(role)]) = row.as_array().map(Vec::as_slice) else {
            return Err(fault(MAPPING, FORM));
        };
        let role = RoleName::parse(role).map_err(|why| fault(MAPPING, format!("the role {role:?} {why}")))?;
        add(&mut mapping, group, role).map_err(|why| fault(MAPPING, format!("the group {group:?} {why}")))?;
    }
    Ok(mapping)
}

fn add(mapping: &mut RoleMapping, group: &str, role: RoleName) -> Result<(), String> {
    let is_dn = group.contains('=');
    let most = if is_dn { MAX_DN_BYTES } else { MAX_GROUP_NAME_BYTES };
    if group.trim().is_empty() {
        return Err("is empty".to_owned());
    }
    if group.len() > most {
        return Err(format!("has more than {most} bytes"));
    }
    if group.contains(['{', '}']) {
        return Err("has a brace: groups are compared as they are, nothing goes into them".to_owned());
    }
    if is_dn {
        let dn = DistinguishedName::parse(group).map_err(|why| format!("is no DN: {why}"))?;
        mapping.add_dn(&dn, role);
    } else if group.trim() == group {
        mapping.add_name(group, role);
    } else {
        return Err("begins or ends with a blank".to_owned());
    }
    Ok(())
}
