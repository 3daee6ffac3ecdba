//! `doorward serve`: the gateway.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use api::setup::initialise::Given;
use arc_swap::ArcSwap;
use auth::{StoreError, breathing};
use config::{Overrides, Settings, System};
use gateway::{House, Served, bind_error};
use rustix::process::{
    Resource, Rlimit, getpid, getpriority_process, getrlimit, setpriority_process, setrlimit,
};
use serde_json::json;
use store_embedded::TakenRequest;
use tokio::runtime::Runtime;
use tokio::signal::unix::{self, SignalKind};
use tokio::sync::watch;
use zeroize::Zeroizing;

use super::{Failure, say};
use crate::audit_copy::{AuditCopy, Ground};
use crate::clock::HouseClock;
use crate::core::{Core, password_policy, random, settings_realms, snapshot, throttle_limits};
use crate::log::{Level, Log};
use crate::upkeep::{Keep, Upkeep};
use crate::wire::{self, Door, SetupToken};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The settings file; without it, doorward.toml where there is one and no --upstream is given
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Listen here instead of where the settings say
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// The backend of the mount, instead of the settings' one
    #[arg(long, value_name = "URL")]
    upstream: Option<String>,
    /// The folder of the embedded store, instead of the settings' one
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

impl Arguments {
    fn file(&self) -> Option<PathBuf> {
        let usual =
            || self.upstream.is_none().then(|| PathBuf::from("doorward.toml")).filter(|file| file.exists());
        self.config.clone().or_else(usual)
    }

    fn settings(&self) -> Result<Settings, Failure> {
        let settings = match self.file() {
            Some(file) => {
                let overrides = Overrides {
                    listen: self.listen.clone(),
                    upstream: self.upstream.clone(),
                    data: self.data.clone(),
                };
                Settings::load_with(&file, &overrides)?
            }
            None => {
                Settings::default_for(self.upstream.as_deref(), self.listen.as_deref(), self.data.as_deref())?
            }
        };
        wire::check(&settings)?;
        Ok(settings)
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let settings = arguments.settings()?;
    let running = Running::start(&settings, None)?;
    for (door, address) in running.doors.iter().zip(&running.served.addresses) {
        let scheme = if door.endpoint.tls.is_some() { "https" } else { "http" };
        say(&format!("listening on {scheme}://{address}"));
    }
    running.until_stopped(|| arguments.settings())
}

/// A gateway that runs.
pub(crate) struct Running {
    office: Runtime,
    core: Core,
    house: Arc<ArcSwap<House>>,
    pub(crate) doors: Vec<Door>,
    pub(crate) served: Served,
    stop: watch::Sender<bool>,
    settings: Settings,
    setup_token: Option<SetupToken>,
    audit_copy: Option<AuditCopy>,
    keep: Arc<Keep>,
    signals: Signals,
}

impl Running {
    /// Starts a gateway. `password` sets `admin`'s where there is none yet, instead of what the environment says.
    pub(crate) fn start(settings: &Settings, password: Option<Zeroizing<String>>) -> Result<Self, Failure> {
        raise_file_limit();
        let doors = wire::doors(settings)?;
        let office = super::runtime()?;
        // First of all: whatever the office starts takes its priority from it.
        let _ = office.block_on(office.spawn(async { give_way() }));
        let signals = office.block_on(async { Signals::listen() }).map_err(Failure::because)?;
        let clock = Arc::new(HouseClock::new());
        let log = giving_way(|| Log::start(&settings.log, Arc::clone(&clock) as _));
        let core = office.block_on(Core::open(settings, clock, log))?;
        let setup_token = office.block_on(first_start(&core, settings, password))?;
        let house = wire::house(settings, &core.services, Arc::new(core.log.clone()), setup_token.as_ref())?;
        let house = Arc::new(ArcSwap::from_pointee(house));
        let workers = match settings.workers {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            given => usize::from(given),
        };
        let endpoints: Vec<_> = doors.iter().map(|door| door.endpoint.clone()).collect();
        let (stop, stopped) = watch::channel(false);
        let served = gateway::serve(&house, &endpoints, workers, &stopped)
            .map_err(|(address, error)| Failure::Other(bind_error(address, &error)))?;
        core.log.line(
            Level::Info,
            "started",
            json!({ "version": core.services.version, "workers": workers, "sessions": core.loaded_sessions }),
        );
        let keep = Arc::new(Keep::default());
        let settings = settings.clone();
        let audit_copy = None;
        let mut running = Self {
            office,
            core,
            house,
            doors,
            served,
            stop,
            settings,
            setup_token,
            audit_copy,
            keep,
            signals,
        };
        running.core.operated("server.start", &format!("version {}", running.core.services.version));
        running.adopt_audit();
        Ok(running)
    }

    /// Puts in force what the settings say of the audit log; opens its copy, or opens it anew.
    fn adopt_audit(&mut self) {
        self.keep.adopt(self.settings.audit.keep);
        let Some(target) = self.settings.audit.file.clone() else {
            if let Some(copy) = self.audit_copy.take() {
                copy.stop();
            }
            return;
        };
        match &self.audit_copy {
            Some(copy) => copy.reopen(target),
            None => {
                let ground = Ground {
                    store: Arc::clone(&self.core.store),
                    office: self.office.handle().clone(),
                    clock: Arc::clone(self.core.kernel.clock()),
                    log: self.core.log.clone(),
                    newest: self.core.newest_line.as_ref().map_or(0, |line| line.sequence),
                };
                self.audit_copy = Some(giving_way(|| AuditCopy::start(ground, target)));
            }
        }
    }

    /// Serves until SIGTERM or SIGINT; at each SIGHUP puts a backup in place where one is asked for, and else reads the
    /// settings again. Then drains and closes the store.
    pub(crate) fn until_stopped(
        mut self,
        again: impl Fn() -> Result<Settings, Failure>,
    ) -> Result<(), Failure> {
        let upkeep = || Upkeep::of(&self.core, Arc::clone(&self.keep));
        let rechecks = self.office.spawn(breathing(upkeep().go_on_rechecking()));
        let upkeep = self.office.spawn(breathing(upkeep().go_on()));
        let mut result = Ok(());
        while let (Ok(()), Asked::Reload) = (&result, self.office.block_on(self.signals.next())) {
            match self.core.store.take_request(self.core.kernel.clock().wall()) {
                Some(request) => result = self.restore(request),
                None => self.reload(&again),
            }
        }
        self.core.log.line(Level::Info, "stopping", json!({}));
        // The receivers are gone only where every worker is.
        let _ = self.stop.send(true);
        self.served.join();
        upkeep.abort();
        rechecks.abort();
        self.core.ledger.close();
        self.core.operated("server.stop", "");
        self.office.block_on(async {
            // Whoever was active just now is asked to log in sooner, at the worst.
            let _ = self.core.kernel.write_behind().await;
            self.core.store.close().await;
        });
        if let Some(copy) = self.audit_copy.take() {
            copy.stop();
        }
        self.core.log.line(Level::Info, "stopped", json!({}));
        self.core.log.flush();
        result
    }

    /// Reads the settings again. A bad file changes nothing.
    fn reload(&mut self, again: impl Fn() -> Result<Settings, Failure>) {
        match again().and_then(|settings| self.adopt(settings)) {
            Ok(()) => {
                self.core.operated("settings.reload", "");
                self.core.log.line(Level::Info, "settings_reloaded", json!({}));
            }
            Err(failure) => {
                let detail = failure.to_string();
                self.core.operated("settings.refused", &detail);
                self.core.log.line(Level::Error, "settings_refused", json!({ "detail": detail }));
            }
        }
        // Whatever came of it: who sends the signal may have moved the file away.
        self.adopt_audit();
    }

    /// Puts the backup in place that `doorward restore` asks for, or says why not.
    ///
    /// # Errors
    /// If the store holds the backup and this process cannot read it: it must not go on with what it knows.
    fn restore(&self, request: TakenRequest) -> Result<(), Failure> {
        let Core { store, kernel, log, .. } = &self.core;
        let mut replaced = None;
        let done: Result<usize, StoreError> = self.office.block_on(async {
            let file = request.file()?;
            let exchange = async || {
                let now = kernel.clock().now();
                replaced = Some(store.adopt(&file, now).await?);
                snapshot(&self.settings, store, kernel.directory().maker(), now).await
            };
            kernel.adopt(exchange).await
        });
        let (answered, result) = match (done, replaced) {
            (Ok(sessions), replaced) => {
                let replaced = replaced.unwrap_or_default();
                let kept = replaced.display().to_string();
                self.core
                    .operated("store.restore", &format!("{sessions} sessions; the state before: {kept}"));
                log.line(Level::Info, "restored", json!({ "sessions": sessions, "replaced": kept }));
                (request.done(&replaced), Ok(()))
            }
            (Err(error), None) => {
                let detail = error.to_string();
                log.line(Level::Error, "restore_refused", json!({ "detail": detail }));
                (request.refuse(&detail), Ok(()))
            }
            (Err(error), Some(_)) => {
                let torn = format!("the backup is on disk, but the server cannot read it and stops: {error}");
                log.line(Level::Error, "restore_torn", json!({ "detail": torn }));
                (request.refuse(&torn), Err(Failure::because(torn)))
            }
        };
        if let Err(error) = answered {
            log.line(Level::Error, "restore_unanswered", json!({ "detail": error.to_string() }));
        }
        result
    }

    /// Puts newly read settings in force: all that can change without a restart, or nothing.
    fn adopt(&mut self, settings: Settings) -> Result<(), Failure> {
        let doors = wire::doors(&settings)?;
        let journal = Arc::new(self.core.log.clone());
        let house = wire::house(&settings, &self.core.services, journal, self.setup_token.as_ref())?;
        self.replace_certificates(&settings)?;
        self.warn_of_restart(&settings, &doors);
        let directory = self.core.kernel.directory();
        let now = self.core.kernel.clock().now();
        let realms = settings_realms(&settings, directory.maker(), now, Some(&directory.present()));
        self.office.block_on(directory.replace_settings(realms));
        if self.office.block_on(self.core.kernel.end_strays()).is_err() {
            // They answer 401 all the same, as long as their realm is off.
            self.core.log.line(Level::Error, "store_failed", json!({ "operation": "end_strays" }));
        }
        self.core.kernel.throttle().replace_limits(throttle_limits(&settings.login));
        self.core.services.passwords.adopt(password_policy(&settings.login));
        self.core.log.adopt(&settings.log);
        self.house.store(Arc::new(house));
        self.settings = settings;
        Ok(())
    }

    fn replace_certificates(&self, settings: &Settings) -> Result<(), Failure> {
        for listen in &settings.listen {
            let door = self.doors.iter().find(|door| door.endpoint.address == listen.address);
            if let (Some(tls), Some(certificate)) =
                (&listen.tls, door.and_then(|door| door.certificate.as_ref()))
            {
                certificate.replace(tls).map_err(Failure::because)?;
            }
        }
        Ok(())
    }

    /// Says which of the new settings count only after a restart.
    fn warn_of_restart(&self, settings: &Settings, doors: &[Door]) {
        let listens = |doors: &[Door]| -> Vec<_> {
            doors.iter().map(|door| (door.endpoint.address, door.certificate.is_some())).collect()
        };
        let old = &self.settings;
        let mut waiting = Vec::new();
        if listens(doors) != listens(&self.doors) {
            waiting.push("listen");
        }
        if settings.data != old.data {
            waiting.push("data");
        }
        if settings.issuer != old.issuer {
            waiting.push("issuer");
        }
        if settings.workers != old.workers {
            waiting.push("workers");
        }
        let hash = |settings: &Settings| (settings.login.hash_memory, settings.login.hash_parallel);
        if hash(settings) != hash(old) {
            waiting.push("login.hash_memory, login.hash_parallel");
        }
        if !waiting.is_empty() {
            self.core.log.line(Level::Warn, "restart_needed", json!({ "keys": waiting }));
        }
    }
}

/// Takes every file descriptor that the system grants: the usual soft limit of 1,024 is there for programs that use
/// `select`, and each connection needs one.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    // Where that is refused the limit stays as it is, and so does what the gateway does at it: it accepts no more.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

/// How many steps of nice the threads that write (the office's, the store's that it starts, the log's) are behind the workers,
/// who have clients that wait. Of a core that both want, ten steps leave them a tenth, and a worker that wakes up takes the
/// core from them at once (docs/decisions/0017-priorities.md).
const OFFICE_GIVES_WAY: i32 = 10;

/// Does something on a thread that gives way, for the threads that it starts.
fn giving_way<T: Send>(start: impl FnOnce() -> T + Send) -> T {
    let done = std::thread::scope(|scope| {
        let started = || {
            give_way();
            start()
        };
        scope.spawn(started).join()
    });
    done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Lowers the priority of the calling thread, and of those that it starts from now on.
fn give_way() {
    // On Linux nice is a thread's own; the main thread has what the process was started with. Where a container forbids this, all
    // threads are equals, which is slower beside much administration and no reason not to serve.
    let before = getpriority_process(Some(getpid())).unwrap_or(0);
    let _ = setpriority_process(None, before + OFFICE_GIVES_WAY);
}

/// Sees to the first start: sets `admin`'s password where one is given, else says how to set it. Gives the one-time
/// token that allows it from elsewhere.
async fn first_start(
    core: &Core,
    settings: &Settings,
    password: Option<Zeroizing<String>>,
) -> Result<Option<SetupToken>, Failure> {
    if core.kernel.directory().present().initialised.is_some() {
        return Ok(None);
    }
    let given = match password {
        Some(password) => Some(password),
        None => config::admin_password(&System)
            .map_err(|mistake| Failure::Settings(config::Mistakes(vec![mistake])))?
            .map(|secret| Zeroizing::new(secret.expose().to_owned())),
    };
    if let Some(password) = given {
        let set = api::setup::initialise::by_operator(&core.services, password).await;
        return match set {
            Ok(Given::Set(Some(weakness))) => {
                core.log.line(
                    Level::Warn,
                    "weak_password",
                    json!({ "detail": format!("admin's password: {weakness}") }),
                );
                Ok(None)
            }
            Ok(Given::Set(None) | Given::NotNeeded) => Ok(None),
            Err(api::Error::WeakPassword(weakness)) => {
                Err(Failure::because(format!("admin's password: {weakness}")))
            }
            Err(error) => Err(Failure::because(format!("admin's password cannot be set: {error:?}"))),
        };
    }
    let mut bytes = Zeroizing::new([0; 16]);
    random(bytes.as_mut());
    let token = Zeroizing::new(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    let path = settings.mounts.first().map_or("/api", |mount| mount.path.as_str());
    core.log.line(
        Level::Warn,
        "nobody_can_log_in",
        json!({
            "detail": format!(
                "there is no password for `admin` yet: POST {path} {{\"password\":\"…\"}} from this machine, or from \
                 elsewhere with this token as well: {{\"password\":\"…\",\"setupToken\":\"{}\"}}",
                *token
            ),
        }),
    );
    Ok(Some(Arc::new(token)))
}

/// The signals that the gateway obeys, listened to from before it says that it listens.
struct Signals {
    reload: unix::Signal,
    terminate: unix::Signal,
    interrupt: unix::Signal,
}

enum Asked {
    Reload,
    Stop,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            reload: unix::signal(SignalKind::hangup())?,
            terminate: unix::signal(SignalKind::terminate())?,
            interrupt: unix::signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.reload.recv() => Asked::Reload,
            _ = self.terminate.recv() => Asked::Stop,
            _ = self.interrupt.recv() => Asked::Stop,
        }
    }
}

/// The settings file that commands read where none is named.
pub(super) fn usual_file(named: Option<&Path>) -> PathBuf {
    named.map_or_else(|| PathBuf::from("doorward.toml"), Path::to_path_buf)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_descriptor_that_is_granted_is_taken() {
        let before = getrlimit(Resource::Nofile);
        let low = before.maximum.map_or(1_024, |maximum| maximum.min(1_024));
        setrlimit(Resource::Nofile, Rlimit { current: Some(low), ..before }).unwrap();
        raise_file_limit();
        assert_eq!(getrlimit(Resource::Nofile), Rlimit { current: before.maximum, ..before });
    }

    #[test]
    fn what_gives_way_starts_threads_that_do() {
        let own = || getpriority_process(None).unwrap();
        let before = own();
        let started = giving_way(|| {
            let inner = std::thread::spawn(own);
            (own(), inner.join().unwrap())
        });
        assert_eq!(own(), before, "whoever asked does not give way himself");
        // To give way further than that is not possible, and does no harm.
        let behind = (getpriority_process(Some(getpid())).unwrap() + OFFICE_GIVES_WAY).min(19);
        assert_eq!(started, (behind, behind));
    }
}
