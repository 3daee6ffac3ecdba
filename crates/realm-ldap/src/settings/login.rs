//! How people log in: template or search, the service account, what makes a name and what makes somebody disabled.
//!
//! Called by `parse`. Must never make a bind possible that has an empty name or an empty password.

use auth::RealmFault;

use super::reader::{Fields, fault};
use super::{DirectoryKind, Login, LoginWay, SearchScope, Secret, ServiceAccount, UserSearch};
use crate::limits::{MAX_DN_BYTES, MAX_SECRET_BYTES};
use crate::words::distinguished_name::DistinguishedName;
use crate::words::filter;
use crate::words::template::{DnTemplate, FilterTemplate, PrincipalTemplate};

const GENERIC_FILTER: &str = "(uid={})";
const ACTIVE_DIRECTORY_FILTER: &str =
    "(&(objectCategory=person)(objectClass=user)(|(sAMAccountName={})(userPrincipalName={})))";
const GENERIC_DISABLED: &str =
    "(|(nsAccountLock=TRUE)(loginDisabled=TRUE)(pwdAccountLockedTime=000001010000Z))";
const ACTIVE_DIRECTORY_DISABLED: &str = "(userAccountControl:1.2.840.113556.1.4.803:=2)";

/// `one` and `subtree`.
pub(super) const SCOPES: [(&str, SearchScope); 2] =
    [("one", SearchScope::One), ("subtree", SearchScope::Subtree)];

/// Everything below `login`.
pub(super) fn read(fields: &Fields, directory: DirectoryKind) -> Result<Login, RealmFault> {
    let way = read_way(fields, directory)?;
    let name_attribute = read_name_attribute(fields, &way, directory)?;
    let service = read_service(fields, directory)?;
    if service.is_some() && matches!(way, LoginWay::Principal(..)) {
        let why = "means nothing beside a bindDnTemplate that is no DN: leave that out, and the service account searches";
        return Err(fault("login.bindDn", why));
    }
    Ok(Login {
        service,
        typed_attributes: typed_attributes(&name_attribute, &way, directory),
        disabled_filter: read_disabled_filter(fields, directory)?,
        has_own_disabled_filter: fields.has("login.disabledFilter"),
        name_attribute,
        way,
    })
}

/// The attribute whose value is the user's name here. Two people must not have the same: who is searched for is looked at for
/// that (`realm/named.rs`); of who is found by his DN alone, the DN says it, or the domain.
fn read_name_attribute(
    fields: &Fields,
    way: &LoginWay,
    directory: DirectoryKind,
) -> Result<Box<str>, RealmFault> {
    const FIELD: &str = "login.nameAttribute";
    const OF_DOMAIN: &str = "sAMAccountName";
    let chosen = fields.attribute(FIELD)?;
    if let (Some(chosen), LoginWay::Template(template)) = (&chosen, way) {
        let is_of_domain = is_in_domain(template, directory) && chosen.eq_ignore_ascii_case(OF_DOMAIN);
        if !is_of_domain && !chosen.eq_ignore_ascii_case(template.attribute()) {
            let why = format!(
                "is not {}, which bindDnTemplate makes DNs of: two people could have the same {chosen}, and only a search would \
                 tell (login.searchBase)",
                template.attribute()
            );
            return Err(fault(FIELD, why));
        }
    }
    Ok(match (chosen, way, directory) {
        (Some(attribute), ..) => attribute,
        (None, LoginWay::Template(template), _) if !is_in_domain(template, directory) => {
            Box::from(template.attribute())
        }
        (None, _, DirectoryKind::ActiveDirectory) => Box::from(OF_DOMAIN),
        (None, _, DirectoryKind::Generic) => Box::from("uid"),
    })
}

/// Whether all its DNs are in one domain, which gives each `sAMAccountName` once.
fn is_in_domain(template: &DnTemplate, directory: DirectoryKind) -> bool {
    directory == DirectoryKind::ActiveDirectory && template.domain().is_some()
}

fn read_way(fields: &Fields, directory: DirectoryKind) -> Result<LoginWay, RealmFault> {
    const TEMPLATE: &str = "login.bindDnTemplate";
    let search = read_search(fields, directory)?;
    match (fields.text(TEMPLATE)?, search) {
        (None, None) => {
            Err(fault(TEMPLATE, "is missing, and so is login.searchBase: one of them says who logs in"))
        }
        (None, Some(search)) => Ok(LoginWay::Search(search)),
        (Some(template), search) if !template.contains('=') => {
            if directory == DirectoryKind::Generic {
                let why = "is no DN, which only an Active Directory binds: set directory, or write a DN with {} in it";
                return Err(fault(TEMPLATE, why));
            }
            let template =
                PrincipalTemplate::read(template).map_err(|why| fault(TEMPLATE, why.to_string()))?;
            // Several of its names are one person's, and some are another's by another attribute.
            let search = search.ok_or_else(|| {
                let why = "is missing beside a bindDnTemplate that is no DN: only his entry says whose name that is";
                fault("login.searchBase", why)
            })?;
            Ok(LoginWay::Principal(template, search))
        }
        (Some(_), Some(_)) => Err(fault(
            "login.searchBase",
            "means nothing beside a bindDnTemplate that makes DNs: one of them only",
        )),
        (Some(template), None) => {
            let template = DnTemplate::read(template).map_err(|why| fault(TEMPLATE, why.to_string()))?;
            Ok(LoginWay::Template(template))
        }
    }
}

fn read_search(fields: &Fields, directory: DirectoryKind) -> Result<Option<UserSearch>, RealmFault> {
    const FILTER: &str = "login.searchFilter";
    let Some(base) = read_base(fields, "login.searchBase")? else {
        fields.refuse(&[FILTER, "login.searchScope"], "without login.searchBase")?;
        return Ok(None);
    };
    let filter = fields.text(FILTER)?.unwrap_or(match directory {
        DirectoryKind::Generic => GENERIC_FILTER,
        DirectoryKind::ActiveDirectory => ACTIVE_DIRECTORY_FILTER,
    });
    let filter = FilterTemplate::read(filter).map_err(|why| fault(FILTER, why.to_string()))?;
    let scope = fields.word("login.searchScope", &SCOPES)?.unwrap_or(SearchScope::Subtree);
    Ok(Some(UserSearch { base, filter, scope }))
}

/// The DN of an entry that is searched below.
pub(super) fn read_base(fields: &Fields, field: &str) -> Result<Option<Box<str>>, RealmFault> {
    let Some(base) = fields.text(field)? else { return Ok(None) };
    check_dn(base).map_err(|why| fault(field, why))?;
    Ok(Some(Box::from(base)))
}

fn check_dn(text: &str) -> Result<(), String> {
    if text.len() > MAX_DN_BYTES {
        return Err(format!("has more than {MAX_DN_BYTES} bytes"));
    }
    match DistinguishedName::parse(text) {
        Ok(_) => Ok(()),
        Err(why) => Err(format!("is no DN: {why}")),
    }
}

fn read_service(fields: &Fields, directory: DirectoryKind) -> Result<Option<ServiceAccount>, RealmFault> {
    const NAME: &str = "login.bindDn";
    const PASSWORD: &str = "login.bindPassword";
    let (dn, password) = match (fields.text(NAME)?, fields.text(PASSWORD)?) {
        (None, None) => return Ok(None),
        (Some(_), None) => return Err(fault(PASSWORD, "is missing beside login.bindDn")),
        (None, Some(_)) => return Err(fault(NAME, "is missing beside login.bindPassword")),
        (Some(dn), Some(password)) => (dn, password),
    };
    let is_principal = directory == DirectoryKind::ActiveDirectory
        && !dn.contains('=')
        && dn.split_once(['@', '\\']).is_some_and(|(name, domain)| !name.is_empty() && !domain.is_empty());
    if !is_principal || dn.len() > MAX_DN_BYTES {
        check_dn(dn).map_err(|why| fault(NAME, why))?;
    }
    // A directory takes an empty password for an anonymous login and says "success" (RFC 4513 section 5.1.2).
    if password.chars().all(|c| c == '\0' || c.is_whitespace()) {
        return Err(fault(PASSWORD, "is empty"));
    }
    if password.len() > MAX_SECRET_BYTES {
        return Err(fault(PASSWORD, format!("has more than {MAX_SECRET_BYTES} bytes")));
    }
    Ok(Some(ServiceAccount { dn: Box::from(dn), password: Secret::new(password.to_owned()) }))
}

fn read_disabled_filter(fields: &Fields, directory: DirectoryKind) -> Result<Option<Box<str>>, RealmFault> {
    const FIELD: &str = "login.disabledFilter";
    let filter = fields.text(FIELD)?.unwrap_or(match directory {
        DirectoryKind::Generic => GENERIC_DISABLED,
        DirectoryKind::ActiveDirectory => ACTIVE_DIRECTORY_DISABLED,
    });
    if filter.is_empty() {
        return Ok(None);
    }
    if filter.contains(['{', '}']) {
        return Err(fault(
            FIELD,
            "has a brace, which stands for nothing here; in a value it is written \\7b or \\7d",
        ));
    }
    match filter::read(filter) {
        Ok(_) => Ok(Some(Box::from(filter))),
        Err(why) => Err(fault(FIELD, why.to_string())),
    }
}

fn typed_attributes(name_attribute: &str, way: &LoginWay, directory: DirectoryKind) -> Vec<Box<str>> {
    let of_way = match way {
        LoginWay::Template(template) => vec![template.attribute()],
        LoginWay::Principal(_, search) | LoginWay::Search(search) => {
            search.filter.equal_attributes().iter().map(|attribute| &**attribute).collect()
        }
    };
    let principal = (directory == DirectoryKind::ActiveDirectory).then_some("userPrincipalName");
    let mut attributes: Vec<Box<str>> = Vec::new();
    for attribute in [name_attribute].into_iter().chain(principal).chain(of_way) {
        if !attributes.iter().any(|known| known.eq_ignore_ascii_case(attribute)) {
            attributes.push(Box::from(attribute));
        }
    }
    attributes
}
