//! A permit is not copied.

fn forge(one: auth::trust::Permit) -> [auth::trust::Permit; 2] {
    [one.clone(), one]
}

fn main() {}
