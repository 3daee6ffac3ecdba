//! The rule on histories of a few lines, each with its two sides.

use super::super::Shape;
use super::super::history::Timeline;
use super::*;

const SHAPE: Shape = Shape { users: 1, realms: 1, roles: 1, apps: 2 };
const FIRST: UserState = UserState { life: 1, exists: true, password: 1, enabled: true, granted: true };

fn span(invoked: u64, returned: u64) -> Span {
    Span { invoked, returned }
}

/// A history in which user 0 has a session of app 0 made within 10..20, the credentials of his password, and a key.
fn history() -> History {
    let kinds = [Kind::Session { password: 1, app: 0 }, Kind::Basic { password: 1 }, Kind::Key { life: 1 }];
    History {
        shape: SHAPE,
        issued: kinds.map(|kind| Issued { kind, user: 0, span: span(10, 20) }).to_vec(),
        uses: Vec::new(),
        ends: Vec::new(),
        users: vec![Timeline::new(FIRST)],
        realms: vec![Timeline::new(true)],
        roles: vec![Timeline::new(true)],
        operations: 0,
        deaths: Vec::new(),
    }
}

const SESSION: u32 = 0;
const BASIC: u32 = 1;
const KEY: u32 = 2;

impl History {
    fn with_end(mut self, covers: Covers, span: Span) -> Self {
        self.ends.push(End { covers, span });
        self
    }

    fn with_user(mut self, span: Span, state: UserState) -> Self {
        self.users[0].push(span, state);
        self
    }

    /// What the rule says of one use in this history.
    fn says(&self, credential: u32, purpose: Purpose, told: Heard, span: Span) -> Result<(), Fault> {
        let history = Self { uses: vec![Use { credential, purpose, told, span }], ..self.clone() };
        history.check().map(|_| ()).map_err(|violations| violations[0].fault)
    }

    fn passes(&self, credential: u32, at: Span) -> Result<(), Fault> {
        self.says(credential, Purpose::Open, Heard::Passed, at)
    }

    fn fails(&self, credential: u32, at: Span) -> Result<(), Fault> {
        self.says(credential, Purpose::Open, Heard::Unknown, at)
    }

    /// Before 100 it must pass, after 200 it must fail, in between it may do either.
    fn assert_ends_within_100_and_200(&self, credential: u32) {
        for (at, may_pass, may_fail) in [
            (span(30, 99), Ok(()), Err(Fault::RefusedForNothing)),
            (span(30, 100), Ok(()), Ok(())),
            (span(120, 130), Ok(()), Ok(())),
            (span(200, 300), Ok(()), Ok(())),
            (span(201, 300), Err(Fault::PassedAfterItsEnd), Ok(())),
        ] {
            assert_eq!(self.passes(credential, at), may_pass, "{at:?}");
            assert_eq!(self.fails(credential, at), may_fail, "{at:?}");
        }
        let forbidden = self.says(credential, Purpose::Guarded, Heard::Forbidden, span(201, 300));
        assert_eq!(forbidden, Err(Fault::KnownAfterItsEnd));
    }
}

#[test]
fn an_end_has_two_sides() {
    let at = span(100, 200);
    for covers in [Covers::One(SESSION), Covers::User(0), Covers::Realm(0), Covers::App(0)] {
        history().with_end(covers, at).assert_ends_within_100_and_200(SESSION);
    }
    history().with_end(Covers::One(KEY), at).assert_ends_within_100_and_200(KEY);
    for covers in [Covers::App(1), Covers::One(KEY)] {
        let others = history().with_end(covers, at);
        assert_eq!(others.passes(SESSION, span(300, 301)), Ok(()));
        assert_eq!(others.fails(SESSION, span(300, 301)), Err(Fault::RefusedForNothing));
    }
    // Ends of sessions are none of keys and passwords.
    let others = history().with_end(Covers::User(0), at);
    for credential in [BASIC, KEY] {
        assert_eq!(others.fails(credential, span(300, 301)), Err(Fault::RefusedForNothing));
    }
}

#[test]
fn an_end_without_an_answer_may_happen_at_any_time() {
    let history = history().with_end(Covers::User(0), span(100, Span::NEVER));
    for at in [span(150, 160), span(1_000, 1_001)] {
        assert_eq!((history.passes(SESSION, at), history.fails(SESSION, at)), (Ok(()), Ok(())));
    }
}

#[test]
fn an_end_of_many_that_overlaps_a_login_may_miss_it() {
    for (end, may_miss) in
        [(span(5, 15), true), (span(20, 50), true), (span(21, 50), false), (span(5, 9), true)]
    {
        let history = history().with_end(Covers::User(0), end);
        assert_eq!(history.passes(SESSION, span(60, 61)).is_ok(), may_miss, "{end:?}");
        assert_eq!(history.fails(SESSION, span(60, 61)).is_ok(), end.returned >= 10, "{end:?}");
    }
}

#[test]
fn a_user_who_is_shut_out_takes_everything_with_him_and_his_sessions_for_good() {
    let out = UserState { enabled: false, ..FIRST };
    let history = history().with_user(span(100, 200), out).with_user(span(400, 500), FIRST);
    for credential in [SESSION, BASIC, KEY] {
        assert_eq!(history.passes(credential, span(201, 399)), Err(Fault::PassedAfterItsEnd));
        assert_eq!(history.fails(credential, span(201, 399)), Ok(()));
        assert_eq!(history.fails(credential, span(30, 99)), Err(Fault::RefusedForNothing));
    }
    assert_eq!(history.passes(SESSION, span(501, 502)), Err(Fault::PassedAfterItsEnd));
    for credential in [BASIC, KEY] {
        assert_eq!(history.passes(credential, span(400, 401)), Ok(()), "it may be done before it is said");
        assert_eq!(history.fails(credential, span(501, 502)), Err(Fault::RefusedForNothing));
    }
}

#[test]
fn a_session_that_overlaps_the_change_goes_with_what_it_was_made_with() {
    let other = UserState { password: 2, ..FIRST };
    // Asked for before the change and answered after it: the old password can only have counted before.
    let history = history().with_user(span(12, 15), other);
    assert_eq!(history.passes(SESSION, span(21, 22)), Err(Fault::PassedAfterItsEnd));
    assert_eq!(history.passes(BASIC, span(14, 22)), Ok(()));
    assert_eq!(history.passes(BASIC, span(16, 22)), Err(Fault::PassedAfterItsEnd));
    assert_eq!(history.fails(KEY, span(16, 22)), Err(Fault::RefusedForNothing), "keys stay");
    // Shut out and let in again during the login: it may be a session of after that.
    let out = UserState { enabled: false, ..FIRST };
    let history = self::history().with_user(span(12, 13), out).with_user(span(15, 16), FIRST);
    assert_eq!(history.passes(SESSION, span(21, 22)), Ok(()));
    assert_eq!(history.fails(SESSION, span(21, 22)), Ok(()));
}

#[test]
fn a_key_stays_with_the_life_that_it_was_made_in() {
    let gone = UserState { exists: false, ..FIRST };
    let anew = UserState { life: 2, password: 2, ..FIRST };
    let history = history().with_user(span(100, 200), gone).with_user(span(300, 400), anew);
    for credential in [SESSION, BASIC, KEY] {
        assert_eq!(history.passes(credential, span(500, 501)), Err(Fault::PassedAfterItsEnd));
        assert_eq!(history.fails(credential, span(500, 501)), Ok(()));
    }
}

#[test]
fn a_realm_that_is_off_lets_nobody_in() {
    let mut history = history();
    history.realms[0].push(span(100, 200), false);
    for credential in [SESSION, BASIC, KEY] {
        history.assert_ends_within_100_and_200(credential);
    }
    history.realms[0].push(span(400, 500), true);
    assert_eq!(history.passes(SESSION, span(501, 502)), Err(Fault::PassedAfterItsEnd));
    assert_eq!(history.fails(KEY, span(501, 502)), Err(Fault::RefusedForNothing));
}

#[test]
fn a_permission_has_two_sides_and_leaves_the_credential_alone() {
    let mut by_role = history();
    by_role.roles[0].push(span(100, 200), false);
    let by_user = history().with_user(span(100, 200), UserState { granted: false, ..FIRST });
    for history in [by_role, by_user] {
        let guarded = |told, at| history.says(SESSION, Purpose::Guarded, told, at);
        assert_eq!(guarded(Heard::Forbidden, span(30, 99)), Err(Fault::ForbiddenForNothing));
        assert_eq!(guarded(Heard::Forbidden, span(30, 100)), Ok(()));
        assert_eq!(guarded(Heard::Passed, span(200, 201)), Ok(()));
        assert_eq!(guarded(Heard::Passed, span(201, 202)), Err(Fault::PassedWithoutPermission));
        assert_eq!(guarded(Heard::Forbidden, span(201, 202)), Ok(()));
        assert_eq!(guarded(Heard::Unknown, span(201, 202)), Err(Fault::RefusedForNothing));
        assert_eq!(history.passes(SESSION, span(201, 202)), Ok(()));
        let open = history.says(SESSION, Purpose::Open, Heard::Forbidden, span(201, 202));
        assert_eq!(open, Err(Fault::ForbiddenForNothing));
    }
}

#[test]
fn a_session_that_was_refused_does_not_come_back() {
    // While an end is on its way either may be said; but not one, and then the other.
    let mut history = history().with_end(Covers::One(SESSION), span(100, 500));
    let used = |told, span| Use { credential: SESSION, purpose: Purpose::Open, told, span };
    history.uses = vec![used(Heard::Passed, span(110, 120)), used(Heard::Unknown, span(130, 140))];
    assert_eq!(history.check().unwrap(), Tally { either: 2, ..Tally::default() });
    history.uses.push(used(Heard::Passed, span(135, 145)));
    assert!(history.check().is_ok(), "it began before the refusal was known");
    history.uses.push(used(Heard::Passed, span(141, 145)));
    let violations = history.check().unwrap_err();
    assert_eq!(violations.iter().map(|violation| violation.fault).collect::<Vec<_>>(), [Fault::Revived]);
    // The system died in between, and nobody was told of an end: it may not have got to the disk.
    history.deaths = vec![span(140, 141)];
    assert!(history.check().is_ok());
    history.ends[0].span.returned = 140;
    assert_eq!(history.check().unwrap_err()[0].fault, Fault::PassedAfterItsEnd);
}

#[test]
fn a_violation_is_told_with_what_decides_it() {
    let mut history = history().with_end(Covers::User(0), span(1_000_000, 2_000_000));
    history.uses = vec![Use {
        credential: SESSION,
        purpose: Purpose::Open,
        told: Heard::Passed,
        span: span(2_500_000, 2_600_000),
    }];
    let told = history.check().unwrap_err()[0].to_string();
    assert!(told.contains("PassedAfterItsEnd: credential 0 of user 0"), "{told}");
    assert!(told.contains("ended: User(0) [1.000 ms, 2.000 ms]"), "{told}");
    assert!(told.contains("used for Open: Passed [2.500 ms, 2.600 ms]"), "{told}");
}
