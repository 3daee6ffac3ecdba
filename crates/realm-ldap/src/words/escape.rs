//! Values made harmless for filters (RFC 4515 section 3) and for names (RFC 4514 section 2.4).
//!
//! Called by `template` and by the realm's searches. Must never let a value end, or be read as anything but itself: what a
//! stranger typed goes into a filter or a DN through here and in no other way (security.md case 16).

/// The value as it stands in a filter: `*`, `(`, `)`, `\` and control characters as `\` and two hexadecimal digits.
pub(crate) fn filter_value(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len() + 8);
    for character in value.chars() {
        if matches!(character, '*' | '(' | ')' | '\\') || character.is_ascii_control() {
            push_hex(&mut escaped, character);
        } else {
            escaped.push(character);
        }
    }
    escaped
}

/// The value as it stands behind `type=` in a DN: what separates or begins something else as `\` and two hexadecimal digits,
/// and so blanks at both ends, a `#` in front, and control characters.
pub(crate) fn name_value(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len() + 8);
    let last = value.char_indices().next_back().map_or(0, |(at, _)| at);
    for (at, character) in value.char_indices() {
        let is_special = match character {
            '"' | '+' | ',' | ';' | '<' | '=' | '>' | '\\' => true,
            '#' => at == 0,
            ' ' => at == 0 || at == last,
            other => other.is_ascii_control(),
        };
        if is_special {
            push_hex(&mut escaped, character);
        } else {
            escaped.push(character);
        }
    }
    escaped
}

/// Only for characters of ASCII, which are one byte.
fn push_hex(escaped: &mut String, character: char) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let byte = character as u32 as usize;
    escaped.push('\\');
    escaped.push(char::from(DIGITS[(byte >> 4) & 15]));
    escaped.push(char::from(DIGITS[byte & 15]));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_16_what_has_a_meaning_in_a_filter_is_escaped() {
        for (value, escaped) in [
            ("alice", "alice"),
            ("*", "\\2a"),
            ("a)(uid=*", "a\\29\\28uid=\\2a"),
            ("\\2a", "\\5c2a"),
            ("a\0b", "a\\00b"),
            ("a&b|c!d", "a&b|c!d"),
            ("Ärzte, \u{1f980}", "Ärzte, \u{1f980}"),
            ("\n\u{7f}", "\\0a\\7f"),
            (" a ", " a "),
        ] {
            assert_eq!(filter_value(value), escaped, "{value:?}");
        }
    }

    #[test]
    fn case_16_what_has_a_meaning_in_a_name_is_escaped() {
        for (value, escaped) in [
            ("alice", "alice"),
            ("a,ou=admins", "a\\2cou\\3dadmins"),
            ("a+uid=b", "a\\2buid\\3db"),
            ("#04", "\\2304"),
            ("a#b", "a#b"),
            (" a b ", "\\20a b\\20"),
            (" ", "\\20"),
            ("  ", "\\20\\20"),
            ("\"<;>\\", "\\22\\3c\\3b\\3e\\5c"),
            ("\0", "\\00"),
            ("é\u{a0}", "é\u{a0}"),
        ] {
            assert_eq!(name_value(value), escaped, "{value:?}");
        }
    }
}
