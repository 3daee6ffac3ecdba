//! Templates against a second reader of RFC 4515 and RFC 4514, which knows nothing of how they are filled. Called by nobody;
//! must never use what it checks.

use proptest::prelude::*;

use super::*;
use crate::words::filter::{Comparison, comparisons};

/// A filter as a list of tokens, values with their escapes undone: the structure is the tokens that are not values.
#[derive(Debug, PartialEq)]
enum Token {
    Structure(String),
    Value(Vec<u8>),
}

/// Reads a filter of `&`, `|`, `!` and comparisons; everything from an `=` to the next parenthesis or `*` is a value.
fn second_reader(filter: &str) -> Option<Vec<Token>> {
    let mut tokens = vec![Token::Structure(String::new())];
    let mut bytes = filter.bytes();
    while let Some(byte) = bytes.next() {
        match (byte, tokens.last_mut()?) {
            (b'(' | b')', Token::Structure(text)) => text.push(char::from(byte)),
            (b'(', Token::Value(_)) => return None,
            (b')' | b'*', Token::Value(_)) => tokens.push(Token::Structure(char::from(byte).into())),
            (b'=', Token::Structure(text)) => {
                text.push('=');
                tokens.push(Token::Value(Vec::new()));
            }
            (b'\\', Token::Value(value)) => {
                let digits = [bytes.next()?, bytes.next()?];
                value.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
            }
            (0, _) => return None,
            (other, Token::Value(value)) => value.push(other),
            (other, Token::Structure(text)) => text.push(char::from(other)),
        }
    }
    Some(tokens)
}

/// The value of the first part of a DN, read by the letter of RFC 4514 section 3; `None` where the DN has another structure
/// than `type=VALUE` and then `rest`.
fn second_name_reader(name: &str, rest: &str) -> Option<Vec<u8>> {
    let value = name.split_once('=')?.1.strip_suffix(rest)?.as_bytes();
    let mut read = Vec::new();
    let mut at = 0;
    while at < value.len() {
        match value[at] {
            b'"' | b'+' | b',' | b';' | b'<' | b'>' | 0 => return None,
            b' ' if at == 0 || at + 1 == value.len() => return None,
            b'#' if at == 0 => return None,
            b'\\' => {
                let digits = std::str::from_utf8(value.get(at + 1..at + 3)?).ok()?;
                read.push(u8::from_str_radix(digits, 16).ok()?);
                at += 2;
            }
            byte => read.push(byte),
        }
        at += 1;
    }
    Some(read)
}

/// Names that strangers may type: anything, and the worst of it.
fn names() -> impl Strategy<Value = String> {
    let worst = "[ -~]{1,16}|[*()\\\\\0&|!=<>~:,+\"#; {}a2\n\r\u{e4}\u{1f980}\u{379}]{1,16}";
    prop_oneof![
        worst,
        "\\PC{1,32}",
        "[a-z]{1,8}\\)\\(uid=\\*",
        any::<String>().prop_filter("empty", |s| !s.is_empty())
    ]
}

const FILTERS: [&str; 5] = [
    "(uid={})",
    "(&(objectClass=person)(uid={}))",
    "(|(sAMAccountName={})(userPrincipalName={}@example.com)(!(cn=x{}y)))",
    "(&(uid>={})(cn~={}))",
    "(&(cn:caseExactMatch:={})(mail={}))",
];

/// The comparisons with the name in place of the sample.
fn expected(filter: &str, name: &str) -> Vec<Comparison> {
    let mut sample = comparisons(&filter::read(&filter.replace("{}", SAMPLE_MEMBER)).unwrap());
    for value in sample.iter_mut().flat_map(|comparison| &mut comparison.values) {
        let text = String::from_utf8(value.clone()).unwrap();
        *value = text.replace(SAMPLE_MEMBER, name).into_bytes();
    }
    sample
}

proptest! {
    #[test]
    fn case_16_a_name_cannot_change_a_filter(name in names()) {
        for filter in FILTERS {
            let filled = FilterTemplate::read(filter).unwrap().fill(&name);
            let read = ldap3::parse_filter(&filled).map_err(|()| TestCaseError::fail(filled.clone()))?;
            prop_assert_eq!(comparisons(&read), expected(filter, &name), "{}", filled);

            let of_template = second_reader(&filter.replace("{}", SAMPLE_MEMBER)).unwrap();
            let of_filled = second_reader(&filled).unwrap();
            prop_assert_eq!(of_template.len(), of_filled.len(), "{}", filled);
            for (template, filled) in of_template.iter().zip(&of_filled) {
                if let (Token::Value(sample), Token::Value(value)) = (template, filled) {
                    let expected = std::str::from_utf8(sample).unwrap().replace(SAMPLE_MEMBER, &name);
                    prop_assert_eq!(expected.as_bytes(), value.as_slice());
                } else {
                    prop_assert_eq!(template, filled);
                }
            }
        }
    }

    #[test]
    fn case_16_a_name_cannot_change_a_dn(name in names()) {
        let rest = ",ou=people,dc=example,dc=org";
        let filled = DnTemplate::read(&format!("uid={{}}{rest}")).unwrap().fill(&name);
        let second = second_name_reader(&filled, rest);
        prop_assert_eq!(second.as_deref(), Some(name.as_bytes()), "{}", filled);
        let read = DistinguishedName::parse(&filled).unwrap();
        let values: Vec<_> = read.values().collect();
        let people = [("uid", name.as_str()), ("ou", "people"), ("dc", "example"), ("dc", "org")];
        prop_assert_eq!(values, people);
    }

    #[test]
    fn case_16_neither_names_nor_dns_can_change_a_filter_for_groups(name in names(), member in names()) {
        let filter = "(|(member={})(memberUid={name})(!(uniqueMember={}#{name})))";
        let filled = GroupTemplate::read(filter).unwrap().fill(&member, &name);
        let read = comparisons(&ldap3::parse_filter(&filled).map_err(|()| TestCaseError::fail(filled.clone()))?);
        let values: Vec<_> = read.iter().flat_map(|comparison| comparison.values.clone()).collect();
        prop_assert_eq!(values, [member.clone().into_bytes(), name.clone().into_bytes(), format!("{member}#{name}").into_bytes()]);
    }

    #[test]
    fn case_16_a_principal_is_one_name_or_none(name in names()) {
        let template = PrincipalTemplate::read("{}@corp.example.com").unwrap();
        if let Some(filled) = template.fill(&name) {
            prop_assert_eq!(filled.split('@').collect::<Vec<_>>(), [name.as_str(), "corp.example.com"]);
            prop_assert!(!filled.contains(['\\', '/', '"', '\'', '=']));
        }
    }

    #[test]
    fn no_text_makes_reading_a_template_panic(text in "[(){}&|!=*\\\\:a-e,@ \u{e4}]{0,32}|\\PC{0,32}") {
        if let Ok(template) = FilterTemplate::read(&text) {
            prop_assert!(ldap3::parse_filter(template.fill("x*")).is_ok());
        }
        if let Ok(template) = GroupTemplate::read(&text) {
            prop_assert!(ldap3::parse_filter(template.fill("cn=a,b", "x*")).is_ok());
        }
        if let Ok(template) = DnTemplate::read(&text) {
            prop_assert!(DistinguishedName::parse(&template.fill(" #x,")).is_ok());
        }
        let _ = PrincipalTemplate::read(&text);
    }
}

#[test]
fn templates_that_would_let_a_name_be_more_than_a_value_are_refused() {
    for (filter, fault) in [
        ("(uid=x)", TemplateFault::NoPlace("{}")),
        ("", TemplateFault::NoPlace("{}")),
        ("({}=x)", TemplateFault::Filter(FilterFault::Unreadable)),
        ("({}uid={})", TemplateFault::Filter(FilterFault::Unreadable)),
        ("{}", TemplateFault::Filter(FilterFault::Bare)),
        ("(uid={}){}", TemplateFault::Filter(FilterFault::Bare)),
        ("({})", TemplateFault::Filter(FilterFault::Unreadable)),
        ("(&{}(uid={}))", TemplateFault::Filter(FilterFault::Unreadable)),
        ("(uid:{}:=x)", TemplateFault::Filter(FilterFault::Unreadable)),
        ("(uid=\\{})", TemplateFault::Filter(FilterFault::Unreadable)),
        ("(uid=\\2{})", TemplateFault::Filter(FilterFault::Unreadable)),
        ("uid={}", TemplateFault::Filter(FilterFault::Bare)),
        ("(uid={0})", TemplateFault::Brace("{0}".to_owned())),
        ("(uid={name})", TemplateFault::Brace("{name}".to_owned())),
        ("(uid={}})", TemplateFault::Brace("}".to_owned())),
        ("(uid={)", TemplateFault::Brace("{".to_owned())),
        ("(uid={}\u{379})", TemplateFault::Character('\u{379}')),
        ("(uid={}\0)", TemplateFault::Character('\0')),
    ] {
        assert_eq!(FilterTemplate::read(filter).unwrap_err(), fault, "{filter}");
    }
    for name in
        ["{}=x,dc=y", "uid=x,{}=y", "uid=#{}", "uid=\\{}", "uid=\\4{}", "uid=\"{}\"", "{},dc=x", "uid={}{"]
    {
        assert!(DnTemplate::read(name).is_err(), "{name}");
    }
    assert_eq!(DnTemplate::read("uid={},cn={}"), Err(TemplateFault::Places));
    assert_eq!(DnTemplate::read("uid=x"), Err(TemplateFault::NoPlace("{}")));
    for principal in ["{}", "{}@", "\\{}", "a{}@b", "{}@b@c", "CORP\\{}@b", "CORP/{}", "{} @b=c", "CORP\\{}x"]
    {
        assert_eq!(PrincipalTemplate::read(principal), Err(TemplateFault::Principal), "{principal}");
    }
}

#[test]
fn templates_know_what_they_compare() {
    let filter = FilterTemplate::read("(&(a={})(|(b={})(c={}x))(!(d={}))(e=*{})(f>={})(g:h:={}))").unwrap();
    let equal: Vec<_> = filter.equal_attributes().iter().map(|attribute| &**attribute).collect();
    assert_eq!(equal, ["a", "b"]);
    let name = DnTemplate::read("UID=x{}+cn=y,ou=people,dc=example,dc=org").unwrap();
    assert_eq!((name.attribute(), name.domain()), ("uid", Some("dc=example,dc=org")));
    assert_eq!(name.fill("#a"), "UID=x\\23a+cn=y,ou=people,dc=example,dc=org");
    assert_eq!(DnTemplate::read("dc={},dc=org").unwrap().domain(), None);
    let group = |text| GroupTemplate::read(text).map(|group| (group.has_member(), group.has_name()));
    assert_eq!(group("(member={})"), Ok((true, false)));
    assert_eq!(group("(memberUid={name})"), Ok((false, true)));
    assert_eq!(group("(memberUid=x)"), Err(TemplateFault::NoPlace("{} or {name}")));
}

#[test]
fn a_principal_holds_no_separator() {
    let template = PrincipalTemplate::read("CORP\\{}").unwrap();
    assert_eq!(template.fill("alice b").as_deref(), Some("CORP\\alice b"));
    for odd in ["", "a@b", "a\\b", "a/b", "a\"b", "a'b", "a=b", "a\0", "a\n"] {
        assert_eq!(template.fill(odd), None, "{odd:?}");
    }
}

#[test]
fn the_limits_have_two_sides() {
    let filter = |bytes: usize| format!("(a={}{{}})", "x".repeat(bytes - 6));
    assert!(FilterTemplate::read(&filter(MAX_FILTER_BYTES)).is_ok());
    assert_eq!(
        FilterTemplate::read(&filter(MAX_FILTER_BYTES + 1)),
        Err(TemplateFault::TooLong(MAX_FILTER_BYTES))
    );
    assert!(GroupTemplate::read(&filter(MAX_FILTER_BYTES)).is_ok());
    assert!(GroupTemplate::read(&filter(MAX_FILTER_BYTES + 1)).is_err());
    let name = |bytes: usize| format!("a={}{{}}", "x".repeat(bytes - 4));
    assert!(DnTemplate::read(&name(MAX_DN_BYTES)).is_ok());
    assert_eq!(DnTemplate::read(&name(MAX_DN_BYTES + 1)), Err(TemplateFault::TooLong(MAX_DN_BYTES)));
    let principal = |bytes: usize| format!("{{}}@{}", "x".repeat(bytes - 3));
    assert!(PrincipalTemplate::read(&principal(MAX_DN_BYTES)).is_ok());
    assert!(PrincipalTemplate::read(&principal(MAX_DN_BYTES + 1)).is_err());
}
