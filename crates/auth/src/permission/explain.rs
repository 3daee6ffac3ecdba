//! Why a request is or is not allowed, for people: which entry decides, and which nearly would.
//!
//! Called by `doorward explain` and by the administration API, never on the hot path. Must never decide: the deciding entry
//! is the one that [`Matcher::find`] gives.

use std::fmt;

use super::pattern::Segment;
use super::{Matcher, Matrix, Method, Pattern, Permission, Reading, error::quote, is_caller};
use crate::path;

/// What the entries say about one request.
#[derive(Debug)]
pub struct Explanation<'matcher> {
    /// The entry that allows it; `None`: not allowed.
    pub deciding: Option<&'matcher Permission>,
    /// The other entries that are for this path, or nearly, each with what keeps it from allowing the request. Entries that
    /// would allow it as well are not listed.
    pub near_misses: Vec<NearMiss<'matcher>>,
}

/// An entry that nearly allows a request.
#[derive(Debug)]
pub struct NearMiss<'matcher> {
    /// The entry.
    pub permission: &'matcher Permission,
    /// What keeps it from allowing the request; never empty.
    pub misses: Vec<Miss<'matcher>>,
}

/// What keeps an entry from allowing a request. `Display` completes the sentence "the entry …".
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Miss<'matcher> {
    /// It does not grant the method.
    Method(Method),
    /// A placeholder is bound to other values.
    Value {
        /// The placeholder.
        name: &'matcher str,
        /// What the path has there.
        found: String,
    },
    /// `#ID` is not the caller's user id.
    NotCaller,
    /// The path is among its exceptions.
    Excepted(&'matcher Pattern),
    /// The path has a trailing `/` and the pattern does not, or the other way round.
    TrailingSlash,
    /// Only the case of letters, escapes or blanks differ.
    Spelling,
    /// It covers some readings of a path with `;` but not all that are asked for.
    Parameters,
    /// It does not count for the caller: an entry of the user itself replaces it.
    Replaced,
}

impl fmt::Display for Miss<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Miss::Method(method) => write!(formatter, "does not grant {method}"),
            Miss::Value { name, found } => write!(formatter, "does not list `{found}` for {{{name}}}"),
            Miss::NotCaller => formatter.write_str("is for the caller's own user id only"),
            Miss::Excepted(pattern) => write!(formatter, "excepts {pattern}"),
            Miss::TrailingSlash => formatter.write_str("differs by the `/` at the end"),
            Miss::Spelling => {
                formatter.write_str("differs in the case of letters, or in blanks, dots or parameters")
            }
            Miss::Parameters => {
                formatter.write_str("covers the path with or without its `;` parameters, but not both")
            }
            Miss::Replaced => {
                formatter.write_str("is replaced by an entry of the user itself for the same path")
            }
        }
    }
}

impl fmt::Display for NearMiss<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ", self.permission)?;
        for (index, miss) in self.misses.iter().enumerate() {
            let and = if index > 0 { " and " } else { "" };
            write!(formatter, "{and}{miss}")?;
        }
        Ok(())
    }
}

impl Matcher {
    /// What [`Matcher::find`] answers to the same question, and what nearly was the answer. Looks at every entry.
    pub fn explain(
        &self,
        method: Method,
        path: &str,
        caller_id: &str,
        matrix: Matrix,
        counts: impl Fn(&Permission) -> bool,
    ) -> Explanation<'_> {
        let deciding = self.find(method, path, caller_id, matrix, &counts);
        let near_misses = self
            .permissions()
            .iter()
            .filter_map(|permission| {
                let mut misses = misses(permission, method, path, caller_id, matrix);
                if covers_shape(permission, path, matrix) && !counts(permission) {
                    misses.push(Miss::Replaced);
                }
                (!misses.is_empty()).then_some(NearMiss { permission, misses })
            })
            .collect();
        Explanation { deciding, near_misses }
    }
}

/// Whether the pattern covers some reading of the path, its bindings apart.
fn covers_shape(permission: &Permission, path: &str, matrix: Matrix) -> bool {
    matrix.readings(path).iter().any(|&reading| shape(&permission.pattern, path, reading))
}

/// What is wrong with this entry for this request; empty if nothing is, and also if it is about another path altogether.
fn misses<'matcher>(
    permission: &'matcher Permission,
    method: Method,
    path: &str,
    caller_id: &str,
    matrix: Matrix,
) -> Vec<Miss<'matcher>> {
    let mut misses = Vec::new();
    if !covers_shape(permission, path, matrix) {
        let toggled = path.strip_suffix('/').map_or_else(|| format!("{path}/"), str::to_owned);
        if covers_shape(permission, &toggled, matrix) {
            misses.push(Miss::TrailingSlash);
        } else if permission.pattern.covers_loosely(path, caller_id) {
            misses.push(Miss::Spelling);
        } else {
            return misses;
        }
    } else {
        let readings = matrix.readings(path);
        let bound: Vec<_> =
            readings.iter().map(|&reading| binding_misses(permission, path, caller_id, reading)).collect();
        let uncovered = readings.iter().any(|&reading| !shape(&permission.pattern, path, reading));
        if uncovered || (bound.iter().any(Vec::is_empty) && !bound.iter().all(Vec::is_empty)) {
            misses.push(Miss::Parameters);
        } else {
            misses.extend(bound.into_iter().next().unwrap_or_default());
        }
    }
    if !permission.methods.grants(method) {
        misses.push(Miss::Method(method));
    }
    misses.extend(permission.exception_for(path, caller_id).map(Miss::Excepted));
    misses
}

/// The segments that are bound to something else than the path has there.
fn binding_misses<'matcher>(
    permission: &'matcher Permission,
    path: &str,
    caller_id: &str,
    reading: Reading,
) -> Vec<Miss<'matcher>> {
    let mut misses = Vec::new();
    for (segment, found) in permission.pattern.segments().iter().zip(path::segments(path)) {
        let found = reading.view(found);
        match segment {
            Segment::CallerId if !is_caller(found, caller_id) => misses.push(Miss::NotCaller),
            Segment::Placeholder(name) => {
                let values = permission.values_of(name);
                if values.is_some_and(|values| !values.iter().any(|value| value.admits(found, caller_id))) {
                    misses.push(Miss::Value { name, found: quote(found) });
                }
            }
            _ => {}
        }
    }
    misses
}

/// Whether the literals and the length fit.
fn shape(pattern: &Pattern, path: &str, reading: Reading) -> bool {
    let mut found = path::segments(path);
    for segment in pattern.segments() {
        if *segment == Segment::Rest {
            return true;
        }
        let Some(part) = found.next().map(|part| reading.view(part)) else {
            return false;
        };
        let fits = match segment {
            Segment::Literal(literal) => *literal.text == *part,
            _ => !part.is_empty(),
        };
        if !fits {
            return false;
        }
    }
    found.next().is_none()
}
