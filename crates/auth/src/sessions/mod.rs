//! Sessions: the table in memory, the rules of their life, and the keeper that makes both durable.

mod keeper;
mod owed;
mod session;
mod table;

pub use keeper::{NewSession, Sessions};
pub use session::Session;
pub use table::{MOST_IN_STEP, Step, Table};
