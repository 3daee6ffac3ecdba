//! The action that was judged cannot be exchanged for another.

use auth::trust::{Action, Authorized};

fn forge<A: Action>(authorized: &mut Authorized<A>, other: A) {
    authorized.action = other;
}

fn main() {}
