//! Operations on roles.

pub mod change;
pub mod create;
pub mod delete;
pub mod read;

use std::sync::Arc;

use auth::Role;
use auth::directory::{CompiledRole, Snapshot};
use auth::permission::Permission;
use uuid::Uuid;

use crate::error::Error;

/// Permissions of a role at the most, and UI permissions.
pub const MAX_ENTRIES: usize = 1_024;
/// Bytes of a role's description at the most.
pub const MAX_DESCRIPTION: usize = 1_024;

/// Namespace of role ids (UUIDv5 of the name): the same on every node.
const ROLE_NAMESPACE: Uuid = Uuid::from_u128(0x6f2d_1f5e_93c4_4f0e_8b1a_d00d_aa4d_0002);

/// A role's id, computed of its name.
#[must_use]
pub fn id_of(name: &str) -> Uuid {
    Uuid::new_v5(&ROLE_NAMESPACE, name.as_bytes())
}

fn by_id<'a>(snapshot: &'a Snapshot, id: &Uuid) -> Result<&'a Arc<CompiledRole>, Error> {
    snapshot.roles().find(|role| id_of(role.role.name.as_str()) == *id).ok_or(Error::NotFound)
}

/// What a role is after a change, for those who write down who did what.
fn detail(role: &Role) -> String {
    let permissions: Vec<_> = role.permissions.iter().map(ToString::to_string).collect();
    format!("{}; permissions={}", role.name, permissions.join(" "))
}

fn check(description: &str, permissions: &[Permission], ui_permissions: &[String]) -> Result<(), Error> {
    if description.len() > MAX_DESCRIPTION {
        return Err(Error::invalid("desc", format!("longer than {MAX_DESCRIPTION} bytes")));
    }
    if permissions.len() > MAX_ENTRIES {
        return Err(Error::invalid("permissions", format!("more than {MAX_ENTRIES} entries")));
    }
    if ui_permissions.len() > MAX_ENTRIES {
        return Err(Error::invalid("uiPermissions", format!("more than {MAX_ENTRIES} entries")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_has_limits() {
        let permissions = |count| vec!["GET:/x".parse::<Permission>().unwrap(); count];
        let shown = |count| vec![String::new(); count];
        let text = |length| "x".repeat(length);
        let refused = |checked: Result<(), Error>| match checked {
            Ok(()) => None,
            Err(Error::Invalid { field, .. }) => Some(field),
            Err(other) => panic!("{other:?}"),
        };
        assert_eq!(
            refused(check(&text(MAX_DESCRIPTION), &permissions(MAX_ENTRIES), &shown(MAX_ENTRIES))),
            None
        );
        assert_eq!(refused(check(&text(MAX_DESCRIPTION + 1), &[], &[])).as_deref(), Some("desc"));
        assert_eq!(refused(check("", &permissions(MAX_ENTRIES + 1), &[])).as_deref(), Some("permissions"));
        assert_eq!(refused(check("", &[], &shown(MAX_ENTRIES + 1))).as_deref(), Some("uiPermissions"));
    }
}
