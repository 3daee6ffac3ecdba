//! Drives a system: many clients at once, each doing what chance says, each noting what he saw.
//!
//! Called by tests. Who ends a credential shows it just before, so that whatever may be remembered of it is, and just after,
//! which is when a mistake shows. Changes are asked for until they are acknowledged: a system that dies in the middle leaves
//! nobody in doubt for long. Must never judge.

use std::sync::Arc;

use super::chance::Chance;
use super::history::{Covers, End, Heard, History, Purpose, Span, Use, UserState};
use super::system::{Door, Operation, Shape, System, Told};
use super::world::{Held, World};

/// How often each thing is done, in so many of [`Mix::TURNS`] turns. What is left is uses of sessions.
#[derive(Clone, Copy, Debug)]
pub struct Mix {
    /// Uses of Basic credentials with the present password.
    pub basic: usize,
    /// Uses of Basic credentials, possibly with a password of before.
    pub stale_basic: usize,
    /// Uses of keys.
    pub key: usize,
    /// Logins.
    pub log_in: usize,
    /// Ends of one session, by its token or by its id.
    pub end_one: usize,
    /// Ends of a user's, a realm's or an app's sessions.
    pub end_many: usize,
    /// A user is shut out, and let in again.
    pub shut_out: usize,
    /// A user's password is changed.
    pub password: usize,
    /// A user's role is taken away, and granted again.
    pub grant: usize,
    /// A user is deleted, and made anew.
    pub recreate: usize,
    /// A role is changed, and changed back.
    pub role: usize,
    /// A realm is switched off, and on again.
    pub realm: usize,
    /// A key is made.
    pub make_key: usize,
    /// A key is taken back.
    pub revoke_key: usize,
}

impl Mix {
    /// What the numbers of a mix are parts of.
    pub const TURNS: usize = 10_000;

    /// For a system where nothing is slow.
    pub const QUICK: Self = Self {
        basic: 1_200,
        stale_basic: 300,
        key: 1_600,
        log_in: 700,
        end_one: 150,
        end_many: 25,
        shut_out: 30,
        password: 30,
        grant: 30,
        recreate: 15,
        role: 15,
        realm: 5,
        make_key: 60,
        revoke_key: 30,
    };
}

/// A run.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Who and what there is.
    pub shape: Shape,
    /// How many clients there are at once.
    pub clients: usize,
    /// How many operations are asked for, of all kinds; a few more, as each client finishes what he is at.
    pub operations: u64,
    /// How often the system is killed and started again, evenly.
    pub restarts: u64,
    /// How often each thing is done.
    pub mix: Mix,
    /// How many sessions are used at a time, live and dead; older ones are forgotten.
    pub sessions: usize,
    /// What the clients' choices follow from. How they meet is the machine's.
    pub seed: u64,
}

/// Drives a system from its first moment on.
///
/// # Panics
/// When the system refuses what must be possible, such as an administrator's change.
pub async fn drive(system: Arc<dyn System>, plan: &Plan) -> History {
    let world = Arc::new(World::new(system, plan));
    let mut seeds = Chance::of(plan.seed);
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..plan.clients {
        let client = Client::new(&world, plan.mix, seeds.draw());
        running.spawn(client.live());
    }
    let mut history = History {
        shape: plan.shape,
        issued: Vec::new(),
        uses: Vec::new(),
        ends: Vec::new(),
        users: Vec::new(),
        realms: Vec::new(),
        roles: Vec::new(),
        operations: 0,
        deaths: Vec::new(),
    };
    for seen in running.join_all().await {
        history.uses.extend(seen.uses);
        history.ends.extend(seen.ends);
        history.deaths.extend(seen.deaths);
    }
    history.issued = world.all_issued();
    history.operations = world.asked();
    for user in &world.users {
        history.users.push(user.lock().await.clone());
    }
    for (timelines, books) in [(&mut history.realms, &world.realms), (&mut history.roles, &world.roles)] {
        for book in books {
            timelines.push(book.lock().await.clone());
        }
    }
    history
}

/// How many sessions are looked at after each restart, the newest first.
const SHOWN_AFTER_DEATH: usize = 64;

/// What a client saw.
#[derive(Default)]
struct Seen {
    uses: Vec<Use>,
    ends: Vec<End>,
    deaths: Vec<Span>,
}

struct Client {
    world: Arc<World>,
    mix: Mix,
    chance: Chance,
    seen: Seen,
}

impl Client {
    fn new(world: &Arc<World>, mix: Mix, seed: u64) -> Self {
        let world = Arc::clone(world);
        Self { world, mix, chance: Chance::of(seed), seen: Seen::default() }
    }

    async fn live(mut self) -> Seen {
        while self.world.goes_on() {
            if self.world.is_restart_due() {
                self.kill().await;
            }
            self.take_turn().await;
        }
        self.seen
    }

    async fn take_turn(&mut self) {
        let mut turn = self.chance.below(Mix::TURNS);
        let mut is = |share: usize| {
            let hit = turn < share;
            turn = turn.wrapping_sub(if hit { 0 } else { share });
            hit
        };
        let mix = self.mix;
        if is(mix.basic) {
            self.use_password(false).await;
        } else if is(mix.stale_basic) {
            self.use_password(true).await;
        } else if is(mix.key) {
            let some = self.world.some_key(&mut self.chance);
            self.show(some).await;
        } else if is(mix.log_in) {
            self.log_in().await;
        } else if is(mix.end_one) {
            self.end_one().await;
        } else if is(mix.end_many) {
            self.end_many().await;
        } else if is(mix.shut_out) {
            self.shut_out().await;
        } else if is(mix.password) {
            self.change_password().await;
        } else if is(mix.grant) {
            self.take_grant().await;
        } else if is(mix.recreate) {
            self.recreate().await;
        } else if is(mix.role) {
            self.switch_role().await;
        } else if is(mix.realm) {
            self.switch_realm().await;
        } else if is(mix.make_key) {
            self.make_key().await;
        } else if is(mix.revoke_key) {
            self.revoke_key().await;
        } else {
            let some = self.world.some_session(&mut self.chance);
            self.show(some).await;
        }
    }

    fn some_user(&mut self) -> usize {
        self.chance.below(self.world.shape.users)
    }

    fn some_door(&mut self) -> Door {
        if self.chance.once_in(2) { Door::Open } else { Door::Guarded }
    }

    async fn show(&mut self, held: Option<Held>) {
        let Some(held) = held else { return };
        let door = self.some_door();
        self.show_at(&held, door).await;
    }

    async fn show_at(&mut self, held: &Held, door: Door) {
        let operation = Operation::Use { credential: Arc::clone(&held.credential), door };
        let (told, span) = self.world.ask(&operation).await;
        let told = match told {
            Told::Done | Told::Made(_) => Heard::Passed,
            Told::Unknown => Heard::Unknown,
            Told::Forbidden => Heard::Forbidden,
            Told::Busy | Told::Lost => Heard::Nothing,
        };
        let purpose = match door {
            Door::Open => Purpose::Open,
            Door::Guarded => Purpose::Guarded,
        };
        self.seen.uses.push(Use { credential: held.number, purpose, told, span });
    }

    async fn show_all(&mut self, held: &[Held]) {
        for held in held {
            self.show(Some(held.clone())).await;
        }
    }

    async fn use_password(&mut self, stale: bool) {
        let user = self.some_user();
        let some = self.world.some_password(user, stale, &mut self.chance);
        self.show(Some(some)).await;
    }

    async fn log_in(&mut self) {
        let user = self.some_user();
        self.log_in_as(user).await;
    }

    async fn log_in_as(&mut self, user: usize) {
        let held = self.world.some_password(user, false, &mut self.chance);
        let super::Credential::Basic(_, password) = *held.credential else { return };
        let app = self.chance.below(self.world.shape.apps);
        let (told, span) = self.world.ask(&Operation::LogIn { user, password, app }).await;
        let heard = match told {
            Told::Made(token) => {
                self.world.issue_session(user, password, app, token, span);
                Heard::Passed
            }
            Told::Unknown => Heard::Unknown,
            Told::Forbidden => Heard::Forbidden,
            Told::Busy | Told::Lost => Heard::Nothing,
            Told::Done => panic!("a login made nothing"),
        };
        self.seen.uses.push(Use { credential: held.number, purpose: Purpose::LogIn, told: heard, span });
    }

    /// Kills the system in the middle of the end of a session, at a time when somebody else was told that it has ended: he found
    /// it dead. Then looks at what lives.
    async fn kill(&mut self) {
        let world = Arc::clone(&self.world);
        let victim = world.some_session(&mut self.chance);
        let user = victim.as_ref().map_or(0, |held| held.user);
        let end_of_one = async {
            let held = victim?;
            let operation = Operation::LogOut { session: held.credential };
            Some((Covers::One(held.number), operation.clone(), world.ask(&operation).await))
        };
        let end_of_all_and_death = async {
            let operation = Operation::EndUser { user };
            let told = world.ask(&operation).await;
            let (death, span) = world.ask(&Operation::Restart).await;
            assert_eq!(death, Told::Done, "the system starts again");
            (Covers::User(user), operation, told, span)
        };
        let (one, (covers, operation, told, death)) = tokio::join!(end_of_one, end_of_all_and_death);
        self.seen.deaths.push(death);
        self.note_end(covers, &operation, told);
        if let Some((covers, operation, told)) = one {
            self.note_end(covers, &operation, told);
        }
        let some = world.sessions_of(SHOWN_AFTER_DEATH, |_, _| true);
        self.show_all(&some).await;
    }

    async fn end(&mut self, covers: Covers, operation: &Operation) {
        let told = self.world.ask(operation).await;
        self.note_end(covers, operation, told);
    }

    fn note_end(&mut self, covers: Covers, operation: &Operation, (told, span): (Told, Span)) {
        assert!(matches!(told, Told::Done | Told::Lost | Told::Busy), "{told:?} to {operation:?}");
        // Who was told "not now" or nothing knows nothing.
        let returned = if told == Told::Done { span.returned } else { Span::NEVER };
        self.seen.ends.push(End { covers, span: Span { returned, ..span } });
    }

    async fn end_one(&mut self) {
        let Some(held) = self.world.some_session(&mut self.chance) else { return };
        if self.chance.once_in(2) {
            self.show_at(&held, Door::Open).await;
        }
        let session = Arc::clone(&held.credential);
        let operation = if self.chance.once_in(2) {
            Operation::LogOut { session }
        } else {
            Operation::EndSession { user: held.user, session }
        };
        self.end(Covers::One(held.number), &operation).await;
        self.show_all(&[held.clone(), held]).await;
    }

    async fn end_many(&mut self) {
        let shape = self.world.shape;
        let (covers, operation) = match self.chance.below(16) {
            0 => {
                let realm = self.chance.below(shape.realms);
                (Covers::Realm(realm), Operation::EndRealm { realm })
            }
            1 => {
                let app = self.chance.below(shape.apps);
                (Covers::App(app), Operation::EndApp { app })
            }
            _ => {
                let user = self.some_user();
                (Covers::User(user), Operation::EndUser { user })
            }
        };
        let victims = self.world.sessions_of(3, |user, of| match covers {
            Covers::User(ended) => user == ended,
            Covers::Realm(ended) => shape.realm(user) == ended,
            Covers::App(ended) => of == ended,
            Covers::One(_) => false,
        });
        self.show_all(&victims).await;
        self.end(covers, &operation).await;
        self.show_all(&victims).await;
    }
}

/// Changes of users, roles and realms. The book of what changes is locked meanwhile.
impl Client {
    /// Asks until it is acknowledged; from the first question to the last answer.
    async fn insist(&self, operation: &Operation) -> Span {
        let (mut told, mut span) = self.world.ask(operation).await;
        let mut tries = 0;
        while matches!(told, Told::Lost | Told::Busy) {
            tries += 1;
            assert!(tries < 1_000, "nobody answers {operation:?}");
            let again = self.world.ask(operation).await;
            (told, span.returned) = (again.0, again.1.returned);
        }
        assert!(matches!(told, Told::Done), "{told:?} to {operation:?}");
        span
    }

    /// What somebody of this user's may show: sessions, a key, his password.
    fn belongings(&mut self, user: usize) -> Vec<Held> {
        let mut all = self.world.sessions_of(2, |own, _| own == user);
        all.extend(self.world.keys_of(1, |own| own == user));
        all.push(self.world.some_password(user, false, &mut self.chance));
        all
    }

    async fn change(&mut self, user: usize, operation: &Operation, change: impl FnOnce(&mut UserState)) {
        let world = Arc::clone(&self.world);
        let mut book = world.users[user].lock().await;
        let mut state = book.last();
        if !state.exists {
            return;
        }
        change(&mut state);
        let span = self.insist(operation).await;
        book.push(span, state);
    }

    async fn shut_out(&mut self) {
        let user = self.some_user();
        let victims = self.belongings(user);
        self.show_all(&victims).await;
        for enabled in [false, true] {
            let operation = Operation::SetEnabled { user, enabled };
            self.change(user, &operation, |state| state.enabled = enabled).await;
            self.show_all(&victims).await;
        }
        self.log_in_as(user).await;
    }

    async fn change_password(&mut self) {
        let user = self.some_user();
        let victims = self.belongings(user);
        self.show_all(&victims).await;
        let password = self.world.new_password(user);
        let world = Arc::clone(&self.world);
        let mut book = world.users[user].lock().await;
        if !book.last().exists {
            return;
        }
        let span = self.insist(&Operation::SetPassword { user, password }).await;
        let state = UserState { password, ..book.last() };
        book.push(span, state);
        // While nobody else can change it.
        self.world.issue_password(user, password, span);
        drop(book);
        self.show_all(&victims).await;
        self.log_in_as(user).await;
    }

    async fn take_grant(&mut self) {
        let user = self.some_user();
        let victims = self.belongings(user);
        for granted in [false, true] {
            let operation = Operation::SetGranted { user, granted };
            self.change(user, &operation, |state| state.granted = granted).await;
            for held in &victims {
                self.show_at(held, Door::Guarded).await;
            }
        }
    }

    async fn recreate(&mut self) {
        let user = self.some_user();
        let victims = self.belongings(user);
        self.show_all(&victims).await;
        let world = Arc::clone(&self.world);
        let mut book = world.users[user].lock().await;
        let before = book.last();
        let span = self.insist(&Operation::Delete { user }).await;
        book.push(span, UserState { exists: false, ..before });
        self.show_all(&victims).await;
        let password = self.world.new_password(user);
        let span = self.insist(&Operation::Create { user, password }).await;
        let life = before.life + 1;
        book.push(span, UserState { life, exists: true, password, enabled: true, granted: true });
        self.world.issue_password(user, password, span);
        drop(book);
        self.show_all(&victims).await;
        self.log_in_as(user).await;
    }

    async fn switch_role(&mut self) {
        let role = self.chance.below(self.world.shape.roles);
        let shape = self.world.shape;
        let victims = self.world.sessions_of(3, |user, _| shape.role(user) == role);
        let world = Arc::clone(&self.world);
        for allows in [false, true] {
            let mut book = world.roles[role].lock().await;
            let span = self.insist(&Operation::SetRole { role, allows }).await;
            book.push(span, allows);
            drop(book);
            for held in &victims {
                self.show_at(held, Door::Guarded).await;
            }
        }
    }

    async fn switch_realm(&mut self) {
        let shape = self.world.shape;
        let realm = self.chance.below(shape.realms);
        let mut victims = self.world.sessions_of(2, |user, _| shape.realm(user) == realm);
        victims.extend(self.world.keys_of(1, |user| shape.realm(user) == realm));
        victims.push(self.world.some_password(realm, false, &mut self.chance));
        self.show_all(&victims).await;
        let world = Arc::clone(&self.world);
        for enabled in [false, true] {
            let mut book = world.realms[realm].lock().await;
            let span = self.insist(&Operation::SetRealm { realm, enabled }).await;
            book.push(span, enabled);
            drop(book);
            self.show_all(&victims).await;
        }
        self.log_in_as(realm).await;
    }

    async fn make_key(&mut self) {
        let user = self.some_user();
        let world = Arc::clone(&self.world);
        // Nobody deletes him meanwhile: it is known in which of his lives it is made.
        let book = world.users[user].lock().await;
        let state = book.last();
        if !state.exists {
            return;
        }
        let (told, span) = self.world.ask(&Operation::MakeKey { user }).await;
        match told {
            Told::Made(text) => self.world.issue_key(user, state.life, text, span),
            Told::Lost | Told::Busy => {}
            Told::Done | Told::Unknown | Told::Forbidden => panic!("{told:?} to a key for user {user}"),
        }
    }

    async fn revoke_key(&mut self) {
        let Some(held) = self.world.some_key(&mut self.chance) else { return };
        self.show_at(&held, Door::Open).await;
        let operation = Operation::RevokeKey { key: Arc::clone(&held.credential) };
        self.end(Covers::One(held.number), &operation).await;
        self.show_all(&[held.clone(), held]).await;
    }
}
