//! `doorward key`: API keys, and the keys that the gateway signs with, over the HTTP API.

use auth::{KeyId, UserId};
use clap::Subcommand;
use serde_json::{Map, Value, json};
use ureq::http::Method;

use super::{Failure, note, say};
use crate::remote::{Remote, Server, print};

const COLUMNS: &[(&str, &str)] = &[
    ("NAME", "name"),
    ("USER", "userId"),
    ("EXPIRES", "expiresAt"),
    ("SINCE", "createdAt"),
    ("USED", "lastUsedAt"),
    ("FROM", "lastUsedFrom"),
    ("ID", "id"),
];

const SIGNING_COLUMNS: &[(&str, &str)] = &[
    ("STATE", "state"),
    ("ALGORITHM", "algorithm"),
    ("SINCE", "createdAt"),
    ("UNTIL", "retiredUntil"),
    ("ID", "id"),
];

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    server: Server,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// All keys that --login may see, or those of a user
    List {
        /// Of this user (name or id) only
        #[arg(long, value_name = "USER")]
        user: Option<String>,
        /// The realm in which --user is looked for
        #[arg(long, value_name = "NAME", default_value = "native")]
        realm: String,
        /// Of this name only
        #[arg(long, value_name = "TEXT")]
        name: Option<String>,
    },
    /// A new key; it is printed this once and kept nowhere
    Create {
        /// What it is for
        name: String,
        /// The user (name or id) for whom it stands; without it, --login
        #[arg(long, value_name = "USER")]
        user: Option<String>,
        /// The realm in which --user is looked for
        #[arg(long, value_name = "NAME", default_value = "native")]
        realm: String,
        /// What it may do of what its user may: GET,POST:/collections/{id}:id=demo; may be given more than once. Without
        /// it, all that the user may
        #[arg(long, value_name = "PERMISSION")]
        permission: Option<Vec<String>>,
        /// It may do nothing
        #[arg(long, conflicts_with = "permission")]
        no_permissions: bool,
        /// When it stops counting: 2027-01-31T00:00:00Z; without it, never
        #[arg(long, value_name = "TIME")]
        expires: Option<String>,
    },
    /// Take a key back; it holds from the next request on
    Delete {
        /// The key's id, or its name where only one has it
        key: String,
    },
    /// The keys that the gateway signs tokens with
    Signing,
    /// Sign with the next key from now on; nobody is logged out
    Rotate {
        /// Even if the next key is published for less than 10 minutes, so that some verifiers may not know it
        #[arg(long)]
        force: bool,
    },
    /// Take a signing key away at once and for good, because somebody else may have it; the next one signs
    Withdraw {
        /// The key's id, as `key signing` and a token's kid say it
        // One in 64 begins with a hyphen.
        #[arg(value_name = "KID", allow_hyphen_values = true)]
        key: String,
    },
}

/// Where a server has its signing keys, whatever its mounts speak.
const SIGNING_KEYS: &str = "/.doorward/oauth2/keys";

pub(crate) fn run(arguments: Arguments) -> Result<(), Failure> {
    let json = arguments.server.json;
    let remote = arguments.server.reach()?;
    match arguments.action {
        Action::List { user, realm, name } => {
            let user = match user {
                None => None,
                Some(user) => Some(super::user::id_of(&remote, &user, &realm)?),
            };
            let user = user.iter().map(|user| ("user", user.as_str()));
            let query: Vec<_> = user.chain(name.iter().map(|name| ("name", name.as_str()))).collect();
            print(json, &remote.all("/api-keys", &query)?, COLUMNS);
        }
        Action::Create { name, user, realm, permission, no_permissions, expires } => {
            let mut body =
                Map::from_iter([("name".to_owned(), json!(name)), ("expiresAt".to_owned(), json!(expires))]);
            match user {
                None => {}
                Some(id) if id.parse::<UserId>().is_ok() => {
                    body.insert("userId".to_owned(), json!(id));
                }
                Some(name) => {
                    body.insert("username".to_owned(), json!(name));
                    body.insert("realmName".to_owned(), json!(realm));
                }
            }
            let permissions = if no_permissions { Some(Vec::new()) } else { permission };
            body.insert("permissions".to_owned(), json!(permissions));
            made(json, &remote.ask(Method::POST, "/api-keys", &[], Some(&Value::Object(body)))?)?;
        }
        Action::Delete { key } => {
            let found = find(&remote, &key)?;
            let id = found["id"].as_str().unwrap_or_default();
            remote.ask(Method::DELETE, &format!("/api-keys/{id}"), &[], None)?;
            if !json {
                say(&format!("{key} is taken back"));
            }
        }
        Action::Signing => {
            let keys = remote.ask_at_root(Method::GET, SIGNING_KEYS, &[])?;
            print(json, listed(&keys)?, SIGNING_COLUMNS);
        }
        Action::Rotate { force } => {
            let query = [("force", if force { "true" } else { "false" })];
            let keys = remote.ask_at_root(Method::POST, &format!("{SIGNING_KEYS}/rotate"), &query)?;
            print(json, listed(&keys)?, SIGNING_COLUMNS);
        }
        Action::Withdraw { key } => {
            print(json, listed(&withdraw(&remote, &key)?)?, SIGNING_COLUMNS);
        }
    }
    Ok(())
}

/// Has a signing key withdrawn; the keys that are left.
fn withdraw(remote: &Remote, key: &str) -> Result<Value, Failure> {
    let unknown = || {
        Failure::NotFound(format!("{key}: no key has this id; `doorward key signing` lists those there are"))
    };
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    // What no key's id can be is no segment of a path either.
    if key.is_empty() || !key.bytes().all(is_plain) || key == "rotate" {
        return Err(unknown());
    }
    match remote.ask_at_root(Method::DELETE, &format!("{SIGNING_KEYS}/{key}"), &[]) {
        Err(Failure::NotFound(_)) => {
            // Where there are no keys at all, it is the wrong listener.
            remote.ask_at_root(Method::GET, SIGNING_KEYS, &[])?;
            Err(unknown())
        }
        answered => answered,
    }
}

fn listed(keys: &Value) -> Result<&[Value], Failure> {
    let keys = keys.as_array().map(Vec::as_slice);
    keys.ok_or_else(|| Failure::because("the server's answer is no list"))
}

/// Prints a new key: alone on stdout, so that a script can keep it.
fn made(json: bool, key: &Value) -> Result<(), Failure> {
    if json {
        print(json, std::slice::from_ref(key), COLUMNS);
        return Ok(());
    }
    let text = key["key"].as_str().ok_or_else(|| Failure::because("the server's answer has no key in it"))?;
    say(text);
    note(&format!(
        "This is the only time it is shown. Its id is {}.",
        key["id"].as_str().unwrap_or_default()
    ));
    Ok(())
}

fn find(remote: &Remote, named: &str) -> Result<Value, Failure> {
    if named.parse::<KeyId>().is_ok() {
        return remote.ask(Method::GET, &format!("/api-keys/{named}"), &[], None);
    }
    remote.one("/api-keys", &[("name", named)], named)
}
