//! Step 4, present: reads which credentials are shown, in the dialect's words. Looks nothing up.

use auth::permission::Method;
use auth::{Asserted, Course, Presented, Reason};

use super::authorize::note_denial;
use super::clean::Clean;
use super::route::{Claimed, Routed};
use crate::dialect::Door;
use crate::h1::Known;
use crate::house::House;
use crate::refusal::Refusal;

/// A request with the credentials it shows; `None` at a public door, where nobody looks.
pub(crate) struct Shown<'r> {
    pub(super) routed: Routed<'r>,
    pub(super) presented: Option<Presented>,
}

/// Reads the credentials.
pub(super) fn present<'r>(house: &House, routed: Routed<'r>) -> Result<Shown<'r>, Refusal> {
    let public = match &routed.claimed {
        Claimed::Own(own) => {
            same_site(routed.clean).inspect_err(|reason| note_denial(house, routed.clean, None, reason))?;
            own.door() == Door::Public
        }
        Claimed::Backend { public, .. } => *public,
    };
    let presented = if public {
        None
    } else {
        let read = routed
            .mount
            .dialect
            .present(routed.clean)
            .map(|presented| Presented { asserted: asserted(house, routed.clean), ..presented });
        let of_this_site = read.and_then(|presented| {
            // A page of another site has the visitor's cookie sent, and cannot have the preference said with it that keeps a
            // session going: what the session lets through without that word could be the page's.
            if presented.session.is_some() && matches!(presented.course, Course::Last) {
                same_site(routed.clean)?;
            }
            Ok(presented)
        });
        Some(of_this_site.inspect_err(|refusal| {
            if let Refusal::Auth(reason) = refusal {
                note_denial(house, routed.clean, None, reason);
            }
        })?)
    };
    Ok(Shown { routed, presented })
}

/// The fields in which somebody in front of the gateway may say who the user is. Which peer is believed is for the realm to
/// say: here they are only read, and only where some realm of the directory wants them.
fn asserted(house: &House, clean: &Clean<'_>) -> Option<Asserted> {
    let directory = house.kernel.directory().present();
    let wanted = directory.asserting_fields();
    if wanted.is_empty() {
        return None;
    }
    let named = |name: &[u8]| wanted.iter().find(|wanted| wanted.as_bytes().eq_ignore_ascii_case(name));
    let fields: Vec<_> = clean
        .head
        .fields()
        .filter_map(|field| Some((named(field.name)?.clone(), Box::from(field.value))))
        .collect();
    (!fields.is_empty()).then(|| Asserted { peer: Some(clean.peer.address.ip().to_canonical()), fields })
}

/// Refuses changes, at our own endpoints and by the last request of a session, that a page of another site asks for with the
/// visitor's cookie (security.md rows 26 and 104): by `Sec-Fetch-Site` where the browser sends it, else by `Origin`. Scripts send neither.
fn same_site(clean: &Clean<'_>) -> Result<(), Reason> {
    if matches!(clean.method(), Method::Get | Method::Head | Method::Options) {
        return Ok(());
    }
    let allowed = match clean.only(Known::SecFetchSite) {
        Some(site) => matches!(site, b"same-origin" | b"none"),
        None => match clean.only(Known::Origin) {
            Some(origin) => {
                let scheme = if clean.secure() { "https://" } else { "http://" };
                let host = clean.host().unwrap_or_default();
                origin
                    .strip_prefix(scheme.as_bytes())
                    .is_some_and(|o| o.eq_ignore_ascii_case(host.as_bytes()))
            }
            None => true,
        },
    };
    if allowed { Ok(()) } else { Err(Reason::CrossSite) }
}
