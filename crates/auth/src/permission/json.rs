//! The JSON form of an entry, `{"methods":[…],"path":…,"params":{…},"except":[…]}`; a string is the text form.
//!
//! Called through serde by the store, the administration API and the dialects. Must never ignore what it does not know: unknown
//! keys, and keys that occur twice, are errors.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{MethodSet, Permission, text};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Read {
    methods: Vec<String>,
    path: String,
    #[serde(default)]
    params: Params,
    #[serde(default)]
    except: Vec<String>,
}

/// Pairs instead of a map, so that a name that occurs twice is seen.
#[derive(Default)]
struct Params(Vec<(String, Vec<String>)>);

impl<'de> Deserialize<'de> for Params {
    fn deserialize<From: Deserializer<'de>>(from: From) -> Result<Params, From::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Params;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("placeholders, each with a list of values")
            }

            fn visit_map<Map: MapAccess<'de>>(self, mut map: Map) -> Result<Params, Map::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Params(pairs))
            }
        }
        from.deserialize_map(Pairs)
    }
}

impl<'de> Deserialize<'de> for Permission {
    fn deserialize<From: Deserializer<'de>>(from: From) -> Result<Permission, From::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Permission;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a permission, as an object or as a text such as \"GET:/collections/*\"")
            }

            fn visit_str<Fault: Error>(self, written: &str) -> Result<Permission, Fault> {
                text::from_text(written).map_err(Fault::custom)
            }

            fn visit_map<Map: MapAccess<'de>>(self, map: Map) -> Result<Permission, Map::Error> {
                let read = Read::deserialize(MapAccessDeserializer::new(map))?;
                let methods =
                    MethodSet::parse(read.methods.iter().map(String::as_str)).map_err(Map::Error::custom)?;
                Permission::new(methods, &read.path, read.params.0, read.except).map_err(Map::Error::custom)
            }
        }
        from.deserialize_any(Either)
    }
}

impl Serialize for Permission {
    fn serialize<To: Serializer>(&self, to: To) -> Result<To::Ok, To::Error> {
        let mut map = to.serialize_map(None)?;
        map.serialize_entry("methods", &Names(self.methods))?;
        map.serialize_entry("path", self.pattern.as_str())?;
        if !self.params.is_empty() {
            map.serialize_entry("params", &Bound(self))?;
        }
        if !self.except.is_empty() {
            let except: Vec<&str> = self.except.iter().map(super::Pattern::as_str).collect();
            map.serialize_entry("except", &except)?;
        }
        map.end()
    }
}

struct Names(MethodSet);

impl Serialize for Names {
    fn serialize<To: Serializer>(&self, to: To) -> Result<To::Ok, To::Error> {
        let mut list = to.serialize_seq(None)?;
        if self.0 == MethodSet::ALL {
            list.serialize_element("*")?;
        } else {
            for method in self.0.iter() {
                list.serialize_element(method.as_str())?;
            }
        }
        list.end()
    }
}

struct Bound<'a>(&'a Permission);

impl Serialize for Bound<'_> {
    fn serialize<To: Serializer>(&self, to: To) -> Result<To::Ok, To::Error> {
        let mut map = to.serialize_map(None)?;
        for (name, values) in self.0.params() {
            map.serialize_entry(name, &values.collect::<Vec<_>>())?;
        }
        map.end()
    }
}
