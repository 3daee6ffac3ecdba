//! What slapd's log (`-d stats`) says of its clients, without what the test's own administration did.
//!
//! Called by `slapd`. Must never guess: a line that has no known form is kept as text and nothing else.

use std::collections::HashSet;

/// The lines of the log that belong to connections over TCP, and to none, each without slapd's time stamp.
///
/// The administration goes over the Unix socket. One thread writes a connection's `ACCEPT` while another already writes
/// its `BIND`, so the log is read twice.
pub(crate) fn of_clients(text: &str) -> Vec<String> {
    let lines = numbered(text);
    let is_own = |(_, line): &&(_, &str)| line.contains(" ACCEPT from PATH=");
    let own: HashSet<_> = lines.iter().filter(is_own).filter_map(|(connection, _)| *connection).collect();
    let others =
        lines.iter().filter(|(connection, _)| connection.is_none_or(|number| !own.contains(&number)));
    others.map(|(_, line)| (*line).to_owned()).collect()
}

/// A connection: how often the server had been started, and the number that it gave.
type Connection<'a> = (usize, &'a str);

/// Each line with the connection that it belongs to. The numbers begin again when the server does.
fn numbered(text: &str) -> Vec<(Option<Connection<'_>>, &str)> {
    let mut starts = 0;
    let each = text.lines().map(|line| {
        let line = without_stamp(line);
        starts += usize::from(line == "slapd starting");
        let number = line.strip_prefix("conn=").and_then(|rest| rest.split(' ').next());
        (number.map(|number| (starts, number)), line)
    });
    each.collect()
}

/// slapd 2.5 begins a line with `SECONDS.FRACTION 0xTHREAD `, 2.4 with `SECONDS `, all hexadecimal.
fn without_stamp(line: &str) -> &str {
    let is_hex = |word: &str| {
        let digits = word.strip_prefix("0x").unwrap_or(word);
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'.')
    };
    let mut rest = line;
    for _ in 0..2 {
        match rest.split_once(' ') {
            Some((word, after)) if is_hex(word) => rest = after,
            _ => break,
        }
    }
    rest
}

/// The filter of a line `conn=1000 op=1 SRCH base="…" scope=2 deref=0 filter="(uid=alice)"`, as the server read it:
/// it writes every byte that is special in a filter as `\XX`.
pub(crate) fn filter_of(line: &str) -> Option<&str> {
    let (_, search) = line.split_once(" SRCH base=\"")?;
    search.rsplit_once(" filter=\"")?.1.strip_suffix('"')
}

/// The DN of a line `conn=1000 op=0 BIND dn="cn=a" method=128`. (The line with `mech=` says that the bind succeeded.)
pub(crate) fn bind_of(line: &str) -> Option<&str> {
    let (_, bind) = line.split_once(" BIND dn=\"")?;
    Some(bind.rsplit_once("\" method=")?.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "\
6741e0c2.0d3 0x7f01 slapd starting
6741e0c2.0d3 0x7f02 conn=1000 op=0 BIND dn=\"cn=admin\" method=128
6741e0c2.0d3 0x7f03 conn=1000 fd=12 ACCEPT from PATH=/tmp/x/ldapi (PATH=/tmp/x/ldapi)
6741e0c2.0d3 0x7f02 conn=1001 op=0 BIND dn=\"uid=a\" method=128
6741e0c2.0d3 0x7f03 conn=1001 fd=13 ACCEPT from IP=127.0.0.1:1 (IP=127.0.0.1:2)
6741e0c2.0d3 0x7f02 conn=1001 op=0 BIND dn=\"uid=a\" mech=SIMPLE bind_ssf=0 ssf=0
6741e0c2 slapd starting
6741e0c2 conn=1000 fd=12 ACCEPT from IP=127.0.0.1:1 (IP=127.0.0.1:2)
6741e0c2 conn=1000 op=1 SRCH base=\"ou=\" scope=2 deref=0 filter=\"(cn=a\\22 filter=b)\"
";

    #[test]
    fn only_what_came_over_tcp_is_told() {
        let lines = of_clients(LOG);
        assert_eq!(lines.len(), 7, "{lines:#?}");
        assert_eq!(lines[0], "slapd starting");
        assert_eq!(lines.iter().filter_map(|line| bind_of(line)).collect::<Vec<_>>(), ["uid=a"]);
        assert_eq!(
            lines.iter().filter_map(|line| filter_of(line)).collect::<Vec<_>>(),
            ["(cn=a\\22 filter=b)"]
        );
    }
}
