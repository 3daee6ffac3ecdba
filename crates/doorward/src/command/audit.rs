//! `doorward audit`: who did what (over the HTTP API), and whether the log is as it was written (beside the store).

use clap::Subcommand;
use serde_json::{Value, json};

use super::{Failure, audit_verify as verify};
use crate::remote::{Server, print};

const COLUMNS: &[(&str, &str)] =
    &[("LINE", "id"), ("AT", "at"), ("EVENT", "event"), ("WHO", "who"), ("FROM", "from"), ("WHAT", "what")];

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    server: Server,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Lines of the audit log, the newest first
    List(Box<Filter>),
    /// Look whether every line of the log is as it was written and none is missing, while it serves or not
    Verify(verify::Arguments),
}

#[derive(clap::Args)]
struct Filter {
    /// Of this event only: login, login_failed, login_throttled, session_ended, denied, directory_changed …
    #[arg(long, value_name = "EVENT")]
    event: Option<String>,
    /// About the user with this id only
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    /// Done by the user with this id only
    #[arg(long, value_name = "ID")]
    by: Option<String>,
    /// About users of this name only
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// About this realm only
    #[arg(long, value_name = "NAME")]
    realm: Option<String>,
    /// From this address only
    #[arg(long, value_name = "ADDRESS")]
    address: Option<String>,
    /// About this session only
    #[arg(long, value_name = "ID")]
    session: Option<String>,
    /// Of this operation only: user.create, role.delete, server.start …
    #[arg(long, value_name = "NAME")]
    operation: Option<String>,
    /// About the thing with this id only
    #[arg(long, value_name = "ID")]
    subject: Option<String>,
    /// Not before this: 2025-05-28T14:05:15Z
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Before this
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// The oldest first
    #[arg(long)]
    oldest_first: bool,
    /// At most so many lines
    #[arg(long, value_name = "NUMBER", default_value_t = 100)]
    limit: usize,
}

impl Filter {
    fn query(&self) -> Vec<(&'static str, &str)> {
        let given = [
            ("event", &self.event),
            ("user", &self.user),
            ("by", &self.by),
            ("name", &self.name),
            ("realm", &self.realm),
            ("address", &self.address),
            ("session", &self.session),
            ("operation", &self.operation),
            ("subject", &self.subject),
            ("since", &self.since),
            ("until", &self.until),
        ];
        let mut query: Vec<_> =
            given.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?))).collect();
        if self.oldest_first {
            query.push(("order", "asc"));
        }
        query
    }
}

pub(crate) fn run(arguments: Arguments) -> Result<(), Failure> {
    let json = arguments.server.json;
    match arguments.action {
        Action::Verify(arguments) => verify::run(&arguments, json),
        Action::List(filter) => {
            let lines = arguments.server.reach()?.first("/audit", &filter.query(), filter.limit)?;
            if json {
                print(true, &lines, &[]);
            } else {
                print(false, &lines.iter().map(row).collect::<Vec<_>>(), COLUMNS);
            }
            Ok(())
        }
    }
}

/// A line as people read it: who, from where, what.
fn row(line: &Value) -> Value {
    let fields = &line["fields"];
    let first = |names: &[&str]| {
        names.iter().map(|name| &fields[*name]).find(|value| !value.is_null()).cloned().unwrap_or_default()
    };
    let what = ["operation", "action", "what", "subject", "detail", "method", "reason", "app", "count"];
    let mut what: Vec<&str> = what.iter().filter_map(|name| fields[*name].as_str()).collect();
    // What somebody did to somebody else's session.
    if !fields["by"].is_null()
        && let Some(name) = fields["user.name"].as_str()
    {
        what.push(name);
    }
    json!({
        "id": line["id"],
        "at": line["at"],
        "event": line["event"],
        "who": first(&["by.name", "by", "user.name", "user.id"]),
        "from": first(&["client.address"]),
        "what": what.join(" "),
    })
}
