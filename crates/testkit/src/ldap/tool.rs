//! The programs of OpenLDAP (`ldapwhoami`, `ldapmodify`, `slapadd` …) run to their end.
//!
//! Called by `slapd` and `samba`, and by tests that want to hear from the server itself what it says to a bind. Must
//! never read the system's or the user's own settings for LDAP clients.
#![allow(clippy::expect_used, reason = "a tool that cannot be run is a failed test; the message says why")]

use std::io::Write;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::process::{Ended, run};

/// What has the programs, on Debian.
pub(crate) const PACKAGES: &str = "slapd ldap-utils";

/// What a server says to a bind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bind {
    /// The result code (RFC 4511 section 4.1.9): 0 success, 49 invalidCredentials. 255 where there was no answer.
    pub code: i32,
    /// Everything that came with it: the server's text, the controls, what TLS found wrong.
    pub text: String,
}

/// A bind and "who am I" (RFC 4532) by the command line's client.
#[derive(Clone, Debug)]
pub struct Whoami {
    url: String,
    dn: String,
    password: Vec<u8>,
    trust: Trust,
    has_start_tls: bool,
    searches: bool,
}

/// Whose certificate is believed.
#[derive(Clone, Debug)]
pub(crate) enum Trust {
    Nobody,
    /// What this file's certificates have signed.
    Authority(PathBuf),
    /// Anybody: for the test's own administration of a server whose certificate is to be wrong.
    Anybody,
}

impl Whoami {
    /// A bind at this server (`ldap://…`, `ldaps://…`) by this DN and password, whatever its bytes.
    #[must_use]
    pub fn new(url: &str, dn: &str, password: impl AsRef<[u8]>) -> Self {
        let password = password.as_ref().to_vec();
        // OpenLDAP's client, told `localhost`, looks for the machine's own name in the certificate.
        let url = url.replacen("//localhost:", "//127.0.0.1:", 1);
        Self { url, dn: dn.to_owned(), password, trust: Trust::Nobody, has_start_tls: false, searches: false }
    }

    /// Trusts this authority's file, and nobody else.
    #[must_use]
    pub fn trusting(mut self, authority: &Path) -> Self {
        self.trust = Trust::Authority(authority.to_owned());
        self
    }

    /// Trusts anybody: for servers whose certificate is to be wrong.
    #[must_use]
    pub(crate) fn trusting_anybody(mut self) -> Self {
        self.trust = Trust::Anybody;
        self
    }

    /// StartTLS first; without TLS no bind is sent.
    #[must_use]
    pub fn start_tls(mut self) -> Self {
        self.has_start_tls = true;
        self
    }

    /// Asks for the root entry (RFC 4512 section 5.1) in place of "who am I".
    #[must_use]
    pub(crate) fn by_search(mut self) -> Self {
        self.searches = true;
        self
    }

    /// Binds, with the control that asks for what the password policy has to say.
    ///
    /// # Panics
    /// When the tools are not installed, or the server has not answered within `PATIENCE`.
    #[must_use]
    pub fn ask(&self) -> Bind {
        let password = temporary(&self.password);
        let password_file = password.path().display().to_string();
        let mut arguments =
            vec!["-x", "-H", &self.url, "-D", &self.dn, "-y", &password_file, "-e", "ppolicy"];
        if self.has_start_tls {
            arguments.push("-ZZ");
        }
        // Samba does not know "who am I"; what a bind says is the same before any request.
        let program = if self.searches { "ldapsearch" } else { "ldapwhoami" };
        if self.searches {
            arguments.extend(["-LLL", "-s", "base", "-b", "", "1.1"]);
        }
        let ended = run_tool(program, &arguments, &self.trust);
        let code = ended.code.unwrap_or(255);
        Bind { code, text: format!("{}{}", ended.stdout, ended.stderr) }
    }
}

/// Runs a tool to its end.
pub(crate) fn run_tool(program: &str, arguments: &[&str], trust: &Trust) -> Ended {
    let sbin = format!("/usr/sbin/{program}");
    let bin = format!("/usr/bin/{program}");
    let found = [sbin.as_str(), bin.as_str()].into_iter().find(|path| Path::new(path).exists());
    let found = found.unwrap_or_else(|| panic!("{program} is missing: apt-get install {PACKAGES}"));
    let (authority, demand) = match trust {
        Trust::Nobody => ("/dev/null".to_owned(), "demand"),
        Trust::Authority(file) => (file.display().to_string(), "demand"),
        Trust::Anybody => ("/dev/null".to_owned(), "never"),
    };
    let environment = [
        ("LDAPCONF", "/dev/null"),
        ("LDAPRC", "doorward-has-none"),
        ("LDAPTLS_CACERT", &authority),
        ("LDAPTLS_REQCERT", demand),
        ("LC_ALL", "C"),
    ];
    run(found, arguments, &environment, "")
}

/// The same, for what must not fail; gives what it wrote to stdout.
pub(crate) fn must_run(program: &str, arguments: &[&str], trust: &Trust) -> String {
    let ended = run_tool(program, arguments, trust);
    assert_eq!(ended.code, Some(0), "{program} {arguments:?}: {}{}", ended.stdout, ended.stderr);
    ended.stdout
}

/// Bytes in a file that a tool reads and that goes with the value.
pub(crate) fn temporary(bytes: &[u8]) -> NamedTempFile {
    let mut file = NamedTempFile::with_prefix("doorward-ldap-").expect("a temporary file");
    file.write_all(bytes).expect("a temporary file can be written");
    file
}
