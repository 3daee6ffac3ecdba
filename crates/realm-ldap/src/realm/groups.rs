//! The groups of a user, and the groups that those are in.
//!
//! Called by `login.rs`, `look.rs` and `rehearsal.rs`. Must never leave a group out silently: too many, or one that cannot be
//! asked for, is [`Untold`]; and never go round in circles.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use auth::{Pending, Unavailability};

use super::Core;
use super::reader::{Read, Reader, excess, no_base, of_nobody, scope, unavailable};
use super::together::together;
use crate::limits::{MAX_GROUP_LEVELS, MAX_GROUPS};
use crate::net::{Entry, Search, Untold};
use crate::settings::{GroupSearch, GroupSource};
use crate::words::mapping::Group;

/// What a search for groups is called in the log.
const WHAT: &str = "the search for groups";
/// Matches every entry.
const ANYTHING: &str = "(objectClass=*)";
/// Searches for the groups above different groups that are under way at a time, for one user.
const AT_A_TIME: usize = 16;
/// Groups whose parents one search asks for.
const BATCH: usize = 32;

/// The groups right above a group, for as long as several users are looked at: most have the same groups.
#[derive(Debug, Default)]
pub(super) struct Parents(Mutex<HashMap<Box<str>, Vec<Group>>>);

impl Core {
    /// All groups of the user of this entry.
    ///
    /// # Errors
    /// [`Unavailability`]: nobody can tell all of them.
    pub(super) async fn groups_of(
        &self,
        reader: Reader<'_>,
        entry: &Entry,
        name: &str,
    ) -> Result<Vec<Group>, Unavailability> {
        Ok(self.groups_among(reader, entry, name, None).await?)
    }

    /// All groups of the user of this entry, who is one of several. With `parents`, what is found of the groups' groups is kept
    /// there.
    ///
    /// # Errors
    /// [`Untold`]: nobody can tell all of them, and whether that is about him.
    pub(super) async fn groups_among(
        &self,
        reader: Reader<'_>,
        entry: &Entry,
        name: &str,
        parents: Option<&Parents>,
    ) -> Result<Vec<Group>, Untold> {
        let direct = match &self.settings().groups.source {
            GroupSource::Nowhere => return Ok(Vec::new()),
            GroupSource::MemberOf { attribute } => self.member_of(reader, entry, attribute).await?,
            GroupSource::Search(search) => {
                self.search_groups(reader, search, &search.filter.fill(&entry.name, name)).await?
            }
        };
        if direct.len() > MAX_GROUPS {
            return Err(too_many());
        }
        if self.settings().groups.is_walked_up {
            self.walk_up(reader, direct, parents).await
        } else {
            Ok(direct)
        }
    }

    /// The groups that an entry's own attribute names.
    async fn member_of(
        &self,
        reader: Reader<'_>,
        entry: &Entry,
        attribute: &str,
    ) -> Result<Vec<Group>, Untold> {
        let name_attribute = &self.settings().groups.name_attribute;
        let group = |dn: &str| Group::of_dn(dn, name_attribute);
        let mut groups: Vec<_> = entry.values(attribute).map(group).collect();
        let mut part = entry.clone();
        let mut begins = 0;
        while let Some(range) = part.range(attribute) {
            let before = groups.len();
            groups.extend(range.values().map(group));
            let Some(next) = range.next else { break };
            if groups.len() > MAX_GROUPS {
                return Err(too_many());
            }
            // Else a server could go on like that for ever.
            if next <= begins || groups.len() == before {
                return Err(unavailable(format!("{WHAT}: the server repeats a part of {attribute}")).into());
            }
            begins = next;
            let wanted = format!("{attribute};range={next}-*");
            match reader.read_one(WHAT, &entry.name, ANYTHING, &[&wanted]).await? {
                Read::Entries(mut entries) if !entries.is_empty() => part = entries.swap_remove(0),
                _ => return Err(unavailable(format!("{WHAT}: {} vanished meanwhile", entry.name)).into()),
            }
        }
        Ok(groups)
    }

    async fn search_groups(
        &self,
        reader: Reader<'_>,
        search: &GroupSearch,
        filter: &str,
    ) -> Result<Vec<Group>, Untold> {
        let name_attribute = &*self.settings().groups.name_attribute;
        let asked = Search {
            base: &search.base,
            scope: scope(search.scope),
            filter,
            attributes: &[name_attribute],
            most: MAX_GROUPS,
        };
        match reader.read(WHAT, asked).await? {
            Read::Entries(entries) => Ok(entries
                .iter()
                .map(|entry| Group::found(&entry.name, entry.values(name_attribute).map(str::to_owned)))
                .collect()),
            Read::TooMany => Err(too_many()),
            Read::Hidden => Err(of_nobody(no_base(WHAT, &search.base))),
            Read::Forbidden(why) => Err(of_nobody(why)),
        }
    }

    /// These groups, and all that they are in, level by level.
    async fn walk_up(
        &self,
        reader: Reader<'_>,
        direct: Vec<Group>,
        parents: Option<&Parents>,
    ) -> Result<Vec<Group>, Untold> {
        let mut seen: HashSet<Box<str>> = HashSet::new();
        let mut all: Vec<Group> = Vec::new();
        let mut level: Vec<Group> =
            direct.into_iter().filter(|group| seen.insert(Box::from(group.key()))).collect();
        for _ in 0..MAX_GROUP_LEVELS {
            if level.is_empty() {
                return Ok(all);
            }
            let above = self.above(reader, &level, parents).await?;
            all.append(&mut level);
            level = above.into_iter().filter(|group| seen.insert(Box::from(group.key()))).collect();
            if all.len() + level.len() > MAX_GROUPS {
                return Err(too_many());
            }
        }
        if level.is_empty() {
            return Ok(all);
        }
        Err(excess(format!("groups are more than {MAX_GROUP_LEVELS} levels within each other")))
    }

    /// The groups right above these.
    async fn above(
        &self,
        reader: Reader<'_>,
        level: &[Group],
        parents: Option<&Parents>,
    ) -> Result<Vec<Group>, Untold> {
        let mut above = Vec::new();
        if let (GroupSource::Search(search), None) = (&self.settings().groups.source, parents) {
            if !search.filter.has_member() {
                return Ok(above);
            }
            for some in level.chunks(BATCH) {
                let filters: String = some.iter().map(|group| member_filter(search, group)).collect();
                above.extend(self.search_groups(reader, search, &format!("(|{filters})")).await?);
            }
            return Ok(above);
        }
        for some in level.chunks(AT_A_TIME) {
            let asked = some.iter().map(|group| -> Pending<'_, _> {
                Box::pin(async move {
                    match parents {
                        Some(parents) => parents.of(group, self.above_one(reader, group)).await,
                        None => self.above_one(reader, group).await,
                    }
                })
            });
            above.extend(together(asked.collect()).await?.into_iter().flatten());
        }
        Ok(above)
    }

    async fn above_one(&self, reader: Reader<'_>, group: &Group) -> Result<Vec<Group>, Untold> {
        match &self.settings().groups.source {
            GroupSource::Nowhere => Ok(Vec::new()),
            GroupSource::Search(search) if !search.filter.has_member() => Ok(Vec::new()),
            GroupSource::Search(search) => {
                self.search_groups(reader, search, &member_filter(search, group)).await
            }
            GroupSource::MemberOf { attribute } => {
                match reader.read_one(WHAT, group.dn(), ANYTHING, &[attribute]).await? {
                    Read::Entries(entries) => match entries.first() {
                        Some(entry) => self.member_of(reader, entry, attribute).await,
                        None => Ok(Vec::new()),
                    },
                    // A group that is gone, or that whoever reads must not know: it is one, and nobody can say more.
                    Read::Hidden => Ok(Vec::new()),
                    Read::Forbidden(_) if reader.is_himself() => Ok(Vec::new()),
                    Read::Forbidden(why) => Err(why.into()),
                    Read::TooMany => Err(too_many()),
                }
            }
        }
    }
}

impl Parents {
    /// The groups right above this one, asked for once.
    async fn of(
        &self,
        group: &Group,
        asked: impl Future<Output = Result<Vec<Group>, Untold>>,
    ) -> Result<Vec<Group>, Untold> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(group.key()).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let found = asked.await?;
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.insert(Box::from(group.key()), found.clone());
        Ok(found)
    }
}

/// The filter for the groups that a group is in. A group is nobody's name: where the filter asks for a user's name as well, the
/// group's DN stands there, which is no user's name.
fn member_filter(search: &GroupSearch, group: &Group) -> String {
    search.filter.fill(group.dn(), group.dn())
}

fn too_many() -> Untold {
    excess(format!("a user with more than {MAX_GROUPS} groups"))
}

#[cfg(test)]
mod tests;
