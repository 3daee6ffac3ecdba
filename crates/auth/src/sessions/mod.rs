//! Sessions: the table in memory, the rules of their life, and the keeper that makes both durable.

mod keeper;
mod session;
mod table;

pub use keeper::{NewSession, Sessions};
pub use session::Session;
pub use table::Table;
