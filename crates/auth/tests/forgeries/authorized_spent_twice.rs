//! An authorization is spent once.

use auth::trust::{Action, Authorized};

fn forge<A: Action>(authorized: Authorized<A>) {
    let _ = authorized.spend();
    let _ = authorized.spend();
}

fn main() {}
