//! Who came by a key cannot be made somebody who came without one.

use auth::trust::Authenticated;

fn unbind(mut known: Authenticated) -> Authenticated {
    known.key = None;
    known
}

fn main() {}
