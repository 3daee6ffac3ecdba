//! The house of these tests: a kernel of real parts over fake ends, and a signer with keys.

#![allow(dead_code, reason = "the example that measures shares this file")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::sync::Arc;
use std::time::Duration;

use auth::directory::{Directory, Snapshot};
use auth::login::{Guesses, Remembered, Throttle, ThrottleLimits};
use auth::sessions::Sessions;
use auth::trust::{Authenticated, Caller};
use auth::{
    ApiKey, Audience, Change, Clock, DirectoryStore, Kernel, KernelParts, KeyId, KeyText, LoginRequest,
    Moment, Origin, Presented, PresentedPassword, RealmChoice, RealmName, Role, RoleName, Rotation, Scope,
    SessionLimits, SessionStore, SessionToken, Signatory, SigningAlgorithm, User, UserId,
};
use signer::Signer;
use testkit::suites::realms::{presented, username};
use testkit::suites::{FakeMaker, FakeRealm, FixedClock, MemoryStore, maker};

/// What the tokens' `iss` is.
pub(crate) const ISSUER: &str = "https://gateway.example.com";
const PASSWORD: &str = "correct horse";
const HOUR: Duration = Duration::from_secs(3_600);

/// A kernel, and the signer of its directory.
pub(crate) struct House {
    pub(crate) clock: Arc<FixedClock>,
    pub(crate) kernel: Kernel,
    pub(crate) signer: Signer,
}

impl House {
    /// A house in which these live, with the role `reader`, and keys of this algorithm.
    pub(crate) async fn with(algorithm: SigningAlgorithm, names: &[&str]) -> Self {
        let clock = Arc::new(FixedClock::new());
        let signer = Signer::new(ISSUER, Arc::clone(&clock) as Arc<dyn Clock>);
        let store = Arc::new(MemoryStore::default());
        let realm = Arc::new(FakeRealm::default());
        let mut changes: Vec<Change> = ["reader", "editor"].map(|name| Change::PutRole(role(name))).into();
        for name in names {
            realm.put(name, PASSWORD, true);
            changes.push(Change::PutUser(Box::new(user(name))));
        }
        let mut native = maker::record("native");
        native.kind = Box::from("fake");
        changes.push(Change::PutRealm(Box::new(native)));
        let keys = signer.first_keys(algorithm, clock.now()).unwrap();
        changes.push(Change::PutKeyRing(Box::new(keys)));
        store.apply(changes).await.unwrap();
        let kernel = kernel(&clock, &store, realm).await;
        Self { clock, kernel, signer }
    }

    /// A house in which alice and bob live.
    pub(crate) async fn new() -> Self {
        Self::with(SigningAlgorithm::Es256, &["alice", "bob"]).await
    }

    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        self.kernel.directory().held()
    }

    /// Makes these changes.
    pub(crate) async fn make(&self, changes: Vec<Change>) {
        self.kernel.directory().amend(|_| Ok::<_, ()>((changes, ()))).await.unwrap();
    }

    /// Changes a user.
    pub(crate) async fn change(&self, name: &str, change: impl FnOnce(&mut User)) {
        let mut user = self.snapshot().account(&user(name).id).unwrap().user.clone();
        change(&mut user);
        self.make(vec![Change::PutUser(Box::new(user))]).await;
    }

    /// Rotates the keys, whenever that was done last.
    pub(crate) async fn rotate(&self) {
        let rotation = Rotation { algorithm: SigningAlgorithm::Es256, longest_life: HOUR, forced: true };
        let ring =
            self.snapshot().key_ring().map(|ring| self.signer.rotated(ring, rotation, self.clock.now()));
        self.make(vec![Change::PutKeyRing(Box::new(ring.unwrap().unwrap()))]).await;
    }

    /// Withdraws the key that signs.
    pub(crate) async fn withdraw(&self) {
        let snapshot = self.snapshot();
        let ring = snapshot.key_ring().unwrap();
        let id = &ring.current().id;
        let left = self.signer.withdrawn(ring, id, SigningAlgorithm::Es256, self.clock.now()).unwrap();
        self.make(vec![Change::PutKeyRing(Box::new(left.unwrap()))]).await;
    }

    /// Logs in with everybody's password; the session gets this number.
    pub(crate) async fn login(&self, name: &str, number: u64) {
        let request = LoginRequest {
            realm: RealmChoice::Named(Box::from("native")),
            username: username(name),
            password: presented(PASSWORD).unwrap(),
            scope: Scope::new("/api"),
            app: None,
            limits: SessionLimits { idle_timeout: HOUR, max_lifetime: 8 * HOUR },
            app_must_exist: false,
            cap: None,
            origin: Origin::new([192, 0, 2, 1].into(), None),
            replaces: Vec::new(),
        };
        let login = self.kernel.login(&token(number), request).await;
        assert!(login.is_ok(), "{:?}", login.err());
    }

    /// Who shows the session of this number.
    pub(crate) async fn by_session(&self, number: u64) -> Authenticated {
        self.show(Presented { session: Some(Some(token(number))), ..Presented::default() }).await
    }

    /// Who sends everybody's password along.
    pub(crate) async fn by_password(&self, name: &str) -> Authenticated {
        let password = PresentedPassword {
            realm: RealmChoice::Named(Box::from("native")),
            username: username(name),
            password: presented(PASSWORD),
        };
        self.show(Presented { password: Some(password), ..Presented::default() }).await
    }

    /// Who shows a key of this user, which is made for it.
    pub(crate) async fn by_key(&self, name: &str, number: u8) -> Authenticated {
        let text = KeyText::from_random(&[number; 32]);
        let key = ApiKey {
            id: KeyId::from_random([number; 16]),
            hash: text.hash(),
            name: String::new(),
            user: user(name).id,
            permissions: None,
            expires: None,
            created: self.clock.now(),
        };
        self.make(vec![Change::PutKey(Box::new(key))]).await;
        self.show(Presented { key: Some(Some(text)), ..Presented::default() }).await
    }

    async fn show(&self, presented: Presented) -> Authenticated {
        let here = [192, 0, 2, 1].into();
        let shown = self.kernel.authenticate(presented, &Scope::new("/api"), here, true).await;
        match shown.map(|admitted| admitted.caller) {
            Ok(Caller::Known(known)) => known,
            Ok(Caller::Anonymous) => panic!("nobody was asked who he is"),
            Err(reason) => panic!("{reason:?}"),
        }
    }

    /// The token of `known` for the usual audience.
    pub(crate) fn token(&self, known: &Authenticated) -> Arc<str> {
        self.token_for(known, &audience("https://search.internal", 60))
    }

    pub(crate) fn token_for(&self, known: &Authenticated, audience: &Audience) -> Arc<str> {
        self.signer.identity_token(known, &self.snapshot(), audience, self.clock.now()).unwrap()
    }
}

async fn kernel(clock: &Arc<FixedClock>, store: &Arc<MemoryStore>, realm: Arc<FakeRealm>) -> Kernel {
    let image = DirectoryStore::load(&**store).await.unwrap();
    let fakes = Arc::new(FakeMaker::of(realm));
    let snapshot = Snapshot::new(image, Vec::new(), maker::settings([]), &*fakes);
    let directory_store = Arc::clone(store) as Arc<dyn DirectoryStore>;
    let witness = Arc::new(auth::Nobody);
    let directory = Directory::new(snapshot, Arc::clone(&directory_store), fakes, witness);
    let clock = Arc::clone(clock) as Arc<dyn Clock>;
    let limits =
        ThrottleLimits { attempts_per_user: 10, attempts_per_address: 100, window: Duration::from_secs(300) };
    let sessions = Sessions::new(Arc::clone(store) as Arc<dyn SessionStore>, Arc::clone(&clock));
    Kernel::new(KernelParts {
        sessions: Arc::new(sessions),
        directory: Arc::new(directory),
        store: directory_store,
        guesses: Guesses::new(Arc::clone(&clock)),
        throttle: Throttle::new(limits, Arc::clone(&clock), Vec::new()),
        remembered: Remembered::new(&[7; 32]),
        random: |bytes| getrandom::fill(bytes).unwrap(),
        clock,
        witness: Arc::new(auth::Nobody),
    })
}

pub(crate) fn audience(name: &str, seconds: u64) -> Audience {
    Audience::new(name, Duration::from_secs(seconds)).unwrap()
}

pub(crate) fn role_name(name: &str) -> RoleName {
    RoleName::parse(name).unwrap()
}

pub(crate) fn role(name: &str) -> Role {
    Role {
        name: role_name(name),
        description: String::new(),
        permissions: Vec::new(),
        ui_permissions: Vec::new(),
        created: Moment::default(),
        updated: Moment::default(),
    }
}

pub(crate) fn user(name: &str) -> User {
    User {
        id: UserId::of(&RealmName::native(), &username(name)),
        realm: RealmName::native(),
        username: username(name),
        roles: vec![role_name("reader"), role_name("gone")],
        permissions: Vec::new(),
        enabled: true,
        password: None,
        vouched: auth::Vouched::default(),
        password_version: 1,
        created: Moment::default(),
        updated: Moment::default(),
    }
}

fn token(number: u64) -> SessionToken {
    SessionToken::from_text(&format!("token-{number}")).unwrap()
}
