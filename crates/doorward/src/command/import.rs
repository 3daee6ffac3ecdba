//! `doorward import`: settings and users of other products, made into ours.

use std::path::PathBuf;

use auth::{Change, Clock, DirectoryStore, RealmName, RoleName, User, UserId, Username};
use config::import::{ImportedPassword, ImportedUser, Product};
use store_embedded::EmbeddedStore;

use super::{Failure, note, runtime, say};
use crate::clock::HouseClock;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// fusion.properties, values.yaml or htpasswd
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Write the settings here instead of on stdout
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["data", "role"])]
    output: Option<PathBuf>,
    /// For users: the folder of the store that takes them; its server must not run
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// For users: a role for each of them; may be given more than once
    #[arg(long, value_name = "NAME")]
    role: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let imported = config::import::read(&arguments.file).map_err(Failure::because)?;
    for unused in &imported.unused {
        note(&format!("not used: {unused}"));
    }
    match imported.product {
        Product::Settings(text) => match &arguments.output {
            None => say(text.trim_end()),
            Some(file) => std::fs::write(file, text)
                .map_err(|error| Failure::because(format!("{}: {error}", file.display())))?,
        },
        Product::Users(users) => take(arguments, users)?,
    }
    Ok(())
}

fn take(arguments: &Arguments, users: Vec<ImportedUser>) -> Result<(), Failure> {
    let folder = arguments.data.as_ref().ok_or_else(|| {
        Failure::because(
            "these are users: --data DIR names the store that takes them (its server must not run)",
        )
    })?;
    let roles: Vec<RoleName> = arguments
        .role
        .iter()
        .map(|name| {
            RoleName::parse(name).map_err(|fault| Failure::because(format!("--role {name}: {fault}")))
        })
        .collect::<Result<_, _>>()?;
    let now = HouseClock::new().now();
    runtime()?.block_on(async {
        let store = EmbeddedStore::open(folder).await.map_err(Failure::because)?;
        let present = DirectoryStore::load(&store).await.map_err(Failure::because)?;
        let mut changes = Vec::new();
        for imported in users {
            let username = match Username::chosen(&imported.name) {
                Ok(username) => username,
                Err(fault) => {
                    note(&format!("not used: line {}: the name {fault}", imported.line));
                    continue;
                }
            };
            let id = UserId::of(&RealmName::native(), &username);
            let password = match imported.password {
                ImportedPassword::Unusable(_) => continue,
                ImportedPassword::Argon2id(hash) => hash,
            };
            if let Err(fault) = realm_native::check_hash(&password) {
                note(&format!("not used: line {}: {fault}", imported.line));
                continue;
            }
            if present.users.iter().any(|user| user.id == id) {
                note(&format!(
                    "not used: line {}: there is a user {} already",
                    imported.line,
                    username.shown()
                ));
                continue;
            }
            changes.push(Change::PutUser(Box::new(User {
                id,
                realm: RealmName::native(),
                username,
                roles: roles.clone(),
                permissions: Vec::new(),
                enabled: true,
                password: Some(password),
                vouched: auth::Vouched::default(),
                password_version: 1,
                created: now,
                updated: now,
            })));
        }
        let taken = changes.len();
        store.apply(changes).await.map_err(Failure::because)?;
        store.close().await;
        say(&format!("{taken} user{} taken into {}", if taken == 1 { "" } else { "s" }, folder.display()));
        Ok(())
    })
}
