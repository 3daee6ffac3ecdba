//! Every limit of this room as a named constant. Used by `settings.rs` and `realm.rs`. Must never hold a limit without a test on
//! both sides of it.

/// Peers that may be listed, addresses or networks.
pub const MAX_PEERS: usize = 256;
/// Entries of a role mapping.
pub const MAX_MAPPINGS: usize = 1_024;
/// Bytes of a header field's name.
pub const MAX_FIELD_NAME_BYTES: usize = 64;
/// Groups that one field may name; more are refused, not cut.
pub const MAX_GROUPS: usize = 4_096;
