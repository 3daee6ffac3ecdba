//! OpenLDAP's slapd in a temporary folder, on loopback ports of its own, gone when dropped.
//!
//! Called by the tests of the ldap realm and by end-to-end tests, as root or as anybody. Must never use the system's
//! own slapd, its settings or its data.
#![allow(
    clippy::expect_used,
    reason = "a directory that cannot start is a failed test; the message says why"
)]

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;
use tempfile::TempDir;

use super::authority::{Authority, Certificate, HOST, HOSTS};
use super::ldif::{Entry, change, deletion, value_of};
use super::people::{Group, LOCKED_FOR_GOOD, PosixGroup, User, group_dn, user_dn};
use super::port::HeldPort;
use super::server::Server;
use super::slapd_log as log;
use super::slapd_settings::{self as settings, Choices};
use super::tool::{Bind, PACKAGES, Trust, Whoami, must_run, temporary};

/// What every entry is below.
pub(crate) const SUFFIX: &str = "dc=example,dc=org";

/// Where the users are.
pub(crate) const PEOPLE: &str = "ou=people,dc=example,dc=org";

/// Where the groups are.
pub(crate) const GROUPS: &str = "ou=groups,dc=example,dc=org";

/// Where the service account is.
pub(crate) const SERVICES: &str = "ou=services,dc=example,dc=org";

/// Where the password policy is.
pub(crate) const POLICIES: &str = "ou=policies,dc=example,dc=org";

/// The password policy that holds for everybody.
pub(crate) const POLICY: &str = "cn=default,ou=policies,dc=example,dc=org";

/// May do everything, and is asked for nothing.
pub(crate) const ROOT_DN: &str = "cn=admin,dc=example,dc=org";

/// Its password.
pub(crate) const ROOT_PASSWORD: &str = "root of the test";

/// May read everything but passwords.
pub(crate) const SERVICE_DN: &str = "cn=gateway,ou=services,dc=example,dc=org";

/// Its password.
pub(crate) const SERVICE_PASSWORD: &str = "service of the test";

/// Where Debian puts it; `PATH` of an ordinary user often lacks this folder.
const DEBIAN: &str = "/usr/sbin/slapd";

/// What a slapd is to be and to hold. See [`Slapd::new`].
#[derive(Debug, Default)]
pub struct SlapdPlan {
    certificate: Certificate,
    authority: Option<Authority>,
    choices: Choices,
    users: Vec<User>,
    entries: Vec<Entry>,
    groups: Vec<Entry>,
}

impl SlapdPlan {
    /// What it shows to those who ask for TLS (default: the right certificate).
    #[must_use]
    pub fn certificate(mut self, certificate: Certificate) -> Self {
        self.certificate = certificate;
        self
    }

    /// The authority of its certificate, so that two servers can have the same (default: one of its own).
    #[must_use]
    pub fn authority(mut self, authority: &Authority) -> Self {
        self.authority = Some(authority.clone());
        self
    }

    /// Lets anonymous clients read everything but passwords.
    #[must_use]
    pub fn anonymous_reading(mut self) -> Self {
        self.choices.has_anonymous_reading = true;
        self
    }

    /// `allow bind_anon_dn`: a bind with a DN and an empty password succeeds, as anonymous.
    #[must_use]
    pub fn bind_anon_dn(mut self) -> Self {
        self.choices.has_bind_anon_dn = true;
        self
    }

    /// Users may bind and may not read their own entries. (Nobody but the service account reads another's.)
    #[must_use]
    pub fn hides_own_entry(mut self) -> Self {
        self.choices.hides_own_entry = true;
        self
    }

    /// Most entries that one search, or one page of a paged search, gives (default 500). The pages together may have all.
    #[must_use]
    pub fn size_limit(mut self, entries: u32) -> Self {
        self.choices.size_limit = Some(entries);
        self
    }

    /// One attribute of the default password policy (`pwdMaxFailure`, `pwdMaxAge` …), in place of the default's.
    #[must_use]
    pub fn policy(mut self, attribute: &str, value: &str) -> Self {
        self.choices.policy.push((attribute.to_owned(), value.to_owned()));
        self
    }

    /// Lines of one's own in the database's section of `slapd.conf`, before the lines on access.
    #[must_use]
    pub fn snippet(mut self, lines: &str) -> Self {
        self.choices.snippet.push_str(lines);
        self.choices.snippet.push('\n');
        self
    }

    /// A user. They are loaded in bulk before it starts: ten thousand take a second.
    #[must_use]
    pub fn user(mut self, user: User) -> Self {
        self.users.push(user);
        self
    }

    /// Many users.
    #[must_use]
    pub fn users(mut self, users: impl IntoIterator<Item = User>) -> Self {
        self.users.extend(users);
        self
    }

    /// A group, after all users and after the groups before it. It is added when the server runs, for only then does
    /// the overlay write `memberOf`.
    #[must_use]
    pub fn group(mut self, group: Group) -> Self {
        self.groups.push(group.entry());
        self
    }

    /// A group of RFC 2307.
    #[must_use]
    pub fn posix_group(mut self, group: PosixGroup) -> Self {
        self.groups.push(group.entry());
        self
    }

    /// Any other entry, loaded before it starts. It needs a structural object class and a parent.
    #[must_use]
    pub fn entry(mut self, entry: Entry) -> Self {
        self.entries.push(entry);
        self
    }

    /// Loads, starts, and waits until it accepts connections.
    ///
    /// # Panics
    /// When slapd is not installed or does not start; the message says what to do.
    #[must_use]
    pub fn start(self) -> Slapd {
        assert!(Path::new(DEBIAN).exists(), "{DEBIAN} is missing: apt-get install {PACKAGES}");
        let folder = TempDir::with_prefix("doorward-slapd-").expect("a temporary folder");
        let authority = self.authority.unwrap_or_default();
        let place = folder.path();
        std::fs::create_dir(place.join("data")).expect("a folder");
        std::fs::write(place.join("authority.pem"), authority.pem()).expect("the authority's file");
        authority.write(self.certificate, HOSTS, place);
        let text = settings::configuration(place, &self.choices);
        std::fs::write(place.join("slapd.conf"), text).expect("slapd.conf");
        load(place, settings::first_entries(&self.choices), &self.entries, &self.users);
        let (plain, tls) = (HeldPort::take(), HeldPort::take());
        let server = Server::new(vec![plain.address(), tls.address()], &place.join("slapd.log"));
        let mut slapd = Slapd { server, folder, authority, plain, tls };
        slapd.start_again();
        slapd.apply(&self.groups.iter().map(Entry::ldif).collect::<String>());
        slapd
    }
}

/// A running slapd. Dropping it kills it and removes its folder.
#[derive(Debug)]
pub struct Slapd {
    // Fields are dropped in this order: first the process, then its folder.
    server: Server,
    folder: TempDir,
    authority: Authority,
    plain: HeldPort,
    tls: HeldPort,
}

impl Slapd {
    /// What every entry is below.
    pub const SUFFIX: &'static str = SUFFIX;
    /// Where the users are: the base of a search for users.
    pub const PEOPLE: &'static str = PEOPLE;
    /// Where the groups are: the base of a search for groups.
    pub const GROUPS: &'static str = GROUPS;
    /// Of a direct bind: `{}` is the name, escaped.
    pub const USER_TEMPLATE: &'static str = "uid={},ou=people,dc=example,dc=org";
    /// The service account, which may read everything but passwords.
    pub const SERVICE_DN: &'static str = SERVICE_DN;
    /// Its password.
    pub const SERVICE_PASSWORD: &'static str = SERVICE_PASSWORD;
    /// The administrator, whom nothing is forbidden.
    pub const ROOT_DN: &'static str = ROOT_DN;
    /// Its password.
    pub const ROOT_PASSWORD: &'static str = ROOT_PASSWORD;

    /// Plans a slapd with a service account, a password policy and nobody in it.
    #[expect(clippy::new_ret_no_self, reason = "the plan is what one begins with, as with `Doorward::new`")]
    #[must_use]
    pub fn new() -> SlapdPlan {
        SlapdPlan::default()
    }

    /// The DN of the user with this `uid`.
    #[must_use]
    pub fn user_dn(uid: &str) -> String {
        user_dn(uid)
    }

    /// The DN of the group with this `cn`.
    #[must_use]
    pub fn group_dn(cn: &str) -> String {
        group_dn(cn)
    }

    /// `ldap://localhost:PORT`, with StartTLS for who asks for it. The name is the certificate's.
    #[must_use]
    pub fn url(&self) -> String {
        format!("ldap://{HOST}:{}", self.port())
    }

    /// `ldaps://localhost:PORT`.
    #[must_use]
    pub fn tls_url(&self) -> String {
        format!("ldaps://{HOST}:{}", self.tls_port())
    }

    /// The port of [`Slapd::url`], at 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.plain.address().port()
    }

    /// The port of [`Slapd::tls_url`], at 127.0.0.1.
    #[must_use]
    pub fn tls_port(&self) -> u16 {
        self.tls.address().port()
    }

    /// The address of [`Slapd::url`].
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.plain.address()
    }

    /// Who issued its certificate (unless that issued itself).
    #[must_use]
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Adds a user now.
    pub fn add_user(&self, user: &User) {
        self.apply(&user.entry(&stored(user)).ldif());
    }

    /// Adds a group now.
    pub fn add_group(&self, group: &Group) {
        self.apply(&group.entry().ldif());
    }

    /// Adds a group of RFC 2307 now.
    pub fn add_posix_group(&self, group: &PosixGroup) {
        self.apply(&group.entry().ldif());
    }

    /// Adds a member, by DN, to the group with this `cn`. Two groups can become each other's members this way.
    pub fn add_member(&self, cn: &str, dn: &str) {
        self.apply(&change(&group_dn(cn), "add", "member", &[dn.as_bytes()]));
    }

    /// Takes a member, by DN, out of the group with this `cn`. The last one cannot go.
    pub fn remove_member(&self, cn: &str, dn: &str) {
        self.apply(&change(&group_dn(cn), "delete", "member", &[dn.as_bytes()]));
    }

    /// Gives a user another password, as an administrator does: where the policy has `pwdMustChange` (as it has unless
    /// the test says otherwise), he must choose another one before he may do anything else.
    pub fn set_password(&self, uid: &str, password: impl AsRef<[u8]>) {
        self.replace(&user_dn(uid), "userPassword", &[&plain(password.as_ref())]);
    }

    /// Locks a user for good.
    pub fn disable(&self, uid: &str) {
        self.replace(&user_dn(uid), "pwdAccountLockedTime", &[LOCKED_FOR_GOOD.as_bytes()]);
    }

    /// Unlocks a user.
    pub fn enable(&self, uid: &str) {
        self.replace(&user_dn(uid), "pwdAccountLockedTime", &[]);
    }

    /// Gives an attribute these values and no others; none removes it.
    pub fn replace(&self, dn: &str, attribute: &str, values: &[&[u8]]) {
        self.apply(&change(dn, "replace", attribute, values));
    }

    /// Deletes an entry. The groups that had it as a member lose it.
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

    /// The values of an entry's attribute, also an operational one (`memberOf`, `pwdFailureTime`), read by the
    /// administrator, sorted.
    ///
    /// # Panics
    /// When it is not running, or there is no such entry.
    #[must_use]
    pub fn values(&self, dn: &str, attribute: &str) -> Vec<String> {
        let text =
            self.administer("ldapsearch", &["-LLL", "-o", "ldif-wrap=no", "-s", "base", "-b", dn, attribute]);
        let found = text.lines().filter_map(|line| value_of(line, attribute));
        let mut values: Vec<_> = found.map(|value| String::from_utf8_lossy(&value).into_owned()).collect();
        values.sort();
        values
    }

    /// What it says to a bind over `ldap://`, heard by `ldapwhoami`.
    #[must_use]
    pub fn bind(&self, dn: &str, password: impl AsRef<[u8]>) -> Bind {
        Whoami::new(&self.url(), dn, password).trusting(&self.authority.file()).ask()
    }

    /// The log's lines about clients over TCP so far, without time stamps (`conn=1000 op=1 SRCH base="…" …`). What this
    /// value itself does as the administrator goes over a Unix socket and is left out.
    ///
    /// A request's line is there before its answer is sent; its `RESULT` may come a moment after.
    #[must_use]
    pub fn log(&self) -> Vec<String> {
        log::of_clients(&self.server.log())
    }

    /// The filters of all searches so far, in order, as the server read them.
    #[must_use]
    pub fn filters(&self) -> Vec<String> {
        self.log().iter().filter_map(|line| log::filter_of(line)).map(str::to_owned).collect()
    }

    /// The DNs of all binds so far, in order, whether they succeeded or not; empty for anonymous ones.
    #[must_use]
    pub fn binds(&self) -> Vec<String> {
        self.log().iter().filter_map(|line| log::bind_of(line)).map(str::to_owned).collect()
    }

    /// Forgets the log so far.
    pub fn clear_log(&self) {
        self.server.clear_log();
    }

    /// SIGKILL, and waits until it is gone: connections break, nothing is flushed.
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

    /// Starts it on the same ports and data; one that still runs is killed first.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start_again(&mut self) {
        let urls =
            format!("ldap://{} ldaps://{} {}", self.plain.address(), self.tls.address(), self.own_url());
        let settings = self.folder.path().join("slapd.conf");
        self.server.start(Command::new(DEBIAN).args(["-d", "stats", "-h", &urls, "-f"]).arg(settings));
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

    fn administer(&self, program: &str, arguments: &[&str]) -> String {
        let url = self.own_url();
        let mut all = vec!["-x", "-H", &url, "-D", ROOT_DN, "-w", ROOT_PASSWORD];
        all.extend(arguments);
        must_run(program, &all, &Trust::Nobody)
    }

    /// The Unix socket as a URL: a path in place of a host, so its slashes are escaped.
    fn own_url(&self) -> String {
        let path = self.folder.path().join("ldapi").display().to_string();
        format!("ldapi://{}", path.replace('/', "%2F"))
    }
}

/// Loads entries into a database whose server does not run.
fn load(folder: &Path, first: Vec<Entry>, others: &[Entry], users: &[User]) {
    let mut text: String = first.iter().chain(others).map(Entry::ldif).collect();
    for user in users {
        text.push_str(&user.entry(&stored(user)).ldif());
    }
    let file = temporary(text.as_bytes());
    let settings = folder.join("slapd.conf").display().to_string();
    let path = file.path().display().to_string();
    must_run("slapadd", &["-q", "-f", &settings, "-b", SUFFIX, "-l", &path], &Trust::Nobody);
}

/// A user's password as the server is to store it.
fn stored(user: &User) -> Vec<u8> {
    if user.is_hashed { hashed(&user.password) } else { plain(&user.password) }
}

/// A password in the clear, or hashed where it would be taken for a hash.
fn plain(password: &[u8]) -> Vec<u8> {
    if password.starts_with(b"{") { hashed(password) } else { password.to_vec() }
}

fn hashed(password: &[u8]) -> Vec<u8> {
    let file = temporary(password);
    let path = file.path().display().to_string();
    must_run("slappasswd", &["-n", "-h", "{SSHA}", "-T", &path], &Trust::Nobody)
        .trim_end()
        .as_bytes()
        .to_vec()
}

#[cfg(test)]
mod policy_tests;
#[cfg(test)]
mod tests;
