//! `realm.create`: a new realm, whose users can log in from the moment it is there.

use auth::trust::Permit;
use auth::{Change, RealmName, RealmRecord, Username};

use super::{Described, MAX_REALMS, config, described, detail, fault};
use crate::error::Error;
use crate::services::{Judged, Services};
use crate::users::existing_roles;

/// The operation's name.
pub const NAME: &str = "realm.create";

/// A new realm.
pub struct Input {
    /// Its name.
    pub name: String,
    /// Its type's word.
    pub kind: String,
    /// Whether it lets its users in.
    pub enabled: bool,
    /// The roles that every user of the realm inherits.
    pub roles: Vec<String>,
    /// What its type needs to know: a JSON object.
    pub config: String,
}

/// Whether two names are one to a person, or to a program that does not care for case and width.
fn looks_like(one: &RealmName, other: &RealmName) -> bool {
    let canonical =
        |name: &RealmName| Username::presented(name.as_str()).map(|name| name.canonical().to_owned());
    one == other || canonical(one).is_ok_and(|one| canonical(other).is_ok_and(|other| one == other))
}

/// Makes a realm.
///
/// # Errors
/// [`Error::Invalid`], [`Error::Conflict`] where the name is taken, or nearly, where there are users of a realm of this name,
/// or [`MAX_REALMS`] realms.
pub async fn run(services: &Services, permit: &Permit, input: Input) -> Result<Described, Error> {
    permit.expect(NAME)?;
    let name = RealmName::parse(&input.name).map_err(|fault| Error::invalid("name", fault))?;
    if matches!(name.as_str(), "." | "..") {
        return Err(Error::invalid("name", "is none that could stand in a path"));
    }
    let maker = services.kernel.directory().maker();
    let now = services.kernel.clock().now();
    let change = services.change(Some(permit), NAME, |snapshot| {
        if let Some(other) = snapshot.realms().find(|state| looks_like(&state.record.name, &name)) {
            return Err(Error::Conflict(if other.record.name == name {
                "a realm of this name exists"
            } else {
                "a realm of nearly this name exists"
            }));
        }
        // Those of a realm that left the settings: they would come in again, by the passwords that they had.
        if snapshot.accounts().any(|account| account.user.realm == name) {
            return Err(Error::Conflict("there are users of a realm of this name; delete them first"));
        }
        if snapshot.realms().count() >= MAX_REALMS {
            return Err(Error::Conflict("there are as many realms as there can be"));
        }
        let record = RealmRecord {
            name: name.clone(),
            enabled: input.enabled,
            roles: existing_roles(snapshot, &input.roles)?,
            config: config(maker, &input.kind, None, &input.config)?,
            kind: input.kind.into_boxed_str(),
            created: now,
            updated: now,
        };
        maker.make(&record).map_err(fault)?;
        let (subject, detail) = (super::id_of(name.as_str()).to_string(), detail(maker, &record));
        Ok(Judged { changes: vec![Change::PutRealm(Box::new(record))], subject, detail, answer: () })
    });
    change.await?;
    described(services, &name)
}
