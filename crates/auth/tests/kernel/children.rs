//! Sessions that are begun with a bearer token: one more way to the token's session, which lives no longer and ends with it.

use std::sync::Arc;
use std::time::Duration;

use auth::trust::Authenticated;
use auth::{
    BearerText, Clock as _, Course, EndReason, Ended, LoginRequest, Presented, Reason, SessionId,
    SessionStore as _, SessionToken,
};

use crate::courses::opening_for;
use crate::house::{
    ATTEMPTS, HERE, House, IDLE, MAXIMUM, PASSWORD, ip, request, scope, with_password, with_session,
};

fn bearer() -> BearerText {
    BearerText::new("a token".to_owned())
}

fn with_bearer(course: Course) -> Presented {
    Presented { bearer: Some(bearer()), course, ..Presented::default() }
}

fn shown(text: &str) -> Presented {
    Presented { session: Some(SessionToken::from_text(text)), ..Presented::default() }
}

impl House {
    /// Logs alice in for the bearer token; the session's id.
    async fn give(&self) -> SessionId {
        let request = LoginRequest { ..request("alice", PASSWORD, HERE) };
        let given = self.kernel.login_for_token(request, |_, _| Ok(bearer())).await;
        given.map_err(|reason| format!("{reason:?}")).unwrap().0.session.id
    }

    /// Begins a session with the bearer token; its token.
    async fn begin(&self, max_lifetime: Duration) -> Result<String, Reason> {
        let presented = with_bearer(Course::Begin(opening_for(max_lifetime)));
        let admitted = self.kernel.authenticate(presented, &scope(), ip(HERE), true).await?;
        Ok(admitted.begun.unwrap().expose().to_owned())
    }

    async fn who(&self, text: &str) -> Result<Authenticated, Reason> {
        self.ask(shown(text)).await
    }
}

#[tokio::test]
async fn asvs_8_it_counts_from_the_tokens_login_and_lives_no_longer() {
    for longest in [MAXIMUM, MAXIMUM * 3, MAXIMUM / 2] {
        let house = House::new().await;
        let parent = house.give().await;
        let login = house.kernel.clock().now();
        let mut used = Duration::ZERO;
        let step = IDLE - Duration::from_secs(1);
        while used + step < MAXIMUM / 2 {
            house.clock.advance(step);
            used += step;
            house.ask(with_bearer(Course::Keep)).await.ok().unwrap();
        }
        let text = house.begin(longest).await.unwrap();
        let session = house.who(&text).await.ok().unwrap().session().cloned().unwrap();
        assert_eq!((session.created, session.parent.as_deref()), (login, Some(&parent)));
        assert_eq!(session.limits.max_lifetime, longest.min(MAXIMUM));
        let again = house.restarted().await;
        let kept = again.who(&text).await.ok().unwrap().session().cloned().unwrap();
        assert_eq!((kept.created, kept.parent.as_deref()), (login, Some(&parent)));
        while used + step < longest.min(MAXIMUM) {
            house.clock.advance(step);
            used += step;
            house.who(&text).await.ok().unwrap();
        }
        house.clock.advance(longest.min(MAXIMUM) - used);
        assert_eq!(house.who(&text).await.err(), Some(Reason::SessionTooOld));
    }
}

#[tokio::test]
async fn asvs_20_whoever_ends_the_tokens_session_ends_it() {
    for how in ["revoke", "administrator", "every session of the user"] {
        let house = House::new().await;
        let parent = house.give().await;
        let (one, other) = (house.begin(MAXIMUM).await.unwrap(), house.begin(MAXIMUM).await.unwrap());
        house.login("alice", 1).await;
        let table = house.kernel.sessions().table().clone();
        let end = async |sessions: &[_]| house.kernel.end(sessions, EndReason::Revoked, None).await.unwrap();
        match how {
            "revoke" => drop(house.kernel.revoke(&bearer(), &scope()).await.unwrap().unwrap()),
            "administrator" => assert_eq!(end(&[table.by_id(&parent).unwrap()]).await, 3, "it and its two"),
            _ => assert_eq!(end(&table.of_user(&crate::house::user("alice").id)).await, 4),
        }
        for house in [&house, &house.restarted().await] {
            assert_eq!(house.ask(with_bearer(Course::Keep)).await.err(), Some(Reason::InvalidToken), "{how}");
            for text in [&one, &other] {
                let why = house.who(text).await.err();
                assert!(matches!(why, Some(Reason::SessionEnded(_))), "{how}: {why:?}");
            }
        }
        let of_a_password = house.ask(with_session(1)).await.is_ok();
        assert_eq!(of_a_password, how != "every session of the user", "{how}");
    }
}

/// The store has the end of the token's session, and the process died before it had that of the one begun with it.
#[tokio::test]
async fn a_crash_between_the_two_ends_leaves_nobody_in() {
    for (reason, stays) in
        EndReason::ALL.map(|reason| (reason, matches!(reason, EndReason::Idle | EndReason::Maximum)))
    {
        let house = House::new().await;
        let parent = house.give().await;
        let text = house.begin(MAXIMUM).await.unwrap();
        let token = house.kernel.sessions().table().by_id(&parent).unwrap().token;
        let ended = Ended { at: house.clock.now(), reason };
        house.store.end(vec![(token, ended)]).await.unwrap();
        let after = house.restarted().await;
        assert_eq!(after.kernel.end_strays().await, Ok(usize::from(!stays)), "{reason:?}");
        for house in [&after, &after.restarted().await] {
            let expected = (!stays).then_some(Reason::SessionEnded(reason));
            assert_eq!(house.who(&text).await.err(), expected, "{reason:?}");
            assert_eq!(house.kernel.end_strays().await, Ok(0), "{reason:?}");
        }
    }
}

#[tokio::test]
async fn its_own_end_and_the_tokens_idleness_end_nothing_else() {
    let house = House::new().await;
    house.give().await;
    let (one, other) = (house.begin(MAXIMUM).await.unwrap(), house.begin(MAXIMUM).await.unwrap());
    let session = house.who(&one).await.ok().unwrap().session().cloned().unwrap();
    assert_eq!(house.kernel.end(&[session], EndReason::Logout, None).await, Ok(1));
    assert!(house.ask(with_bearer(Course::Keep)).await.is_ok() && house.who(&other).await.is_ok());
    for _ in 0..2 {
        house.clock.advance(IDLE - Duration::from_secs(1));
        assert!(house.who(&other).await.is_ok());
    }
    assert_eq!(house.ask(with_bearer(Course::Keep)).await.err(), Some(Reason::InvalidToken));
    house.kernel.sweep().await.unwrap();
    assert!(
        house.who(&other).await.is_ok(),
        "it is used, and the login that it counts from is no older than it may be"
    );
    assert_eq!(house.begin(MAXIMUM).await.err(), Some(Reason::InvalidToken));
}

#[tokio::test]
async fn figure_4_a_token_that_is_revoked_while_a_session_begins_leaves_none() {
    let house = Arc::new(House::new().await);
    house.give().await;
    house.held.hold();
    let beginning = {
        let house = Arc::clone(&house);
        tokio::spawn(async move { house.begin(MAXIMUM).await })
    };
    for _ in 0..64 {
        tokio::task::yield_now().await;
    }
    house.kernel.revoke(&bearer(), &scope()).await.unwrap().unwrap();
    house.held.release();
    assert_eq!(beginning.await.unwrap(), Err(Reason::InvalidToken));
    let alice = crate::house::user("alice").id;
    assert!(house.kernel.sessions().live_of(&alice).is_empty());
    assert!(house.restarted().await.kernel.sessions().live_of(&alice).is_empty());
}

#[tokio::test]
async fn a_password_that_is_only_remembered_begins_nothing() {
    let house = House::new().await;
    house.basic("bob", PASSWORD).await.ok().unwrap();
    // Changed where the realm has it: nobody here could know.
    house.realm.put("bob", "another", true);
    assert!(house.basic("bob", PASSWORD).await.is_ok(), "remembered for a while");
    for course in [Course::Begin(opening_for(MAXIMUM)), Course::Renew(opening_for(MAXIMUM))] {
        let presented = Presented { course, ..with_password("bob", PASSWORD) };
        let refused = house.kernel.authenticate(presented, &scope(), ip(HERE), true).await;
        assert_eq!(refused.err(), Some(Reason::WrongPassword));
    }
    assert_eq!(house.store.session_count(), 0);
}

/// Whoever had to wait for his look is told what was found out meanwhile; not where a session may begin.
#[tokio::test]
async fn a_password_that_is_only_remembered_begins_nothing_after_a_wait_either() {
    let house = Arc::new(House::new().await);
    house.basic("bob", PASSWORD).await.ok().unwrap();
    house.realm.put("bob", "another", true);
    house.realm.hold();
    let ask = |presented: Presented| {
        let house = Arc::clone(&house);
        tokio::spawn(async move {
            house.kernel.authenticate(presented, &scope(), ip(HERE), true).await.map(|_| ())
        })
    };
    let begin = |password| {
        let course = Course::Begin(opening_for(MAXIMUM));
        ask(Presented { course, ..with_password("bob", password) })
    };
    // As many as may be looked at once, and one more, who waits for one of them to be right.
    let looked: Vec<_> = (0..ATTEMPTS).map(|_| begin("another")).collect();
    for _ in 0..64 {
        tokio::task::yield_now().await;
    }
    let waits = begin(PASSWORD);
    for _ in 0..64 {
        tokio::task::yield_now().await;
    }
    house.realm.release();
    for one in looked {
        assert_eq!(one.await.unwrap(), Ok(()));
    }
    assert_eq!(waits.await.unwrap(), Err(Reason::WrongPassword));
}

#[tokio::test]
async fn contract_row_3_who_shows_nothing_else_keeps_his_session() {
    let house = House::new().await;
    house.login("alice", 1).await;
    let renew = Presented { course: Course::Renew(opening_for(MAXIMUM)), ..with_session(1) };
    let admitted = house.kernel.authenticate(renew, &scope(), ip(HERE), true).await.ok().unwrap();
    assert!(!admitted.ended && admitted.begun.is_none());
    assert!(house.ask(with_session(1)).await.is_ok());
}
