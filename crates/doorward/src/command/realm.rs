//! `doorward realm`: realms, over the HTTP API; and `doorward realm test`, which can do without.

use clap::Subcommand;
use serde_json::{Value, json};
use ureq::http::Method;

use super::{Failure, changes, object, rehearse, say, switched, whole};
use crate::remote::{Remote, Server, print};

const COLUMNS: &[(&str, &str)] =
    &[("NAME", "name"), ("TYPE", "realmType"), ("ENABLED", "enabled"), ("ROLES", "roleNames"), ("ID", "id")];

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    server: Server,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// All realms, or those of a type
    List {
        /// Of this type only
        #[arg(long = "type", value_name = "TYPE")]
        kind: Option<String>,
    },
    /// One realm, with its config
    Show {
        /// The realm's name
        name: String,
    },
    /// A new realm
    Create {
        /// The realm's name
        name: String,
        /// What it is
        #[arg(long = "type", value_name = "TYPE", default_value = "native")]
        kind: String,
        /// A role that its users inherit; may be given more than once
        #[arg(long, value_name = "NAME")]
        role: Vec<String>,
        /// What its type needs to know: a JSON object, or @FILE with one
        #[arg(long, value_name = "JSON")]
        config: Option<String>,
        /// Lets nobody in yet
        #[arg(long)]
        disabled: bool,
    },
    /// Change a realm; what is not given stays
    Set {
        /// The realm's name
        name: String,
        /// All roles that its users inherit; may be given more than once
        #[arg(long, value_name = "NAME")]
        role: Option<Vec<String>>,
        /// Its users inherit no roles
        #[arg(long, conflicts_with = "role")]
        no_roles: bool,
        /// All that its type needs to know: a JSON object, or @FILE with one; a secret that is sent as it was shown stays
        #[arg(long, value_name = "JSON")]
        config: Option<String>,
        /// Lets its users in
        #[arg(long)]
        enable: bool,
        /// Lets its users in no more, from the next request on
        #[arg(long, conflicts_with = "enable")]
        disable: bool,
    },
    /// Delete a realm
    Delete {
        /// The realm's name
        name: String,
        /// Its users, their keys and sessions with it
        #[arg(long)]
        delete_users: bool,
    },
    /// Play a login through: every step with its time and what the server said, passwords left out
    Test(rehearse::Arguments),
}

pub(crate) fn run(arguments: Arguments) -> Result<(), Failure> {
    let Arguments { server, action } = arguments;
    if let Action::Test(wanted) = &action {
        return rehearse::run(&server, wanted);
    }
    let (json, remote) = (server.json, server.reach()?);
    match action {
        Action::Test(_) => {}
        Action::List { kind } => {
            let query: Vec<_> = kind.iter().map(|kind| ("realmType", kind.as_str())).collect();
            print(json, &remote.all("/realm-configs", &query)?, COLUMNS);
        }
        Action::Show { name } => show(json, &find(&remote, &name)?),
        Action::Create { name, kind, role, config, disabled } => {
            let mut body =
                json!({ "name": name, "realmType": kind, "roleNames": role, "enabled": !disabled });
            if let Some(config) = config {
                body["config"] = object("--config", &config)?;
            }
            show(json, &remote.ask(Method::POST, "/realm-configs", &[], Some(&body))?);
        }
        Action::Set { name, role, no_roles, config, enable, disable } => {
            let body = changes([
                ("roleNames", whole(role, no_roles)),
                ("config", config.map(|config| object("--config", &config)).transpose()?),
                ("enabled", switched(enable, disable)),
            ])?;
            let path = path(&find(&remote, &name)?);
            show(json, &remote.ask(Method::PATCH, &path, &[], Some(&body))?);
        }
        Action::Delete { name, delete_users } => {
            let query: &[_] = if delete_users { &[("deleteUsers", "true")] } else { &[] };
            remote.ask(Method::DELETE, &path(&find(&remote, &name)?), query, None)?;
            if !json {
                say(&format!("{name} is deleted"));
            }
        }
    }
    Ok(())
}

pub(super) fn path(realm: &Value) -> String {
    format!("/realm-configs/{}", realm["id"].as_str().unwrap_or_default())
}

pub(super) fn find(remote: &Remote, name: &str) -> Result<Value, Failure> {
    remote.one("/realm-configs", &[("name", name)], name)
}

fn show(json: bool, realm: &Value) {
    print(json, std::slice::from_ref(realm), COLUMNS);
    if !json && realm["config"].as_object().is_some_and(|config| !config.is_empty()) {
        say(&format!("  {}", realm["config"]));
    }
}
