//! A key's permissions are not taken off by a struct literal.

use auth::directory::CompiledKey;

fn forge(like: CompiledKey) -> CompiledKey {
    CompiledKey { matcher: None, ..like }
}

fn main() {}
