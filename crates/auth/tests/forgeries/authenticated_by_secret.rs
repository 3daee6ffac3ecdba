//! The kernel alone takes proofs.

fn main() {
    let _ = auth::trust::Authenticated::by_secret;
}
