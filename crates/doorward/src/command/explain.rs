//! `doorward explain`: which rule decides, and why. Reads the store beside a server that runs, or without one.

use std::path::PathBuf;

use api::explain::{Asked, Decision, Explained, Source};
use auth::directory::{Account, CompiledKey, Snapshot};
use auth::path::{NormalPath, below_mount};
use auth::permission::Method;
use auth::{Clock, KeyId, RealmName, UserId, Username};
use config::Settings;
use store_embedded::EmbeddedStore;

use super::{Failure, runtime, say};
use crate::clock::HouseClock;
use crate::core::snapshot;
use crate::realms::Judge;
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
    /// The id of an API key that the user would show
    #[arg(long, value_name = "ID")]
    key: Option<String>,
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
        snapshot(&settings, &store, &Judge, HouseClock::new().now()).await
    });
    let snapshot = snapshot.map_err(Failure::because)?;
    let mut mounts: Vec<_> = settings.mounts.iter().collect();
    mounts.sort_by_key(|mount| std::cmp::Reverse(mount.path.len()));
    let found = mounts.iter().find_map(|mount| Some((mount, below_mount(path.as_str(), &mount.path)?)));
    let (mount, below) =
        found.ok_or_else(|| Failure::NotFound(format!("{}: no mount is there", path.as_str())))?;
    let (place, matrix) = wire::place(mount, &settings.mounts, method, below)
        .map_err(|(key, message)| Failure::because(format!("{}.{key}: {message}", mount.key)))?;
    let account = account(&snapshot, arguments)?;
    let key = key(&snapshot, arguments, account)?;
    let asked = Asked { snapshot: &snapshot, account, key, method, path: below, matrix };
    tell(&asked, &mount.path, &asked.explain(place, HouseClock::new().now()));
    Ok(())
}

fn account<'a>(snapshot: &'a Snapshot, arguments: &Arguments) -> Result<&'a Account, Failure> {
    let missing = || Failure::NotFound(format!("no user {} in realm {}", arguments.user, arguments.realm));
    let realm = RealmName::parse(&arguments.realm).map_err(|_| missing())?;
    let username = Username::presented(&arguments.user).map_err(|_| missing())?;
    snapshot.account(&UserId::of(&realm, &username)).map(|account| &**account).ok_or_else(missing)
}

fn key<'a>(
    snapshot: &'a Snapshot,
    arguments: &Arguments,
    account: &Account,
) -> Result<Option<&'a CompiledKey>, Failure> {
    let Some(id) = &arguments.key else { return Ok(None) };
    let key = id.parse::<KeyId>().ok().and_then(|id| snapshot.key_by_id(&id));
    let key = key.filter(|key| key.key.user == account.user.id);
    key.map(|key| Some(&**key)).ok_or_else(|| Failure::NotFound(format!("no API key {id} of this user")))
}

fn tell(asked: &Asked<'_>, mount: &str, explained: &Explained) {
    let user = &asked.account.user;
    let who = format!("{} of realm {}", user.username.shown(), user.realm);
    let what = format!("{} {} below {mount}", asked.method.as_str(), asked.path);
    if let Some(Decision { source, permission }) = &explained.decided_by {
        let by = match (source, permission) {
            (Source::Public, Some(rule)) => format!("anybody may {what}, by the public route {rule}"),
            (Source::Public, None) => format!("anybody may {what}: it is open to everybody"),
            (Source::User, Some(entry)) => format!("{who} may {what}, by {entry} of the user's own entries"),
            (source, Some(entry)) => format!("{who} may {what}, by {entry} of {source}"),
            (_, None) => format!("{who} may {what}: it takes a login and no permission"),
        };
        say(&format!("yes: {by}"));
        return;
    }
    let roles: Vec<_> = asked.snapshot.roles_of(asked.account).map(|role| role.role.name.as_str()).collect();
    let roles = if roles.is_empty() { "no role".to_owned() } else { format!("roles {}", roles.join(", ")) };
    let why = explained.why.as_deref().unwrap_or_default();
    say(&format!("no: {who} ({roles}) may not {what}: {why}"));
    for miss in &explained.near_misses {
        let source = match &miss.source {
            Source::User => "the user's own entries".to_owned(),
            other => other.to_string(),
        };
        say(&format!("  nearly, in {source}: {} {}", miss.permission, miss.why.join(" and ")));
    }
    if let Some(grant) = &explained.grant {
        let place =
            if explained.lacks_in_key { "a key of its own" } else { "one of the roles, or for the user" };
        say(&format!("  it would take {grant} in {place}"));
    }
}
