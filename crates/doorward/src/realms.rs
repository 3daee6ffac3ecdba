//! The types of realms that this build has. Called by the wiring and, through the directory, by whoever makes a realm over
//! the API. Removing a type is removing its room and its lines here.

use std::sync::Arc;

use auth::{Realm, RealmFault, RealmMaker, RealmRecord, Unmakeable};
use realm_native::{HashPool, NativeRealm};

/// A realm that is still to be made.
enum Plan {
    Native,
}

/// What a record asks for.
fn plan(record: &RealmRecord) -> Result<Plan, RealmFault> {
    match &*record.kind {
        "native" if &*record.config == "{}" => Ok(Plan::Native),
        "native" => Err(RealmFault {
            field: Some(first_key(&record.config)),
            why: "a realm of type `native` has no settings of its own".to_owned(),
        }),
        _ => Err(RealmFault {
            field: None,
            why: "this type of realm is not in this version; `native` is".to_owned(),
        }),
    }
}

/// The name of a config's first field; empty where it has none.
fn first_key(config: &str) -> String {
    let config: serde_json::Map<_, _> = serde_json::from_str(config).unwrap_or_default();
    config.into_iter().next().map(|(key, _)| key).unwrap_or_default()
}

/// Makes realms of the types of this build.
pub(crate) struct Maker {
    hasher: Arc<HashPool>,
}

impl Maker {
    /// A maker of realms that hash on `hasher`.
    pub(crate) fn new(hasher: Arc<HashPool>) -> Self {
        Self { hasher }
    }
}

impl RealmMaker for Maker {
    fn make(&self, record: &RealmRecord) -> Result<Arc<dyn Realm>, RealmFault> {
        match plan(record)? {
            Plan::Native => Ok(Arc::new(NativeRealm::new(record.name.clone(), Arc::clone(&self.hasher)))),
        }
    }
}

/// Says of records whether realms can be made of them, for commands that let nobody in.
pub(crate) struct Judge;

impl RealmMaker for Judge {
    fn make(&self, record: &RealmRecord) -> Result<Arc<dyn Realm>, RealmFault> {
        plan(record).map(|_| Arc::new(Unmakeable) as Arc<dyn Realm>)
    }
}
