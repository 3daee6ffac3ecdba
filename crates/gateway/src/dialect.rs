//! What the way asks of a dialect and of an endpoint of our own. Dialects translate; nothing here decides.

use std::sync::Arc;

use auth::permission::{Matrix, Method};
use auth::trust::{Authenticated, Permit};
use auth::{Pending, Presented};
use zeroize::Zeroizing;

use crate::answer::Answer;
use crate::refusal::Refusal;
use crate::way::Settled;
use crate::way::clean::Clean;

/// What a dialect makes of a method and a path below its mount.
pub enum Claim {
    /// An endpoint that the gateway answers itself.
    Own(Arc<dyn Destination>),
    /// The gateway's path, but not with this method; the methods that are.
    NotAllowed(&'static str),
    /// The backend's.
    Backend,
}

/// How the clients of one mount speak. One instance for each mount, made of the mount's settings.
pub trait Dialect: Send + Sync {
    /// Its name in the settings.
    fn name(&self) -> &'static str;

    /// Which endpoint of our own this is, if it is one.
    fn claim(&self, method: Method, below: &str) -> Claim;

    /// Reads the credentials that the request shows; looks nothing up.
    ///
    /// # Errors
    /// Where they have no single reading.
    fn present(&self, request: &Clean<'_>) -> Result<Presented, Refusal>;

    /// The query parameters that [`present`](Self::present) reads credentials from, by their names after decoding, as
    /// [`Clean::query_values`] compares them. They are for us: the backend's query is without them, whatever the route
    /// and whether or not anybody looked at them.
    fn credential_parameters(&self) -> &'static [&'static str] {
        &[]
    }

    /// The fields that [`present`](Self::present) reads credentials from, beside those that carry them on every mount. They
    /// are for us: the backend sees none of them, however spelled.
    fn credential_fields(&self) -> &'static [&'static str] {
        &[]
    }

    /// Whether what a request with this method announces as its body means nothing here, so that nobody waits for it. It is
    /// not forwarded, and the connection ends with the answer: where the next request would begin, nobody can know.
    fn is_bodiless(&self, method: Method) -> bool {
        let _ = method;
        false
    }

    /// Whether this request is activity that extends the session's idle time; `below` is its path below the mount. Not
    /// asked where the mount's settings say already that it is none.
    fn counts_as_activity(&self, request: &Clean<'_>, below: &str) -> bool;

    /// Tells the client what became of his session along with the answer, whatever it is: calls `field` with the name and the
    /// value of each field. Asked for every request that reached the mount.
    fn settle(&self, request: &Clean<'_>, settled: &Settled, field: &mut dyn FnMut(&str, &str)) {
        let _ = (request, settled, field);
    }

    /// The answer for a request that failed; `request` is what is known of it, if it came that far.
    fn refuse(&self, refusal: &Refusal, request: Option<&Clean<'_>>) -> Answer;

    /// The path that permissions are matched with; `below` is the one below the mount, which it usually is. For mounts of
    /// endpoints of ours only: what is forwarded is what is judged.
    fn judged_path<'p>(&self, request: &'p Clean<'_>, below: &'p str) -> &'p str {
        let _ = request;
        below
    }

    /// How the backend reads matrix parameters (`;name=value`) in paths.
    fn matrix(&self) -> Matrix;

    /// The name of the session cookie whose path is the mount's, so that clients send it here and to the mounts within; empty
    /// where there is none. No backend there sees it, and no backend sets one that would come here.
    fn session_cookie(&self) -> &str;

    /// The names of session cookies whose path is `/`, so that clients send them to every mount. No backend of any mount sees
    /// or sets one of them.
    fn cookies_of_the_host(&self) -> &'static [&'static str] {
        &[]
    }

    /// Tells the backend who it is: calls `field` with each identity header's name and value.
    fn identify(&self, known: &Authenticated, field: &mut dyn FnMut(&str, &str));

    /// The names of all headers by which this dialect tells anybody who it is. The clients' own copies are removed on
    /// every mount, whatever their spelling.
    fn identity_names(&self) -> Vec<&str>;
}

/// What an endpoint of our own asks for before it is performed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Door {
    /// Open to everybody; credentials sent along are ignored.
    Public,
    /// Open to everybody who is known.
    Login,
    /// Open to those with a permission for the method and the path.
    Permission,
}

/// An endpoint of our own. Everything it needs of the request is in the [`Visit`]; that the caller may is in the
/// [`Permit`].
pub trait Destination: Send + Sync {
    /// The operation's stable name: `session.create`.
    fn name(&self) -> &'static str;

    /// Who may come in.
    fn door(&self) -> Door;

    /// Whether it belongs to the administration, which `admin` in the settings moves to a listener of its own.
    fn is_administration(&self) -> bool;

    /// The longest body it takes, in bytes; longer ones are a 413.
    fn body_limit(&self) -> usize;

    /// Does it.
    fn perform<'a>(&'a self, visit: Visit<'a>, permit: Permit) -> Pending<'a, Result<Answer, Refusal>>;
}

/// A request that has arrived at an endpoint of our own.
pub struct Visit<'a> {
    /// The request.
    pub request: &'a Clean<'a>,
    /// Its path below the mount.
    pub below: &'a str,
    /// Its body, whole.
    pub body: Zeroizing<Vec<u8>>,
}
