//! Nobody is authorized by a struct literal.

use auth::trust::{Authorized, Caller};

fn forge() -> Authorized<()> {
    Authorized { action: (), caller: Caller::Anonymous }
}

fn main() {}
