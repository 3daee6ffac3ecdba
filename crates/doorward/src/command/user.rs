//! `doorward user`: users, over the HTTP API.

use auth::UserId;
use clap::Subcommand;
use serde_json::{Value, json};
use ureq::http::Method;

use super::{Failure, changes, say, switched, whole};
use crate::remote::{Remote, Server, print, secret};

const COLUMNS: &[(&str, &str)] = &[
    ("NAME", "username"),
    ("REALM", "realmName"),
    ("ROLES", "roleNames"),
    ("GRANTED", "grantedRoleNames"),
    ("ENABLED", "enabled"),
    ("LAPSED", "lapsed"),
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
    /// All users, or those of a realm
    List {
        /// Of this realm only
        #[arg(long, value_name = "NAME")]
        realm: Option<String>,
    },
    /// One user
    Show(Named),
    /// A new user; the password comes from DOORWARD_NEW_PASSWORD or a prompt
    Create {
        #[command(flatten)]
        user: Named,
        /// A role; may be given more than once
        #[arg(long, value_name = "NAME")]
        role: Vec<String>,
        /// A permission of his own: GET,POST:/collections/{id}:id=demo; may be given more than once
        #[arg(long, value_name = "PERMISSION")]
        permission: Vec<String>,
    },
    /// Change a user; what is not given stays
    Set {
        #[command(flatten)]
        user: Named,
        /// All his roles; may be given more than once
        #[arg(long, value_name = "NAME")]
        role: Option<Vec<String>>,
        /// Takes all his roles
        #[arg(long, conflicts_with = "role")]
        no_roles: bool,
        /// All permissions of his own; may be given more than once
        #[arg(long, value_name = "PERMISSION")]
        permission: Option<Vec<String>>,
        /// Takes all permissions of his own
        #[arg(long, conflicts_with = "permission")]
        no_permissions: bool,
        /// Lets him in
        #[arg(long)]
        enable: bool,
        /// Lets him in no more, from the next request on
        #[arg(long, conflicts_with = "enable")]
        disable: bool,
        /// A new password, from DOORWARD_NEW_PASSWORD or a prompt; for oneself, the present one is sent along
        #[arg(long)]
        password: bool,
    },
    /// Delete a user
    Delete(Named),
}

#[derive(clap::Args)]
struct Named {
    /// The user's name or id
    #[arg(value_name = "USER")]
    user: String,
    /// The user's realm
    #[arg(long, value_name = "NAME", default_value = "native")]
    realm: String,
}

pub(crate) fn run(arguments: Arguments) -> Result<(), Failure> {
    let json = arguments.server.json;
    let remote = arguments.server.reach()?;
    match arguments.action {
        Action::List { realm } => {
            let query: Vec<_> = realm.iter().map(|realm| ("realm", realm.as_str())).collect();
            print(json, &remote.all("/users", &query)?, COLUMNS);
        }
        Action::Show(named) => print(json, &[find(&remote, &named)?], COLUMNS),
        Action::Create { user, role, permission } => {
            let password = secret("DOORWARD_NEW_PASSWORD", &format!("new password of {}: ", user.user))?;
            let body = json!({
                "username": user.user,
                "realmName": user.realm,
                "password": *password,
                "roleNames": role,
                "permissions": permission,
            });
            print(json, &[remote.ask(Method::POST, "/users", &[], Some(&body))?], COLUMNS);
        }
        Action::Set { user, role, no_roles, permission, no_permissions, enable, disable, password } => {
            let (mut new, mut current) = (None, None);
            if password {
                let secret = secret("DOORWARD_NEW_PASSWORD", &format!("new password of {}: ", user.user))?;
                new = Some(json!(*secret));
                current = std::env::var("DOORWARD_PASSWORD").ok().map(Value::from);
            }
            let body = changes([
                ("roleNames", whole(role, no_roles)),
                ("permissions", whole(permission, no_permissions)),
                ("enabled", switched(enable, disable)),
                ("password", new),
                ("currentPassword", current),
            ])?;
            let path = path(&find(&remote, &user)?);
            print(json, &[remote.ask(Method::PATCH, &path, &[], Some(&body))?], COLUMNS);
        }
        Action::Delete(named) => {
            let found = find(&remote, &named)?;
            remote.ask(Method::DELETE, &path(&found), &[], None)?;
            if !json {
                say(&format!("{} is deleted", found["username"].as_str().unwrap_or_default()));
            }
        }
    }
    Ok(())
}

fn path(user: &Value) -> String {
    format!("/users/{}", user["id"].as_str().unwrap_or_default())
}

fn find(remote: &Remote, named: &Named) -> Result<Value, Failure> {
    if named.user.parse::<UserId>().is_ok() {
        return remote.ask(Method::GET, &format!("/users/{}", named.user), &[], None);
    }
    remote.one("/users", &[("username", &named.user), ("realm", &named.realm)], &named.user)
}

/// The id of a user who is named by name or id.
pub(super) fn id_of(remote: &Remote, user: &str, realm: &str) -> Result<String, Failure> {
    let found = find(remote, &Named { user: user.to_owned(), realm: realm.to_owned() })?;
    Ok(found["id"].as_str().unwrap_or_default().to_owned())
}
