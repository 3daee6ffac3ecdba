//! `doorward role`: roles, over the HTTP API.

use clap::Subcommand;
use serde_json::{Value, json};
use ureq::http::Method;

use super::{Failure, changes, say, whole};
use crate::remote::{Remote, Server, print};

const COLUMNS: &[(&str, &str)] = &[("NAME", "name"), ("DESCRIPTION", "desc"), ("ID", "id")];

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    server: Server,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// All roles
    List,
    /// One role, with its permissions
    Show {
        /// The role's name
        name: String,
    },
    /// A new role
    Create {
        /// The role's name
        name: String,
        /// What it is for
        #[arg(long, value_name = "TEXT", default_value = "")]
        description: String,
        /// A permission: GET,POST:/collections/{id}:id=demo; may be given more than once
        #[arg(long, value_name = "PERMISSION")]
        permission: Vec<String>,
    },
    /// Change a role; what is not given stays
    Set {
        /// The role's name
        name: String,
        /// What it is for
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
        /// All its permissions; may be given more than once
        #[arg(long, value_name = "PERMISSION")]
        permission: Option<Vec<String>>,
        /// Takes all its permissions
        #[arg(long, conflicts_with = "permission")]
        no_permissions: bool,
    },
    /// Delete a role, and take it from everybody who has it
    Delete {
        /// The role's name
        name: String,
    },
}

pub(crate) fn run(arguments: Arguments) -> Result<(), Failure> {
    let json = arguments.server.json;
    let remote = arguments.server.reach()?;
    match arguments.action {
        Action::List => print(json, &remote.all("/roles", &[])?, COLUMNS),
        Action::Show { name } => show(json, &find(&remote, &name)?),
        Action::Create { name, description, permission } => {
            let body = json!({ "name": name, "desc": description, "permissions": permission });
            show(json, &remote.ask(Method::POST, "/roles", &[], Some(&body))?);
        }
        Action::Set { name, description, permission, no_permissions } => {
            let body = changes([
                ("desc", description.map(Value::from)),
                ("permissions", whole(permission, no_permissions)),
            ])?;
            let path = path(&find(&remote, &name)?);
            show(json, &remote.ask(Method::PATCH, &path, &[], Some(&body))?);
        }
        Action::Delete { name } => {
            remote.ask(Method::DELETE, &path(&find(&remote, &name)?), &[], None)?;
            if !json {
                say(&format!("{name} is deleted"));
            }
        }
    }
    Ok(())
}

fn path(role: &Value) -> String {
    format!("/roles/{}", role["id"].as_str().unwrap_or_default())
}

fn find(remote: &Remote, name: &str) -> Result<Value, Failure> {
    remote.one("/roles", &[("name", name)], name)
}

fn show(json: bool, role: &Value) {
    print(json, std::slice::from_ref(role), COLUMNS);
    if !json {
        for permission in role["permissions"].as_array().into_iter().flatten() {
            say(&format!("  {permission}"));
        }
    }
}
