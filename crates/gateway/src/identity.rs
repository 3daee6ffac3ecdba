//! The headers that only the gateway may set, and the recognition of every spelling of them.
//!
//! Backends fold names: `acme_user_id` in CGI and WSGI, `X.Auth.User` in others. So a name is squeezed to its letters
//! and digits in lower case before it is compared (security.md case 6); what remains of a client's own copy is nothing.

use std::sync::Arc;

use auth::Kernel;

use crate::h1::Known;

/// Whether a trailer field of a name may pass.
pub(crate) type Trailers = Box<dyn Fn(&[u8]) -> bool + Send + Sync>;

/// Prefixes of squeezed names that nobody but the gateway sets.
const OWN_PREFIXES: [&str; 7] =
    ["xforwarded", "xoriginal", "xauthrequest", "xauthenticated", "xauthuser", "xremote", "xwebauth"];
/// Squeezed names by which a request could tell the backend another path, method or address than was judged
/// (security.md cases 5 and 7), or another length than it has (case 36: what is spelled as HTTP spells it was read already),
/// and the usual names for who it is.
const OWN_NAMES: [&str; 14] = [
    "transferencoding",
    "contentlength",
    "forwarded",
    "xrealip",
    "xclientip",
    "trueclientip",
    "xrewriteurl",
    "xhttpmethodoverride",
    "xhttpmethod",
    "xmethodoverride",
    "remoteuser",
    // What CGI programs take for their proxy setting ("httpoxy").
    "proxy",
    "cfconnectingip",
    "fastlyclientip",
];

/// How the names above are usually written: for proxies that are told what to take out, as they know no prefixes. Without those
/// that every proxy says itself (`X-Forwarded-For`, `-Proto`, `-Host`), and without those that frame.
const USUAL_SPELLINGS: [&str; 36] = [
    "Forwarded",
    "X-Forwarded-Method",
    "X-Forwarded-Uri",
    "X-Forwarded-Prefix",
    "X-Forwarded-Port",
    "X-Forwarded-Server",
    "X-Forwarded-Scheme",
    "X-Forwarded-Ssl",
    "X-Forwarded-User",
    "X-Forwarded-Email",
    "X-Forwarded-Groups",
    "X-Forwarded-Preferred-Username",
    "X-Forwarded-Access-Token",
    "X-Original-Method",
    "X-Original-URI",
    "X-Original-URL",
    "X-Original-Host",
    "X-Rewrite-URL",
    "X-HTTP-Method-Override",
    "X-HTTP-Method",
    "X-Method-Override",
    "X-Auth-Request-User",
    "X-Auth-Request-Email",
    "X-Auth-Request-Groups",
    "X-Auth-Request-Preferred-Username",
    "X-Authenticated-User",
    "X-Auth-User",
    "X-WebAuth-User",
    "X-Remote-User",
    "Remote-User",
    "X-Real-IP",
    "X-Client-IP",
    "True-Client-IP",
    "CF-Connecting-IP",
    "Fastly-Client-IP",
    "Proxy",
];

/// The fields that carry credentials on every mount.
const CREDENTIALS: [&str; 4] = ["Authorization", "X-Api-Key", "apikey", "Cookie"];

/// The usual spellings of every field that no backend has from a client, with those in which somebody is `told` who it is.
pub(crate) fn kept_back<'a>(told: impl IntoIterator<Item = &'a str>) -> Vec<Box<str>> {
    let mut names: Vec<Box<str>> =
        told.into_iter().chain(USUAL_SPELLINGS).chain(CREDENTIALS).map(Box::from).collect();
    names.sort_by_key(|name| name.to_ascii_lowercase());
    names.dedup_by(|one, other| one.eq_ignore_ascii_case(other));
    names
}

/// All names that only the gateway may set.
pub(crate) struct OwnNames {
    names: Vec<String>,
    /// Fields that are known by name and that somebody is told something in, one bit for each.
    known: u64,
}

impl OwnNames {
    /// These, beside those that are always ours.
    pub(crate) fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut all: Vec<String> = names.into_iter().map(squeeze).collect();
        let told = |name: &[u8]| all.iter().any(|own| letters(name).eq(own.bytes()));
        let known = Known::ALL.iter().filter(|(_, name, _)| told(name));
        let known = known.fold(0, |bits, (_, _, known)| bits | bit(*known));
        all.extend(OWN_NAMES.iter().map(|name| (*name).to_owned()));
        all.sort();
        all.dedup();
        Self { names: all, known }
    }

    /// Whether this field is ours to set: its name, and what is known of it. No allocation: this runs for every field of every
    /// request.
    pub(crate) fn hold(&self, known: Known, name: &[u8]) -> bool {
        match known {
            Known::XForwardedFor
            | Known::XForwardedHost
            | Known::XForwardedProto
            | Known::XForwardedPort
            | Known::Forwarded
            | Known::XRealIp => true,
            Known::Other => self.hold_name(name),
            known => self.known & bit(known) != 0,
        }
    }

    /// As [`hold`](Self::hold), of fields that are not known by name.
    fn hold_name(&self, name: &[u8]) -> bool {
        let Some(first) = letters(name).next() else { return true };
        let spelled = |own: &str| letters(name).eq(own.bytes());
        let begins = |prefix: &str| {
            let mut rest = letters(name);
            prefix.bytes().all(|b| rest.next() == Some(b))
        };
        OWN_PREFIXES.iter().any(|prefix| prefix.as_bytes()[0] == first && begins(prefix))
            || self.names.iter().any(|own| own.as_bytes().first() == Some(&first) && spelled(own))
    }
}

fn bit(known: Known) -> u64 {
    1 << known as u32
}

/// Whether a field of this name may not come in a trailer section, whatever the settings. Who somebody is is said in heads only,
/// so every name that looks like it is kept back, whichever dialects are mounted.
fn never_in_trailers(name: &[u8]) -> bool {
    let squeezed: String = letters(name).map(char::from).collect();
    OWN_PREFIXES.iter().any(|prefix| squeezed.starts_with(prefix))
        || OWN_NAMES.contains(&squeezed.as_str())
        || [
            "user", "auth", "cookie", "realm", "role", "group", "token", "apikey", "session", "cache",
            "content",
        ]
        .iter()
        .any(|word| squeezed.contains(word))
}

/// Which trailer fields may pass, in either direction: nothing that frames, routes, or says who it is (RFC 9110 section 6.5.1;
/// security.md row 92): to a backend of these settings, in what is always ours, or to a realm.
pub(crate) fn passing_trailers(own: Arc<OwnNames>, kernel: Arc<Kernel>) -> Trailers {
    Box::new(move |name| {
        let directory = || kernel.directory().present();
        Known::classify(name) == Known::Other
            && !never_in_trailers(name)
            && !own.hold(Known::Other, name)
            && !directory().asserting_fields().iter().any(|asserting| is_spelled_as(name, asserting))
    })
}

/// Whether a backend could read a field of this name as one called `other`.
pub(crate) fn is_spelled_as(name: &[u8], other: &str) -> bool {
    letters(name).eq(letters(other.as_bytes()))
}

fn letters(name: &[u8]) -> impl Iterator<Item = u8> {
    name.iter().filter(|b| b.is_ascii_alphanumeric()).map(u8::to_ascii_lowercase)
}

fn squeeze(name: &str) -> String {
    letters(name.as_bytes()).map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begins_as_ours(name: &str) -> bool {
        OWN_PREFIXES.iter().any(|prefix| squeeze(name).starts_with(prefix))
    }

    const TOLD: [&str; 2] = ["acme-user-id", "acme-user-name"];

    #[test]
    fn case_6_every_spelling_is_ours() {
        let own = OwnNames::new(TOLD);
        let separators = ["-", "_", ".", "", "--", "~", "!", "|"];
        let mut spellings = 0;
        for name in TOLD.into_iter().chain(["X-Forwarded-User", "X-Forwarded-For", "X-Real-IP", "Forwarded"])
        {
            for separator in separators {
                for variant in 0..32u32 {
                    let spelled: String = name
                        .replace('-', separator)
                        .chars()
                        .enumerate()
                        .map(|(i, c)| if variant >> (i % 5) & 1 == 1 { c.to_ascii_uppercase() } else { c })
                        .collect();
                    assert!(own.hold_name(spelled.as_bytes()), "{spelled}");
                    assert!(own.hold_name(format!("_{spelled}_").as_bytes()), "_{spelled}_");
                    spellings += 2;
                }
            }
        }
        assert!(spellings > 2_000);
    }

    #[test]
    fn case_6_no_field_that_is_known_by_name_says_who_somebody_is_as_well() {
        let untold = OwnNames::new(TOLD);
        for (_, name, known) in Known::ALL {
            let name = std::str::from_utf8(name).unwrap();
            let told = OwnNames::new([name.to_uppercase().replace('-', "").as_str()]);
            assert!(told.hold(*known, name.as_bytes()), "{name}");
            let always = OWN_NAMES.contains(&squeeze(name).as_str()) || begins_as_ours(name);
            let frames = matches!(known, Known::ContentLength | Known::TransferEncoding);
            assert_eq!(untold.hold(*known, name.as_bytes()), always && !frames, "{name}");
            let bits: u32 = told.known.count_ones();
            assert_eq!(bits, 1, "{name}");
        }
        assert_eq!(untold.known, 0);
        assert!((Known::Other as u32) < u64::BITS);
    }

    #[test]
    fn case_5_no_header_tells_the_backend_another_path_or_method() {
        let own = OwnNames::new(TOLD);
        for name in [
            "X-Original-URL",
            "X-Original-URI",
            "X-Rewrite-URL",
            "X-HTTP-Method-Override",
            "X_Original_Method",
        ] {
            assert!(own.hold_name(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn case_5_the_usual_spellings_are_of_all_names_that_are_ours() {
        let own = OwnNames::new([]);
        for name in USUAL_SPELLINGS {
            assert!(own.hold(Known::classify(name.as_bytes()), name.as_bytes()), "{name}");
        }
        let squeezed: Vec<String> = USUAL_SPELLINGS.iter().map(|name| squeeze(name)).collect();
        for name in OWN_NAMES.iter().filter(|name| !["transferencoding", "contentlength"].contains(name)) {
            assert!(squeezed.iter().any(|usual| usual == name), "{name}");
        }
        for prefix in OWN_PREFIXES {
            assert!(squeezed.iter().any(|usual| usual.starts_with(prefix)), "{prefix}");
        }
    }

    #[test]
    fn what_is_kept_back_is_named_once() {
        let names = kept_back(["acme-user", "X-FORWARDED-USER", "acme-user"]);
        let written = |name: &str| names.iter().filter(|one| one.eq_ignore_ascii_case(name)).count();
        for name in ["acme-user", "x-forwarded-user", "Cookie", "authorization", "X-Rewrite-URL"] {
            assert_eq!(written(name), 1, "{name}");
        }
    }

    #[test]
    fn the_clients_other_fields_are_his() {
        let own = OwnNames::new(TOLD);
        for name in
            ["Accept", "X-Requested-With", "Acme-User", "Cookie", "User-Agent", "X-Forward", "X-Api-Version"]
        {
            assert!(!own.hold_name(name.as_bytes()), "{name}");
        }
    }
}
