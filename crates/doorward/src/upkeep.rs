//! Housekeeping, for as long as the process serves: touches are written behind, what timed out is swept, what nobody asks for any
//! more is forgotten. Spawned by `serve.rs` on the office's runtime. Must never stop for a store that fails: it says so, and
//! tries again.

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use api::{Services, signing_keys};
use auth::limits::{SWEEP_INTERVAL, TOUCH_INTERVAL};
use auth::{AuditStore, Event, Kernel, Ledger, SigningAlgorithm};
use serde_json::json;

use crate::core::Core;
use crate::log::{Level, Log};

/// Between two looks for lines of the audit log that are too old.
const PRUNE_INTERVAL: Duration = Duration::from_secs(60 * 60);

/// Between two looks for users whom their realm is to be asked about again.
const SHORTEST_RECHECK_PAUSE: Duration = Duration::from_millis(250);
/// Also where no realm wants to be asked: another may be made any time.
const LONGEST_RECHECK_PAUSE: Duration = Duration::from_secs(30);

/// What housekeeping works on.
pub(crate) struct Upkeep {
    kernel: Arc<Kernel>,
    services: Services,
    audit: Arc<dyn AuditStore>,
    ledger: Arc<Ledger>,
    log: Log,
    keep: Arc<Keep>,
}

/// How long lines of the audit log are kept, in seconds; the settings change it.
#[derive(Default)]
pub(crate) struct Keep(AtomicU64);

impl Keep {
    pub(crate) fn adopt(&self, keep: Duration) {
        self.0.store(keep.as_secs(), Ordering::Relaxed);
    }
}

impl Upkeep {
    pub(crate) fn of(core: &Core, keep: Arc<Keep>) -> Self {
        Self {
            kernel: Arc::clone(&core.kernel),
            services: core.services.clone(),
            audit: Arc::clone(&core.services.audit),
            ledger: Arc::clone(&core.ledger),
            log: core.log.clone(),
            keep,
        }
    }

    /// Keeps house until it is aborted.
    pub(crate) async fn go_on(self) {
        let sweeps_between_prunes = PRUNE_INTERVAL.as_secs() / SWEEP_INTERVAL.as_secs();
        let mut sweeps = 0u64;
        loop {
            for _ in 0..SWEEP_INTERVAL.as_secs() / TOUCH_INTERVAL.as_secs() {
                tokio::time::sleep(TOUCH_INTERVAL).await;
                self.said("write_behind", self.kernel.write_behind().await);
            }
            self.ledger.settle();
            self.said("sweep", self.kernel.sweep().await);
            self.said(
                "keep_keys",
                signing_keys::keep::run(&self.services, SigningAlgorithm::default()).await,
            );
            self.said("forget_attempts", self.kernel.forget_attempts().await);
            self.said("forget_ephemeral", self.kernel.forget_ephemeral().await);
            if sweeps.is_multiple_of(sweeps_between_prunes) {
                self.prune().await;
            }
            sweeps += 1;
        }
    }

    /// Looks again at those whom realms vouched for, until it is aborted. Apart from the rest of the house: realms may take
    /// their time.
    pub(crate) async fn go_on_rechecking(self) {
        loop {
            let soonest = self.said("recheck", self.kernel.recheck().await).flatten();
            // Often enough that nobody waits for much longer than the interval that his realm has set.
            let pause = soonest.map_or(LONGEST_RECHECK_PAUSE, |interval| interval / 4);
            tokio::time::sleep(pause.clamp(SHORTEST_RECHECK_PAUSE, LONGEST_RECHECK_PAUSE)).await;
        }
    }

    /// Forgets lines of the audit log that are older than the settings keep them, and has that written down.
    async fn prune(&self) {
        let keep = Duration::from_secs(self.keep.0.load(Ordering::Relaxed));
        let before = self.kernel.clock().now().minus(keep);
        if let Some(count @ 1..) = self.said("forget_audit", self.audit.forget_audit(before).await) {
            let detail = format!("{count} lines from before {before}").into_boxed_str();
            self.kernel.witness().note(&Event::Operated { operation: "audit.prune", detail });
        }
    }

    fn said<T, E: Debug>(&self, what: &str, done: Result<T, E>) -> Option<T> {
        let told = |error| {
            let fields = json!({ "operation": what, "detail": format!("{error:?}") });
            self.log.line(Level::Error, "store_failed", fields);
        };
        done.map_err(told).ok()
    }
}
