//! What lives as long as the process: the clock, the store, the kernel, the operations. Settings that are read again
//! change what hangs on it, never it.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use api::{PasswordJudge, PasswordPolicy, Services};
use auth::directory::{Directory, RealmState, Snapshot};
use auth::login::{Guesses, Remembered, Throttle, ThrottleLimits};
use auth::permission::builtin;
use auth::sessions::Sessions;
use auth::{
    AttemptRecord, AuditFilter, AuditRecord, AuditStore, Clock, DirectoryStore, Event, Kernel, KernelParts,
    Ledger, Moment, RealmMaker, RealmName, RealmRecord, Role, RoleName, SessionStore, Unmakeable, Witness,
    Witnesses,
};
use config::{Login, Settings};
use realm_native::{HashPool, HashSettings};
use signer::Signer;
use store_embedded::EmbeddedStore;

use crate::clock::HouseClock;
use crate::command::Failure;
use crate::log::Log;
use crate::realms::Maker;

/// The process's core.
pub(crate) struct Core {
    pub(crate) store: Arc<EmbeddedStore>,
    pub(crate) kernel: Arc<Kernel>,
    pub(crate) services: Services,
    pub(crate) log: Log,
    /// Who has the audit log written.
    pub(crate) ledger: Arc<Ledger>,
    /// The last line of the audit log before this process wrote to it.
    pub(crate) newest_line: Option<AuditRecord>,
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
        let given_clock: Arc<dyn Clock> = Arc::clone(&clock) as _;
        let office = tokio::runtime::Handle::current();
        let maker: Arc<dyn RealmMaker> =
            Arc::new(Maker::new(Arc::clone(&hasher), office, Arc::clone(&given_clock)));
        let audit: Arc<dyn AuditStore> = Arc::clone(&store) as _;
        let newest_line = newest(&*audit).await.map_err(failed)?;
        let ledger = Arc::new(Ledger::new(Arc::clone(&audit), Arc::clone(&given_clock)));
        let witness: Arc<dyn Witness> =
            Arc::new(Witnesses(vec![Arc::new(log.clone()), Arc::clone(&ledger) as _]));
        let snapshot = snapshot(settings, &store, &*maker, clock.now()).await.map_err(failed)?;
        let directory_store: Arc<dyn DirectoryStore> = Arc::clone(&store) as _;
        let session_store: Arc<dyn SessionStore> = Arc::clone(&store) as _;
        let directory = Directory::new(snapshot, Arc::clone(&directory_store), maker, Arc::clone(&witness));
        let directory = Arc::new(directory);
        let attempts = directory_store.load_attempts().await.map_err(failed)?;
        let sessions = Arc::new(Sessions::new(session_store, Arc::clone(&given_clock)));
        let loaded_sessions = sessions.load().await.map_err(failed)?;
        let latest = latest(&sessions, &directory.present(), &attempts);
        clock.not_before(newest_line.as_ref().map_or(latest, |line| latest.max(line.entry.at)));
        let mut key = zeroize::Zeroizing::new([0; 32]);
        random(key.as_mut());
        let kernel = Arc::new(Kernel::new(KernelParts {
            clock: Arc::clone(&given_clock),
            sessions,
            directory,
            store: directory_store,
            throttle: Throttle::new(throttle_limits(&settings.login), Arc::clone(&given_clock), attempts),
            guesses: Guesses::new(given_clock),
            remembered: Remembered::new(&key),
            witness,
            random,
        }));
        // What the settings switched off while nobody served.
        kernel.end_strays().await.map_err(|_| failed(auth::StoreError("cannot be written".to_owned())))?;
        let services = Services {
            kernel: Arc::clone(&kernel),
            hasher,
            passwords: Arc::new(PasswordJudge::new(password_policy(&settings.login))),
            signatory: Arc::new(Signer::new(&settings.issuer, Arc::clone(&clock) as _)),
            audit,
            started: clock.now(),
            version: env!("CARGO_PKG_VERSION"),
        };
        api::signing_keys::keep::run(&services, settings.signing_algorithm)
            .await
            .map_err(|error| Failure::because(format!("the signing keys cannot be made: {error:?}")))?;
        Ok(Self { store, kernel, services, log, ledger, newest_line, loaded_sessions })
    }

    /// Has something written to the audit log that an operator did. The log has lines of its own for it.
    pub(crate) fn operated(&self, operation: &'static str, detail: &str) {
        self.ledger.note(&Event::Operated { operation, detail: Box::from(detail) });
    }
}

/// The last line of the audit log, if there is one.
async fn newest(audit: &dyn AuditStore) -> Result<Option<AuditRecord>, auth::StoreError> {
    let last = AuditFilter { limit: 1, ..AuditFilter::default() };
    Ok(audit.read(last).await?.into_iter().next())
}

fn in_store(folder: &Path, error: &auth::StoreError) -> Failure {
    Failure::because(format!("the store in {}: {error}", folder.display()))
}

/// The state of the directory that a store holds, with the realms of the settings.
pub(crate) async fn snapshot(
    settings: &Settings,
    store: &EmbeddedStore,
    maker: &dyn RealmMaker,
    now: Moment,
) -> Result<Snapshot, auth::StoreError> {
    let mut image = DirectoryStore::load(store).await?;
    // What came with the installation is as old as it.
    let since = image.initialised.as_ref().map_or(now, |done| done.at);
    let native = RealmName::native();
    if !image.realms.iter().any(|realm| realm.name == native) {
        image.realms.push(native_realm(since));
    }
    Ok(Snapshot::new(image, built_in_roles(since), settings_realms(settings, maker, since, None), maker))
}

/// The realm that is there without being mentioned.
fn native_realm(since: Moment) -> RealmRecord {
    RealmRecord {
        name: RealmName::native(),
        kind: Box::from("native"),
        enabled: true,
        roles: Vec::new(),
        config: Box::from("{}"),
        created: since,
        updated: since,
    }
}

/// The latest moment that the store knows of. Sessions alone are not enough: one that is older than its user counts for
/// nothing, and a pause of the throttle would last until its moment comes again.
fn latest(sessions: &Sessions, snapshot: &Snapshot, attempts: &[AttemptRecord]) -> Moment {
    let users = snapshot.accounts().map(|account| account.user.created.max(account.user.updated));
    let attempts = attempts.iter().map(|attempt| attempt.since);
    let keys = snapshot.keys().filter_map(|key| Some(key.last_use()?.at));
    let mut latest = users.chain(attempts).chain(keys).max().unwrap_or_default();
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

/// The realms that stand in the settings. Those that cannot be made were refused when the settings were checked; those that are
/// in force `before` and are made of the same are taken over, with their connections.
pub(crate) fn settings_realms(
    settings: &Settings,
    maker: &dyn RealmMaker,
    since: Moment,
    before: Option<&Snapshot>,
) -> HashMap<RealmName, RealmState> {
    let written = settings.realms.iter().filter(|realm| !realm.key().is_empty());
    let state = |realm: &config::Realm| {
        let record = realm_record(realm, since);
        let is_same = |old: &&RealmState| {
            old.in_settings && old.record.kind == record.kind && old.record.config == record.config
        };
        let realm = match before.and_then(|before| before.realm(record.name.as_str())).filter(is_same) {
            Some(old) => Arc::clone(&old.realm),
            None => maker.make(&record).unwrap_or_else(|_| Arc::new(Unmakeable)),
        };
        (record.name.clone(), RealmState { record, in_settings: true, realm })
    };
    written.map(state).collect()
}

/// A realm of the settings as a record.
pub(crate) fn realm_record(realm: &config::Realm, since: Moment) -> RealmRecord {
    RealmRecord {
        name: realm.name.clone(),
        kind: Box::from(realm.kind.as_str()),
        enabled: realm.enabled,
        roles: realm.roles.clone(),
        config: realm.config_json().to_string().into_boxed_str(),
        created: since,
        updated: since,
    }
}

pub(crate) fn throttle_limits(login: &Login) -> ThrottleLimits {
    ThrottleLimits {
        attempts_per_user: login.attempts_per_user,
        attempts_per_address: login.attempts_per_address,
        window: login.window,
    }
}

pub(crate) fn password_policy(login: &Login) -> PasswordPolicy {
    PasswordPolicy { min_length: usize::from(login.min_password_length) }
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
