//! What every test here needs: the settings of a realm in front of a test's servers, the realm, and its verdicts in short.
//!
//! Called by the other files. Must never decide what a verdict should be.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use auth::directory::Snapshot;
use auth::{DirectoryImage, Realm, RealmName, Rejection, RoleName, Verdict, Verified};
use realm_ldap::LdapRealm;
use serde_json::{Value, json};
use testkit::ldap::Slapd;
use testkit::suites::realms::evidence;
use testkit::suites::{FixedClock, maker};
use tokio::runtime::Handle;

/// A realm, and the hand on its clock.
pub(crate) struct House {
    /// The realm under test.
    pub(crate) realm: LdapRealm,
    /// Its time.
    pub(crate) clock: Arc<FixedClock>,
    directory: Snapshot,
}

impl House {
    /// A realm of this config, driven by the runtime of the test.
    pub(crate) fn of(config: &Value) -> Self {
        let settings = realm_ldap::parse(&config.to_string()).unwrap_or_else(|fault| panic!("{fault}"));
        let clock = Arc::new(FixedClock::new());
        let name = RealmName::parse("corp").unwrap();
        let realm = LdapRealm::new(name, settings, Handle::current(), Arc::clone(&clock) as _);
        Self { realm, clock, directory: nobody() }
    }

    /// The verdict on a name and a password.
    pub(crate) async fn verify(&self, name: &str, password: &str) -> Verdict {
        self.realm.verify(&evidence(name, password), &self.directory).await
    }

    /// The verdict, in short: the name of who was let in, the rejection, or what else.
    pub(crate) async fn says(&self, name: &str, password: &str) -> String {
        said(self.verify(name, password).await)
    }

    /// Whom it vouched for.
    pub(crate) async fn lets_in(&self, name: &str, password: &str) -> Verified {
        match self.verify(name, password).await {
            Verdict::Verified(verified) => verified,
            other => panic!("{other:?} for {name}"),
        }
    }

    /// His roles, in one text.
    pub(crate) async fn roles(&self, name: &str, password: &str) -> String {
        roles(&self.lets_in(name, password).await)
    }

    /// Why nobody could tell, and how long it took to say so.
    pub(crate) async fn unavailable(&self, name: &str, password: &str) -> (String, Duration) {
        let began = Instant::now();
        match self.verify(name, password).await {
            Verdict::Unavailable(why) => (why.0.into_owned(), began.elapsed()),
            other => panic!("{other:?} for {name}"),
        }
    }
}

/// A verdict in one text.
pub(crate) fn said(verdict: Verdict) -> String {
    match verdict {
        Verdict::Verified(verified) => verified.username.shown().to_owned(),
        Verdict::Rejected(rejection) | Verdict::RejectedAs(_, rejection) => format!("{rejection:?}"),
        Verdict::Unavailable(why) => format!("Unavailable: {}", why.0),
        other => format!("{other:?}"),
    }
}

/// What a rejection is in [`House::says`].
pub(crate) fn rejected(rejection: Rejection) -> String {
    format!("{rejection:?}")
}

/// Roles in one text.
pub(crate) fn roles(verified: &Verified) -> String {
    verified.roles.iter().map(RoleName::as_str).collect::<Vec<_>>().join(" ")
}

/// A directory with nobody in it: this realm asks its own.
pub(crate) fn nobody() -> Snapshot {
    maker::snapshot(DirectoryImage::default(), HashMap::new())
}

/// How long a realm waits where the test is not about waiting: a machine that is busy elsewhere changes no verdict.
fn patient(config: Value) -> Value {
    with(config, json!({ "connectTimeout": "10s", "timeout": "20s", "poolWait": "10s" }))
}

/// Search-then-bind by the service account at these ports of 127.0.0.1, with nothing but a name.
pub(crate) fn by_search(ports: &[u16]) -> Value {
    let hosts: Vec<_> = ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
    patient(json!({
        "host": hosts,
        "login": {
            "searchBase": Slapd::PEOPLE,
            "bindDn": Slapd::SERVICE_DN,
            "bindPassword": Slapd::SERVICE_PASSWORD,
        },
        "attributes": {},
    }))
}

/// A direct bind at this port of 127.0.0.1.
pub(crate) fn by_template(port: u16) -> Value {
    patient(json!({
        "host": format!("127.0.0.1:{port}"),
        "login": { "bindDnTemplate": Slapd::USER_TEMPLATE },
        "attributes": {},
    }))
}

/// The config with these fields instead; nested objects are merged.
pub(crate) fn with(mut config: Value, other: Value) -> Value {
    merge(&mut config, other);
    config
}

fn merge(config: &mut Value, other: Value) {
    match (config, other) {
        (Value::Object(fields), Value::Object(others)) => {
            for (key, value) in others {
                merge(fields.entry(key).or_insert(Value::Null), value);
            }
        }
        (config, other) => *config = other,
    }
}

/// Waits until it is so.
///
/// # Panics
/// If it is not within [`testkit::PATIENCE`].
pub(crate) async fn eventually(is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < testkit::PATIENCE, "it did not come to that");
        tokio::task::yield_now().await;
    }
}
