//! The revocation checker: many clients do everything at once that makes, uses and ends credentials, and afterwards each
//! answer is held against what may have been answered (security.md figure 4, "How to measure revocation honestly").
//!
//! Called by the tests of whatever can be a [`System`]: the kernel in this process, the binary over HTTP. `drive` makes a
//! [`History`], `rule` judges it, `planted` breaks a system on purpose, so that the checker itself is checked. Must never ask
//! the system what it thinks: the history has what clients saw, and nothing else.
//!
//! The rule: a use that begins after the answer to an end of its credential fails (401; 403 where a permission went);
//! what overlaps may do either; what nobody ended succeeds. A session goes from live to dead and never back.

mod chance;
mod drive;
mod history;
mod planted;
mod rule;
mod system;
mod violation;
mod world;

pub use chance::Chance;
pub use drive::{Mix, Plan, drive};
pub use history::{Covers, End, Heard, History, Issued, Kind, Purpose, Span, Step, Timeline, Use, UserState};
pub use planted::{KeyOutlives, OneMoreRequest, RevivedAfterRestart, StaleCache, SurvivingEvidence};
pub use rule::Tally;
pub use system::{Credential, Door, Operation, Shape, System, Told};
pub use violation::{Fault, Violation};
