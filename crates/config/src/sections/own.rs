//! `own`: the endpoints below a mount that the gateway answers itself. `mount.rs` reads it; the wiring tells the dialect.
//! It must never know what such an endpoint does.

use crate::document::reader::{Reader, Taken, choose};
use crate::value::Fault;

/// An endpoint below the mount that the gateway can answer in the backend's place.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum OwnEndpoint {
    /// Logging in and out, and who one is.
    Session,
    /// Users.
    Users,
    /// Roles.
    Roles,
    /// Realms.
    RealmConfigs,
    /// Apps.
    Apps,
    /// API keys.
    ApiKeys,
    /// The list of live sessions.
    Sessions,
    /// The audit log.
    Audit,
    /// Which rule decides, and why.
    Explain,
}

impl OwnEndpoint {
    /// All of them, in the order of the contract: what a mount answers by default.
    pub const ALL: [Self; 9] = [
        Self::Session,
        Self::Users,
        Self::Roles,
        Self::RealmConfigs,
        Self::Apps,
        Self::ApiKeys,
        Self::Sessions,
        Self::Audit,
        Self::Explain,
    ];

    /// The first segment of its path below the mount.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Users => "users",
            Self::Roles => "roles",
            Self::RealmConfigs => "realm-configs",
            Self::Apps => "apps",
            Self::ApiKeys => "api-keys",
            Self::Sessions => "sessions",
            Self::Audit => "audit",
            Self::Explain => "explain",
        }
    }
}

pub(crate) fn read(reader: &mut Reader<'_>) -> Vec<OwnEndpoint> {
    let words = OwnEndpoint::ALL.map(|endpoint| (endpoint.as_str(), endpoint));
    match reader.take_list("own", OwnEndpoint::ALL.len(), |text| -> Result<_, Fault> { choose(text, &words) })
    {
        Taken::Given(own) => {
            if let Some(twice) = first_duplicate(&own) {
                reader.mistake("own", format!("\"{}\" stands in it twice", own[twice].as_str()));
            }
            own
        }
        Taken::Absent | Taken::Wrong => OwnEndpoint::ALL.to_vec(),
    }
}

/// The index of the first element that stood there before.
pub(crate) fn first_duplicate<T: PartialEq>(list: &[T]) -> Option<usize> {
    (1..list.len()).find(|index| list[..*index].contains(&list[*index]))
}
