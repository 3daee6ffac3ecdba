//! A caller is not copied.

fn forge(one: auth::trust::Caller) -> [auth::trust::Caller; 2] {
    [one.clone(), one]
}

fn main() {}
