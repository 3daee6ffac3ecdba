//! All servers of a realm as one: what is asked is asked of the first that answers.
//!
//! Called by the realm, for each bind and each search. Must never ask a server that failed a moment ago, repeat what was
//! answered, or say more of a failure than belongs in a log.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use auth::{Clock, Moment, Unavailability};
use ldap3::LdapResult;
use tokio::runtime::Handle;
use tokio::sync::SemaphorePermit;

use super::breaker::Admission;
use super::connection::{Connection, Found, Search};
use super::fault::Fault;
use super::gate::Gate;
use super::server::{Means, Server};
use super::trust::Trust;
use super::{IDLE_LOOK, LEAST_SEARCHES, MOST_ANONYMOUS_SEARCHES, SEARCHES_PER_BIND};
use crate::limits::WAITING_PER_CONNECTION;
use crate::settings::Settings;

/// The servers of a realm.
pub(crate) struct Network {
    pub(crate) settings: Settings,
    pub(crate) trust: Trust,
    pub(crate) office: Handle,
    clock: Arc<dyn Clock>,
    servers: Vec<Server>,
    binds: Gate,
    pub(super) searches: Gate,
    /// Somebody looks for connections that nobody uses.
    has_janitor: AtomicBool,
}

/// A connection that somebody is bound on, until it is given back.
pub(crate) struct Bound<'a> {
    network: &'a Arc<Network>,
    server: &'a Server,
    connection: Connection,
    admission: Admission<'a>,
    _place: SemaphorePermit<'a>,
}

/// What the servers said on the way.
#[derive(Default)]
struct Attempts {
    next: usize,
    faults: Vec<String>,
}

impl Network {
    /// The servers of these settings. Reaches out to nobody.
    pub(crate) fn new(settings: Settings, office: Handle, clock: Arc<dyn Clock>) -> Self {
        let waiting = settings.pool_size * WAITING_PER_CONNECTION;
        let mut searches = (settings.pool_size * SEARCHES_PER_BIND).max(LEAST_SEARCHES);
        if settings.login.service.is_none() {
            searches = searches.min(MOST_ANONYMOUS_SEARCHES);
        }
        Self {
            trust: Trust::new(settings.trusted.clone()),
            office,
            clock,
            servers: settings.servers.iter().cloned().map(Server::new).collect(),
            binds: Gate::new(settings.pool_size, waiting, settings.pool_wait),
            searches: Gate::new(searches, waiting, settings.pool_wait),
            has_janitor: AtomicBool::new(false),
            settings,
        }
    }

    /// House time.
    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// Binds as somebody, on the first server that answers.
    ///
    /// # Errors
    /// [`Unavailability`]: none does, or all connections are busy.
    pub(crate) async fn bind(
        self: &Arc<Self>,
        name: &str,
        password: &str,
    ) -> Result<(Bound<'_>, LdapResult), Unavailability> {
        if name.is_empty() || password.is_empty() {
            // Servers take it for an anonymous bind, and say "success" (security.md case 17).
            return Err(unavailable("a bind without a name or a password is never sent".to_owned()));
        }
        let busy = |_| unavailable(format!("all {} connections are busy", self.settings.pool_size));
        let place = self.binds.pass().await.map_err(busy)?;
        let mut attempts = Attempts::default();
        while let Some((server, admission)) = attempts.next(self) {
            match self.bind_at(server, name, password).await {
                Ok((connection, result)) => {
                    admission.succeed();
                    let bound = Bound { network: self, server, connection, admission, _place: place };
                    return Ok((bound, result));
                }
                Err(fault) => attempts.note(server, &admission, &fault, self.clock.now()),
            }
        }
        Err(attempts.unavailability())
    }

    /// On one server: once more where a connection that had waited turns out to be dead.
    async fn bind_at(
        &self,
        server: &Server,
        name: &str,
        password: &str,
    ) -> Result<(Connection, LdapResult), Fault> {
        let limit = self.settings.timeout;
        let reached = server.for_bind(&self.means(), true).await?;
        match reached.connection.bind(name, password, limit).await {
            Err(fault) if fault.is_broken() && reached.is_reused => {
                server.idle.clear();
                let reached = server.for_bind(&self.means(), false).await?;
                let result = reached.connection.bind(name, password, limit).await?;
                Ok((reached.connection, result))
            }
            answered => answered.map(|result| (reached.connection, result)),
        }
    }

    /// Searches as the service account, on the first server that answers.
    ///
    /// # Errors
    /// [`Unavailability`]: none does, or too much is searched already.
    pub(crate) async fn search(self: &Arc<Self>, search: Search<'_>) -> Result<Found, Unavailability> {
        let busy = |_| unavailable("too many searches wait already".to_owned());
        let _place = self.searches.pass().await.map_err(busy)?;
        let mut attempts = Attempts::default();
        while let Some((server, admission)) = attempts.next(self) {
            match self.search_at(server, &admission, search).await {
                Ok(found) => {
                    admission.succeed();
                    self.look_after();
                    return Ok(found);
                }
                Err(fault) => attempts.note(server, &admission, &fault, self.clock.now()),
            }
        }
        Err(attempts.unavailability())
    }

    async fn search_at(
        &self,
        server: &Server,
        admission: &Admission<'_>,
        search: Search<'_>,
    ) -> Result<Found, Fault> {
        let limit = self.settings.timeout;
        let mut reached = server.for_search(&self.means(), admission).await?;
        let mut answered = reached.connection.search(search, limit).await;
        if answered.as_ref().is_err_and(Fault::is_broken) && reached.is_reused {
            reached.connection.give_up();
            reached = server.for_search(&self.means(), admission).await?;
            answered = reached.connection.search(search, limit).await;
        }
        if answered.is_err() {
            reached.connection.give_up();
        }
        answered
    }

    fn means(&self) -> Means<'_> {
        Means { settings: &self.settings, trust: &self.trust, office: &self.office, clock: &*self.clock }
    }

    /// Closes connections that nobody used for long, as long as there are any.
    fn look_after(self: &Arc<Self>) {
        if self.has_janitor.swap(true, Ordering::Relaxed) {
            return;
        }
        self.office.spawn(look_for_idle(Arc::downgrade(self)));
    }

    /// Whether any connection is left.
    pub(super) fn close_idle(&self) -> bool {
        let now = self.clock.now();
        // Every one of them, and so no short cut.
        self.servers.iter().fold(false, |is_left, server| server.close_idle(now) | is_left)
    }
}

async fn look_for_idle(network: Weak<Network>) {
    loop {
        tokio::time::sleep(IDLE_LOOK).await;
        let Some(network) = network.upgrade() else { return };
        if !network.close_idle() {
            network.has_janitor.store(false, Ordering::Relaxed);
            return;
        }
    }
}

impl Attempts {
    /// The next server that may be asked.
    fn next<'n>(&mut self, network: &'n Network) -> Option<(&'n Server, Admission<'n>)> {
        while let Some(server) = network.servers.get(self.next) {
            self.next += 1;
            match server.breaker.admit(network.clock.now()) {
                Some(admission) => return Some((server, admission)),
                None => self.faults.push(format!("{}: left alone, because it failed before", server.address)),
            }
        }
        None
    }

    fn note(&mut self, server: &Server, admission: &Admission<'_>, fault: &Fault, now: Moment) {
        if fault.is_of_server() {
            admission.fail(now);
        }
        self.faults.push(format!("{}: {fault}", server.address));
    }

    fn unavailability(self) -> Unavailability {
        unavailable(self.faults.join("; "))
    }
}

impl Bound<'_> {
    /// Gives the connection back, for the next one's bind. Who does not do that closes it.
    pub(crate) fn release(self) {
        self.server.idle.put(self.connection, self.network.clock.now());
        self.network.look_after();
    }

    /// Searches as who is bound.
    ///
    /// # Errors
    /// [`Unavailability`]: the server did not answer.
    pub(crate) async fn search(&self, search: Search<'_>) -> Result<Found, Unavailability> {
        let answered = self.connection.search(search, self.network.settings.timeout).await;
        answered.map_err(|fault| {
            if fault.is_of_server() {
                self.admission.fail(self.network.clock.now());
            }
            unavailable(format!("{}: {fault}", self.server.address))
        })
    }
}

fn unavailable(why: String) -> Unavailability {
    Unavailability(Cow::Owned(why))
}
