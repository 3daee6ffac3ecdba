//! `values.yaml` of generation 5: `jwtExpirationSecs`, below `api-gateway:` or flat (contract/fusion.md "Timeouts").
//! `import/mod.rs` calls this. A reader of YAML's block lines is enough for one number; what it cannot follow it steps over, and
//! it must never take a number from a place that it did not understand.

use std::time::Duration;

use super::settings_text::Found;
use super::{BadLine, Imported};

const SECONDS: &str = "jwtExpirationSecs";
const GATEWAY: &str = "api-gateway";
/// What the backend is taken to be where the file does not say.
const BACKEND_PORT: u16 = 9000;
const LISTEN_PORT: u16 = 8764;

pub(super) fn convert(file: &str, text: &str) -> Result<Imported, BadLine> {
    let mut notes = Vec::new();
    let (mut nested, mut flat) = (None, None);
    for Pair { line, path, value } in pairs(text)? {
        let names: Vec<&str> = path.iter().map(String::as_str).collect();
        match names.as_slice() {
            [SECONDS] => once(&mut flat, seconds(line, &value)?, line)?,
            [.., GATEWAY, SECONDS] => once(&mut nested, seconds(line, &value)?, line)?,
            [.., SECONDS] => notes.push(format!("line {line}: {} is not used", names.join("."))),
            [GATEWAY] | [_, GATEWAY] if value.is_empty() => {}
            [GATEWAY] | [_, GATEWAY] if value.contains(SECONDS) => {
                return Err(BadLine::new(
                    line,
                    format!("write {GATEWAY} in lines of its own, not in braces"),
                ));
            }
            [_] | [.., GATEWAY, _] => notes.push(format!("line {line}: {} is not used", names.join("."))),
            _ => {}
        }
    }
    if nested.is_some() && flat.is_some() {
        notes.push(format!("the flat {SECONDS} is not used: the one below {GATEWAY} counts"));
    }
    let idle = nested.or(flat);
    if idle.is_none() {
        notes.push(format!("there is no {SECONDS}: the sessions have the default idle time, 30m"));
    }
    notes.push(format!(
        "the file does not say where the backend is: upstream is a guess, port {BACKEND_PORT}"
    ));
    notes.push("listen is set to this machine only".to_owned());
    let found = Found {
        generation: "5",
        idle: idle.map(Duration::from_secs),
        most: None,
        listen_port: LISTEN_PORT,
        upstream_port: BACKEND_PORT,
    };
    Ok(found.write(file, notes))
}

fn once(place: &mut Option<u64>, seconds: u64, line: usize) -> Result<(), BadLine> {
    match place.replace(seconds) {
        None => Ok(()),
        Some(_) => Err(BadLine::new(line, format!("{SECONDS} stands here a second time"))),
    }
}

fn seconds(line: usize, value: &str) -> Result<u64, BadLine> {
    match value.parse() {
        Ok(count @ 1..) => Ok(count),
        _ => Err(BadLine::new(line, format!("{SECONDS} is not a positive number of seconds"))),
    }
}

/// A key with the keys above it. The value is what stands behind the colon, without quotes and comment.
struct Pair {
    line: usize,
    path: Vec<String>,
    value: String,
}

/// What the lines that follow belong to.
enum Inside {
    Lines,
    /// A text after `|` or `>`: every line that is indented deeper.
    Block(usize),
    /// A value in braces or brackets, so many of them still open.
    Flow(usize),
    /// A quoted text that did not end in its line.
    Quote(char),
}

fn pairs(text: &str) -> Result<Vec<Pair>, BadLine> {
    let mut pairs = Vec::new();
    let mut above: Vec<(usize, String)> = Vec::new();
    let mut inside = Inside::Lines;
    for (index, raw) in text.lines().enumerate() {
        let line = index + 1;
        let content = raw.trim_start_matches(' ');
        let mut indent = raw.len() - content.len();
        match inside {
            Inside::Block(parent) if content.is_empty() || indent > parent => continue,
            Inside::Lines | Inside::Block(_) => inside = Inside::Lines,
            Inside::Flow(open) => {
                let still = open_brackets(raw, open);
                inside = if still == 0 { Inside::Lines } else { Inside::Flow(still) };
                continue;
            }
            Inside::Quote(quote) => {
                if quote_ends(raw, quote) {
                    inside = Inside::Lines;
                }
                continue;
            }
        }
        if content.starts_with('\t') {
            return Err(BadLine::new(line, "is indented with a tab, which YAML does not allow"));
        }
        let mut content = content.trim_end();
        if content.is_empty() || content.starts_with(['#', '%']) || matches!(content, "---" | "...") {
            continue;
        }
        above.retain(|(depth, _)| *depth < indent);
        while let Some(item) = content.strip_prefix("- ") {
            above.push((indent, "[]".to_owned()));
            content = item.trim_start_matches(' ');
            indent += 2;
        }
        // A line without a key goes on with the value before it, or is an item of a list: nothing to find there.
        let Some((key, value)) = key_and_value(content) else {
            continue;
        };
        above.push((indent, key));
        inside = opened(value, indent);
        let path = above.iter().map(|(_, key)| key.clone()).collect();
        pairs.push(Pair { line, path, value: plain(value) });
    }
    Ok(pairs)
}

/// Splits `key: value`; the key may be quoted.
fn key_and_value(content: &str) -> Option<(String, &str)> {
    if let Some(quote @ ('"' | '\'')) = content.chars().next() {
        let (key, rest) = content[1..].split_once(quote)?;
        let rest = rest.trim_start().strip_prefix(':')?;
        return (rest.is_empty() || rest.starts_with(' ')).then(|| (key.to_owned(), rest.trim()));
    }
    let (key, rest) = match content.split_once(": ") {
        Some(parts) => parts,
        None => (content.strip_suffix(':')?, ""),
    };
    let odd = key.starts_with(['{', '[', '?', '&', '*', '!', '|', '>', '@', '`', '#']) || key.contains(" #");
    (!odd && !key.is_empty()).then(|| (key.trim_end().to_owned(), rest.trim()))
}

/// What a value leaves open at the end of its line.
fn opened(value: &str, indent: usize) -> Inside {
    match value.chars().next() {
        Some('|' | '>') => Inside::Block(indent),
        Some('{' | '[') => match open_brackets(value, 0) {
            0 => Inside::Lines,
            open => Inside::Flow(open),
        },
        Some(quote @ ('"' | '\'')) if !quote_ends(&value[1..], quote) => Inside::Quote(quote),
        _ => Inside::Lines,
    }
}

fn open_brackets(text: &str, before: usize) -> usize {
    let mut open = before;
    let mut quote = None;
    for c in text.chars() {
        match (quote, c) {
            (Some(closing), _) if closing == c => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '{' | '[') => open += 1,
            (None, '}' | ']') => open = open.saturating_sub(1),
            (None, '#') => break,
            (None, _) => {}
        }
    }
    open
}

fn quote_ends(text: &str, quote: char) -> bool {
    let mut escaped = false;
    text.chars().any(|c| {
        let ends = !escaped && c == quote;
        escaped = quote == '"' && !escaped && c == '\\';
        ends
    })
}

/// A value without its comment and its quotes.
fn plain(value: &str) -> String {
    if let Some(quote @ ('"' | '\'')) = value.chars().next() {
        return value[1..].split(quote).next().unwrap_or_default().to_owned();
    }
    if value.starts_with('#') {
        return String::new();
    }
    value.split(" #").next().unwrap_or_default().trim_end().to_owned()
}
