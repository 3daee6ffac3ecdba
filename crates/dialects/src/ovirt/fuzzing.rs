//! The parsers for `fuzz/`, each with what must hold of whatever it accepts.
//!
//! Only with the feature `fuzzing`, and in tests. Must never be part of a build that ships. A broken promise is a panic.

use super::prefer::Preferences;
use crate::form::{Form, MAX_FIELDS};

/// `Prefer` lines, one to each line of the input: another order of lines and another case say the same, and what a quoted
/// string says is nothing.
pub fn prefer(data: &[u8]) {
    let lines = || data.split(|&byte| byte == b'\n');
    let read = Preferences::read(lines());
    let upper = data.to_ascii_uppercase();
    assert_eq!(Preferences::read(upper.split(|&byte| byte == b'\n')), read);
    if lines().count() <= 4 && data.len() < 64 {
        assert_eq!(Preferences::read(lines().rev()), read);
    }
    let plain: Vec<u8> = data.iter().copied().filter(|byte| !matches!(byte, b'"' | b'\\' | b'\n')).collect();
    let quoted = [b"a=\"", &*plain, b"\""].concat();
    assert_eq!(Preferences::read(std::iter::once(&*quoted)), Preferences::default());
}

/// A form: what was taken has few fields, and each is what a second look at the same bytes gives.
pub fn form(data: &[u8]) {
    let Ok(form) = Form::read(data) else { return };
    let named = data.split(|&byte| byte == b'&').filter(|pair| !pair.is_empty());
    assert!(named.clone().count() <= MAX_FIELDS);
    for pair in named {
        let text = String::from_utf8_lossy(pair).into_owned();
        let (name, value) = text.split_once('=').unwrap_or((&text, ""));
        if !text.contains(['%', '+']) {
            assert_eq!(form.value(name), Some(value));
        }
    }
}
