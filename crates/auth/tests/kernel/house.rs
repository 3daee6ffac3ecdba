//! The house of these tests: a kernel of real parts over fake ends, and what tests do with it all the time.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use auth::directory::{Directory, RealmState, Snapshot};
use auth::login::{Remembered, Throttle, ThrottleLimits};
use auth::permission::{Matrix, Method, Permission};
use auth::sessions::Sessions;
use auth::trust::{Action, Authenticated, Authorized, Caller, Demand};
use auth::{
    Change, Clock, DirectoryStore, Ended, Kernel, KernelParts, LoggedIn, LoginRequest, Moment, Origin,
    Pending, Presented, PresentedPassword, Realm, RealmName, Realms, Reason, Role, RoleName, Scope,
    SessionLimits, SessionRecord, SessionStore, SessionToken, StoreError, TokenHash, User, UserId,
};
use testkit::suites::realms::{presented, username};
use testkit::suites::{FakeRealm, FixedClock, MemoryStore};
use tokio::sync::watch;

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
    pub(crate) sessions: Arc<HeldStore>,
    pub(crate) realm: Arc<FakeRealm>,
    pub(crate) kernel: Arc<Kernel>,
    pub(crate) notebook: Arc<Notebook>,
}

/// A witness who remembers the refused credentials: realm, name, reason.
#[derive(Default)]
pub(crate) struct Notebook(std::sync::Mutex<Vec<String>>);

impl Notebook {
    /// What he noted, which he forgets.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl auth::Witness for Notebook {
    fn note(&self, event: auth::Event) {
        if let auth::Event::LoginFailed { realm, username, address, reason_id } = event {
            self.0.lock().unwrap().push(format!("{realm} {username} {address} {reason_id}"));
        }
    }
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
        let realm = Arc::new(FakeRealm::new("native"));
        realm.put("alice", PASSWORD, true);
        realm.put("bob", PASSWORD, true);
        Self::over(Arc::new(FixedClock::new()), store, realm).await
    }

    /// The same house after its process died and was started again.
    pub(crate) async fn restarted(&self) -> Self {
        Self::over(Arc::clone(&self.clock), Arc::clone(&self.store), Arc::clone(&self.realm)).await
    }

    async fn over(clock: Arc<FixedClock>, store: Arc<MemoryStore>, realm: Arc<FakeRealm>) -> Self {
        let image = DirectoryStore::load(&*store).await.unwrap();
        let attempts = store.load_attempts().await.unwrap();
        let snapshot = Snapshot::new(image, Vec::new(), realms(true));
        let held = Arc::new(HeldStore { inner: Arc::clone(&store), open: watch::Sender::new(true) });
        let clock_of_parts: Arc<dyn Clock> = Arc::clone(&clock) as Arc<dyn Clock>;
        let keeper = Sessions::new(Arc::clone(&held) as Arc<dyn SessionStore>, Arc::clone(&clock_of_parts));
        keeper.load().await.unwrap();
        let notebook = Arc::new(Notebook::default());
        let limits =
            ThrottleLimits { attempts_per_user: ATTEMPTS, attempts_per_address: 100, window: WINDOW };
        let kernel = Kernel::new(KernelParts {
            sessions: Arc::new(keeper),
            directory: Arc::new(Directory::new(snapshot, Arc::clone(&store) as Arc<dyn DirectoryStore>)),
            store: Arc::clone(&store) as Arc<dyn DirectoryStore>,
            realms: Realms::new(vec![Arc::clone(&realm) as Arc<dyn Realm>]),
            throttle: Throttle::new(limits, Arc::clone(&clock_of_parts), attempts),
            remembered: Remembered::new(&[7; 32]),
            random: |bytes| getrandom::fill(bytes).unwrap(),
            clock: clock_of_parts,
            witness: Arc::clone(&notebook) as Arc<dyn auth::Witness>,
        });
        Self { clock, store, sessions: held, realm, kernel: Arc::new(kernel), notebook }
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

    pub(crate) async fn ask(&self, presented: Presented) -> Result<Authenticated, Reason> {
        let here = HERE.parse().unwrap();
        match self.kernel.authenticate(presented, &scope(), here, true).await? {
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
            Ok::<_, ()>((vec![put(user)], ()))
        });
        changed.await.unwrap();
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
        Demand::Permission { method: Method::Get, path: self.0, matrix: Matrix::Strict }
    }
}

pub(crate) fn realms(enabled: bool) -> HashMap<RealmName, RealmState> {
    HashMap::from([(RealmName::native(), RealmState { kind: "fake", enabled, roles: Vec::new() })])
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

pub(crate) fn request(name: &str, password: &str, address: &str) -> LoginRequest {
    LoginRequest {
        realm: Box::from("native"),
        username: username(name),
        password: presented(password).unwrap(),
        scope: scope(),
        app: None,
        limits: SessionLimits { idle_timeout: IDLE, max_lifetime: MAXIMUM },
        max_sessions: None,
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
        realm: Box::from("native"),
        username: username(name),
        password: presented(password),
    };
    Presented { password: Some(shown), ..Presented::default() }
}

/// A store in memory whose inserts can be held, so that something else happens in between.
pub(crate) struct HeldStore {
    inner: Arc<MemoryStore>,
    open: watch::Sender<bool>,
}

impl HeldStore {
    /// Inserts that begin from now on are written and not answered.
    pub(crate) fn hold(&self) {
        self.open.send_replace(false);
    }

    /// Inserts that were held are answered.
    pub(crate) fn release(&self) {
        self.open.send_replace(true);
    }
}

impl SessionStore for HeldStore {
    fn insert(&self, session: SessionRecord) -> Pending<'_, Result<(), StoreError>> {
        let mut open = self.open.subscribe();
        Box::pin(async move {
            self.inner.insert(session).await?;
            open.wait_for(|open| *open).await.map_err(|_| StoreError("gone".to_owned()))?;
            Ok(())
        })
    }

    fn end(&self, ends: Vec<(TokenHash, Ended)>) -> Pending<'_, Result<(), StoreError>> {
        self.inner.end(ends)
    }

    fn touch(&self, touches: Vec<(TokenHash, Moment)>) -> Pending<'_, Result<(), StoreError>> {
        self.inner.touch(touches)
    }

    fn find(&self, token: TokenHash) -> Pending<'_, Result<Option<SessionRecord>, StoreError>> {
        self.inner.find(token)
    }

    fn load<'a>(
        &'a self,
        take: &'a mut (dyn FnMut(Vec<SessionRecord>) + Send),
    ) -> Pending<'a, Result<(), StoreError>> {
        SessionStore::load(&*self.inner, take)
    }

    fn forget(&self, before: Moment) -> Pending<'_, Result<u64, StoreError>> {
        self.inner.forget(before)
    }
}
