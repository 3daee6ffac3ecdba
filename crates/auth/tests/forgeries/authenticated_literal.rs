//! Nobody becomes known by a struct literal.

use auth::trust::Authenticated;

fn forge(like: Authenticated) -> Authenticated {
    Authenticated { method: auth::AuthMethod::Password, ..like }
}

fn main() {}
