//! `realm.test`: a login that an administrator plays through, to see what the realm's server says to each step of it. Nobody comes
//! in by it, and nothing is changed. Each is a line of the audit log, also one that its client did not wait for.

#[cfg(test)]
mod tests;

use auth::trust::Permit;
use auth::{Event, Password, RehearsedStep, Somebody, Username};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::by_id;
use crate::error::Error;
use crate::services::Services;

/// The operation's name.
pub const NAME: &str = "realm.test";

/// Whose login is played.
pub struct Input {
    /// His name.
    pub username: String,
    /// His password; without one it is played as far as one comes without.
    pub password: Option<Zeroizing<String>>,
}

/// What came of it.
pub struct Rehearsed {
    /// The steps, in their order.
    pub steps: Vec<RehearsedStep>,
    /// Whether every one of them went well.
    pub is_good: bool,
}

/// Plays a login at this realm through, whether the realm is switched on or not.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Invalid`]; [`Error::Conflict`] where the realm's type has nothing to play; [`Error::Kernel`] with
/// [`TooManyAttempts`](auth::Reason::TooManyAttempts) after too many wrong passwords, and where nothing can be played now.
pub async fn run(services: &Services, permit: &Permit, id: Uuid, input: Input) -> Result<Rehearsed, Error> {
    permit.expect(NAME)?;
    let username = Username::presented(&input.username).map_err(|fault| Error::invalid("username", fault))?;
    let wrong = || Error::invalid("password", "is none that anybody can have: empty, or too long");
    let password = input.password.map(|text| Password::presented(text).ok_or_else(wrong)).transpose()?;
    // Nobody waits for a server with the directory in his hands.
    let snapshot = services.kernel.directory().held();
    let state = by_id(&snapshot, &id)?;
    let nothing = || Error::Conflict("there is nothing to test: a realm of this type asks no server");
    state.realm.rehearsal().ok_or_else(nothing)?;
    let realm = state.record.name.as_str();
    let mut line = Line { services, permit, id, realm, username: &username, came: "broken off" };
    let played = services.kernel.rehearse(state, &username, password.as_ref(), permit.client()).await;
    line.came = match &played {
        Ok(Some(steps)) if is_good(steps) => "good",
        Ok(_) => "bad",
        Err(reason) => reason.reason_id(),
    };
    let steps = played?.ok_or_else(nothing)?;
    Ok(Rehearsed { is_good: is_good(&steps), steps })
}

fn is_good(steps: &[RehearsedStep]) -> bool {
    !steps.is_empty() && steps.iter().all(|step| step.is_good)
}

/// The line of the audit log, which is written when it is dropped.
struct Line<'a> {
    services: &'a Services,
    permit: &'a Permit,
    id: Uuid,
    realm: &'a str,
    username: &'a Username,
    came: &'static str,
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        let known = self.permit.caller().known();
        let detail = format!("{:?} of {:?}; {}", self.username.shown(), self.realm, self.came);
        self.services.kernel.witness().note(&Event::Performed {
            by: known.map(|known| Somebody::from(&known.identity())),
            address: self.permit.client(),
            operation: NAME,
            subject: self.id.to_string().into_boxed_str(),
            detail: detail.into_boxed_str(),
        });
    }
}
