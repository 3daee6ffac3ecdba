//! The kernel alone looks sessions up.

fn main() {
    let _ = auth::trust::Authenticated::by_session;
}
