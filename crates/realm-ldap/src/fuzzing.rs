//! The parsers for `fuzz/`, each with what must hold of whatever it accepts.
//!
//! Only with the feature `fuzzing`, and in tests. Must never be part of a build that ships. A broken promise
//! is a panic.

mod messages;

use ldap3::LdapResult;
use ldap3::controls::{Control, RawControl};

use crate::words::distinguished_name::DistinguishedName;
use crate::words::filter::{self, comparisons};
use crate::words::policy::POLICY_CONTROL;
use crate::words::template::{DnTemplate, FilterTemplate, GroupTemplate, PrincipalTemplate};
use crate::words::verdicts::{Bound, Origin, judge_bind, judge_search, judge_service_bind};

pub use messages::messages;

/// A name for which a filter of ours is known by heart.
const PLAIN: &str = "plain";

/// A name goes into filters and DNs: it is one value in them, and nothing else has changed.
pub fn names(data: &[u8]) {
    let Ok(name) = std::str::from_utf8(data) else { return };
    if name.is_empty() {
        return;
    }
    let Ok(template) = FilterTemplate::read("(&(objectClass=person)(|(uid={})(mail=x{}y)(!(cn>={}))))")
    else {
        panic!("the template is one");
    };
    let read = |filled: &str| comparisons(&ldap3::parse_filter(filled).expect("a filled filter is a filter"));
    let (plain, filled) = (read(&template.fill(PLAIN)), read(&template.fill(name)));
    assert_eq!(plain.len(), filled.len());
    for (plain, filled) in plain.iter().zip(&filled) {
        let values: Vec<_> = plain
            .values
            .iter()
            .map(|value| String::from_utf8_lossy(value).replace(PLAIN, name).into_bytes())
            .collect();
        assert_eq!((&plain.attribute, plain.is_equality), (&filled.attribute, filled.is_equality));
        assert_eq!(values, filled.values);
    }
    let template = DnTemplate::read("uid={},ou=people,dc=example,dc=org").expect("the template is one");
    let filled = DistinguishedName::parse(&template.fill(name)).expect("a filled DN is a DN");
    let values: Vec<_> = filled.values().collect();
    assert_eq!(values, [("uid", name), ("ou", "people"), ("dc", "example"), ("dc", "org")]);
}

/// A text is read as every kind of template, as a filter and as a DN: what was taken stays one, whatever goes in.
pub fn templates(data: &[u8]) {
    const WORST: &str = " #*)(uid=*\\2a,\"+;<>=\0\u{e4} ";
    let Ok(text) = std::str::from_utf8(data) else { return };
    let is_filter = |filled: &str| ldap3::parse_filter(filled).is_ok();
    if let Ok(template) = FilterTemplate::read(text) {
        assert!(is_filter(&template.fill(WORST)));
    }
    if let Ok(template) = GroupTemplate::read(text) {
        assert!(is_filter(&template.fill(WORST, WORST)));
    }
    if let Ok(template) = DnTemplate::read(text) {
        let filled = DistinguishedName::parse(&template.fill(WORST)).expect("a filled DN is a DN");
        assert!(filled.values().any(|(_, value)| value.contains(WORST)));
    }
    if let Ok(template) = PrincipalTemplate::read(text) {
        assert!(template.fill(WORST).is_none() && template.fill(PLAIN).is_some());
    }
    if let Ok(filter) = filter::read(text) {
        let _ = comparisons(&filter);
    }
    if let Ok(name) = DistinguishedName::parse(text) {
        let again = DistinguishedName::parse(&name.key()).expect("a key is a DN");
        assert_eq!(again.key(), name.key());
        let _ = (name.domain(), name.first_value("cn"));
    }
}

/// A config is read: it is settings or a mistake with a field.
pub fn config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match crate::parse(text) {
        Ok(settings) => assert!(!settings.servers.is_empty()),
        Err(fault) => assert!(fault.field.is_some() && !fault.why.is_empty()),
    }
}

/// A server answers: the first byte is the code, the second the length of the password policy control, which follows; the rest
/// are its words. Nobody is let in but by "success".
pub fn answer(data: &[u8]) {
    let [code, length, rest @ ..] = data else { return };
    let (value, text) = rest.split_at(usize::from(*length).min(rest.len()));
    let control = RawControl { ctype: POLICY_CONTROL.to_owned(), crit: false, val: Some(value.to_vec()) };
    let answer = LdapResult {
        rc: u32::from(*code),
        matched: String::new(),
        text: String::from_utf8_lossy(text).into_owned(),
        refs: Vec::new(),
        ctrls: vec![Control(None, control)],
    };
    for origin in [Origin::Template, Origin::Search] {
        assert!(judge_bind(&answer, origin) != Bound::In || *code == 0);
    }
    assert_eq!(judge_service_bind(&answer).is_ok(), *code == 0);
    let _ = judge_search("a search", &answer);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_promises_hold_of_anything(data: Vec<u8>, text in "[(){}&|!=*\\\\,;:#a-z\"\\[\\] ]{0,40}") {
            for target in [super::names, super::templates, super::config, super::answer, super::messages] {
                target(&data);
                target(text.as_bytes());
            }
        }
    }
}
