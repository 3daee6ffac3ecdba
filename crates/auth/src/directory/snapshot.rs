//! One state of the directory. Who asks is judged by one snapshot, and whether he may by one, so that nobody sees half
//! a change.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::limits::KEY_USE_RESOLUTION;
use crate::permission::{Explanation, Matcher, Matrix, Method, Permission};
use crate::realm::{Realm, RealmMaker, Unmakeable};
use crate::reason::Reason;
use crate::store::{Change, DirectoryImage};
use crate::words::clock::Moment;
use crate::words::ids::{KeyId, UserId};
use crate::words::key_ring::KeyRing;
use crate::words::names::{AppName, RealmName, RoleName};
use crate::words::records::{ApiKey, App, Initialised, KeyUse, RealmRecord, Role, User};
use crate::words::token::TokenHash;

/// Users and keys are kept in this many pieces, so that changing one of 100,000 copies one piece, not all.
const PIECES: usize = 256;

/// A user with what is computed of him once per change.
pub struct Account {
    /// The record.
    pub user: User,
    /// His id as text, for headers and permissions.
    pub id_text: Box<str>,
    own: Matcher,
    own_patterns: HashSet<Box<str>>,
}

impl Account {
    fn new(user: User) -> Arc<Self> {
        Arc::new(Self {
            id_text: user.id.to_string().into_boxed_str(),
            own: Matcher::compile(&user.permissions),
            own_patterns: user.permissions.iter().map(|own| Box::from(own.pattern_key())).collect(),
            user,
        })
    }
}

/// A role with its permissions compiled.
pub struct CompiledRole {
    /// The record.
    pub role: Role,
    matcher: Matcher,
}

/// A realm: its record, and who speaks its protocol.
#[derive(Clone)]
pub struct RealmState {
    /// The record.
    pub record: RealmRecord,
    /// Whether it stands in the settings, which only an operator changes.
    pub in_settings: bool,
    /// Who verifies.
    pub realm: Arc<dyn Realm>,
}

impl RealmState {
    /// Whether what `other` vouched for still stands: it asked the same source in the same way. Its roles do not matter, and
    /// neither does when it was made: settings that are read again make every realm anew.
    pub(crate) fn is_source_of(&self, other: &RealmRecord) -> bool {
        self.record.kind == other.kind && self.record.config == other.config
    }

    /// The realm of a record that a store kept; one that cannot be made is there and vouches for nobody.
    fn of(record: RealmRecord, maker: &dyn RealmMaker) -> Self {
        let realm = maker.make(&record).unwrap_or_else(|_| Arc::new(Unmakeable));
        Self { record, in_settings: false, realm }
    }
}

/// An API key with its permissions compiled.
pub struct CompiledKey {
    /// The record.
    pub key: ApiKey,
    /// `None`: all that its user may.
    matcher: Option<Matcher>,
    used: Mutex<Used>,
}

#[derive(Default)]
struct Used {
    last: Option<KeyUse>,
    /// Whether it waits to be written behind.
    waits: bool,
}

impl CompiledKey {
    fn new(key: ApiKey, last: Option<KeyUse>) -> Arc<Self> {
        let used = Mutex::new(Used { last, waits: false });
        Arc::new(Self { matcher: key.permissions.as_ref().map(Matcher::compile), used, key })
    }

    /// The last time that it was used. After a crash, as much of it is lost as of the activity of sessions
    /// ([`TOUCH_INTERVAL`](crate::limits::TOUCH_INTERVAL)).
    #[must_use]
    pub fn last_use(&self) -> Option<KeyUse> {
        self.used().last
    }

    /// Notes a use of it; whether it has to be written behind and nobody knows yet. Of several at a time one is noted: nobody
    /// waits for it.
    pub(super) fn note_use(&self, address: IpAddr, now: Moment) -> bool {
        let Ok(mut used) = self.used.try_lock() else { return false };
        let is_noted = |last: KeyUse| last.address == address && now.since(last.at) < KEY_USE_RESOLUTION;
        if used.last.is_some_and(is_noted) {
            return false;
        }
        used.last = Some(KeyUse { at: now, address });
        !std::mem::replace(&mut used.waits, true)
    }

    /// The last use, which is written behind now.
    pub(super) fn take_use(&self) -> Option<KeyUse> {
        let mut used = self.used();
        used.waits = false;
        used.last
    }

    fn used(&self) -> MutexGuard<'_, Used> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it may do less than its user may.
    #[must_use]
    pub fn is_restricted(&self) -> bool {
        self.matcher.is_some()
    }

    /// Whether the key reaches this, if its user does.
    #[must_use]
    pub fn reaches(&self, account: &Account, method: Method, path: &str, matrix: Matrix) -> bool {
        let found =
            |matcher: &Matcher| matcher.find(method, path, &account.id_text, matrix, |_| true).is_some();
        self.matcher.as_ref().is_none_or(found)
    }

    /// What [`reaches`](Self::reaches) answers to the same question, and why; `None` where it may do all that its user may.
    #[must_use]
    pub fn explain(
        &self,
        account: &Account,
        method: Method,
        path: &str,
        matrix: Matrix,
    ) -> Option<Explanation<'_>> {
        Some(self.matcher.as_ref()?.explain(method, path, &account.id_text, matrix, |_| true))
    }
}

type Piece<K, V> = Arc<HashMap<K, Arc<V>>>;

/// See [`Snapshot::asserting`].
#[derive(Default)]
struct Asserting {
    realms: Vec<RealmName>,
    fields: Vec<Box<str>>,
}

/// One state of the directory.
#[derive(Clone)]
pub struct Snapshot {
    users: Vec<Piece<UserId, Account>>,
    keys: Vec<Piece<TokenHash, CompiledKey>>,
    /// The keys' hashes by their public ids, in pieces as well.
    key_ids: Vec<Arc<HashMap<KeyId, TokenHash>>>,
    roles: Arc<HashMap<RoleName, Arc<CompiledRole>>>,
    apps: Arc<HashMap<AppName, Arc<App>>>,
    /// The realms of the settings, which stand before those of the store.
    settings: Arc<HashMap<RealmName, RealmState>>,
    stored: Arc<HashMap<RealmName, RealmState>>,
    /// The realms that take the word of somebody in front of the gateway.
    asserting: Arc<Asserting>,
    /// Set once the installation was set up.
    pub initialised: Option<Initialised>,
    key_ring: Option<Arc<KeyRing>>,
    /// See [`Snapshot::generation`].
    generation: u64,
}

impl Snapshot {
    /// The state that a store loaded, with the roles that come with the gateway and the realms of the settings. The store's
    /// own realms are made by `maker`.
    #[must_use]
    pub fn new(
        image: DirectoryImage,
        built_in: Vec<Role>,
        settings: HashMap<RealmName, RealmState>,
        maker: &dyn RealmMaker,
    ) -> Self {
        let mut pieces: Vec<HashMap<UserId, Arc<Account>>> = vec![HashMap::new(); PIECES];
        for user in image.users {
            pieces[piece(&user.id)].insert(user.id, Account::new(user));
        }
        let mut keys: Vec<HashMap<TokenHash, Arc<CompiledKey>>> = vec![HashMap::new(); PIECES];
        let mut key_ids: Vec<HashMap<KeyId, TokenHash>> = vec![HashMap::new(); PIECES];
        let mut uses: HashMap<KeyId, KeyUse> = image.key_uses.into_iter().collect();
        for key in image.keys {
            key_ids[key_id_piece(&key.id)].insert(key.id, key.hash);
            let last = uses.remove(&key.id);
            keys[key_piece(&key.hash)].insert(key.hash, CompiledKey::new(key, last));
        }
        let mut roles = HashMap::new();
        // A stored role of a built-in's name is that role as somebody changed it.
        for role in built_in.into_iter().chain(image.roles) {
            roles.insert(role.name.clone(), compile(role));
        }
        let mut snapshot = Self {
            users: pieces.into_iter().map(Arc::new).collect(),
            keys: keys.into_iter().map(Arc::new).collect(),
            key_ids: key_ids.into_iter().map(Arc::new).collect(),
            roles: Arc::new(roles),
            apps: Arc::new(image.apps.into_iter().map(|app| (app.id.clone(), Arc::new(app))).collect()),
            settings: Arc::new(settings),
            stored: Arc::new(
                image
                    .realms
                    .into_iter()
                    .map(|record| (record.name.clone(), RealmState::of(record, maker)))
                    .collect(),
            ),
            asserting: Arc::default(),
            initialised: image.initialised,
            key_ring: image.key_ring.map(Arc::new),
            generation: 0,
        };
        snapshot.note_asserting();
        snapshot
    }

    /// The user with this id.
    #[must_use]
    pub fn account(&self, id: &UserId) -> Option<&Arc<Account>> {
        self.users[piece(id)].get(id)
    }

    /// All users, in no order.
    pub fn accounts(&self) -> impl Iterator<Item = &Arc<Account>> {
        self.users.iter().flat_map(|piece| piece.values())
    }

    /// The role of this name.
    #[must_use]
    pub fn role(&self, name: &str) -> Option<&Arc<CompiledRole>> {
        self.roles.get(name)
    }

    /// All roles, in no order.
    pub fn roles(&self) -> impl Iterator<Item = &Arc<CompiledRole>> {
        self.roles.values()
    }

    /// The realm of this name.
    #[must_use]
    pub fn realm(&self, name: &str) -> Option<&RealmState> {
        self.settings.get(name).or_else(|| self.stored.get(name))
    }

    /// All realms, in no order.
    pub fn realms(&self) -> impl Iterator<Item = &RealmState> {
        let behind = |name: &RealmName| self.settings.contains_key(name);
        let stored = self.stored.iter().filter(move |(name, _)| !behind(name)).map(|(_, state)| state);
        self.settings.values().chain(stored)
    }

    /// The realms that take the word of somebody in front of the gateway, by their names' order.
    pub(crate) fn asserting(&self) -> &[RealmName] {
        &self.asserting.realms
    }

    /// The names of the header fields in which these realms read it, in lower case, each once. None where there is no such
    /// realm. Also of realms that are off: what was a credential is none of the backend's business.
    #[must_use]
    pub fn asserting_fields(&self) -> &[Box<str>] {
        &self.asserting.fields
    }

    fn note_asserting(&mut self) {
        let asserting = |state: &&RealmState| !state.realm.asserting_fields().is_empty();
        let found: Vec<_> = self.realms().filter(asserting).collect();
        let mut realms: Vec<_> = found.iter().map(|state| state.record.name.clone()).collect();
        realms.sort();
        let mut fields: Vec<_> =
            found.iter().flat_map(|state| state.realm.asserting_fields()).cloned().collect();
        fields.sort();
        fields.dedup();
        self.asserting = Arc::new(Asserting { realms, fields });
    }

    /// The app with this id.
    #[must_use]
    pub fn app(&self, id: &str) -> Option<&Arc<App>> {
        self.apps.get(id)
    }

    /// All apps, in no order.
    pub fn apps(&self) -> impl Iterator<Item = &Arc<App>> {
        self.apps.values()
    }

    /// The API key whose text has this hash.
    #[must_use]
    pub fn key(&self, hash: &TokenHash) -> Option<&Arc<CompiledKey>> {
        self.keys[key_piece(hash)].get(hash)
    }

    /// The API key with this public id.
    #[must_use]
    pub fn key_by_id(&self, id: &KeyId) -> Option<&Arc<CompiledKey>> {
        self.key(self.key_ids[key_id_piece(id)].get(id)?)
    }

    /// The keys that the gateway signs with. None before the first start made some.
    #[must_use]
    pub fn key_ring(&self) -> Option<&Arc<KeyRing>> {
        self.key_ring.as_ref()
    }

    /// Which state of its directory this is: each that comes into force has a higher number than all before it. What was
    /// computed of a snapshot with this number needs no second look.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The same state as the one that follows `before`.
    pub(super) fn following(self, before: &Self) -> Self {
        Self { generation: before.generation + 1, ..self }
    }

    /// All API keys, in no order.
    pub fn keys(&self) -> impl Iterator<Item = &Arc<CompiledKey>> {
        self.keys.iter().flat_map(|piece| piece.values())
    }

    /// Whether this user may be let in at all, whatever he shows.
    ///
    /// # Errors
    /// [`Reason::UnknownRealm`], [`Reason::RealmDisabled`], [`Reason::UserDisabled`].
    pub fn in_force(&self, account: &Account) -> Result<(), Reason> {
        match self.realm(account.user.realm.as_str()) {
            None => Err(Reason::UnknownRealm),
            Some(realm) if !realm.record.enabled => Err(Reason::RealmDisabled),
            Some(_) if !account.user.enabled || account.user.vouched.lapsed => Err(Reason::UserDisabled),
            Some(_) => Ok(()),
        }
    }

    /// The roles that count for this user: given directly, then those that his groups stand for, then inherited from the
    /// realm, each once. Names without a role behind them give nothing; neither does what his groups stood for when the realm
    /// was set up otherwise.
    pub fn roles_of<'a>(&'a self, account: &'a Account) -> impl Iterator<Item = &'a Arc<CompiledRole>> {
        let User { roles: direct, vouched, .. } = &account.user;
        let realm = self.realm(account.user.realm.as_str());
        let is_granted = move |name: &RoleName| realm.is_some_and(|state| state.realm.grants(name));
        let of_groups = vouched.roles.iter().filter(move |name| !direct.contains(name) && is_granted(name));
        let is_his = move |name: &RoleName| {
            direct.contains(name) || (vouched.roles.contains(name) && is_granted(name))
        };
        let inherited = realm.map_or(&[][..], |state| &state.record.roles);
        let inherited = inherited.iter().filter(move |name| !is_his(name));
        direct.iter().chain(of_groups).chain(inherited).filter_map(|name| self.roles.get(name))
    }

    /// The permission by which this user may do this, if there is one: an entry of his own, or one of a role that no
    /// entry of his own for the same path pattern replaces.
    #[must_use]
    pub fn permission<'a>(
        &'a self,
        account: &'a Account,
        method: Method,
        path: &str,
        matrix: Matrix,
    ) -> Option<&'a Permission> {
        if let Some(own) = account.own.find(method, path, &account.id_text, matrix, |_| true) {
            return Some(own);
        }
        let counts = |permission: &Permission| {
            account.own_patterns.is_empty() || !account.own_patterns.contains(permission.pattern_key())
        };
        self.roles_of(account)
            .find_map(|role| role.matcher.find(method, path, &account.id_text, matrix, counts))
    }

    /// What [`permission`](Self::permission) answers to the same question, and why: for each role that counts (`None`:
    /// the user's own entries) what decides in it and what nearly does.
    #[must_use]
    pub fn explain<'a>(
        &'a self,
        account: &'a Account,
        method: Method,
        path: &str,
        matrix: Matrix,
    ) -> Vec<(Option<&'a RoleName>, Explanation<'a>)> {
        let own = account.own.explain(method, path, &account.id_text, matrix, |_| true);
        let counts = |permission: &Permission| !account.own_patterns.contains(permission.pattern_key());
        let roles = self.roles_of(account).map(|role| {
            (Some(&role.role.name), role.matcher.explain(method, path, &account.id_text, matrix, counts))
        });
        std::iter::once((None, own)).chain(roles).collect()
    }

    /// What this state would be after these changes.
    #[must_use]
    pub fn after(&self, changes: &[Change], maker: &dyn RealmMaker) -> Self {
        let mut after = self.clone();
        after.make_all(changes, maker);
        after.following(self)
    }

    /// Makes these changes in their order.
    pub(super) fn make_all(&mut self, changes: &[Change], maker: &dyn RealmMaker) {
        for change in changes {
            self.make(change.clone(), maker);
        }
    }

    /// The realms of the store, also those that stand behind one of the settings, in no order.
    pub fn stored_realms(&self) -> impl Iterator<Item = &RealmState> {
        self.stored.values()
    }

    /// Makes a change.
    fn make(&mut self, change: Change, maker: &dyn RealmMaker) {
        match change {
            Change::PutUser(user) => {
                Arc::make_mut(&mut self.users[piece(&user.id)]).insert(user.id, Account::new(*user));
            }
            Change::DeleteUser(id) => {
                Arc::make_mut(&mut self.users[piece(&id)]).remove(&id);
            }
            Change::PutRole(role) => {
                Arc::make_mut(&mut self.roles).insert(role.name.clone(), compile(role));
            }
            Change::DeleteRole(name) => {
                Arc::make_mut(&mut self.roles).remove(&name);
            }
            Change::PutRealm(record) => {
                let state = RealmState::of(*record, maker);
                Arc::make_mut(&mut self.stored).insert(state.record.name.clone(), state);
                self.note_asserting();
            }
            Change::DeleteRealm(name) => {
                Arc::make_mut(&mut self.stored).remove(&name);
                self.note_asserting();
            }
            Change::PutApp(app) => {
                Arc::make_mut(&mut self.apps).insert(app.id.clone(), Arc::new(*app));
            }
            Change::DeleteApp(id) => {
                Arc::make_mut(&mut self.apps).remove(&id);
            }
            Change::PutKey(key) => {
                Arc::make_mut(&mut self.key_ids[key_id_piece(&key.id)]).insert(key.id, key.hash);
                Arc::make_mut(&mut self.keys[key_piece(&key.hash)])
                    .insert(key.hash, CompiledKey::new(*key, None));
            }
            Change::DeleteKey(id) => {
                if let Some(hash) = Arc::make_mut(&mut self.key_ids[key_id_piece(&id)]).remove(&id) {
                    Arc::make_mut(&mut self.keys[key_piece(&hash)]).remove(&hash);
                }
            }
            Change::Initialise(initialised) => self.initialised = Some(initialised),
            Change::PutKeyRing(ring) => self.key_ring = Some(Arc::new(*ring)),
        }
    }

    /// Puts other realms in the place of those that stand in the settings.
    pub(super) fn replace_settings(&mut self, settings: HashMap<RealmName, RealmState>) {
        self.settings = Arc::new(settings);
        self.note_asserting();
    }
}

fn piece(id: &UserId) -> usize {
    usize::from(id.as_bytes()[15])
}

fn key_id_piece(id: &KeyId) -> usize {
    usize::from(id.as_bytes()[0])
}

fn key_piece(hash: &TokenHash) -> usize {
    usize::from(hash.as_bytes()[0])
}

fn compile(role: Role) -> Arc<CompiledRole> {
    Arc::new(CompiledRole { matcher: Matcher::compile(&role.permissions), role })
}
