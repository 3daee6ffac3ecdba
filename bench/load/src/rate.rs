//! Latency at a fixed rate, counted from the time each request was due: the second look, at a gateway that is not
//! saturated.
//!
//! Called by `main`. Must never be read as a ranking by its tail: a shared host's stalls make the 99th percentile.

use crate::Outcome;
use crate::arguments::Arguments;
use crate::compare;
use crate::engine::{Engine, Pace};
use crate::machine;
use crate::report;

/// `load rate`.
pub(crate) fn run(arguments: &Arguments) -> Outcome<()> {
    machine::pin(machine::LOAD_CORE)?;
    let mut engine = Engine::start()?;
    let mut variants = compare::variants(&engine, arguments)?;
    for round in 0..arguments.rounds {
        let mut order: Vec<usize> = (0..variants.len()).collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for index in order {
            variants[index].measure(&mut engine, arguments, Pace::Fixed(arguments.rate))?;
        }
        eprintln!("round {} of {}", round + 1, arguments.rounds);
    }
    let text = report::rates(arguments, &variants);
    println!("{text}");
    report::write(arguments, "rate", &text)
}
