//! A Samba Active Directory domain controller in a temporary folder, on a loopback address of its own, gone when dropped.
//!
//! Called by the tests of the ldap realm. Must never use the system's own Samba, its settings or its data, or open a port
//! on any other address.
//!
//! It needs root: LDAP of a domain controller has the ports 389 and 636 and no others. To provision one takes 4 to 7 s
//! (Samba 4.17, two cores), so a test file makes one and asks it everything.
//!
//! # What Active Directory says (Samba 4.17.12 of Debian 12; shown in `samba/tests.rs`)
//! A bind that fails says `invalidCredentials` (49) and `80090308: LdapErr: DSID-0C0903A9, comment:
//! AcceptSecurityContext error, data CODE, v1db1`. CODE is a Windows error in hexadecimal ([MS-ERREF] section 2.2):
//!
//! | state of the account | right password | wrong or empty password |
//! | --- | --- | --- |
//! | in order | success | 52e (ERROR_LOGON_FAILURE) |
//! | unknown, in whichever form of name | 52e; Windows says 525 (ERROR_NO_SUCH_USER) | the same |
//! | outside of his `logonHours` | 530 (ERROR_INVALID_LOGON_HOURS) | 52e |
//! | password too old | 532 (ERROR_PASSWORD_EXPIRED) | 52e |
//! | disabled | 533 (ERROR_ACCOUNT_DISABLED) | 52e |
//! | account expired | 701 (ERROR_ACCOUNT_EXPIRED) | 52e |
//! | must change his password | 773 (ERROR_PASSWORD_MUST_CHANGE) | 52e |
//! | locked | 775 (ERROR_ACCOUNT_LOCKED_OUT) | 775; the failures that lock still say 52e |
//!
//! What Windows says is from its documents; nothing here was tried against Windows.
//!
//! A name may be a DN, a `userPrincipalName`, `NAME@ad.example.org` of the `sAMAccountName` even where the
//! `userPrincipalName` is another, or `EXAMPLE\NAME`; a bare `sAMAccountName` is unknown. Who has it as his
//! `userPrincipalName` comes first; Samba makes none in its own domain that is another's by his `sAMAccountName` (68), but with
//! another suffix it does. A name with an empty password is
//! refused with 52e by Samba, and let in as anonymous by Windows. A bind without TLS is answered with 8
//! (strongerAuthRequired). There is no "who am I". A search below [`Samba::SUFFIX`] ends with references to
//! `ldaps://ad.example.org/…`, which nobody should follow.
#![allow(
    clippy::expect_used,
    reason = "a directory that cannot start is a failed test; the message says why"
)]

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Signal, geteuid};
use tempfile::TempDir;

use super::authority::{Authority, Certificate, HOSTS};
use super::domain::{self, DomainGroup, DomainUser};
use super::ldif::{Entry, change, deletion, value_of};
use super::port::HeldPort;
use super::server::Server;
use super::tool::{Bind, Trust, Whoami, must_run, temporary};
use crate::patience::wait_until_within;

/// What every entry is below.
const SUFFIX: &str = "DC=ad,DC=example,DC=org";

/// Where the users of a test are.
pub(crate) const PEOPLE: &str = "OU=People,DC=ad,DC=example,DC=org";

/// Where the groups of a test are.
pub(crate) const GROUPS: &str = "OU=Groups,DC=ad,DC=example,DC=org";

/// The domain's name in `userPrincipalName`s.
pub(crate) const DOMAIN: &str = "ad.example.org";

/// The domain's name before a `\`.
const SHORT_DOMAIN: &str = "EXAMPLE";

/// Who made the domain.
const ADMINISTRATOR: &str = "administrator@ad.example.org";

/// Its password.
const ADMINISTRATOR_PASSWORD: &str = "Root of the test 1";

/// Failures in a row after which an account is locked.
pub(crate) const LOCKOUT_THRESHOLD: u32 = 3;

/// Where Debian puts it.
const DEBIAN: &str = "/usr/sbin/samba";

/// What has all of it, on Debian.
const PACKAGES: &str = "samba-ad-dc samba-common-bin samba-ad-provision ldap-utils";

/// Says that a password was set in 2016, in the database itself: LDAP allows 0 and -1 only, and so does Samba to whoever
/// lacks DSDB_CONTROL_PASSWORD_BYPASS_LAST_SET (the number at the end).
const OLD_PASSWORD: &str = r#"
import sys, ldb
from samba.auth import system_session
from samba.param import LoadParm
from samba.samdb import SamDB
settings = LoadParm()
settings.load(sys.argv[1])
database = SamDB(session_info=system_session(), lp=settings)
change = ldb.Message(ldb.Dn(database, sys.argv[2]))
change["pwdLastSet"] = ldb.MessageElement("131000000000000000", ldb.FLAG_MOD_REPLACE, "pwdLastSet")
database.modify(change, ["local_oid:1.3.6.1.4.1.7165.4.3.20:0"])
"#;

/// How long the making of a domain may take: Python and a lot of writing, on a machine that runs other tests.
const PROVISION_LIMIT: Duration = Duration::from_secs(180);

/// What a domain controller is to be and to hold. See [`Samba::new`].
#[derive(Debug, Default)]
pub struct SambaPlan {
    certificate: Certificate,
    authority: Option<Authority>,
    has_plain_binds: bool,
    users: Vec<DomainUser>,
    groups: Vec<DomainGroup>,
}

impl SambaPlan {
    /// What it shows to those who ask for TLS (default: the right certificate).
    #[must_use]
    pub fn certificate(mut self, certificate: Certificate) -> Self {
        self.certificate = certificate;
        self
    }

    /// The authority of its certificate (default: one of its own).
    #[must_use]
    pub fn authority(mut self, authority: &Authority) -> Self {
        self.authority = Some(authority.clone());
        self
    }

    /// Takes binds without TLS, which it answers with 8 (strongerAuthRequired) otherwise.
    #[must_use]
    pub fn plain_binds(mut self) -> Self {
        self.has_plain_binds = true;
        self
    }

    /// A user.
    #[must_use]
    pub fn user(mut self, user: DomainUser) -> Self {
        self.users.push(user);
        self
    }

    /// Many users.
    #[must_use]
    pub fn users(mut self, users: impl IntoIterator<Item = DomainUser>) -> Self {
        self.users.extend(users);
        self
    }

    /// A group, after all users and after the groups before it.
    #[must_use]
    pub fn group(mut self, group: DomainGroup) -> Self {
        self.groups.push(group);
        self
    }

    /// Makes the domain, starts the controller, and waits until it accepts connections and has everybody in it.
    ///
    /// # Panics
    /// When Samba is not installed, this is not root, or the domain cannot be made; the message says what to do.
    #[must_use]
    pub fn start(self) -> Samba {
        assert!(Path::new(DEBIAN).exists(), "{DEBIAN} is missing: apt-get install {PACKAGES}");
        assert!(
            geteuid().is_root(),
            "a Samba domain controller needs root: it listens on the ports 389 and 636"
        );
        let folder = TempDir::with_prefix("doorward-samba-").expect("a temporary folder");
        let place = folder.path();
        let authority = self.authority.unwrap_or_default();
        // The address is made of a port that is held, so that no two live controllers have the same.
        let port = HeldPort::take();
        let [high, low] = port.address().port().to_be_bytes();
        let host = Ipv4Addr::new(127, 77, high, low);
        let host_text = host.to_string();
        let names: Vec<&str> =
            HOSTS.iter().copied().chain([host_text.as_str(), "dc1.ad.example.org"]).collect();
        authority.write(self.certificate, &names, place);
        std::fs::write(place.join("authority.pem"), authority.pem()).expect("the authority's file");
        std::fs::write(place.join("smb.conf"), settings(place, host, self.has_plain_binds))
            .expect("smb.conf");
        provision(place, host);
        let addresses = vec![SocketAddr::from((host, 389)), SocketAddr::from((host, 636))];
        let server = Server::new(addresses, &place.join("samba.log"));
        let mut samba = Samba { server, folder, authority, host, _port: port };
        samba.start_again();
        samba.apply(&first_entries());
        samba.apply(&self.users.iter().map(DomainUser::ldif).collect::<String>());
        samba.apply(&self.groups.iter().map(DomainGroup::ldif).collect::<String>());
        self.users.iter().for_each(|user| samba.set_state(user));
        samba
    }
}

/// A running domain controller. Dropping it kills it and removes its folder.
#[derive(Debug)]
pub struct Samba {
    // Fields are dropped in this order: first the process, then its folder.
    server: Server,
    folder: TempDir,
    authority: Authority,
    host: Ipv4Addr,
    _port: HeldPort,
}

impl Samba {
    /// What every entry is below.
    pub const SUFFIX: &'static str = SUFFIX;
    /// Where the users are: the base of a search for users.
    pub const PEOPLE: &'static str = PEOPLE;
    /// Where the groups are: the base of a search for groups.
    pub const GROUPS: &'static str = GROUPS;
    /// The part of a `userPrincipalName` after the `@`.
    pub const DOMAIN: &'static str = DOMAIN;
    /// The part of a name before a `\`.
    pub const SHORT_DOMAIN: &'static str = SHORT_DOMAIN;
    /// The service account, by DN. Like everybody in a domain it may read everything but secrets.
    pub const SERVICE_DN: &'static str = "CN=gateway,OU=People,DC=ad,DC=example,DC=org";
    /// Its password.
    pub const SERVICE_PASSWORD: &'static str = "Service of the test 1";

    /// Plans a domain with a service account and otherwise only those who are in every domain.
    ///
    /// Passwords may be short and simple, never expire but for users made so, and an account is locked after three
    /// failures in a row.
    #[expect(clippy::new_ret_no_self, reason = "the plan is what one begins with, as with `Doorward::new`")]
    #[must_use]
    pub fn new() -> SambaPlan {
        SambaPlan::default()
    }

    /// The DN of the user with this `sAMAccountName`, unless the test gave him another `cn`.
    #[must_use]
    pub fn user_dn(name: &str) -> String {
        domain::user_dn(name)
    }

    /// The DN of the group with this `sAMAccountName`.
    #[must_use]
    pub fn group_dn(name: &str) -> String {
        domain::group_dn(name)
    }

    /// `ldap://127.77.X.Y:389`, with StartTLS for who asks for it. The certificate has the address, `localhost` (for a
    /// `Slow` line before it) and `dc1.ad.example.org`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("ldap://{}:389", self.host)
    }

    /// `ldaps://127.77.X.Y:636`.
    #[must_use]
    pub fn tls_url(&self) -> String {
        format!("ldaps://{}:636", self.host)
    }

    /// The address of [`Samba::url`].
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((self.host, 389))
    }

    /// The address of [`Samba::tls_url`].
    #[must_use]
    pub fn tls_address(&self) -> SocketAddr {
        SocketAddr::from((self.host, 636))
    }

    /// Who issued its certificate (unless that issued itself).
    #[must_use]
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Adds a user now.
    pub fn add_user(&self, user: &DomainUser) {
        self.apply(&user.ldif());
        self.set_state(user);
    }

    /// Adds a group now.
    pub fn add_group(&self, group: &DomainGroup) {
        self.apply(&group.ldif());
    }

    /// Adds a member, by DN, to a group.
    pub fn add_member(&self, group: &str, dn: &str) {
        self.apply(&change(&domain::group_dn(group), "add", "member", &[dn.as_bytes()]));
    }

    /// Takes a member, by DN, out of a group.
    pub fn remove_member(&self, group: &str, dn: &str) {
        self.apply(&change(&domain::group_dn(group), "delete", "member", &[dn.as_bytes()]));
    }

    /// Gives an attribute these values and no others; none removes it.
    pub fn replace(&self, dn: &str, attribute: &str, values: &[&[u8]]) {
        self.apply(&change(dn, "replace", attribute, values));
    }

    /// Gives a user (by DN) another password, as an administrator does.
    pub fn set_password(&self, dn: &str, password: &str) {
        self.replace(dn, "unicodePwd", &[&domain::quoted(password)]);
    }

    /// Disables a user (by DN).
    pub fn disable(&self, dn: &str) {
        self.replace(dn, "userAccountControl", &[domain::DISABLED.to_string().as_bytes()]);
    }

    /// Enables a user (by DN).
    pub fn enable(&self, dn: &str) {
        self.replace(dn, "userAccountControl", &[domain::ENABLED.to_string().as_bytes()]);
    }

    /// Locks a user (by `sAMAccountName`), the only way there is: with wrong passwords.
    pub fn lock(&self, name: &str) {
        for _ in 0..LOCKOUT_THRESHOLD {
            let bind = self.bind(&format!("{name}@{DOMAIN}"), "wrong on purpose");
            assert_eq!(bind.code, 49, "{bind:?}");
        }
    }

    /// Deletes an entry.
    pub fn delete(&self, dn: &str) {
        self.apply(&deletion(dn));
    }

    /// Applies LDIF as the administrator: records without `changetype` are added.
    ///
    /// # Panics
    /// When it is not running, or refuses.
    pub fn apply(&self, ldif: &str) {
        if ldif.is_empty() {
            return;
        }
        let file = temporary(ldif.as_bytes());
        let path = file.path().display().to_string();
        self.administer("ldapmodify", &["-a", "-f", &path]);
    }

    /// The values of an entry's attribute, read by the administrator, sorted.
    ///
    /// # Panics
    /// When it is not running, or there is no such entry.
    #[must_use]
    pub fn values(&self, dn: &str, attribute: &str) -> Vec<String> {
        let arguments = ["-LLL", "-o", "ldif-wrap=no", "-s", "base", "-b", dn, attribute];
        let text = self.administer("ldapsearch", &arguments);
        let found = text.lines().filter_map(|line| value_of(line, attribute));
        let mut values: Vec<_> = found.map(|value| String::from_utf8_lossy(&value).into_owned()).collect();
        values.sort();
        values
    }

    /// What it says over `ldaps://` to a bind by DN, `name@ad.example.org` or `EXAMPLE\name`, heard by `ldapsearch`.
    #[must_use]
    pub fn bind(&self, who: &str, password: &str) -> Bind {
        let asking = Whoami::new(&self.tls_url(), who, password).by_search();
        asking.trusting_anybody().ask()
    }

    /// Everything that it has written so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.server.log()
    }

    /// SIGKILL, and waits until it is gone: connections break.
    pub fn kill(&mut self) {
        self.server.kill();
    }

    /// SIGTERM, and waits until it has ended.
    ///
    /// # Panics
    /// When it is not running, or has not ended within [`crate::PATIENCE`].
    pub fn stop(&mut self) {
        self.server.stop();
    }

    /// Starts it on the same address and data; one that still runs is killed first.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start_again(&mut self) {
        let settings = self.folder.path().join("smb.conf");
        // One process: killing it is enough.
        let how = ["--foreground", "--no-process-group", "--debug-stdout", "--model=single", "--configfile"];
        self.server.start(Command::new(DEBIAN).args(how).arg(settings));
    }

    /// SIGSTOP: it goes on being connected to (the kernel accepts for it), and answers nothing.
    pub fn freeze(&self) {
        self.server.freeze();
    }

    /// SIGCONT: it answers what it was asked meanwhile.
    pub fn thaw(&self) {
        self.server.signal(Signal::CONT);
    }

    /// Whether its process is there.
    #[must_use]
    pub fn is_running(&mut self) -> bool {
        self.server.is_running()
    }

    /// Brings a user into a state that cannot be written by LDAP.
    fn set_state(&self, user: &DomainUser) {
        if user.is_locked {
            self.lock(user.name());
        }
        if user.has_old_password {
            let settings = self.folder.path().join("smb.conf").display().to_string();
            must_run("python3", &["-c", OLD_PASSWORD, &settings, &user.dn()], &Trust::Nobody);
        }
    }

    fn administer(&self, program: &str, arguments: &[&str]) -> String {
        let url = self.tls_url();
        let mut all = vec!["-x", "-H", &url, "-D", ADMINISTRATOR, "-w", ADMINISTRATOR_PASSWORD];
        all.extend(arguments);
        must_run(program, &all, &Trust::Anybody)
    }
}

/// The text of `smb.conf`: every folder is below `folder`, and nothing but LDAP is served.
fn settings(folder: &Path, host: Ipv4Addr, has_plain_binds: bool) -> String {
    let folder = folder.display();
    let strong = if has_plain_binds { "no" } else { "yes" };
    // Samba takes an address of its own from this net and not from /32, which it reads as the name of a net.
    format!(
        "[global]
netbios name = DC1
realm = {realm}
workgroup = {SHORT_DOMAIN}
server role = active directory domain controller
server services = ldap
dcerpc endpoint servers =
interfaces = {host}/8
bind interfaces only = yes
disable netbios = yes
private dir = {folder}/private
state directory = {folder}/state
cache directory = {folder}/cache
lock directory = {folder}/lock
pid directory = {folder}/run
ncalrpc dir = {folder}/ncalrpc
binddns dir = {folder}/bind-dns
usershare path =
load printers = no
log level = 1
ldb:nosync = yes
vfs objects = dfs_samba4 acl_xattr xattr_tdb
xattr_tdb:file = {folder}/xattr.tdb
ldap server require strong auth = {strong}
tls enabled = yes
tls keyfile = {folder}/server.key
tls certfile = {folder}/server.pem
tls cafile = {folder}/authority.pem
[sysvol]
path = {folder}/state/sysvol
read only = no
[netlogon]
path = {folder}/state/sysvol/{DOMAIN}/scripts
read only = no
",
        realm = DOMAIN.to_uppercase(),
    )
}

/// Makes the domain.
fn provision(folder: &Path, host: Ipv4Addr) {
    let log_file = folder.join("provision.log");
    let log = File::create(&log_file).expect("the log's file");
    let mut child = Command::new("samba-tool")
        .args(["domain", "provision", "--server-role=dc", "--dns-backend=NONE", "--host-name=dc1"])
        .arg(format!("--configfile={}", folder.join("smb.conf").display()))
        .args([format!("--realm={}", DOMAIN.to_uppercase()), format!("--domain={SHORT_DOMAIN}")])
        .args([format!("--host-ip={host}"), format!("--adminpass={ADMINISTRATOR_PASSWORD}")])
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a second handle of the log"))
        .stderr(log)
        .spawn()
        .unwrap_or_else(|error| panic!("samba-tool cannot be started: apt-get install {PACKAGES} ({error})"));
    let status = wait_until_within(PROVISION_LIMIT, || child.try_wait().ok().flatten());
    let text = || std::fs::read_to_string(&log_file).unwrap_or_default();
    if status.is_none() {
        let _already_gone = child.kill();
        let _status = child.wait();
    }
    let made = status.is_some_and(|status| status.success());
    assert!(made, "the domain could not be made here within {PROVISION_LIMIT:?} ({status:?}): {}", text());
}

/// The branches, a policy that lets tests have the passwords they want, and the service account.
fn first_entries() -> String {
    let branch = |dn: &str| Entry::new(dn, &["organizationalUnit"]).ldif();
    let policy = [
        ("lockoutThreshold", LOCKOUT_THRESHOLD.to_string()),
        ("pwdProperties", "0".to_owned()),
        ("minPwdLength", "1".to_owned()),
        ("minPwdAge", "0".to_owned()),
    ];
    let mut text = String::new();
    for (attribute, value) in &policy {
        text.push_str(&change(SUFFIX, "replace", attribute, &[value.as_bytes()]));
    }
    text.push_str(&branch(PEOPLE));
    text.push_str(&branch(GROUPS));
    text.push_str(&DomainUser::named("gateway", Samba::SERVICE_PASSWORD).ldif());
    text
}

#[cfg(test)]
mod tests;
