//! Templates: filters and names with places that a user's name goes into. Read once, with the settings.
//!
//! Called by `settings` (to read) and by the realm (to fill). Must never take a template in which a name could be anything but
//! a value: that is seen when it is read, by a name that nobody has.

use super::distinguished_name::{DistinguishedName, NameFault};
use super::escape::{filter_value, name_value};
use super::filter::{self, FilterFault};
use crate::limits::{MAX_DN_BYTES, MAX_FILTER_BYTES};

/// Stand for a name and for a DN where a template is tried. No attribute's name can hold them, no escape can, and nobody types
/// them: Unicode has no such characters. As long as `{}`, so that both are under the same limit.
const SAMPLE_NAME: &str = "\u{378}";
const SAMPLE_MEMBER: &str = "\u{379}";

/// Why a text is no template, in words for the person who wrote it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TemplateFault {
    #[error("{0}")]
    Filter(#[from] FilterFault),
    #[error("{0}")]
    Name(#[from] NameFault),
    #[error("has more than {0} bytes")]
    TooLong(usize),
    #[error("has no {0}")]
    NoPlace(&'static str),
    #[error("has more than one {{}}")]
    Places,
    #[error("has {0:?}, which stands for nothing here; a brace in a value is written \\7b or \\7d")]
    Brace(String),
    #[error("has {{}} where no value stands: a name goes behind an = only")]
    Place,
    #[error(
        "is neither a DN with {{}} in a value, nor a principal's name such as {{}}@example.com or EXAMPLE\\{{}}"
    )]
    Principal,
    #[error("has a character that cannot be there: {0:?}")]
    Character(char),
}

/// A piece of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// `{}`
    Braces,
    /// `{name}`
    Name,
}

/// Texts, each with the place behind it; what is behind the last place.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pieces {
    places: Vec<(Box<str>, Place)>,
    end: Box<str>,
}

impl Pieces {
    fn read(text: &str, most: usize, has_names: bool) -> Result<Self, TemplateFault> {
        if text.len() > most {
            return Err(TemplateFault::TooLong(most));
        }
        let is_odd =
            |c: &char| c.is_control() || SAMPLE_NAME.starts_with(*c) || SAMPLE_MEMBER.starts_with(*c);
        if let Some(odd) = text.chars().find(is_odd) {
            return Err(TemplateFault::Character(odd));
        }
        let mut places = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, braces) = rest.split_at(at);
            let (place, behind) = match (braces.strip_prefix("{}"), braces.strip_prefix("{name}")) {
                (Some(behind), _) => (Place::Braces, behind),
                (None, Some(behind)) if has_names => (Place::Name, behind),
                _ => {
                    let end = braces.find('}').map_or(1, |end| end + 1);
                    return Err(TemplateFault::Brace(braces[..end].chars().take(24).collect()));
                }
            };
            places.push((Box::from(before), place));
            rest = behind;
        }
        Ok(Self { places, end: Box::from(rest) })
    }

    fn fill(&self, value: impl Fn(Place) -> String) -> String {
        let mut filled = String::with_capacity(128);
        for (before, place) in &self.places {
            filled.push_str(before);
            filled.push_str(&value(*place));
        }
        filled.push_str(&self.end);
        filled
    }

    fn count(&self, wanted: Place) -> usize {
        self.places.iter().filter(|(_, place)| *place == wanted).count()
    }

    /// A template with one place, as what is before and what is behind it.
    fn around_only_place(self) -> Result<(Box<str>, Box<str>), TemplateFault> {
        let Self { mut places, end } = self;
        match (places.pop(), places.is_empty()) {
            (None, _) => Err(TemplateFault::NoPlace("{}")),
            (Some((before, _)), true) => Ok((before, end)),
            (Some(_), false) => Err(TemplateFault::Places),
        }
    }

    /// Reads the template as a filter, with a name that nobody has; refuses places that are not in values.
    fn check_filter(&self) -> Result<Vec<filter::Comparison>, TemplateFault> {
        let sample = self.fill(|place| match place {
            Place::Braces => SAMPLE_MEMBER.to_owned(),
            Place::Name => SAMPLE_NAME.to_owned(),
        });
        let comparisons = filter::comparisons(&filter::read(&sample)?);
        let values = || comparisons.iter().flat_map(|comparison| &comparison.values);
        let holds = |sample: &str| {
            values()
                .map(|value| value.windows(sample.len()).filter(|w| *w == sample.as_bytes()).count())
                .sum::<usize>()
        };
        if holds(SAMPLE_MEMBER) != self.count(Place::Braces) || holds(SAMPLE_NAME) != self.count(Place::Name)
        {
            return Err(TemplateFault::Place);
        }
        Ok(comparisons)
    }
}

/// A DN with a user's name in one of its values: `uid={},ou=people,dc=example,dc=org`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DnTemplate {
    before: Box<str>,
    behind: Box<str>,
    attribute: Box<str>,
    domain: Option<Box<str>>,
}

impl DnTemplate {
    /// Reads a template with exactly one `{}`.
    ///
    /// # Errors
    /// [`TemplateFault`] says what is wrong with it.
    pub(crate) fn read(text: &str) -> Result<Self, TemplateFault> {
        let (before, behind) = Pieces::read(text, MAX_DN_BYTES, false)?.around_only_place()?;
        let sample = DistinguishedName::parse(&format!("{before}{SAMPLE_NAME}{behind}"))?;
        let attribute = sample.values().find(|(_, value)| value.contains(SAMPLE_NAME)).map(|(kind, _)| kind);
        let attribute = Box::from(attribute.ok_or(TemplateFault::Place)?);
        let domain = sample.domain().filter(|domain| !domain.contains(SAMPLE_NAME)).map(Box::from);
        Ok(Self { before, behind, attribute, domain })
    }

    /// The DN of the user of this name, which goes in escaped (RFC 4514 section 2.4).
    pub(crate) fn fill(&self, name: &str) -> String {
        format!("{}{}{}", self.before, name_value(name), self.behind)
    }

    /// The attribute whose value the name is, in lower case.
    pub(crate) fn attribute(&self) -> &str {
        &self.attribute
    }

    /// The base of the domain that its DNs are in.
    pub(crate) fn domain(&self) -> Option<&str> {
        self.domain.as_deref()
    }
}

/// What Active Directory takes in place of a DN: `{}@corp.example.com` or `CORP\{}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PrincipalTemplate {
    before: Box<str>,
    behind: Box<str>,
}

impl PrincipalTemplate {
    /// Reads a template with exactly one `{}`, and `@` behind it or `\` before it.
    ///
    /// # Errors
    /// [`TemplateFault`] says what is wrong with it.
    pub(crate) fn read(text: &str) -> Result<Self, TemplateFault> {
        let (before, behind) = Pieces::read(text, MAX_DN_BYTES, false)?.around_only_place()?;
        let is_word = |word: &str| !word.is_empty() && word.chars().all(can_be_of_principal);
        let is_suffix = before.is_empty() && behind.strip_prefix('@').is_some_and(is_word);
        let is_prefix = behind.is_empty() && before.strip_suffix('\\').is_some_and(is_word);
        if is_suffix || is_prefix { Ok(Self { before, behind }) } else { Err(TemplateFault::Principal) }
    }

    /// What the user of this name binds as. `None`: nobody's name, as it has a sign that has a meaning here.
    pub(crate) fn fill(&self, name: &str) -> Option<String> {
        let is_name = !name.is_empty() && name.chars().all(can_be_of_principal);
        is_name.then(|| format!("{}{name}{}", self.before, self.behind))
    }
}

/// Whether a principal's name, or a domain's, can hold it: not what separates them, nor quotes nor control characters, nor a
/// `=`, which would make a DN of it.
fn can_be_of_principal(c: char) -> bool {
    !c.is_control() && !matches!(c, '@' | '\\' | '/' | '"' | '\'' | '=')
}

/// A filter with a user's name in it: `(&(objectClass=person)(uid={}))`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FilterTemplate {
    pieces: Pieces,
    equal: Vec<Box<str>>,
}

impl FilterTemplate {
    /// Reads a filter with one or more `{}`.
    ///
    /// # Errors
    /// [`TemplateFault`] says what is wrong with it.
    pub(crate) fn read(text: &str) -> Result<Self, TemplateFault> {
        let pieces = Pieces::read(text, MAX_FILTER_BYTES, false)?;
        if pieces.places.is_empty() {
            return Err(TemplateFault::NoPlace("{}"));
        }
        let is_named = |comparison: &&filter::Comparison| {
            comparison.is_equality
                && !comparison.is_negated
                && comparison.values.iter().any(|value| value == SAMPLE_MEMBER.as_bytes())
        };
        let comparisons = pieces.check_filter()?;
        let equal = comparisons.iter().filter(is_named);
        let equal = equal.filter_map(|one| std::str::from_utf8(&one.attribute).ok().map(Box::from)).collect();
        Ok(Self { pieces, equal })
    }

    /// The filter for the user of this name, which goes in escaped (RFC 4515 section 3).
    pub(crate) fn fill(&self, name: &str) -> String {
        let name = filter_value(name);
        self.pieces.fill(|_| name.clone())
    }

    /// The attributes that the filter compares with the name and nothing else: `uid` of `(uid={})`.
    pub(crate) fn equal_attributes(&self) -> &[Box<str>] {
        &self.equal
    }
}

/// A filter for the groups of a user: `{}` is his DN, `{name}` his name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GroupTemplate(Pieces);

impl GroupTemplate {
    /// Reads a filter with one or more of `{}` and `{name}`.
    ///
    /// # Errors
    /// [`TemplateFault`] says what is wrong with it.
    pub(crate) fn read(text: &str) -> Result<Self, TemplateFault> {
        let pieces = Pieces::read(text, MAX_FILTER_BYTES, true)?;
        if pieces.places.is_empty() {
            return Err(TemplateFault::NoPlace("{} or {name}"));
        }
        pieces.check_filter()?;
        Ok(Self(pieces))
    }

    /// The filter for the groups of the user of this DN and this name, which go in escaped (RFC 4515 section 3).
    pub(crate) fn fill(&self, member: &str, name: &str) -> String {
        self.0.fill(|place| match place {
            Place::Braces => filter_value(member),
            Place::Name => filter_value(name),
        })
    }

    /// Whether it asks for a DN: only then groups can be found that a group is in.
    pub(crate) fn has_member(&self) -> bool {
        self.0.count(Place::Braces) > 0
    }

    /// Whether it asks for a user's name, which a group has not: walking up from a group, such a filter would mix them up.
    pub(crate) fn has_name(&self) -> bool {
        self.0.count(Place::Name) > 0
    }
}

#[cfg(test)]
mod tests;
