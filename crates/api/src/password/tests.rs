//! What may be set and what not, at the lowest length that can be configured unless a test says otherwise.

use std::time::Duration;

use auth::limits::MIN_PASSWORD_POINTS;
use proptest::prelude::*;

use super::strength::{MAX_CONTEXT_WORDS, MAX_JUDGED_POINTS, MAX_READINGS, judge, readings};
use super::*;

/// The first 3,000 of the list of common passwords in zxcvbn (Dropbox, MIT licence), the commonest first.
const COMMON: &str = include_str!("common_3000.txt");

const CONTEXT: [&str; 2] = ["Alice.Smith@example.org", "Contractors"];

fn present(text: &str) -> Option<Password> {
    Password::presented(Zeroizing::new(text.to_owned()))
}

fn strength_of(text: &str) -> Strength {
    judge(text, &CONTEXT.map(str::to_owned))
}

#[track_caller]
fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

fn kind_at(min_length: usize, text: &str) -> Option<WeaknessKind> {
    let Some(password) = present(text) else { return Some(WeaknessKind::Unusable) };
    let judge = PasswordJudge::new(PasswordPolicy { min_length });
    run(judge.judge(&password, &CONTEXT)).unwrap().1
}

fn kind(text: &str) -> Option<WeaknessKind> {
    kind_at(MIN_PASSWORD_POINTS, text)
}

#[test]
fn asvs_49_length_has_two_sides() {
    assert_eq!(kind("k3Xq9Zp"), Some(WeaknessKind::TooShort { least: 8 }));
    assert_eq!(kind("k3Xq9ZpL"), None);
    assert_eq!(PasswordPolicy::default().min_length, 15);
    assert_eq!(kind_at(15, "quiet otter mai"), None);
    assert_eq!(kind_at(15, "quiet otter ma"), Some(WeaknessKind::TooShort { least: 15 }));
    assert_eq!(kind_at(64, &"k3Xq9ZpLw2Vt7RmY".repeat(4)), None);
    assert_eq!(kind_at(64, &"k3Xq9ZpLw2Vt7RmY".repeat(4)[1..]), Some(WeaknessKind::TooShort { least: 64 }));
}

#[test]
fn asvs_49_characters_are_counted_after_nfc_and_not_bytes() {
    let composed = "ä1ö2ü3ß";
    let decomposed = "a\u{308}1o\u{308}2u\u{308}3ß";
    for seven in [composed, decomposed] {
        assert_eq!(kind(seven), Some(WeaknessKind::TooShort { least: 8 }), "{seven}");
    }
}

#[test]
fn asvs_51_the_three_thousand_commonest_are_refused() {
    let commonest: Vec<&str> = COMMON.lines().collect();
    assert_eq!(commonest.len(), 3_000);
    let judge = PasswordJudge::new(PasswordPolicy { min_length: MIN_PASSWORD_POINTS });
    run(async {
        for text in commonest {
            let (strength, kind) = judge.judge(&present(text).unwrap(), &[]).await.unwrap();
            assert!(kind.is_some(), "{text}");
            assert!(strength.score < 2, "{text}: {strength:?}");
        }
    });
}

#[test]
fn asvs_51_disguise_decoration_and_repetition_do_not_help() {
    for text in [
        "Password123",
        "P@$$w0rd1!",
        "drowssap",
        "LetMeIn!1",
        "qwertyuiop",
        "aaaaaaaaaaaaaaa",
        "passwordpassword",
        "sunshinesunshinesunshinesunshine",
        "abcdefghijklmno",
        "123456789012345",
        "11/11/1991",
    ] {
        assert_eq!(kind(text), Some(WeaknessKind::Guessable), "{text}");
    }
}

#[test]
fn asvs_51_however_long_a_repetition_is_it_is_one() {
    for unit in ["a", "xy", "hunter2", "password", "sunshine ", "iloveyou my dear "] {
        for length in
            [MAX_JUDGED_POINTS - 1, MAX_JUDGED_POINTS, MAX_JUDGED_POINTS + 1, 200, MAX_PASSWORD_BYTES]
        {
            let text: String = unit.chars().cycle().take(length).collect();
            if unit.len() < 10 {
                assert_eq!(kind(&text), Some(WeaknessKind::Guessable), "{unit} {length}");
            }
        }
    }
    let runs: String = "ab".chars().flat_map(|c| std::iter::repeat_n(c, 500)).collect();
    assert_eq!(kind(&runs), Some(WeaknessKind::Guessable));
}

#[test]
fn a_long_password_is_as_strong_as_its_strongest_part() {
    let strong = "k3Xq9ZpLw2Vt7RmY";
    let weak: String = "sunshine".repeat(20);
    for text in [format!("{strong}{weak}"), format!("{weak}{strong}"), format!("{}{strong}", "a".repeat(500))]
    {
        assert_eq!(kind(&text), None, "{text}");
    }
}

#[test]
fn asvs_51_names_of_his_own_and_of_this_place_count_for_nothing() {
    for text in [
        "alice.smith@example.org",
        "Alice.Smith1",
        "smithalice",
        "alicealicealice",
        "Contractors2024",
        "doorward",
        "Doorward123",
        "@lic3sm1th",
        "drawrood",
    ] {
        assert_eq!(kind(text), Some(WeaknessKind::Guessable), "{text}");
        assert!(strength_of(text).warning.is_some(), "{text}");
    }
    assert_eq!(kind("alice quiet otter maize"), None, "the rest is strong");
    let long = "a-name-of-great-length-that-nobody-types-twice".repeat(3);
    assert!(judge("quiet otter maize", std::slice::from_ref(&long)).score > 2);
    let own = judge(&format!("{long}1"), std::slice::from_ref(&long));
    assert!(own.score < 2, "{own:?}");
}

#[test]
fn only_so_many_names_are_taken_into_account() {
    let names: Vec<String> = (0..MAX_CONTEXT_WORDS).map(|n| format!("considerable{n:02}")).collect();
    // The house's own name is the shortest of one too many.
    assert!(judge("doorward", &names).score > judge("doorward", &names[1..]).score);
}

#[test]
fn asvs_52_no_composition_rules() {
    for fine in [
        "correct horse battery",
        "🦀 🐙 🎈 🚲 🌧 🍋 🧦 🪁",
        "mein hund heisst rex",
        "4839275610",
        "another good password",
    ] {
        assert_eq!(kind(fine), None, "{fine} {:?}", strength_of(fine));
    }
}

#[test]
fn asvs_54_long_passwords_are_taken_up_to_the_limit() {
    let text: String =
        (0..MAX_PASSWORD_BYTES as u32).map(|n| char::from(b'!' + (n * n % 89) as u8)).collect();
    for length in [64, 65, 128, MAX_PASSWORD_BYTES] {
        assert_eq!(kind(&text[..length]), None, "{length}");
    }
    assert_eq!(kind(&format!("{text}x")), Some(WeaknessKind::Unusable));
    assert_eq!(kind(&" ".repeat(15)), Some(WeaknessKind::Unusable));
}

#[test]
fn readings_of_signs_have_a_limit() {
    assert_eq!(readings("quiet otter"), 1);
    assert_eq!(readings("p@$$w0rd1!"), 4);
    assert_eq!(readings("0123456789"), MAX_READINGS, "digits alone are never disguised");
    assert!(readings("4@8({[<3691!|70$5+%2") > 1_000);
    // One more sign than the limit allows, and signs stand for themselves.
    assert_eq!(kind("0123456789"), Some(WeaknessKind::Guessable));
    let plain = judge("a+bcd@ef%(", &[]);
    let many = judge("4@8({[<3691!|70$5+%2", &[]);
    assert!(plain.score > 1 && many.score > 1);
}

#[test]
fn what_is_told_is_for_people_and_holds_nothing_of_the_password() {
    let strength = strength_of("sunshine");
    assert_eq!(strength.score, 0);
    let weakness = Weakness { kind: WeaknessKind::Guessable, strength };
    let said = weakness.to_string();
    assert_eq!(
        said,
        "this password is among the first that somebody would try. This is a top-100 common password. Add another \
         word or two. Uncommon words are better."
    );
    assert!(!format!("{weakness:?}").contains("sunshine"));
    assert_eq!(Weakness::unusable().to_string(), "a password has at most 1024 bytes and is more than blanks");
    let short = Weakness { kind: WeaknessKind::TooShort { least: 15 }, strength: Strength::default() };
    assert_eq!(short.to_string(), "a password has at least 15 characters");
    let fine = strength_of("correct horse battery");
    assert_eq!((fine.score, fine.warning, fine.suggestions.len()), (4, None, 0));
}

#[test]
fn a_new_policy_holds_from_then_on() {
    let judge = PasswordJudge::default();
    let password = present("k3Xq9ZpL").unwrap();
    assert_eq!(run(judge.judge(&password, &[])).unwrap().1, Some(WeaknessKind::TooShort { least: 15 }));
    judge.adopt(PasswordPolicy { min_length: 8 });
    assert_eq!(judge.policy().min_length, 8);
    assert_eq!(run(judge.judge(&password, &[])).unwrap().1, None);
}

#[test]
fn only_so_many_wait_and_who_leaves_makes_room() {
    let judge = PasswordJudge::default();
    let password = present("correct horse battery").unwrap();
    run(async {
        let turn = Arc::clone(&judge.turn).acquire_owned().await.unwrap();
        let mut waiting = Vec::new();
        for _ in 0..MAX_WAITING_JUDGEMENTS {
            let mut one = Box::pin(judge.judge(&password, &[]));
            assert!(tokio::time::timeout(Duration::ZERO, &mut one).await.is_err());
            waiting.push(one);
        }
        assert!(matches!(judge.judge(&password, &[]).await, Err(Reason::RealmUnavailable(_))));
        waiting.pop();
        let mut one = Box::pin(judge.judge(&password, &[]));
        assert!(tokio::time::timeout(Duration::ZERO, &mut one).await.is_err(), "it waits");
        drop(turn);
        drop(waiting);
        assert_eq!(one.await.unwrap().1, None);
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever is typed is judged, in bounds, and the limit on readings holds for what zxcvbn is given.
    #[test]
    fn anything_is_judged(text in ".{0,200}", name in "\\PC{0,80}") {
        let strength = judge(&text, &[name]);
        prop_assert!(strength.score <= 4);
        prop_assert!(strength.guesses_log10 >= 0.0 && strength.guesses_log10 < 20.0);
    }

    /// What zxcvbn is slow on, and what its arithmetic could overflow on.
    #[test]
    fn what_is_meant_to_be_slow_is_judged(text in "[4@8(\\{\\[<3691!|70$5+%2qwsazxQWSAZX /.-]{0,130}") {
        let strength = judge(&text, &["qwsazx".repeat(40), "alice".to_owned()]);
        prop_assert!(strength.guesses_log10 < 20.0);
    }
}

/// Many turns on the keyboard: zxcvbn's powers overflow there.
#[test]
fn long_walks_on_the_keyboard_are_judged() {
    let keys: String = "qwsaqwsazxsw".chars().cycle().take(MAX_JUDGED_POINTS).collect();
    let pad: String = "78541236985214".chars().cycle().take(MAX_JUDGED_POINTS).collect();
    for text in [keys.clone(), pad.clone(), format!("{keys}!{}", keys.to_uppercase()), format!("#{pad}#")] {
        let strength = strength_of(&text);
        assert!(strength.score <= 4, "{text}");
    }
}
