//! Nothing is authorized by default.

fn main() {
    let _ = auth::trust::Authorized::<()>::default();
}
