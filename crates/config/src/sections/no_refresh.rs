//! `no_refresh` and `no_refresh_query`: which requests do not count as activity, so that polling keeps no session alive.
//! `mount.rs` reads them; the wiring tells the idle clock. It must never judge a request, or take one that is meant to count
//! for one that does not: what cannot be read is refused.

use auth::permission::Permission;

use super::own::first_duplicate;
use crate::document::reader::{Reader, Taken};
use crate::limits::{MAX_NO_REFRESH, MAX_QUERY_NAME_BYTES};
use crate::value::Fault;

/// Reads `no_refresh`: requests in the text form of permissions.
pub(crate) fn read(reader: &mut Reader<'_>) -> Vec<Permission> {
    let Taken::Given(list) = reader.take_list("no_refresh", MAX_NO_REFRESH, parse_requests) else {
        return Vec::new();
    };
    if let Some(twice) = first_duplicate(&list) {
        let key = reader.full_key("no_refresh");
        let first = list.iter().position(|entry| *entry == list[twice]).unwrap_or(twice);
        reader.report().add(&format!("{key}[{twice}]"), format!("says the same as {key}[{first}]"));
    }
    list
}

/// Reads `no_refresh_query`: the name of a query flag; empty = none, and absent = `standard`.
pub(crate) fn read_query(reader: &mut Reader<'_>, standard: Option<&str>) -> Option<String> {
    reader.take_parsed("no_refresh_query", parse_query_name).or(standard.map(str::to_owned))
}

fn parse_requests(text: &str) -> Result<Permission, Fault> {
    text.parse().map_err(|error| {
        let unquoting =
            Some("is no permission: methods and a path, such as \"GET:/jobs/*/status\"".to_owned());
        Fault { better: meant(text), unquoting, ..Fault::new(format!("is no permission: {error}")) }
    })
}

/// The permission that was probably meant, where the methods are missing, in lower case or without their colon, or the path is
/// without its slash. A path alone becomes GET: the narrower guess lets fewer requests go uncounted.
fn meant(text: &str) -> Option<String> {
    let guess = match (text.find('/'), text.split_once(':')) {
        (Some(begin), _) => {
            let (methods, path) = text.split_at(begin);
            let methods = methods.trim_matches([':', ' ']).to_ascii_uppercase();
            format!("{}:{path}", if methods.is_empty() { "GET" } else { &methods })
        }
        (None, Some((methods, path))) => format!("{}:/{}", methods.to_ascii_uppercase(), path.trim()),
        (None, None) => return None,
    };
    guess.parse::<Permission>().is_ok().then(|| format!("{guess:?}"))
}

fn parse_query_name(text: &str) -> Result<Option<String>, Fault> {
    if text.is_empty() {
        return Ok(None);
    }
    if text.len() > MAX_QUERY_NAME_BYTES {
        return Err(Fault::new(format!("is longer than {MAX_QUERY_NAME_BYTES} bytes")));
    }
    if is_query_name(text) {
        return Ok(Some(text.to_owned()));
    }
    let bare = text.trim_matches(['?', '&', ' ']).split('=').next().filter(|bare| is_query_name(bare));
    let message = "is not the name of a query parameter: letters, digits, _, . and -";
    Err(Fault { better: bare.map(|bare| format!("\"{bare}\"")), ..Fault::new(message) })
}

/// What every client writes without escapes, so that the name has one spelling.
fn is_query_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn requests() {
        for text in [
            "GET:/jobs/*/status",
            "HEAD:/**",
            "*:/ping",
            "GET,POST:/jobs/{id}/**:id=a,b;!/jobs/*/log",
            "GET:/users/#ID",
            "{\"methods\":[\"GET\"],\"path\":\"/a:b\"}",
        ] {
            assert_eq!(parse_requests(text).map(|read| read.to_string()).as_deref(), Ok(text));
        }
        for (text, better) in [
            ("/jobs/**", Some("\"GET:/jobs/**\"")),
            ("GET /jobs/**", Some("\"GET:/jobs/**\"")),
            ("get:/jobs/**", Some("\"GET:/jobs/**\"")),
            ("GET: /jobs", Some("\"GET:/jobs\"")),
            ("head:ping", Some("\"HEAD:/ping\"")),
            ("GET:ping", Some("\"GET:/ping\"")),
            ("GTE:/ping", None),
            ("GET:/a*b", None),
            ("GET:/a:b", None),
            ("GET:/{id}:name=a", None),
            (":/ping", Some("\"GET:/ping\"")),
            ("{\"path\":\"/a\"}", None),
            ("ping", None),
            ("", None),
        ] {
            let fault = parse_requests(text).unwrap_err();
            assert_eq!(fault.better.as_deref(), better, "{text}: {}", fault.message);
        }
    }

    #[test]
    fn query_names() {
        assert_eq!(parse_query_name(""), Ok(None));
        for name in ["_noSessionRefresh", "a", "a.b-c_1", &"x".repeat(MAX_QUERY_NAME_BYTES)] {
            assert_eq!(parse_query_name(name), Ok(Some(name.to_owned())));
        }
        for (text, better) in [
            ("_noSessionRefresh=true", Some("\"_noSessionRefresh\"")),
            ("?poll", Some("\"poll\"")),
            ("a b", None),
            ("a%20b", None),
            ("ä", None),
            ("=", None),
            (" ", None),
            (&"x".repeat(MAX_QUERY_NAME_BYTES + 1), None),
        ] {
            assert_eq!(parse_query_name(text).unwrap_err().better.as_deref(), better, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_guess_is_a_permission(text in "[GETget,* :/a{}!;=#-]{0,16}|\\PC{0,24}") {
            if let Err(Fault { better: Some(better), .. }) = parse_requests(&text) {
                let bare = better.strip_prefix('"').and_then(|bare| bare.strip_suffix('"')).unwrap();
                prop_assert!(bare.contains('\\') || parse_requests(bare).is_ok(), "{}", better);
            }
            let _ = parse_query_name(&text);
        }
    }
}
