//! Logins that are played through, on a kernel over a server that says what it is told to.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use auth::directory::Snapshot;
use auth::limits::{MAX_PASSWORD_BYTES, MAX_REHEARSAL, MAX_REHEARSALS};
use auth::{
    Evidence, Password, Pending, Realm, Reason, Rehearsal, RehearsedStep, Unavailability, Username, Verdict,
};
use tokio::sync::Notify;
use zeroize::Zeroizing;

use super::super::{change, create, id_of};
use super::{Input, NAME, Rehearsed, run};
use crate::error::Error;
use crate::precondition::Precondition;
use crate::sessions::tests::house::{HERE, House, PASSWORD};

/// A realm whose server knows alice.
#[derive(Default)]
struct Stage {
    is_down: AtomicBool,
    plays: AtomicUsize,
    names: Mutex<Vec<String>>,
    /// Where set, a play waits for it.
    curtain: Option<Notify>,
}

fn step(what: &str, is_good: bool) -> RehearsedStep {
    RehearsedStep { what: what.to_owned(), took: Duration::from_millis(2), is_good, said: "said".to_owned() }
}

impl Realm for Stage {
    fn verify<'a>(&'a self, _: &'a Evidence, _: &'a Snapshot) -> Pending<'a, Verdict> {
        Box::pin(async { Verdict::Unavailable(Unavailability(Cow::Borrowed("this is a rehearsal"))) })
    }

    fn rehearsal(&self) -> Option<&dyn Rehearsal> {
        Some(self)
    }
}

impl Rehearsal for Stage {
    fn play<'a>(
        &'a self,
        username: &'a Username,
        password: Option<&'a Password>,
    ) -> Pending<'a, Vec<RehearsedStep>> {
        Box::pin(async move {
            self.plays.fetch_add(1, Ordering::Relaxed);
            self.names.lock().unwrap().push(username.canonical().to_owned());
            if let Some(curtain) = &self.curtain {
                curtain.notified().await;
            }
            let is_up = !self.is_down.load(Ordering::Relaxed);
            let mut steps =
                vec![step("connect to a server that is always down", false), step("connect", is_up)];
            if is_up && let Some(password) = password {
                steps.push(step("bind", password.expose() == PASSWORD));
            }
            steps
        })
    }
}

impl House {
    /// A house with a realm `ldap` that has this stage.
    async fn with_stage(stage: &Arc<Stage>) -> Self {
        let house = Self::new().await;
        house.maker.put("stage", Arc::clone(stage) as Arc<dyn Realm>);
        let input = create::Input {
            name: "ldap".to_owned(),
            kind: "stage".to_owned(),
            enabled: true,
            roles: Vec::new(),
            config: "{}".to_owned(),
        };
        create::run(&house.services, &house.permit_of_nobody(create::NAME), input).await.unwrap();
        house
    }

    async fn rehearse(&self, realm: &str, password: Option<&str>) -> Result<Rehearsed, Error> {
        let permit = self.permit_of_nobody(NAME);
        let password = password.map(|text| Zeroizing::new(text.to_owned()));
        let input = Input { username: "Alice".to_owned(), password };
        run(&self.services, &permit, id_of(realm), input).await
    }

    fn rehearsed(&self) -> Vec<String> {
        let lines = self.told.lines("performed", ["operation", "subject", "client.address", "detail"]);
        let here = [NAME.to_owned(), id_of("ldap").to_string(), HERE.to_string()];
        for line in &lines {
            assert_eq!(line[..3], here);
        }
        lines.into_iter().map(|[_, _, _, detail]| detail).collect()
    }
}

fn said(result: Result<Rehearsed, Error>) -> String {
    match result {
        Ok(done) => {
            let steps: Vec<_> = done.steps.iter().map(|step| (step.what.as_str(), step.is_good)).collect();
            assert!(!done.is_good, "one server is always down");
            format!("{:?}", steps.last().unwrap())
        }
        Err(Error::Invalid { field, .. }) => field.into_owned(),
        Err(Error::Conflict(_)) => "conflict".to_owned(),
        Err(Error::Kernel(reason)) => reason.reason_id().to_owned(),
        Err(other) => format!("{other:?}"),
    }
}

#[tokio::test]
async fn a_login_is_played_through_and_written_down() {
    let stage = Arc::new(Stage::default());
    let house = House::with_stage(&stage).await;
    assert_eq!(said(house.rehearse("ldap", None).await), "(\"connect\", true)");
    assert_eq!(said(house.rehearse("ldap", Some(PASSWORD)).await), "(\"bind\", true)");
    assert_eq!(said(house.rehearse("ldap", Some("wrong")).await), "(\"bind\", false)");
    let bad = "\"Alice\" of \"ldap\"; bad";
    assert_eq!(house.rehearsed(), [bad, bad, bad]);
    assert!(stage.names.lock().unwrap().iter().all(|name| name == "alice"));
    // Also where it is switched off: that is when one tries it.
    let off = change::Input { enabled: Some(false), ..change::Input::default() };
    let permit = house.permit_of_nobody(change::NAME);
    change::run(&house.services, &permit, id_of("ldap"), off, &Precondition::None).await.unwrap();
    assert_eq!(said(house.rehearse("ldap", Some(PASSWORD)).await), "(\"bind\", true)");
    let snapshot = house.services.kernel.directory().held();
    let of_realm = snapshot.accounts().filter(|account| account.user.realm.as_str() == "ldap").count();
    let sessions = house.services.kernel.sessions().table().filtered(|_| true);
    assert_eq!((of_realm, sessions.len()), (0, 0), "nobody came in");
    assert!(house.told.lines("login_failed", ["user.name"]).is_empty());
}

#[tokio::test]
async fn what_cannot_be_played_is_told() {
    let house = House::with_stage(&Arc::default()).await;
    assert_eq!(said(house.rehearse("nowhere", None).await), "NotFound");
    assert_eq!(said(house.rehearse("native", None).await), "conflict");
    assert_eq!(said(house.rehearse("ldap", Some("")).await), "password");
    assert_eq!(said(house.rehearse("ldap", Some(&"x".repeat(MAX_PASSWORD_BYTES + 1))).await), "password");
    let nobody = Input { username: String::new(), password: None };
    let permit = house.permit_of_nobody(NAME);
    assert_eq!(said(run(&house.services, &permit, id_of("ldap"), nobody).await), "username");
    let other = house.permit_of_nobody("realm.read");
    let input = Input { username: "alice".to_owned(), password: None };
    assert_eq!(said(run(&house.services, &other, id_of("ldap"), input).await), "forbidden");
    assert!(house.rehearsed().is_empty(), "nothing was played");
}

#[tokio::test]
async fn a_wrong_password_counts_and_what_could_not_be_asked_does_not() {
    let stage = Arc::new(Stage::default());
    let house = House::with_stage(&stage).await;
    stage.is_down.store(true, Ordering::Relaxed);
    for _ in 0..20 {
        assert_eq!(said(house.rehearse("ldap", Some("wrong")).await), "(\"connect\", false)");
    }
    stage.is_down.store(false, Ordering::Relaxed);
    // A right one in between frees nobody.
    for number in 0..10 {
        assert_eq!(said(house.rehearse("ldap", Some("wrong")).await), "(\"bind\", false)", "{number}");
        if number < 9 {
            assert_eq!(said(house.rehearse("ldap", Some(PASSWORD)).await), "(\"bind\", true)", "{number}");
        }
    }
    let plays = stage.plays.load(Ordering::Relaxed);
    for password in ["wrong", PASSWORD] {
        assert_eq!(said(house.rehearse("ldap", Some(password)).await), "too_many_attempts");
    }
    assert_eq!(stage.plays.load(Ordering::Relaxed), plays, "nobody looked");
    assert_eq!(house.rehearsed().last().unwrap(), "\"Alice\" of \"ldap\"; too_many_attempts");
    // It is the counter of logins.
    let request = |house: &House| {
        let password = auth::PresentedPassword {
            realm: auth::RealmChoice::Named(Box::from("ldap")),
            username: testkit::suites::realms::username("alice"),
            password: testkit::suites::realms::presented(PASSWORD),
        };
        let shown = auth::Presented { password: Some(password), ..auth::Presented::default() };
        let kernel = Arc::clone(&house.services.kernel);
        async move { kernel.authenticate(shown, &auth::Scope::new("/api"), HERE, false).await.err() }
    };
    assert!(matches!(request(&house).await, Some(Reason::TooManyAttempts { .. })));
    assert_eq!(said(house.rehearse("ldap", None).await), "(\"connect\", true)", "without a password");
}

#[tokio::test]
async fn so_many_logins_are_played_at_once_and_no_more() {
    let stage = Arc::new(Stage { curtain: Some(Notify::new()), ..Stage::default() });
    let house = Arc::new(House::with_stage(&stage).await);
    let mut plays = Vec::new();
    for _ in 0..MAX_REHEARSALS {
        let house = Arc::clone(&house);
        plays.push(tokio::spawn(async move { said(house.rehearse("ldap", None).await) }));
    }
    while stage.plays.load(Ordering::Relaxed) < MAX_REHEARSALS {
        tokio::task::yield_now().await;
    }
    assert_eq!(said(house.rehearse("ldap", None).await), "realm_unavailable");
    // Whoever does not wait for it is written down all the same, and his place is free again.
    let left = plays.pop().unwrap();
    left.abort();
    assert!(left.await.unwrap_err().is_cancelled());
    let (unavailable, broken) =
        ("\"Alice\" of \"ldap\"; realm_unavailable", "\"Alice\" of \"ldap\"; broken off");
    assert_eq!(house.rehearsed(), [unavailable, broken]);
    let curtain = stage.curtain.as_ref().unwrap();
    let next = tokio::spawn({
        let house = Arc::clone(&house);
        async move { said(house.rehearse("ldap", None).await) }
    });
    while stage.plays.load(Ordering::Relaxed) <= MAX_REHEARSALS {
        tokio::task::yield_now().await;
    }
    curtain.notify_waiters();
    plays.push(next);
    for play in plays {
        assert_eq!(play.await.unwrap(), "(\"connect\", true)");
    }
}

#[tokio::test(start_paused = true)]
async fn a_play_without_an_end_is_ended() {
    let stage = Arc::new(Stage { curtain: Some(Notify::new()), ..Stage::default() });
    let house = House::with_stage(&stage).await;
    for password in [None, Some(PASSWORD)] {
        let mut play = Box::pin(house.rehearse("ldap", password));
        let almost = MAX_REHEARSAL - Duration::from_millis(1);
        assert!(tokio::time::timeout(almost, &mut play).await.is_err(), "it may take so long");
        assert_eq!(said(play.await), "(\"play the login through\", false)");
        // Nobody judged the password, so nobody has to find out whether it is to blame.
        let plays = if password.is_some() { 2 } else { 1 };
        assert_eq!(stage.plays.load(Ordering::Relaxed), plays);
    }
    // That no server answers is no wrong password.
    for _ in 0..20 {
        let played = said(house.rehearse("ldap", Some("wrong")).await);
        assert_eq!(played, "(\"play the login through\", false)");
    }
}
