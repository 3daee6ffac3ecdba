//! The binary as a system of the checker: each operation is one request on a connection that nobody else uses meanwhile.
//!
//! What only every user may have is the gateway's own `GET /session`; what is guarded is behind it. Each request comes from an
//! address of its own (through a proxy that is trusted), so that nobody is slowed for what others show. Must never send a request
//! again.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use auth::Pending;
use serde_json::{Value, json};
use testkit::Recorder;
use testkit::checker::{Credential, Door, Operation, Shape, System, Told};
use testkit::process::Doorward;
use testkit::raw::{self, Answer, Raw};

use crate::common::{BINARY, PASSWORD, as_admin, basic, log_in};

/// What is behind the gateway and needs a role.
const GUARDED: &str = "/guarded/x";

/// The binary, and what its answers said that later requests need.
pub(super) struct Remote {
    shape: Shape,
    gateway: RwLock<Doorward>,
    /// Connections of this process of the gateway, that nobody uses now.
    idle: Mutex<Vec<Raw>>,
    admin: String,
    users: Vec<String>,
    realms: Vec<String>,
    roles: Vec<String>,
    /// Public ids of sessions and keys, by what they are shown by.
    ids: Mutex<HashMap<String, String>>,
    addresses: AtomicU32,
}

/// A request without its address.
struct Asked {
    method: &'static str,
    target: String,
    fields: Vec<(&'static str, String)>,
    body: String,
}

impl Asked {
    fn new(method: &'static str, target: impl Into<String>) -> Self {
        Self { method, target: target.into(), fields: Vec::new(), body: String::new() }
    }

    fn field(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.fields.push((name, value.into()));
        self
    }

    fn json(mut self, body: &Value) -> Self {
        self.body = body.to_string();
        self.field("Content-Type", "application/json")
    }
}

impl Remote {
    /// The binary with the users, realms and roles of this shape.
    pub(super) fn start(backend: &Recorder, shape: Shape) -> Arc<dyn System> {
        let settings = format!(
            "trusted_proxies = [\"127.0.0.0/8\"]\n\
             [[mount]]\npath = \"/api\"\ndialect = \"fusion\"\nupstream = \"{}\"\n\
             [login]\nattempts_per_user = 100\nattempts_per_address = 1000000\nhash_parallel = 2\n",
            backend.url()
        );
        let gateway = Doorward::new(BINARY)
            .environment("DOORWARD_ADMIN_PASSWORD", PASSWORD)
            .settings(&settings)
            .start();
        let address = gateway.address();
        let made = |path: &str, body: Value| {
            let (status, made) = as_admin(address, "POST", path, &body.to_string());
            assert_eq!(status, 201, "{made}");
            made["id"].as_str().unwrap().to_owned()
        };
        let realm = |number| json!({ "name": realm_name(number), "realmType": "native" });
        let realms = (0..shape.realms).map(|number| made("/realm-configs", realm(number))).collect();
        let roles = (0..shape.roles)
            .map(|number| {
                made("/roles", json!({ "name": role_name(number), "permissions": permissions(true) }))
            })
            .collect();
        for number in 0..shape.apps {
            made("/apps", json!({ "id": app_name(number), "name": app_name(number) }));
        }
        let users = (0..shape.users).map(|number| made("/users", new_user(shape, number, 1))).collect();
        Arc::new(Self {
            shape,
            admin: log_in(address, "admin", PASSWORD),
            gateway: RwLock::new(gateway),
            idle: Mutex::default(),
            users,
            realms,
            roles,
            ids: Mutex::default(),
            addresses: AtomicU32::new(0),
        })
    }

    /// `kill -9`, while others wait for their answers; and a new process.
    fn restart(&self) -> Told {
        self.gateway.read().unwrap().signal(rustix::process::Signal::KILL);
        let mut gateway = self.gateway.write().unwrap();
        gateway.restart();
        self.idle.lock().unwrap().clear();
        Told::Done
    }

    fn operate(&self, operation: &Operation) -> Option<Told> {
        match operation {
            Operation::LogIn { user, password, app } => return self.log_in(*user, *password, *app),
            Operation::MakeKey { user } => {
                let asked = self.of_admin("POST", "/api-keys").json(&json!({
                    "name": "checked", "userId": self.users[*user]
                }));
                let answer = self.ask(&asked)?;
                if answer.status != 201 {
                    return Some(told_of(&answer, &asked));
                }
                let made: Value = serde_json::from_slice(&answer.body).unwrap();
                let text = made["key"].as_str().unwrap().to_owned();
                self.remember(&text, made["id"].as_str().unwrap());
                return Some(Told::Made(text));
            }
            Operation::Restart => return Some(self.restart()),
            _ => {}
        }
        let asked = self.request(operation);
        let answer = self.ask(&asked)?;
        // What was asked for before, and not answered, is done; and a session that is no more needs no end.
        let is_done = match operation {
            Operation::Delete { .. }
            | Operation::RevokeKey { .. }
            | Operation::EndSession { .. }
            | Operation::EndUser { .. } => answer.status == 404,
            Operation::Create { .. } => answer.status == 409,
            _ => false,
        };
        Some(if is_done { Told::Done } else { told_of(&answer, &asked) })
    }

    fn request(&self, operation: &Operation) -> Asked {
        let user = |user: &usize| format!("/users/{}", self.users[*user]);
        let change = |path: String, body: Value| self.of_admin("PATCH", &path).json(&body);
        match operation {
            Operation::Use { credential, door } => self.show(credential, *door),
            Operation::LogOut { session } => with_cookie("DELETE", "/api/session", text_of(session)),
            Operation::EndSession { session, .. } => match self.id_of(text_of(session)) {
                Some(id) => self.of_admin("DELETE", &format!("/sessions/{id}")),
                None => with_cookie("DELETE", "/api/session", text_of(session)),
            },
            Operation::EndUser { user: ended } => {
                self.of_admin("DELETE", &format!("{}/sessions", user(ended)))
            }
            Operation::EndRealm { realm } => {
                self.of_admin("DELETE", &format!("/sessions?realm={}", realm_name(*realm)))
            }
            Operation::EndApp { app } => {
                self.of_admin("DELETE", &format!("/sessions?app={}", app_name(*app)))
            }
            Operation::SetEnabled { user: changed, enabled } => {
                change(user(changed), json!({ "enabled": enabled }))
            }
            Operation::SetPassword { user: changed, password } => {
                change(user(changed), json!({ "password": password_text(*password) }))
            }
            Operation::SetGranted { user: changed, granted } => {
                let roles = if *granted { roles_of(self.shape, *changed) } else { Vec::new() };
                change(user(changed), json!({ "roleNames": roles }))
            }
            Operation::Delete { user: gone } => self.of_admin("DELETE", &user(gone)),
            Operation::Create { user, password } => {
                self.of_admin("POST", "/users").json(&new_user(self.shape, *user, *password))
            }
            Operation::RevokeKey { key } => {
                let id = self.id_of(text_of(key)).expect("a key that was made has an id");
                self.of_admin("DELETE", &format!("/api-keys/{id}"))
            }
            Operation::SetRole { role, allows } => {
                let path = format!("/roles/{}", self.roles[*role]);
                change(path, json!({ "permissions": permissions(*allows) }))
            }
            Operation::SetRealm { realm, enabled } => {
                change(format!("/realm-configs/{}", self.realms[*realm]), json!({ "enabled": enabled }))
            }
            Operation::LogIn { .. } | Operation::MakeKey { .. } | Operation::Restart => {
                panic!("{operation:?} is not one request")
            }
        }
    }

    fn show(&self, credential: &Credential, door: Door) -> Asked {
        let path = match door {
            Door::Open => "/session",
            Door::Guarded => GUARDED,
        };
        match credential {
            Credential::Session(token) => with_cookie("GET", &format!("/api{path}"), token),
            Credential::Key(text) => Asked::new("GET", format!("/api{path}")).field("x-api-key", text),
            Credential::Basic(user, password) => {
                let realm = realm_name(self.shape.realm(*user));
                Asked::new("GET", format!("/api{path}?realmName={realm}"))
                    .field("Authorization", basic(&user_name(*user), &password_text(*password)))
            }
        }
    }

    fn log_in(&self, user: usize, password: u32, app: usize) -> Option<Told> {
        let (realm, app) = (realm_name(self.shape.realm(user)), app_name(app));
        let body = json!({ "username": user_name(user), "password": password_text(password) });
        let asked = Asked::new("POST", format!("/api/apps/{app}/session?realmName={realm}")).json(&body);
        let answer = self.ask(&asked)?;
        if answer.status != 201 {
            return Some(told_of(&answer, &asked));
        }
        let token = answer.set_cookie("id").expect("a session cookie").to_owned();
        // Its public id, unless it has ended in the meantime.
        if let Some(peek) = self.ask(&with_cookie("GET", "/api/session?peek=true", &token)) {
            let told: Value = serde_json::from_slice(&peek.body).unwrap_or_default();
            if let Some(id) = told["session"]["id"].as_str() {
                self.remember(&token, id);
            }
        }
        Some(Told::Made(token))
    }

    fn of_admin(&self, method: &'static str, path: &str) -> Asked {
        with_cookie(method, &format!("/api{path}"), &self.admin)
    }

    /// The answer; `None` where it did not come, or not whole.
    fn ask(&self, asked: &Asked) -> Option<Answer> {
        let gateway = self.gateway.read().unwrap();
        let mut client = match self.idle.lock().unwrap().pop() {
            Some(client) => client,
            None => Raw::try_connect(gateway_address(&gateway)).ok()?,
        };
        let [_, a, b, c] = self.addresses.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let from = format!("10.{a}.{b}.{c}");
        let mut fields = vec![("X-Forwarded-For", from.as_str())];
        fields.extend(asked.fields.iter().map(|(name, value)| (*name, value.as_str())));
        client.try_send(raw::request(asked.method, &asked.target, &fields, &asked.body)).ok()?;
        let answer = client.try_read_answer_to(asked.method).ok()?;
        if answer.header("connection") != Some("close") {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(client);
        }
        Some(answer)
    }

    fn remember(&self, shown: &str, id: &str) {
        self.ids.lock().unwrap().insert(shown.to_owned(), id.to_owned());
    }

    fn id_of(&self, shown: &str) -> Option<String> {
        self.ids.lock().unwrap().get(shown).cloned()
    }
}

impl System for Remote {
    fn perform<'a>(&'a self, operation: &'a Operation) -> Pending<'a, Told> {
        Box::pin(async move { tokio::task::block_in_place(|| self.operate(operation)).unwrap_or(Told::Lost) })
    }
}

/// A process that was killed has told its address before.
fn gateway_address(gateway: &Doorward) -> SocketAddr {
    gateway.address()
}

fn told_of(answer: &Answer, asked: &Asked) -> Told {
    match answer.status {
        200 | 201 | 204 => Told::Done,
        401 => Told::Unknown,
        403 => Told::Forbidden,
        429 | 503 => Told::Busy,
        other => panic!("{other} {} to {} {}", answer.body_text(), asked.method, asked.target),
    }
}

fn with_cookie(method: &'static str, target: &str, token: &str) -> Asked {
    Asked::new(method, target).field("Cookie", format!("id={token}"))
}

fn text_of(credential: &Credential) -> &str {
    match credential {
        Credential::Session(text) | Credential::Key(text) => text,
        Credential::Basic(..) => panic!("{credential:?} is no text"),
    }
}

fn new_user(shape: Shape, number: usize, password: u32) -> Value {
    json!({
        "username": user_name(number),
        "realmName": realm_name(shape.realm(number)),
        "password": password_text(password),
        "roleNames": roles_of(shape, number),
    })
}

fn roles_of(shape: Shape, user: usize) -> Vec<String> {
    vec![role_name(shape.role(user))]
}

fn permissions(allows: bool) -> Vec<&'static str> {
    if allows { vec!["GET:/guarded/**"] } else { Vec::new() }
}

fn realm_name(number: usize) -> String {
    format!("realm-{number}")
}

fn role_name(number: usize) -> String {
    format!("role-{number}")
}

fn app_name(number: usize) -> String {
    format!("app-{number}")
}

fn user_name(number: usize) -> String {
    format!("person-{number}")
}

fn password_text(number: u32) -> String {
    format!("purple meadow {number} lantern walrus")
}
