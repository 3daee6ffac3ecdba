//! What these tests stand on: a directory with users whose passwords were hashed on a pool, and a kernel over it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use auth::directory::{Directory, Snapshot};
use auth::login::{Guesses, Remembered, Throttle, ThrottleLimits};
use auth::sessions::Sessions;
use auth::{
    Clock, DirectoryImage, DirectoryStore, Kernel, KernelParts, LoginRequest, Moment, Origin, PasswordHash,
    PasswordHasher, Realm, RealmName, Reason, Scope, SessionLimits, SessionStore, SessionToken, User, UserId,
    Verdict,
};
use realm_native::{HashPool, HashSettings, NativeRealm, Tally};
use testkit::suites::realms::{KnownUser, evidence, presented, username};
use testkit::suites::{FakeMaker, FixedClock, MemoryStore, maker};

/// Hashes that cost next to nothing.
pub(crate) const CHEAP: HashSettings =
    HashSettings { memory_kib: 16, passes: 2, lanes: 1, parallel: 4, queue: 1_024 };
/// Their work in KiB times passes.
pub(crate) const WORK: u64 = 32;

/// A hash of `password` made with these settings.
pub(crate) async fn hashed(settings: HashSettings, password: &str) -> PasswordHash {
    let pool = HashPool::start(settings).unwrap();
    pool.hash(&presented(password).unwrap()).await.unwrap()
}

pub(crate) fn user(name: &str, password: Option<PasswordHash>, enabled: bool) -> User {
    User {
        id: UserId::of(&RealmName::native(), &username(name)),
        realm: RealmName::native(),
        username: username(name),
        roles: Vec::new(),
        permissions: Vec::new(),
        enabled,
        password,
        vouched: auth::Vouched::default(),
        password_version: 1,
        created: Moment::default(),
        updated: Moment::default(),
    }
}

/// A realm, and a directory with these users in it.
pub(crate) async fn realm_of(known: &[KnownUser]) -> (NativeRealm, Arc<Snapshot>) {
    let pool = Arc::new(HashPool::start(CHEAP).unwrap());
    let mut users = Vec::new();
    for one in known {
        let hash = pool.hash(&presented(one.password).unwrap()).await.unwrap();
        users.push(user(one.name, Some(hash), one.enabled));
    }
    let image = DirectoryImage { users, ..DirectoryImage::default() };
    let directory = maker::snapshot(image, HashMap::new());
    (NativeRealm::new(RealmName::native(), pool), Arc::new(directory))
}

/// A kernel with the realm `native`.
pub(crate) struct House {
    pub(crate) pool: Arc<HashPool>,
    pub(crate) kernel: Arc<Kernel>,
    pub(crate) clock: Arc<FixedClock>,
}

impl House {
    /// A kernel that hashes with `settings` and knows `users`.
    pub(crate) fn new(settings: HashSettings, users: Vec<User>) -> Self {
        let (clock, store) = (Arc::new(FixedClock::new()), Arc::new(MemoryStore::default()));
        let pool = Arc::new(HashPool::start(settings).unwrap());
        let realm: Arc<dyn Realm> = Arc::new(NativeRealm::new(RealmName::native(), Arc::clone(&pool)));
        let image = DirectoryImage { users, ..DirectoryImage::default() };
        let in_settings = maker::settings([maker::state("native", Arc::clone(&realm))]);
        let directory = Arc::new(Directory::new(
            maker::snapshot(image, in_settings),
            Arc::clone(&store) as Arc<dyn DirectoryStore>,
            Arc::new(FakeMaker::of(realm)),
            Arc::new(auth::Nobody),
        ));
        let limits = ThrottleLimits {
            attempts_per_user: 10,
            attempts_per_address: 100,
            window: Duration::from_secs(300),
        };
        let clock_of_parts = Arc::clone(&clock) as Arc<dyn Clock>;
        let kernel = Kernel::new(KernelParts {
            sessions: Arc::new(Sessions::new(
                Arc::clone(&store) as Arc<dyn SessionStore>,
                Arc::clone(&clock_of_parts),
            )),
            directory,
            store: Arc::clone(&store) as Arc<dyn DirectoryStore>,
            throttle: Throttle::new(limits, Arc::clone(&clock_of_parts), Vec::new()),
            guesses: Guesses::new(Arc::clone(&clock_of_parts)),
            remembered: Remembered::new(&[7; 32]),
            random: |bytes| getrandom::fill(bytes).unwrap(),
            clock: clock_of_parts,
            witness: Arc::new(auth::Nobody),
        });
        Self { pool, kernel: Arc::new(kernel), clock }
    }

    /// What the realm `native` says of this name and password.
    pub(crate) async fn verify(&self, name: &str, password: &str) -> Verdict {
        let directory = self.kernel.directory().held();
        directory.realm("native").unwrap().realm.verify(&evidence(name, password), &directory).await
    }

    /// What the pool did during `work`.
    pub(crate) async fn spent<T>(&self, work: impl Future<Output = T>) -> (T, Tally) {
        let before = self.pool.tally();
        let done = work.await;
        let after = self.pool.tally();
        let spent = Tally {
            hashes: after.hashes - before.hashes,
            kib_passes: after.kib_passes - before.kib_passes,
            ..after
        };
        (done, spent)
    }

    pub(crate) async fn login(&self, name: &str, password: &str, number: usize) -> Result<(), Reason> {
        login(&self.kernel, name, password, number).await
    }

    pub(crate) fn stored(&self, name: &str) -> User {
        self.kernel.directory().present().account(&user(name, None, true).id).unwrap().user.clone()
    }
}

pub(crate) async fn login(kernel: &Kernel, name: &str, password: &str, number: usize) -> Result<(), Reason> {
    let request = LoginRequest {
        realm: auth::RealmChoice::Named(Box::from("native")),
        username: username(name),
        password: presented(password).unwrap(),
        scope: Scope::new("/api"),
        app: None,
        limits: SessionLimits {
            idle_timeout: Duration::from_secs(60),
            max_lifetime: Duration::from_secs(60),
        },
        app_must_exist: false,
        cap: None,
        origin: Origin::new(IpAddr::from([192, 0, 2, 1]), None),
        replaces: Vec::new(),
    };
    let token = SessionToken::from_text(&format!("token-{number}")).unwrap();
    kernel.login(&token, request).await.map(|_| ())
}
