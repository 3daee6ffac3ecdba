//! A realm's config as people may see it: with a mark in place of each secret, and the way back from there.
//!
//! Called by [`RealmMaker`](super::RealmMaker). Must never give out a secret, and never take the mark for one.

use std::collections::BTreeMap;

use serde_json::Value;

use super::RealmFault;

/// What stands in place of a secret.
const MARK: &str = "***";

/// Whether the field of this dotted name is a secret.
type IsSecret<'a> = &'a dyn Fn(&str) -> bool;

/// What a type of realm says of the fields of its config, by their dotted names.
pub(super) struct Fields<'a> {
    /// Whether it is a secret.
    pub(super) is_secret: IsSecret<'a>,
    /// Whether it says where secrets are sent.
    pub(super) is_destination: IsSecret<'a>,
}

/// Whether fields called so are secrets in every type of realm: what their name says.
pub(super) fn is_secret_by_name(field: &str) -> bool {
    let field = field.to_ascii_lowercase();
    ["password", "secret"].iter().any(|word| field.ends_with(word))
}

/// The config without its secrets; what is no JSON is shown as nothing.
pub(super) fn shown(config: &str, is_secret: IsSecret<'_>) -> String {
    let mut config = serde_json::from_str(config).unwrap_or_else(|_| Value::Object(serde_json::Map::new()));
    mask(&mut config, "", is_secret);
    config.to_string()
}

fn mask(value: &mut Value, name: &str, is_secret: IsSecret<'_>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                let name = below(name, key);
                if is_secret(&name) {
                    if !value.is_null() {
                        *value = Value::from(MARK);
                    }
                } else {
                    mask(value, &name, is_secret);
                }
            }
        }
        // The members of a list have the list's name.
        Value::Array(members) => members.iter_mut().for_each(|member| mask(member, name, is_secret)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The config that somebody sent who saw `stored` without its secrets: where he left the mark, the secret stays.
///
/// # Errors
/// [`RealmFault`] where it is no object, for a mark that stands where no secret is kept, and for one beside another
/// destination than the secret was kept for.
pub(super) fn completed(stored: Option<&str>, sent: &str, fields: &Fields<'_>) -> Result<String, RealmFault> {
    let stored: Option<Value> = stored.and_then(|stored| serde_json::from_str(stored).ok());
    match serde_json::from_str(sent) {
        Ok(mut sent @ Value::Object(_)) => {
            let marked = first_mark(&sent, "", fields.is_secret);
            let moved = || {
                let stored = stored.as_ref().unwrap_or(&Value::Null);
                destinations(stored, fields.is_destination) != destinations(&sent, fields.is_destination)
            };
            if let Some(name) = marked
                && stored.is_some()
                && moved()
            {
                let why =
                    format!("{MARK} keeps a secret for where it was sent; say it anew for another server");
                return Err(RealmFault { field: Some(name), why });
            }
            complete(&mut sent, stored.as_ref(), "", fields.is_secret)?;
            Ok(sent.to_string())
        }
        _ => Err(RealmFault { field: Some(String::new()), why: "is no JSON object".to_owned() }),
    }
}

fn complete(
    sent: &mut Value,
    stored: Option<&Value>,
    name: &str,
    is_secret: IsSecret<'_>,
) -> Result<(), RealmFault> {
    match sent {
        Value::Object(fields) => {
            for (key, value) in fields {
                let name = below(name, key);
                let stored = stored.and_then(|stored| stored.get(key)).filter(|stored| !stored.is_null());
                if !is_secret(&name) {
                    complete(value, stored, &name, is_secret)?;
                } else if *value == MARK {
                    *value = stored.cloned().ok_or_else(|| nothing_kept(&name))?;
                }
            }
            Ok(())
        }
        Value::Array(_) => {
            // Members that changed places must not get each other's secrets, so a list stays whole or is said anew.
            let mut unchanged = stored.cloned().unwrap_or_default();
            mask(&mut unchanged, name, is_secret);
            match stored {
                Some(stored) if unchanged == *sent => *sent = stored.clone(),
                _ if has_mark(sent, name, is_secret) => return Err(nothing_kept(name)),
                _ => {}
            }
            Ok(())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

fn has_mark(value: &Value, name: &str, is_secret: IsSecret<'_>) -> bool {
    first_mark(value, name, is_secret).is_some()
}

/// The dotted name of the first mark that stands for a secret.
fn first_mark(value: &Value, name: &str, is_secret: IsSecret<'_>) -> Option<String> {
    match value {
        Value::Object(fields) => fields.iter().find_map(|(key, value)| {
            let name = below(name, key);
            if is_secret(&name) {
                (*value == MARK).then_some(name)
            } else {
                first_mark(value, &name, is_secret)
            }
        }),
        Value::Array(members) => members.iter().find_map(|member| first_mark(member, name, is_secret)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// The fields that say where secrets are sent, with their dotted names.
fn destinations(config: &Value, is_destination: IsSecret<'_>) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    collect(config, "", is_destination, &mut found);
    found
}

fn collect(value: &Value, name: &str, is_destination: IsSecret<'_>, found: &mut BTreeMap<String, Value>) {
    for (key, value) in value.as_object().into_iter().flatten() {
        let name = below(name, key);
        if is_destination(&name) {
            found.insert(name, value.clone());
        } else {
            collect(value, &name, is_destination, found);
        }
    }
}

fn nothing_kept(name: &str) -> RealmFault {
    let why = format!("{MARK} stands for a secret that is kept, and here none is that it could stand for");
    RealmFault { field: Some(name.to_owned()), why }
}

fn below(name: &str, key: &str) -> String {
    if name.is_empty() { key.to_owned() } else { format!("{name}.{key}") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn seen(config: &Value) -> Value {
        serde_json::from_str(&shown(&config.to_string(), &is_secret_by_name)).unwrap()
    }

    fn back(stored: Option<&Value>, sent: &Value) -> Result<Value, String> {
        let stored = stored.map(ToString::to_string);
        let fields = Fields { is_secret: &is_secret_by_name, is_destination: &|field| field == "host" };
        completed(stored.as_deref(), &sent.to_string(), &fields)
            .map(|config| serde_json::from_str(&config).unwrap())
            .map_err(|fault| fault.field.unwrap())
    }

    fn config() -> Value {
        json!({
            "host": "ldap.example.com",
            "login": { "bindDn": "cn=svc", "bindPassword": "s3cret" },
            "login.bindPassword": "s3cret",
            "clientSecret": { "env": "S3CRET" },
            "PASSWORD": 53,
            "unset.secret": null,
            "passwordAttribute": "userPassword",
            "servers": [{ "host": "a", "secret": "s3cret-a" }, [{ "secret": "s3cret-b" }]],
        })
    }

    #[test]
    fn a_config_is_shown_without_its_secrets() {
        let expected = json!({
            "host": "ldap.example.com",
            "login": { "bindDn": "cn=svc", "bindPassword": "***" },
            "login.bindPassword": "***",
            "clientSecret": "***",
            "PASSWORD": "***",
            "unset.secret": null,
            "passwordAttribute": "userPassword",
            "servers": [{ "host": "a", "secret": "***" }, [{ "secret": "***" }]],
        });
        assert_eq!(seen(&config()), expected);
        assert!(!seen(&config()).to_string().to_lowercase().contains("s3cret"));
        assert_eq!(shown("{s3cret", &is_secret_by_name), "{}");
    }

    #[test]
    fn what_was_shown_can_be_sent_back() {
        assert_eq!(back(Some(&config()), &seen(&config())), Ok(config()));
        let mut sent = seen(&config());
        sent["note"] = json!("other");
        sent["login"]["bindPassword"] = json!("new");
        sent["servers"] = json!([{ "host": "a", "secret": "said anew" }]);
        let mut expected = config();
        expected["note"] = json!("other");
        expected["login"]["bindPassword"] = json!("new");
        expected["servers"] = sent["servers"].clone();
        assert_eq!(back(Some(&config()), &sent), Ok(expected));
        assert_eq!(back(Some(&config()), &json!({})), Ok(json!({})), "what is left out is gone");
        assert_eq!(back(None, &json!({ "note": "***" })), Ok(json!({ "note": "***" })));
    }

    #[test]
    fn a_kept_secret_goes_nowhere_else() {
        let mut elsewhere = seen(&config());
        elsewhere["host"] = json!("ldap.attacker.example");
        assert_eq!(back(Some(&config()), &elsewhere), Err("login.bindPassword".to_owned()));
        elsewhere.as_object_mut().unwrap().shift_remove("host");
        assert_eq!(back(Some(&config()), &elsewhere), Err("login.bindPassword".to_owned()));
        let said_anew = json!({ "host": "ldap.attacker.example", "password": "new" });
        assert_eq!(back(Some(&config()), &said_anew), Ok(said_anew.clone()));
    }

    #[test]
    fn a_mark_stands_for_the_secret_of_its_place_only() {
        for sent in [json!({ "password": "***" }), json!({ "unset.secret": "***" })] {
            let name = sent.as_object().unwrap().keys().next().unwrap().clone();
            assert_eq!(back(Some(&config()), &sent), Err(name.clone()));
            assert_eq!(back(None, &sent), Err(name));
        }
        assert_eq!(
            back(Some(&config()), &json!({ "host": "ldap.example.com", "login": { "secret": "***" } })),
            Err("login.secret".to_owned())
        );
        let elsewhere = json!({
            "host": "ldap.example.com",
            "servers": [{ "host": "b", "secret": "***" }, [{ "secret": "***" }]],
        });
        assert_eq!(back(Some(&config()), &elsewhere), Err("servers".to_owned()));
        assert_eq!(back(None, &json!([1])), Err(String::new()));
    }
}
