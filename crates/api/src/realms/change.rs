//! `realm.change`: whether a realm lets its users in, what they inherit, how its source is asked. It holds from the next
//! request on.

use auth::directory::Snapshot;
use auth::trust::Permit;
use auth::{Change, RealmMaker, RealmRecord};
use uuid::Uuid;

use super::{Described, IN_SETTINGS, by_id, config, described, detail, end_sessions, fault, is_own};
use crate::error::Error;
use crate::precondition::{Precondition, next_version};
use crate::services::{Judged, Services};
use crate::users::existing_roles;

/// The operation's name.
pub const NAME: &str = "realm.change";

/// What changes; `None` stays as it is.
#[derive(Default)]
pub struct Input {
    /// Its type, which cannot change: for those who send back what they were shown.
    pub kind: Option<String>,
    /// Whether it lets its users in.
    pub enabled: Option<bool>,
    /// All roles that its users inherit.
    pub roles: Option<Vec<String>>,
    /// All of its config, a JSON object; where it has a secret's mark, the secret stays.
    pub config: Option<String>,
}

/// Changes a realm. One that is switched off lets nobody in, and its sessions end: they do not live again when it is switched
/// on.
///
/// # Errors
/// [`Error::NotFound`], [`Error::PreconditionFailed`], [`Error::Invalid`]; [`Error::Conflict`] for a realm of the settings, and
/// where the caller would switch off his own.
pub async fn run(
    services: &Services,
    permit: &Permit,
    id: Uuid,
    input: Input,
    expected: &Precondition,
) -> Result<Described, Error> {
    permit.expect(NAME)?;
    let switches_off = input.enabled == Some(false);
    let judge = |snapshot: &Snapshot| {
        let state = by_id(snapshot, &id)?;
        expected.check(state.record.updated)?;
        if state.in_settings {
            return Err(Error::Conflict(IN_SETTINGS));
        }
        if switches_off && is_own(permit, &state.record.name) {
            return Err(Error::Conflict("nobody can switch off the realm that he comes from"));
        }
        changed(snapshot, services.kernel.directory().maker(), &state.record, &input)
    };
    // Judged again where nobody else can change it; but no session ends for a change that is not made.
    let name = judge(&services.kernel.directory().present())?.name;
    // Before the change: a crash between the two ends sessions for nothing, rather than leaving them alive. And after it: for
    // those who logged in meanwhile.
    if switches_off {
        end_sessions(services, permit, &name).await?;
    }
    let now = services.kernel.clock().now();
    let change = services.change(Some(permit), NAME, |snapshot| {
        let mut record = judge(snapshot)?;
        record.updated = next_version(record.updated, now);
        let detail = detail(services.kernel.directory().maker(), &record);
        let changes = vec![Change::PutRealm(Box::new(record))];
        Ok(Judged { changes, subject: id.to_string(), detail, answer: () })
    });
    change.await?;
    if switches_off {
        end_sessions(services, permit, &name).await?;
    }
    described(services, &name)
}

/// The record as `input` wants it.
fn changed(
    snapshot: &Snapshot,
    maker: &dyn RealmMaker,
    before: &RealmRecord,
    input: &Input,
) -> Result<RealmRecord, Error> {
    if input.kind.as_deref().is_some_and(|kind| kind != &*before.kind) {
        return Err(Error::invalid("realmType", "cannot be changed"));
    }
    let mut record = before.clone();
    if let Some(enabled) = input.enabled {
        record.enabled = enabled;
    }
    if let Some(names) = &input.roles {
        record.roles = existing_roles(snapshot, names)?;
    }
    // What this build cannot make can be switched off all the same.
    if let Some(sent) = &input.config {
        record.config = config(maker, &record.kind, Some(&before.config), sent)?;
        maker.make(&record).map_err(fault)?;
    }
    Ok(record)
}
