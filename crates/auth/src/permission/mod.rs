//! Permissions: which methods on which paths below the mount somebody may use.
//!
//! Called by the directory (reads and stores entries), by the kernel's authorize step ([`Matcher::find`], every request), by
//! the administration API and the command line (texts, [`Matcher::explain`]). Must never allow what no entry covers, do IO,
//! or look at a path that is not in the normal form of `crate::path`.
//!
//! Contract: `fusion.md`, "Users, realms, roles", row Permission. An entry is a set of methods, a path pattern, the values
//! its placeholders may have, and (ours) paths it does not cover:
//!
//! | part | text | JSON |
//! |---|---|---|
//! | methods | `GET,POST` or `*` | `"methods":["GET","POST"]` or `["*"]` |
//! | pattern | `/collections/{id}/**` | `"path":"/collections/{id}/**"` |
//! | values | `id=demo,test` | `"params":{"id":["demo","test"]}` |
//! | exceptions | `!/users/**` | `"except":["/users/**"]` |
//!
//! `GET,POST:/collections/{id}/**:id=demo,test;!/collections/*/admin/**` is all of it as one text. `GET` grants `HEAD` too.
//! Grants are matched strictly (a trailing `/`, another case, another escape is another path), exceptions loosely: whatever
//! some backend could take for an excepted path is excepted.

pub mod builtin;
mod error;
mod explain;
mod json;
mod matcher;
mod method;
mod pattern;
mod reading;
#[cfg(test)]
mod tests;
mod text;

use std::collections::BTreeMap;

pub use error::{PatternFault, PermissionError};
pub use explain::{Explanation, Miss, NearMiss};
pub use matcher::Matcher;
pub use method::{Method, MethodSet};
pub use pattern::Pattern;
pub use reading::Matrix;

use error::quote;
use pattern::Segment;
use reading::Reading;

/// Longest entry in its text form, in bytes.
pub const MAX_PERMISSION_TEXT: usize = 64 * 1024;

/// Most values that the placeholders of one entry list together.
pub const MAX_PARAM_VALUES: usize = 1_000;

/// Most exceptions of one entry. Each is tried on every request that the entry would cover.
pub const MAX_EXCEPTIONS: usize = 64;

/// One entry of a role or of a user: what it allows. See the table at the top of this module.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Permission {
    methods: MethodSet,
    pattern: Pattern,
    params: BTreeMap<Box<str>, Vec<Value>>,
    except: Vec<Pattern>,
}

/// One of the values that a placeholder may have.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Value {
    /// A segment in normal form.
    Literal(Box<str>),
    /// `#ID`: the caller's own user id.
    CallerId,
}

impl Value {
    fn parse(text: &str) -> Result<Value, PatternFault> {
        if text == pattern::CALLER_ID {
            return Ok(Value::CallerId);
        }
        if text.len() > pattern::MAX_PATTERN {
            return Err(PatternFault::TooLong);
        }
        if text.is_empty() || text.contains('/') {
            return Err(PatternFault::NotOneSegment);
        }
        if text.contains('*') {
            return Err(PatternFault::StarInside(quote(text)));
        }
        pattern::normalise_literal(text).map(Value::Literal)
    }

    fn as_str(&self) -> &str {
        match self {
            Value::Literal(text) => text,
            Value::CallerId => pattern::CALLER_ID,
        }
    }

    fn admits(&self, segment: &str, caller_id: &str) -> bool {
        match self {
            Value::Literal(text) => **text == *segment,
            Value::CallerId => is_caller(segment, caller_id),
        }
    }
}

/// Nobody's id is empty: an anonymous caller owns nothing.
fn is_caller(segment: &str, caller_id: &str) -> bool {
    !caller_id.is_empty() && segment == caller_id
}

impl Permission {
    /// An entry from its parts, each as an administrator wrote it.
    ///
    /// # Errors
    /// A [`PermissionError`] saying what is wrong and where, for the person who wrote it.
    pub fn new<Params, Except>(
        methods: MethodSet,
        path: &str,
        params: Params,
        except: Except,
    ) -> Result<Permission, PermissionError>
    where
        Params: IntoIterator<Item = (String, Vec<String>)>,
        Except: IntoIterator<Item = String>,
    {
        if methods.is_empty() {
            return Err(PermissionError::NoMethods);
        }
        let pattern =
            Pattern::parse(path).map_err(|fault| PermissionError::Pattern { pattern: quote(path), fault })?;
        let params = read_params(&pattern, params)?;
        let except = read_exceptions(except)?;
        Ok(Permission { methods, pattern, params, except })
    }

    /// The methods as they were written; [`MethodSet::grants`] says what they allow.
    #[must_use]
    pub fn methods(&self) -> MethodSet {
        self.methods
    }

    /// The path pattern.
    #[must_use]
    pub fn pattern(&self) -> &Pattern {
        &self.pattern
    }

    /// The placeholders that are bound to values, by name, each with its values in normal form (`#ID` is the caller's id).
    pub fn params(&self) -> impl Iterator<Item = (&str, impl Iterator<Item = &str>)> {
        self.params.iter().map(|(name, values)| (&**name, values.iter().map(Value::as_str)))
    }

    /// The paths that this entry does not cover.
    #[must_use]
    pub fn except(&self) -> &[Pattern] {
        &self.except
    }

    /// Whether both are for the same path pattern, whatever their methods, values and exceptions. The names of placeholders
    /// do not count, and `{name}` is `*`: as patterns they mean the same.
    #[must_use]
    pub fn same_pattern(&self, other: &Permission) -> bool {
        self.pattern_key() == other.pattern_key()
    }

    /// Equal exactly for entries of the [same pattern](Permission::same_pattern); made once, to be kept in a `HashSet`.
    #[must_use]
    pub fn pattern_key(&self) -> &str {
        self.pattern.key()
    }

    /// The values that a placeholder may have; `None` if it may have any.
    fn values_of(&self, placeholder: &str) -> Option<&[Value]> {
        self.params.get(placeholder).map(Vec::as_slice)
    }

    /// Whether the methods and the exceptions of this entry let the request through; the pattern is judged elsewhere.
    fn lets_through(&self, method: Method, path: &str, caller_id: &str) -> bool {
        self.methods.grants(method) && self.exception_for(path, caller_id).is_none()
    }

    fn exception_for(&self, path: &str, caller_id: &str) -> Option<&Pattern> {
        self.except.iter().find(|except| except.covers_loosely(path, caller_id))
    }
}

fn read_params<Params>(
    pattern: &Pattern,
    params: Params,
) -> Result<BTreeMap<Box<str>, Vec<Value>>, PermissionError>
where
    Params: IntoIterator<Item = (String, Vec<String>)>,
{
    let mut read = BTreeMap::new();
    let mut count = 0;
    for (name, texts) in params {
        if !pattern.segments().iter().any(|segment| segment.is_placeholder(&name)) {
            return Err(PermissionError::UnknownParam {
                name: quote(&name),
                pattern: quote(pattern.as_str()),
            });
        }
        if texts.is_empty() {
            return Err(PermissionError::NoValues { name: quote(&name) });
        }
        count += texts.len();
        if count > MAX_PARAM_VALUES {
            return Err(PermissionError::TooManyValues);
        }
        let mut values = Vec::with_capacity(texts.len());
        for text in &texts {
            let value = Value::parse(text).map_err(|fault| PermissionError::Value {
                name: quote(&name),
                value: quote(text),
                fault,
            })?;
            if !values.contains(&value) {
                values.push(value);
            }
        }
        if read.contains_key(name.as_str()) {
            return Err(PermissionError::RepeatedParam { name: quote(&name) });
        }
        read.insert(name.into_boxed_str(), values);
    }
    Ok(read)
}

fn read_exceptions(except: impl IntoIterator<Item = String>) -> Result<Vec<Pattern>, PermissionError> {
    let mut read = Vec::new();
    for text in except {
        let wrong = |fault| PermissionError::Exception { pattern: quote(&text), fault };
        if read.len() >= MAX_EXCEPTIONS {
            return Err(PermissionError::TooManyExceptions);
        }
        let pattern = Pattern::parse(&text).map_err(wrong)?;
        if pattern.segments().iter().any(|segment| matches!(segment, Segment::Placeholder(_))) {
            return Err(wrong(PatternFault::PlaceholderInException));
        }
        read.push(pattern);
    }
    Ok(read)
}
