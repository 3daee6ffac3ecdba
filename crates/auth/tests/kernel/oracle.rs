//! Any sequence of changes of the directory against an oracle of plain maps and lists: after each of them the very next
//! request is answered as the oracle says, by session, by password and by key, and so is what it may do.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::time::Duration;

use auth::directory::RealmState;
use auth::login::ThrottleLimits;
use auth::permission::{Matrix, Method};
use auth::trust::{Action, Asked, Authorized, Caller, Demand};
use auth::{
    ApiKey, Change, LoginRequest, Moment, Presented, Realm, RealmName, RealmRecord, Reason, Role, User,
    UserId,
};
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use testkit::suites::maker;

use crate::house::{
    HERE, House, PASSWORD, api_key, ip, permission, put, put_key, request, role, scope, token, user,
    with_key, with_password, with_session,
};

/// Who is who: realm and name.
const PEOPLE: [(&str, &str); 4] =
    [("native", "alice"), ("native", "bob"), ("branch", "alice"), ("branch", "bob")];
const ROLES: [&str; 3] = ["reader", "writer", "auditor"];
/// Permissions, each with its pattern, and what it allows of [`ASKED`], in order.
const PERMISSIONS: [(&str, &str, [bool; 5]); 6] = [
    ("GET:/books/**", "/books/**", [true, true, false, false, false]),
    ("POST:/books/**", "/books/**", [false, false, true, false, false]),
    ("GET:/books/1", "/books/1", [true, false, false, false, false]),
    ("GET:/users/*", "/users/*", [false, false, false, true, false]),
    ("*:/**", "/**", [true, true, true, true, true]),
    ("GET:/**:!/books/**", "/**", [false, false, false, true, false]),
];
/// What is asked for.
const ASKED: [(Method, &str); 5] = [
    (Method::Get, "/books/1"),
    (Method::Get, "/books/2"),
    (Method::Post, "/books/1"),
    (Method::Get, "/users/x"),
    (Method::Delete, "/users/x"),
];
const KEYS: u8 = 4;
const SESSIONS: usize = 5;
/// All the time that a run may take, so that no session idles away.
const MOST_WAITED: u64 = 1_500;

/// A set of permissions or roles, by their places.
type Places = BTreeSet<usize>;

#[derive(Clone, Debug)]
enum Step {
    PutUser {
        person: usize,
        enabled: bool,
        roles: Places,
        own: Places,
    },
    /// Made anew where he is there already.
    MakeUser(usize),
    DeleteUser(usize),
    PutRole(usize, Places),
    DeleteRole(usize),
    PutRealm {
        native: bool,
        enabled: bool,
        roles: Places,
    },
    DeleteRealm {
        native: bool,
    },
    /// Newly read settings, with the realm `native` in them or not.
    Settings(Option<(bool, Places)>),
    PutKey {
        number: u8,
        person: usize,
        permissions: Option<Places>,
        seconds: Option<u64>,
    },
    DeleteKey(u8),
    Login(usize),
    Wait(u64),
}

fn places(of: usize) -> impl Strategy<Value = Places> {
    proptest::collection::btree_set(0..of, 0..3)
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (roles, permissions) = (|| places(ROLES.len()), || places(PERMISSIONS.len()));
    let person = || 0..PEOPLE.len();
    let user = (person(), any::<bool>(), roles(), permissions())
        .prop_map(|(person, enabled, roles, own)| Step::PutUser { person, enabled, roles, own });
    let realm = (any::<bool>(), any::<bool>(), roles()).prop_map(|(native, enabled, roles)| Step::PutRealm {
        native,
        enabled,
        roles,
    });
    let settings = proptest::option::weighted(0.7, (proptest::bool::weighted(0.7), roles()));
    let key = (
        0..KEYS,
        person(),
        proptest::option::of(permissions()),
        proptest::option::of(prop_oneof![Just(0), 1..400u64]),
    )
        .prop_map(|(number, person, permissions, seconds)| Step::PutKey {
            number,
            person,
            permissions,
            seconds,
        });
    let step = prop_oneof![
        4 => user,
        2 => person().prop_map(Step::MakeUser),
        1 => person().prop_map(Step::DeleteUser),
        3 => ((0..ROLES.len()), permissions()).prop_map(|(role, may)| Step::PutRole(role, may)),
        1 => (0..ROLES.len()).prop_map(Step::DeleteRole),
        3 => realm,
        1 => any::<bool>().prop_map(|native| Step::DeleteRealm { native }),
        2 => settings.prop_map(Step::Settings),
        4 => key,
        1 => (0..KEYS).prop_map(Step::DeleteKey),
        4 => person().prop_map(Step::Login),
        2 => prop_oneof![Just(0), 1..200u64].prop_map(Step::Wait),
    ];
    proptest::collection::vec(step, 1..40)
}

struct PlainUser {
    enabled: bool,
    roles: Places,
    own: Places,
    created: Moment,
}

struct PlainKey {
    person: usize,
    permissions: Option<Places>,
    expires: Option<Moment>,
    created: Moment,
}

/// Whether it is enabled, and the roles that it gives.
type PlainRealm = (bool, Places);

/// What the directory holds, in plain maps.
#[derive(Default)]
struct Oracle {
    users: BTreeMap<usize, PlainUser>,
    roles: BTreeMap<usize, Places>,
    stored: BTreeMap<&'static str, PlainRealm>,
    settings: Option<PlainRealm>,
    keys: BTreeMap<u8, PlainKey>,
    sessions: Vec<(usize, Moment)>,
}

impl Oracle {
    fn realm(&self, name: &str) -> Option<&PlainRealm> {
        let in_settings = self.settings.as_ref().filter(|_| name == "native");
        in_settings.or_else(|| self.stored.get(name))
    }

    /// Whether this person of these days is in force.
    fn lets_in(&self, person: usize, since: Moment) -> bool {
        let user = self.users.get(&person).filter(|user| user.enabled && user.created <= since);
        user.is_some() && self.realm(PEOPLE[person].0).is_some_and(|(enabled, _)| *enabled)
    }

    /// Why this person's right password does not let him in, if it does not.
    fn by_password(&self, person: usize) -> Result<(), Reason> {
        match self.realm(PEOPLE[person].0) {
            None => return Err(Reason::UnknownRealm),
            Some((false, _)) => return Err(Reason::RealmDisabled),
            Some((true, _)) => {}
        }
        match self.users.get(&person) {
            None => Err(Reason::UnknownUser),
            Some(user) if !user.enabled => Err(Reason::UserDisabled),
            Some(_) => Ok(()),
        }
    }

    fn by_key(&self, number: u8, now: Moment) -> Result<usize, Reason> {
        let key = self.keys.get(&number).ok_or(Reason::UnknownKey)?;
        if key.expires.is_some_and(|expires| expires <= now) {
            return Err(Reason::KeyExpired);
        }
        if self.lets_in(key.person, key.created) { Ok(key.person) } else { Err(Reason::UnknownKey) }
    }

    /// Whether this person may do what stands at this place of [`ASKED`].
    fn may(&self, person: usize, asked: usize) -> bool {
        let user = &self.users[&person];
        if user.own.iter().any(|own| PERMISSIONS[*own].2[asked]) {
            return true;
        }
        let replaced: BTreeSet<&str> = user.own.iter().map(|own| PERMISSIONS[*own].1).collect();
        let inherited = &self.realm(PEOPLE[person].0).unwrap().1;
        let roles = user.roles.union(inherited).filter_map(|role| self.roles.get(role));
        roles.flatten().any(|place| PERMISSIONS[*place].2[asked] && !replaced.contains(PERMISSIONS[*place].1))
    }

    /// Whether this key reaches it.
    fn reaches(&self, number: u8, asked: usize) -> bool {
        let permissions = &self.keys[&number].permissions;
        permissions.as_ref().is_none_or(|some| some.iter().any(|place| PERMISSIONS[*place].2[asked]))
    }
}

/// Asks for what stands at this place of [`ASKED`]: with a permission for it, or with a login only.
struct Ask {
    place: usize,
    login_only: bool,
}

impl Action for Ask {
    fn name(&self) -> &'static str {
        "ask"
    }

    fn demand(&self) -> Demand<'_> {
        let (method, path) = ASKED[self.place];
        let asked = Asked { method, path, matrix: Matrix::Strict };
        if self.login_only { Demand::Login(asked) } else { Demand::Permission(asked) }
    }

    fn client(&self) -> IpAddr {
        ip(HERE)
    }
}

struct Run {
    house: House,
    oracle: Oracle,
    waited: u64,
}

impl Run {
    /// A house whose directory is empty but for its realm `native`, which stands in the settings.
    async fn new() -> Self {
        let house = House::new().await;
        let clean = [Change::DeleteUser(user("alice").id), Change::DeleteUser(user("bob").id)];
        house.make([&clean[..], &[Change::DeleteRole(role("reader"))]].concat()).await;
        let oracle = Oracle { settings: Some((true, Places::new())), ..Oracle::default() };
        let run = Self { house, oracle, waited: 0 };
        run.open_the_throttle();
        run
    }

    /// This is no test of the throttle: refusals are what is asked for.
    fn open_the_throttle(&self) {
        let many = u32::MAX / 2;
        self.house.kernel.throttle().replace_limits(ThrottleLimits {
            attempts_per_user: many,
            attempts_per_address: many,
            window: Duration::from_secs(1),
        });
    }

    async fn step(&mut self, step: Step) {
        let now = self.house.kernel.clock().now();
        match step {
            Step::PutUser { person, enabled, roles, own } => {
                let created = self.oracle.users.get(&person).map_or(now, |user| user.created);
                self.put_user(person, PlainUser { enabled, roles, own, created }, Vec::new()).await;
            }
            Step::MakeUser(person) => {
                let plain =
                    PlainUser { enabled: true, roles: Places::new(), own: Places::new(), created: now };
                self.put_user(person, plain, vec![Change::DeleteUser(id_of(person))]).await;
            }
            Step::DeleteUser(person) => {
                self.house.make(vec![Change::DeleteUser(id_of(person))]).await;
                self.oracle.users.remove(&person);
            }
            Step::PutRole(place, may) => {
                self.house.make(vec![Change::PutRole(role_of(place, &may))]).await;
                self.oracle.roles.insert(place, may);
            }
            Step::DeleteRole(place) => {
                self.house.make(vec![Change::DeleteRole(role(ROLES[place]))]).await;
                self.oracle.roles.remove(&place);
            }
            Step::PutRealm { native, enabled, roles } => {
                let name = if native { "native" } else { "branch" };
                self.house.make(vec![Change::PutRealm(Box::new(realm_of(name, enabled, &roles)))]).await;
                self.oracle.stored.insert(name, (enabled, roles));
            }
            Step::DeleteRealm { native } => {
                let name = if native { "native" } else { "branch" };
                self.house.make(vec![Change::DeleteRealm(RealmName::parse(name).unwrap())]).await;
                self.oracle.stored.remove(name);
            }
            Step::Settings(settings) => {
                self.oracle.settings = settings;
                self.read_settings().await;
            }
            Step::PutKey { number, person, permissions, seconds } => {
                let expires = seconds.map(|seconds| now.plus(Duration::from_secs(seconds)));
                self.put_key(number, PlainKey { person, permissions, expires, created: now }).await;
            }
            Step::DeleteKey(number) => {
                self.house.make(vec![Change::DeleteKey(api_key(number, "alice").id)]).await;
                self.oracle.keys.remove(&number);
            }
            Step::Login(person) => self.login(person, now).await,
            Step::Wait(seconds) if self.waited + seconds <= MOST_WAITED => {
                self.waited += seconds;
                self.house.clock.advance(Duration::from_secs(seconds));
            }
            Step::Wait(_) => {}
        }
    }

    async fn put_user(&mut self, person: usize, plain: PlainUser, before: Vec<Change>) {
        let (realm, name) = PEOPLE[person];
        let changed = User {
            id: id_of(person),
            realm: RealmName::parse(realm).unwrap(),
            roles: roles_of(&plain.roles),
            permissions: permissions_of(&plain.own),
            enabled: plain.enabled,
            created: plain.created,
            ..user(name)
        };
        self.house.make([before, vec![put(changed)]].concat()).await;
        self.oracle.users.insert(person, plain);
    }

    async fn put_key(&mut self, number: u8, plain: PlainKey) {
        let key = ApiKey {
            user: id_of(plain.person),
            permissions: plain.permissions.as_ref().map(permissions_of),
            expires: plain.expires,
            created: plain.created,
            ..api_key(number, "alice")
        };
        self.house.make(vec![Change::DeleteKey(key.id), put_key(key)]).await;
        self.oracle.keys.insert(number, plain);
    }

    async fn read_settings(&self) {
        let native = self.oracle.settings.iter().map(|(enabled, roles)| RealmState {
            record: realm_of("native", *enabled, roles),
            in_settings: true,
            realm: std::sync::Arc::clone(&self.house.realm) as std::sync::Arc<dyn Realm>,
        });
        let settings: HashMap<_, _> = maker::settings(native);
        self.house.set(settings).await;
    }

    async fn login(&mut self, person: usize, now: Moment) {
        if self.oracle.sessions.len() == SESSIONS {
            return;
        }
        let (realm, name) = PEOPLE[person];
        let request = LoginRequest {
            realm: auth::RealmChoice::Named(Box::from(realm)),
            ..request(name, PASSWORD, HERE)
        };
        let number = self.oracle.sessions.len() as u64;
        let logged_in = self.house.kernel.login(&token(number), request).await.map(|_| ());
        assert_eq!(logged_in, self.oracle.by_password(person), "login of {:?}", PEOPLE[person]);
        if logged_in.is_ok() {
            self.oracle.sessions.push((person, now));
        }
    }

    /// Asks with every credential that there is, and for everything.
    async fn check(&self) {
        let now = self.house.kernel.clock().now();
        for (number, (person, created)) in self.oracle.sessions.iter().enumerate() {
            let expected = self.oracle.lets_in(*person, *created).then_some(*person);
            self.compare(Shown::Session(number as u64), expected.ok_or(Reason::SessionUserGone)).await;
        }
        for person in 0..PEOPLE.len() {
            let expected = self.oracle.by_password(person).map(|()| person);
            self.compare(Shown::Password(person), expected).await;
        }
        for number in 0..KEYS {
            self.compare(Shown::Key(number), self.oracle.by_key(number, now)).await;
        }
    }

    async fn ask(&self, shown: Shown) -> Result<Caller, Reason> {
        // It does not count as activity: nothing is changed by asking.
        self.house
            .kernel
            .authenticate(shown.presented(), &scope(), ip(HERE), false)
            .await
            .map(|admitted| admitted.caller)
    }

    /// Holds who it is, and all that he may, against what the oracle says.
    async fn compare(&self, shown: Shown, expected: Result<usize, Reason>) {
        let known = self.ask(shown).await.map(|caller| caller.known().unwrap().account().user.id);
        assert_eq!(known, expected.clone().map(id_of), "{shown:?}");
        let Ok(person) = expected else { return };
        for (place, asked) in ASKED.iter().enumerate() {
            let reached = match shown {
                Shown::Key(number) => self.oracle.reaches(number, place),
                Shown::Session(_) | Shown::Password(_) => true,
            };
            for (login_only, expected) in
                [(true, reached), (false, reached && self.oracle.may(person, place))]
            {
                let caller = self.ask(shown).await.ok().unwrap();
                let snapshot = self.house.kernel.directory().held();
                let judged = Authorized::judge(&snapshot, caller, Ask { place, login_only }).map(|_| ());
                let expected = if expected { Ok(()) } else { Err(Reason::Forbidden) };
                let who = PEOPLE[person];
                assert_eq!(judged, expected, "{asked:?} of {who:?} by {shown:?}, login only: {login_only}");
            }
        }
    }
}

/// A credential.
#[derive(Clone, Copy, Debug)]
enum Shown {
    Session(u64),
    Password(usize),
    Key(u8),
}

impl Shown {
    fn presented(self) -> Presented {
        match self {
            Self::Session(number) => with_session(number),
            Self::Password(person) => {
                let (realm, name) = PEOPLE[person];
                let mut shown = with_password(name, PASSWORD);
                shown.password.as_mut().unwrap().realm = auth::RealmChoice::Named(Box::from(realm));
                shown
            }
            Self::Key(number) => with_key(number),
        }
    }
}

fn id_of(person: usize) -> UserId {
    let (realm, name) = PEOPLE[person];
    UserId::of(&RealmName::parse(realm).unwrap(), &user(name).username)
}

fn permissions_of(places: &Places) -> Vec<auth::permission::Permission> {
    places.iter().map(|place| permission(PERMISSIONS[*place].0)).collect()
}

fn roles_of(places: &Places) -> Vec<auth::RoleName> {
    places.iter().map(|place| role(ROLES[*place])).collect()
}

fn role_of(place: usize, may: &Places) -> Role {
    Role {
        name: role(ROLES[place]),
        description: String::new(),
        permissions: permissions_of(may),
        ui_permissions: Vec::new(),
        created: Moment::default(),
        updated: Moment::default(),
    }
}

fn realm_of(name: &str, enabled: bool, roles: &Places) -> RealmRecord {
    RealmRecord { enabled, roles: roles_of(roles), ..maker::record(name) }
}

#[test]
fn the_next_request_after_any_change_is_answered_as_the_directory_is_then() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    proptest::proptest!(|(steps in steps())| {
        runtime.block_on(async {
            let mut run = Run::new().await;
            for step in steps {
                run.step(step).await;
                run.check().await;
            }
            run.house = run.house.restarted().await;
            run.open_the_throttle();
            run.read_settings().await;
            run.check().await;
        });
    });
}
