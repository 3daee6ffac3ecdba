//! The settings: a file becomes types, once.
//!
//! Purpose: reads the settings file (or what replaces it) into types that need no further checking, reports every
//!   mistake with file, line, column and a suggestion, and turns the settings of other products into ours.
//! Callers: doorward.
//! May use: auth
//! Must never: decide about a request, open a socket, or print a value that came from a secret file or the environment.
//! Read first: `settings.rs`, then `document/reader.rs`.

mod document;
mod environment;
mod first_start;
pub mod import;
pub mod limits;
mod mistake;
mod secret;
mod sections;
mod settings;
mod value;

pub use document::reader::{Reader, Taken};
pub use document::tree::Section;
pub use environment::{Environment, System};
pub use first_start::{ADMIN_PASSWORD, ADMIN_PASSWORD_FILE, admin_password};
pub use mistake::{Mistake, Mistakes, Place, Report};
pub use secret::Secret;
pub use sections::audit::{Audit, AuditFile};
pub use sections::identity_token::{IdentityToken, RouteIdentity};
pub use sections::listen::{DEFAULT_LISTEN, Listen, Tls};
pub use sections::login::Login;
pub use sections::logs::{Log, LogFormat};
pub use sections::mount::{AtSessionCap, CookieSecure, Dialect, Generation, Mount, SameSite};
pub use sections::ovirt::{EndSession, Ovirt};
pub use sections::own::OwnEndpoint;
pub use sections::realm::{Realm, RealmType};
pub use sections::route::Route;
pub use sections::upstream::{Scheme, Upstream};
pub use settings::{DEFAULT_DATA, Overrides, Settings};
pub use value::ByteSize;
