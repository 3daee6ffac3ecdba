//! The login that an operator plays through: each step, how long it took, what the server said.
//!
//! Called by `mod.rs` for `doorward realm test`. Must never count as a login, use the logins' connections, or have a password
//! in what it says.

use std::time::Duration;

use auth::{RehearsedStep, Unavailability, Username};

use super::Core;
use super::account::{attributes_of, has_one_spelling, is_called, is_expired};
use super::certificate;
use super::login::can_be_asked;
use super::reader::{Read, Reader};
use crate::limits::MAX_DIAGNOSTIC_BYTES;
use crate::net::{Connection, Entry, transport};
use crate::settings::{LoginWay, Server, Transport, UserSearch};
use crate::words::mapping::Group;
use crate::words::verdicts::{Bound, Origin, judge_bind, judge_service_bind, said};

/// Stands in place of a password that a server repeated.
const MARK: &str = "***";
/// Groups whose names are told; of the others their number.
const MOST_NAMED: usize = 32;
/// Matches every entry.
const ANYTHING: &str = "(objectClass=*)";

/// The steps so far.
struct Script<'a> {
    steps: Vec<RehearsedStep>,
    secrets: Vec<&'a str>,
}

/// What a step came to: what is said of it, and what the next ones need. In the error, what is said only.
type Came<T> = Result<(T, String), String>;

impl Script<'_> {
    /// Plays one step.
    async fn step<T>(&mut self, what: String, play: impl Future<Output = Came<T>>) -> Option<T> {
        let began = now();
        let came = play.await;
        let took = now().duration_since(began);
        let (value, is_good, said) = match came {
            Ok((value, said)) => (Some(value), true, said),
            Err(said) => (None, false, said),
        };
        // What was done holds what the operator typed, and no secret: a mark there would tell him that he typed one.
        let said = self.without_secrets(said);
        self.steps.push(RehearsedStep { what, took, is_good, said });
        value
    }

    /// A step that only says what came of the others.
    fn conclude(&mut self, what: &str, is_good: bool, said: String) {
        let said = self.without_secrets(said);
        self.steps.push(RehearsedStep { what: what.to_owned(), took: Duration::ZERO, is_good, said });
    }

    fn without_secrets(&self, text: String) -> String {
        self.secrets.iter().fold(text, |text, secret| text.replace(secret, MARK))
    }
}

/// For measuring only: nothing is decided by it.
#[expect(clippy::disallowed_methods, reason = "steps of a millisecond are measured, and nothing is decided")]
fn now() -> tokio::time::Instant {
    tokio::time::Instant::now()
}

impl Core {
    /// Plays a login through.
    pub(super) async fn rehearse(&self, username: &Username, password: Option<&str>) -> Vec<RehearsedStep> {
        let service = self.settings().login.service.as_ref();
        let secrets = service.map(|service| service.password.expose()).into_iter().chain(password);
        let secrets = secrets.filter(|secret| !secret.is_empty()).collect();
        let mut script = Script { steps: Vec::new(), secrets };
        let mut reached = None;
        for server in &self.settings().servers {
            let connection = self.visit(&mut script, server).await;
            reached = reached.or(connection.map(|connection| (server, connection)));
        }
        if let Some((server, connection)) = reached {
            self.play_login(&mut script, server, &connection, username, password).await;
        }
        script.steps
    }

    /// Every server of the list, as far as the service account's bind.
    async fn visit(&self, script: &mut Script<'_>, server: &Server) -> Option<Connection> {
        let limit = self.settings().connect_timeout;
        let connection = self.connect(script, server).await?;
        let Some(service) = &self.settings().login.service else { return Some(connection) };
        let bind = async {
            let answer = connection.bind(&service.dn, service.password.expose(), limit).await;
            let answer = answer.map_err(|fault| fault.to_string())?;
            judge_service_bind(&answer).map_err(|Unavailability(why)| why.into_owned())?;
            Ok(((), said(&answer)))
        };
        script.step(format!("bind as the service account {} at {server}", service.dn), bind).await?;
        Some(connection)
    }

    async fn connect(&self, script: &mut Script<'_>, server: &Server) -> Option<Connection> {
        let limit = self.settings().connect_timeout;
        let resolve = async {
            let addresses = within(limit, transport::resolve(server)).await?;
            let said = addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            Ok((addresses, said))
        };
        let addresses = script.step(format!("resolve {}", server.host), resolve).await?;
        let reach =
            async { Ok((within(limit, transport::reach(&addresses, limit)).await?, "connected".to_owned())) };
        let stream = script.step(format!("connect to {server}"), reach).await?;
        let kind = self.settings().transport;
        let secure = async {
            let secured = within(limit, transport::secure(stream, server, kind, &self.network.trust)).await?;
            let connection = Connection::over(secured, &self.network.office);
            let said = match connection.certificate() {
                Some(certificate) => certificate::described(certificate),
                None => "nobody checked who the server is".to_owned(),
            };
            Ok((connection, said))
        };
        let what = match kind {
            Transport::Plain => return secure.await.ok().map(|(connection, _)| connection),
            Transport::StartTls => "StartTLS",
            Transport::Ldaps => "TLS",
        };
        script.step(format!("{what} with {server}"), secure).await
    }

    async fn play_login(
        &self,
        script: &mut Script<'_>,
        server: &Server,
        connection: &Connection,
        username: &Username,
        password: Option<&str>,
    ) {
        if !can_be_asked(username) {
            script.conclude("look at the name", false, "nobody can be called so".to_owned());
            return;
        }
        let as_service = Reader::Alone(connection, self.settings().timeout);
        let has_service = self.settings().login.service.is_some();
        let Some((dn, entry)) = self.locate(script, as_service, username).await else { return };
        let own = match password {
            Some(password) => {
                let Some(own) = self.connect_quietly(script, server).await else { return };
                if !self.try_password(script, &own, &dn, entry.is_some(), password).await {
                    return;
                }
                Some(own)
            }
            None => None,
        };
        // Who reads is who would read at a login.
        let reader = match (&own, entry.is_some() || has_service) {
            (_, true) => as_service,
            (Some(own), false) => Reader::Alone(own, self.settings().timeout),
            (None, false) => {
                script.conclude(
                    "read the entry",
                    true,
                    "only the user himself may, with his password".to_owned(),
                );
                return;
            }
        };
        let entry = match entry {
            Some(entry) => entry,
            None => {
                let Some(entry) = self.read_own(script, reader, &dn, username).await else { return };
                entry
            }
        };
        // Whose principal's name that is, the password of the entry tells that was found.
        if let (LoginWay::Principal(..), Some(own), Some(password)) =
            (&self.settings().login.way, &own, password)
            && !self.try_password(script, own, &entry.name, true, password).await
        {
            return;
        }
        self.describe(script, reader, &entry, username).await;
    }

    /// What he binds as, and his entry where it is searched first.
    async fn locate(
        &self,
        script: &mut Script<'_>,
        reader: Reader<'_>,
        username: &Username,
    ) -> Option<(String, Option<Entry>)> {
        match &self.settings().login.way {
            LoginWay::Search(search) => {
                let entry = self.play_search(script, reader, search, username).await?;
                Some((entry.name.clone(), Some(entry)))
            }
            LoginWay::Template(_) | LoginWay::Principal(..) => {
                let name = self.name_of_bind(username.canonical());
                let said = match &name {
                    None => "nobody can be called so",
                    Some(_) if has_one_spelling(username, self.settings().directory) => {
                        return Some((name?, None));
                    }
                    Some(_) => "for a direct bind it has a sign that directories drop, or take for another",
                };
                script.conclude("look at the name", false, said.to_owned());
                None
            }
        }
    }

    async fn play_search(
        &self,
        script: &mut Script<'_>,
        reader: Reader<'_>,
        search: &UserSearch,
        username: &Username,
    ) -> Option<Entry> {
        let what = format!("search {} for {}", search.base, search.filter.fill(username.canonical()));
        let found = async {
            match self.find(reader, search, username).await {
                Ok(Some(entry)) => {
                    let name = entry.name.clone();
                    Ok((entry, name))
                }
                Ok(None) => Err("nobody of this name".to_owned()),
                Err(Unavailability(why)) => Err(why.into_owned()),
            }
        };
        script.step(what, found).await
    }

    /// A second connection for the user's bind; only a failure is a step.
    async fn connect_quietly(&self, script: &mut Script<'_>, server: &Server) -> Option<Connection> {
        let before = script.steps.len();
        let connection = self.connect(script, server).await;
        if connection.is_some() {
            script.steps.truncate(before);
        }
        connection
    }

    async fn try_password(
        &self,
        script: &mut Script<'_>,
        own: &Connection,
        dn: &str,
        is_found: bool,
        password: &str,
    ) -> bool {
        let origin = if is_found { Origin::Search } else { Origin::Template };
        let bind = async {
            let answer = own.bind(dn, password, self.settings().timeout).await;
            let answer = answer.map_err(|fault| fault.to_string())?;
            match judge_bind(&answer, origin) {
                Bound::In => Ok(((), said(&answer))),
                Bound::Rejected(rejection) => Err(format!("{}; that is {rejection:?}", said(&answer))),
                Bound::NotMine => Err(format!("{}; that is nobody", said(&answer))),
                Bound::Unavailable(Unavailability(why)) => Err(why.into_owned()),
            }
        };
        script.step(format!("bind as {dn}"), bind).await.is_some()
    }

    /// His entry, after a direct bind.
    async fn read_own(
        &self,
        script: &mut Script<'_>,
        reader: Reader<'_>,
        dn: &str,
        username: &Username,
    ) -> Option<Entry> {
        match &self.settings().login.way {
            LoginWay::Search(search) | LoginWay::Principal(_, search) => {
                self.play_search(script, reader, search, username).await
            }
            LoginWay::Template(_) => {
                let read = async {
                    match reader.read_one("the entry", dn, ANYTHING, &self.wanted.names()).await {
                        Ok(Read::Entries(mut entries)) if !entries.is_empty() => {
                            let entry = entries.swap_remove(0);
                            if !is_called(&entry, username, self.settings()) {
                                return Err("it has another name".to_owned());
                            }
                            let name = entry.name.clone();
                            Ok((entry, name))
                        }
                        Ok(_) if self.cannot_do_without_entry() => {
                            Err("it is not there, or must not be read: login.disabledFilter cannot be judged, and he stays out".to_owned())
                        }
                        Ok(_) => {
                            Err("it is not there, or must not be read: his password lets him in, without groups and attributes".to_owned())
                        }
                        Err(untold) => Err(untold.why.0.into_owned()),
                    }
                };
                script.step(format!("read {dn}"), read).await
            }
        }
    }

    /// What a login would say of him.
    async fn describe(&self, script: &mut Script<'_>, reader: Reader<'_>, entry: &Entry, typed: &Username) {
        let name = async {
            match self.name_for(reader, entry, typed).await {
                Ok(Some(name)) => {
                    let shown = name.shown().to_owned();
                    Ok((name, shown))
                }
                Ok(None) => {
                    let attribute = &self.settings().login.name_attribute;
                    Err(format!("{attribute} has none that a user can have"))
                }
                Err(Unavailability(why)) => Err(why.into_owned()),
            }
        };
        let Some(username) = script.step("his name".to_owned(), name).await else { return };
        let is_expired = is_expired(entry, self.settings(), self.network.clock().wall());
        let state = async {
            match self.is_disabled(reader, &entry.name).await {
                Ok(true) => Err("he is disabled".to_owned()),
                Ok(false) if is_expired => Err("his time is over".to_owned()),
                Ok(false) => Ok(((), "he is neither disabled nor past his time".to_owned())),
                Err(Unavailability(why)) => Err(why.into_owned()),
            }
        };
        let filter = self.settings().login.disabled_filter.as_deref().unwrap_or("nothing");
        script.step(format!("ask whether he is disabled, by {filter}"), state).await;
        let groups = async {
            match self.groups_of(reader, entry, username.canonical()).await {
                Ok(groups) => {
                    let mut names: Vec<_> = groups.iter().take(MOST_NAMED).map(Group::shown).collect();
                    let more = format!("and {} more", groups.len().saturating_sub(MOST_NAMED));
                    if groups.len() > MOST_NAMED {
                        names.push(&more);
                    }
                    let said = listed(&names);
                    Ok((groups, said))
                }
                Err(Unavailability(why)) => Err(why.into_owned()),
            }
        };
        if let Some(groups) = script.step("ask for his groups".to_owned(), groups).await {
            let roles = self.settings().groups.mapping.roles(&groups);
            script.conclude("his roles", true, listed(&roles));
        }
        let attributes = attributes_of(entry, self.settings());
        let attributes: Vec<_> = attributes.iter().map(|one| format!("{}={}", one.name, one.value)).collect();
        script.conclude("his attributes", true, listed(&attributes));
    }
}

fn listed<T: ToString>(members: &[T]) -> String {
    if members.is_empty() {
        return "none".to_owned();
    }
    members.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

async fn within<T>(
    limit: Duration,
    attempt: impl Future<Output = Result<T, crate::net::Fault>>,
) -> Result<T, String> {
    match tokio::time::timeout(limit, attempt).await {
        Ok(came) => came.map_err(|fault| cut(fault.to_string())),
        Err(_) => Err(format!("nothing within {limit:?}")),
    }
}

fn cut(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(MAX_DIAGNOSTIC_BYTES));
    text
}
