//! There is no permit by default.

fn main() {
    let _ = auth::trust::Permit::default();
}
