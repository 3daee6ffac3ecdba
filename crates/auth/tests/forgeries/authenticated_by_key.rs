//! The kernel alone looks API keys up.

fn main() {
    let _ = auth::trust::Authenticated::by_key;
}
