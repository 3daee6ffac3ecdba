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
    let mut versions = Vec::new();
    let mut any = false;
    for member in visit.request.values("if-match").flat_map(members) {
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
pub(super) fn id_at<T: FromStr + ToString>(visit: &Visit<'_>, segment: usize) -> Result<T, Refusal> {
    let written = visit.below.split('/').nth(segment).ok_or(Refusal::NotFound)?;
    let id: T = written.parse().map_err(|_| Refusal::NotFound)?;
    if id.to_string() == written { Ok(id) } else { Err(Refusal::NotFound) }
}

/// A query parameter that may be given once.
pub(super) fn sole(visit: &Visit<'_>, name: &'static str) -> Result<Option<String>, Refusal> {
    let mut values = visit.request.query_values(name);
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => String::from_utf8(value)
            .map(Some)
            .map_err(|_| Refusal::BadRequest("a query parameter is not UTF-8")),
        (Some(_), Some(_)) => Err(Refusal::BadRequest("a query parameter is given twice")),
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
        Some(id) => Some(id.parse().map_err(|_| Refusal::BadRequest("after is no id"))?),
    };
    let limit = match sole(visit, "limit")? {
        None => PAGE,
        Some(text) => match text.parse() {
            Ok(limit) if (1..=MAX_PAGE).contains(&limit) => limit,
            _ => return Err(Refusal::BadRequest("limit is a number from 1 to 1000")),
        },
    };
    Ok(Page { after, limit })
}

/// Adds the way to the next page, where there is one (RFC 8288). An API key of the query does not come back in it.
pub(super) fn paged(answer: Answer, visit: &Visit<'_>, last: Option<&str>, limit: usize) -> Answer {
    let Some(last) = last else { return answer };
    let path = visit.request.path();
    let others: String = visit
        .request
        .query()
        .unwrap_or_default()
        .split(|&b| b == b'&')
        .filter(|piece| !piece.is_empty() && !piece.starts_with(b"after=") && !piece.starts_with(b"limit="))
        .filter(|piece| !is_api_key(piece))
        .filter_map(|piece| std::str::from_utf8(piece).ok())
        .map(|piece| format!("{piece}&"))
        .collect();
    answer.field("Link", format!("<{path}?{others}limit={limit}&after={last}>; rel=\"next\""))
}

/// Whether this piece of a query carries an API key, however its name is written.
fn is_api_key(piece: &[u8]) -> bool {
    let name = piece.split(|&b| b == b'=').next().unwrap_or_default();
    auth::path::decode(name) == API_KEY_PARAMETER.as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn asvs_16_an_api_key_of_the_query_is_known_in_every_spelling() {
        for piece in ["apiKey=x", "apiKey", "%61piKe%79=x", "apiKey==="] {
            assert!(is_api_key(piece.as_bytes()), "{piece}");
        }
        for piece in ["apikey=x", "x=apiKey", "apiKey+=x", ""] {
            assert!(!is_api_key(piece.as_bytes()), "{piece}");
        }
    }
}
