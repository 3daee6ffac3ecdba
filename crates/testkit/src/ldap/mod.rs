//! Real directory servers for tests: OpenLDAP's `slapd`, a Samba AD domain controller, and a slow line to either.
//!
//! Called by the tests of the ldap realm and by end-to-end tests. Must never use a directory of the system, its
//! settings or its service, share code with the realm that is tested, or leave a process behind.
//!
//! ```no_run
//! use testkit::ldap::{Group, Slapd, User};
//!
//! let mut directory = Slapd::new()
//!     .user(User::named("alice", "correct horse").mail("alice@example.org"))
//!     .group(Group::named("staff").user("alice"))
//!     .start();
//! // … directory.url(), directory.tls_url(), directory.authority().pem() …
//! assert_eq!(directory.filters(), ["(uid=alice)"]);
//! directory.kill();
//! directory.start_again();
//! ```
//!
//! # What slapd says (2.5.13 of Debian 12; shown in `slapd/policy_tests.rs`)
//! It says more than a code to those only who send the request control `1.3.6.1.4.1.42.2.27.8.5.1` with their bind
//! (draft-behera-ldap-password-policy-10 section 6); the answer's control of the same number then has:
//!
//! | state of the account | right password | wrong password |
//! | --- | --- | --- |
//! | in order | 0 | 49, control without content |
//! | unknown (no such entry) | 49, control without content | the same |
//! | locked (`pwdAccountLockedTime`, or too many failures; also the failure that is one too many) | 49, `accountLocked` | the same |
//! | password too old | 49, `passwordExpired` | 49, control without content |
//! | password too old, grace left | 0, `graceAuthNsRemaining` | 49, control without content |
//! | password soon too old | 0, `timeBeforeExpiration` | 49, control without content |
//! | must change it (`pwdReset`) | 0, `changeAfterReset` | 49, control without content |
//! | any, empty password | 53, or with `allow bind_anon_dn` 0 and anonymous, whoever is named | |
//!
//! Who does not send it hears 49 and no text, or 0: to a user who must change his password, too. That user's next search
//! on the same connection then fails with 50.

mod authority;
mod domain;
mod ldif;
mod people;
mod port;
mod samba;
mod server;
mod slapd;
mod slapd_log;
mod slapd_settings;
mod slow;
mod tool;

pub use authority::{Authority, Certificate};
pub use domain::{DomainGroup, DomainUser};
pub use ldif::{Entry, escape_dn_value};
pub use people::{Group, PosixGroup, User};
pub use samba::{Samba, SambaPlan};
pub use slapd::{Slapd, SlapdPlan};
pub use slow::Slow;
pub use tool::{Bind, Whoami};
