//! What the things of the directory have in common as resources: ids in paths, pages, versions (ETags).

use std::fmt::Display;
use std::str::FromStr;

use api::{Page, Precondition};
use auth::Moment;
use gateway::{Answer, Refusal, Visit};
use serde::Serialize;

use super::dialect::API_KEY_PARAMETER;
use super::json;

/// Entries of a page where the client asks for no other number.
pub(super) const PAGE: usize = 100;
/// Entries of a page at the most.
pub(super) const MAX_PAGE: usize = 1_000;
/// Bytes of a page after which it ends: the largest entry may stand beyond it.
const MAX_PAGE_BYTES: usize = 1024 * 1024;
/// Versions that an `If-Match` may name.
const MAX_VERSIONS: usize = 16;

/// An answer that shows a thing that was last changed at `updated`, with its version; 304 where the client has it already
/// (RFC 9110 section 13.1.2).
pub(super) fn shown(visit: &Visit<'_>, status: u16, body: &impl Serialize, updated: Moment) -> Answer {
    let tag = tag(updated);
    let known = |value: &[u8]| {
        value == b"*" || members(value).any(|member| without_weakness(member) == tag.as_bytes())
    };
    if status == 200 && visit.request.values("if-none-match").any(known) {
        return Answer::empty(304).field("ETag", tag);
    }
    json::answer(status, body).field("ETag", tag)
}

/// What the client asks to be true of the thing that it changes (`If-Match`, RFC 9110 section 13.1.1).
pub(super) fn precondition(visit: &Visit<'_>) -> Result<Precondition, Refusal> {
    asked_versions(visit.request.values("if-match"))
}

fn asked_versions<'v>(values: impl Iterator<Item = &'v [u8]>) -> Result<Precondition, Refusal> {
    let mut versions = Vec::new();
    let mut any = false;
    for member in values.flat_map(members) {
        any |= member == b"*";
        // A tag that is none of ours is the version of nothing; a weak one never matches here.
        versions.push(version(member).unwrap_or_default());
    }
    if versions.len() > MAX_VERSIONS {
        return Err(Refusal::BadRequest("If-Match names too many versions"));
    }
    if any || versions.is_empty() { Ok(Precondition::None) } else { Ok(Precondition::LastChanged(versions)) }
}

/// The version of a thing that was last changed then: no two changes of it happen in one millisecond.
fn tag(updated: Moment) -> String {
    format!("\"{:x}\"", updated.as_millis())
}

fn version(tag: &[u8]) -> Option<Moment> {
    let digits = std::str::from_utf8(tag.strip_prefix(b"\"")?.strip_suffix(b"\"")?).ok()?;
    let moment = Moment::from_millis(u64::from_str_radix(digits, 16).ok()?);
    // Another spelling of the number is another tag.
    (self::tag(moment).as_bytes() == tag).then_some(moment)
}

/// The members of a list of tags. Ours have no comma in them, and what others have does not matter.
fn members(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&b| b == b',').map(<[u8]>::trim_ascii).filter(|member| !member.is_empty())
}

fn without_weakness(tag: &[u8]) -> &[u8] {
    tag.strip_prefix(b"W/").unwrap_or(tag)
}

/// A field that a client may send back and not change.
pub(super) fn fixed(field: &'static str, sent: Option<&str>, present: &str) -> Result<(), Refusal> {
    match sent {
        Some(sent) if sent != present => Err(Refusal::invalid(field, "cannot be changed")),
        _ => Ok(()),
    }
}

/// The id in the path: its second segment below the mount. What is no id names nothing, and neither does another spelling
/// of one: permissions are judged on the path as it is written.
pub(super) fn id<T: FromStr + ToString>(visit: &Visit<'_>) -> Result<T, Refusal> {
    id_at(visit, 2)
}

/// As [`id`], where it is the segment of this number.
pub(crate) fn id_at<T: FromStr + ToString>(visit: &Visit<'_>, segment: usize) -> Result<T, Refusal> {
    let written = visit.below.split('/').nth(segment).ok_or(Refusal::NotFound)?;
    let id: T = written.parse().map_err(|_| Refusal::NotFound)?;
    if id.to_string() == written { Ok(id) } else { Err(Refusal::NotFound) }
}

/// A query parameter that may be given once.
pub(super) fn sole(visit: &Visit<'_>, name: &'static str) -> Result<Option<String>, Refusal> {
    let mut values = visit.request.query_values(name);
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => {
            String::from_utf8(value).map(Some).map_err(|_| Refusal::invalid(name, "is not UTF-8"))
        }
        (Some(_), Some(_)) => Err(Refusal::invalid(name, "is given twice")),
    }
}

/// A query parameter that may be given once and means something.
pub(super) fn parsed<T: FromStr<Err: Display>>(
    visit: &Visit<'_>,
    name: &'static str,
) -> Result<Option<T>, Refusal> {
    let parse = |text: String| text.parse().map_err(|fault: T::Err| Refusal::invalid(name, fault));
    sole(visit, name)?.map(parse).transpose()
}

/// The page that is asked for: after which id, and how many entries.
pub(super) fn page<T: FromStr>(visit: &Visit<'_>) -> Result<Page<T>, Refusal> {
    let after = match sole(visit, "after")? {
        None => None,
        Some(id) => Some(id.parse().map_err(|_| Refusal::invalid("after", "is no id"))?),
    };
    let limit = match sole(visit, "limit")? {
        None => PAGE,
        Some(text) => match text.parse() {
            Ok(limit) if (1..=MAX_PAGE).contains(&limit) => limit,
            _ => return Err(Refusal::invalid("limit", format!("is a number from 1 to {MAX_PAGE}"))),
        },
    };
    Ok(Page { after, limit })
}

/// A page of what was found, of `limit` entries at the most, each as it is `shown`; and, where there is more, the way to the
/// next page (RFC 8288), which begins after the `id` of the last one as a query writes it. An API key of the query does not
/// come back in it. A page ends early where its entries are so large that it has [`MAX_PAGE_BYTES`].
pub(super) fn listed<'a, T, S: Serialize>(
    visit: &Visit<'_>,
    limit: usize,
    (found, more): &'a (Vec<T>, bool),
    shown: impl FnMut(&'a T) -> S,
    id: impl FnOnce(&T) -> String,
) -> Answer {
    let (body, count) = page_body(found.iter().map(shown), MAX_PAGE_BYTES);
    let answer = json::written(200, body);
    let Some(last) = found[..count].last().filter(|_| *more || count < found.len()).map(id) else {
        return answer;
    };
    let path = visit.request.path();
    let mut query = visit.request.query_without(&["after", "limit", API_KEY_PARAMETER]);
    if !query.is_empty() {
        query.push('&');
    }
    answer.field("Link", format!("<{path}?{query}limit={limit}&after={last}>; rel=\"next\""))
}

/// A JSON array of entries, until it has `most` bytes; and how many there are in it, at least one where there is one.
fn page_body(entries: impl Iterator<Item = impl Serialize>, most: usize) -> (Vec<u8>, usize) {
    let (mut body, mut count) = (b"[".to_vec(), 0);
    for entry in entries {
        if count > 0 {
            body.push(b',');
        }
        // Writing to a Vec cannot fail, and what cannot be JSON is nothing of ours.
        let _ = serde_json::to_writer(&mut body, &entry);
        count += 1;
        if body.len() >= most {
            break;
        }
    }
    body.push(b']');
    (body, count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_ends_where_it_is_long_enough() {
        let entries = ["aaaa", "bbbb", "cccc"];
        let page = |most| page_body(entries.iter(), most);
        assert_eq!(page(100), (b"[\"aaaa\",\"bbbb\",\"cccc\"]".to_vec(), 3));
        assert_eq!(page(14), (b"[\"aaaa\",\"bbbb\"]".to_vec(), 2));
        assert_eq!(page(15), (b"[\"aaaa\",\"bbbb\",\"cccc\"]".to_vec(), 3));
        assert_eq!(page(1), (b"[\"aaaa\"]".to_vec(), 1), "one, however large");
        assert_eq!(page_body(std::iter::empty::<u8>(), 1), (b"[]".to_vec(), 0));
    }

    #[test]
    fn an_if_match_names_so_many_versions_and_no_more() {
        let asked = |value: &str| asked_versions(std::iter::once(value.as_bytes()));
        let tags = |count| vec!["\"1f\""; count].join(", ");
        let seen = |count| Precondition::LastChanged(vec![Moment::from_millis(0x1f); count]);
        assert_eq!(asked(&tags(MAX_VERSIONS)).unwrap(), seen(MAX_VERSIONS));
        assert!(matches!(asked(&tags(MAX_VERSIONS + 1)), Err(Refusal::BadRequest(_))));
        assert_eq!(asked("*").unwrap(), Precondition::None);
        assert_eq!(asked(" , ").unwrap(), Precondition::None);
        // Weak, or none of ours: the version of nothing.
        let none = Precondition::LastChanged(vec![Moment::default()]);
        assert_eq!((asked("W/\"1f\"").unwrap(), asked("\"x\"").unwrap()), (none.clone(), none));
    }

    #[test]
    fn a_version_has_one_tag() {
        let moment = Moment::from_millis(0x1_9a7c_0ffe);
        assert_eq!(tag(moment), "\"19a7c0ffe\"");
        assert_eq!(version(b"\"19a7c0ffe\""), Some(moment));
        for other in
            ["19a7c0ffe", "\"19A7C0FFE\"", "\"019a7c0ffe\"", "W/\"19a7c0ffe\"", "\"+1\"", "\"\"", "\"x\""]
        {
            assert_eq!(version(other.as_bytes()), None, "{other}");
        }
    }
}
