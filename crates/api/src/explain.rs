//! `explain`: whether a user may ask for something, which entry decides it, and what would have to be granted.
//!
//! Called by the dialect's endpoint and by `doorward explain`. Must never decide on its own: it repeats what the way would do
//! and says why, and the deciding entry is the one that the matcher gives.

use std::fmt;
use std::sync::Arc;

use auth::directory::{Account, CompiledKey, Snapshot};
use auth::path::NormalPath;
use auth::permission::{Explanation, Matcher, Matrix, Method, MethodSet, Permission};
use auth::trust::Permit;
use auth::{KeyId, Moment, RealmName, Reason, RoleName, UserId, Username};

use crate::error::Error;
use crate::services::Services;

/// The operation's name.
pub const NAME: &str = "explain";

/// Who would ask, and for what.
#[derive(Clone, Debug, Default)]
pub struct Input {
    /// The user's id; his name and realm may stand for it, and so may his key.
    pub user: Option<UserId>,
    /// The user's name.
    pub username: Option<String>,
    /// The realm of that name.
    pub realm: String,
    /// The API key that he would show.
    pub key: Option<KeyId>,
    /// The method.
    pub method: String,
    /// The path below the mount, in whatever spelling a client would send it.
    pub path: String,
}

/// What is at a path below a mount, before anybody's permissions are looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Something that is open to everybody; the rule of the settings by which it is, where it is not our own endpoint.
    Public(Option<String>),
    /// An endpoint of ours for everybody who is known.
    Login,
    /// Something that takes a permission.
    Permission,
    /// An endpoint of ours that takes other methods; which.
    NotAllowed(&'static str),
    /// A path of ours where nothing is.
    Nothing,
    /// Another mount, longer than this one; its path.
    OtherMount(String),
}

/// The answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explained {
    /// Whether he may.
    pub allowed: bool,
    /// What decides that he may.
    pub decided_by: Option<Decision>,
    /// Why he may not, as a sentence without its full stop; `None` where he may.
    pub why: Option<String>,
    /// The entry that would have to be granted, where that is what is missing.
    pub grant: Option<String>,
    /// Whether it is the API key that lacks it, and not its user.
    pub lacks_in_key: bool,
    /// Entries that nearly allow it.
    pub near_misses: Vec<Nearly>,
}

/// Where it stands what somebody may. Its Display is the word for it in answers: `public`, `login`, `user`, `role NAME`,
/// `key NAME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// It is open to everybody.
    Public,
    /// It is for everybody who is known.
    Login,
    /// The user's own entries.
    User,
    /// A role of his.
    Role(RoleName),
    /// The API key of this name.
    Key(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Public => f.write_str("public"),
            Self::Login => f.write_str("login"),
            Self::User => f.write_str("user"),
            Self::Role(name) => write!(f, "role {name}"),
            Self::Key(name) => write!(f, "key {name}"),
        }
    }
}

/// What decides that somebody may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Where it stands.
    pub source: Source,
    /// The entry, where it is one.
    pub permission: Option<String>,
}

/// An entry that nearly allows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nearly {
    /// Where it stands.
    pub source: Source,
    /// The entry.
    pub permission: String,
    /// What keeps it from allowing the request; each completes the sentence "the entry …".
    pub why: Vec<String>,
}

/// Explains. `place` says what is at a method and a path in its normal form.
///
/// # Errors
/// [`Error::Invalid`], also where the path is one that the gateway refuses; [`Error::NotFound`] where there is no such user or
/// key.
pub fn run(
    services: &Services,
    permit: &Permit,
    input: &Input,
    matrix: Matrix,
    place: impl FnOnce(Method, &str) -> Place,
) -> Result<(Arc<Account>, Explained), Error> {
    permit.expect(NAME)?;
    let method = Method::parse(input.method.as_bytes())
        .ok_or_else(|| Error::invalid("method", "is no method of HTTP that is passed on"))?;
    let path = NormalPath::parse(input.path.as_bytes()).map_err(|fault| Error::invalid("path", fault))?;
    let snapshot = services.kernel.directory().held();
    let key = match &input.key {
        None => None,
        Some(id) => Some(snapshot.key_by_id(id).cloned().ok_or(Error::NotFound)?),
    };
    let account = account(&snapshot, input, key.as_deref())?;
    let place = place(method, path.as_str());
    let asked = Asked {
        snapshot: &snapshot,
        account: &account,
        key: key.as_deref(),
        method,
        path: path.as_str(),
        matrix,
    };
    let explained = asked.explain(place, services.kernel.clock().now());
    Ok((account, explained))
}

fn account(snapshot: &Snapshot, input: &Input, key: Option<&CompiledKey>) -> Result<Arc<Account>, Error> {
    let named = match (&input.user, &input.username) {
        (Some(_), Some(_)) => {
            return Err(Error::invalid("username", "goes with no userId: one of them says who"));
        }
        (Some(id), None) => Some(*id),
        (None, Some(name)) => {
            let realm = RealmName::parse(&input.realm).map_err(|fault| Error::invalid("realmName", fault))?;
            let name = Username::presented(name).map_err(|fault| Error::invalid("username", fault))?;
            Some(UserId::of(&realm, &name))
        }
        (None, None) => None,
    };
    let id = match (named, key) {
        (Some(id), Some(key)) if key.key.user != id => {
            return Err(Error::invalid("keyId", "is another user's"));
        }
        (Some(id), _) => id,
        (None, Some(key)) => key.key.user,
        (None, None) => {
            return Err(Error::invalid("userId", "is missing: say who by userId, username or keyId"));
        }
    };
    snapshot.account(&id).cloned().ok_or(Error::NotFound)
}

/// A question, with all that it takes to answer it.
pub struct Asked<'a> {
    /// The directory.
    pub snapshot: &'a Snapshot,
    /// Who would ask.
    pub account: &'a Account,
    /// The key that he would show.
    pub key: Option<&'a CompiledKey>,
    /// The method.
    pub method: Method,
    /// The path below the mount, in its normal form.
    pub path: &'a str,
    /// How the one who serves the path reads matrix parameters.
    pub matrix: Matrix,
}

impl Asked<'_> {
    /// What the way would say, in its order, and why.
    #[must_use]
    pub fn explain(&self, place: Place, now: Moment) -> Explained {
        match place {
            Place::OtherMount(path) => {
                return refused(format!(
                    "{path} is no part of this mount: what is there has rules of its own, which are not explained here"
                ));
            }
            Place::NotAllowed(methods) => {
                return refused(format!("this endpoint of the gateway takes {methods} only"));
            }
            Place::Public(rule) => return allowed(Source::Public, rule),
            Place::Login | Place::Permission | Place::Nothing => {}
        }
        if let Some(why) = self.not_in_force(now) {
            return refused(why);
        }
        match place {
            Place::Nothing => refused("the path is the gateway's own, and nothing is there".to_owned()),
            Place::Permission => self.by_permission(),
            _ => self.limited_by_key(allowed(Source::Login, None)),
        }
    }

    /// Why the credentials count for nothing, whatever is asked for.
    fn not_in_force(&self, now: Moment) -> Option<String> {
        let user = &self.account.user;
        match self.snapshot.in_force(self.account) {
            Ok(()) => {}
            Err(Reason::UnknownRealm) => return Some(format!("there is no realm {} any more", user.realm)),
            Err(Reason::RealmDisabled) => return Some(format!("the realm {} is off", user.realm)),
            Err(_) if user.enabled => return Some("his realm vouches for the user no more".to_owned()),
            Err(_) => return Some("the user is disabled".to_owned()),
        }
        let key = &self.key?.key;
        if key.expires.is_some_and(|expires| expires <= now) {
            return Some("the API key has expired".to_owned());
        }
        (key.created < user.created).then(|| "the API key was an earlier user's of the same name".to_owned())
    }

    fn by_permission(&self) -> Explained {
        let explained = self.snapshot.explain(self.account, self.method, self.path, self.matrix);
        let source = |role: Option<&RoleName>| role.map_or(Source::User, |role| Source::Role(role.clone()));
        let deciding = explained.iter().find_map(|(role, why)| Some((*role, why.deciding?)));
        if let Some((role, permission)) = deciding {
            return self.limited_by_key(allowed(source(role), Some(permission.to_string())));
        }
        let near_misses = explained.iter().flat_map(|(role, why)| nearly(source(*role), why));
        let near_misses = near_misses.collect();
        Explained { near_misses, grant: self.grant(), ..refused("no entry allows it".to_owned()) }
    }

    /// What is left of `allowed` where the key was made for less than its user may.
    fn limited_by_key(&self, allowed: Explained) -> Explained {
        let Some(key) = self.key else { return allowed };
        match key.explain(self.account, self.method, self.path, self.matrix) {
            Some(why) if why.deciding.is_none() => Explained {
                near_misses: nearly(Source::Key(key.key.name.clone()), &why),
                grant: self.grant(),
                lacks_in_key: true,
                ..refused("the user may, but the API key was made for less".to_owned())
            },
            _ => allowed,
        }
    }

    /// The narrowest entry that would allow the request: its very path, or, where a pattern cannot say that, with `*` for
    /// those segments.
    fn grant(&self) -> Option<String> {
        let odd = |segment: &str| segment.contains(['*', '{', '}', '#', ';']) || segment.contains("%3B");
        let loosened = self.path.split('/').map(|segment| if odd(segment) { "*" } else { segment });
        let loosened: Vec<_> = loosened.collect();
        [self.path.to_owned(), loosened.join("/")].into_iter().find_map(|path| {
            let methods = MethodSet::parse([self.method.as_str()]).ok()?;
            let entry = Permission::new(methods, &path, [], []).ok()?;
            let (matcher, id) = (Matcher::compile([&entry]), &self.account.id_text);
            matcher.find(self.method, self.path, id, self.matrix, |_| true).map(ToString::to_string)
        })
    }
}

fn allowed(source: Source, permission: Option<String>) -> Explained {
    let decided_by = Some(Decision { source, permission });
    Explained { allowed: true, decided_by, ..Explained::default() }
}

fn refused(why: String) -> Explained {
    Explained { why: Some(why), ..Explained::default() }
}

fn nearly(source: Source, why: &Explanation<'_>) -> Vec<Nearly> {
    let nearly = why.near_misses.iter().map(|miss| Nearly {
        source: source.clone(),
        permission: miss.permission.to_string(),
        why: miss.misses.iter().map(ToString::to_string).collect(),
    });
    nearly.collect()
}

#[cfg(test)]
mod tests;
