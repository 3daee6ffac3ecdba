//! One state of the directory. A request reads one snapshot from its first question to its last, so it never sees half
//! a change.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::permission::{Explanation, Matcher, Matrix, Method, Permission};
use crate::store::DirectoryImage;
use crate::words::ids::UserId;
use crate::words::names::{RealmName, RoleName};
use crate::words::records::{Initialised, Role, User};

/// Users are kept in this many pieces, so that changing one of 100,000 copies one piece, not all.
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

/// What the settings say of a realm.
#[derive(Clone, Debug)]
pub struct RealmState {
    /// Its type's word.
    pub kind: &'static str,
    /// A realm that is not enabled lets nobody in, from the next request on.
    pub enabled: bool,
    /// The roles that every user of the realm inherits.
    pub roles: Vec<RoleName>,
}

/// One state of the directory.
#[derive(Clone)]
pub struct Snapshot {
    users: Vec<Arc<HashMap<UserId, Arc<Account>>>>,
    roles: Arc<HashMap<RoleName, Arc<CompiledRole>>>,
    realms: Arc<HashMap<RealmName, RealmState>>,
    /// Set once the installation was set up.
    pub initialised: Option<Initialised>,
}

impl Snapshot {
    /// The state that a store loaded, with the roles that come with the gateway and the realms of the settings.
    #[must_use]
    pub fn new(image: DirectoryImage, built_in: Vec<Role>, realms: HashMap<RealmName, RealmState>) -> Self {
        let mut pieces: Vec<HashMap<UserId, Arc<Account>>> = vec![HashMap::new(); PIECES];
        for user in image.users {
            pieces[piece(&user.id)].insert(user.id, Account::new(user));
        }
        let mut roles = HashMap::new();
        // A stored role of a built-in's name is that role as somebody changed it.
        for role in built_in.into_iter().chain(image.roles) {
            roles.insert(role.name.clone(), compile(role));
        }
        Self {
            users: pieces.into_iter().map(Arc::new).collect(),
            roles: Arc::new(roles),
            realms: Arc::new(realms),
            initialised: image.initialised,
        }
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
        self.realms.get(name)
    }

    /// All realms, in no order.
    pub fn realms(&self) -> impl Iterator<Item = (&RealmName, &RealmState)> {
        self.realms.iter()
    }

    /// The roles that count for this user: given directly, then inherited from the realm, each once. Names without a
    /// role behind them give nothing.
    pub fn roles_of<'a>(&'a self, account: &'a Account) -> impl Iterator<Item = &'a Arc<CompiledRole>> {
        let direct = &account.user.roles;
        let inherited = self.realms.get(&account.user.realm).map_or(&[][..], |realm| &realm.roles);
        direct
            .iter()
            .chain(inherited.iter().filter(move |name| !direct.contains(name)))
            .filter_map(|name| self.roles.get(name))
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

    pub(super) fn put_user(&mut self, user: User) {
        let piece = &mut self.users[piece(&user.id)];
        Arc::make_mut(piece).insert(user.id, Account::new(user));
    }

    pub(super) fn delete_user(&mut self, id: &UserId) {
        Arc::make_mut(&mut self.users[piece(id)]).remove(id);
    }

    pub(super) fn put_role(&mut self, role: Role) {
        Arc::make_mut(&mut self.roles).insert(role.name.clone(), compile(role));
    }

    pub(super) fn delete_role(&mut self, name: &RoleName) {
        Arc::make_mut(&mut self.roles).remove(name);
    }

    pub(super) fn replace_realms(&mut self, realms: HashMap<RealmName, RealmState>) {
        self.realms = Arc::new(realms);
    }
}

fn piece(id: &UserId) -> usize {
    usize::from(id.as_bytes()[15])
}

fn compile(role: Role) -> Arc<CompiledRole> {
    Arc::new(CompiledRole { matcher: Matcher::compile(&role.permissions), role })
}
