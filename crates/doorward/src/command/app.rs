//! `doorward app`: apps, over the HTTP API.

use clap::Subcommand;
use serde_json::{Map, Value};
use ureq::http::Method;

use super::{Failure, object, say};
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
    fn fill(self, body: &mut Map<String, Value>) -> Result<(), Failure> {
        if let Some(description) = self.description {
            body.insert("description".to_owned(), Value::from(description));
        }
        if let Some(properties) = self.properties {
            body.insert("properties".to_owned(), object("--properties", &properties)?);
        }
        Ok(())
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
            let mut body = Map::from_iter([("name".to_owned(), Value::from(name))]);
            if let Some(id) = id {
                body.insert("id".to_owned(), Value::from(id));
            }
            about.fill(&mut body)?;
            show(json, &remote.ask(Method::POST, "/apps", &[], Some(&Value::Object(body)))?);
        }
        Action::Set { id, name, about } => {
            let mut body = Map::new();
            if let Some(name) = name {
                body.insert("name".to_owned(), Value::from(name));
            }
            about.fill(&mut body)?;
            if body.is_empty() {
                return Err(Failure::because("nothing to change was given"));
            }
            show(json, &remote.ask(Method::PATCH, &path(&id), &[], Some(&Value::Object(body)))?);
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
