//! Filters of the settings, read once to see that they are some: by the very parser of ldap3 that reads them again for every
//! search.
//!
//! Called by `template` and `settings`. Must never hand that parser a text that is deeper than it can stand: it recurses.

use ldap3::asn1::{OctetString, Sequence, Tag};

use crate::limits::{MAX_FILTER_BYTES, MAX_FILTER_DEPTH};

/// ldap3's numbers of the kinds of filters (RFC 4511 section 4.5.1).
const NOT: u64 = 2;
const EQUALITY: u64 = 3;
const EXTENSIBLE: u64 = 9;

/// Why a text is no filter, in words for the person who wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FilterFault {
    #[error("is empty")]
    Empty,
    #[error("has more than {MAX_FILTER_BYTES} bytes")]
    TooLong,
    #[error("has more than {MAX_FILTER_DEPTH} parentheses within each other")]
    TooDeep,
    #[error("begins with no ( or ends with no )")]
    Bare,
    #[error("is no filter as RFC 4515 writes it")]
    Unreadable,
}

/// One comparison within a filter.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Comparison {
    /// Whether it is `attribute=value`, with no `*`.
    pub(crate) is_equality: bool,
    /// Whether it stands below a `!`.
    pub(crate) is_negated: bool,
    /// What is compared, as written; of an extensible match, attribute and rule.
    pub(crate) attribute: Vec<u8>,
    /// With what; more than one of a match with `*`.
    pub(crate) values: Vec<Vec<u8>>,
}

/// Reads a filter that must be whole: in parentheses, and nothing beside them.
///
/// # Errors
/// [`FilterFault`] says what is wrong with it.
pub(crate) fn read(text: &str) -> Result<Tag, FilterFault> {
    if text.is_empty() {
        return Err(FilterFault::Empty);
    }
    if text.len() > MAX_FILTER_BYTES {
        return Err(FilterFault::TooLong);
    }
    if depth(text) > MAX_FILTER_DEPTH {
        return Err(FilterFault::TooDeep);
    }
    if !text.starts_with('(') || !text.ends_with(')') {
        return Err(FilterFault::Bare);
    }
    ldap3::parse_filter(text).map_err(|()| FilterFault::Unreadable)
}

/// How deep parentheses are within each other at the most. In a filter they stand for nothing else.
fn depth(text: &str) -> usize {
    let (mut now, mut most) = (0usize, 0);
    for byte in text.bytes() {
        match byte {
            b'(' => now += 1,
            b')' => now = now.saturating_sub(1),
            _ => {}
        }
        most = most.max(now);
    }
    most
}

/// Every comparison of a filter, in its order.
pub(crate) fn comparisons(filter: &Tag) -> Vec<Comparison> {
    let mut found = Vec::new();
    collect(filter, false, &mut found);
    found
}

fn collect(filter: &Tag, is_negated: bool, found: &mut Vec<Comparison>) {
    match filter {
        Tag::ExplicitTag(not) if not.id == NOT => collect(&not.inner, true, found),
        Tag::Sequence(Sequence { id, inner, .. }) if *id < NOT => {
            inner.iter().for_each(|member| collect(member, is_negated, found));
        }
        Tag::Sequence(Sequence { id, inner, .. }) => found.push(comparison(*id, inner, is_negated)),
        Tag::OctetString(OctetString { inner, .. }) => {
            found.push(Comparison {
                is_equality: false,
                is_negated,
                attribute: inner.clone(),
                values: Vec::new(),
            });
        }
        _ => {}
    }
}

fn comparison(id: u64, parts: &[Tag], is_negated: bool) -> Comparison {
    let mut texts = Vec::new();
    parts.iter().for_each(|part| collect_texts(part, &mut texts));
    // An extensible match has the rule and the attribute (each of them may be missing) in front of its value.
    let value_at = if id == EXTENSIBLE { texts.len().saturating_sub(1) } else { 1.min(texts.len()) };
    let values = texts.split_off(value_at);
    Comparison { is_equality: id == EQUALITY, is_negated, attribute: texts.join(&b':'), values }
}

fn collect_texts(part: &Tag, texts: &mut Vec<Vec<u8>>) {
    match part {
        Tag::OctetString(text) => texts.push(text.inner.clone()),
        Tag::Sequence(parts) => parts.inner.iter().for_each(|part| collect_texts(part, texts)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(depth: usize) -> String {
        format!("{}(a=b){}", "(!".repeat(depth - 1), ")".repeat(depth - 1))
    }

    #[test]
    fn filters_are_read_and_others_refused() {
        for good in [
            "(uid=a)",
            "(&(a=b)(|(c=*)(!(d>=5)))(e~=f)(g=h*i*j))",
            "(userAccountControl:1.2.840.113556.1.4.803:=2)",
            "(&)",
            "(cn=Ärzte)",
            "(cn=\\28\\29)",
        ] {
            assert!(read(good).is_ok(), "{good}");
        }
        for (bad, fault) in [
            ("", FilterFault::Empty),
            ("uid=a", FilterFault::Bare),
            (" (uid=a)", FilterFault::Bare),
            ("(uid=a) ", FilterFault::Bare),
            ("(uid=a)(uid=b)", FilterFault::Unreadable),
            ("(uid=a", FilterFault::Bare),
            ("((uid=a))", FilterFault::Unreadable),
            ("(uid)", FilterFault::Unreadable),
            ("(uid=\\zz)", FilterFault::Unreadable),
            ("(& (a=b))", FilterFault::Unreadable),
        ] {
            assert_eq!(read(bad).unwrap_err(), fault, "{bad}");
        }
    }

    #[test]
    fn the_limits_have_two_sides() {
        assert!(read(&nested(MAX_FILTER_DEPTH)).is_ok());
        assert_eq!(read(&nested(MAX_FILTER_DEPTH + 1)).unwrap_err(), FilterFault::TooDeep);
        let long = |bytes: usize| format!("(a={})", "x".repeat(bytes - 4));
        assert!(read(&long(MAX_FILTER_BYTES)).is_ok());
        assert_eq!(read(&long(MAX_FILTER_BYTES + 1)).unwrap_err(), FilterFault::TooLong);
    }

    #[test]
    fn comparisons_are_found_wherever_they_stand() {
        let filter = read("(&(a=b)(!(c=d*e))(f=*)(g:1.2:=h)(|(i>=j)(:dn:2.3:=k)))").unwrap();
        let found: Vec<_> = comparisons(&filter)
            .into_iter()
            .map(|c| {
                let values: Vec<_> =
                    c.values.iter().map(|value| String::from_utf8(value.clone()).unwrap()).collect();
                (c.is_equality, c.is_negated, String::from_utf8(c.attribute).unwrap(), values.join("*"))
            })
            .collect();
        let expected = [
            (true, false, "a", "b"),
            (false, true, "c", "d*e"),
            (false, false, "f", ""),
            (false, false, "1.2:g", "h"),
            (false, false, "i", "j"),
            (false, false, "2.3", "k"),
        ];
        assert_eq!(found, expected.map(|(e, n, a, v)| (e, n, a.to_owned(), v.to_owned())));
    }
}
