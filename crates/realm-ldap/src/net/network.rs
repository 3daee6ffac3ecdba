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
use super::server::{Company, Means, Server};
use super::trust::Trust;
use super::untold::{Cause, Untold};
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
struct Attempts {
    next: usize,
    faults: Vec<String>,
    /// What those faults lie in.
    cause: Cause,
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
        let mut attempts = Attempts::new();
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
        Err(attempts.untold().into())
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
        match server.bind(&reached.connection, name, password, limit).await {
            Err(fault) if fault.is_broken() && reached.is_reused => {
                server.idle.clear();
                let reached = server.for_bind(&self.means(), false).await?;
                let result = server.bind(&reached.connection, name, password, limit).await?;
                Ok((reached.connection, result))
            }
            answered => answered.map(|result| (reached.connection, result)),
        }
    }

    /// Searches as the service account, on the first server that answers.
    ///
    /// # Errors
    /// [`Untold`]: none does, or too much is searched already.
    pub(crate) async fn search(self: &Arc<Self>, search: Search<'_>) -> Result<Found, Untold> {
        self.search_in(search, Company::Others).await
    }

    /// Searches as the service account, over a connection on which nobody else searches at the time: an answer that is too large
    /// is the answer to this search. One search at a time.
    ///
    /// # Errors
    /// As [`search`](Self::search).
    pub(crate) async fn search_apart(self: &Arc<Self>, search: Search<'_>) -> Result<Found, Untold> {
        self.search_in(search, Company::Nobody).await
    }

    async fn search_in(self: &Arc<Self>, search: Search<'_>, company: Company) -> Result<Found, Untold> {
        let busy = |_| Untold::new(Cause::Server, unavailable("too many searches wait already".to_owned()));
        let _place = self.searches.pass().await.map_err(busy)?;
        let mut attempts = Attempts::new();
        while let Some((server, admission)) = attempts.next(self) {
            match self.search_at(server, &admission, search, company).await {
                Ok(found) => {
                    admission.succeed();
                    self.look_after();
                    return Ok(found);
                }
                Err(fault) => attempts.note(server, &admission, &fault, self.clock.now()),
            }
        }
        Err(attempts.untold())
    }

    /// On one server: once more where a connection that had waited turns out to be dead.
    async fn search_at(
        &self,
        server: &Server,
        admission: &Admission<'_>,
        search: Search<'_>,
        company: Company,
    ) -> Result<Found, Fault> {
        let (answered, is_reused) = self.search_once(server, admission, search, company).await?;
        if is_reused && answered.as_ref().is_err_and(Fault::is_broken) {
            return self.search_once(server, admission, search, company).await?.0;
        }
        answered
    }

    /// What it came to, and whether the connection was there before. Without an answer nobody uses the connection any more.
    async fn search_once(
        &self,
        server: &Server,
        admission: &Admission<'_>,
        search: Search<'_>,
        company: Company,
    ) -> Result<(Result<Found, Fault>, bool), Fault> {
        let reserved = server.for_search(&self.means(), admission, company).await?;
        let connection = &reserved.reached.connection;
        let answered = connection.search(search, self.settings.timeout).await;
        if answered.is_err() {
            connection.give_up();
        }
        Ok((answered, reserved.reached.is_reused))
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
    fn new() -> Self {
        Self { next: 0, faults: Vec::new(), cause: Cause::Server }
    }

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
        self.cause = self.cause.max(fault.cause());
        self.faults.push(format!("{}: {fault}", server.address));
    }

    fn untold(self) -> Untold {
        Untold::new(self.cause, unavailable(self.faults.join("; ")))
    }
}

impl Bound<'_> {
    /// Gives the connection back, for the next one's bind. Who does not do that closes it.
    pub(crate) fn release(self) {
        self.server.idle.put(self.connection, self.network.clock.now());
        self.network.look_after();
    }

    /// Binds as somebody else, or by another name, on the same connection: whoever was bound is not any more, whatever the answer.
    ///
    /// # Errors
    /// [`Unavailability`]: the server did not answer.
    pub(crate) async fn bind(&self, name: &str, password: &str) -> Result<LdapResult, Unavailability> {
        let limit = self.network.settings.timeout;
        let answered = self.server.bind(&self.connection, name, password, limit).await;
        answered.map_err(|fault| self.failed(&fault))
    }

    /// Searches as who is bound.
    ///
    /// # Errors
    /// [`Unavailability`]: the server did not answer.
    pub(crate) async fn search(&self, search: Search<'_>) -> Result<Found, Unavailability> {
        let limit = self.network.settings.timeout;
        self.connection.search(search, limit).await.map_err(|fault| self.failed(&fault))
    }

    fn failed(&self, fault: &Fault) -> Unavailability {
        if fault.is_of_server() {
            self.admission.fail(self.network.clock.now());
        }
        unavailable(format!("{}: {fault}", self.server.address))
    }
}

fn unavailable(why: String) -> Unavailability {
    Unavailability(Cow::Owned(why))
}
