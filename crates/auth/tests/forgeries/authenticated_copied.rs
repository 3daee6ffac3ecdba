//! Somebody known is not copied.

fn forge(one: auth::trust::Authenticated) -> [auth::trust::Authenticated; 2] {
    [one.clone(), one]
}

fn main() {}
