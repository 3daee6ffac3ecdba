//! `doorward app`: apps, over the HTTP API.

use clap::Subcommand;
use serde_json::Value;
use ureq::http::Method;

use super::{Failure, changes, object, say};
use crate::remote::{Server, path_segment, print};

const COLUMNS: &[(&str, &str)] = &[("ID", "id"), ("NAME", "name"), ("DESCRIPTION", "description")];

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    server: Server,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// All apps, or those of a name
    List {
        /// That people call so
        #[arg(long, value_name = "TEXT")]
        name: Option<String>,
    },
    /// One app, with its properties
    Show {
        /// The app's id
        #[arg(value_name = "APP")]
        id: String,
    },
    /// A new app
    Create {
        /// What people call it
        name: String,
        /// Its id, which stands in paths; without it, one is made of the name
        #[arg(long, value_name = "ID")]
        id: Option<String>,
        #[command(flatten)]
        about: About,
    },
    /// Change an app; what is not given stays
    Set {
        /// The app's id
        #[arg(value_name = "APP")]
        id: String,
        /// What people call it
        #[arg(long, value_name = "TEXT")]
        name: Option<String>,
        #[command(flatten)]
        about: About,
    },
    /// Delete an app; its sessions live on
    Delete {
        /// The app's id
        #[arg(value_name = "APP")]
        id: String,
    },
}

#[derive(clap::Args)]
struct About {
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// All its properties: a JSON object, or @FILE with one
    #[arg(long, value_name = "JSON")]
    properties: Option<String>,
}

impl About {
    /// What is sent of an app that is called so.
    fn body(self, id: Option<String>, name: Option<String>) -> Result<Value, Failure> {
        changes([
            ("id", id.map(Value::from)),
            ("name", name.map(Value::from)),
            ("description", self.description.map(Value::from)),
            ("properties", self.properties.map(|given| object("--properties", &given)).transpose()?),
        ])
    }
}

pub(crate) fn run(arguments: Arguments) -> Result<(), Failure> {
    let json = arguments.server.json;
    let remote = arguments.server.reach()?;
    match arguments.action {
        Action::List { name } => {
            let query: Vec<_> = name.iter().map(|name| ("name", name.as_str())).collect();
            print(json, &remote.all("/apps", &query)?, COLUMNS);
        }
        Action::Show { id } => show(json, &remote.ask(Method::GET, &path(&id), &[], None)?),
        Action::Create { name, id, about } => {
            let body = about.body(id, Some(name))?;
            show(json, &remote.ask(Method::POST, "/apps", &[], Some(&body))?);
        }
        Action::Set { id, name, about } => {
            let body = about.body(None, name)?;
            show(json, &remote.ask(Method::PATCH, &path(&id), &[], Some(&body))?);
        }
        Action::Delete { id } => {
            remote.ask(Method::DELETE, &path(&id), &[], None)?;
            if !json {
                say(&format!("{id} is deleted"));
            }
        }
    }
    Ok(())
}

fn path(id: &str) -> String {
    format!("/apps/{}", path_segment(id))
}

fn show(json: bool, app: &Value) {
    print(json, std::slice::from_ref(app), COLUMNS);
    if !json && app["properties"].as_object().is_some_and(|properties| !properties.is_empty()) {
        say(&format!("  {}", app["properties"]));
    }
}
