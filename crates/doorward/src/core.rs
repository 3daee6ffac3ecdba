//! What lives as long as the process: the clock, the store, the kernel, the operations. Settings that are read again
//! change what hangs on it, never it.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use api::Services;
use auth::directory::{Directory, RealmState, Snapshot};
use auth::login::{Remembered, Throttle, ThrottleLimits};
use auth::permission::builtin;
use auth::sessions::Sessions;
use auth::{
    AttemptRecord, Clock, DirectoryStore, Kernel, KernelParts, Moment, Realm, RealmName, Realms, Role,
    RoleName, SessionStore,
};
use config::{Login, Settings};
use realm_native::{HashPool, HashSettings, NativeRealm};
use store_embedded::EmbeddedStore;

use crate::clock::HouseClock;
use crate::command::Failure;
use crate::log::Log;

/// The process's core.
pub(crate) struct Core {
    pub(crate) store: Arc<EmbeddedStore>,
    pub(crate) kernel: Arc<Kernel>,
    pub(crate) services: Services,
    pub(crate) log: Log,
    pub(crate) loaded_sessions: usize,
}

impl Core {
    /// Opens the store and loads it. Must run on the back office's runtime, which the store's writer stays on.
    pub(crate) async fn open(settings: &Settings, clock: Arc<HouseClock>, log: Log) -> Result<Self, Failure> {
        let store = Arc::new(
            EmbeddedStore::open(&settings.data).await.map_err(|error| in_store(&settings.data, &error))?,
        );
        let failed = |error: auth::StoreError| in_store(&settings.data, &error);
        let hasher = Arc::new(HashPool::start(hash_settings(&settings.login)).map_err(Failure::because)?);
        let snapshot = snapshot(settings, &store, clock.now()).await.map_err(failed)?;
        let directory_store: Arc<dyn DirectoryStore> = Arc::clone(&store) as _;
        let session_store: Arc<dyn SessionStore> = Arc::clone(&store) as _;
        let directory = Arc::new(Directory::new(snapshot, Arc::clone(&directory_store)));
        let attempts = directory_store.load_attempts().await.map_err(failed)?;
        let given_clock: Arc<dyn Clock> = Arc::clone(&clock) as _;
        let sessions = Arc::new(Sessions::new(session_store, Arc::clone(&given_clock)));
        let loaded_sessions = sessions.load().await.map_err(failed)?;
        clock.not_before(latest(&sessions, &directory.present(), &attempts));
        let native: Arc<dyn Realm> =
            Arc::new(NativeRealm::new(RealmName::native(), Arc::clone(&directory), Arc::clone(&hasher)));
        let mut key = zeroize::Zeroizing::new([0; 32]);
        random(key.as_mut());
        let kernel = Arc::new(Kernel::new(KernelParts {
            clock: Arc::clone(&given_clock),
            sessions,
            directory,
            store: directory_store,
            realms: Realms::new(vec![native]),
            throttle: Throttle::new(throttle_limits(&settings.login), given_clock, attempts),
            remembered: Remembered::new(&key),
            witness: Arc::new(log.clone()),
            random,
        }));
        let services = Services {
            kernel: Arc::clone(&kernel),
            hasher,
            started: clock.now(),
            version: env!("CARGO_PKG_VERSION"),
        };
        Ok(Self { store, kernel, services, log, loaded_sessions })
    }
}

fn in_store(folder: &Path, error: &auth::StoreError) -> Failure {
    Failure::because(format!("the store in {}: {error}", folder.display()))
}

/// The state of the directory that a store holds, with the realms of the settings.
pub(crate) async fn snapshot(
    settings: &Settings,
    store: &EmbeddedStore,
    now: Moment,
) -> Result<Snapshot, auth::StoreError> {
    let image = DirectoryStore::load(store).await?;
    // They came with the installation.
    let since = image.initialised.as_ref().map_or(now, |done| done.at);
    Ok(Snapshot::new(image, built_in_roles(since), realm_states(settings)))
}

/// The latest moment that the store knows of. Sessions alone are not enough: one that is older than its user counts for
/// nothing, and a pause of the throttle would last until its moment comes again.
fn latest(sessions: &Sessions, snapshot: &Snapshot, attempts: &[AttemptRecord]) -> Moment {
    let users = snapshot.accounts().map(|account| account.user.created.max(account.user.updated));
    let attempts = attempts.iter().map(|attempt| attempt.since);
    let mut latest = users.chain(attempts).max().unwrap_or_default();
    sessions.table().filtered(|session| {
        latest = latest.max(session.last_seen());
        // At the beginning of time only those have ended whom somebody ended.
        if let Some(ended) = session.ended(Moment::default()) {
            latest = latest.max(ended.at);
        }
        false
    });
    latest
}

/// The realms as the settings have them.
pub(crate) fn realm_states(settings: &Settings) -> HashMap<RealmName, RealmState> {
    let state =
        |realm: &config::Realm| RealmState { kind: "native", enabled: true, roles: realm.roles.clone() };
    settings.realms.iter().map(|realm| (realm.name.clone(), state(realm))).collect()
}

pub(crate) fn throttle_limits(login: &Login) -> ThrottleLimits {
    ThrottleLimits {
        attempts_per_user: login.attempts_per_user,
        attempts_per_address: login.attempts_per_address,
        window: login.window,
    }
}

fn hash_settings(login: &Login) -> HashSettings {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let parallel = match login.hash_parallel {
        0 => (cores / 2).max(1),
        given => usize::from(given),
    };
    HashSettings::standard(u32::try_from(login.hash_memory.kibibytes()).unwrap_or(u32::MAX), parallel)
}

/// Random bytes of the system. Without them no token and no key can be made, so the process ends.
pub(crate) fn random(bytes: &mut [u8]) {
    assert!(getrandom::fill(bytes).is_ok(), "the system gives no random bytes");
}

fn built_in_roles(since: Moment) -> Vec<Role> {
    builtin::names()
        .filter_map(|name| {
            let (description, permissions) = builtin::builtin(name)?;
            Some(Role {
                name: RoleName::parse(name).ok()?,
                description: description.to_owned(),
                permissions,
                ui_permissions: Vec::new(),
                created: since,
                updated: since,
            })
        })
        .collect()
}
