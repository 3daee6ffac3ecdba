//! Who is in a filled store: the same as `bench/fill/src/shape.rs` wrote, as the names and ids that requests carry.
//!
//! Called by `administer`. Must never name somebody twice whose sessions one request ends: the second would find nothing.

use std::ops::Range;

use auth::{RealmName, UserId, Username};

use crate::Outcome;

/// Sessions of a user who has many.
pub(crate) const MANY: usize = 1_000;
/// Sessions of an ordinary user.
pub(crate) const TEN: usize = 10;
/// Sessions of an app.
pub(crate) const SESSIONS_PER_APP: usize = 10_000;
/// Sessions of the realm `few`.
pub(crate) const FEW: usize = 5;

/// The numbers of those on whom the operations work.
#[derive(Clone, Debug)]
pub(crate) struct Population {
    /// Sessions whose tokens proxied requests carry: nobody ends these.
    pub(crate) lasting: usize,
    /// Users with ten sessions each, to be looked at.
    pub(crate) seen: Range<usize>,
    /// Users with ten sessions each, to be thrown out.
    pub(crate) ten: Range<usize>,
    /// Users with a thousand sessions each; the first is looked at.
    pub(crate) many: Range<usize>,
    /// How many apps have sessions.
    pub(crate) apps: usize,
}

impl Population {
    /// Of a store that `fill` made with so many users, and with so many tokens in its file.
    pub(crate) fn of(users: usize, tokens: usize) -> Outcome<Self> {
        let sessions = tokens.saturating_sub(FEW);
        let with_many = (sessions / TEN / MANY).min(users / 10);
        let ordinary = sessions - with_many * MANY;
        let app_sessions = ordinary - ordinary / 9 * 7;
        let with_app = ordinary / 9 * 7 / TEN;
        // Of those without an app, the last seventh is thrown out.
        let ten = with_app / 7 * 6..with_app;
        let apps = app_sessions / SESSIONS_PER_APP;
        if with_many < 4 || apps < 2 || ordinary / TEN > users - with_many || ten.len() < 100 {
            return Err("too small a store: fill it with --sessions 1000000 --users 100000".into());
        }
        let many = users - with_many..users;
        Ok(Self { lasting: ten.start * TEN, seen: with_app / 7..ten.start, ten, many, apps })
    }
}

/// The id of a filled user.
pub(crate) fn id_of(number: usize) -> Outcome<String> {
    let username = Username::presented(&format!("user{number}"))?;
    Ok(UserId::of(&RealmName::native(), &username).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_sessions_have_the_shape_that_fill_gave_them() {
        let population = Population::of(100_000, 1_000_005).unwrap();
        assert_eq!(population.lasting, 600_000);
        assert_eq!((population.seen, population.ten), (10_000..60_000, 60_000..70_000));
        assert_eq!((population.many, population.apps), (99_900..100_000, 20));
        assert!(Population::of(100, 1_005).is_err());
    }
}
