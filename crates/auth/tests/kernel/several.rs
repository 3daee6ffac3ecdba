//! What tests of several realms do with the house all the time: realms that come, logins by one or by a chain of them.

use std::sync::Arc;

use auth::trust::Authenticated;
use auth::{
    Change, KeyId, LoginRequest, Realm, RealmChoice, RealmName, RealmRecord, Reason, RoleName, User, UserId,
};
use testkit::suites::realms::{presented, username};
use testkit::suites::{FakeRealm, maker};

use crate::house::{HERE, House, PASSWORD, api_key, put_key, request, token, user, with_password};

/// The one realm that a client names.
pub(crate) fn named(realm: &str) -> RealmChoice {
    RealmChoice::Named(Box::from(realm))
}

/// The realms that a mount asks, in this order.
pub(crate) fn chain(realms: &[&str]) -> RealmChoice {
    RealmChoice::Chain(realms.iter().map(|name| RealmName::parse(name).unwrap()).collect())
}

/// The record of a realm that [`House::add`] put there.
pub(crate) fn record(name: &str) -> RealmRecord {
    RealmRecord { kind: Box::from(name), ..maker::record(name) }
}

pub(crate) fn put_realm(record: RealmRecord) -> Change {
    Change::PutRealm(Box::new(record))
}

/// A user of this realm who may nothing.
pub(crate) fn user_of(realm: &str, name: &str) -> User {
    User { id: id_of(realm, name), realm: RealmName::parse(realm).unwrap(), roles: Vec::new(), ..user(name) }
}

pub(crate) fn id_of(realm: &str, name: &str) -> UserId {
    UserId::of(&RealmName::parse(realm).unwrap(), &username(name))
}

pub(crate) fn why<T>(result: Result<T, Reason>) -> Reason {
    result.err().expect("nobody")
}

/// The names of roles.
pub(crate) fn names(roles: &[RoleName]) -> Vec<&str> {
    roles.iter().map(RoleName::as_str).collect()
}

impl House {
    /// Puts a realm there, of a type of its own.
    pub(crate) async fn add(&self, name: &str, realm: FakeRealm) -> Arc<FakeRealm> {
        let realm = Arc::new(realm);
        self.maker.put(name, Arc::clone(&realm) as Arc<dyn Realm>);
        self.make(vec![put_realm(record(name))]).await;
        realm
    }

    /// Puts realms there that know nobody.
    pub(crate) async fn add_all<const N: usize>(&self, names: [&str; N]) -> [Arc<FakeRealm>; N] {
        let mut added = Vec::new();
        for name in names {
            added.push(self.add(name, FakeRealm::default()).await);
        }
        added.try_into().ok().unwrap()
    }

    /// Switches a realm on or off that [`add`](Self::add) put there.
    pub(crate) async fn switch(&self, name: &str, enabled: bool) {
        self.make(vec![put_realm(RealmRecord { enabled, ..record(name) })]).await;
    }

    pub(crate) async fn login_by(
        &self,
        realm: &RealmChoice,
        name: &str,
        password: &str,
        number: u64,
    ) -> Result<(), Reason> {
        self.login_from(HERE, realm, name, password, number).await
    }

    pub(crate) async fn login_from(
        &self,
        address: &str,
        realm: &RealmChoice,
        name: &str,
        password: &str,
        number: u64,
    ) -> Result<(), Reason> {
        let request = LoginRequest { realm: realm.clone(), ..request(name, password, address) };
        self.kernel.login(&token(number), request).await.map(|_| ())
    }

    /// Logs in at this realm with everybody's password.
    pub(crate) async fn enter(&self, realm: &str, name: &str, number: u64) {
        let login = self.login_by(&named(realm), name, PASSWORD, number).await;
        assert_eq!(login, Ok(()), "{name} of {realm}");
    }

    pub(crate) async fn basic_by(
        &self,
        realm: &RealmChoice,
        name: &str,
        password: &str,
    ) -> Result<Authenticated, Reason> {
        let mut shown = with_password(name, password);
        let asked = shown.password.as_mut().unwrap();
        (asked.realm, asked.password) = (realm.clone(), presented(password));
        self.ask(shown).await
    }

    /// Whose session it is: his realm and his name.
    pub(crate) async fn whose(&self, number: u64) -> Result<String, Reason> {
        self.show(number).await.map(|known| said(&known))
    }

    /// A user's record as it is now.
    pub(crate) fn record_of(&self, realm: &str, name: &str) -> Option<User> {
        let snapshot = self.kernel.directory().present();
        snapshot.account(&id_of(realm, name)).map(|account| account.user.clone())
    }

    /// Makes the API key of this number for this user.
    pub(crate) async fn make_key(&self, number: u8, realm: &str, name: &str) {
        let created = self.kernel.clock().now();
        let key = auth::ApiKey { user: id_of(realm, name), created, ..api_key(number, name) };
        self.make(vec![put_key(key)]).await;
    }

    /// Takes the API key of this number back.
    pub(crate) async fn take_key(&self, number: u8) {
        self.make(vec![Change::DeleteKey(KeyId::from_random([number; 16]))]).await;
    }

    /// What was told of changes, but of the tests' own: operation and detail. Everything is forgotten.
    pub(crate) fn changes_told(&self) -> Vec<String> {
        let told = self.notebook.told().into_iter();
        let changed = told.filter(|entry| entry.event == "directory_changed");
        changed
            .map(|entry| {
                let field = |name: &str| entry.fields.get(name).map_or("", |value| &**value).to_owned();
                format!("{} {}", field("operation"), field("detail"))
            })
            .filter(|line| !line.starts_with("test.change"))
            .collect()
    }
}

/// Realm and name of somebody.
pub(crate) fn said(known: &Authenticated) -> String {
    let user = &known.account().user;
    format!("{}/{}", user.realm, user.username.shown())
}
