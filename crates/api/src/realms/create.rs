//! `realm.create`: a new realm, whose users can log in from the moment it is there.

use auth::trust::Permit;
use auth::{Change, RealmName, RealmRecord};

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

/// Makes a realm.
///
/// # Errors
/// [`Error::Invalid`], [`Error::Conflict`] where the name is taken or there are [`MAX_REALMS`].
pub async fn run(services: &Services, permit: &Permit, input: Input) -> Result<Described, Error> {
    permit.expect(NAME)?;
    let name = RealmName::parse(&input.name).map_err(|fault| Error::invalid("name", fault))?;
    let maker = services.kernel.directory().maker();
    let now = services.kernel.clock().now();
    let change = services.change(Some(permit), NAME, |snapshot| {
        if snapshot.realm(name.as_str()).is_some() {
            return Err(Error::Conflict("a realm of this name exists"));
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
