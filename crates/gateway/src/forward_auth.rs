//! What is said between the gateway and a proxy that holds a request and asks about it ("forward auth", docs/decisions/0024): what the
//! proxy states, for the way's clean step, and what it is told, for its act step. Must never judge: the question walks the way.

#[cfg(any(test, feature = "fuzzing"))]
#[cfg_attr(not(feature = "fuzzing"), expect(unreachable_pub, reason = "public for `fuzz/` only"))]
pub(crate) mod fuzzing;
mod stated;
mod vouch;

pub(crate) use stated::{Asked, Stated, read};
pub(crate) use vouch::vouch;
