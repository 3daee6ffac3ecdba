//! A known caller needs somebody who is known.

fn main() {
    let _ = auth::trust::Caller::Known(());
}
