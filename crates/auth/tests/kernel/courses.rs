//! What becomes of a session that an ordinary request shows, and of those that one begins (`kernel/course.rs`).

use std::time::Duration;

use auth::{
    AtCap, BearerText, Course, EndReason, Opening, Origin, Presented, Reason, Scope, SessionCap, SessionToken,
};

use crate::house::{
    HERE, House, IDLE, MAXIMUM, PASSWORD, ip, request, scope, token, with_password, with_session,
};
use auth::SessionLimits;

fn form(random: &[u8; 32]) -> Option<SessionToken> {
    let text: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    SessionToken::from_text(&text)
}

fn opening() -> Box<Opening> {
    opening_for(MAXIMUM)
}

/// A session that an ordinary request begins, which lives so long at the most.
pub(crate) fn opening_for(max_lifetime: Duration) -> Box<Opening> {
    Box::new(Opening {
        form,
        app: None,
        limits: SessionLimits { idle_timeout: IDLE, max_lifetime },
        cap: None,
        origin: Origin::new(ip(HERE), None),
        is_guarded: false,
    })
}

async fn admitted(house: &House, presented: Presented) -> Result<auth::Admitted, Reason> {
    house.kernel.authenticate(presented, &scope(), ip(HERE), true).await
}

fn live(house: &House, number: u64) -> bool {
    let session = house.kernel.sessions().table().find(&token(number).hash());
    session.is_some_and(|session| session.ended(house.kernel.clock().now()).is_none())
}

fn both(number: u64, course: Course) -> Presented {
    let password = with_password("bob", PASSWORD).password;
    Presented { password, course, ..with_session(number) }
}

#[tokio::test]
async fn a_live_session_decides_unless_the_course_ends_it() {
    let house = House::new().await;
    type Made = fn() -> Course;
    let courses: [(Made, &str, bool, bool); 5] = [
        (|| Course::Keep, "alice", false, true),
        (|| Course::Begin(opening()), "alice", false, true),
        (|| Course::Last, "alice", false, true),
        (|| Course::End, "bob", false, false),
        (|| Course::Renew(opening()), "bob", true, false),
    ];
    for (number, (course, name, begins, lives)) in (1..).zip(courses) {
        house.login("alice", number).await;
        let admitted = admitted(&house, both(number, course())).await.ok().unwrap();
        let known = admitted.caller.known().unwrap();
        assert_eq!(known.account().user.username.shown(), name, "{number}");
        assert_eq!((admitted.begun.is_some(), admitted.ended), (begins, !lives), "{number}");
        assert_eq!(live(&house, number), lives, "{number}");
        // Only one that is to end afterwards is handed over, and it is the one that was shown.
        let last = admitted.last.map(|session| session.token);
        assert_eq!(last, (number == 3).then(|| token(number).hash()), "{number}");
    }
}

#[tokio::test]
async fn what_ends_is_gone_from_disk_before_anybody_is_let_in() {
    let house = House::new().await;
    house.login("alice", 1).await;
    let wrong = Presented {
        course: Course::End,
        password: with_password("bob", "wrong").password,
        ..with_session(1)
    };
    assert_eq!(admitted(&house, wrong).await.err(), Some(Reason::WrongPassword));
    let record = house.on_disk(1).await;
    assert!(record.is_none_or(|record| record.ended.is_some_and(|ended| ended.reason == EndReason::Logout)));
    let dead = Presented { course: Course::Last, ..with_session(1) };
    assert_eq!(admitted(&house, dead).await.err(), Some(Reason::SessionEnded(EndReason::Logout)));
    let nobody = Presented { course: Course::End, ..Presented::default() };
    assert_eq!(admitted(&house, nobody).await.err(), Some(Reason::NoCredentials));
}

#[tokio::test]
async fn a_guarded_session_does_nothing_for_who_does_not_repeat_its_token() {
    let house = House::new().await;
    let guarded = Box::new(Opening { is_guarded: true, ..*opening() });
    let presented = Presented { course: Course::Begin(guarded), ..with_password("bob", PASSWORD) };
    let token = admitted(&house, presented).await.ok().unwrap().begun.unwrap();
    let text = token.expose().to_owned();
    let shown = |is_repeated, course| Presented {
        session: Some(SessionToken::from_text(&text)),
        is_repeated,
        course,
        ..with_password("alice", PASSWORD)
    };
    for course in [Course::Keep, Course::End, Course::Last, Course::Renew(opening())] {
        assert_eq!(admitted(&house, shown(false, course)).await.err(), Some(Reason::NotRepeated));
    }
    let kept = admitted(&house, shown(true, Course::Keep)).await.ok().unwrap();
    assert_eq!(kept.caller.known().unwrap().account().user.username.shown(), "bob", "it lives on");
    assert!(admitted(&house, shown(true, Course::End)).await.ok().unwrap().ended);
}

#[tokio::test]
async fn a_bearer_token_is_revoked_where_it_counts_and_nowhere_else() {
    let house = House::new().await;
    let text = || BearerText::new("a token".to_owned());
    let (begun, _) = house
        .kernel
        .login_for_token(request("alice", PASSWORD, HERE), |_, _| Ok(text()))
        .await
        .map_err(|reason| format!("{reason:?}"))
        .unwrap();
    let with_token = || Presented { bearer: Some(text()), ..Presented::default() };
    assert!(house.kernel.revoke(&text(), &Scope::new("/elsewhere")).await.unwrap().is_none());
    assert!(house.kernel.revoke(&BearerText::new("another".to_owned()), &scope()).await.unwrap().is_none());
    assert!(house.ask(with_token()).await.is_ok());
    // A bearer token outlives a request whose course ends a session: that is the cookie's.
    let presented = Presented { course: Course::End, ..with_token() };
    assert!(admitted(&house, presented).await.is_ok_and(|admitted| !admitted.ended));
    let revoked = house.kernel.revoke(&text(), &scope()).await.unwrap().unwrap();
    assert_eq!(revoked.id, begun.session.id);
    assert_eq!(house.ask(with_token()).await.err(), Some(Reason::InvalidToken));
}

#[tokio::test]
async fn at_the_cap_only_the_same_clients_own_session_makes_room() {
    let house = House::new().await;
    let begin = |agent: &str| {
        let cap = Some(SessionCap { most: 2, then: AtCap::EndOldestOfClient });
        let origin = Origin::new(ip(HERE), Some(agent));
        let course = Course::Begin(Box::new(Opening { cap, origin, ..*opening() }));
        Presented { course, ..with_password("bob", PASSWORD) }
    };
    let first = admitted(&house, begin("one")).await.ok().unwrap().begun.unwrap();
    let second = admitted(&house, begin("two")).await.ok().unwrap().begun.unwrap();
    assert_eq!(admitted(&house, begin("three")).await.err(), Some(Reason::TooManySessions));
    assert!(admitted(&house, begin("one")).await.is_ok());
    let lives = |token: &SessionToken| {
        let session = house.kernel.sessions().table().find(&token.hash()).unwrap();
        session.ended(house.kernel.clock().now()).is_none()
    };
    assert!(!lives(&first) && lives(&second));
}
