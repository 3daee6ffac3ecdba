//! Tests that need the inside of the room.

mod audit;
mod faults;
mod limits;
mod plans;
mod schema;
