//! The house of these tests: a kernel of real parts over fake ends, and what tests do with it all the time.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use auth::directory::{Directory, RealmState, Snapshot};
use auth::login::{Guesses, Remembered, Throttle, ThrottleLimits};
use auth::permission::{Matrix, Method, Permission};
use auth::sessions::Sessions;
use auth::trust::{Action, Asked, Authenticated, Authorized, Caller, Demand};
use auth::{
    ApiKey, Change, Clock, DirectoryStore, Event, Kernel, KernelParts, KeyId, KeyText, LoggedIn,
    LoginRequest, Moment, Origin, Presented, PresentedPassword, Realm, RealmName, Reason, Role, RoleName,
    Scope, SessionLimits, SessionRecord, SessionStore, SessionToken, User, UserId,
};
use testkit::suites::realms::{presented, username};
use testkit::suites::{FakeMaker, FakeRealm, FixedClock, MemoryStore, maker};

use crate::ends::{HeldStore, Notebook};

/// Where requests come from unless a test says otherwise.
pub(crate) const HERE: &str = "192.0.2.1";
/// Everybody's idle timeout.
pub(crate) const IDLE: Duration = Duration::from_secs(30 * 60);
/// Everybody's maximum.
pub(crate) const MAXIMUM: Duration = Duration::from_secs(8 * 60 * 60);
/// Everybody's password.
pub(crate) const PASSWORD: &str = "correct horse";
/// The throttle's window.
pub(crate) const WINDOW: Duration = Duration::from_secs(300);
/// The throttle's limit for one user.
pub(crate) const ATTEMPTS: u32 = 10;

/// A kernel and what it stands on.
pub(crate) struct House {
    pub(crate) clock: Arc<FixedClock>,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) held: Arc<HeldStore>,
    pub(crate) realm: Arc<FakeRealm>,
    pub(crate) maker: Arc<FakeMaker>,
    pub(crate) kernel: Arc<Kernel>,
    pub(crate) notebook: Arc<Notebook>,
}

impl House {
    /// A house in which alice and bob live, with the role `reader`.
    pub(crate) async fn new() -> Self {
        let store = Arc::new(MemoryStore::default());
        let reader = Role {
            name: role("reader"),
            description: String::new(),
            permissions: vec![permission("GET:/books/**")],
            ui_permissions: Vec::new(),
            created: Moment::default(),
            updated: Moment::default(),
        };
        let changes = vec![Change::PutRole(reader), put(user("alice")), put(user("bob"))];
        store.apply(changes).await.unwrap();
        let realm = Arc::new(FakeRealm::default());
        realm.put("alice", PASSWORD, true);
        realm.put("bob", PASSWORD, true);
        let maker = Arc::new(FakeMaker::default());
        maker.put("fake", Arc::clone(&realm) as Arc<dyn Realm>);
        Self::over(Arc::new(FixedClock::new()), store, realm, maker).await
    }

    /// The same house after its process died and was started again.
    pub(crate) async fn restarted(&self) -> Self {
        let (clock, store) = (Arc::clone(&self.clock), Arc::clone(&self.store));
        Self::over(clock, store, Arc::clone(&self.realm), Arc::clone(&self.maker)).await
    }

    async fn over(
        clock: Arc<FixedClock>,
        store: Arc<MemoryStore>,
        realm: Arc<FakeRealm>,
        maker: Arc<FakeMaker>,
    ) -> Self {
        let image = DirectoryStore::load(&*store).await.unwrap();
        let attempts = store.load_attempts().await.unwrap();
        let snapshot = Snapshot::new(image, Vec::new(), realms(&realm, true), &*maker);
        let notebook = Arc::new(Notebook::default());
        let held = Arc::new(HeldStore::new(Arc::clone(&store), Arc::clone(&notebook)));
        let clock_of_parts: Arc<dyn Clock> = Arc::clone(&clock) as Arc<dyn Clock>;
        let keeper = Sessions::new(Arc::clone(&held) as Arc<dyn SessionStore>, Arc::clone(&clock_of_parts));
        keeper.load().await.unwrap();
        let limits =
            ThrottleLimits { attempts_per_user: ATTEMPTS, attempts_per_address: 100, window: WINDOW };
        let kernel = Kernel::new(KernelParts {
            sessions: Arc::new(keeper),
            directory: Arc::new(Directory::new(
                snapshot,
                Arc::clone(&held) as Arc<dyn DirectoryStore>,
                Arc::clone(&maker) as Arc<dyn auth::RealmMaker>,
                Arc::clone(&notebook) as Arc<dyn auth::Witness>,
            )),
            store: Arc::clone(&held) as Arc<dyn DirectoryStore>,
            guesses: Guesses::new(Arc::clone(&clock_of_parts)),
            throttle: Throttle::new(limits, Arc::clone(&clock_of_parts), attempts),
            remembered: Remembered::new(&[7; 32]),
            random: |bytes| getrandom::fill(bytes).unwrap(),
            clock: clock_of_parts,
            witness: Arc::clone(&notebook) as Arc<dyn auth::Witness>,
        });
        Self { clock, store, held, realm, maker, kernel: Arc::new(kernel), notebook }
    }

    /// Logs in with everybody's password.
    pub(crate) async fn login(&self, name: &str, number: u64) -> LoggedIn {
        self.try_login(name, PASSWORD, number).await.map_err(|reason| format!("{name}: {reason:?}")).unwrap()
    }

    pub(crate) async fn try_login(
        &self,
        name: &str,
        password: &str,
        number: u64,
    ) -> Result<LoggedIn, Reason> {
        self.kernel.login(&token(number), request(name, password, HERE)).await
    }

    /// Fails to log in from `address`; why.
    pub(crate) async fn fail(&self, name: &str, address: &str) -> Reason {
        let login = self.kernel.login(&token(999), request(name, "wrong", address)).await;
        login.err().expect("a wrong password is wrong")
    }

    /// Who shows the token of this number, as activity.
    pub(crate) async fn show(&self, number: u64) -> Result<Authenticated, Reason> {
        self.ask(with_session(number)).await
    }

    /// Who sends this Basic credential.
    pub(crate) async fn basic(&self, name: &str, password: &str) -> Result<Authenticated, Reason> {
        self.ask(with_password(name, password)).await
    }

    /// Who shows the API key of this number.
    pub(crate) async fn show_key(&self, number: u8) -> Result<Authenticated, Reason> {
        self.ask(with_key(number)).await
    }

    pub(crate) async fn ask(&self, presented: Presented) -> Result<Authenticated, Reason> {
        let here = HERE.parse().unwrap();
        match self.kernel.authenticate(presented, &scope(), here, true).await?.caller {
            Caller::Known(known) => Ok(known),
            Caller::Anonymous => panic!("nobody was asked who he is and came out anonymous"),
        }
    }

    /// Changes a user as an operation would.
    pub(crate) async fn change(&self, name: &str, change: impl FnOnce(&mut User)) {
        let id = user(name).id;
        let changed = self.kernel.directory().change(|snapshot| {
            let mut user = snapshot.account(&id).unwrap().user.clone();
            change(&mut user);
            Ok::<_, ()>(noted(vec![put(user)]))
        });
        changed.await.unwrap();
    }

    /// Makes these changes as an operation would.
    pub(crate) async fn make(&self, changes: Vec<Change>) {
        self.kernel.directory().change(|_| Ok::<_, ()>(noted(changes))).await.unwrap();
    }

    /// Puts these realms in force, as newly read settings would.
    pub(crate) async fn set(&self, settings: HashMap<RealmName, RealmState>) {
        self.kernel.directory().replace_settings(settings).await;
    }

    /// Sets a new password as an operation would: the realm knows it, and its version rises.
    pub(crate) async fn set_password(&self, name: &str, password: &str) {
        self.realm.put(name, password, true);
        self.change(name, |user| user.password_version += 1).await;
    }

    /// Whether `known` may `GET` this path now.
    pub(crate) fn may(&self, known: Authenticated, path: &'static str) -> Result<(), Reason> {
        let snapshot = self.kernel.directory().present();
        Authorized::judge(&snapshot, Caller::Known(known), Read(path)).map(|_| ())
    }

    /// The session's record on disk.
    pub(crate) async fn on_disk(&self, number: u64) -> Option<SessionRecord> {
        self.store.find(token(number).hash()).await.unwrap()
    }
}

/// Reads a path below the mount.
pub(crate) struct Read(pub(crate) &'static str);

impl Action for Read {
    fn name(&self) -> &'static str {
        "read"
    }

    fn demand(&self) -> Demand<'_> {
        Demand::Permission(Asked { method: Method::Get, path: self.0, matrix: Matrix::Strict })
    }

    fn client(&self) -> IpAddr {
        ip(HERE)
    }
}

/// Asks for something of one's own.
pub(crate) struct Own(pub(crate) &'static str);

impl Action for Own {
    fn name(&self) -> &'static str {
        "own"
    }

    fn demand(&self) -> Demand<'_> {
        Demand::Login(Asked { method: Method::Get, path: self.0, matrix: Matrix::Strict })
    }

    fn client(&self) -> IpAddr {
        ip(HERE)
    }
}

/// The settings of a house: its realm `native`.
pub(crate) fn realms(realm: &Arc<FakeRealm>, enabled: bool) -> HashMap<RealmName, RealmState> {
    let mut native = maker::state("native", Arc::clone(realm) as Arc<dyn Realm>);
    native.record.enabled = enabled;
    maker::settings([native])
}

/// These changes, with an event that says so.
pub(crate) fn noted(changes: Vec<Change>) -> (Vec<Change>, Event, ()) {
    let (subject, detail) = (Box::from("somebody"), Box::default());
    (
        changes,
        Event::DirectoryChanged { by: None, address: None, operation: "test.change", subject, detail },
        (),
    )
}

pub(crate) fn put(user: User) -> Change {
    Change::PutUser(Box::new(user))
}

pub(crate) fn role(name: &str) -> RoleName {
    RoleName::parse(name).unwrap()
}

pub(crate) fn permission(text: &str) -> Permission {
    text.parse().unwrap()
}

pub(crate) fn user(name: &str) -> User {
    User {
        id: UserId::of(&RealmName::native(), &username(name)),
        realm: RealmName::native(),
        username: username(name),
        roles: vec![role("reader")],
        permissions: Vec::new(),
        enabled: true,
        password: None,
        vouched: auth::Vouched::default(),
        password_version: 1,
        created: Moment::default(),
        updated: Moment::default(),
    }
}

pub(crate) fn scope() -> Scope {
    Scope::new("/api")
}

pub(crate) fn token(number: u64) -> SessionToken {
    SessionToken::from_text(&format!("token-{number}")).unwrap()
}

/// The text of the API key of this number.
pub(crate) fn key(number: u8) -> KeyText {
    KeyText::from_random(&[number; 32])
}

/// The key of this number, which may all that `name` may, for ever.
pub(crate) fn api_key(number: u8, name: &str) -> ApiKey {
    ApiKey {
        id: KeyId::from_random([number; 16]),
        hash: key(number).hash(),
        name: String::new(),
        user: user(name).id,
        permissions: None,
        expires: None,
        created: testkit::suites::clock::START,
    }
}

pub(crate) fn put_key(key: ApiKey) -> Change {
    Change::PutKey(Box::new(key))
}

pub(crate) fn with_key(number: u8) -> Presented {
    Presented { key: Some(Some(key(number))), ..Presented::default() }
}

pub(crate) fn request(name: &str, password: &str, address: &str) -> LoginRequest {
    LoginRequest {
        realm: auth::RealmChoice::Named(Box::from("native")),
        username: username(name),
        password: presented(password).unwrap(),
        scope: scope(),
        app: None,
        limits: SessionLimits { idle_timeout: IDLE, max_lifetime: MAXIMUM },
        app_must_exist: false,
        cap: None,
        origin: Origin::new(ip(address), None),
        replaces: Vec::new(),
    }
}

pub(crate) fn ip(address: &str) -> IpAddr {
    address.parse().unwrap()
}

pub(crate) fn with_session(number: u64) -> Presented {
    Presented { session: Some(Some(token(number))), ..Presented::default() }
}

pub(crate) fn with_password(name: &str, password: &str) -> Presented {
    let shown = PresentedPassword {
        realm: auth::RealmChoice::Named(Box::from("native")),
        username: username(name),
        password: presented(password),
    };
    Presented { password: Some(shown), ..Presented::default() }
}
