//! `doorward session`: live sessions, over the HTTP API.

use clap::Subcommand;
use ureq::http::Method;

use super::{Failure, say};
use crate::remote::{Server, print};

const COLUMNS: &[(&str, &str)] = &[
    ("USER", "username"),
    ("REALM", "realmName"),
    ("APP", "app"),
    ("ADDRESS", "address"),
    ("SINCE", "createdAt"),
    ("LAST SEEN", "lastSeenAt"),
    ("ENDED", "endReason"),
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
    /// Live sessions
    List {
        /// Of this user (name or id) only
        #[arg(long, value_name = "USER")]
        user: Option<String>,
        /// Of this realm only; also the realm in which --user is looked for
        #[arg(long, value_name = "NAME")]
        realm: Option<String>,
        /// Made for this app only
        #[arg(long, value_name = "APP")]
        app: Option<String>,
        /// Those that ended within a day instead, with the reason
        #[arg(long)]
        ended: bool,
    },
    /// End a session, or all of a user; it holds from the next request on
    #[command(arg_required_else_help = true)]
    End {
        /// The session's id, from the list
        #[arg(value_name = "ID", required_unless_present = "user")]
        id: Option<String>,
        /// All sessions of this user (name or id)
        #[arg(long, value_name = "USER", conflicts_with = "id")]
        user: Option<String>,
        /// The realm in which --user is looked for
        #[arg(long, value_name = "NAME", default_value = "native")]
        realm: String,
    },
}

pub(crate) fn run(arguments: Arguments) -> Result<(), Failure> {
    let json = arguments.server.json;
    let remote = arguments.server.reach()?;
    match arguments.action {
        Action::List { user, realm, app, ended } => {
            let user = match user {
                None => None,
                Some(user) => Some(super::user::id_of(&remote, &user, realm.as_deref().unwrap_or("native"))?),
            };
            let mut query = Vec::new();
            if let Some(user) = &user {
                query.push(("user", user.as_str()));
            }
            if let Some(realm) = &realm {
                query.push(("realm", realm.as_str()));
            }
            if let Some(app) = &app {
                query.push(("app", app.as_str()));
            }
            if ended {
                query.push(("state", "ended"));
            }
            print(json, &remote.all("/sessions", &query)?, COLUMNS);
        }
        Action::End { user: Some(user), realm, .. } => {
            let id = super::user::id_of(&remote, &user, &realm)?;
            remote.ask(Method::DELETE, &format!("/users/{id}/sessions"), &[], None)?;
            if !json {
                say(&format!("all sessions of {user} are ended"));
            }
        }
        Action::End { id, .. } => {
            let id = id.unwrap_or_default();
            let id: auth::SessionId =
                id.parse().map_err(|_| Failure::NotFound(format!("{id} is no session's id")))?;
            remote.ask(Method::DELETE, &format!("/sessions/{id}"), &[], None)?;
            if !json {
                say(&format!("{id} is ended"));
            }
        }
    }
    Ok(())
}
