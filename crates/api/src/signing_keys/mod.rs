//! Operations on the keys that tokens are signed with. Private halves stay with who signs.

pub mod keep;
pub mod read;
pub mod rotate;
pub mod withdraw;

#[cfg(test)]
pub(crate) mod tests;
