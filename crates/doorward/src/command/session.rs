//! `doorward session`: live sessions, over the HTTP API.

use auth::SessionId;
use clap::Subcommand;
use ureq::http::Method;

use super::{Failure, say};
use crate::remote::{Remote, Server, print};

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

/// What a session has besides, for whoever looks at one.
const MORE: &[(&str, &str)] = &[
    ("MOUNT", "mount"),
    ("METHOD", "method"),
    ("USER AGENT", "userAgent"),
    ("IDLE LEFT, S", "idleSecondsLeft"),
    ("MAXIMUM LEFT, S", "maxSecondsLeft"),
    ("ENDED AT", "endedAt"),
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
    /// Live sessions; all, or those that fit every option
    List {
        #[command(flatten)]
        which: Which,
        /// Those that ended within a day instead, with the reason
        #[arg(long)]
        ended: bool,
    },
    /// One session
    Show {
        /// The session's id, from the list
        id: String,
    },
    /// End a session, or those that fit every option; it holds from the next request on
    #[command(visible_alias = "end", arg_required_else_help = true)]
    Revoke {
        /// The session's id, from the list
        #[arg(value_name = "ID", required_unless_present_any = ["Which", "all"], conflicts_with = "Which")]
        id: Option<String>,
        #[command(flatten)]
        which: Which,
        /// Every session, also those of --login
        #[arg(long, conflicts_with_all = ["Which", "id"])]
        all: bool,
    },
    /// The sessions of --login
    Mine {
        /// Ends the one with this id
        #[arg(long, value_name = "ID")]
        end: Option<String>,
        /// Ends them all
        #[arg(long, conflicts_with = "end")]
        end_all: bool,
    },
}

/// Which sessions.
#[derive(clap::Args)]
struct Which {
    /// Of this user (name or id) only
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// Of this realm only; also the realm in which --user is looked for, which is native without it
    #[arg(long, value_name = "NAME")]
    realm: Option<String>,
    /// Made for this app only
    #[arg(long, value_name = "APP")]
    app: Option<String>,
    /// Of this mount only
    #[arg(long, value_name = "PATH")]
    mount: Option<String>,
    /// Whose login came from this address only
    #[arg(long, value_name = "ADDRESS")]
    address: Option<String>,
    /// Begun in this way only: password
    #[arg(long, value_name = "WORD")]
    method: Option<String>,
    /// Begun before this moment only: 2025-05-28T14:05:15Z
    #[arg(long, value_name = "TIME")]
    created_before: Option<String>,
    /// Begun at this moment or later only
    #[arg(long, value_name = "TIME")]
    created_after: Option<String>,
    /// Without activity for longer than this only: 90, 30m, 8h
    #[arg(long, value_name = "TIME")]
    idle_longer_than: Option<String>,
}

impl Which {
    /// The filters, as the API calls them.
    fn query(self, remote: &Remote) -> Result<Vec<(&'static str, String)>, Failure> {
        let user = match self.user {
            None => None,
            Some(user) => Some(super::user::id_of(remote, &user, self.realm.as_deref().unwrap_or("native"))?),
        };
        let named = [
            ("user", user),
            ("realm", self.realm),
            ("app", self.app),
            ("mount", self.mount),
            ("address", self.address),
            ("method", self.method),
            ("createdBefore", self.created_before),
            ("createdAfter", self.created_after),
            ("idleLongerThan", self.idle_longer_than),
        ];
        Ok(named.into_iter().filter_map(|(name, value)| Some((name, value?))).collect())
    }
}

pub(crate) fn run(arguments: Arguments) -> Result<(), Failure> {
    let json = arguments.server.json;
    let remote = arguments.server.reach()?;
    match arguments.action {
        Action::List { which, ended } => {
            let mut query = which.query(&remote)?;
            if ended {
                query.push(("state", "ended".to_owned()));
            }
            print(json, &remote.all("/sessions", &borrowed(&query))?, COLUMNS);
        }
        Action::Show { id } => {
            let found = remote.ask(Method::GET, &format!("/sessions/{}", parse(&id)?), &[], None)?;
            print(json, std::slice::from_ref(&found), COLUMNS);
            if !json {
                print(json, &[found], MORE);
            }
        }
        Action::Revoke { id: Some(id), .. } => end_one(json, &remote, "/sessions", &id)?,
        Action::Revoke { all: true, .. } => end_many(json, &remote, "/sessions", &[("all", "true")])?,
        Action::Revoke { which, .. } => {
            end_many(json, &remote, "/sessions", &borrowed(&which.query(&remote)?))?;
        }
        Action::Mine { end: Some(id), .. } => end_one(json, &remote, "/session/mine", &id)?,
        Action::Mine { end_all: true, .. } => end_many(json, &remote, "/session/mine", &[])?,
        Action::Mine { .. } => print(json, &remote.all("/session/mine", &[])?, COLUMNS),
    }
    Ok(())
}

fn end_one(json: bool, remote: &Remote, path: &str, id: &str) -> Result<(), Failure> {
    let id = parse(id)?;
    remote.ask(Method::DELETE, &format!("{path}/{id}"), &[], None)?;
    if !json {
        say(&format!("{id} is ended"));
    }
    Ok(())
}

fn end_many(json: bool, remote: &Remote, path: &str, query: &[(&str, &str)]) -> Result<(), Failure> {
    let told = remote.ask(Method::DELETE, path, query, None)?;
    if json {
        say(&told.to_string());
        return Ok(());
    }
    match told["ended"].as_u64() {
        Some(1) => say("1 session is ended"),
        Some(ended) => say(&format!("{ended} sessions are ended")),
        None => return Err(Failure::because("the server's answer does not say how many are ended")),
    }
    Ok(())
}

fn parse(id: &str) -> Result<SessionId, Failure> {
    id.parse().map_err(|_| Failure::NotFound(format!("{id} is no session's id")))
}

fn borrowed<'a>(query: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    query.iter().map(|(name, value)| (*name, value.as_str())).collect()
}
