//! What these tests stand on: a directory with users whose passwords were hashed on a pool, and a kernel over it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use auth::directory::{Directory, RealmState, Snapshot};
use auth::login::{Remembered, Throttle, ThrottleLimits};
use auth::sessions::Sessions;
use auth::{
    Clock, DirectoryImage, DirectoryStore, Kernel, KernelParts, LoginRequest, Moment, Origin, PasswordHash,
    PasswordHasher, Realm, RealmName, Realms, Reason, Scope, SessionLimits, SessionStore, SessionToken, User,
    UserId,
};
use realm_native::{HashPool, HashSettings, NativeRealm, Tally};
use testkit::suites::realms::{KnownUser, presented, username};
use testkit::suites::{FixedClock, MemoryStore};

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
        password_version: 1,
        created: Moment::default(),
        updated: Moment::default(),
    }
}

fn directory(users: Vec<User>, store: &Arc<MemoryStore>) -> Arc<Directory> {
    let state = RealmState { kind: "native", enabled: true, roles: Vec::new() };
    let image = DirectoryImage { users, ..DirectoryImage::default() };
    let snapshot = Snapshot::new(image, Vec::new(), HashMap::from([(RealmName::native(), state)]));
    Arc::new(Directory::new(snapshot, Arc::clone(store) as Arc<dyn DirectoryStore>))
}

/// A realm that knows these users.
pub(crate) async fn realm_of(known: &[KnownUser]) -> NativeRealm {
    let pool = Arc::new(HashPool::start(CHEAP).unwrap());
    let mut users = Vec::new();
    for one in known {
        let hash = pool.hash(&presented(one.password).unwrap()).await.unwrap();
        users.push(user(one.name, Some(hash), one.enabled));
    }
    NativeRealm::new(RealmName::native(), directory(users, &Arc::default()), pool)
}

/// A kernel with the realm `native`.
pub(crate) struct House {
    pub(crate) pool: Arc<HashPool>,
    pub(crate) realm: Arc<NativeRealm>,
    pub(crate) kernel: Arc<Kernel>,
    pub(crate) clock: Arc<FixedClock>,
}

impl House {
    /// A kernel that hashes with `settings` and knows `users`.
    pub(crate) fn new(settings: HashSettings, users: Vec<User>) -> Self {
        let (clock, store) = (Arc::new(FixedClock::new()), Arc::new(MemoryStore::default()));
        let directory = directory(users, &store);
        let pool = Arc::new(HashPool::start(settings).unwrap());
        let realm =
            Arc::new(NativeRealm::new(RealmName::native(), Arc::clone(&directory), Arc::clone(&pool)));
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
            realms: Realms::new(vec![Arc::clone(&realm) as Arc<dyn Realm>]),
            throttle: Throttle::new(limits, Arc::clone(&clock_of_parts), Vec::new()),
            remembered: Remembered::new(&[7; 32]),
            random: |bytes| getrandom::fill(bytes).unwrap(),
            clock: clock_of_parts,
            witness: Arc::new(auth::Nobody),
        });
        Self { pool, realm, kernel: Arc::new(kernel), clock }
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
        realm: Box::from("native"),
        username: username(name),
        password: presented(password).unwrap(),
        scope: Scope::new("/api"),
        app: None,
        limits: SessionLimits {
            idle_timeout: Duration::from_secs(60),
            max_lifetime: Duration::from_secs(60),
        },
        max_sessions: None,
        origin: Origin::new(IpAddr::from([192, 0, 2, 1]), None),
        replaces: Vec::new(),
    };
    let token = SessionToken::from_text(&format!("token-{number}")).unwrap();
    kernel.login(&token, request).await.map(|_| ())
}
