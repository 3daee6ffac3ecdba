//! `setup.initialise`: the first start. Makes the user `admin`, once.

use auth::trust::Permit;
use auth::{Change, Initialised, PasswordHash, RealmName, RoleName, User, UserId, Username};
use zeroize::Zeroizing;

use crate::error::Error;
use crate::password::{Strength, Weakness};
use crate::services::{Judged, Services};

/// The operation's name.
pub const NAME: &str = "setup.initialise";

/// What somebody who knows of him tries first.
const CONTEXT: [&str; 2] = ["admin", "administrator"];

/// Sets `admin`'s password over the network, where nobody has done so yet, and tells how strong it is.
///
/// # Errors
/// [`Error::Conflict`] once it is done, [`Error::WeakPassword`].
pub async fn run(
    services: &Services,
    permit: &Permit,
    password: Zeroizing<String>,
) -> Result<Strength, Error> {
    permit.expect(NAME)?;
    // Asked before the hash is made, so that nobody can make us hash for nothing; and again when it is written.
    undone(services)?;
    let (hash, strength) = services.hash(password, &CONTEXT).await?;
    write(services, Some(permit), hash).await?;
    Ok(strength)
}

/// What became of the password that the operator gave.
#[derive(Clone, Debug, PartialEq)]
pub enum Given {
    /// There is one already; it stays.
    NotNeeded,
    /// It is set. Where it is weak, he is to be warned: he is not stopped.
    Set(Option<Weakness>),
}

/// Sets `admin`'s password as the operator gave it to the process, where there is none yet.
///
/// # Errors
/// [`Error::WeakPassword`] where nobody could ever log in with it.
pub async fn by_operator(services: &Services, password: Zeroizing<String>) -> Result<Given, Error> {
    if undone(services).is_err() {
        return Ok(Given::NotNeeded);
    }
    let (hash, weakness) = services.hash_of_operator(password, &CONTEXT).await?;
    write(services, None, hash).await?;
    Ok(Given::Set(weakness))
}

fn undone(services: &Services) -> Result<(), Error> {
    match services.kernel.directory().present().initialised {
        None => Ok(()),
        Some(_) => Err(Error::Conflict("the first start is over")),
    }
}

async fn write(services: &Services, permit: Option<&Permit>, hash: PasswordHash) -> Result<(), Error> {
    let now = services.kernel.clock().now();
    let realm = RealmName::native();
    let username = Username::chosen("admin").map_err(|fault| Error::invalid("username", fault))?;
    let admin = RoleName::parse("admin").map_err(|fault| Error::invalid("roleNames", fault))?;
    let id = UserId::of(&realm, &username);
    let change = services.change(permit, NAME, |snapshot| {
        if snapshot.initialised.is_some() {
            return Err(Error::Conflict("the first start is over"));
        }
        let user = User {
            id,
            realm,
            username,
            roles: vec![admin],
            permissions: Vec::new(),
            enabled: true,
            password: Some(hash),
            vouched: auth::Vouched::default(),
            password_version: services.first_password_version(),
            created: now,
            updated: now,
        };
        let initialised = Initialised { version: services.version.to_owned(), at: now };
        let changes = vec![Change::PutUser(Box::new(user)), Change::Initialise(initialised)];
        Ok(Judged { changes, subject: id.to_string(), detail: "admin".to_owned(), answer: () })
    });
    change.await
}
