//! The realm `ldap`: users of an LDAP directory or of Active Directory, who log in with their password there.
//!
//! Purpose: one [`Realm`](auth::Realm) over a list of directory servers: logins by template or by search, groups that
//!   become roles, the look again at who is logged in, and the rehearsal for operators.
//! Callers: `doorward` wires it; its config is read by [`parse`].
//! May use: auth
//! Must never: know another realm, a store, HTTP; send a password to a server that has not proven its name (but where the
//! settings say so); bind with an empty password or an empty name; follow a referral; put a name into a filter or a DN
//! unescaped; print or log a password.
//! Read first: `settings.rs`, then `realm/`.

#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
pub mod limits;
mod net;
mod realm;
mod settings;
mod words;

pub use realm::LdapRealm;
pub use settings::{Settings, is_destination, is_secret, parse};
