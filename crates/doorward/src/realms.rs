//! The types of realms that this build has. Called by the wiring and, through the directory, by whoever makes a realm over
//! the API. Removing a type is removing its room and its lines here.

use std::sync::Arc;

use auth::{Clock, Realm, RealmFault, RealmMaker, RealmRecord, Unmakeable};
use realm_header::HeaderRealm;
use realm_ldap::LdapRealm;
use realm_native::{HashPool, NativeRealm};
use tokio::runtime::Handle;

/// The words for the types that this build has.
const KINDS: [&str; 3] = ["native", "ldap", "trusted-http"];

/// A realm that is still to be made.
enum Plan {
    Native,
    Ldap(Box<realm_ldap::Settings>),
    Header(HeaderRealm),
}

/// What a record asks for.
fn plan(record: &RealmRecord) -> Result<Plan, RealmFault> {
    match &*record.kind {
        "native" if &*record.config == "{}" => Ok(Plan::Native),
        "native" => Err(RealmFault {
            field: Some(first_key(&record.config)),
            why: "a realm of type `native` has no settings of its own".to_owned(),
        }),
        "ldap" => realm_ldap::parse(&record.config).map(Box::new).map(Plan::Ldap),
        "trusted-http" => HeaderRealm::new(&record.config).map(Plan::Header),
        _ => Err(RealmFault {
            field: None,
            why: format!("this type of realm is not in this version; {} are", KINDS.join(", ")),
        }),
    }
}

/// The name of a config's first field; empty where it has none.
fn first_key(config: &str) -> String {
    let config: serde_json::Map<_, _> = serde_json::from_str(config).unwrap_or_default();
    config.into_iter().next().map(|(key, _)| key).unwrap_or_default()
}

/// Whether a field of a realm's config is a secret. What a type does not know is one by its name.
fn is_secret(kind: &str, field: &str) -> bool {
    let last = field.rsplit('.').next().unwrap_or(field).to_ascii_lowercase();
    let by_name = last.ends_with("password") || last.ends_with("secret");
    by_name || kind == "ldap" && realm_ldap::is_secret(field)
}

fn is_destination(kind: &str, field: &str) -> bool {
    kind == "ldap" && realm_ldap::is_destination(field)
}

/// Makes realms of the types of this build.
pub(crate) struct Maker {
    hasher: Arc<HashPool>,
    /// Where realms that talk to servers do so.
    office: Handle,
    clock: Arc<dyn Clock>,
}

impl Maker {
    /// A maker of realms that hash on `hasher` and talk to their servers on `office`.
    pub(crate) fn new(hasher: Arc<HashPool>, office: Handle, clock: Arc<dyn Clock>) -> Self {
        Self { hasher, office, clock }
    }
}

impl RealmMaker for Maker {
    fn make(&self, record: &RealmRecord) -> Result<Arc<dyn Realm>, RealmFault> {
        Ok(match plan(record)? {
            Plan::Native => Arc::new(NativeRealm::new(record.name.clone(), Arc::clone(&self.hasher))),
            Plan::Ldap(settings) => Arc::new(LdapRealm::new(
                record.name.clone(),
                *settings,
                self.office.clone(),
                Arc::clone(&self.clock),
            )),
            Plan::Header(realm) => Arc::new(realm),
        })
    }

    fn is_secret(&self, kind: &str, field: &str) -> bool {
        is_secret(kind, field)
    }

    fn is_destination(&self, kind: &str, field: &str) -> bool {
        is_destination(kind, field)
    }
}

/// Says of records whether realms can be made of them, for commands that let nobody in.
pub(crate) struct Judge;

impl RealmMaker for Judge {
    fn make(&self, record: &RealmRecord) -> Result<Arc<dyn Realm>, RealmFault> {
        plan(record).map(|_| Arc::new(Unmakeable) as Arc<dyn Realm>)
    }

    fn is_secret(&self, kind: &str, field: &str) -> bool {
        is_secret(kind, field)
    }

    fn is_destination(&self, kind: &str, field: &str) -> bool {
        is_destination(kind, field)
    }
}
