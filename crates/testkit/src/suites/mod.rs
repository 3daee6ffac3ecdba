//! The suites that every store must pass, and what tests hold in their hand: a clock, a store in memory, samples.
//!
//! Called by the tests of the store rooms, and by every test that needs time or a store without a disk. Must never sleep,
//! open a file, or know a store by name: each suite gets a closure that makes empty stores.

pub mod audit;
pub mod clock;
pub mod directory;
mod fake_realm;
pub mod maker;
pub mod memory;
pub mod realms;
pub mod samples;
pub mod sessions;

pub use audit::audit_store_suite;
pub use clock::FixedClock;
pub use directory::directory_store_suite;
pub use maker::FakeMaker;
pub use memory::MemoryStore;
pub use realms::{FakeRealm, realm_suite, realm_suite_of};
pub use sessions::session_store_suite;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_store_in_memory_passes_the_session_suite() {
        session_store_suite(async || MemoryStore::default()).await;
    }

    #[tokio::test]
    async fn the_store_in_memory_passes_the_audit_suite() {
        audit_store_suite(async || MemoryStore::default()).await;
    }

    #[tokio::test]
    async fn the_store_in_memory_passes_the_directory_suite() {
        directory_store_suite(async || MemoryStore::default()).await;
    }
}
