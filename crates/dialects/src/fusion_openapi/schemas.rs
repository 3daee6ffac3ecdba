//! The schemas of what is read and written, made from the very types that serde reads and writes.
//!
//! Used by all files of this folder. It must never hold a schema that was written by hand; those are in `forms.rs`.

use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value};

/// Two generators, because a type may be written otherwise than it is read.
pub(super) struct Schemas {
    sent: SchemaGenerator,
    shown: SchemaGenerator,
}

impl Schemas {
    pub(super) fn new() -> Self {
        let settings = || {
            SchemaSettings::draft2020_12()
                .with(|settings| {
                    settings.definitions_path = "/components/schemas".into();
                    settings.meta_schema = None;
                })
                .with_transform(RecursiveTransform(without_null_defaults))
        };
        Self {
            sent: settings().for_deserialize().into_generator(),
            shown: settings().for_serialize().into_generator(),
        }
    }

    /// What a client sends.
    pub(super) fn sent<T: JsonSchema>(&mut self) -> Value {
        self.sent.subschema_for::<T>().to_value()
    }

    /// What the gateway answers.
    pub(super) fn shown<T: JsonSchema>(&mut self) -> Value {
        self.shown.subschema_for::<T>().to_value()
    }

    /// All that were referred to, by name.
    ///
    /// # Panics
    /// Where two types have one name: a mistake of whoever named them, found by every test of the document.
    pub(super) fn finish(mut self) -> Map<String, Value> {
        let mut all = self.sent.take_definitions(true);
        for (name, schema) in self.shown.take_definitions(true) {
            let known = all.entry(name.clone()).or_insert_with(|| schema.clone());
            assert_eq!(*known, schema, "two types are called {name}");
        }
        all.sort_keys();
        all
    }
}

/// What is left out is nothing, which nobody needs to be told; and where nothing is refused it would be wrong.
fn without_null_defaults(schema: &mut Schema) {
    if schema.get("default").is_some_and(Value::is_null) {
        schema.remove("default");
    }
}
