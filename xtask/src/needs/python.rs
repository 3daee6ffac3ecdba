//! The fuzzing client that the API's description is tried with: schemathesis, in a venv of its own.
//!
//! Called through `needs.rs`. It must never touch the system's Python: what it installs lies below `target/tools/`.

use std::path::Path;
use std::process::Stdio;

use super::Need;
use crate::report::{Failure, Outcome, say};
use crate::run;

/// Where the venv is; `crates/doorward/tests/e2e/openapi.rs` looks there.
const FOLDER: &str = "target/tools/schemathesis";

/// Every package in the version that is installed.
const PINS: &str = "xtask/schemathesis.txt";

/// A copy of the pins inside the venv, written when it is complete.
const INSTALLED: &str = "installed.txt";

/// Debian's Python with venvs, where no other Python has them.
const PYTHON: &[Need] = &[Need { program: "python3", package: "python3" }];

/// Sees to it that the venv holds exactly what is pinned.
///
/// # Errors
/// When there is no Python with venvs and none can be installed, or when PyPI cannot be reached.
pub(crate) fn ensure() -> Outcome {
    let folder = run::root().join(FOLDER);
    let pins = read(&run::root().join(PINS))?;
    if std::fs::read_to_string(folder.join(INSTALLED)).is_ok_and(|installed| installed == pins) {
        return Ok(());
    }
    super::ensure(PYTHON)?;
    if !has_venv() {
        super::install(&["python3-venv"])?;
    }
    say(format!("needs: installing what {PINS} lists into {FOLDER}"));
    let text = folder.display().to_string();
    run::run(run::program(&python()).args(["-m", "venv", "--clear", &text]))?;
    let pip = folder.join("bin/pip").display().to_string();
    let mut install = run::program(&pip);
    install.args(["install", "--quiet", "--disable-pip-version-check", "--no-deps", "--requirement", PINS]);
    run::run(&mut install)?;
    std::fs::write(folder.join(INSTALLED), pins)
        .map_err(|error| Failure::new(format!("cannot write {FOLDER}/{INSTALLED}: {error}")))
}

fn read(path: &Path) -> Outcome<String> {
    std::fs::read_to_string(path)
        .map_err(|error| Failure::new(format!("cannot read {}: {error}", path.display())))
}

/// The Python that makes venvs: the first in the PATH, or Debian's own where that one cannot.
fn python() -> String {
    let usual = "python3";
    if makes_venvs(usual) { usual.to_owned() } else { "/usr/bin/python3".to_owned() }
}

fn has_venv() -> bool {
    makes_venvs(&python())
}

/// Whether this Python can make venvs with pip in them: Debian splits `ensurepip` off into `python3-venv`.
fn makes_venvs(python: &str) -> bool {
    let mut command = run::program(python);
    command.args(["-c", "import venv, ensurepip"]).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_package_is_pinned_to_one_version() {
        let pins = read(&run::root().join(PINS)).unwrap();
        let rows: Vec<_> = pins.lines().filter(|line| !line.starts_with('#')).collect();
        assert!(rows.iter().any(|row| row.starts_with("schemathesis==4.")));
        assert!(rows.iter().all(|row| row.contains("==") && !row.contains(['*', '>', '<', '~'])), "{rows:?}");
    }
}
