//! `Prefer` (RFC 7240): which of the preferences that mean something here a request has. Read by the dialect; never fails, as a
//! preference is a wish: what cannot be read is none.

/// Preferences of one request that are looked at. Further ones are none.
pub(super) const MAX_PREFERENCES: usize = 64;

/// What a request prefers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Preferences {
    /// `persistent-auth`: that its session goes on, or begins.
    pub(super) persistent: bool,
    /// `new-auth`: that a session begins in place of the one that is shown.
    pub(super) new: bool,
    /// `csrf-protection`: that the session that begins asks for its token twice.
    pub(super) csrf_protection: bool,
}

impl Preferences {
    /// Reads all lines of the field. A value or parameters change nothing (contract/ovirt.md, Parsing).
    pub(super) fn read<'v>(lines: impl Iterator<Item = &'v [u8]>) -> Self {
        let mut read = Self::default();
        for name in lines.flat_map(Names).take(MAX_PREFERENCES) {
            let is = |word: &str| name.eq_ignore_ascii_case(word.as_bytes());
            read.persistent |= is("persistent-auth");
            read.new |= is("new-auth");
            read.csrf_protection |= is("csrf-protection");
        }
        read
    }
}

/// The names of the preferences of one line, in order; a member that is no preference is passed over.
struct Names<'v>(&'v [u8]);

impl<'v> Iterator for Names<'v> {
    type Item = &'v [u8];

    fn next(&mut self) -> Option<&'v [u8]> {
        while !self.0.is_empty() {
            let end = end_of_member(self.0);
            let (member, rest) = self.0.split_at(end);
            self.0 = rest.get(1..).unwrap_or_default();
            if let Some(name) = name(member) {
                return Some(name);
            }
        }
        None
    }
}

/// Where a member ends: at the next comma that stands in no quoted string. A string that is not closed takes the line's rest.
fn end_of_member(line: &[u8]) -> usize {
    let (mut quoted, mut escaped) = (false, false);
    for (at, &byte) in line.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b',' if !quoted => return at,
            _ => {}
        }
    }
    line.len()
}

/// The name of a preference: a token before `=`, `;` or the end, with nothing but blanks between.
fn name(member: &[u8]) -> Option<&[u8]> {
    let member = member.trim_ascii();
    let end = member.iter().position(|&byte| !is_token_byte(byte)).unwrap_or(member.len());
    let (name, rest) = member.split_at(end);
    let goes_on = matches!(rest.trim_ascii_start().first(), None | Some(b'=' | b';'));
    (!name.is_empty() && goes_on).then_some(name)
}

/// RFC 9110 section 5.6.2.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lines: &[&str]) -> Preferences {
        Preferences::read(lines.iter().map(|line| line.as_bytes()))
    }

    const PERSISTENT: Preferences = Preferences { persistent: true, new: false, csrf_protection: false };

    #[test]
    fn contract_all_the_ways_to_say_persistent_auth() {
        for lines in [
            &["persistent-auth"] as &[&str],
            &["Persistent-Auth"],
            &["PERSISTENT-AUTH"],
            &["respond-async", "persistent-auth"],
            &["respond-async, wait=10, persistent-auth"],
            &["persistent-auth=false"],
            &["persistent-auth = \"x, new-auth\""],
            &["persistent-auth;foo=\"bar, new-auth\"; new-auth"],
            &["persistent-auth ; a"],
            &["\t persistent-auth\t"],
            &[",,, persistent-auth ,"],
            &["a=\"\\\", new-auth\", persistent-auth"],
            &["\"unclosed, new-auth", "persistent-auth"],
        ] {
            assert_eq!(of(lines), PERSISTENT, "{lines:?}");
        }
        let both = Preferences { persistent: true, new: true, csrf_protection: true };
        assert_eq!(of(&["new-auth, Csrf-Protection", "persistent-auth"]), both);
    }

    #[test]
    fn contract_what_does_not_say_it() {
        for lines in [
            &[] as &[&str],
            &[""],
            &["persistent"],
            &["persistent-auths"],
            &["x-persistent-auth"],
            &["persistent-auth persistent-auth"],
            &["\"persistent-auth\""],
            &["foo=\"persistent-auth\""],
            &["foo=\", persistent-auth"],
            &["foo;persistent-auth"],
            &["persistent/auth"],
            &["=persistent-auth"],
        ] {
            assert_eq!(of(lines), Preferences::default(), "{lines:?}");
        }
    }

    #[test]
    fn as_many_are_looked_at_as_the_limit_says() {
        let after = |others: usize| of(&[&format!("{}persistent-auth", "x,".repeat(others))]).persistent;
        assert!(after(MAX_PREFERENCES - 1));
        assert!(!after(MAX_PREFERENCES));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..120)) {
            super::super::fuzzing::prefer(&bytes);
        }

        #[test]
        fn what_is_quoted_says_nothing(text in "[ -~]{0,40}") {
            let quoted = text.replace('\\', "\\\\").replace('"', "\\\"");
            let found = of(&[&format!("a=\"{quoted}\"; b=\"{quoted}\"")]);
            proptest::prop_assert_eq!(found, Preferences::default());
        }
    }
}
