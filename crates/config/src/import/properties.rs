//! `fusion.properties` of generations 2 to 4: a Java properties file whose `proxy.jvmOptions` holds the sessions' time limits
//! (seeds/001). `import/mod.rs` calls this. It must never repeat the values of other properties.

use std::collections::BTreeMap;
use std::time::Duration;

use super::settings_text::Found;
use super::{BadLine, Imported};

const IDLE: &str = "com.lucidworks.apollo.admin.session.idle.timeout";
const MOST: &str = "com.lucidworks.apollo.admin.session.timeout";
/// The ports that the product has unless the file says otherwise.
const PROXY_PORT: u16 = 8764;
const API_PORT: u16 = 8765;

pub(super) fn convert(file: &str, text: &str) -> Result<Imported, BadLine> {
    // A property that is set twice has its last value, as in Java.
    let properties: BTreeMap<String, (usize, String)> =
        parse(text)?.into_iter().map(|property| (property.key, (property.line, property.value))).collect();
    let mut notes = Vec::new();
    let mut found =
        Found { generation: "4", idle: None, most: None, listen_port: PROXY_PORT, upstream_port: API_PORT };
    let mut api_port_known = false;
    for (key, (line, value)) in &properties {
        match key.as_str() {
            "proxy.jvmOptions" => (found.idle, found.most) = jvm_options(*line, value, &mut notes)?,
            "proxy.port" => found.listen_port = port(*line, key, value)?,
            "api.port" => {
                found.upstream_port = port(*line, key, value)?;
                api_port_known = true;
            }
            _ => notes.push(format!("line {line}: {key} is not used")),
        }
    }
    if !properties.contains_key("proxy.jvmOptions") {
        notes.push(
            "there is no proxy.jvmOptions: the sessions have the default times, 1h idle and 8h at the most"
                .into(),
        );
    }
    if !api_port_known {
        notes.push(format!(
            "there is no api.port: the backend is taken to be on port {API_PORT} of this machine"
        ));
    }
    if found.upstream_port == found.listen_port {
        return Err(BadLine::new(
            1,
            "proxy.port and api.port are the same: the gateway would be its own backend",
        ));
    }
    notes.push("listen is set to this machine only; the proxy listened on all addresses".to_owned());
    Ok(found.write(file, notes))
}

fn port(line: usize, key: &str, value: &str) -> Result<u16, BadLine> {
    match value.trim().parse() {
        Ok(port @ 1..) => Ok(port),
        _ => Err(BadLine::new(line, format!("{key} is not a port, 1 to 65535"))),
    }
}

type Times = (Option<Duration>, Option<Duration>);

fn jvm_options(line: usize, options: &str, notes: &mut Vec<String>) -> Result<Times, BadLine> {
    let (mut idle, mut most) = (None, None);
    for option in options.split_whitespace().map(|option| option.trim_matches(['"', '\''])) {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        match name.strip_prefix("-D") {
            Some(IDLE) => idle = seconds(line, IDLE, value, notes)?,
            Some(MOST) => most = seconds(line, MOST, value, notes)?,
            _ => notes.push(format!("line {line}: the Java option {} is not used", option_name(name))),
        }
    }
    Ok((idle, most))
}

/// The part of an option that cannot be a value: `-Xmx512m` is no secret, but `-javaagent:x=secret` may hold one.
fn option_name(name: &str) -> &str {
    name.split(':').next().unwrap_or(name)
}

fn seconds(
    line: usize,
    name: &str,
    value: &str,
    notes: &mut Vec<String>,
) -> Result<Option<Duration>, BadLine> {
    match value.parse::<i64>() {
        Ok(count @ 1..) => Ok(Some(Duration::from_secs(count.unsigned_abs()))),
        Ok(_) => {
            notes.push(format!(
                "line {line}: {name} is not positive; the default stays, a session always ends"
            ));
            Ok(None)
        }
        Err(_) => Err(BadLine::new(line, format!("{name} is not a number of seconds"))),
    }
}

/// One property, with the line it begins in.
pub(super) struct Property {
    line: usize,
    key: String,
    value: String,
}

/// Reads the format of `java.util.Properties.load`.
pub(super) fn parse(text: &str) -> Result<Vec<Property>, BadLine> {
    let mut properties = Vec::new();
    let mut lines = text.split(['\n', '\r']).zip(line_numbers(text));
    while let Some((first, line)) = lines.next() {
        let mut logical = first.trim_start_matches(BLANKS).to_owned();
        if logical.is_empty() || logical.starts_with(['#', '!']) {
            continue;
        }
        while ends_with_continuation(&logical) {
            logical.pop();
            match lines.next() {
                // The second half of a CR LF is no line of its own.
                Some(("", _)) if text.contains("\r\n") => {
                    logical.push_str(lines.next().map_or("", |(next, _)| next.trim_start_matches(BLANKS)));
                }
                Some((next, _)) => logical.push_str(next.trim_start_matches(BLANKS)),
                None => break,
            }
        }
        let (key, value) = split(&logical);
        properties.push(Property { line, key: unescape(key, line)?, value: unescape(value, line)? });
    }
    Ok(properties)
}

const BLANKS: [char; 3] = [' ', '\t', '\u{c}'];

/// The number of the line that each piece between CR or LF belongs to; CR LF counts once.
fn line_numbers(text: &str) -> impl Iterator<Item = usize> + '_ {
    let mut line = 1;
    let mut before = ' ';
    std::iter::once(1).chain(text.chars().filter_map(move |c| {
        let end = matches!(c, '\n' | '\r');
        if end && !(before == '\r' && c == '\n') {
            line += 1;
        }
        before = c;
        end.then_some(line)
    }))
}

fn ends_with_continuation(line: &str) -> bool {
    line.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}

/// The key ends at the first `=`, `:` or blank that no backslash precedes; one `=` or `:` and the blanks around it fall away.
fn split(line: &str) -> (&str, &str) {
    let mut escaped = false;
    let end = line.find(|c: char| {
        let ends = !escaped && (matches!(c, '=' | ':') || BLANKS.contains(&c));
        escaped = !escaped && c == '\\';
        ends
    });
    let (key, rest) = line.split_at(end.unwrap_or(line.len()));
    let rest = rest.trim_start_matches(BLANKS);
    let rest = rest.strip_prefix(['=', ':']).unwrap_or(rest);
    (key, rest.trim_start_matches(BLANKS))
}

fn unescape(text: &str, line: usize) -> Result<String, BadLine> {
    let mut plain = String::with_capacity(text.len());
    let mut units = Vec::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            flush(&mut units, &mut plain);
            plain.push(c);
            continue;
        }
        let next = chars.next();
        if next == Some('u') {
            let digits: String = chars.by_ref().take(4).collect();
            let unit = (digits.len() == 4 && !digits.starts_with('+'))
                .then(|| u16::from_str_radix(&digits, 16).ok())
                .flatten();
            units.push(unit.ok_or_else(|| BadLine::new(line, "a \\u without four hexadecimal digits"))?);
            continue;
        }
        flush(&mut units, &mut plain);
        plain.extend(match next {
            Some('t') => Some('\t'),
            Some('n') => Some('\n'),
            Some('r') => Some('\r'),
            Some('f') => Some('\u{c}'),
            other => other,
        });
    }
    flush(&mut units, &mut plain);
    Ok(plain)
}

/// Java writes characters beyond 16 bits as two escapes in a row.
fn flush(units: &mut Vec<u16>, plain: &mut String) {
    plain.push_str(&String::from_utf16_lossy(units));
    units.clear();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(usize, String, String)> {
        parse(text).unwrap().into_iter().map(|p| (p.line, p.key, p.value)).collect()
    }

    #[test]
    fn the_format_is_javas() {
        let text = "# c\n! c\n\na=1\n b : 2\nc 3\nd\ne\\ f=g\\=h\ni = x\\\n   y\\\n\tz\nj=\\u00e9\\uD83D\\uDE00\\t|\\q\nk=\\\\\nl=1";
        let expected = [
            (4, "a", "1"),
            (5, "b", "2"),
            (6, "c", "3"),
            (7, "d", ""),
            (8, "e f", "g=h"),
            (9, "i", "xyz"),
            (12, "j", "é😀\t|q"),
            (13, "k", "\\"),
            (14, "l", "1"),
        ];
        let expected: Vec<_> = expected
            .iter()
            .map(|(line, key, value)| (*line, (*key).to_owned(), (*value).to_owned()))
            .collect();
        assert_eq!(pairs(text), expected);
        assert_eq!(pairs(&text.replace('\n', "\r\n")), expected);
        assert!(parse("a=\\u12").is_err());
        assert!(parse("a=\\u+123").is_err());
    }

    proptest::proptest! {
        #[test]
        fn nothing_makes_it_panic(text in "[\\\\=: \\r\\nu0a\u{e9}#!]{0,60}") {
            let _ = parse(&text);
        }
    }
}
