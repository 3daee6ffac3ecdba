//! What a proxy states of the request that it holds and asks about ("forward auth"): its method and its target. Read by the
//! clean step, of trusted proxies only; from there on the question walks as the request itself would.
//!
//! Must never choose between two statements: proxies pass on what their clients sent, and one of the two could be a client's
//! (security.md row 5).

use auth::path::normalise;
use auth::permission::Method;

use crate::h1::{self, Absolute, HeadFault, RequestHead};
use crate::refusal::Refusal;

/// How a proxy asks.
pub(crate) enum Asked<'p> {
    /// It states the request in fields.
    InFields,
    /// It asks with the request's own method, at the request's path below ours.
    InPath(&'p str),
}

/// A request that somebody else holds.
#[derive(Debug)]
pub(crate) struct Stated {
    pub(crate) method: Method,
    /// Path and query, as the proxy got them.
    pub(crate) target: Box<[u8]>,
    /// The path in its one form.
    pub(crate) path: Box<str>,
    /// Whether the client's side is TLS, where the statement says so.
    pub(crate) secure: Option<bool>,
    /// The host that the client asked for, where the statement says so.
    pub(crate) host: Option<Box<str>>,
}

const FORWARDED_METHOD: &str = "X-Forwarded-Method";
const FORWARDED_URI: &str = "X-Forwarded-Uri";
const ORIGINAL_METHOD: &str = "X-Original-Method";
const ORIGINAL_URI: &str = "X-Original-URI";
const ORIGINAL_URL: &str = "X-Original-URL";

/// A field that states a target, the one that states the method beside it, and the one that must not be there.
pub(super) const STATEMENTS: [(&str, &str, &str); 3] = [
    (FORWARDED_URI, FORWARDED_METHOD, ORIGINAL_METHOD),
    (ORIGINAL_URI, ORIGINAL_METHOD, FORWARDED_METHOD),
    (ORIGINAL_URL, ORIGINAL_METHOD, FORWARDED_METHOD),
];

/// Reads what the question with this head and this method is about.
///
/// # Errors
/// [`Refusal::BadRequest`] where nothing is stated, or more than one request; else as for a request of the stated kind.
pub(crate) fn read(head: &RequestHead, own: Method, asked: Asked<'_>) -> Result<Stated, Refusal> {
    match asked {
        Asked::InFields => in_fields(head, own),
        Asked::InPath(path) => in_path(head, own, path),
    }
}

fn in_path(head: &RequestHead, method: Method, path: &str) -> Result<Stated, Refusal> {
    let names = STATEMENTS.iter().flat_map(|(target, method, _)| [target, method]);
    if names.into_iter().any(|name| values(head, name).next().is_some()) {
        return Err(Refusal::BadRequest("the question states a request in its path and in its fields"));
    }
    let query = h1::query_of(head.path_and_query());
    let target = [path.as_bytes(), query].concat().into_boxed_slice();
    Ok(Stated { method, target, path: Box::from(path), secure: None, host: None })
}

fn in_fields(head: &RequestHead, own: Method) -> Result<Stated, Refusal> {
    let mut there = STATEMENTS.iter().filter(|(target, ..)| values(head, target).next().is_some());
    let (Some((target_field, method_field, other)), None) = (there.next(), there.next()) else {
        return Err(Refusal::BadRequest("the question states no target, or several"));
    };
    if values(head, other).next().is_some() {
        return Err(Refusal::BadRequest("the question states two methods"));
    }
    let method = crate::way::clean::method(sole(head, method_field)?)?;
    // Proxies ask with GET, some with HEAD, and some can be told to ask with the request's own method.
    if ![Method::Get, Method::Head, method].contains(&own) {
        return Err(Refusal::BadRequest("the question is asked with another method than it states"));
    }
    let target = sole(head, target_field)?;
    // Caddy leaves the request's query on the question. Another one could be meant to say something to us.
    let (own_query, query) = (h1::query_of(head.path_and_query()), h1::query_of(target));
    if !own_query.is_empty() && own_query != query {
        return Err(Refusal::BadRequest("the question has a query that is not the stated one"));
    }
    if *target_field != ORIGINAL_URL {
        return stated(method, target);
    }
    let absolute = Absolute::split(target).ok_or(Refusal::BadRequest("the stated URL is not absolute"))?;
    let host = std::str::from_utf8(absolute.authority).ok().map(Box::from);
    Ok(Stated { secure: Some(absolute.is_https), host, ..stated(method, absolute.rest)? })
}

fn stated(method: Method, target: &[u8]) -> Result<Stated, Refusal> {
    if target.len() > h1::MAX_TARGET {
        return Err(HeadFault::TargetTooLong.into());
    }
    if !target.starts_with(b"/") || !h1::is_target(target) {
        return Err(Refusal::BadRequest("the stated target is not a path with or without a query"));
    }
    let path = normalise(h1::path_of(target)).map_err(Refusal::Path)?;
    Ok(Stated { method, path: Box::from(&*path), target: Box::from(target), secure: None, host: None })
}

/// The value of a field that has to be there, once.
fn sole<'h>(head: &'h RequestHead, name: &'h str) -> Result<&'h [u8], Refusal> {
    let mut values = values(head, name);
    match (values.next(), values.next()) {
        (Some(value), None) => Ok(value),
        _ => Err(Refusal::BadRequest("the question lacks a field of its statement, or has it twice")),
    }
}

pub(super) fn values<'h>(head: &'h RequestHead, name: &'h str) -> impl Iterator<Item = &'h [u8]> {
    head.fields().filter(|field| field.name.eq_ignore_ascii_case(name.as_bytes())).map(|field| field.value)
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use proptest::prelude::*;

    use super::*;

    fn head(lines: &str) -> RequestHead {
        let text = format!("{lines}Host: gateway\r\n\r\n");
        h1::take_request(&mut BytesMut::from(text.as_bytes())).unwrap().unwrap()
    }

    /// What is read of a `GET /.doorward/auth` with these fields.
    fn asked(fields: &[(&str, &str)]) -> Result<Stated, Refusal> {
        let lines: String = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        read(&head(&format!("GET /.doorward/auth HTTP/1.1\r\n{lines}")), Method::Get, Asked::InFields)
    }

    fn told(stated: Result<Stated, Refusal>) -> Result<(Method, String, String), &'static str> {
        let stated = stated.map_err(|refusal| refusal.reason_id())?;
        Ok((stated.method, stated.path.into_string(), String::from_utf8(stated.target.into_vec()).unwrap()))
    }

    fn is(method: Method, path: &str, target: &str) -> Result<(Method, String, String), &'static str> {
        Ok((method, path.to_owned(), target.to_owned()))
    }

    #[test]
    fn t11_each_proxys_statement_is_read() {
        let uri = "/a/%7eb?x=%7e";
        for (method, target) in [(FORWARDED_METHOD, FORWARDED_URI), (ORIGINAL_METHOD, ORIGINAL_URI)] {
            let stated = asked(&[(method, "POST"), (target, uri)]);
            assert_eq!(told(stated), is(Method::Post, "/a/~b", uri));
        }
        let stated = asked(&[("x-original-method", "PUT"), ("x-original-url", "https://h.test:8443/a?b")]);
        let stated = stated.unwrap();
        assert_eq!((stated.secure, stated.host.as_deref()), (Some(true), Some("h.test:8443")));
        assert_eq!(told(Ok(stated)), is(Method::Put, "/a", "/a?b"));
        let path = read(
            &head("DELETE /.doorward/auth/a/%7eb?x=1 HTTP/1.1\r\n"),
            Method::Delete,
            Asked::InPath("/a/~b"),
        );
        assert_eq!(told(path), is(Method::Delete, "/a/~b", "/a/~b?x=1"));
    }

    #[test]
    fn case_5_whoever_adds_a_statement_is_refused() {
        let all = [FORWARDED_METHOD, FORWARDED_URI, ORIGINAL_METHOD, ORIGINAL_URI, ORIGINAL_URL];
        let value = |name: &str| match name {
            ORIGINAL_URL => "http://h/a",
            FORWARDED_URI | ORIGINAL_URI => "/a",
            _ => "GET",
        };
        for (target, method, _) in STATEMENTS {
            let own = [(method, value(method)), (target, value(target))];
            assert!(asked(&own).is_ok());
            for more in all {
                let added = [own[0], own[1], (more, value(more))];
                assert_eq!(asked(&added).unwrap_err().reason_id(), "bad_request", "{target} and {more}");
            }
            for only in own {
                assert_eq!(asked(&[only]).unwrap_err().reason_id(), "bad_request", "{}", only.0);
            }
        }
        for name in all {
            let lines = format!("GET /.doorward/auth/a HTTP/1.1\r\n{name}: {}\r\n", value(name));
            let both = read(&head(&lines), Method::Get, Asked::InPath("/a"));
            assert_eq!(both.unwrap_err().reason_id(), "bad_request", "{name}");
        }
        assert_eq!(asked(&[]).unwrap_err().reason_id(), "bad_request");
    }

    #[test]
    fn a_question_is_asked_with_get_head_or_the_method_it_states() {
        for (own, stated, is_answered) in [
            ("GET", "POST", true),
            ("HEAD", "POST", true),
            ("POST", "POST", true),
            ("POST", "GET", false),
            ("DELETE", "POST", false),
        ] {
            let lines = format!(
                "{own} /.doorward/auth HTTP/1.1\r\nX-Forwarded-Method: {stated}\r\nX-Forwarded-Uri: /\r\n"
            );
            let own = Method::parse(own.as_bytes()).unwrap();
            assert_eq!(read(&head(&lines), own, Asked::InFields).is_ok(), is_answered, "{own} {stated}");
        }
    }

    #[test]
    fn what_is_no_target_is_refused() {
        let ask = |target: &str| asked(&[(FORWARDED_METHOD, "GET"), (FORWARDED_URI, target)]);
        for (target, reason) in [
            ("", "bad_request"),
            ("*", "bad_request"),
            ("a", "bad_request"),
            ("http://h/a", "bad_request"),
            ("/a b", "bad_request"),
            ("/a#b", "bad_request"),
            ("/\u{e4}", "bad_request"),
            ("/a/../b", "path_ambiguous"),
            ("/a//b", "path_ambiguous"),
            ("/a%2fb", "path_ambiguous"),
        ] {
            assert_eq!(ask(target).unwrap_err().reason_id(), reason, "{target}");
        }
        for url in ["/a", "http://h", "http://h?a", "ftp://h/a", "https://u@h/a", "https:///a", "http:/a"] {
            let stated = asked(&[(ORIGINAL_METHOD, "GET"), (ORIGINAL_URL, url)]);
            assert_eq!(stated.unwrap_err().reason_id(), "bad_request", "{url}");
        }
        for (method, reason) in [("CONNECT", "method_not_allowed"), ("get", "method_unknown")] {
            let stated = asked(&[(FORWARDED_METHOD, method), (FORWARDED_URI, "/")]);
            assert_eq!(stated.unwrap_err().reason_id(), reason, "{method}");
        }
    }

    #[test]
    fn the_query_of_a_question_is_the_stated_one_or_none() {
        for (own, stated, is_answered) in [
            ("", "?a=1", true),
            ("?a=1", "?a=1", true),
            ("?a=1", "", false),
            ("?a=1", "?a=2", false),
            ("?", "", false),
            ("?", "?", true),
        ] {
            let lines = format!(
                "GET /.doorward/auth{own} HTTP/1.1\r\nX-Original-Method: GET\r\nX-Original-URL: http://h/x{stated}\r\n"
            );
            let read = read(&head(&lines), Method::Get, Asked::InFields);
            assert_eq!(read.is_ok(), is_answered, "{own} {stated}");
        }
    }

    #[test]
    fn a_stated_target_is_as_long_as_one_may_be() {
        let ask = |length: usize| {
            let target = format!("/?{}", "x".repeat(length - 2));
            asked(&[(FORWARDED_METHOD, "GET"), (FORWARDED_URI, &target)])
        };
        assert!(ask(h1::MAX_TARGET).is_ok());
        let refusal = ask(h1::MAX_TARGET + 1).unwrap_err();
        assert!(matches!(refusal, Refusal::Head { status: 414, .. }), "{refusal:?}");
    }

    proptest! {
        /// A question about a request is read as the request is: the same path, the same query, or refused where it is.
        #[test]
        fn what_is_stated_is_read_as_if_it_came(target in "/[ -~]{0,40}|/[a-c/.%27eEfF;?#]{0,24}") {
            let lines = format!("GET {target} HTTP/1.1\r\nHost: gateway\r\n\r\n");
            let came = h1::take_request(&mut BytesMut::from(lines.as_bytes()));
            let direct = came.ok().flatten().and_then(|came| {
                let path = normalise(h1::path_of(came.path_and_query())).ok()?.into_owned();
                Some((path, String::from_utf8(came.path_and_query().to_vec()).unwrap()))
            });
            let by_fields = |fields: &[(&str, &str)]| {
                told(asked(fields)).ok().map(|(_, path, target)| (path, target))
            };
            let trimmed = target.trim_end().len() == target.len();
            prop_assume!(trimmed);
            let forwarded = by_fields(&[(FORWARDED_METHOD, "GET"), (FORWARDED_URI, &target)]);
            prop_assert_eq!(&forwarded, &direct);
            let url = format!("http://h{target}");
            let original = by_fields(&[(ORIGINAL_METHOD, "GET"), (ORIGINAL_URL, &url)]);
            prop_assert_eq!(&original, &direct);
        }
    }
}
