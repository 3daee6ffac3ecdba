//! Nobody is known by default.

fn main() {
    let _ = auth::trust::Authenticated::default();
}
