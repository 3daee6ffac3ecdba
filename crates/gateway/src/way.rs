//! A request's way: one straight line, written once, and everything goes through it: proxied requests, session
//! endpoints, administration, pages. Called by the listeners for each request head that arrived; there is no other way
//! into the gateway.
//!
//! ```text
//! accept ─▶ clean ─▶ route ─▶ present ─▶ authenticate ─▶ authorize ─▶ act ─▶ answer ─▶ record
//! Arrived   Clean    Routed   Shown      Asked           Allowed      Acted  Sent
//! ```
//! Each step consumes the state of the one before. The first that refuses ends the line; the refusal is told in the
//! words of the mount's dialect.

mod accept;
mod act;
mod answer;
mod authenticate;
mod authorize;
pub(crate) mod clean;
mod present;
mod record;
mod route;

pub(crate) use accept::{Arrived, Peer, Wire};
pub(crate) use act::{identity_token, shown};
pub(crate) use answer::{Next, unreadable};
pub use authenticate::Settled;
pub(crate) use authorize::Forward;

use crate::house::House;
use crate::refusal::Stop;
use act::Acted;
use answer::Told;
use clean::Clean;
use record::Record;

/// Walks one request from its arrival to its record; says whether another may follow on the connection.
pub(crate) async fn walk(house: &House, arrived: &Arrived, mut wire: Wire<'_>) -> Next {
    let mut record = Record::begin(house, arrived);
    let mut settled = Settled::default();
    let cleaned = clean::clean(house, arrived);
    // Some proxies announce the body that they keep.
    if cleaned.as_ref().map_or_else(|_| clean::is_asked(house, arrived), Clean::is_question) {
        wire.pass_over_body();
    }
    let acted = match &cleaned {
        Ok(clean) => line(house, clean, &mut wire, &mut settled, &mut record).await,
        Err(refusal) => Err(refusal.clone().into()),
    };
    settled.conclude(house).await;
    let told = Told { clean: cleaned.as_ref().ok(), settled };
    let next = answer::send(house, &told, acted, wire, &mut record).await;
    record.write(cleaned.as_ref().ok());
    next
}

async fn line<'r>(
    house: &'r House,
    clean: &'r Clean<'r>,
    wire: &mut Wire<'_>,
    settled: &mut Settled,
    record: &mut Record<'r>,
) -> Result<Acted<'r>, Stop> {
    let routed = route::route(house, clean, record)?;
    routed.pass_over_body(wire);
    let shown = present::present(house, routed)?;
    let asked = authenticate::authenticate(house, shown, settled, record).await?;
    let allowed = authorize::authorize(house, asked)?;
    act::act(house, allowed, wire).await
}
