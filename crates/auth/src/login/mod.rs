//! What surrounds a password: the throttle that counts failures, and the memory of credentials that were verified.

mod evidence;
mod throttle;

pub(crate) use evidence::Proven;
pub use evidence::Remembered;
pub(crate) use throttle::Outcome;
pub use throttle::{Throttle, ThrottleLimits};
