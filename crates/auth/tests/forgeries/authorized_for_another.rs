//! What is authorized for one action is not for another.

use auth::trust::{Action, Authorized};

fn perform<B: Action>(_: Authorized<B>) {}

fn forge<A: Action, B: Action>(authorized: Authorized<A>) {
    perform::<B>(authorized);
}

fn main() {}
