//! The query of a request, read as a form is (`application/x-www-form-urlencoded`, WHATWG URL section 5.1): parameters
//! between `&`, `+` is a blank, escapes are decoded once. Nothing else separates: `;` is part of a value.
//!
//! Called by [`Clean`](crate::Clean), through which dialects read, and by the way's act step, which takes the
//! credentials out of what the backend sees. Must never give the two different readings: what one finds the other removes.

/// The name under which API keys come in queries, in lower case.
const KEY_PARAMETER: &[u8] = b"apikey";

/// How every API key begins.
const KEY_BEGIN: &[u8] = b"dwk_";

/// The values of the parameters called exactly `name` after decoding, decoded, in order.
pub(crate) fn values<'q>(query: &'q [u8], name: &'q [u8]) -> impl Iterator<Item = Vec<u8>> + 'q {
    parameters(query).filter_map(move |parameter| {
        let (key, value) = halves(parameter);
        is_called(key, name).then(|| Decoded(value).collect())
    })
}

/// The names of the parameters, decoded, in order. What is empty between two `&` is none.
pub(crate) fn names(query: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    parameters(query)
        .filter(|parameter| !parameter.is_empty())
        .map(|parameter| Decoded(halves(parameter).0).collect())
}

/// Writes `query` to `out` without the parameters that [`values`] would find under one of `names`; false if none is
/// left, and nothing was written then. The bytes of all others stay as they came, in order; of the `&` only those go
/// that stood beside what is removed.
pub(crate) fn without(query: &[u8], names: &[&str], out: &mut Vec<u8>) -> bool {
    keep(query, |parameter| is_called_one_of(parameter, names), out)
}

/// As [`without`], and also without those that show an API key where no dialect reads it: somebody took this mount for another
/// one. A parameter of the backend's that is called the same stays.
pub(crate) fn without_credentials(query: &[u8], names: &[&str], out: &mut Vec<u8>) -> bool {
    keep(query, |parameter| is_called_one_of(parameter, names) || shows_key(parameter), out)
}

fn is_called_one_of(parameter: &[u8], names: &[&str]) -> bool {
    let (key, _) = halves(parameter);
    names.iter().any(|name| is_called(key, name.as_bytes()))
}

fn shows_key(parameter: &[u8]) -> bool {
    let (key, value) = halves(parameter);
    Decoded(key).map(|byte| byte.to_ascii_lowercase()).eq(KEY_PARAMETER.iter().copied())
        && Decoded(value).take(KEY_BEGIN.len()).eq(KEY_BEGIN.iter().copied())
}

fn keep(query: &[u8], removed: impl Fn(&[u8]) -> bool, out: &mut Vec<u8>) -> bool {
    if !parameters(query).any(&removed) {
        out.extend_from_slice(query);
        return true;
    }
    let mut wrote = false;
    for parameter in parameters(query).filter(|parameter| !removed(parameter)) {
        if wrote {
            out.push(b'&');
        }
        out.extend_from_slice(parameter);
        wrote = true;
    }
    wrote
}

fn parameters(query: &[u8]) -> impl Iterator<Item = &[u8]> {
    query.split(|&b| b == b'&')
}

/// Name and value, still encoded; a parameter without `=` is a name with an empty value.
fn halves(parameter: &[u8]) -> (&[u8], &[u8]) {
    let at = parameter.iter().position(|&b| b == b'=').unwrap_or(parameter.len());
    (&parameter[..at], parameter.get(at + 1..).unwrap_or_default())
}

fn is_called(key: &[u8], name: &[u8]) -> bool {
    Decoded(key).eq(name.iter().copied())
}

/// The bytes that a piece of a form means. A `%` without two hexadecimal digits stands for itself.
struct Decoded<'q>(&'q [u8]);

impl Iterator for Decoded<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        let (&first, tail) = self.0.split_first()?;
        self.0 = tail;
        Some(match (first, tail) {
            (b'+', _) => b' ',
            (b'%', [high, low, after @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                self.0 = after;
                hex(*high) << 4 | hex(*low)
            }
            (other, _) => other,
        })
    }
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit - b'A' + 10,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decoded(text: &[u8]) -> Vec<u8> {
        Decoded(text).collect()
    }

    fn left(query: &str, names: &[&str]) -> Option<String> {
        let mut out = b"/x?".to_vec();
        let wrote = without(query.as_bytes(), names, &mut out);
        let text = String::from_utf8(out).unwrap();
        let left = text.strip_prefix("/x?").unwrap();
        assert!(wrote || left.is_empty());
        wrote.then(|| left.to_owned())
    }

    #[test]
    fn form_values_are_decoded_once() {
        assert_eq!(decoded(b"a%20b+c%2541"), b"a b c%41");
        assert_eq!(decoded(b"%"), b"%");
        assert_eq!(decoded(b"%zz%4"), b"%zz%4");
        assert_eq!(decoded(b"%%41%c3%AF"), b"%A\xc3\xaf");
    }

    #[test]
    fn values_are_found_by_their_decoded_name() {
        let found = |query: &str| values(query.as_bytes(), b"api key").collect::<Vec<_>>();
        assert_eq!(
            found("api+key=a&x&api%20key=b%26&api%2520key=c&api+key"),
            [&b"a"[..], &b"b&"[..], &b""[..]]
        );
        assert_eq!(found("Api+key=a;api+key=b"), Vec::<Vec<u8>>::new());
        assert_eq!(found(""), Vec::<Vec<u8>>::new());
    }

    #[test]
    fn names_are_those_by_which_values_are_found() {
        let found: Vec<_> = names(b"a=1&&%61pi+key=x&=y&b").collect();
        assert_eq!(found, [&b"a"[..], b"api key", b"", b"b"]);
        assert_eq!(names(b"").count(), 0);
    }

    #[test]
    fn asvs_16_an_api_key_of_the_query_is_known_in_every_spelling() {
        for parameter in ["apiKey=x", "apiKey", "%61piKe%79=x", "apiKey==="] {
            assert_eq!(left(parameter, &["apiKey"]), None, "{parameter}");
        }
        for parameter in ["apikey=x", "x=apiKey", "apiKey+=x", ""] {
            assert_eq!(left(parameter, &["apiKey"]).as_deref(), Some(parameter));
        }
    }

    #[test]
    fn credentials_go_and_the_rest_stays_as_it_came() {
        let names = ["key", "token"];
        assert_eq!(left("a=%41+&key=S&b", &names).as_deref(), Some("a=%41+&b"));
        assert_eq!(left("key=S&a=1", &names).as_deref(), Some("a=1"));
        assert_eq!(left("a=1&k%65y=S", &names).as_deref(), Some("a=1"));
        assert_eq!(left("key=S&%74oken=S&key", &names), None);
        assert_eq!(left("key", &names), None);
        // Empty parameters are parameters as well: they came, so they go on.
        assert_eq!(left("&key=S&", &names).as_deref(), Some("&"));
        assert_eq!(left("key=S&", &names).as_deref(), Some(""));
        assert_eq!(left("", &names).as_deref(), Some(""));
        // Not what the dialect reads as a credential: not ours to remove.
        for other in ["Key=x", "k%2565y=x", "a;key=x", "a=key=x", "key%00=x", "key%3Dx", "key+=x", "&&=&"] {
            assert_eq!(left(other, &names).as_deref(), Some(other));
        }
        assert_eq!(left("key=S", &[]).as_deref(), Some("key=S"));
    }

    /// What a reader means by a piece of a form, written without a look at [`Decoded`].
    fn naive(text: &str) -> Vec<u8> {
        let bytes = text.as_bytes();
        let (mut meant, mut at) = (Vec::new(), 0);
        while at < bytes.len() {
            let escape = text.get(at + 1..at + 3).filter(|two| two.chars().all(|c| c.is_ascii_hexdigit()));
            match escape.filter(|_| bytes[at] == b'%') {
                Some(two) => {
                    meant.push(u8::from_str_radix(two, 16).unwrap());
                    at += 3;
                }
                None => {
                    meant.push(if bytes[at] == b'+' { b' ' } else { bytes[at] });
                    at += 1;
                }
            }
        }
        meant
    }

    /// Queries in which the name occurs often, in every spelling, and what nearly is the name.
    fn queries() -> impl Strategy<Value = String> {
        let letter = |plain: char| prop_oneof![3 => Just(plain.to_string()), 1 => Just(format!("%{:02x}", plain as u8))];
        let name = (letter('a'), letter('k'), letter('Z')).prop_map(|(a, k, z)| format!("{a}{k}{z}"));
        let parameter = prop_oneof![
            (name, "(=[a-z%=;+]{0,4})?").prop_map(|(name, value)| format!("{name}{value}")),
            "[ akZ%=;+0-9a-f]{0,7}",
        ];
        proptest::collection::vec(parameter, 0..7).prop_map(|parameters| parameters.join("&"))
    }

    proptest! {
        #[test]
        fn asvs_16_what_a_dialect_would_read_never_goes_on(query in queries()) {
            let kept: Vec<&str> = query
                .split('&')
                .filter(|parameter| naive(parameter.split('=').next().unwrap()) != b"akZ")
                .collect();
            let left = left(&query, &["other", "akZ"]);
            prop_assert_eq!(&left, &(!kept.is_empty()).then(|| kept.join("&")));
            let after = left.unwrap_or_default();
            prop_assert_eq!(values(after.as_bytes(), b"akZ").count(), 0);
            // Every parameter that is gone was found under the name.
            let found = values(query.as_bytes(), b"akZ").count();
            prop_assert_eq!(found, query.split('&').count() - kept.len());
        }

        #[test]
        fn decoding_agrees_with_a_naive_reader(text in "[%0-9a-gA-G+ é]{0,12}") {
            prop_assert_eq!(decoded(text.as_bytes()), naive(&text));
        }
    }
}
