//! The headers that only the gateway may set, and the recognition of every spelling of them.
//!
//! Backends fold names: `acme_user_id` in CGI and WSGI, `X.Auth.User` in others. So a name is squeezed to its letters
//! and digits in lower case before it is compared (security.md case 6); what remains of a client's own copy is nothing.

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

/// All names that only the gateway may set.
pub(crate) struct OwnNames {
    names: Vec<String>,
}

impl OwnNames {
    /// These, beside those that are always ours.
    pub(crate) fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut all: Vec<String> = names.into_iter().map(squeeze).collect();
        all.extend(OWN_NAMES.iter().map(|name| (*name).to_owned()));
        all.sort();
        all.dedup();
        Self { names: all }
    }

    /// Whether a field of this name is ours to set. No allocation: this runs for every field of every request.
    pub(crate) fn holds(&self, name: &[u8]) -> bool {
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

/// Whether a field of this name may not come in a trailer section. Who somebody is is said in heads only, so every name
/// that looks like it is kept back, whichever dialects are mounted.
pub(crate) fn never_in_trailers(name: &[u8]) -> bool {
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
                    assert!(own.holds(spelled.as_bytes()), "{spelled}");
                    assert!(own.holds(format!("_{spelled}_").as_bytes()), "_{spelled}_");
                    spellings += 2;
                }
            }
        }
        assert!(spellings > 2_000);
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
            assert!(own.holds(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn the_clients_other_fields_are_his() {
        let own = OwnNames::new(TOLD);
        for name in
            ["Accept", "X-Requested-With", "Acme-User", "Cookie", "User-Agent", "X-Forward", "X-Api-Version"]
        {
            assert!(!own.holds(name.as_bytes()), "{name}");
        }
    }
}
