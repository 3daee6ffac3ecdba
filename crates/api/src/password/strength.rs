//! How many guesses a password takes, by zxcvbn's estimate. Called by the judge of passwords, off the workers. Must never
//! feed zxcvbn more than it takes quickly: its time grows with the length and, by orders of magnitude, with the number of
//! different signs that could stand for letters (docs/decisions/0010-zxcvbn.md).

use std::collections::BTreeSet;

use zeroize::Zeroizing;
use zxcvbn::feedback::Feedback;
use zxcvbn::matching::patterns::MatchPattern;
use zxcvbn::{Entropy, zxcvbn};

/// How many characters are judged in one piece. Of a longer password the beginning and the end are judged: it is at least
/// as strong as any of its parts.
pub(crate) const MAX_JUDGED_POINTS: usize = 64;
/// Longest run of one character that is judged, in a password of more than [`MAX_JUDGED_POINTS`] characters.
const MAX_RUN: usize = 8;
/// How many readings of signs as letters are tried ("$" for "s", "1" for "i" or "l") at the most. Ten different digits
/// make up to 16; "p@$$w0rd1!" makes 4.
pub(crate) const MAX_READINGS: usize = 16;
/// How many of the names around a user are taken into account.
pub(crate) const MAX_CONTEXT_WORDS: usize = 16;
/// Shorter names say nothing, in characters.
const MIN_WORD_POINTS: usize = 3;
/// Names longer than that are not looked for in disguise, in characters.
const MAX_WORD_POINTS: usize = 24;

/// What this house is called.
const OUR_NAME: &str = "doorward";
const NAMED: &str = "Your own name and the names of this place are the first that are tried.";
const MORE_WORDS: &str = "Add another word or two. Uncommon words are better.";

/// How hard a password is to guess, told to whoever sets it. Holds nothing of the password.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Strength {
    /// 0 (fewer than 10^3 guesses), 1 (10^6), 2 (10^8), 3 (10^10) or 4 (more). Below 2 it may not be set.
    pub score: u8,
    /// The logarithm to base 10 of the guesses that it takes at the least. Never negative; about 19.3 at the most.
    pub guesses_log10: f64,
    /// What makes it weak, as a sentence. For scores of 2 and less, where something stands out.
    pub warning: Option<String>,
    /// What would make it stronger, a sentence each. For scores of 2 and less.
    pub suggestions: Vec<String>,
}

/// How strong a password is. `context` are the names that somebody who knows its user would try first: they count for
/// nothing.
pub(crate) fn judge(password: &str, context: &[String]) -> Strength {
    let words = words(context);
    let whole = judge_pieces(password, &words);
    let Some(rest) = without(password, &words) else {
        return whole;
    };
    let mut rest = judge_pieces(&rest, &words);
    if rest.guesses_log10 >= whole.guesses_log10 {
        return whole;
    }
    if rest.score <= 2 {
        rest.warning = Some(NAMED.to_owned());
        rest.suggestions = vec![MORE_WORDS.to_owned()];
    }
    rest
}

/// The names and their parts ("alice.smith@example.org" is four), in lower case, the longest first.
fn words(context: &[String]) -> Vec<String> {
    let mut words: BTreeSet<String> = BTreeSet::from([OUR_NAME.to_owned()]);
    for name in context {
        let name = name.to_lowercase();
        words.extend(name.split(|c: char| !c.is_alphanumeric()).map(str::to_owned));
        words.insert(name);
    }
    words.retain(|word| word.chars().count() >= MIN_WORD_POINTS);
    let mut words: Vec<String> = words.into_iter().collect();
    words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    words.truncate(MAX_CONTEXT_WORDS);
    words
}

/// What is left of a password without these words, in lower case. `None` where none of them is in it.
fn without(password: &str, words: &[String]) -> Option<Zeroizing<String>> {
    let mut rest = Zeroizing::new(password.to_lowercase());
    let mut found = false;
    for word in words {
        if rest.contains(word.as_str()) {
            rest = Zeroizing::new(rest.replace(word.as_str(), ""));
            found = true;
        }
    }
    found.then_some(rest)
}

/// Judges a password in pieces that zxcvbn takes quickly. The strongest piece counts.
fn judge_pieces(password: &str, words: &[String]) -> Strength {
    let mut points: Zeroizing<Vec<char>> = Zeroizing::new(password.chars().collect());
    if points.len() > MAX_JUDGED_POINTS {
        shorten_runs(&mut points);
    }
    shorten_repeats(&mut points);
    if points.len() <= MAX_JUDGED_POINTS {
        return judge_piece(&points, words);
    }
    let head = judge_piece(&points[..MAX_JUDGED_POINTS], words);
    if head.score == 4 {
        return head;
    }
    let tail = judge_piece(&points[points.len() - MAX_JUDGED_POINTS..], words);
    if tail.guesses_log10 > head.guesses_log10 { tail } else { head }
}

/// Leaves at most [`MAX_RUN`] of equal characters in a row.
fn shorten_runs(points: &mut Zeroizing<Vec<char>>) {
    let mut last = None;
    let mut run = 0;
    points.retain(|&point| {
        run = if last == Some(point) { run + 1 } else { 1 };
        last = Some(point);
        run <= MAX_RUN
    });
}

/// Of what is nothing but a repetition, leaves as many whole ones as fit in a piece, one at least.
fn shorten_repeats(points: &mut Zeroizing<Vec<char>>) {
    // How long the longest beginning of each prefix is that is also its end (Knuth, Morris and Pratt).
    let mut border = vec![0; points.len()];
    for end in 1..points.len() {
        let mut length: usize = border[end - 1];
        while length > 0 && points[end] != points[length] {
            length = border[length - 1];
        }
        border[end] = length + usize::from(points[end] == points[length]);
    }
    let unit = points.len() - border.last().copied().unwrap_or_default();
    if unit > 0 && unit * 2 <= points.len() {
        let fit = (MAX_JUDGED_POINTS / unit).clamp(1, points.len() / unit);
        points.truncate(unit * fit);
    }
}

fn judge_piece(points: &[char], words: &[String]) -> Strength {
    let piece: Zeroizing<String> = Zeroizing::new(points.iter().collect());
    let piece = if readings(&piece) > MAX_READINGS { disguise(&piece) } else { piece };
    let short = words.iter().filter(|word| word.chars().count() <= MAX_WORD_POINTS);
    let short: Vec<&str> = short.map(String::as_str).collect();
    told(&zxcvbn(&piece, &short), &short)
}

/// What zxcvbn found, in our words. Nothing of the password comes along.
fn told(found: &Entropy, words: &[&str]) -> Strength {
    let names = found.sequence().iter().any(|part| match &part.pattern {
        MatchPattern::Dictionary(entry) => words.contains(&entry.matched_word.as_str()),
        _ => false,
    });
    let feedback = found.feedback();
    let warning = feedback.and_then(Feedback::warning).map(|warning| warning.to_string());
    let suggestions = feedback.map(Feedback::suggestions).unwrap_or_default();
    Strength {
        score: u8::from(found.score()),
        // Of nothing at all it is minus infinity.
        guesses_log10: found.guesses_log10().max(0.0),
        warning: warning.or_else(|| (names && feedback.is_some()).then(|| NAMED.to_owned())),
        suggestions: suggestions.iter().map(ToString::to_string).collect(),
    }
}

/// What zxcvbn reads as letters: each letter with the signs that may stand for it.
const SIGNS: [(char, &[char]); 12] = [
    ('a', &['4', '@']),
    ('b', &['8']),
    ('c', &['(', '{', '[', '<']),
    ('e', &['3']),
    ('g', &['6', '9']),
    ('i', &['1', '!', '|']),
    ('l', &['1', '|', '7']),
    ('o', &['0']),
    ('s', &['$', '5']),
    ('t', &['+', '7']),
    ('x', &['%']),
    ('z', &['2']),
];

/// How many readings zxcvbn would try at the most: the product of the choices, twice where a sign has two letters.
pub(crate) fn readings(piece: &str) -> usize {
    let choices = SIGNS.map(|(_, signs)| signs.iter().filter(|&&sign| piece.contains(sign)).count().max(1));
    let two_letters = usize::from(piece.contains(['1', '|'])) + usize::from(piece.contains('7'));
    choices.iter().product::<usize>() << two_letters
}

/// The piece with its signs (not its digits) as characters that stand for nothing, as different from each other as
/// before. Whoever has so many different signs has no word that is written with them.
fn disguise(piece: &str) -> Zeroizing<String> {
    /// From here on characters are for private use. Neighbours are 16 apart, so that no two look like a sequence.
    const PRIVATE: u32 = 0xE000;
    let stands_for_letter = |point: char| SIGNS.iter().any(|(_, signs)| signs.contains(&point));
    let disguised = piece.chars().map(|point| {
        if point.is_ascii_digit() || !stands_for_letter(point) {
            return point;
        }
        char::from_u32(PRIVATE + 16 * u32::from(point)).unwrap_or(point)
    });
    Zeroizing::new(disguised.collect())
}
