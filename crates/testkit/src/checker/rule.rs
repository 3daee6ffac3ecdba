//! The rule: which answer each use may have had. Looks at one use at a time and at what ends its credential, so that a
//! million of them are judged in a second.
//!
//! A credential is good while several things hold at once: its user exists, is let in and has the password or the life that
//! it was made with, his realm is on, and nobody ended it. Each of them may hold, or not hold, for a part of a use's span. A use
//! may pass where each may hold at some time of its span; may be refused where one may not hold; and is told 403, rather than
//! 401, where only the permission may be gone. That the credential is good and the permission there at the *same* time is not
//! asked for: a request that overlaps a change may see either side of it.
//!
//! Called by tests, by [`History::check`]. Must never judge by anything that happened after a use had its answer.

use super::history::{Covers, End, Heard, History, Issued, Kind, Purpose, Span, Use, UserState};
use super::violation::{Fault, Violation};

/// How much a history proves.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Tally {
    /// Uses that had to fail, and did.
    pub had_to_fail: u64,
    /// Uses that had to pass, and did.
    pub had_to_pass: u64,
    /// Uses that might do either.
    pub either: u64,
    /// Uses that nothing was said about.
    pub unheard: u64,
}

/// When a credential ends for good.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fate {
    /// It may be dead from then on.
    pub(super) shaky_from: u64,
    /// It is dead after this.
    pub(super) dead_from: u64,
    /// The end that was asked for and that it is dead by, if it is by one.
    pub(super) by: Option<End>,
}

impl Fate {
    const LIVES: Self = Self { shaky_from: Span::NEVER, dead_from: Span::NEVER, by: None };

    fn ends(&mut self, span: Span, by: Option<End>) {
        self.shaky_from = self.shaky_from.min(span.invoked);
        if span.returned < self.dead_from {
            self.dead_from = span.returned;
            self.by = by;
        }
    }
}

impl History {
    /// Judges every use.
    ///
    /// # Errors
    /// Those that must not have been answered as they were, the first of them first; not more than a hundred.
    pub fn check(&self) -> Result<Tally, Vec<Violation>> {
        let fates = self.fates();
        let refusals = self.refusals();
        let mut tally = Tally::default();
        let mut violations = Vec::new();
        for used in &self.uses {
            let at = used.credential as usize;
            match self.judge(used, &fates[at], &refusals[at]) {
                Ok(verdict) => tally.count(verdict),
                Err(fault) => violations.push((*used, fault)),
            }
        }
        if violations.is_empty() {
            return Ok(tally);
        }
        violations.sort_by_key(|(used, _)| used.span.invoked);
        violations.truncate(100);
        let told =
            |(used, fault): (Use, Fault)| Violation::new(self, used, fault, &fates[used.credential as usize]);
        Err(violations.into_iter().map(told).collect())
    }

    fn judge(&self, used: &Use, fate: &Fate, refusals: &[Span]) -> Result<Verdict, Fault> {
        let issued = &self.issued[used.credential as usize];
        let good = self.may_be_good(issued, used.span) && used.span.invoked <= fate.dead_from;
        let bad = self.may_be_bad(issued, used.span) || fate.shaky_from <= used.span.returned;
        let (granted, denied) = match used.purpose {
            Purpose::Guarded => self.permission(issued.user, used.span),
            Purpose::Open | Purpose::LogIn => (true, false),
        };
        match used.told {
            Heard::Nothing => Ok(Verdict::Unheard),
            Heard::Passed if !good => Err(Fault::PassedAfterItsEnd),
            Heard::Passed if !granted => Err(Fault::PassedWithoutPermission),
            Heard::Passed if self.was_dead(refusals, used.span) => Err(Fault::Revived),
            Heard::Unknown if !bad => Err(Fault::RefusedForNothing),
            Heard::Forbidden if !good => Err(Fault::KnownAfterItsEnd),
            Heard::Forbidden if !denied => Err(Fault::ForbiddenForNothing),
            Heard::Passed if !bad && !denied => Ok(Verdict::HadToPass),
            Heard::Unknown | Heard::Forbidden if !good || !granted => Ok(Verdict::HadToFail),
            Heard::Passed | Heard::Unknown | Heard::Forbidden => Ok(Verdict::Either),
        }
    }

    fn may_be_good(&self, issued: &Issued, span: Span) -> bool {
        let user = &self.users[issued.user];
        // Of a session, its fate says it: it does not come back when its user does.
        matches!(issued.kind, Kind::Session { .. })
            || (user.may_be(span, |state| holds(issued.kind, state))
                && self.realms[self.shape.realm(issued.user)].may_be(span, |on| *on))
    }

    fn may_be_bad(&self, issued: &Issued, span: Span) -> bool {
        let user = &self.users[issued.user];
        !matches!(issued.kind, Kind::Session { .. })
            && (user.may_be(span, |state| !holds(issued.kind, state))
                || self.realms[self.shape.realm(issued.user)].may_be(span, |on| !*on))
    }

    /// Whether what is guarded may be there for this user, and whether it may not.
    fn permission(&self, user: usize, span: Span) -> (bool, bool) {
        let (user, role) = (&self.users[user], &self.roles[self.shape.role(user)]);
        let may = user.may_be(span, |state| state.granted) && role.may_be(span, |allows| *allows);
        let may_not = user.may_be(span, |state| !state.granted) || role.may_be(span, |allows| !*allows);
        (may, may_not)
    }

    /// When each credential ends.
    fn fates(&self) -> Vec<Fate> {
        let mut one: Vec<Vec<End>> = vec![Vec::new(); self.issued.len()];
        let mut of_many = Vec::new();
        for end in &self.ends {
            match end.covers {
                Covers::One(credential) => one[credential as usize].push(*end),
                Covers::User(_) | Covers::Realm(_) | Covers::App(_) => of_many.push(*end),
            }
        }
        of_many.sort_by_key(|end| end.span.invoked);
        self.issued.iter().zip(&one).map(|(issued, own)| self.fate(issued, own, &of_many)).collect()
    }

    fn fate(&self, issued: &Issued, own: &[End], of_many: &[End]) -> Fate {
        let mut fate = Fate::LIVES;
        for end in own {
            fate.ends(end.span, Some(*end));
        }
        let Kind::Session { app, .. } = issued.kind else { return fate };
        let realm = self.shape.realm(issued.user);
        let covered = |covers: Covers| match covers {
            Covers::One(_) => false,
            Covers::User(user) => user == issued.user,
            Covers::Realm(ended) => ended == realm,
            Covers::App(ended) => ended == app,
        };
        for end in
            of_many.iter().filter(|end| covered(end.covers) && end.span.returned >= issued.span.invoked)
        {
            // One that was made meanwhile may have been seen, or not.
            let surely = end.span.invoked > issued.span.returned;
            let returned = if surely { end.span.returned } else { Span::NEVER };
            fate.ends(Span { invoked: end.span.invoked, returned }, Some(*end));
            if end.span.invoked > fate.dead_from {
                // The later ones end what is dead.
                break;
            }
        }
        // However the session and the change overlapped: with the password that went, the user who was shut out, the realm that
        // was switched off, it goes too.
        let user = self.users[issued.user].ceases(issued.span, |state| holds(issued.kind, state));
        let realm = self.realms[realm].ceases(issued.span, |on| *on);
        for span in [user, realm].into_iter().flatten() {
            fate.ends(span, None);
        }
        fate
    }

    /// When each session was refused, as far as clients know, in the order of the answers.
    fn refusals(&self) -> Vec<Vec<Span>> {
        let mut refusals = vec![Vec::new(); self.issued.len()];
        for used in self.uses.iter().filter(|used| used.told == Heard::Unknown) {
            let at = used.credential as usize;
            if matches!(self.issued[at].kind, Kind::Session { .. }) {
                refusals[at].push(used.span);
            }
        }
        for spans in &mut refusals {
            spans.sort_by_key(|span| span.returned);
        }
        refusals
    }

    /// Whether somebody knew that this session was dead before this use began. An end that nobody was told of may be undone by
    /// the death of the system: it holds from the moment that it is asked for, and is on disk when it is answered.
    fn was_dead(&self, refusals: &[Span], span: Span) -> bool {
        let behind = refusals.partition_point(|refused| refused.returned < span.invoked);
        let Some(last) = refusals[..behind].last() else { return false };
        let between = |death: &Span| death.returned >= last.invoked && death.invoked <= span.returned;
        !self.deaths.iter().any(between)
    }
}

/// Whether a user's state lets a credential of this kind be good.
pub(super) fn holds(kind: Kind, state: &UserState) -> bool {
    let his = match kind {
        Kind::Session { password, .. } | Kind::Basic { password } => state.password == password,
        Kind::Key { life } => state.life == life,
    };
    his && state.exists && state.enabled
}

enum Verdict {
    HadToFail,
    HadToPass,
    Either,
    Unheard,
}

impl Tally {
    fn count(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::HadToFail => self.had_to_fail += 1,
            Verdict::HadToPass => self.had_to_pass += 1,
            Verdict::Either => self.either += 1,
            Verdict::Unheard => self.unheard += 1,
        }
    }

    /// This and another history's.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            had_to_fail: self.had_to_fail + other.had_to_fail,
            had_to_pass: self.had_to_pass + other.had_to_pass,
            either: self.either + other.either,
            unheard: self.unheard + other.unheard,
        }
    }
}

#[cfg(test)]
mod tests;
