//! What a test's slapd is told: its `slapd.conf`, and the entries that are there before anything else.
//!
//! Called by `slapd`. Must never allow anonymous clients anything but to bind, unless the test asks for it.

use std::path::Path;

use super::ldif::Entry;
use super::slapd::{
    GROUPS, PEOPLE, POLICIES, POLICY, ROOT_DN, ROOT_PASSWORD, SERVICE_DN, SERVICE_PASSWORD, SERVICES, SUFFIX,
};

/// What a test may want different. See the methods of `SlapdPlan`.
#[derive(Debug, Default)]
pub(crate) struct Choices {
    pub(crate) has_anonymous_reading: bool,
    pub(crate) has_bind_anon_dn: bool,
    pub(crate) hides_own_entry: bool,
    pub(crate) size_limit: Option<u32>,
    pub(crate) policy: Vec<(String, String)>,
    pub(crate) snippet: String,
}

/// The text of `slapd.conf` for a server whose files are all in `folder`.
pub(crate) fn configuration(folder: &Path, choices: &Choices) -> String {
    let folder = folder.display();
    let anonymous_binds = if choices.has_bind_anon_dn { "allow bind_anon_dn\n" } else { "" };
    // The limit holds for one search; a paged one may go on to its end.
    let size_limit = choices.size_limit.map_or_else(String::new, |count| {
        format!("sizelimit size.soft={count} size.hard={count} size.pr={count} size.prtotal=unlimited\n")
    });
    format!(
        "include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
include /etc/ldap/schema/nis.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload memberof
moduleload refint
moduleload ppolicy
pidfile {folder}/slapd.pid
argsfile {folder}/slapd.args
TLSCACertificateFile {folder}/authority.pem
TLSCertificateFile {folder}/server.pem
TLSCertificateKeyFile {folder}/server.key
TLSVerifyClient never
threads 16
{anonymous_binds}
database mdb
suffix \"{SUFFIX}\"
rootdn \"{ROOT_DN}\"
rootpw \"{ROOT_PASSWORD}\"
directory {folder}/data
maxsize 1073741824
dbnosync
index objectClass,uid,cn,mail,member,memberUid eq
index memberOf eq
limits dn.exact=\"{ROOT_DN}\" size=unlimited
{size_limit}{snippet}
{access}
overlay memberof
memberof-dangling ignore
overlay refint
refint_attributes member
refint_nothing \"{ROOT_DN}\"
overlay ppolicy
ppolicy_default \"{POLICY}\"
ppolicy_use_lockout
",
        snippet = choices.snippet,
        access = access(choices),
    )
}

/// Who may read what. The first line that names the entry and the attribute decides.
fn access(choices: &Choices) -> String {
    let anonymous = if choices.has_anonymous_reading { "read" } else { "none" };
    let own = if choices.hides_own_entry { "none" } else { "read" };
    format!(
        "access to attrs=userPassword by self =xw by anonymous auth by * none
access to dn.subtree=\"{GROUPS}\" by users read by anonymous {anonymous}
access to * by dn.exact=\"{SERVICE_DN}\" read by self {own} by anonymous {anonymous} by * none
"
    )
}

/// The suffix, its branches, the service account and the password policy.
pub(crate) fn first_entries(choices: &Choices) -> Vec<Entry> {
    let branch = |dn: &str| {
        let name = dn.split(['=', ',']).nth(1).unwrap_or_default();
        Entry::new(dn, &["organizationalUnit"]).with("ou", name)
    };
    vec![
        Entry::new(SUFFIX, &["dcObject", "organization"]).with("dc", "example").with("o", "Example"),
        branch(PEOPLE),
        branch(GROUPS),
        branch(SERVICES),
        branch(POLICIES),
        Entry::new(SERVICE_DN, &["organizationalRole", "simpleSecurityObject"])
            .with("cn", "gateway")
            .with("userPassword", SERVICE_PASSWORD),
        policy(choices),
    ]
}

/// Locks after five failures in a row for five minutes, and lets nobody in who must change his password first, except
/// to change it. Each attribute may be set otherwise by the test.
fn policy(choices: &Choices) -> Entry {
    let defaults = [
        ("pwdAttribute", "userPassword"),
        ("pwdLockout", "TRUE"),
        ("pwdMaxFailure", "5"),
        ("pwdLockoutDuration", "300"),
        ("pwdMustChange", "TRUE"),
        ("pwdAllowUserChange", "TRUE"),
    ];
    let chosen = |name: &str| choices.policy.iter().any(|(own, _)| own.eq_ignore_ascii_case(name));
    let entry = Entry::new(POLICY, &["organizationalRole", "pwdPolicy"]).with("cn", "default");
    let entry = defaults
        .iter()
        .filter(|(name, _)| !chosen(name))
        .fold(entry, |entry, (name, value)| entry.with(name, value));
    choices.policy.iter().fold(entry, |entry, (name, value)| entry.with(name, value))
}
