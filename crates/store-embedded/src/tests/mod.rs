//! Tests that need the inside of the room.

mod audit;
mod ends;
mod faults;
mod limits;
mod plans;
mod schema;
