//! No caller is known by default.

fn main() {
    let _ = auth::trust::Caller::default();
}
