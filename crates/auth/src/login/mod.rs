//! What surrounds a password: the throttle that counts failures, and the memory of credentials that were verified.

mod evidence;
mod guesses;
#[cfg(test)]
mod hand;
mod throttle;

pub(crate) use evidence::Proven;
pub use evidence::Remembered;
pub(crate) use guesses::Guess;
pub use guesses::Guesses;
#[cfg(test)]
pub(crate) use hand::Hand;
pub(crate) use throttle::{Outcome, Paused, client_of};
pub use throttle::{Throttle, ThrottleLimits};
