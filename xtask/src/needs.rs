//! Programs from the system that the build and the tests need, and how to have them.
//!
//! Called by `test.rs` and `ci.rs`. It must never install anything in the system where it is not root, nor anything unnamed here.

mod python;
mod quiet;

pub(crate) use python::ensure as ensure_python;

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::report::{Failure, Outcome, say};
use crate::run;

/// A program, or a file by its full path, and the Debian package that has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Need {
    program: &'static str,
    package: &'static str,
}

/// What the tests run: the real client, the real backend, the real proxies and the real directory servers.
pub(crate) const TESTS: &[Need] = &[
    Need { program: "curl", package: "curl" },
    Need { program: "nginx", package: "nginx" },
    Need { program: "caddy", package: "caddy" },
    Need { program: "slapd", package: "slapd" },
    Need { program: "ldapsearch", package: "ldap-utils" },
    // The package is what a machine lacks that has Samba for its files; it brings the program and the modules.
    Need { program: "/usr/share/doc/samba-ad-dc/copyright", package: "samba-ad-dc" },
    Need { program: "samba-tool", package: "samba-common-bin" },
    Need { program: "/usr/share/samba/setup/provision.ldif", package: "samba-ad-provision" },
];

/// What libFuzzer, a C++ library, is built with.
pub(crate) const FUZZ: &[Need] = &[Need { program: "c++", package: "g++" }];

/// Folders where Debian puts programs that a plain user's PATH may lack.
const SYSTEM_FOLDERS: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// Sees to it that every program of `needs` is there: installs what is missing (as root, on Debian), or says in one
/// line what to install.
///
/// # Errors
/// When a program is missing and cannot be installed here.
pub(crate) fn ensure(needs: &[Need]) -> Outcome {
    let packages = missing(needs, is_there);
    if packages.is_empty() {
        return Ok(());
    }
    install(&packages)?;
    match missing(needs, is_there).as_slice() {
        [] => Ok(()),
        still => Err(Failure::new(format!("installed, and still not found: {}", still.join(" ")))),
    }
}

/// Installs these packages (as root, on Debian), or says in one line what to install.
fn install(packages: &[&str]) -> Outcome {
    let list = packages.join(" ");
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
    if !is_root || !is_there("apt-get") {
        return Err(Failure::new(format!("missing: {list}. On Debian: sudo apt-get install {list}")));
    }
    say(format!("needs: installing {list}"));
    let apt = |arguments: &[&str]| {
        let mut command = run::program("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive").args(arguments);
        run::run(&mut command)
    };
    apt(&["-qq", "update"])?;
    let mut install = vec!["-qq", "install", "-y", "--no-install-recommends"];
    install.extend(packages);
    quiet::answer(packages)?;
    let quiet = quiet::Quiet::begin()?;
    apt(&install)?;
    drop(quiet);
    quiet::disable(packages)
}

/// The packages of the programs that are not there.
fn missing(needs: &[Need], is_there: impl Fn(&str) -> bool) -> Vec<&'static str> {
    needs.iter().filter(|need| !is_there(need.program)).map(|need| need.package).collect()
}

/// A full path is looked for as it is: joined to a folder, it remains what it was.
fn is_there(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let in_path = std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    in_path || SYSTEM_FOLDERS.iter().any(|folder| Path::new(folder).join(program).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_missing_is_named() {
        assert_eq!(missing(TESTS, |program| program != "nginx"), ["nginx"]);
        assert!(missing(TESTS, |_| true).is_empty());
    }

    #[test]
    fn a_shell_is_there_and_a_made_up_program_is_not() {
        assert!(is_there("sh"));
        assert!(is_there("/bin/sh"));
        assert!(!is_there("/bin/doorward-no-such-program"));
        assert!(!is_there("doorward-no-such-program"));
    }
}
