//! The realm `trusted-http`: somebody in front of the gateway (a web server that knows certificates or Kerberos, a portal) says in
//! header fields who the user is and what groups he is in.
//!
//! Purpose: one [`Realm`](auth::Realm) that takes the word of listed peers, and of nobody else.
//! Callers: `doorward` makes it of its record.
//! May use: auth
//! Must never: know another realm, a store, HTTP; believe a field of a peer that is not listed, whatever any other field says
//!   about addresses; take one of two values.
//! Read first: `realm.rs`.

pub mod limits;
mod realm;
mod settings;

pub use realm::HeaderRealm;
