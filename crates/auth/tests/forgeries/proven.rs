//! A proof of a secret is not made, or even named, outside the kernel.

use auth::login::Proven;

fn main() {}
