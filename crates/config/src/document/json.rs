//! A section of the settings file as JSON. `sections/realm.rs` calls this for the keys of a realm. What comes of it holds
//! secrets in clear, those of files and the environment too: it must never be printed or stored.

use serde_json::{Number, Value as Json};

use super::reader::shown;
use super::tree::{Entry, Section, Value};

impl Section {
    /// This section as an object, its keys in alphabetical order. A text that stands elsewhere is the text that stands there.
    pub(crate) fn to_json(&self) -> Json {
        self.entries.iter().map(|(name, entry)| (name.clone(), to_json(entry))).collect()
    }
}

/// Not deeper than a settings file may be nested.
fn to_json(entry: &Entry) -> Json {
    match &entry.value {
        Value::Text(text, _) => Json::from(text.as_str()),
        Value::Integer(Some(number)) => Json::from(*number),
        Value::Boolean(truth) => Json::from(*truth),
        Value::Other(_, text) => {
            let number = text.parse().ok().and_then(Number::from_f64);
            number.map_or_else(|| Json::from(&**text), Json::Number)
        }
        Value::List(list) => list.iter().map(to_json).collect(),
        Value::Table(section) => section.to_json(),
        // No number that JSON's readers agree on; nor is there a null, which some would take for an absent key. An unreadable
        // value is a mistake, and settings with one do not come into being.
        value @ (Value::Integer(None) | Value::Unreadable) => Json::from(shown(value)),
    }
}
