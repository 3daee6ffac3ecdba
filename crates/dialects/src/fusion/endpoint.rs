//! Our endpoints below a mount: which path and method is which operation, and who may come in.
//!
//! This table is the whole surface: what is not in it is the backend's, or nothing.

use std::sync::Arc;

use api::{roles, sessions, setup, users};
use auth::Pending;
use auth::permission::Method;
use auth::trust::Permit;
use gateway::{Answer, Destination, Door, Refusal, Visit};

use super::dialect::FusionParts;
use super::{directory, session, sessions as live, setup as first_start};

/// The longest body of a login or a first start.
const MAX_LOGIN_BODY: usize = 64 * 1024;
/// The longest body of an administration request.
const MAX_BODY: usize = 256 * 1024;

/// An operation of ours as this dialect offers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Operation {
    Status,
    Initialise,
    CreateSession,
    DescribeSession,
    EndSession,
    ListSessions,
    ReadSession,
    RevokeSession,
    ListUsers,
    CreateUser,
    ReadUser,
    ChangeUser,
    DeleteUser,
    RevokeUser,
    ListRoles,
    CreateRole,
    ReadRole,
    ChangeRole,
    DeleteRole,
    /// A path of ours where nothing is. For those who are known: strangers learn nothing of our paths.
    Nothing,
}

impl Operation {
    pub(super) const ALL: [Self; 20] = [
        Self::Status,
        Self::Initialise,
        Self::CreateSession,
        Self::DescribeSession,
        Self::EndSession,
        Self::ListSessions,
        Self::ReadSession,
        Self::RevokeSession,
        Self::ListUsers,
        Self::CreateUser,
        Self::ReadUser,
        Self::ChangeUser,
        Self::DeleteUser,
        Self::RevokeUser,
        Self::ListRoles,
        Self::CreateRole,
        Self::ReadRole,
        Self::ChangeRole,
        Self::DeleteRole,
        Self::Nothing,
    ];

    /// The operation of a method and a path below the mount, without its first slash.
    ///
    /// # Errors
    /// The methods that are allowed there; `None` where nothing is.
    pub(super) fn at(method: Method, path: &str) -> Result<Self, Option<&'static str>> {
        let place = PLACES.iter().find(|place| place.is_at(path)).ok_or(None)?;
        let found = place.operations.iter().find(|(own, _)| *own == method);
        found.map(|(_, operation)| *operation).ok_or(Some(place.allow))
    }

    fn name(self) -> &'static str {
        match self {
            Self::Status => setup::status::NAME,
            Self::Initialise => setup::initialise::NAME,
            Self::CreateSession => sessions::create::NAME,
            Self::DescribeSession => sessions::describe::NAME,
            Self::EndSession => sessions::end::NAME,
            Self::ListSessions => sessions::list::NAME,
            Self::ReadSession => sessions::list::NAME_ONE,
            Self::RevokeSession => sessions::revoke::NAME,
            Self::ListUsers => users::read::NAME,
            Self::CreateUser => users::create::NAME,
            Self::ReadUser => users::read::NAME_ONE,
            Self::ChangeUser => users::change::NAME,
            Self::DeleteUser => users::delete::NAME,
            Self::RevokeUser => sessions::revoke::NAME_ALL,
            Self::ListRoles => roles::read::NAME,
            Self::CreateRole => roles::create::NAME,
            Self::ReadRole => roles::read::NAME_ONE,
            Self::ChangeRole => roles::change::NAME,
            Self::DeleteRole => roles::delete::NAME,
            Self::Nothing => "nothing",
        }
    }

    fn door(self) -> Door {
        match self {
            Self::Status | Self::Initialise | Self::CreateSession | Self::EndSession => Door::Public,
            Self::DescribeSession | Self::Nothing => Door::Login,
            _ => Door::Permission,
        }
    }
}

/// A path of ours, and what is done there.
struct Place {
    /// Below the mount, without its first slash; [`ANY`] is any one segment.
    path: &'static str,
    /// The methods of `operations`, as `Allow` says them.
    allow: &'static str,
    operations: &'static [(Method, Operation)],
}

/// Any one segment of a path.
const ANY: &str = "ID";

impl Place {
    fn is_at(&self, path: &str) -> bool {
        let mut asked = path.split('/');
        let fits = |own: &str, asked: Option<&str>| asked.is_some_and(|asked| own == ANY || own == asked);
        self.path.split('/').all(|own| fits(own, asked.next())) && asked.next().is_none()
    }
}

/// Every endpoint of ours.
const PLACES: [Place; 10] = {
    use Method::{Delete, Get, Head, Patch, Post, Put};
    use Operation as Do;
    [
        Place {
            path: "",
            allow: "GET, HEAD, POST",
            operations: &[(Get, Do::Status), (Head, Do::Status), (Post, Do::Initialise)],
        },
        Place {
            path: "session",
            allow: "GET, HEAD, POST, DELETE",
            operations: &[
                (Get, Do::DescribeSession),
                (Head, Do::DescribeSession),
                (Post, Do::CreateSession),
                (Delete, Do::EndSession),
            ],
        },
        Place { path: "apps/ID/session", allow: "POST", operations: &[(Post, Do::CreateSession)] },
        Place {
            path: "sessions",
            allow: "GET, HEAD",
            operations: &[(Get, Do::ListSessions), (Head, Do::ListSessions)],
        },
        Place {
            path: "sessions/ID",
            allow: "GET, HEAD, DELETE",
            operations: &[(Get, Do::ReadSession), (Head, Do::ReadSession), (Delete, Do::RevokeSession)],
        },
        Place {
            path: "users",
            allow: "GET, HEAD, POST",
            operations: &[(Get, Do::ListUsers), (Head, Do::ListUsers), (Post, Do::CreateUser)],
        },
        Place {
            path: "users/ID",
            allow: "GET, HEAD, PUT, PATCH, DELETE",
            operations: &[
                (Get, Do::ReadUser),
                (Head, Do::ReadUser),
                (Put, Do::ChangeUser),
                (Patch, Do::ChangeUser),
                (Delete, Do::DeleteUser),
            ],
        },
        Place { path: "users/ID/sessions", allow: "DELETE", operations: &[(Delete, Do::RevokeUser)] },
        Place {
            path: "roles",
            allow: "GET, HEAD, POST",
            operations: &[(Get, Do::ListRoles), (Head, Do::ListRoles), (Post, Do::CreateRole)],
        },
        Place {
            path: "roles/ID",
            allow: "GET, HEAD, PUT, PATCH, DELETE",
            operations: &[
                (Get, Do::ReadRole),
                (Head, Do::ReadRole),
                (Put, Do::ChangeRole),
                (Patch, Do::ChangeRole),
                (Delete, Do::DeleteRole),
            ],
        },
    ]
};

/// An endpoint of ours, as lists of them show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its method.
    pub method: Method,
    /// Its path below the mount, without the first slash; the segment `ID` is any one.
    pub path: &'static str,
    /// What is done there.
    pub operation: &'static str,
    /// Who may come in.
    pub door: Door,
}

/// Every endpoint of ours, in the order of the table.
pub(super) fn listed() -> impl Iterator<Item = Listed> {
    PLACES.iter().flat_map(|place| {
        place.operations.iter().map(|&(method, operation)| Listed {
            method,
            path: place.path,
            operation: operation.name(),
            door: operation.door(),
        })
    })
}

/// One operation at one mount.
pub(super) struct Endpoint {
    pub(super) operation: Operation,
    pub(super) parts: Arc<FusionParts>,
}

impl Destination for Endpoint {
    fn name(&self) -> &'static str {
        self.operation.name()
    }

    fn door(&self) -> Door {
        self.operation.door()
    }

    fn is_administration(&self) -> bool {
        self.door() == Door::Permission
    }

    fn body_limit(&self) -> usize {
        match self.operation {
            Operation::Initialise | Operation::CreateSession => MAX_LOGIN_BODY,
            Operation::CreateUser | Operation::ChangeUser | Operation::CreateRole | Operation::ChangeRole => {
                MAX_BODY
            }
            // Nobody reads it; what little comes along is taken off the connection.
            _ => MAX_LOGIN_BODY,
        }
    }

    fn perform<'a>(&'a self, visit: Visit<'a>, permit: Permit) -> Pending<'a, Result<Answer, Refusal>> {
        let parts = &*self.parts;
        Box::pin(async move {
            match self.operation {
                Operation::Status => first_start::status(parts, &permit),
                Operation::Initialise => first_start::initialise(parts, &permit, &visit).await,
                Operation::CreateSession => session::create(parts, &permit, &visit).await,
                Operation::DescribeSession => session::describe(parts, &permit),
                Operation::EndSession => session::end(parts, &permit, &visit).await,
                Operation::ListSessions => live::list(parts, &permit, &visit),
                Operation::ReadSession => live::read(parts, &permit, &visit),
                Operation::RevokeSession => live::revoke(parts, &permit, &visit).await,
                Operation::RevokeUser => live::revoke_all(parts, &permit, &visit).await,
                Operation::ListUsers => directory::list_users(parts, &permit, &visit),
                Operation::CreateUser => directory::create_user(parts, &permit, &visit).await,
                Operation::ReadUser => directory::read_user(parts, &permit, &visit),
                Operation::ChangeUser => directory::change_user(parts, &permit, &visit).await,
                Operation::DeleteUser => directory::delete_user(parts, &permit, &visit).await,
                Operation::ListRoles => directory::list_roles(parts, &permit, &visit),
                Operation::CreateRole => directory::create_role(parts, &permit, &visit).await,
                Operation::ReadRole => directory::read_role(parts, &permit, &visit),
                Operation::ChangeRole => directory::change_role(parts, &permit, &visit).await,
                Operation::DeleteRole => directory::delete_role(parts, &permit, &visit).await,
                Operation::Nothing => Err(Refusal::NotFound),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_has_its_place_and_every_place_says_its_methods() {
        for operation in Operation::ALL.into_iter().filter(|operation| *operation != Operation::Nothing) {
            let held = |place: &Place| place.operations.iter().any(|(_, own)| *own == operation);
            assert!(PLACES.iter().any(held), "{operation:?}");
        }
        for place in &PLACES {
            let methods: Vec<_> = place.operations.iter().map(|(method, _)| method.as_str()).collect();
            assert_eq!(place.allow, methods.join(", "), "{}", place.path);
        }
    }

    #[test]
    fn a_path_is_a_place_whole_or_not_at_all() {
        let at = |path| Operation::at(Method::Get, path);
        assert_eq!(at("users/7"), Ok(Operation::ReadUser));
        assert_eq!(at("users/"), Ok(Operation::ReadUser));
        assert_eq!(at("users/7/sessions"), Err(Some("DELETE")));
        assert_eq!(at("apps/demo/session"), Err(Some("POST")));
        assert_eq!(Operation::at(Method::Post, "apps/demo/session"), Ok(Operation::CreateSession));
        for nothing in [
            "users/7/",
            "users/7/x",
            "users/7/sessions/1",
            "session/",
            "session/mine",
            "Session",
            "apps",
            "apps/demo",
            "apps/demo/sessions",
        ] {
            assert_eq!(at(nothing), Err(None), "{nothing}");
        }
    }
}
