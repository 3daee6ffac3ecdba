//! Logins that an operator plays through, to see what a realm's server says. Called by the operation `realm.test`. Must never
//! let anybody in, change anything but the throttle's counters, go on without end, or be a way to guess passwords that logins do
//! not have.

use std::borrow::Cow;
use std::net::IpAddr;

use super::Kernel;
use crate::directory::RealmState;
use crate::limits::MAX_REHEARSAL;
use crate::login::Outcome;
use crate::realm::{Rehearsal, RehearsedStep};
use crate::reason::Reason;
use crate::words::credential::Password;
use crate::words::names::Username;

impl Kernel {
    /// Plays a login through, also in a realm that is switched off. `None` where its type has nothing to play. A password is
    /// looked at under the throttle of logins: a wrong one counts, and a right one frees nobody.
    ///
    /// # Errors
    /// [`Reason::TooManyAttempts`]; [`Reason::RealmUnavailable`] where too many are played at once; [`Reason::StoreFailed`].
    pub async fn rehearse(
        &self,
        state: &RealmState,
        username: &Username,
        password: Option<&Password>,
        client: IpAddr,
    ) -> Result<Option<Vec<RehearsedStep>>, Reason> {
        let Some(rehearsal) = state.realm.rehearsal() else { return Ok(None) };
        let busy = |_| Reason::RealmUnavailable(Cow::Borrowed("too many logins are rehearsed at once"));
        let _place = self.rehearsals.try_acquire().map_err(busy)?;
        let Some(password) = password else {
            return Ok(Some(play(rehearsal, username, None).await.unwrap_or_else(no_end)));
        };
        let realm = state.record.name.as_str();
        let ticket = self.parts.throttle.admit(realm, username, client).await;
        let ticket = ticket.map_err(|retry_after| Reason::TooManyAttempts { retry_after })?;
        let Some(steps) = play(rehearsal, username, Some(password)).await else {
            // Nobody judged the password.
            self.write_attempts(ticket.settle(&Outcome::Void)).await?;
            return Ok(Some(no_end()));
        };
        let is_to_blame = stopped_at(&steps).is_some() && !stops_without(rehearsal, username, &steps).await;
        let outcome = if is_to_blame { Outcome::Failure } else { Outcome::Void };
        self.write_attempts(ticket.settle(&outcome)).await?;
        Ok(Some(steps))
    }
}

/// Plays it through; `None` where it takes longer than it may.
async fn play(
    rehearsal: &dyn Rehearsal,
    username: &Username,
    password: Option<&Password>,
) -> Option<Vec<RehearsedStep>> {
    tokio::time::timeout(MAX_REHEARSAL, rehearsal.play(username, password)).await.ok()
}

/// What is told of a rehearsal that came to no end.
fn no_end() -> Vec<RehearsedStep> {
    let (what, said) = ("play the login through".to_owned(), "it came to no end in time".to_owned());
    vec![RehearsedStep { what, took: MAX_REHEARSAL, is_good: false, said }]
}

/// What could not be done, where a rehearsal did not come to its end.
fn stopped_at(steps: &[RehearsedStep]) -> Option<&str> {
    steps.last().filter(|step| !step.is_good).map(|step| step.what.as_str())
}

/// Whether it comes no further than `steps` without a password, either: then the password was not what stopped it. No server
/// that is down, and no service account that is refused, counts as an attempt.
async fn stops_without(rehearsal: &dyn Rehearsal, username: &Username, steps: &[RehearsedStep]) -> bool {
    let without = play(rehearsal, username, None).await;
    without.is_none_or(|without| stopped_at(&without) == stopped_at(steps))
}
