//! Entries as a search finds them. Made by `connection.rs`, read by the realm. Must never panic over what a server sent.

use ldap3::ResultEntry;
use ldap3::asn1::StructureTag;

/// One entry of a search.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its distinguished name, as the server writes it.
    pub(crate) name: String,
    attributes: Vec<Attribute>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Attribute {
    description: String,
    values: Vec<Vec<u8>>,
}

impl Entry {
    /// The entry in a search's answer; `None` for what is none, references to other servers among it.
    pub(crate) fn read(found: ResultEntry) -> Option<Self> {
        if found.is_ref() || found.is_intermediate() {
            return None;
        }
        let [name, attributes] = members(found.0)?;
        let attributes = attributes.expect_constructed()?.into_iter().map(|attribute| {
            let [description, values] = members(attribute)?;
            let values = values.expect_constructed()?.into_iter().map(StructureTag::expect_primitive);
            Some(Attribute { description: text(description)?, values: values.collect::<Option<_>>()? })
        });
        Some(Self { name: text(name)?, attributes: attributes.collect::<Option<_>>()? })
    }

    /// Bytes that it takes in memory, about.
    pub(crate) fn bytes(&self) -> usize {
        let attributes = self.attributes.iter().map(|held| {
            let values: usize = held.values.iter().map(|value| size_of::<Vec<u8>>() + value.len()).sum();
            size_of::<Attribute>() + held.description.len() + values
        });
        size_of::<Self>() + self.name.len() + attributes.sum::<usize>()
    }

    /// An attribute's values that are UTF-8; none where the entry has none. Names of attributes have no case.
    pub(crate) fn values<'a>(&'a self, attribute: &'a str) -> impl Iterator<Item = &'a str> {
        self.attributes
            .iter()
            .filter(move |held| held.description.eq_ignore_ascii_case(attribute))
            .flat_map(|held| &held.values)
            .filter_map(|value| str::from_utf8(value).ok())
    }

    /// An attribute's first value, where it is UTF-8.
    pub(crate) fn first<'a>(&'a self, attribute: &'a str) -> Option<&'a str> {
        self.values(attribute).next()
    }

    /// Active Directory answers only so many values at a time (`member;range=0-1499`): what was asked for, and how much of it
    /// there is so far.
    pub(crate) fn range(&self, attribute: &str) -> Option<Range<'_>> {
        self.attributes.iter().find_map(|held| {
            let (name, range) = held.description.split_once(";range=")?;
            let (from, to) = range.split_once('-')?;
            name.eq_ignore_ascii_case(attribute).then_some(())?;
            from.parse::<usize>().ok()?;
            let next = if to == "*" { None } else { Some(to.parse::<usize>().ok()?.checked_add(1)?) };
            Some(Range { values: &held.values, next })
        })
    }

    #[cfg(test)]
    pub(crate) fn of(name: &str, attributes: &[(&str, &[&str])]) -> Self {
        let attributes = attributes.iter().map(|(description, values)| Attribute {
            description: (*description).to_owned(),
            values: values.iter().map(|value| value.as_bytes().to_vec()).collect(),
        });
        Self { name: name.to_owned(), attributes: attributes.collect() }
    }
}

/// A part of an attribute's values.
pub(crate) struct Range<'a> {
    values: &'a [Vec<u8>],
    /// Where the next part begins; `None` in the last.
    pub(crate) next: Option<usize>,
}

impl<'a> Range<'a> {
    /// Its values that are UTF-8.
    pub(crate) fn values(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.values.iter().filter_map(|value| str::from_utf8(value).ok())
    }
}

fn members(tag: StructureTag) -> Option<[StructureTag; 2]> {
    tag.expect_constructed()?.try_into().ok()
}

fn text(tag: StructureTag) -> Option<String> {
    String::from_utf8(tag.expect_primitive()?).ok()
}

#[cfg(test)]
mod tests {
    use ldap3::asn1::{PL, TagClass};

    use super::*;

    fn tag(id: u64, payload: PL) -> StructureTag {
        StructureTag { class: TagClass::Universal, id, payload }
    }

    fn primitive(value: &[u8]) -> StructureTag {
        tag(4, PL::P(value.to_vec()))
    }

    fn attribute(name: &str, values: &[&[u8]]) -> StructureTag {
        let values = tag(17, PL::C(values.iter().map(|value| primitive(value)).collect()));
        tag(16, PL::C(vec![primitive(name.as_bytes()), values]))
    }

    #[test]
    fn an_entry_is_read() {
        let attributes = vec![
            attribute("cn", &[b"first", b"\xff", b"second"]),
            attribute("memberOf;range=0-1", &[b"a", b"b"]),
        ];
        let found = tag(4, PL::C(vec![primitive(b"uid=a"), tag(16, PL::C(attributes))]));
        let entry = Entry::read(ResultEntry::new(found)).unwrap();
        assert_eq!(entry.name, "uid=a");
        assert_eq!(entry.values("CN").collect::<Vec<_>>(), ["first", "second"]);
        assert_eq!(entry.first("sn"), None);
        let range = entry.range("memberof").unwrap();
        assert_eq!((range.values().collect::<Vec<_>>(), range.next), (vec!["a", "b"], Some(2)));
        assert!(entry.range("cn").is_none());
    }

    #[test]
    fn what_is_no_entry_is_left_out() {
        let odd = [
            tag(19, PL::C(vec![primitive(b"ldap://elsewhere/")])),
            tag(25, PL::C(vec![])),
            tag(4, PL::P(vec![])),
            tag(4, PL::C(vec![primitive(b"uid=a")])),
            tag(4, PL::C(vec![primitive(b"\xff"), tag(16, PL::C(vec![]))])),
            tag(4, PL::C(vec![primitive(b"uid=a"), tag(16, PL::C(vec![primitive(b"cn")]))])),
        ];
        for found in odd {
            assert_eq!(Entry::read(ResultEntry::new(found)), None);
        }
    }
}
