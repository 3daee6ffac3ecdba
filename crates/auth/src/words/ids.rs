//! Ids. A user's is computed, a session's is drawn.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use super::names::{RealmName, Username};

/// Namespace of user ids (UUIDv5). Changing it changes every user's id on every installation: never.
const USER_NAMESPACE: Uuid = Uuid::from_u128(0x6f2d_1f5e_93c4_4f0e_8b1a_d00d_aa4d_0001);

/// A text that is no id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is no id: 8-4-4-4-12 digits in lower case")]
pub struct IdFault;

/// Reads a UUID in its one spelling. Others (without hyphens, in upper case, as a URN) name the same thing to a parser
/// and another to a permission's path, so they are none here.
fn one_spelling(text: &str) -> Result<Uuid, IdFault> {
    let id = Uuid::try_parse(text).map_err(|_| IdFault)?;
    if id.to_string() == text { Ok(id) } else { Err(IdFault) }
}

/// What every id has: 16 bytes for stores, and one spelling for people and paths.
macro_rules! stored_and_written {
    ($id:ident) => {
        impl $id {
            /// The 16 bytes, for stores.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }

            /// From the 16 bytes a store kept.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }
        }

        impl fmt::Display for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $id {
            type Err = IdFault;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                one_spelling(text).map(Self)
            }
        }
    };
}

/// A user's id: UUIDv5 of realm and canonical user name, the same on every node (contract/fusion.md, "Users").
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct UserId(Uuid);

impl UserId {
    /// The id of `username` in `realm`. The realm's length is part of the name, so that no two pairs share an id.
    #[must_use]
    pub fn of(realm: &RealmName, username: &Username) -> Self {
        let realm = realm.as_str();
        let mut name = Vec::with_capacity(8 + realm.len() + username.canonical().len());
        name.extend_from_slice(&(realm.len() as u64).to_be_bytes());
        name.extend_from_slice(realm.as_bytes());
        name.extend_from_slice(username.canonical().as_bytes());
        Self(Uuid::new_v5(&USER_NAMESPACE, &name))
    }
}

stored_and_written!(UserId);

/// A session's public id: shown in lists and logs, good for ending the session, worthless for using it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SessionId(Uuid);

impl SessionId {
    /// From 16 random bytes of the system (a version 4 UUID).
    #[must_use]
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self(uuid::Builder::from_random_bytes(bytes).into_uuid())
    }
}

stored_and_written!(SessionId);

/// An API key's public id: shown in lists, good for taking the key back, worthless for using it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct KeyId(Uuid);

impl KeyId {
    /// From 16 random bytes of the system (a version 4 UUID).
    #[must_use]
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self(uuid::Builder::from_random_bytes(bytes).into_uuid())
    }
}

stored_and_written!(KeyId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_users_id_depends_on_realm_and_canonical_name_only() {
        let native = RealmName::parse("native").unwrap();
        let ldap = RealmName::parse("acmeLDAP").unwrap();
        let id = |realm: &RealmName, name: &str| UserId::of(realm, &Username::presented(name).unwrap());
        assert_eq!(id(&native, "admin").to_string(), id(&native, "Admin").to_string());
        assert_ne!(id(&native, "admin"), id(&ldap, "admin"));
        assert_eq!(id(&native, "admin"), id(&native, "admin").to_string().parse().unwrap());
    }

    #[test]
    fn case_1_an_id_has_one_spelling() {
        let id = "239ff134-7bc6-50e1-bc61-084cc57cabcf";
        assert!(id.parse::<UserId>().is_ok());
        let spellings = [
            id.replace('-', ""),
            id.to_uppercase(),
            format!("urn:uuid:{id}"),
            format!("{{{id}}}"),
            format!(" {id}"),
        ];
        for other in spellings {
            assert_eq!(other.parse::<UserId>(), Err(IdFault), "{other}");
            assert_eq!(other.parse::<SessionId>(), Err(IdFault), "{other}");
        }
    }

    #[test]
    fn asvs_58_realm_and_name_cannot_slide_into_each_other() {
        let id = |realm: &str, name: &str| {
            UserId::of(&RealmName::parse(realm).unwrap(), &Username::presented(name).unwrap())
        };
        assert_ne!(id("ab", "c"), id("a", "bc"));
    }
}
