//! One server: its breaker, and the connections to it.
//!
//! Called by `network.rs`. Must never give a connection of somebody's bind to a search, or the other way round.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use auth::{Clock, Moment, Unavailability};
use ldap3::LdapResult;
use tokio::runtime::Handle;
use tokio::sync::{Mutex, MutexGuard};

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
    /// The connection for one search at a time.
    apart: Mutex<Option<Shared>>,
    next: AtomicUsize,
    /// Users' binds that it answered.
    binds: AtomicU64,
}

/// Who else searches over a connection of the service account at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Company {
    /// Whoever comes.
    Others,
    /// Nobody: what comes back is the answer to this search.
    Nobody,
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

/// A connection to search over, for as long as this lives.
pub(super) struct Reserved<'s> {
    pub(super) reached: Reached<Arc<Connection>>,
    /// Keeps others away.
    _alone: Option<MutexGuard<'s, Option<Shared>>>,
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
            apart: Mutex::default(),
            next: AtomicUsize::new(0),
            binds: AtomicU64::new(0),
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

    /// A user's bind. One that takes long while others' are answered is his own fault, who may have chosen how costly the hash of
    /// his password is.
    pub(super) async fn bind(
        &self,
        connection: &Connection,
        name: &str,
        password: &str,
        limit: Duration,
    ) -> Result<LdapResult, Fault> {
        let before = self.binds.load(Ordering::Relaxed);
        let answered = connection.bind(name, password, limit).await;
        match answered {
            Ok(_) => {
                self.binds.fetch_add(1, Ordering::Relaxed);
                answered
            }
            Err(fault) if self.binds.load(Ordering::Relaxed) != before => {
                Err(fault.though_others_were_answered())
            }
            Err(_) => answered,
        }
    }

    /// A connection of the service account. Who comes while it is being made waits for it, and does not try again what just
    /// failed.
    pub(super) async fn for_search(
        &self,
        means: &Means<'_>,
        admission: &Admission<'_>,
        company: Company,
    ) -> Result<Reserved<'_>, Fault> {
        let place = match company {
            Company::Others => {
                &self.searching[self.next.fetch_add(1, Ordering::Relaxed) % SEARCH_CONNECTIONS]
            }
            Company::Nobody => &self.apart,
        };
        let mut held = place.lock().await;
        let reached = self.fill(&mut held, means, admission).await?;
        Ok(Reserved { reached, _alone: (company == Company::Nobody).then_some(held) })
    }

    /// The connection that is held there, or a new one.
    async fn fill(
        &self,
        shared: &mut Option<Shared>,
        means: &Means<'_>,
        admission: &Admission<'_>,
    ) -> Result<Reached<Arc<Connection>>, Fault> {
        let now = means.clock.now();
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
        for place in self.searching.iter().chain([&self.apart]) {
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
                // Somebody is connecting, or alone on it.
                Err(_) => is_left = true,
            }
        }
        is_left
    }
}

async fn within<T>(limit: Duration, attempt: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    let too_late = || Fault::new(FaultKind::TooLate, format!("no connection within {limit:?}"));
    tokio::time::timeout(limit, attempt).await.map_err(|_| too_late())?
}

async fn connect(address: &settings::Server, means: &Means<'_>) -> Result<Connection, Fault> {
    let stream = reach(&resolve(address).await?, means.settings.connect_timeout).await?;
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
