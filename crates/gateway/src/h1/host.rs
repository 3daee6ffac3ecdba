//! The `host[:port]` of Host and of absolute targets.
//!
//! Used by the request parser, and by the way for hosts that it writes itself. Must never repair a host: what
//! is not plainly one is refused.

use std::net::Ipv6Addr;

/// The longest host with its port: a DNS name of 253 bytes, a colon and five digits.
pub(crate) const MAX_HOST: usize = 259;

/// Whether the bytes are a host name, an IPv4 or a bracketed IPv6 address, with or without a port (RFC 9112
/// section 3.2, RFC 3986 section 3.2.2, without percent-encoding and sub-delimiters, which no real host has).
pub(crate) fn is_host(bytes: &[u8]) -> bool {
    if bytes.is_empty() || bytes.len() > MAX_HOST {
        return false;
    }
    if let [b'[', rest @ ..] = bytes {
        let Some(end) = memchr::memchr(b']', rest) else { return false };
        return is_ipv6(&rest[..end]) && is_port_part(&rest[end + 1..]);
    }
    let end = memchr::memchr(b':', bytes).unwrap_or(bytes.len());
    let (name, port) = bytes.split_at(end);
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    !name.is_empty() && name[0] != b'.' && name.iter().all(allowed) && is_port_part(port)
}

fn is_ipv6(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok())
}

/// Nothing, or a colon and a port of 1 to 65,535. An empty port is legal and means nothing; it is refused.
fn is_port_part(bytes: &[u8]) -> bool {
    match bytes {
        [] => true,
        [b':', digits @ ..] if (1..=5).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit) => {
            let port = digits.iter().fold(0_u32, |number, digit| number * 10 + u32::from(digit - b'0'));
            (1..=65_535).contains(&port)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_with_and_without_a_port_are_accepted() {
        for good in [
            "a",
            "example.com",
            "example.com.",
            "127.0.0.1:8764",
            "[::1]",
            "[2001:db8::1]:443",
            "a_b-c:1",
            "a:65535",
        ] {
            assert!(is_host(good.as_bytes()), "{good}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        let bad = [
            "",
            ":80",
            "a:",
            "a:0",
            "a:65536",
            "a:+1",
            "a:1:2",
            "a b",
            "a,b",
            "user@a",
            "a/b",
            "a?b",
            "a#b",
            "[::1",
            "::1",
            "[::1]x",
            "[fe80::1%25eth0]",
            "a%41",
            "\u{e4}",
            "a\0",
            ".a",
            "[]",
            "a:000001",
        ];
        for each in bad {
            assert!(!is_host(each.as_bytes()), "{each}");
        }
    }

    #[test]
    fn the_length_limit_holds_on_both_sides() {
        assert!(is_host(&vec![b'a'; MAX_HOST]));
        assert!(!is_host(&vec![b'a'; MAX_HOST + 1]));
    }
}
