//! The text form of an entry: `METHODS:/pattern[:item;item]`, an item being `name=value,value` or `!/pattern`.
//!
//! Called by the command line, the settings file, the store and the JSON form (a string there is this). Must never print a text
//! that reads back as another entry: what the text form cannot say is printed as JSON.

use std::fmt;
use std::str::FromStr;

use super::{MAX_PERMISSION_TEXT, MethodSet, Permission, PermissionError, error::quote};

/// Reads the text form, and the JSON form where the text begins with `{`.
impl FromStr for Permission {
    type Err = PermissionError;

    fn from_str(text: &str) -> Result<Permission, PermissionError> {
        if text.len() > MAX_PERMISSION_TEXT {
            return Err(PermissionError::TooLong);
        }
        if text.starts_with('{') {
            return serde_json::from_str(text).map_err(|error| PermissionError::Json(error.to_string()));
        }
        from_text(text)
    }
}

/// Reads the text form only.
pub(super) fn from_text(text: &str) -> Result<Permission, PermissionError> {
    if text.len() > MAX_PERMISSION_TEXT {
        return Err(PermissionError::TooLong);
    }
    let (methods, rest) = text
        .split_once(':')
        .filter(|(methods, _)| !methods.contains('/'))
        .ok_or_else(|| PermissionError::NoMethodsBeforePath(quote(text)))?;
    if methods.trim().is_empty() {
        return Err(PermissionError::NoMethods);
    }
    let methods = MethodSet::parse(methods.split(',').map(str::trim))?;
    let (path, items) = rest.split_once(':').map_or((rest, None), |(path, items)| (path, Some(items)));
    let mut params = Vec::new();
    let mut except = Vec::new();
    for item in items.into_iter().flat_map(|items| items.split(';')) {
        if let Some(pattern) = item.strip_prefix('!') {
            except.push(pattern.to_owned());
        } else if let Some((name, values)) = item.split_once('=') {
            let values =
                if values.is_empty() { Vec::new() } else { values.split(',').map(str::to_owned).collect() };
            params.push((name.to_owned(), values));
        } else {
            return Err(PermissionError::UnknownItem(quote(item)));
        }
    }
    Permission::new(methods, path, params, except)
}

impl Permission {
    /// Whether the text form can say it: `:` ends a path there, `;` an item, `,` a value.
    fn fits_text(&self) -> bool {
        !self.pattern.as_str().contains(':')
            && self.params().all(|(_, mut values)| !values.any(|value| value.contains([',', ';'])))
            && !self.except.iter().any(|pattern| pattern.as_str().contains(';'))
    }
}

/// The text form, or the JSON form for the few entries that the text form cannot say. Reads back as an equal entry.
impl fmt::Display for Permission {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.fits_text() {
            return formatter.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?);
        }
        write!(formatter, "{}:{}", self.methods, self.pattern)?;
        let mut separator = ':';
        for (name, values) in self.params() {
            write!(formatter, "{separator}{name}=")?;
            for (index, value) in values.enumerate() {
                let comma = if index > 0 { "," } else { "" };
                write!(formatter, "{comma}{value}")?;
            }
            separator = ';';
        }
        for pattern in &self.except {
            write!(formatter, "{separator}!{pattern}")?;
            separator = ';';
        }
        Ok(())
    }
}
