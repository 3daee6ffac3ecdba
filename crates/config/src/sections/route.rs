//! `[[mount.route]]`: exceptions below a mount. `mount.rs` reads them; the gateway tries them in order, the first match wins.
//! It must never judge a request.

use auth::permission::{Method, MethodSet, Pattern};

use super::identity_token::{self, RouteIdentity, Written};
use super::own::first_duplicate;
use super::path::parse_route_path;
use super::upstream::{self, Upstream};
use crate::document::reader::{Reader, Taken, closest};
use crate::document::tree::Section;
use crate::mistake::Report;
use crate::value::Fault;

pub(crate) const KEYS: &[&str] = &["path", "methods", "public", "upstream", "identity_token"];

/// One exception below a mount.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Route {
    /// Its full name in mistakes, such as `mount[0].route[0]`.
    pub key: String,
    /// The pattern below the mount; the caller's id is not in it.
    pub path: Pattern,
    /// The methods it is about, all of them by default. As in permissions, GET includes HEAD.
    pub methods: MethodSet,
    /// Whether it needs no login.
    pub public: bool,
    /// Where it goes; `None` = where the mount goes. Never an empty list.
    pub upstream: Option<Vec<Upstream>>,
    /// What its backends are told of who asks, in a signed token; by default what the mount says.
    pub identity_token: RouteIdentity,
}

/// Reads a route; `None` where it has no path, which is reported then.
pub(crate) fn read(section: &Section, report: &mut Report) -> Option<Route> {
    let mut reader = section.read(KEYS, report);
    let path = reader.take_parsed("path", parse_route_path);
    if path.is_absent() {
        reader.mistake("path", "is missing: a path below the mount, such as \"/status/**\"");
    }
    let (methods, public) = (methods(&mut reader), reader.take_boolean("public").or(false));
    let upstream = upstream::read(&mut reader).given();
    let identity = identity_token::take(&mut reader);
    if public && matches!(identity, Written::Table(_)) {
        reader
            .mistake("identity_token", "has no effect: the route is public, and nobody looks who asks there");
    }
    reader.finish();
    let identity_token = match identity {
        Written::Nothing => RouteIdentity::AsMount,
        Written::Off => RouteIdentity::Off,
        Written::Table(table) => {
            identity_token::read(&table, report).map_or(RouteIdentity::Off, RouteIdentity::Token)
        }
    };
    Some(Route { key: section.key.clone(), path: path.given()?, methods, public, upstream, identity_token })
}

fn methods(reader: &mut Reader<'_>) -> MethodSet {
    let Taken::Given(methods) = reader.take_list("methods", Method::ALL.len(), parse_method) else {
        return MethodSet::ALL;
    };
    if let Some(twice) = first_duplicate(&methods) {
        reader.mistake("methods", format!("\"{}\" stands in it twice", methods[twice]));
    } else if methods.is_empty() {
        reader.mistake("methods", "is an empty list, which nothing matches; leave it out for all methods");
    }
    methods.into_iter().collect()
}

/// Only methods that pass the gateway (ASVS 4.1.4: supported ones; CONNECT and TRACE never).
fn parse_method(text: &str) -> Result<Method, Fault> {
    if let Some(known) = Method::parse(text.as_bytes()) {
        return Ok(known);
    }
    if matches!(text, "CONNECT" | "TRACE") {
        return Err(Fault::new("never passes the gateway"));
    }
    let words = Method::ALL.map(Method::as_str);
    let better = closest(text, words.into_iter()).map(|better| format!("\"{better}\""));
    Err(Fault { better, ..Fault::new(format!("is not one of {}", words.join(", "))) })
}

impl Route {
    /// Whether every request that matches `later` matches this route first. Only told for patterns that are the same or
    /// where this one is `/**`: more would need the matcher.
    pub(crate) fn hides(&self, later: &Self) -> bool {
        let methods = later.methods.iter().all(|method| self.methods.grants(method));
        methods && (self.path == later.path || self.path.as_str() == "/**")
    }
}
