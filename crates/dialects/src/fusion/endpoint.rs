//! Our endpoints below a mount: which path and method is which operation, and who may come in.
//!
//! This table is the whole surface: what is not in it is the backend's, or nothing.

use std::sync::Arc;

use api::{
    apps as of_apps, audit as of_audit, explain as of_explain, keys as of_keys, realms as of_realms,
    roles as of_roles, sessions, setup, users as of_users,
};
use auth::Pending;
use auth::permission::Method;
use auth::trust::Permit;
use gateway::{Answer, Destination, Door, Refusal, Visit};

use super::dialect::FusionParts;
use super::{
    apps, audit, explain, keys, mine, realms, roles, session, sessions as live, setup as first_start, users,
};

/// The longest body of a login, a first start, a proof or a question.
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
    RevokeSessions,
    ListMine,
    EndMine,
    EndOthers,
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
    ListRealms,
    CreateRealm,
    ReadRealm,
    ChangeRealm,
    DeleteRealm,
    TestRealm,
    ListApps,
    CreateApp,
    ReadApp,
    ChangeApp,
    DeleteApp,
    ListKeys,
    CreateKey,
    ReadKey,
    DeleteKey,
    ListAudit,
    Explain,
    /// A path of ours where nothing is. For those who are known: strangers learn nothing of our paths.
    Nothing,
}

impl Operation {
    pub(super) const ALL: &[Self] = &[
        Self::Status,
        Self::Initialise,
        Self::CreateSession,
        Self::DescribeSession,
        Self::EndSession,
        Self::ListSessions,
        Self::ReadSession,
        Self::RevokeSession,
        Self::RevokeSessions,
        Self::ListMine,
        Self::EndMine,
        Self::EndOthers,
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
        Self::ListRealms,
        Self::CreateRealm,
        Self::ReadRealm,
        Self::ChangeRealm,
        Self::DeleteRealm,
        Self::TestRealm,
        Self::ListApps,
        Self::CreateApp,
        Self::ReadApp,
        Self::ChangeApp,
        Self::DeleteApp,
        Self::ListKeys,
        Self::CreateKey,
        Self::ReadKey,
        Self::DeleteKey,
        Self::ListAudit,
        Self::Explain,
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

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Status => setup::status::NAME,
            Self::Initialise => setup::initialise::NAME,
            Self::CreateSession => sessions::create::NAME,
            Self::DescribeSession => sessions::describe::NAME,
            Self::EndSession => sessions::end::NAME,
            Self::ListSessions => sessions::list::NAME,
            Self::ReadSession => sessions::list::NAME_ONE,
            Self::RevokeSession => sessions::revoke::NAME,
            Self::RevokeSessions => sessions::revoke::NAME_MATCHING,
            Self::ListMine => sessions::mine::NAME,
            Self::EndMine => sessions::mine::NAME_END,
            Self::EndOthers => sessions::mine::NAME_END_OTHERS,
            Self::ListUsers => of_users::read::NAME,
            Self::CreateUser => of_users::create::NAME,
            Self::ReadUser => of_users::read::NAME_ONE,
            Self::ChangeUser => of_users::change::NAME,
            Self::DeleteUser => of_users::delete::NAME,
            Self::RevokeUser => sessions::revoke::NAME_ALL,
            Self::ListRoles => of_roles::read::NAME,
            Self::CreateRole => of_roles::create::NAME,
            Self::ReadRole => of_roles::read::NAME_ONE,
            Self::ChangeRole => of_roles::change::NAME,
            Self::DeleteRole => of_roles::delete::NAME,
            Self::ListRealms => of_realms::read::NAME,
            Self::CreateRealm => of_realms::create::NAME,
            Self::ReadRealm => of_realms::read::NAME_ONE,
            Self::ChangeRealm => of_realms::change::NAME,
            Self::DeleteRealm => of_realms::delete::NAME,
            Self::TestRealm => of_realms::rehearse::NAME,
            Self::ListApps => of_apps::read::NAME,
            Self::CreateApp => of_apps::create::NAME,
            Self::ReadApp => of_apps::read::NAME_ONE,
            Self::ChangeApp => of_apps::change::NAME,
            Self::DeleteApp => of_apps::delete::NAME,
            Self::ListKeys => of_keys::read::NAME,
            Self::CreateKey => of_keys::create::NAME,
            Self::ReadKey => of_keys::read::NAME_ONE,
            Self::DeleteKey => of_keys::delete::NAME,
            Self::ListAudit => of_audit::list::NAME,
            Self::Explain => of_explain::NAME,
            Self::Nothing => "nothing",
        }
    }

    /// Whether nothing is there for those who come in, either.
    pub(super) fn is_nothing(self) -> bool {
        self == Self::Nothing
    }

    pub(super) fn door(self) -> Door {
        match self {
            Self::Status | Self::Initialise | Self::CreateSession | Self::EndSession => Door::Public,
            Self::DescribeSession | Self::ListMine | Self::EndMine | Self::EndOthers | Self::Nothing => {
                Door::Login
            }
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
pub(super) const ANY: &str = "ID";

impl Place {
    fn is_at(&self, path: &str) -> bool {
        let mut asked = path.split('/');
        let fits = |own: &str, asked: Option<&str>| asked.is_some_and(|asked| own == ANY || own == asked);
        self.path.split('/').all(|own| fits(own, asked.next())) && asked.next().is_none()
    }
}

/// Every endpoint of ours.
const PLACES: &[Place] = {
    use Method::{Delete, Get, Head, Patch, Post, Put};
    use Operation as Do;
    &[
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
        Place {
            path: "session/mine",
            allow: "GET, HEAD, DELETE",
            operations: &[(Get, Do::ListMine), (Head, Do::ListMine), (Delete, Do::EndOthers)],
        },
        Place { path: "session/mine/ID", allow: "DELETE", operations: &[(Delete, Do::EndMine)] },
        Place { path: "apps/ID/session", allow: "POST", operations: &[(Post, Do::CreateSession)] },
        Place {
            path: "sessions",
            allow: "GET, HEAD, DELETE",
            operations: &[(Get, Do::ListSessions), (Head, Do::ListSessions), (Delete, Do::RevokeSessions)],
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
        Place {
            path: "realm-configs",
            allow: "GET, HEAD, POST",
            operations: &[(Get, Do::ListRealms), (Head, Do::ListRealms), (Post, Do::CreateRealm)],
        },
        Place {
            path: "realm-configs/ID",
            allow: "GET, HEAD, PUT, PATCH, DELETE",
            operations: &[
                (Get, Do::ReadRealm),
                (Head, Do::ReadRealm),
                (Put, Do::ChangeRealm),
                (Patch, Do::ChangeRealm),
                (Delete, Do::DeleteRealm),
            ],
        },
        Place { path: "realm-configs/ID/test", allow: "POST", operations: &[(Post, Do::TestRealm)] },
        Place {
            path: "apps",
            allow: "GET, HEAD, POST",
            operations: &[(Get, Do::ListApps), (Head, Do::ListApps), (Post, Do::CreateApp)],
        },
        Place {
            path: "apps/ID",
            allow: "GET, HEAD, PUT, PATCH, DELETE",
            operations: &[
                (Get, Do::ReadApp),
                (Head, Do::ReadApp),
                (Put, Do::ChangeApp),
                (Patch, Do::ChangeApp),
                (Delete, Do::DeleteApp),
            ],
        },
        Place {
            path: "api-keys",
            allow: "GET, HEAD, POST",
            operations: &[(Get, Do::ListKeys), (Head, Do::ListKeys), (Post, Do::CreateKey)],
        },
        Place {
            path: "api-keys/ID",
            allow: "GET, HEAD, DELETE",
            operations: &[(Get, Do::ReadKey), (Head, Do::ReadKey), (Delete, Do::DeleteKey)],
        },
        Place {
            path: "audit",
            allow: "GET, HEAD",
            operations: &[(Get, Do::ListAudit), (Head, Do::ListAudit)],
        },
        Place { path: "explain", allow: "POST", operations: &[(Post, Do::Explain)] },
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
    placed().map(|Placed { method, path, operation }| Listed {
        method,
        path,
        operation: operation.name(),
        door: operation.door(),
    })
}

/// A row of the table: what is done with one method at one path.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placed {
    pub(super) method: Method,
    pub(super) path: &'static str,
    pub(super) operation: Operation,
}

/// Every row of the table, in its order.
pub(super) fn placed() -> impl Iterator<Item = Placed> {
    PLACES.iter().flat_map(|place| {
        place.operations.iter().map(|&(method, operation)| Placed { method, path: place.path, operation })
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
            Operation::Initialise
            | Operation::CreateSession
            | Operation::EndMine
            | Operation::EndOthers
            | Operation::TestRealm
            | Operation::Explain => MAX_LOGIN_BODY,
            Operation::CreateKey
            | Operation::CreateUser
            | Operation::ChangeUser
            | Operation::CreateRole
            | Operation::ChangeRole
            | Operation::CreateRealm
            | Operation::ChangeRealm
            | Operation::CreateApp
            | Operation::ChangeApp => MAX_BODY,
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
                Operation::DescribeSession => session::describe(parts, &permit, &visit),
                Operation::EndSession => session::end(parts, &permit, &visit).await,
                Operation::ListSessions => live::list(parts, &permit, &visit).await,
                Operation::ReadSession => live::read(parts, &permit, &visit),
                Operation::RevokeSession => live::revoke(parts, &permit, &visit).await,
                Operation::RevokeSessions => live::revoke_matching(parts, &permit, &visit).await,
                Operation::ListMine => mine::list(parts, &permit, &visit).await,
                Operation::EndMine => mine::end(parts, &permit, &visit).await,
                Operation::EndOthers => mine::end_others(parts, &permit, &visit).await,
                Operation::RevokeUser => live::revoke_all(parts, &permit, &visit).await,
                Operation::ListUsers => users::list(parts, &permit, &visit).await,
                Operation::CreateUser => users::create(parts, &permit, &visit).await,
                Operation::ReadUser => users::read(parts, &permit, &visit),
                Operation::ChangeUser => users::change(parts, &permit, &visit).await,
                Operation::DeleteUser => users::delete(parts, &permit, &visit).await,
                Operation::ListRoles => roles::list(parts, &permit, &visit).await,
                Operation::CreateRole => roles::create(parts, &permit, &visit).await,
                Operation::ReadRole => roles::read(parts, &permit, &visit),
                Operation::ChangeRole => roles::change(parts, &permit, &visit).await,
                Operation::DeleteRole => roles::delete(parts, &permit, &visit).await,
                Operation::ListRealms => realms::list(parts, &permit, &visit).await,
                Operation::CreateRealm => realms::create(parts, &permit, &visit).await,
                Operation::ReadRealm => realms::read(parts, &permit, &visit),
                Operation::ChangeRealm => realms::change(parts, &permit, &visit).await,
                Operation::DeleteRealm => realms::delete(parts, &permit, &visit).await,
                Operation::TestRealm => realms::test(parts, &permit, &visit).await,
                Operation::ListApps => apps::list(parts, &permit, &visit).await,
                Operation::CreateApp => apps::create(parts, &permit, &visit).await,
                Operation::ReadApp => apps::read(parts, &permit, &visit),
                Operation::ChangeApp => apps::change(parts, &permit, &visit).await,
                Operation::DeleteApp => apps::delete(parts, &permit, &visit).await,
                Operation::ListKeys => keys::list(parts, &permit, &visit).await,
                Operation::CreateKey => keys::create(parts, &permit, &visit).await,
                Operation::ReadKey => keys::read(parts, &permit, &visit),
                Operation::DeleteKey => keys::delete(parts, &permit, &visit).await,
                Operation::ListAudit => audit::list(parts, &permit, &visit).await,
                Operation::Explain => explain::explain(parts, &permit, &visit),
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
        for operation in Operation::ALL.iter().copied().filter(|operation| *operation != Operation::Nothing) {
            let held = |place: &Place| place.operations.iter().any(|(_, own)| *own == operation);
            assert!(PLACES.iter().any(held), "{operation:?}");
        }
        for place in PLACES {
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
        assert_eq!(at("session/mine"), Ok(Operation::ListMine));
        assert_eq!(at("session/mine/7"), Err(Some("DELETE")));
        assert_eq!(at("apps/demo/session"), Err(Some("POST")));
        assert_eq!(Operation::at(Method::Post, "apps/demo/session"), Ok(Operation::CreateSession));
        for nothing in [
            "users/7/",
            "users/7/x",
            "users/7/sessions/1",
            "session/",
            "session/mine/7/",
            "session/other",
            "Session",
            "apps/demo/sessions",
        ] {
            assert_eq!(at(nothing), Err(None), "{nothing}");
        }
    }
}
