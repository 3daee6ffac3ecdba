//! An answer that must not have been given, told with the operations that decide it and no others.
//!
//! Made by `rule`, printed by tests. Must never print a credential: it is named by its number, which is all that a test needs.

use std::fmt;

use super::history::{End, Heard, History, Issued, Purpose, Span, Step, Timeline, Use};
use super::rule::Fate;

/// What is wrong with an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// Let in, after the answer to what ended the credential.
    PassedAfterItsEnd,
    /// Let in, after the answer to what took the permission.
    PassedWithoutPermission,
    /// Let in, after it had been refused: no session comes back.
    Revived,
    /// 403, and so taken for somebody, after the answer to what ended the credential.
    KnownAfterItsEnd,
    /// 401, and nobody ended it.
    RefusedForNothing,
    /// 403, and nobody took the permission.
    ForbiddenForNothing,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Violation {
    /// What is wrong.
    pub fault: Fault,
    /// The use.
    pub used: Use,
    /// Its credential.
    pub issued: Issued,
    decisive: Vec<String>,
}

impl Violation {
    pub(super) fn new(history: &History, used: Use, fault: Fault, fate: &Fate) -> Self {
        let issued = history.issued[used.credential as usize];
        let (user, shape) = (issued.user, &history.shape);
        let mut decisive = Vec::new();
        if let Some(End { covers, span }) = fate.by.filter(|end| end.span.invoked <= used.span.returned) {
            decisive.push(format!("ended: {covers:?} {}", Shown(span)));
        }
        tell(&mut decisive, &format!("user {user}"), &history.users[user], used.span);
        let realm = shape.realm(user);
        tell(&mut decisive, &format!("realm {realm} is on:"), &history.realms[realm], used.span);
        if used.purpose == Purpose::Guarded {
            let role = shape.role(user);
            tell(&mut decisive, &format!("role {role} allows it:"), &history.roles[role], used.span);
        }
        let before = history.uses.iter().filter(|other| {
            other.credential == used.credential
                && other.told == Heard::Unknown
                && other.span.returned < used.span.invoked
        });
        if let Some(refused) = before.min_by_key(|other| other.span.returned) {
            decisive.push(format!("refused before {}", Shown(refused.span)));
        }
        Self { fault, used, issued, decisive }
    }
}

/// The change before this span and those that overlap it, except the state from the beginning.
fn tell<S: Copy + fmt::Debug>(lines: &mut Vec<String>, what: &str, states: &Timeline<S>, span: Span) {
    for Step { span, state } in states.during(span).map(|place| states.step(place)) {
        if span.returned > 0 {
            lines.push(format!("{what} {state:?} {}", Shown(*span)));
        }
    }
}

/// A span as people read it.
struct Shown(Span);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = |nanos: u64| nanos as f64 / 1e6;
        write!(f, "[{:.3} ms, ", millis(self.0.invoked))?;
        match self.0.returned {
            Span::NEVER => f.write_str("no answer]"),
            returned => write!(f, "{:.3} ms]", millis(returned)),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { fault, used, issued, decisive } = self;
        writeln!(
            f,
            "{fault:?}: credential {} of user {}, {:?}, made {}; used for {:?}: {:?} {}",
            used.credential,
            issued.user,
            issued.kind,
            Shown(issued.span),
            used.purpose,
            used.told,
            Shown(used.span)
        )?;
        decisive.iter().try_for_each(|line| writeln!(f, "    {line}"))
    }
}
