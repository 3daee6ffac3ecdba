//! `identity_token` of a mount or a route: that its backends get a signed token of who asks, for whom, and in which field; and the
//! settings at the top that are about all such tokens. `mount.rs`, `route.rs` and `settings.rs` read them; `checks.rs` has both held against each other. It must never name a
//! field by which HTTP itself, or the gateway, says something else.

use auth::limits::{MAX_IDENTITY_LIFETIME, MIN_IDENTITY_LIFETIME};
use auth::{Audience, SigningAlgorithm};

use super::attribute_headers::{is_field_name, is_taken};
use super::mount::Mount;
use crate::document::reader::Reader;
use crate::document::tree::{Section, Value};
use crate::limits::{MAX_HEADER_NAME_BYTES, MAX_ISSUER_BYTES};
use crate::mistake::Report;
use crate::value::Fault;

pub(crate) const KEYS: &[&str] = &["header", "audience", "lifetime", "forward_auth"];

/// The field that tokens stand in where nothing else is said.
const USUAL_HEADER: &str = "Authorization";
/// The issuer where nothing else is said.
const USUAL_ISSUER: &str = "doorward";

/// A signed token of who asks, for backends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IdentityToken {
    /// The header field; `Authorization` by default, which then says `Bearer` before the token.
    pub header: String,
    /// For whom it is signed, and how long it lives: 10 s to 5 min, which is the default.
    pub audience: Audience,
    /// Whether proxies get it, too, that ask for a backend of their own.
    pub forward_auth: bool,
}

/// What a route says of it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum RouteIdentity {
    /// Nothing: as the mount has it.
    #[default]
    AsMount,
    /// Its backends get none.
    Off,
    /// Its backends get this one.
    Token(IdentityToken),
}

/// What is written at the key, to be read once the rest of the section is.
pub(crate) enum Written {
    Nothing,
    Off,
    Table(Section),
}

/// Takes what is written. `false` is the word for none.
pub(crate) fn take(reader: &mut Reader<'_>) -> Written {
    match reader.peek("identity_token") {
        None => Written::Nothing,
        Some(Value::Boolean(_)) => {
            if reader.take_boolean("identity_token").or(false) {
                let message = "true says too little: write { audience = \"https://backend.example.com\" }";
                reader.mistake("identity_token", message);
            }
            Written::Off
        }
        Some(_) => Written::Table(reader.take_section("identity_token")),
    }
}

/// Reads a table of it; `None` where there is a mistake, which is reported then.
pub(crate) fn read(section: &Section, report: &mut Report) -> Option<IdentityToken> {
    let mut reader = section.read(KEYS, report);
    let header = reader.take_parsed("header", |text| parse_header(text).map(str::to_owned));
    let audience = reader.take_parsed("audience", parse_audience);
    if audience.is_absent() && !reader.report().speaks_of(&section.key) {
        let message =
            "is missing: the name by which the backend knows itself, such as \"https://search.internal\"";
        reader.mistake("audience", message);
    }
    let limits = (MIN_IDENTITY_LIFETIME, MAX_IDENTITY_LIFETIME);
    let lifetime = reader.take_duration("lifetime", limits, "a token outlives what its user may by so long");
    let forward_auth = reader.take_boolean("forward_auth").or(false);
    reader.finish();
    if header.is_wrong() || lifetime.is_wrong() {
        return None;
    }
    let audience = Audience::new(&audience.given()?, lifetime.or(MAX_IDENTITY_LIFETIME)).ok()?;
    Some(IdentityToken { header: header.or(USUAL_HEADER.to_owned()), audience, forward_auth })
}

fn parse_header(text: &str) -> Result<&str, Fault> {
    if !is_field_name(text) {
        return Err(Fault::new(format!(
            "is no name for it: letters, digits and -, at most {MAX_HEADER_NAME_BYTES}, such as \"X-Identity-Token\""
        )));
    }
    if is_taken(text) && !text.eq_ignore_ascii_case(USUAL_HEADER) {
        return Err(Fault::new("says something else already"));
    }
    Ok(text)
}

fn parse_audience(text: &str) -> Result<String, Fault> {
    // Only the name is judged here; any life in range will do.
    match Audience::new(text, MAX_IDENTITY_LIFETIME) {
        Ok(_) if !text.chars().any(char::is_control) => Ok(text.to_owned()),
        Ok(_) => Err(Fault::new("has a control character in it")),
        Err(fault) => Err(Fault::new(fault.to_string())),
    }
}

/// `issuer`: what a token's `iss` says.
pub(crate) fn read_issuer(top: &mut Reader<'_>) -> String {
    let taken = top.take_parsed("issuer", |text| {
        // RFC 7519 section 2: with a colon in it, it must be a URI. Visible ASCII is all that any verifier compares alike.
        if text.is_empty() || text.len() > MAX_ISSUER_BYTES || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Fault::new(format!(
                "is no name for it: visible ASCII characters, at most {MAX_ISSUER_BYTES}, such as \"https://gateway.example.com\""
            )));
        }
        Ok(text.to_owned())
    });
    taken.or(USUAL_ISSUER.to_owned())
}

/// A bearer token's audience is the issuer: a backend of that name could not tell what its gateway says of somebody from a token that
/// somebody shows it himself.
pub(crate) fn check_audiences(mount: &Mount, issuer: &str, report: &mut Report) {
    for (key, token) in mount.identity_tokens().filter(|(_, token)| token.audience.name() == issuer) {
        let name = token.audience.name();
        let message = format!(
            "{name:?} is the `issuer`, for whom clients' bearer tokens are signed: a backend needs a name of its own, or they \
             pass there as what the gateway says; write another `audience` here, or another `issuer` at the top"
        );
        report.add(&format!("{key}.identity_token.audience"), message);
    }
}

/// `signing_algorithm`: how tokens are signed with keys that are made from now on.
pub(crate) fn read_algorithm(top: &mut Reader<'_>) -> SigningAlgorithm {
    let words = SigningAlgorithm::ALL.map(|algorithm| (algorithm.as_str(), algorithm));
    top.take_choice("signing_algorithm", &words).or(SigningAlgorithm::default())
}
