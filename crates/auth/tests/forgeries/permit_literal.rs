//! A permit is not made by a struct literal.

use auth::trust::{Caller, Permit};

fn forge() -> Permit {
    Permit { action: "anything", client: [127, 0, 0, 1].into(), caller: Caller::Anonymous }
}

fn main() {}
