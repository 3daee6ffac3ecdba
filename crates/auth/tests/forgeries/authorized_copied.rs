//! An authorization is not copied.

use auth::trust::Authorized;

fn forge<A: Clone>(one: Authorized<A>) -> [Authorized<A>; 2] {
    [one.clone(), one]
}

fn main() {}
