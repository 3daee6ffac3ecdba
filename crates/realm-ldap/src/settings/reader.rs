//! A realm's config as fields with dotted names, each read once and with its type.
//!
//! Called by the other files of `settings`. Must never pass over a field that nobody knows, nor quote a secret.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use auth::RealmFault;
use serde_json::{Map, Value};

use crate::words::distinguished_name::is_attribute_type;

/// Every field there is, by its dotted name below the config. `attributes` has fields of any name below it.
const FIELDS: [&str; 34] = [
    "host",
    "port",
    "ssl",
    "startTls",
    "insecure",
    "ca",
    "directory",
    "connectTimeout",
    "timeout",
    "poolSize",
    "poolWait",
    "login.bindDnTemplate",
    "login.searchBase",
    "login.searchFilter",
    "login.searchScope",
    "login.bindDn",
    "login.bindPassword",
    "login.nameAttribute",
    "login.disabledFilter",
    "groups.source",
    "groups.searchBase",
    "groups.searchFilter",
    "groups.searchScope",
    "groups.nested",
    "groups.nameAttribute",
    "groups.memberOfAttribute",
    "groups.roleMapping",
    "attributes",
    "recheck",
    "staleness",
    "autoCreateUsers",
    "ephemeralUsers",
    "login",
    "groups",
];

/// A mistake in this field.
pub(super) fn fault(field: &str, why: impl Into<String>) -> RealmFault {
    RealmFault { field: Some(field.to_owned()), why: why.into() }
}

/// The fields of a config.
pub(super) struct Fields(BTreeMap<String, Value>);

impl Fields {
    /// Takes the config apart.
    ///
    /// # Errors
    /// [`RealmFault`] where it is no JSON object, or has a field that nobody knows, or one twice.
    pub(super) fn read(config: &str) -> Result<Self, RealmFault> {
        let Ok(Value::Object(config)) = serde_json::from_str(config) else {
            return Err(fault("", "is no JSON object"));
        };
        let mut fields = Self(BTreeMap::new());
        fields.collect("", config)?;
        Ok(fields)
    }

    fn collect(&mut self, above: &str, object: Map<String, Value>) -> Result<(), RealmFault> {
        for (key, value) in object {
            let name = if above.is_empty() { key } else { format!("{above}.{key}") };
            match (name.as_str(), value) {
                ("login" | "groups", Value::Object(below)) => self.collect(&name, below)?,
                ("attributes", Value::Object(below)) => {
                    // That it is there and says "none" is not that it is missing.
                    if below.is_empty() {
                        self.insert(name, Value::Object(below))?;
                    } else {
                        self.collect(&name, below)?;
                    }
                }
                ("login" | "groups" | "attributes", Value::Null) => {}
                ("login" | "groups" | "attributes", _) => {
                    return Err(fault(&name, "is no object with fields"));
                }
                (field, _) if !is_known(field) => return Err(fault(field, unknown(field))),
                (_, Value::Null) => {}
                (_, value) => self.insert(name, value)?,
            }
        }
        Ok(())
    }

    fn insert(&mut self, name: String, value: Value) -> Result<(), RealmFault> {
        match self.0.insert(name.clone(), value) {
            None => Ok(()),
            Some(_) => Err(fault(&name, "is there twice: nested and with a dot")),
        }
    }

    /// Whether the field is there.
    pub(super) fn has(&self, field: &str) -> bool {
        self.0.contains_key(field)
    }

    /// The value, for those who read it in a way of their own.
    pub(super) fn value(&self, field: &str) -> Option<&Value> {
        self.0.get(field)
    }

    /// The fields of any name below this one.
    pub(super) fn below<'a>(&'a self, above: &'a str) -> impl Iterator<Item = (&'a str, &'a Value)> {
        self.0.iter().filter_map(move |(name, value)| Some((below(name, above)?, value)))
    }

    /// A text.
    pub(super) fn text(&self, field: &str) -> Result<Option<&str>, RealmFault> {
        match self.0.get(field) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(Value::Object(_)) => Err(fault(
                field,
                "is an object; only the settings file can name a file or a variable, here stands the text",
            )),
            Some(_) => Err(fault(field, "is no text")),
        }
    }

    /// `true` or `false`.
    pub(super) fn boolean(&self, field: &str) -> Result<Option<bool>, RealmFault> {
        match self.0.get(field) {
            None => Ok(None),
            Some(Value::Bool(is)) => Ok(Some(*is)),
            Some(_) => Err(fault(field, "is neither true nor false")),
        }
    }

    /// A whole number within a range.
    pub(super) fn number(&self, field: &str, range: RangeInclusive<u64>) -> Result<Option<u64>, RealmFault> {
        match self.0.get(field).map(Value::as_u64) {
            None => Ok(None),
            Some(Some(number)) if range.contains(&number) => Ok(Some(number)),
            Some(_) => {
                let (least, most) = range.into_inner();
                Err(fault(field, format!("is no whole number from {least} to {most}")))
            }
        }
    }

    /// A duration within a range, such as `"1500ms"`.
    pub(super) fn duration(
        &self,
        field: &str,
        range: RangeInclusive<Duration>,
    ) -> Result<Option<Duration>, RealmFault> {
        let Some(duration) = self.any_duration(field)? else { return Ok(None) };
        if range.contains(&duration) {
            return Ok(Some(duration));
        }
        Err(out_of_range(field, duration, &range))
    }

    /// A duration of any length; the number 0 is one too.
    pub(super) fn any_duration(&self, field: &str) -> Result<Option<Duration>, RealmFault> {
        const FORM: &str =
            "is no duration: a text of one number and one unit of ms, s, m, h, d, such as \"5m\"";
        match self.0.get(field) {
            None => Ok(None),
            Some(Value::Number(number)) if number.as_u64() == Some(0) => Ok(Some(Duration::ZERO)),
            Some(Value::String(text)) => duration(text).map(Some).ok_or_else(|| fault(field, FORM)),
            Some(_) => Err(fault(field, FORM)),
        }
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(&self, field: &str, words: &[(&str, T)]) -> Result<Option<T>, RealmFault> {
        let Some(text) = self.text(field)? else { return Ok(None) };
        match words.iter().find(|(word, _)| *word == text) {
            Some((_, meaning)) => Ok(Some(*meaning)),
            None => {
                let known: Vec<_> = words.iter().map(|(word, _)| format!("{word:?}")).collect();
                Err(fault(field, format!("is none of {}", known.join(", "))))
            }
        }
    }

    /// The name of an attribute of the directory.
    pub(super) fn attribute(&self, field: &str) -> Result<Option<Box<str>>, RealmFault> {
        let Some(text) = self.text(field)? else { return Ok(None) };
        attribute_name(text).map(Some).ok_or_else(|| fault(field, NO_ATTRIBUTE))
    }

    /// Refuses these fields where they have no meaning.
    pub(super) fn refuse(&self, fields: &[&str], why: &str) -> Result<(), RealmFault> {
        match fields.iter().find(|field| self.has(field)) {
            Some(field) => Err(fault(field, format!("means nothing {why}"))),
            None => Ok(()),
        }
    }
}

/// What is said of a text that cannot be an attribute's name.
pub(super) const NO_ATTRIBUTE: &str =
    "is no name of an attribute: letters, digits and -, beginning with a letter";

/// An attribute's name, with options such as `;lang-en` behind it (RFC 4512 section 2.5).
pub(super) fn attribute_name(text: &str) -> Option<Box<str>> {
    let is_option =
        |option: &str| !option.is_empty() && option.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let mut parts = text.split(';');
    let is_name = parts.next().is_some_and(is_attribute_type) && parts.all(is_option);
    (is_name && text.len() <= crate::limits::MAX_ATTRIBUTE_NAME_BYTES).then(|| Box::from(text))
}

pub(super) fn out_of_range(field: &str, is: Duration, range: &RangeInclusive<Duration>) -> RealmFault {
    let (least, most) = (duration_text(*range.start()), duration_text(*range.end()));
    fault(field, format!("is {}; it can be {least} to {most}", duration_text(is)))
}

/// `1500ms`, `10s`, `30m`, `8h`, `2d`, as in the settings file.
fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at(text.bytes().take_while(u8::is_ascii_digit).count());
    let milliseconds: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    let number: u64 = number.parse().ok()?;
    number.checked_mul(milliseconds).map(Duration::from_millis)
}

fn duration_text(duration: Duration) -> String {
    let milliseconds = duration.as_millis();
    for (unit, factor) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)] {
        if milliseconds > 0 && milliseconds.is_multiple_of(factor) {
            return format!("{}{unit}", milliseconds / factor);
        }
    }
    format!("{milliseconds}ms")
}

fn below<'a>(name: &'a str, above: &str) -> Option<&'a str> {
    name.strip_prefix(above)?.strip_prefix('.')
}

fn is_known(field: &str) -> bool {
    FIELDS.contains(&field) || below(field, "attributes").is_some()
}

/// That nobody knows the field, and what may have been meant.
fn unknown(field: &str) -> String {
    let last = |name: &str| name.rsplit('.').next().unwrap_or_default().to_lowercase();
    let distance = |known: &str| {
        let whole = strsim::damerau_levenshtein(&field.to_lowercase(), &known.to_lowercase());
        // The right name in the wrong place.
        whole.min(1 + strsim::damerau_levenshtein(&last(field), &last(known)))
    };
    let nearest = FIELDS.iter().map(|known| (distance(known), *known)).min_by_key(|(distance, _)| *distance);
    match nearest {
        Some((distance, known)) if distance <= 1 + last(known).len() / 4 => {
            format!("is no field of an LDAP realm; is {known} meant?")
        }
        _ => "is no field of an LDAP realm".to_owned(),
    }
}
