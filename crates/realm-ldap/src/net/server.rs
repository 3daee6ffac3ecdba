//! One server: its breaker, and the connections to it.
//!
//! Called by `network.rs`. Must never give a connection of somebody's bind to a search, or the other way round.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use auth::{Clock, Moment, Unavailability};
use tokio::runtime::Handle;
use tokio::sync::Mutex;

use super::breaker::{Admission, Breaker};
use super::connection::Connection;
use super::fault::{Fault, FaultKind};
use super::idle::Idle;
use super::transport::{reach, resolve, secure};
use super::trust::Trust;
use super::{IDLE_KEPT, SEARCH_CONNECTIONS};
use crate::settings::{self, ServiceAccount, Settings};
use crate::words::verdicts::judge_service_bind;

/// One server of the list.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) address: settings::Server,
    pub(super) breaker: Breaker,
    /// Connections for binds that nobody uses now.
    pub(super) idle: Idle,
    searching: [Mutex<Option<Shared>>; SEARCH_CONNECTIONS],
    next: AtomicUsize,
}

/// A connection that several search over at a time.
#[derive(Clone, Debug)]
struct Shared {
    connection: Arc<Connection>,
    used: Moment,
}

/// A connection, and whether it was there already: the server may have closed that since.
#[derive(Debug)]
pub(super) struct Reached<C> {
    pub(super) connection: C,
    pub(super) is_reused: bool,
}

/// What one needs to connect.
pub(super) struct Means<'a> {
    pub(super) settings: &'a Settings,
    pub(super) trust: &'a Trust,
    pub(super) office: &'a Handle,
    pub(super) clock: &'a dyn Clock,
}

impl Server {
    pub(super) fn new(address: settings::Server) -> Self {
        Self {
            address,
            breaker: Breaker::default(),
            idle: Idle::default(),
            searching: Default::default(),
            next: AtomicUsize::new(0),
        }
    }

    /// A connection for somebody's bind, for one use.
    pub(super) async fn for_bind(
        &self,
        means: &Means<'_>,
        may_reuse: bool,
    ) -> Result<Reached<Connection>, Fault> {
        if may_reuse && let Some(connection) = self.idle.take() {
            return Ok(Reached { connection, is_reused: true });
        }
        let limit = means.settings.connect_timeout;
        let connection = within(limit, connect(&self.address, means)).await?;
        Ok(Reached { connection, is_reused: false })
    }

    /// A connection of the service account. Who comes while it is being made waits for it, and does not try again what just
    /// failed.
    pub(super) async fn for_search(
        &self,
        means: &Means<'_>,
        admission: &Admission<'_>,
    ) -> Result<Reached<Arc<Connection>>, Fault> {
        let now = means.clock.now();
        let place = self.next.fetch_add(1, Ordering::Relaxed) % SEARCH_CONNECTIONS;
        let mut shared = self.searching[place].lock().await;
        if let Some(held) = shared.as_mut().filter(|held| !held.connection.has_ended()) {
            held.used = now;
            return Ok(Reached { connection: Arc::clone(&held.connection), is_reused: true });
        }
        if admission.is_outdated() {
            return Err(Fault::new(FaultKind::NotReached, "somebody else just could not reach it"));
        }
        *shared = None;
        let limit = means.settings.connect_timeout;
        match within(limit, connect_as_service(&self.address, means)).await {
            Ok(connection) => {
                let connection = Arc::new(connection);
                *shared = Some(Shared { connection: Arc::clone(&connection), used: means.clock.now() });
                Ok(Reached { connection, is_reused: false })
            }
            Err(fault) => {
                // Before the others see that there is still no connection.
                admission.fail(means.clock.now());
                Err(fault)
            }
        }
    }

    /// Closes what nobody used for long; whether anything is left.
    pub(super) fn close_idle(&self, now: Moment) -> bool {
        let mut is_left = self.idle.close_unused(now);
        for place in &self.searching {
            match place.try_lock() {
                Ok(mut shared) => {
                    if shared
                        .as_ref()
                        .is_some_and(|held| held.connection.has_ended() || now.since(held.used) >= IDLE_KEPT)
                    {
                        *shared = None;
                    }
                    is_left |= shared.is_some();
                }
                // Somebody is connecting.
                Err(_) => is_left = true,
            }
        }
        is_left
    }
}

async fn within<T>(
    limit: std::time::Duration,
    attempt: impl Future<Output = Result<T, Fault>>,
) -> Result<T, Fault> {
    let too_late = || Fault::new(FaultKind::TooLate, format!("no connection within {limit:?}"));
    tokio::time::timeout(limit, attempt).await.map_err(|_| too_late())?
}

async fn connect(address: &settings::Server, means: &Means<'_>) -> Result<Connection, Fault> {
    let stream = reach(&resolve(address).await?).await?;
    let secured = secure(stream, address, means.settings.transport, means.trust).await?;
    Ok(Connection::over(secured, means.office))
}

async fn connect_as_service(address: &settings::Server, means: &Means<'_>) -> Result<Connection, Fault> {
    let connection = connect(address, means).await?;
    if let Some(service) = &means.settings.login.service {
        bind_service(&connection, service, means.settings).await?;
    }
    Ok(connection)
}

/// The service account's bind: what the server has against it is nobody's fault who logs in.
async fn bind_service(
    connection: &Connection,
    service: &ServiceAccount,
    settings: &Settings,
) -> Result<(), Fault> {
    let limit = settings.connect_timeout;
    let result = connection.bind(&service.dn, service.password.expose(), limit).await?;
    judge_service_bind(&result).map_err(|Unavailability(why)| Fault::new(FaultKind::NotReached, why))
}
