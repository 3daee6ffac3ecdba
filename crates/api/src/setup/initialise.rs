//! `setup.initialise`: the first start. Makes the user `admin`, once.

use auth::trust::Permit;
use auth::{Change, Initialised, Password, PasswordHash, RealmName, RoleName, User, UserId, Username};
use zeroize::Zeroizing;

use crate::error::Error;
use crate::password::{Weakness, weakness};
use crate::services::Services;

/// The operation's name.
pub const NAME: &str = "setup.initialise";

/// Sets `admin`'s password over the network, where nobody has done so yet.
///
/// # Errors
/// [`Error::Conflict`] once it is done, [`Error::WeakPassword`].
pub async fn run(services: &Services, permit: &Permit, password: Zeroizing<String>) -> Result<(), Error> {
    permit.expect(NAME)?;
    // Asked before the hash is made, so that nobody can make us hash for nothing; and again when it is written.
    undone(services)?;
    let hash = services.hash(password).await?;
    write(services, hash).await
}

/// What became of the password that the operator gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    let password = Password::presented(password).ok_or(Error::WeakPassword(Weakness::Unusable))?;
    let hash = services.hash_unjudged(&password).await?;
    write(services, hash).await?;
    Ok(Given::Set(weakness(&password)))
}

fn undone(services: &Services) -> Result<(), Error> {
    match services.kernel.directory().present().initialised {
        None => Ok(()),
        Some(_) => Err(Error::Conflict("the first start is over")),
    }
}

async fn write(services: &Services, hash: PasswordHash) -> Result<(), Error> {
    let now = services.kernel.clock().now();
    let realm = RealmName::native();
    let username = Username::chosen("admin").map_err(|fault| Error::invalid("username", fault))?;
    let admin = RoleName::parse("admin").map_err(|fault| Error::invalid("roleNames", fault))?;
    let id = UserId::of(&realm, &username);
    let change = services.kernel.directory().change(|snapshot| {
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
            password_version: 1,
            created: now,
            updated: now,
        };
        let initialised = Initialised { version: services.version.to_owned(), at: now };
        Ok((vec![Change::PutUser(Box::new(user)), Change::Initialise(initialised)], ()))
    });
    change.await?;
    services.changed(None, NAME, "admin");
    Ok(())
}
