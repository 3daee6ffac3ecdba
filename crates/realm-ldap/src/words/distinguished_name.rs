//! Distinguished names as RFC 4514 writes them: read strictly, and brought into the one form in which they are compared.
//!
//! Called by `mapping`, `template` and `settings`. Must never take two names for one that a directory could tell apart by more
//! than case: roles hang on it.

use super::escape::name_value;

/// Why a text is no DN, in words for the person who wrote it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NameFault {
    #[error("is empty")]
    Empty,
    #[error("has {0:?} where an attribute's name and = should stand")]
    NoType(String),
    #[error("has {0:?} in a value, which is written with \\ in front")]
    Bare(char),
    #[error("has a \\ with neither a special character nor two hexadecimal digits behind it")]
    Escape,
    #[error("has a value that begins with # and is not hexadecimal; a # in front is written \\#")]
    Encoded,
    #[error("has a value that is not UTF-8")]
    NotText,
}

/// A DN, most specific part first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DistinguishedName(Vec<Vec<Assertion>>);

/// One `type=value`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Assertion {
    /// In lower case.
    kind: String,
    value: Value,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Value {
    Text(String),
    /// The BER form, `#` and hexadecimal digits: compared by its digits only.
    Encoded(String),
}

impl DistinguishedName {
    /// Reads a DN. Blanks around `,`, `+` and `=` mean nothing.
    ///
    /// # Errors
    /// [`NameFault`] says what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, NameFault> {
        if text.trim_matches(' ').is_empty() {
            return Err(NameFault::Empty);
        }
        let mut rest = text;
        let mut parts = vec![Vec::new()];
        loop {
            let (assertion, separator, behind) = read_assertion(rest)?;
            if let Some(part) = parts.last_mut() {
                part.push(assertion);
            }
            match separator {
                None => return Ok(Self(parts)),
                Some(',') => parts.push(Vec::new()),
                Some(_) => {}
            }
            rest = behind;
        }
    }

    /// The form in which it is compared: lower case, no blanks that mean nothing, one way of escaping, the members of a part
    /// with several in one order. Itself a DN.
    pub(crate) fn key(&self) -> String {
        write(&self.0, |text| name_value(&folded(text)))
    }

    /// The part of it at its end that is all `dc=`: the base of the domain.
    pub(crate) fn domain(&self) -> Option<String> {
        let is_of_domain = |part: &&Vec<Assertion>| matches!(&part[..], [only] if only.kind == "dc");
        let count = self.0.iter().rev().take_while(is_of_domain).count();
        (count > 0).then(|| write(&self.0[self.0.len() - count..], name_value))
    }

    /// The value of this attribute in its first part: a group's name, where the attribute is the one that names groups.
    pub(crate) fn first_value(&self, attribute: &str) -> Option<&str> {
        let assertion = self.0.first()?.iter().find(|one| one.kind.eq_ignore_ascii_case(attribute))?;
        match &assertion.value {
            Value::Text(text) => Some(text),
            Value::Encoded(_) => None,
        }
    }

    /// Whether two texts name the same entry. What is no DN is itself only.
    pub(crate) fn are_same(one: &str, other: &str) -> bool {
        let key = |text| Self::parse(text).map(|name| name.key());
        one == other || matches!((key(one), key(other)), (Ok(one), Ok(other)) if one == other)
    }

    /// Every value that is text, in order, with its attribute in lower case.
    pub(crate) fn values(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().flatten().filter_map(|one| match &one.value {
            Value::Text(text) => Some((one.kind.as_str(), text.as_str())),
            Value::Encoded(_) => None,
        })
    }
}

fn write(parts: &[Vec<Assertion>], text: impl Fn(&str) -> String) -> String {
    let written = parts.iter().map(|part| {
        let mut members: Vec<String> = part
            .iter()
            .map(|one| match &one.value {
                Value::Text(value) => format!("{}={}", one.kind, text(value)),
                Value::Encoded(digits) => format!("{}=#{digits}", one.kind),
            })
            .collect();
        members.sort_unstable();
        members.join("+")
    });
    written.collect::<Vec<_>>().join(",")
}

/// The text without what case it is written in, whatever stands around a character.
pub(crate) fn folded(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

/// One assertion, the separator behind it, and what is left behind that.
fn read_assertion(text: &str) -> Result<(Assertion, Option<char>, &str), NameFault> {
    let excerpt = || NameFault::NoType(text.chars().take(24).collect());
    let (kind, rest) = text.split_once('=').ok_or_else(excerpt)?;
    let kind = kind.trim_matches(' ');
    if !is_attribute_type(kind) {
        return Err(excerpt());
    }
    let kind = kind.to_ascii_lowercase();
    let rest = rest.trim_start_matches(' ');
    if let Some(digits) = rest.strip_prefix('#') {
        let (digits, separator, rest) = split(digits, digits.find([',', '+']));
        let digits = digits.trim_end_matches(' ');
        let is_encoded = !digits.is_empty()
            && digits.len().is_multiple_of(2)
            && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_encoded {
            return Err(NameFault::Encoded);
        }
        let value = Value::Encoded(digits.to_ascii_lowercase());
        return Ok((Assertion { kind, value }, separator, rest));
    }
    let (value, end) = read_value(rest)?;
    let (_, separator, rest) = split(rest, end);
    Ok((Assertion { kind, value: Value::Text(value) }, separator, rest))
}

/// What stands before the separator at this place, the separator (one byte), and what stands behind it.
fn split(text: &str, at: Option<usize>) -> (&str, Option<char>, &str) {
    match at {
        Some(at) => (&text[..at], text[at..].chars().next(), &text[at + 1..]),
        None => (text, None, ""),
    }
}

/// A value without its escapes, and where the separator behind it stands.
fn read_value(text: &str) -> Result<(String, Option<usize>), NameFault> {
    let mut bytes = Vec::with_capacity(text.len().min(64));
    // What is before this stays; blanks behind it mean nothing.
    let mut kept = 0;
    let mut end = None;
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            ',' | '+' => {
                end = Some(at);
                break;
            }
            '"' | ';' | '<' | '>' | '\0' => return Err(NameFault::Bare(character)),
            '\\' => {
                let (_, first) = characters.next().ok_or(NameFault::Escape)?;
                if matches!(first, '"' | '+' | ',' | ';' | '<' | '>' | ' ' | '#' | '=' | '\\') {
                    bytes.push(first as u8);
                } else {
                    let second = characters.next().and_then(|(_, second)| second.to_digit(16));
                    let (Some(high), Some(low)) = (first.to_digit(16), second) else {
                        return Err(NameFault::Escape);
                    };
                    bytes.push((high * 16 + low) as u8);
                }
                kept = bytes.len();
            }
            ' ' => bytes.push(b' '),
            other => {
                bytes.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes());
                kept = bytes.len();
            }
        }
    }
    bytes.truncate(kept);
    let value = String::from_utf8(bytes).map_err(|_| NameFault::NotText)?;
    Ok((value, end))
}

/// Whether it is the name of an attribute, or a number that stands for one (RFC 4512 section 1.4).
pub(crate) fn is_attribute_type(text: &str) -> bool {
    let is_name = text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    is_name || (text.contains('.') && text.split('.').all(is_number))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(text: &str) -> String {
        DistinguishedName::parse(text).unwrap().key()
    }

    #[test]
    fn what_differs_in_writing_only_is_one_name() {
        for (one, other) in [
            ("cn=Admins,ou=Groups,dc=example,dc=org", "CN=admins , OU = groups,DC=Example, DC=ORG "),
            ("cn=a\\,b,dc=x", "cn=a\\2Cb,dc=x"),
            ("cn=a\\2cb,dc=x", "cn=A\\2CB,dc=X"),
            ("cn=a+uid=b,dc=x", "uid=b + cn=A,dc=x"),
            ("cn=\u{e4}rzte,dc=x", "cn=\u{c4}rzte,dc=x"),
            ("cn=\\c3\\a4rzte,dc=x", "cn=\u{c4}RZTE,dc=x"),
            ("cn=\\#a,dc=x", "cn=\\23A,dc=x"),
            ("cn=#04024869", "CN= #04024869 "),
            ("cn=a=b", "cn=a\\=b"),
            ("cn=a\\ ,dc=x", "cn=a\\20,dc=x"),
            ("cn=,dc=x", "cn= ,dc=x"),
            ("cn=\u{391}\u{3a3}", "cn=\u{3b1}\u{3c3}"),
        ] {
            assert_eq!(key(one), key(other), "{one} {other}");
        }
    }

    #[test]
    fn what_means_something_else_is_another_name() {
        for (one, other) in [
            ("cn=a,dc=x", "cn=a,dc=y"),
            ("cn=a,dc=x", "cn=a"),
            ("cn=a\\,dc=x", "cn=a,dc=x"),
            ("cn=a,uid=b", "cn=a+uid=b"),
            ("cn=#04", "cn=\\#04"),
            ("2.5.4.3=a", "cn=a"),
            ("cn=a\\ ", "cn=a"),
            ("cn=a b", "cn=ab"),
            ("cn=a,cn=b", "cn=b,cn=a"),
        ] {
            assert_ne!(key(one), key(other), "{one} {other}");
        }
    }

    #[test]
    fn what_is_no_name_is_told() {
        for (text, fault) in [
            ("", NameFault::Empty),
            ("  ", NameFault::Empty),
            ("admins", NameFault::NoType("admins".to_owned())),
            ("cn=a,", NameFault::NoType(String::new())),
            ("cn=a,,dc=x", NameFault::NoType(",dc=x".to_owned())),
            ("c n=a", NameFault::NoType("c n=a".to_owned())),
            ("1cn=a", NameFault::NoType("1cn=a".to_owned())),
            ("1..2=a", NameFault::NoType("1..2=a".to_owned())),
            ("=a", NameFault::NoType("=a".to_owned())),
            ("cn=\"a\"", NameFault::Bare('"')),
            ("cn=a;dc=x", NameFault::Bare(';')),
            ("cn=<a", NameFault::Bare('<')),
            ("cn=a\0", NameFault::Bare('\0')),
            ("cn=a\\", NameFault::Escape),
            ("cn=a\\z", NameFault::Escape),
            ("cn=a\\4", NameFault::Escape),
            ("cn=a\\4g", NameFault::Escape),
            ("cn=#", NameFault::Encoded),
            ("cn=#0", NameFault::Encoded),
            ("cn=#0g", NameFault::Encoded),
            ("cn=\\ff", NameFault::NotText),
        ] {
            assert_eq!(DistinguishedName::parse(text), Err(fault), "{text:?}");
        }
    }

    #[test]
    fn texts_name_the_same_entry_or_not() {
        let are_same = DistinguishedName::are_same;
        assert!(are_same("CN=a, DC=x", "cn=A,dc=x"));
        assert!(are_same("no name", "no name") && !are_same("no name", "No name"));
        assert!(!are_same("cn=a,dc=x", "cn=b,dc=x") && !are_same("cn=a", "no name"));
    }

    #[test]
    fn its_parts_can_be_asked_for() {
        let domain = |text: &str| DistinguishedName::parse(text).unwrap().domain();
        assert_eq!(domain("ou=People,DC=Example,dc=org").as_deref(), Some("dc=Example,dc=org"));
        assert_eq!(domain("dc=example, dc=org").as_deref(), Some("dc=example,dc=org"));
        assert_eq!(domain("dc=a,ou=b,dc=c").as_deref(), Some("dc=c"));
        assert_eq!(domain("ou=people,o=example"), None);
        assert_eq!(domain("ou=people,dc=a+o=b"), None);
        let group = DistinguishedName::parse("CN=Admins\\, all,ou=groups,dc=x").unwrap();
        assert_eq!(group.first_value("cn"), Some("Admins, all"));
        assert_eq!(group.first_value("ou"), None);
        assert_eq!(DistinguishedName::parse("cn=#04").unwrap().first_value("cn"), None);
    }

    proptest! {
        #[test]
        fn any_value_comes_back_as_it_was(value in "\\PC{0,24}|[ #,+\"\\\\<>;=\0-\x1f]{0,8}", other in "[a-z ]{0,4}") {
            let text = format!("cn={}+sn=x,ou={}", name_value(&value), name_value(&other));
            let name = DistinguishedName::parse(&text).unwrap();
            let values: Vec<_> = name.values().collect();
            prop_assert_eq!(values, vec![("cn", value.as_str()), ("sn", "x"), ("ou", other.as_str())]);
            prop_assert_eq!(key(&name.key()), name.key());
        }

        #[test]
        fn nothing_makes_it_panic(text in "[a-c0-9.=,+#\\\\\" \u{e4}]{0,24}|\\PC{0,24}") {
            if let Ok(name) = DistinguishedName::parse(&text) {
                prop_assert_eq!(DistinguishedName::parse(&name.key()).unwrap().key(), name.key());
            }
        }
    }
}
