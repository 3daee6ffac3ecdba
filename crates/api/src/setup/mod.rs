//! Operations on the installation: its status and its first start.

pub mod initialise;
pub mod status;
