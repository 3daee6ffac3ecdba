//! The password of `admin` at the first start, from the environment (contract/config.md "First start"). The wiring asks once. It
//! must never quote the password, nor make one up.

use std::path::Path;

use zeroize::Zeroizing;

use crate::environment::{Environment, reason, without_newline};
use crate::limits::MAX_REFERENCE_BYTES;
use crate::mistake::{Mistake, Place};
use crate::secret::Secret;

/// The environment variable with the password.
pub const ADMIN_PASSWORD: &str = "DOORWARD_ADMIN_PASSWORD";
/// The environment variable with the path of a file with the password.
pub const ADMIN_PASSWORD_FILE: &str = "DOORWARD_ADMIN_PASSWORD_FILE";

/// The password that the environment gives to `admin`; `None` where it gives none. A newline at the end of the file is not
/// part of it. An empty variable counts as unset: that is how service managers write "none".
///
/// # Errors
/// A mistake where both variables are set, the file cannot be read, or the password is empty or not UTF-8.
pub fn admin_password(environment: &dyn Environment) -> Result<Option<Secret>, Mistake> {
    let set = |name: &str| environment.variable(name).filter(|value| !value.is_empty());
    match (set(ADMIN_PASSWORD), set(ADMIN_PASSWORD_FILE)) {
        (None, None) => Ok(None),
        (Some(_), Some(_)) => {
            Err(mistake(ADMIN_PASSWORD, format!("is set together with {ADMIN_PASSWORD_FILE}")))
        }
        (Some(password), None) => match password.into_string() {
            Ok(password) => Ok(Some(Secret::new(password))),
            Err(_) => Err(mistake(ADMIN_PASSWORD, "is not UTF-8 text".to_owned())),
        },
        (None, Some(path)) => read(Path::new(&path), environment).map(Some),
    }
}

fn read(path: &Path, environment: &dyn Environment) -> Result<Secret, Mistake> {
    let told = |what: &str| mistake(ADMIN_PASSWORD_FILE, format!("{} {what}", path.display()));
    let bytes = environment
        .read(path, MAX_REFERENCE_BYTES)
        .map_err(|error| told(&format!("cannot be read: {}", reason(&error))))?;
    let bytes = Zeroizing::new(bytes);
    let text = std::str::from_utf8(&bytes).map_err(|_| told("is not UTF-8 text"))?;
    match without_newline(text) {
        "" => Err(told("is empty")),
        password => Ok(Secret::new(password.to_owned())),
    }
}

fn mistake(name: &str, message: String) -> Mistake {
    let file = "environment".to_owned();
    Mistake { file, place: Place::default(), key: name.to_owned(), message, suggestion: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::double::Tables;

    fn said(environment: Tables) -> String {
        match admin_password(&environment) {
            Ok(password) => password.map_or("none".to_owned(), |password| password.expose().to_owned()),
            Err(mistake) => mistake.to_string(),
        }
    }

    #[test]
    fn the_password_comes_from_a_variable_or_a_file() {
        let with = |password: &str, path: &str| {
            Tables::default()
                .with_variable(ADMIN_PASSWORD, password)
                .with_variable(ADMIN_PASSWORD_FILE, path)
                .with_file("f", " secret \n\n")
                .with_file("empty", "\n")
                .with_file("binary", b"\xff".as_slice())
        };
        assert_eq!(said(Tables::default()), "none");
        assert_eq!(said(with("", "")), "none");
        assert_eq!(said(with("canary\n", "")), "canary\n");
        assert_eq!(said(with("", "f")), " secret \n");
        assert_eq!(said(with("", "empty")), "environment: DOORWARD_ADMIN_PASSWORD_FILE: empty is empty");
        assert_eq!(
            said(with("", "binary")),
            "environment: DOORWARD_ADMIN_PASSWORD_FILE: binary is not UTF-8 text"
        );
        assert_eq!(
            said(with("", "g")),
            "environment: DOORWARD_ADMIN_PASSWORD_FILE: g cannot be read: there is no such file"
        );
        assert_eq!(
            said(with("canary", "f")),
            "environment: DOORWARD_ADMIN_PASSWORD: is set together with DOORWARD_ADMIN_PASSWORD_FILE"
        );
    }
}
