//! Realms of a directory for tests: a maker that gives what it was told to give, records and states of realms.
//!
//! Called by the tests of whatever needs a directory with realms in it. Must never make a realm of its own, or read a
//! record's config.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use auth::directory::{RealmState, Snapshot};
use auth::{DirectoryImage, Realm, RealmFault, RealmMaker, RealmName, RealmRecord};

use super::clock::START;

/// Gives a realm that a test made: for each type its own, or one for all. What it was not told of, it cannot make.
#[derive(Default)]
pub struct FakeMaker {
    every: Option<Arc<dyn Realm>>,
    kinds: Mutex<HashMap<Box<str>, Arc<dyn Realm>>>,
}

impl FakeMaker {
    /// Gives `realm` for every record.
    #[must_use]
    pub fn of(realm: Arc<dyn Realm>) -> Self {
        Self { every: Some(realm), kinds: Mutex::default() }
    }

    /// Gives `realm` for records of this type from now on.
    pub fn put(&self, kind: &str, realm: Arc<dyn Realm>) {
        self.kinds.lock().unwrap_or_else(PoisonError::into_inner).insert(Box::from(kind), realm);
    }
}

impl RealmMaker for FakeMaker {
    fn make(&self, record: &RealmRecord) -> Result<Arc<dyn Realm>, RealmFault> {
        let kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        let known = kinds.get(&record.kind).or(self.every.as_ref()).cloned();
        known.ok_or_else(|| RealmFault { field: None, why: format!("no type called {:?}", record.kind) })
    }
}

/// The record of an enabled realm of the type `fake`, whose users inherit nothing.
///
/// # Panics
/// If no realm can be called `name`.
#[must_use]
pub fn record(name: &str) -> RealmRecord {
    RealmRecord {
        name: RealmName::parse(name).expect("a realm name of a test is a realm name"),
        kind: Box::from("fake"),
        enabled: true,
        roles: Vec::new(),
        config: Box::from("{}"),
        created: START,
        updated: START,
    }
}

/// An enabled realm that stands in the settings.
///
/// # Panics
/// If no realm can be called `name`.
#[must_use]
pub fn state(name: &str, realm: Arc<dyn Realm>) -> RealmState {
    RealmState { record: record(name), in_settings: true, realm }
}

/// These states under their names, as a directory wants them.
#[must_use]
pub fn settings(states: impl IntoIterator<Item = RealmState>) -> HashMap<RealmName, RealmState> {
    states.into_iter().map(|state| (state.record.name.clone(), state)).collect()
}

/// A directory of this image, without built-in roles, and with a maker that can make no realm.
#[must_use]
pub fn snapshot(image: DirectoryImage, settings: HashMap<RealmName, RealmState>) -> Snapshot {
    Snapshot::new(image, Vec::new(), settings, &FakeMaker::default())
}
