//! A kernel as a system of the checker: it dies in the middle of what it does, and another is started over what its store
//! has.
//!
//! The changes are made as the operations of `api` make them: sessions end before the change and after it, and those that others
//! found dead are on disk before anybody is told. Must never answer of itself.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use auth::directory::{Directory, Snapshot};
use auth::login::{Guesses, Remembered, Throttle, ThrottleLimits};
use auth::sessions::{Session, Sessions};
use auth::trust::{Authorized, Caller};
use auth::{
    ApiKey, AppName, Change, Clock, DirectoryStore, EndReason, Kernel, KernelParts, KeyId, KeyText,
    LoginRequest, Nobody, Pending, Presented, RealmName, RealmRecord, Reason, Role, SessionStore,
    SessionToken, User, UserId,
};
use testkit::checker::{Credential, Door, Operation, Shape, System, Told};
use testkit::suites::maker;
use testkit::suites::realms::{presented, username};
use tokio::sync::{RwLock, watch};

use super::ends::{KeepsPasswords, MachineClock, TurnStore, hash_of};
use crate::house::{HERE, Read, ip, noted, permission, put, put_key, request, role, scope};

/// Everybody may have this.
const OPEN: &str = "/open";
/// Whose role allows it may have this.
const GUARDED: &str = "/guarded";
/// After so many restarts the store forgets what has ended, which it does after a day.
const RESTARTS_OF_A_DAY: u64 = 10;

/// A kernel that can die.
pub(super) struct Running {
    shape: Shape,
    store: Arc<TurnStore>,
    clock: Arc<dyn Clock>,
    present: RwLock<Kernel>,
    deaths: watch::Sender<u64>,
    drawn: AtomicU64,
    keys: Mutex<HashMap<String, KeyId>>,
}

impl Running {
    /// A kernel with the users, realms and roles of this shape.
    pub(super) async fn start(shape: Shape) -> Arc<dyn System> {
        let clock: Arc<dyn Clock> = Arc::new(MachineClock::start());
        let store = Arc::new(TurnStore::default());
        let mut changes = vec![Change::PutRole(with_path("open", OPEN, true, &*clock))];
        changes.extend(
            (0..shape.roles)
                .map(|number| Change::PutRole(with_path(&format!("role-{number}"), GUARDED, true, &*clock))),
        );
        changes.extend((0..shape.realms).map(|number| Change::PutRealm(Box::new(record(number, true)))));
        changes.extend((0..shape.users).map(|number| put(user(shape, number, 1, &*clock))));
        store.apply(changes).await.unwrap();
        let present = RwLock::new(kernel(&store, &clock).await);
        Arc::new(Self {
            shape,
            store,
            clock,
            present,
            deaths: watch::Sender::new(0),
            drawn: AtomicU64::new(0),
            keys: Mutex::default(),
        })
    }

    async fn restart(&self) -> Told {
        self.deaths.send_modify(|deaths| *deaths += 1);
        let mut present = self.present.write().await;
        if self.deaths.borrow().is_multiple_of(RESTARTS_OF_A_DAY) {
            self.store.forget(self.clock.now()).await.unwrap();
        }
        *present = kernel(&self.store, &self.clock).await;
        Told::Done
    }

    async fn operate(&self, kernel: &Kernel, operation: &Operation) -> Result<Told, Reason> {
        match operation {
            Operation::LogIn { user, password, app } => {
                return self.log_in(kernel, *user, *password, *app).await;
            }
            Operation::Use { credential, door } => self.show(kernel, credential, *door).await?,
            Operation::LogOut { session } => {
                kernel.logout(&token(session), &scope()).await?;
            }
            Operation::EndSession { session, .. } => end_by_id(kernel, session).await?,
            Operation::EndUser { user } => {
                end_all_of(kernel, &self.id(*user)).await?;
            }
            Operation::EndRealm { realm } => {
                let realm = realm_name(*realm);
                end_fitting(kernel, EndReason::Revoked, |session| session.realm == realm).await?;
            }
            Operation::EndApp { app } => {
                let app = Some(app_name(*app));
                end_fitting(kernel, EndReason::Revoked, |session| session.app == app).await?;
            }
            Operation::MakeKey { user } => return self.make_key(kernel, *user).await,
            Operation::RevokeKey { key } => {
                let Credential::Key(text) = &**key else { panic!("{key:?} is no key") };
                let id = self.keys.lock().unwrap()[text];
                change(kernel, |_| vec![Change::DeleteKey(id)]).await?;
            }
            other => self.administer(kernel, other).await?,
        }
        Ok(Told::Done)
    }

    /// The changes of users, roles and realms.
    async fn administer(&self, kernel: &Kernel, operation: &Operation) -> Result<(), Reason> {
        match operation {
            Operation::SetEnabled { user, enabled } => {
                self.change_user(kernel, *user, !enabled, |user| user.enabled = *enabled).await
            }
            Operation::SetPassword { user, password } => {
                let set = |user: &mut User| {
                    user.password = Some(hash_of(&password_text(*password)));
                    user.password_version += 1;
                };
                self.change_user(kernel, *user, true, set).await
            }
            Operation::SetGranted { user, granted } => {
                let all = roles_of(self.shape, *user);
                let roles = all[..if *granted { 2 } else { 1 }].to_vec();
                self.change_user(kernel, *user, false, |user| user.roles = roles).await
            }
            Operation::Delete { user } => {
                let id = self.id(*user);
                end_of(kernel, &id).await?;
                change(kernel, |snapshot| deletion(snapshot, &id)).await?;
                end_of(kernel, &id).await
            }
            Operation::Create { user: number, password } => {
                // As `user.create` does: two lives may begin in one millisecond.
                let mut new = user(self.shape, *number, *password, &*self.clock);
                let older = kernel.sessions().table().of_user(&new.id);
                let after = older.iter().map(|session| session.created.plus(Duration::from_millis(1))).max();
                new.created = new.created.max(after.unwrap_or_default());
                new.password_version = u64::from(u32::from_le_bytes(*kernel.draw()));
                change(kernel, |_| vec![put(new)]).await
            }
            Operation::SetRole { role: number, allows } => {
                let changed = with_path(&format!("role-{number}"), GUARDED, *allows, &*self.clock);
                change(kernel, |_| vec![Change::PutRole(changed)]).await
            }
            Operation::SetRealm { realm, enabled } => {
                let name = realm_name(*realm);
                let put = vec![Change::PutRealm(Box::new(record(*realm, *enabled)))];
                if *enabled {
                    return change(kernel, |_| put).await;
                }
                let of_realm = |session: &Session| session.realm == name;
                end_fitting(kernel, EndReason::UserChanged, of_realm).await?;
                change(kernel, |_| put).await?;
                end_fitting(kernel, EndReason::UserChanged, of_realm).await
            }
            other => panic!("{other:?} is none of these"),
        }
    }

    async fn log_in(&self, kernel: &Kernel, user: usize, password: u32, app: usize) -> Result<Told, Reason> {
        let text = format!("token-{}", self.drawn.fetch_add(1, Ordering::Relaxed));
        let request = LoginRequest {
            realm: auth::RealmChoice::Named(Box::from(realm_name(self.shape.realm(user)).as_str())),
            app: Some(app_name(app)),
            ..request(&user_name(user), &password_text(password), HERE)
        };
        kernel.login(&SessionToken::from_text(&text).unwrap(), request).await?;
        Ok(Told::Made(text))
    }

    /// As the way does it: who it is, then whether he may.
    async fn show(&self, kernel: &Kernel, credential: &Credential, door: Door) -> Result<(), Reason> {
        let shown = match credential {
            Credential::Session(text) => {
                Presented { session: Some(SessionToken::from_text(text)), ..Presented::default() }
            }
            Credential::Key(text) => {
                Presented { key: Some(KeyText::presented(text)), ..Presented::default() }
            }
            Credential::Basic(user, password) => {
                let shown = auth::PresentedPassword {
                    realm: auth::RealmChoice::Named(Box::from(realm_name(self.shape.realm(*user)).as_str())),
                    username: username(&user_name(*user)),
                    password: presented(&password_text(*password)),
                };
                Presented { password: Some(shown), ..Presented::default() }
            }
        };
        let caller = kernel.authenticate(shown, &scope(), ip(HERE), true).await?.caller;
        assert!(matches!(caller, Caller::Known(_)), "nobody was asked who he is");
        let path = match door {
            Door::Open => OPEN,
            Door::Guarded => GUARDED,
        };
        Authorized::judge(&kernel.directory().present(), caller, Read(path)).map(|_| ())
    }

    async fn make_key(&self, kernel: &Kernel, user: usize) -> Result<Told, Reason> {
        let text = KeyText::from_random(&kernel.draw());
        let key = ApiKey {
            id: KeyId::from_random(*kernel.draw()),
            hash: text.hash(),
            name: String::new(),
            user: self.id(user),
            permissions: None,
            expires: None,
            created: self.clock.now(),
        };
        self.keys.lock().unwrap().insert(text.expose().to_owned(), key.id);
        let owner = self.id(user);
        let since = |snapshot: &Snapshot| snapshot.account(&owner).map(|account| account.user.created);
        change(kernel, |snapshot| {
            let created = key.created.max(since(snapshot).unwrap_or_default());
            vec![put_key(ApiKey { created, ..key })]
        })
        .await?;
        Ok(Told::Made(text.expose().to_owned()))
    }

    async fn change_user(
        &self,
        kernel: &Kernel,
        user: usize,
        ends: bool,
        alter: impl FnOnce(&mut User),
    ) -> Result<(), Reason> {
        let id = self.id(user);
        if ends {
            end_of(kernel, &id).await?;
        }
        change(kernel, |snapshot| {
            let mut user = snapshot.account(&id).unwrap().user.clone();
            alter(&mut user);
            vec![put(user)]
        })
        .await?;
        if ends {
            end_of(kernel, &id).await?;
        }
        Ok(())
    }

    fn id(&self, user: usize) -> UserId {
        UserId::of(&realm_name(self.shape.realm(user)), &username(&user_name(user)))
    }
}

impl System for Running {
    fn perform<'a>(&'a self, operation: &'a Operation) -> Pending<'a, Told> {
        Box::pin(async move {
            if matches!(operation, Operation::Restart) {
                return self.restart().await;
            }
            let kernel = self.present.read().await;
            let mut deaths = self.deaths.subscribe();
            tokio::select! {
                biased;
                _ = deaths.changed() => Told::Lost,
                told = self.operate(&kernel, operation) => told.unwrap_or_else(|reason| told_of(&reason)),
            }
        })
    }
}

fn told_of(reason: &Reason) -> Told {
    match reason {
        Reason::Forbidden => Told::Forbidden,
        Reason::TooManyAttempts { .. } | Reason::StoreFailed => Told::Busy,
        Reason::SessionUnknown
        | Reason::SessionEnded(_)
        | Reason::SessionUserGone
        | Reason::RealmDisabled
        | Reason::UnknownUser
        | Reason::WrongPassword
        | Reason::UserDisabled
        | Reason::InvalidToken
        | Reason::UnknownKey => Told::Unknown,
        other => panic!("{other:?} is no answer to any of these"),
    }
}

async fn kernel(store: &Arc<TurnStore>, clock: &Arc<dyn Clock>) -> Kernel {
    let image = DirectoryStore::load(&**store).await.unwrap();
    let maker = Arc::new(KeepsPasswords);
    let snapshot = Snapshot::new(image, Vec::new(), HashMap::new(), &*maker);
    let sessions = Sessions::new(Arc::clone(store) as Arc<dyn SessionStore>, Arc::clone(clock));
    sessions.load().await.unwrap();
    let directory = Arc::clone(store) as Arc<dyn DirectoryStore>;
    let window = Duration::from_secs(300);
    // What is checked here is not the throttle.
    let limits = ThrottleLimits { attempts_per_user: u32::MAX, attempts_per_address: u32::MAX, window };
    Kernel::new(KernelParts {
        sessions: Arc::new(sessions),
        directory: Arc::new(Directory::new(snapshot, Arc::clone(&directory), maker, Arc::new(Nobody))),
        store: directory,
        guesses: Guesses::new(Arc::clone(clock)),
        throttle: Throttle::new(limits, Arc::clone(clock), Vec::new()),
        remembered: Remembered::new(&[7; 32]),
        random: |bytes| getrandom::fill(bytes).unwrap(),
        clock: Arc::clone(clock),
        witness: Arc::new(Nobody),
    })
}

async fn change(kernel: &Kernel, changes: impl FnOnce(&Snapshot) -> Vec<Change>) -> Result<(), Reason> {
    let made = kernel.directory().change(|snapshot| Ok::<_, Reason>(noted(changes(snapshot)))).await;
    made.map_err(|_| Reason::StoreFailed)
}

/// Ends one session by its public id.
async fn end_by_id(kernel: &Kernel, session: &Credential) -> Result<(), Reason> {
    let Some(id) = kernel.sessions().table().find(&token(session).hash()).map(|session| session.id) else {
        return Ok(());
    };
    let found = kernel.sessions().table().by_id(&id).into_iter().collect::<Vec<_>>();
    kernel.end(&found, EndReason::Revoked, None).await.map(|_| ())
}

/// Ends a user's sessions because he changed.
async fn end_of(kernel: &Kernel, user: &UserId) -> Result<(), Reason> {
    kernel.end(&kernel.sessions().live_of(user), EndReason::UserChanged, None).await?;
    kernel.sessions().settle().await.map_err(|_| Reason::StoreFailed)
}

/// Ends a user's sessions, on a walk through them.
async fn end_all_of(kernel: &Kernel, user: &UserId) -> Result<(), Reason> {
    let (mut below, mut found) = (None, Vec::new());
    loop {
        let now = kernel.clock().now();
        let mut step =
            kernel.sessions().table().page_of_user(user, below, |session| session.ended(now).is_none());
        found.append(&mut step.found);
        below = step.next;
        if below.is_none() {
            break;
        }
        tokio::task::yield_now().await;
    }
    kernel.end(&found, EndReason::Revoked, None).await?;
    kernel.sessions().settle().await.map_err(|_| Reason::StoreFailed)
}

/// Ends the sessions that fit, on a walk through all of them.
async fn end_fitting(
    kernel: &Kernel,
    reason: EndReason,
    fits: impl Fn(&Session) -> bool,
) -> Result<(), Reason> {
    let (mut after, mut found) = (None, Vec::new());
    loop {
        let now = kernel.clock().now();
        let live = |session: &Session| fits(session) && session.ended(now).is_none();
        let mut step = kernel.sessions().table().page(after, usize::MAX, live);
        found.append(&mut step.found);
        after = step.next;
        if after.is_none() {
            break;
        }
        tokio::task::yield_now().await;
    }
    kernel.end(&found, reason, None).await?;
    kernel.sessions().settle().await.map_err(|_| Reason::StoreFailed)
}

fn deletion(snapshot: &Snapshot, id: &UserId) -> Vec<Change> {
    let keys = snapshot.keys().filter(|compiled| compiled.key.user == *id);
    let mut changes: Vec<_> = keys.map(|compiled| Change::DeleteKey(compiled.key.id)).collect();
    if snapshot.account(id).is_some() {
        changes.push(Change::DeleteUser(*id));
    }
    changes
}

fn token(session: &Credential) -> SessionToken {
    let Credential::Session(text) = session else { panic!("{session:?} is no session") };
    SessionToken::from_text(text).unwrap()
}

fn user(shape: Shape, number: usize, password: u32, clock: &dyn Clock) -> User {
    let realm = realm_name(shape.realm(number));
    let now = clock.now();
    User {
        id: UserId::of(&realm, &username(&user_name(number))),
        realm,
        username: username(&user_name(number)),
        roles: roles_of(shape, number),
        permissions: Vec::new(),
        enabled: true,
        password: Some(hash_of(&password_text(password))),
        vouched: auth::Vouched::default(),
        password_version: 1,
        created: now,
        updated: now,
    }
}

/// The role that everybody has for ever, and the one that is granted to this user.
fn roles_of(shape: Shape, user: usize) -> Vec<auth::RoleName> {
    vec![role("open"), role(&format!("role-{}", shape.role(user)))]
}

fn with_path(name: &str, path: &str, allows: bool, clock: &dyn Clock) -> Role {
    let permissions = if allows { vec![permission(&format!("GET:{path}"))] } else { Vec::new() };
    Role {
        name: role(name),
        description: String::new(),
        permissions,
        ui_permissions: Vec::new(),
        created: clock.now(),
        updated: clock.now(),
    }
}

fn record(number: usize, enabled: bool) -> RealmRecord {
    RealmRecord { enabled, ..maker::record(realm_name(number).as_str()) }
}

fn realm_name(number: usize) -> RealmName {
    RealmName::parse(&format!("realm-{number}")).unwrap()
}

fn app_name(number: usize) -> AppName {
    AppName::parse(&format!("app-{number}")).unwrap()
}

fn user_name(number: usize) -> String {
    format!("user-{number}")
}

fn password_text(number: u32) -> String {
    format!("password {number}")
}
