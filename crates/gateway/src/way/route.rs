//! Step 3, route: which mount, whose endpoint, which backend. Does not read credentials.

use std::sync::Arc;

use super::accept::Wire;
use super::clean::Clean;
use super::record::Record;
use crate::dialect::{Claim, Destination};
use crate::house::{Backends, House, Mounted};
use crate::identity_token::IdentityToken;
use crate::refusal::Refusal;

/// A request that knows where it goes.
pub(crate) struct Routed<'r> {
    pub(super) clean: &'r Clean<'r>,
    pub(super) mount: &'r Mounted,
    /// The path below the mount: judged by permissions; the same bytes go on.
    pub(super) below: &'r str,
    pub(super) claimed: Claimed<'r>,
}

impl Routed<'_> {
    /// Takes no further request from the connection where this one has a body that nobody reads.
    pub(super) fn pass_over_body(&self, wire: &mut Wire<'_>) {
        if self.is_bodiless() {
            wire.pass_over_body();
        }
    }

    fn is_bodiless(&self) -> bool {
        matches!(self.claimed, Claimed::Backend { .. }) && self.mount.dialect.is_bodiless(self.clean.method())
    }
}

/// Whose it is.
pub(crate) enum Claimed<'r> {
    /// An endpoint of our own.
    Own(Arc<dyn Destination>),
    /// A backend's.
    Backend { through: Through<'r>, public: bool, identity: Option<&'r IdentityToken> },
}

/// By whom a request for a backend gets there.
#[derive(Clone, Copy)]
pub(crate) enum Through<'r> {
    /// By us, to one of these.
    Us(&'r Backends),
    /// By the proxy that holds it, and asks.
    Asker,
}

/// Finds where a request goes.
pub(super) fn route<'r>(
    house: &'r House,
    clean: &'r Clean<'r>,
    record: &mut Record<'r>,
) -> Result<Routed<'r>, Refusal> {
    let (mount, below) = house.mount(clean.path())?;
    record.mount = Some(mount);
    let claimed = claim(house, mount, clean, below)?;
    record.action = match &claimed {
        Claimed::Own(own) => own.name(),
        Claimed::Backend { through: Through::Us(_), .. } => "forward",
        Claimed::Backend { through: Through::Asker, .. } => "forward-auth",
    };
    Ok(Routed { clean, mount, below, claimed })
}

fn claim<'r>(
    house: &House,
    mount: &'r Mounted,
    clean: &Clean<'_>,
    below: &str,
) -> Result<Claimed<'r>, Refusal> {
    let question = clean.is_question();
    match mount.dialect.claim(clean.method(), below) {
        // What the proxy sends on goes to a backend of its own, and what is here is no backend's.
        Claim::Own(_) | Claim::NotAllowed(_) if question => {
            Err(Refusal::Unanswerable("the path is an endpoint of the gateway: send such requests here"))
        }
        // With a listener of its own, the administration is nowhere else.
        Claim::Own(own)
            if own.is_administration() && house.separate_administration && !clean.peer.administration =>
        {
            Err(Refusal::NotFound)
        }
        Claim::Own(own) => Ok(Claimed::Own(own)),
        Claim::NotAllowed(allow) => Err(Refusal::MethodNotAllowed { allow }),
        // And no backend is behind that listener.
        Claim::Backend if clean.peer.administration && !question => Err(Refusal::NotFound),
        Claim::Backend => {
            let (route, public) = mount.route(clean.method(), below);
            let backend = route.and_then(|route| route.backend.as_deref()).or(mount.backend.as_deref());
            let through = match backend {
                Some(_) if question => Through::Asker,
                Some(backends) if !backends.is_empty() => Through::Us(backends),
                _ => return Err(Refusal::NotFound),
            };
            Ok(Claimed::Backend { through, public, identity: mount.identity_token(route) })
        }
    }
}
