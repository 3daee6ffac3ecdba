//! Installing packages without what they would start: a test needs the program, never the system's service.
//!
//! Called by `needs.rs` around an installation. It must never change how a service behaves that was there before, or
//! stay in force when xtask has ended.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::report::{Failure, Outcome};
use crate::run;

/// The file that Debian asks before an installation starts a service (invoke-rc.d(8)).
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// What debconf is to know before: a slapd without a configuration has nothing to start with, now or after a reboot.
const ANSWERS: &str = "slapd slapd/no_configuration boolean true\n";

/// What a package would start after a reboot.
const UNITS: &[(&str, &[&str])] =
    &[("samba-ad-dc", &["smbd", "nmbd", "winbind", "samba-ad-dc"]), ("caddy", &["caddy"])];

/// While this lives, an installation starts no service.
#[derive(Debug)]
pub(super) struct Quiet {
    made: Option<PathBuf>,
}

impl Quiet {
    /// Forbids it. A policy that is there already stays as it is, and is the owner's will.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(super) fn begin() -> Outcome<Self> {
        Self::begin_at(Path::new(POLICY))
    }

    fn begin_at(policy: &Path) -> Outcome<Self> {
        let wrong =
            |error: std::io::Error| Failure::new(format!("cannot write {}: {error}", policy.display()));
        let mut file = match OpenOptions::new().write(true).create_new(true).mode(0o755).open(policy) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(Self { made: None }),
            Err(error) => return Err(wrong(error)),
        };
        let made = Self { made: Some(policy.to_owned()) };
        file.write_all(script(std::process::id()).as_bytes()).map_err(wrong)?;
        Ok(made)
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        if let Some(policy) = &self.made {
            let _gone_already = std::fs::remove_file(policy);
        }
    }
}

/// Forbids (101) as long as the process is there, so that a file that was left behind forbids nothing.
fn script(process: u32) -> String {
    format!(
        "#!/bin/sh\n# Made by Doorward's xtask for one installation.\n[ -d /proc/{process} ] && exit 101\nexit 0\n"
    )
}

/// Tells debconf what it would ask about these packages.
///
/// # Errors
/// When debconf does not take it.
pub(super) fn answer(packages: &[&str]) -> Outcome {
    if !packages.contains(&"slapd") {
        return Ok(());
    }
    let failed = |what: String| Failure::new(format!("cannot run `debconf-set-selections`: {what}"));
    let mut command = run::program("debconf-set-selections");
    let mut child = command.stdin(Stdio::piped()).spawn().map_err(|error| failed(error.to_string()))?;
    // Dropping the pipe ends its input.
    let written = child.stdin.take().map(|mut stdin| stdin.write_all(ANSWERS.as_bytes()));
    let status = child.wait().map_err(|error| failed(error.to_string()))?;
    match written {
        Some(Ok(())) if status.success() => Ok(()),
        _ => Err(failed(status.to_string())),
    }
}

/// Sees to it that what was installed just now is not started by the next boot either.
///
/// # Errors
/// When systemd is there and refuses.
pub(super) fn disable(packages: &[&str]) -> Outcome {
    let installed = UNITS.iter().filter(|(package, _)| packages.contains(package));
    let units: Vec<&str> = installed.flat_map(|(_, units)| units.iter().copied()).collect();
    if units.is_empty() || !super::is_there("systemctl") {
        return Ok(());
    }
    run::run(run::program("systemctl").args(["--quiet", "disable"]).args(units))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn place(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("doorward-xtask-{name}-{}", std::process::id()))
    }

    #[test]
    fn a_policy_forbids_while_it_lives_and_goes_with_it() {
        let policy = place("policy");
        let quiet = Quiet::begin_at(&policy).unwrap();
        assert_eq!(Command::new(&policy).status().unwrap().code(), Some(101));
        drop(quiet);
        assert!(!policy.exists());
    }

    #[test]
    fn a_policy_that_was_there_stays() {
        let policy = place("owner");
        std::fs::write(&policy, "the owner's").unwrap();
        drop(Quiet::begin_at(&policy).unwrap());
        assert_eq!(std::fs::read_to_string(&policy).unwrap(), "the owner's");
        std::fs::remove_file(&policy).unwrap();
    }

    #[test]
    fn a_policy_left_behind_forbids_nothing() {
        let mut ended = Command::new("true").spawn().unwrap();
        let process = ended.id();
        ended.wait().unwrap();
        let status = Command::new("sh").args(["-c", &script(process)]).status().unwrap();
        assert_eq!(status.code(), Some(0));
    }

    #[test]
    fn nothing_is_asked_or_disabled_for_other_packages() {
        answer(&["curl"]).unwrap();
        disable(&["curl"]).unwrap();
    }
}
