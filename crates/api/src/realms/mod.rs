//! Operations on realms. Called by dialects. Must never give out a realm's config but as its maker shows it: there may be
//! secrets in it.

pub mod change;
pub mod create;
pub mod delete;
pub mod read;
pub mod rehearse;
#[cfg(test)]
mod tests;

use auth::directory::{RealmState, Snapshot};
use auth::limits::MAX_CONFIG_BYTES;
use auth::trust::Permit;
use auth::{EndReason, RealmFault, RealmMaker, RealmName, RealmRecord, RoleName};
use uuid::Uuid;

use crate::error::Error;
use crate::services::Services;
use crate::sessions::list::Filter;
use crate::sessions::revoke::end_because;

/// Realms at the most, those of the settings too.
pub const MAX_REALMS: usize = 256;

/// Namespace of realm ids (UUIDv5 of the name): the same on every node.
const REALM_NAMESPACE: Uuid = Uuid::from_u128(0x6f2d_1f5e_93c4_4f0e_8b1a_d00d_aa4d_0003);

/// How much of a realm's config is written down with a change, in bytes; what follows is cut.
const MAX_CONFIG_TOLD: usize = 4_096;

const IN_SETTINGS: &str = "this realm stands in the settings file, where it can be changed";

/// A realm as people may see it.
#[derive(Clone, Debug)]
pub struct Described {
    /// The record; its config is without secrets.
    pub record: RealmRecord,
    /// Whether it stands in the settings file, so that it cannot be changed otherwise.
    pub in_settings: bool,
}

impl Described {
    fn of(services: &Services, state: &RealmState) -> Self {
        let config = services.kernel.directory().maker().shown(&state.record).into_boxed_str();
        Self { record: RealmRecord { config, ..state.record.clone() }, in_settings: state.in_settings }
    }
}

/// A realm's id, computed of its name.
#[must_use]
pub fn id_of(name: &str) -> Uuid {
    Uuid::new_v5(&REALM_NAMESPACE, name.as_bytes())
}

fn by_id<'a>(snapshot: &'a Snapshot, id: &Uuid) -> Result<&'a RealmState, Error> {
    snapshot.realms().find(|state| id_of(state.record.name.as_str()) == *id).ok_or(Error::NotFound)
}

/// The realm of this name as people may see it, after a change of it.
fn described(services: &Services, name: &RealmName) -> Result<Described, Error> {
    let snapshot = services.kernel.directory().present();
    snapshot.realm(name.as_str()).map(|state| Described::of(services, state)).ok_or(Error::NotFound)
}

/// The config that `sent` asks for, with the secrets that `stored` keeps.
fn config(maker: &dyn RealmMaker, kind: &str, stored: Option<&str>, sent: &str) -> Result<Box<str>, Error> {
    let fits = |config: &str| match config.len() {
        ..=MAX_CONFIG_BYTES => Ok(()),
        _ => Err(Error::invalid("config", format!("longer than {MAX_CONFIG_BYTES} bytes"))),
    };
    fits(sent)?;
    let config = maker.completed(kind, stored, sent).map_err(fault)?;
    fits(&config)?;
    Ok(config.into_boxed_str())
}

/// What the maker of realms says against a record, in the words of the input.
fn fault(RealmFault { field, why }: RealmFault) -> Error {
    match field.as_deref() {
        None => Error::invalid("realmType", why),
        Some("") => Error::invalid("config", why),
        Some(field) => Error::invalid(format!("config.{field}"), why),
    }
}

/// What a realm is after a change, for those who write down who did what.
fn detail(maker: &dyn RealmMaker, record: &RealmRecord) -> String {
    let roles: Vec<_> = record.roles.iter().map(RoleName::as_str).collect();
    let mut config = maker.shown(record);
    config.truncate(config.floor_char_boundary(MAX_CONFIG_TOLD));
    let RealmRecord { name, kind, enabled, .. } = record;
    format!("{name}; type={kind}; enabled={enabled}; roles={}; config={config}", roles.join(","))
}

/// Whether the caller is a user of this realm: nobody takes the ground away that he stands on.
fn is_own(permit: &Permit, name: &RealmName) -> bool {
    permit.caller().known().is_some_and(|known| known.account().user.realm == *name)
}

/// Ends all sessions of this realm's users.
async fn end_sessions(services: &Services, permit: &Permit, name: &RealmName) -> Result<(), Error> {
    let all = Filter { realm: Some(name.as_str().to_owned()), ..Filter::default() };
    end_because(services, permit, &all, None, EndReason::UserChanged).await.map(|_| ())
}
