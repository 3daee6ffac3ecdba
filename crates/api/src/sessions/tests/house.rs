//! A kernel over fake ends, and callers with permits: what the tests of these operations stand on.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use auth::directory::{Directory, Snapshot};
use auth::login::{Guesses, Remembered, Throttle, ThrottleLimits};
use auth::sessions::{Session, Sessions};
use auth::trust::{Action, Authorized, Caller, Demand, Permit};
use auth::{
    AppName, AuditEntry, Change, Clock, DirectoryStore, Event, Kernel, KernelParts, LoginRequest, Moment,
    Origin, Password, PasswordHash, PasswordHasher, Pending, Presented, PresentedPassword, RealmName, Scope,
    SessionLimits, SessionStore, SessionToken, Unavailability, User, UserId, Witness,
};
use testkit::suites::realms::{presented, username};
use testkit::suites::{FakeMaker, FakeRealm, FixedClock, MemoryStore, maker};

use crate::services::Services;
use crate::signing_keys::tests::FakeSignatory;

/// Everybody's password.
pub(crate) const PASSWORD: &str = "correct horse";
/// Where requests come from.
pub(crate) const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
/// The scope of every session that names no other.
pub(crate) const API: &str = "/api";

/// Services and what they stand on.
pub(crate) struct House {
    pub(crate) clock: Arc<FixedClock>,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) services: Services,
    /// What makes realms over the API.
    pub(crate) maker: Arc<FakeMaker>,
    /// Whom everything was told.
    pub(crate) told: Arc<Told>,
}

/// A witness who remembers.
#[derive(Default)]
pub(crate) struct Told(Mutex<Vec<AuditEntry>>);

impl Told {
    /// What the lines of this event say under these names, in the order in which they were told.
    pub(crate) fn lines<const N: usize>(&self, event: &str, names: [&str; N]) -> Vec<[String; N]> {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = entries.iter().filter(|entry| entry.event == event);
        lines
            .map(|line| names.map(|name| line.fields.get(name).map_or_else(String::new, ToString::to_string)))
            .collect()
    }
}

impl Witness for Told {
    fn note(&self, event: &Event) {
        let entry = event.entry(Moment::default());
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
    }
}

impl House {
    /// A house in which alice and bob live.
    pub(crate) async fn new() -> Self {
        let store = Arc::new(MemoryStore::default());
        let realm = Arc::new(FakeRealm::default());
        for name in ["alice", "bob"] {
            realm.put(name, PASSWORD, true);
            store.apply(vec![Change::PutUser(Box::new(user(name)))]).await.unwrap();
        }
        let clock = Arc::new(FixedClock::new());
        let (maker, told) = (Arc::new(FakeMaker::default()), Arc::new(Told::default()));
        let kernel = kernel(&clock, &store, realm, &maker, &told).await;
        let services = Services {
            kernel: Arc::new(kernel),
            hasher: Arc::new(NoHasher),
            passwords: Arc::default(),
            signatory: Arc::new(FakeSignatory::default()),
            audit: Arc::clone(&store) as _,
            started: clock.now(),
            version: "test",
        };
        Self { clock, store, services, maker, told }
    }

    /// A session of this user.
    pub(crate) async fn login(&self, name: &str, number: u64) -> Arc<Session> {
        self.login_as(name, number, |_| {}).await
    }

    /// A session of this user whose login `tells` something else than most.
    pub(crate) async fn login_as(
        &self,
        name: &str,
        number: u64,
        tell: impl FnOnce(&mut LoginRequest),
    ) -> Arc<Session> {
        let hour = Duration::from_secs(3_600);
        let mut request = LoginRequest {
            realm: auth::RealmChoice::Named(Box::from("native")),
            username: username(name),
            password: presented(PASSWORD).unwrap(),
            scope: Scope::new(API),
            app: None,
            limits: SessionLimits { idle_timeout: hour, max_lifetime: 8 * hour },
            app_must_exist: false,
            cap: None,
            origin: Origin::new(HERE, None),
            replaces: Vec::new(),
        };
        tell(&mut request);
        let login = self.services.kernel.login(&token(number), request).await;
        login.map_err(|reason| format!("{reason:?}")).unwrap().session
    }

    /// The permit of whoever shows the session of this number, without that being activity.
    pub(crate) async fn permit(&self, number: u64, operation: &'static str) -> Permit {
        let shown = Presented { session: Some(Some(token(number))), ..Presented::default() };
        self.permit_by(shown, operation).await
    }

    /// The permit of whoever sends his password along.
    pub(crate) async fn permit_by_password(&self, name: &str, operation: &'static str) -> Permit {
        let password = PresentedPassword {
            realm: auth::RealmChoice::Named(Box::from("native")),
            username: username(name),
            password: presented(PASSWORD),
        };
        self.permit_by(Presented { password: Some(password), ..Presented::default() }, operation).await
    }

    /// The permit of whoever shows this.
    pub(crate) async fn permit_by(&self, shown: Presented, operation: &'static str) -> Permit {
        let kernel = &self.services.kernel;
        let admitted =
            kernel.authenticate(shown, &Scope::new(API), HERE, false).await.unwrap_or_else(|reason| {
                panic!("nobody: {reason:?}");
            });
        spent(&kernel.directory().present(), admitted.caller, operation)
    }

    /// The permit of nobody in particular.
    pub(crate) fn permit_of_nobody(&self, operation: &'static str) -> Permit {
        spent(&self.services.kernel.directory().present(), Caller::Anonymous, operation)
    }

    /// Whether the session of this number is live, in memory and on disk.
    pub(crate) async fn is_live(&self, number: u64) -> bool {
        let hash = token(number).hash();
        let session = self.services.kernel.sessions().table().find(&hash).unwrap();
        let live = session.ended(self.clock.now()).is_none();
        assert_eq!(self.store.find(hash).await.unwrap().unwrap().ended.is_none(), live);
        live
    }
}

async fn kernel(
    clock: &Arc<FixedClock>,
    store: &Arc<MemoryStore>,
    realm: Arc<FakeRealm>,
    maker: &Arc<FakeMaker>,
    told: &Arc<Told>,
) -> Kernel {
    let image = DirectoryStore::load(&**store).await.unwrap();
    maker.put("fake", Arc::clone(&realm) as Arc<dyn auth::Realm>);
    let snapshot = maker::snapshot(image, maker::settings([maker::state("native", realm)]));
    let directory = Arc::clone(store) as Arc<dyn DirectoryStore>;
    let maker = Arc::clone(maker) as Arc<dyn auth::RealmMaker>;
    let directory = Directory::new(snapshot, directory, maker, Arc::clone(told) as Arc<dyn Witness>);
    let clock = Arc::clone(clock) as Arc<dyn Clock>;
    let limits =
        ThrottleLimits { attempts_per_user: 10, attempts_per_address: 100, window: Duration::from_secs(300) };
    let sessions = Sessions::new(Arc::clone(store) as Arc<dyn SessionStore>, Arc::clone(&clock));
    Kernel::new(KernelParts {
        sessions: Arc::new(sessions),
        directory: Arc::new(directory),
        store: Arc::clone(store) as Arc<dyn DirectoryStore>,
        throttle: Throttle::new(limits, Arc::clone(&clock), Vec::new()),
        guesses: Guesses::new(Arc::clone(&clock)),
        remembered: Remembered::new(&[7; 32]),
        random: |bytes| getrandom::fill(bytes).unwrap(),
        clock,
        witness: Arc::clone(told) as Arc<dyn Witness>,
    })
}

fn spent(snapshot: &Snapshot, caller: Caller, operation: &'static str) -> Permit {
    Authorized::judge(snapshot, caller, Operation(operation)).map_err(|_| "refused").unwrap().spend().1
}

/// An operation that everybody may ask for.
struct Operation(&'static str);

impl Action for Operation {
    fn name(&self) -> &'static str {
        self.0
    }

    fn demand(&self) -> Demand<'_> {
        Demand::Public
    }

    fn client(&self) -> IpAddr {
        HERE
    }
}

/// Nothing here sets a password.
struct NoHasher;

impl PasswordHasher for NoHasher {
    fn hash<'a>(&'a self, _: &'a Password) -> Pending<'a, Result<PasswordHash, Unavailability>> {
        Box::pin(async { Err(Unavailability("no hashes here".into())) })
    }
}

pub(crate) fn token(number: u64) -> SessionToken {
    SessionToken::from_text(&format!("token-{number}")).unwrap()
}

pub(crate) fn app(name: &str) -> AppName {
    AppName::parse(name).unwrap()
}

pub(crate) fn user(name: &str) -> User {
    User {
        id: UserId::of(&RealmName::native(), &username(name)),
        realm: RealmName::native(),
        username: username(name),
        roles: Vec::new(),
        permissions: Vec::new(),
        enabled: true,
        password: None,
        vouched: auth::Vouched::default(),
        password_version: 1,
        created: Moment::default(),
        updated: Moment::default(),
    }
}
