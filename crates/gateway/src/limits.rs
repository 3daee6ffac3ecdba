//! Every limit of the listeners as a named constant; those of HTTP itself are in `h1`, of backends in `upstream`.

use std::time::Duration;

/// Connections of one worker at the most; further ones wait in the kernel's queue.
pub(crate) const MAX_CONNECTIONS: usize = 16_384;
/// Connections that wait in the kernel's queue of one listener.
pub(crate) const BACKLOG: i32 = 1_024;
/// How long a TLS handshake may take.
pub(crate) const HANDSHAKE_TIME: Duration = Duration::from_secs(10);
/// How long accepting pauses when the process has no file descriptors left.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long requests that have begun may go on after the gateway was asked to stop.
pub const DRAIN_TIME: Duration = Duration::from_secs(30);
/// How many tasks a worker goes on with before it looks for what came over the network. A hundred logins that were written to the
/// disk together go on together, and a request that comes meanwhile waits for so many of them, not for all (tokio's own is 61).
pub(crate) const POLLS_BETWEEN_LOOKS: u32 = 8;
/// How often connections to backends that were idle too long are closed.
pub(crate) const POOL_SWEEP: Duration = Duration::from_secs(5);
