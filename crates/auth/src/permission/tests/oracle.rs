//! The matcher against an oracle written another way: no tree, no compiled pattern; plain strings, cut off piece by piece.
//! And `explain` against the matcher.

use super::*;
use crate::path::NormalPath;

/// Requests that are compared in one run, unless `MATCHER_PAIRS` says another number: 10 million for the figure of
/// `security.md` (part 3, figure 12), `MATCHER_PAIRS=10000000 cargo test --release -p auth naive_one`.
const CASES: u64 = 240_000;

/// Requests asked of each set of rules.
const CASES_PER_SET: u64 = 240;

/// SplitMix64: the same cases on every machine, and more of them per second than a shrinking generator makes.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % u64::try_from(end).unwrap()).unwrap()
    }

    fn pick<'list>(&mut self, list: &[&'list str]) -> &'list str {
        list[self.below(list.len())]
    }
}

/// A rule as plain strings.
struct Plain {
    methods: Vec<&'static str>,
    pattern: String,
    params: Vec<(String, Vec<String>)>,
    except: Vec<String>,
}

impl Plain {
    fn roll(dice: &mut Dice) -> Plain {
        let all = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
        let methods = match dice.below(4) {
            0 => vec!["*"],
            count => (0..count).map(|_| dice.pick(&all)).collect(),
        };
        let mut pattern = String::new();
        let mut params = Vec::new();
        let length = dice.below(4);
        for index in 0..length {
            let part = dice.pick(&["a", "b", "users", "c;d", "*", "*", "{}", "{}", "{=}", "{=}", "#ID"]);
            pattern.push('/');
            match part {
                "{}" => pattern.push_str(&format!("{{p{index}}}")),
                "{=}" => {
                    pattern.push_str(&format!("{{p{index}}}"));
                    let count = 1 + dice.below(3);
                    let values = (0..count).map(|_| dice.pick(&["a", "b", "users", "#ID", "c;d"]).to_owned());
                    params.push((format!("p{index}"), values.collect()));
                }
                _ => pattern.push_str(part),
            }
        }
        match dice.below(4) {
            0 => pattern.push_str("/**"),
            1 => pattern.push('/'),
            _ if pattern.is_empty() => pattern.push('/'),
            _ => {}
        }
        let except = (0..dice.below(3).saturating_sub(1))
            .map(|_| dice.pick(&["/users/**", "/a", "/a/*", "/*/b/**", "/b/", "/a/#ID", "/**"]).to_owned())
            .collect();
        Plain { methods, pattern, params, except }
    }

    fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "methods": self.methods,
            "path": self.pattern,
            "params": serde_json::Map::from_iter(
                self.params.iter().map(|(name, values)| (name.clone(), serde_json::json!(values)))
            ),
            "except": self.except,
        })
    }

    fn allows(&self, method: &str, path: &str, caller: &str) -> bool {
        let granted = self
            .methods
            .iter()
            .any(|own| *own == "*" || *own == method || (*own == "GET" && method == "HEAD"));
        granted
            && self.fits(&self.pattern, path, caller)
            && !self.except.iter().any(|except| {
                let loose = loosened(path);
                let except = except.strip_suffix('/').unwrap_or(except);
                self.fits(except, &loose, caller) || (except == "/**" && loose.is_empty())
            })
    }

    /// Cuts a piece off both and goes on with the rest.
    fn fits(&self, pattern: &str, path: &str, caller: &str) -> bool {
        if pattern == "/**" {
            return true;
        }
        if pattern.is_empty() || path.is_empty() {
            return pattern.is_empty() && path.is_empty();
        }
        let cut = |text: &str| text[1..].find('/').map_or(text.len(), |at| at + 1);
        let (head, rest) = pattern.split_at(cut(pattern));
        let (found, after) = path.split_at(cut(path));
        let (head, found) = (&head[1..], &found[1..]);
        let here = match head {
            "*" => !found.is_empty(),
            "#ID" => found == caller && !caller.is_empty(),
            name if name.starts_with('{') => {
                let name = &name[1..name.len() - 1];
                let bound = self.params.iter().find(|(own, _)| own == name);
                bound.map_or(!found.is_empty(), |(_, values)| {
                    values.iter().any(|value| {
                        value == found || (value == "#ID" && found == caller && !caller.is_empty())
                    })
                })
            }
            literal => literal == found,
        };
        here && self.fits(rest, after, caller)
    }
}

/// How a lenient backend might see the path: decoded, in lower case, without parameters and endings.
fn loosened(path: &str) -> String {
    let decoded = path.replace("%3B", ";").replace("%20", " ").replace("%C5%BF", "s").to_lowercase();
    let named = decoded.strip_suffix('/').unwrap_or(&decoded).split('/');
    let parts = named.map(|part| part.split(';').next().unwrap_or("").trim_end_matches([' ', '.']));
    parts.collect::<Vec<_>>().join("/")
}

fn stripped(path: &str, marks: &[&str]) -> String {
    let cut = |part: &str| {
        let end = marks.iter().filter_map(|mark| part.find(mark)).min().unwrap_or(part.len());
        part[..end].to_owned()
    };
    path.split('/').map(cut).collect::<Vec<_>>().join("/")
}

fn roll_path(dice: &mut Dice) -> String {
    let mut path = String::new();
    for _ in 0..dice.below(5) {
        path.push('/');
        path.push_str(dice.pick(&[
            "a",
            "a",
            "b",
            "b",
            "users",
            "users",
            "me",
            "me",
            "c;d",
            "c",
            "A",
            "Users",
            "a;x",
            "users;a=b",
            "users%3Bx",
            "b.",
            "a%20",
            "u%C5%BFers",
            "me;v",
            "z",
        ]));
    }
    if path.is_empty() || dice.below(6) == 0 {
        path.push('/');
    }
    path
}

#[test]
fn the_matcher_agrees_with_a_naive_one() {
    let mut dice = Dice(0x000d_0012_da12);
    let mut allowed = 0_u64;
    let cases = std::env::var("MATCHER_PAIRS").map_or(CASES, |pairs| pairs.parse().expect("a number"));
    for _ in 0..cases / CASES_PER_SET {
        let count = dice.below(8);
        let plain: Vec<Plain> = (0..count).map(|_| Plain::roll(&mut dice)).collect();
        let read: Vec<Permission> = plain
            .iter()
            .map(|rule| serde_json::from_value(rule.json()).expect("a rule of the oracle"))
            .collect();
        let rules = Matcher::compile(&read);
        for _ in 0..CASES_PER_SET {
            allowed += u64::from(compare(&mut dice, &plain, &rules));
        }
    }
    // The cases are worth something only if both answers occur often.
    assert!((cases / 10..cases * 9 / 10).contains(&allowed), "{allowed} of {cases} allowed");
}

/// One request, asked of both; true if it is allowed.
fn compare(dice: &mut Dice, plain: &[Plain], rules: &Matcher) -> bool {
    let path = roll_path(dice);
    assert_eq!(NormalPath::parse(path.as_bytes()).expect("a path of the oracle").as_str(), path);
    let method = Method::ALL[dice.below(7)];
    let caller = dice.pick(&["me", "me", "me", "a", ""]);
    let ignored = dice.below(12);
    let matrix = if dice.below(3) == 0 { Matrix::Stripped } else { Matrix::Strict };

    let first = |seen: &str| {
        let allows = |(index, rule): &(usize, &Plain)| {
            // Exceptions are judged on the path that came, the pattern on each reading of it.
            *index != ignored
                && rule.allows(method.as_str(), seen, caller)
                && !rule.except.iter().any(|except| {
                    let bare =
                        Plain { methods: vec!["*"], pattern: except.clone(), params: vec![], except: vec![] };
                    let loose = loosened(&path);
                    let except = except.strip_suffix('/').unwrap_or(except);
                    bare.fits(except, &loose, caller)
                })
        };
        plain.iter().enumerate().find(allows).map(|(index, _)| index)
    };
    let mut readings = vec![stripped(&path, &[";"]), stripped(&path, &[";", "%3B"])];
    if matrix == Matrix::Strict {
        readings.insert(0, path.clone());
    }
    let decided: Option<Vec<usize>> = readings.iter().map(|seen| first(seen)).collect();
    let expected = decided.map(|all| all[0]);

    let counts = |entry: &Permission| {
        !rules.permissions().get(ignored).is_some_and(|other| std::ptr::eq(entry, other))
    };
    let found = rules.find(method, &path, caller, matrix, counts);
    let index = found.map(|entry| {
        rules.permissions().iter().position(|other| std::ptr::eq(other, entry)).expect("one of the entries")
    });
    let told = || plain.iter().map(|rule| rule.json().to_string()).collect::<Vec<_>>().join("\n");
    assert_eq!(
        index,
        expected,
        "{method} {path} as {caller:?}, {matrix:?}, without {ignored}, in\n{}",
        told()
    );

    let explanation = rules.explain(method, &path, caller, matrix, counts);
    assert_eq!(explanation.deciding.map(std::ptr::from_ref), found.map(std::ptr::from_ref));
    assert!(explanation.near_misses.iter().all(|near| !near.misses.is_empty()));
    found.is_some()
}
