//! Step 6, authorize: whether the caller may, by method and path as they are forwarded. Does no IO.

use std::net::IpAddr;
use std::sync::Arc;

use auth::trust::{Action, Asked as AskedFor, Authenticated, Authorized, Demand, Identity};
use auth::{Event, Reason, Somebody};

use super::authenticate::Asked;
use super::clean::Clean;
use super::record::told;
use super::route::{Claimed, Routed, Through};
use crate::dialect::{Destination, Door};
use crate::house::{House, Mount, Mounted};
use crate::identity_token::IdentityToken;
use crate::refusal::Refusal;

/// What the caller may do now, once.
pub(crate) enum Allowed<'r> {
    /// Have this request forwarded.
    Forward(Authorized<Forward<'r>>),
    /// Have this operation performed.
    Perform(Authorized<Perform<'r>>),
}

/// Forwarding a request to a backend, or having the proxy forward it that holds it.
pub(crate) struct Forward<'r> {
    pub(crate) clean: &'r Clean<'r>,
    pub(crate) mount: &'r Mounted,
    pub(crate) below: &'r str,
    pub(crate) through: Through<'r>,
    /// The signed word about who it is that the backend gets, if it gets one.
    pub(crate) identity: Option<&'r IdentityToken>,
    public: bool,
}

/// Performing an operation of our own.
pub(crate) struct Perform<'r> {
    pub(super) clean: &'r Clean<'r>,
    pub(super) below: &'r str,
    pub(super) own: Arc<dyn Destination>,
    mount: &'r Mounted,
}

impl Action for Forward<'_> {
    fn name(&self) -> &'static str {
        "forward"
    }

    fn demand(&self) -> Demand<'_> {
        if self.public {
            return Demand::Public;
        }
        Demand::Permission(asked_for(self.clean, self.mount, self.below))
    }

    fn client(&self) -> IpAddr {
        self.clean.client()
    }
}

impl Perform<'_> {
    fn asked_for(&self) -> AskedFor<'_> {
        asked_for(self.clean, self.mount, self.mount.dialect.judged_path(self.clean, self.below))
    }
}

impl Action for Perform<'_> {
    fn name(&self) -> &'static str {
        self.own.name()
    }

    fn demand(&self) -> Demand<'_> {
        match self.own.door() {
            Door::Public => Demand::Public,
            Door::Login => Demand::Login(self.asked_for()),
            Door::Permission => Demand::Permission(self.asked_for()),
        }
    }

    fn client(&self) -> IpAddr {
        self.clean.client()
    }

    fn is_operation(&self) -> bool {
        true
    }
}

fn asked_for<'a>(clean: &Clean<'_>, mount: &Mount, path: &'a str) -> AskedFor<'a> {
    AskedFor { method: clean.method(), path, matrix: mount.dialect.matrix() }
}

/// Judges the request.
pub(super) fn authorize<'r>(house: &House, asked: Asked<'r>) -> Result<Allowed<'r>, Refusal> {
    let Asked { routed: Routed { clean, mount, below, claimed }, caller } = asked;
    let who = caller.known().map(Authenticated::identity);
    let snapshot = house.kernel.directory().present();
    let judged = match claimed {
        Claimed::Backend { through, public, identity } => {
            let action = Forward { clean, mount, below, through, identity, public };
            Authorized::judge(&snapshot, caller, action).map(Allowed::Forward)
        }
        Claimed::Own(own) => {
            let action = Perform { clean, below, own, mount };
            Authorized::judge(&snapshot, caller, action).map(Allowed::Perform)
        }
    };
    judged.map_err(|reason| {
        note_denial(house, clean, who.as_ref(), &reason);
        reason.into()
    })
}

/// Has it written down that somebody may not have what he asked for. Other steps refuse for reasons of their own, too.
pub(super) fn note_denial(house: &House, clean: &Clean<'_>, who: Option<&Identity>, reason: &Reason) {
    house.kernel.witness().note(&Event::Denied {
        user: who.map(Somebody::from),
        action: format!("{} {}", clean.method().as_str(), told(clean.path())).into_boxed_str(),
        address: clean.client(),
        reason_id: reason.reason_id(),
    });
}
