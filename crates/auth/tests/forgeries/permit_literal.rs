//! A permit is not made by a struct literal.

use auth::trust::{Caller, Permit};

fn forge() -> Permit {
    Permit { action: "anything", caller: Caller::Anonymous }
}

fn main() {}
