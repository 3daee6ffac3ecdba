//! `doorward explain`: which rule decides, and why. Reads the store beside a server that runs, or without one.

use std::path::PathBuf;

use auth::directory::{Account, Snapshot};
use auth::path::{NormalPath, below_mount};
use auth::permission::{Matcher, Matrix, Method};
use auth::{Clock, RealmName, UserId, Username};
use config::Settings;
use store_embedded::EmbeddedStore;

use super::{Failure, runtime, say};
use crate::clock::HouseClock;
use crate::core::snapshot;
use crate::wire;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The user's name
    #[arg(long, value_name = "NAME")]
    user: String,
    /// The user's realm
    #[arg(long, value_name = "NAME", default_value = "native")]
    realm: String,
    /// The method
    #[arg(long)]
    method: String,
    /// The path, with the mount: /api/collections
    #[arg(long)]
    path: String,
    /// The settings file
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The store's folder, instead of the settings' one
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let file = super::serve::usual_file(arguments.config.as_deref());
    let mut settings = if arguments.config.is_some() || file.exists() {
        Settings::load(&file)?
    } else {
        // What `serve --upstream` serves, wherever that is.
        Settings::default_for(Some("http://127.0.0.1:9000"), None, None)?
    };
    if let Some(data) = &arguments.data {
        settings.data.clone_from(data);
    }
    wire::check(&settings)?;
    let method = arguments.method.to_ascii_uppercase();
    let method =
        Method::parse(method.as_bytes()).ok_or_else(|| Failure::because(format!("no method {method}")))?;
    let path = NormalPath::parse(arguments.path.as_bytes())
        .map_err(|fault| Failure::because(format!("{}: refused with 400: {fault}", arguments.path)))?;
    let snapshot = runtime()?.block_on(async {
        let store = EmbeddedStore::peek(&settings.data).await?;
        snapshot(&settings, &store, HouseClock::new().now()).await
    });
    let snapshot = snapshot.map_err(Failure::because)?;
    let mut mounts: Vec<_> = settings.mounts.iter().collect();
    mounts.sort_by_key(|mount| std::cmp::Reverse(mount.path.len()));
    let found = mounts.iter().find_map(|mount| Some((mount, below_mount(path.as_str(), &mount.path)?)));
    let (mount, below) =
        found.ok_or_else(|| Failure::NotFound(format!("{}: no mount is there", path.as_str())))?;
    if let Some(pattern) = public(mount, method, below)? {
        say(&format!(
            "yes: anybody may {} {below} below {}, by the public route {pattern}",
            method.as_str(),
            mount.path
        ));
        return Ok(());
    }
    explain(&snapshot, account(&snapshot, arguments)?, method, below, &mount.path);
    Ok(())
}

fn account<'a>(snapshot: &'a Snapshot, arguments: &Arguments) -> Result<&'a Account, Failure> {
    let missing = || Failure::NotFound(format!("no user {} in realm {}", arguments.user, arguments.realm));
    let realm = RealmName::parse(&arguments.realm).map_err(|_| missing())?;
    let username = Username::presented(&arguments.user).map_err(|_| missing())?;
    snapshot.account(&UserId::of(&realm, &username)).map(|account| &**account).ok_or_else(missing)
}

/// The public route that takes the request, if one does: the first route that matches decides.
fn public(mount: &config::Mount, method: Method, below: &str) -> Result<Option<String>, Failure> {
    for route in &mount.routes {
        let rule = wire::rule(route).map_err(Failure::because)?;
        if Matcher::compile([&rule]).find(method, below, "", Matrix::Strict, |_| true).is_some() {
            return Ok(route.public.then(|| route.path.to_string()));
        }
    }
    Ok(None)
}

fn explain(snapshot: &Snapshot, account: &Account, method: Method, below: &str, mount: &str) {
    let who = format!("{} of realm {}", account.user.username.shown(), account.user.realm);
    let what = format!("{} {below} below {mount}", method.as_str());
    if !account.user.enabled {
        say(&format!("no: {who} is disabled"));
        return;
    }
    let explained = snapshot.explain(account, method, below, Matrix::Strict);
    let source = |role: &Option<&auth::RoleName>| match role {
        Some(role) => format!("role {role}"),
        None => "the user's own entries".to_owned(),
    };
    let deciding = explained.iter().find_map(|(role, why)| Some((role, why.deciding?)));
    match deciding {
        Some((role, permission)) => {
            say(&format!("yes: {who} may {what}, by {permission} of {}", source(role)));
        }
        None => {
            let roles: Vec<_> = snapshot.roles_of(account).map(|role| role.role.name.as_str()).collect();
            let roles =
                if roles.is_empty() { "no role".to_owned() } else { format!("roles {}", roles.join(", ")) };
            say(&format!("no: {who} ({roles}) may not {what}: no entry allows it"));
            for (role, why) in &explained {
                for miss in &why.near_misses {
                    say(&format!("  nearly, in {}: {miss}", source(role)));
                }
            }
            say(&format!("  it would take {}:{below} in one of the roles, or for the user", method.as_str()));
        }
    }
}
