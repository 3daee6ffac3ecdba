//! Only a directory makes keys that count, of what is in its store.

fn main() {
    let _ = auth::directory::CompiledKey::new;
}
