//! What each answer means. Called by nobody; must never be kinder than the table of the design.

use ldap3::controls::{Control, RawControl};
use proptest::prelude::*;

use super::*;

fn answer(rc: u32, text: &str) -> LdapResult {
    LdapResult { rc, matched: String::new(), text: text.to_owned(), refs: Vec::new(), ctrls: Vec::new() }
}

fn with_control(rc: u32, name: &str, value: Option<&[u8]>) -> LdapResult {
    let control = RawControl { ctype: name.to_owned(), crit: false, val: value.map(<[u8]>::to_vec) };
    LdapResult { ctrls: vec![Control(None, control)], ..answer(rc, "") }
}

fn active_directory(data: &str) -> LdapResult {
    answer(
        49,
        &format!(
            "80090308: LdapErr: DSID-0C090400, comment: AcceptSecurityContext error, data {data}, v1db1\0"
        ),
    )
}

fn words(bound: &Bound) -> &str {
    match bound {
        Bound::Unavailable(Unavailability(words)) => words,
        Bound::In | Bound::NotMine | Bound::Rejected(_) => "",
    }
}

#[test]
fn every_code_has_its_meaning() {
    for origin in [Origin::Template, Origin::Search] {
        for code in (0..=130).chain([4096, 16_654, u32::MAX]) {
            let bound = judge_bind(&answer(code, "words"), origin);
            let expected = match (code, origin) {
                (0, _) => Some(Bound::In),
                (32 | 34, Origin::Search) => Some(Bound::NotMine),
                (49, _) | (32 | 34, Origin::Template) => Some(Bound::Rejected(Rejection::WrongPassword)),
                (48 | 53, _) => Some(Bound::Rejected(Rejection::NotAllowed)),
                (19, _) => Some(Bound::Rejected(Rejection::Locked)),
                _ => None,
            };
            match expected {
                Some(expected) => assert_eq!(bound, expected, "{code} {origin:?}"),
                None => assert!(matches!(bound, Bound::Unavailable(_)), "{code} {origin:?}"),
            }
        }
    }
}

#[test]
fn what_the_operator_can_do_is_said() {
    let bound = |code| judge_bind(&answer(code, "who knows"), Origin::Search);
    assert_eq!(
        words(&bound(13)),
        "a user's bind: confidentialityRequired (13): who knows (the server wants TLS: set ssl or startTls)"
    );
    assert_eq!(words(&bound(10)), "a user's bind: referral (10): who knows (referrals are not followed)");
    assert_eq!(words(&bound(51)), "a user's bind: busy (51): who knows");
    assert_eq!(said(&answer(99, "")), "an unknown code (99)");
}

#[test]
fn sub_codes_of_active_directory_are_told_apart() {
    for (data, expected) in [
        ("525", Bound::NotMine),
        ("52e", Bound::Rejected(Rejection::WrongPassword)),
        ("52E", Bound::Rejected(Rejection::WrongPassword)),
        ("52f", Bound::Rejected(Rejection::NotAllowed)),
        ("530", Bound::Rejected(Rejection::NotAllowed)),
        ("531", Bound::Rejected(Rejection::NotAllowed)),
        ("532", Bound::Rejected(Rejection::PasswordExpired)),
        ("533", Bound::Rejected(Rejection::Disabled)),
        ("534", Bound::Rejected(Rejection::NotAllowed)),
        ("701", Bound::Rejected(Rejection::Expired)),
        ("773", Bound::Rejected(Rejection::MustChangePassword)),
        ("775", Bound::Rejected(Rejection::Locked)),
        ("0", Bound::Rejected(Rejection::WrongPassword)),
        ("", Bound::Rejected(Rejection::WrongPassword)),
        ("5255", Bound::Rejected(Rejection::WrongPassword)),
        ("fffffffffffffffff", Bound::Rejected(Rejection::WrongPassword)),
        ("x525", Bound::Rejected(Rejection::WrongPassword)),
    ] {
        for origin in [Origin::Template, Origin::Search] {
            assert_eq!(judge_bind(&active_directory(data), origin), expected, "{data}");
        }
    }
    // Only behind error 49, and only where Active Directory says it.
    assert_eq!(judge_bind(&LdapResult { rc: 0, ..active_directory("533") }, Origin::Search), Bound::In);
    assert_eq!(active_directory_code("data 533"), None);
}

#[test]
fn a_password_policy_is_heard_with_success_and_with_failure() {
    let policy = |rc, number| {
        judge_bind(&with_control(rc, POLICY_CONTROL, Some(&[0x30, 3, 0x81, 1, number])), Origin::Search)
    };
    for rc in [0, 19, 48, 49, 53] {
        assert_eq!(policy(rc, 0), Bound::Rejected(Rejection::PasswordExpired));
        assert_eq!(policy(rc, 1), Bound::Rejected(Rejection::Locked));
        assert_eq!(policy(rc, 2), Bound::Rejected(Rejection::MustChangePassword));
    }
    assert_eq!(policy(0, 3), Bound::In, "that is about changing passwords");
    assert_eq!(policy(49, 7), Bound::Rejected(Rejection::WrongPassword));
    assert!(matches!(policy(52, 1), Bound::Unavailable(_)));
    let warned = with_control(0, POLICY_CONTROL, Some(&[0x30, 5, 0xa0, 3, 0x80, 1, 9]));
    assert_eq!(judge_bind(&warned, Origin::Search), Bound::In);
}

#[test]
fn success_with_a_policy_that_nobody_can_read_lets_nobody_in() {
    for value in [None, Some(&b""[..]), Some(b"\x30\x03\x81\x01"), Some(b"\x04\x00")] {
        let bound = judge_bind(&with_control(0, POLICY_CONTROL, value), Origin::Search);
        assert_eq!(words(&bound), "its password policy control cannot be read");
        let bound = judge_bind(&with_control(49, POLICY_CONTROL, value), Origin::Search);
        assert_eq!(bound, Bound::Rejected(Rejection::WrongPassword));
    }
    assert_eq!(judge_bind(&with_control(0, "1.2.3", Some(b"\x04\x00")), Origin::Search), Bound::In);
}

#[test]
fn the_older_control_is_heard_too() {
    let bound = |rc| judge_bind(&with_control(rc, EXPIRED_CONTROL, Some(b"0")), Origin::Search);
    assert_eq!(bound(0), Bound::Rejected(Rejection::MustChangePassword));
    assert_eq!(bound(49), Bound::Rejected(Rejection::PasswordExpired));
}

#[test]
fn a_service_account_that_fails_is_nobodys_fault_but_ours() {
    assert_eq!(judge_service_bind(&answer(0, "")), Ok(()));
    for code in [1, 8, 13, 32, 34, 48, 49, 50, 53, 80] {
        assert!(judge_service_bind(&answer(code, "")).is_err(), "{code}");
    }
    let Unavailability(words) = judge_service_bind(&active_directory("52e")).unwrap_err();
    assert!(words.starts_with("the service account's bind: invalidCredentials (49): 80090308"), "{words}");
}

#[test]
fn searches_end_in_five_ways() {
    let searched = |code| judge_search("search", &answer(code, ""));
    assert_eq!(searched(0), Searched::Whole);
    assert_eq!(searched(32), Searched::NoBase);
    assert!(matches!(searched(50), Searched::Forbidden(_)));
    for code in [3, 4, 11] {
        assert!(matches!(searched(code), Searched::More(_)), "{code}");
    }
    for code in (0..=130).filter(|code| ![0, 3, 4, 11, 32, 50].contains(code)) {
        assert!(matches!(searched(code), Searched::Unavailable(_)), "{code}");
    }
}

#[test]
fn a_servers_words_are_cut_and_cleaned() {
    assert_eq!(diagnostic(&"x".repeat(MAX_DIAGNOSTIC_BYTES)).len(), MAX_DIAGNOSTIC_BYTES);
    assert_eq!(diagnostic(&"x".repeat(MAX_DIAGNOSTIC_BYTES + 1)).len(), MAX_DIAGNOSTIC_BYTES);
    assert_eq!(diagnostic(&"\u{e4}".repeat(MAX_DIAGNOSTIC_BYTES)).len(), MAX_DIAGNOSTIC_BYTES);
    assert_eq!(
        diagnostic(&format!("x{}", "\u{e4}".repeat(MAX_DIAGNOSTIC_BYTES))).len(),
        MAX_DIAGNOSTIC_BYTES - 1
    );
    assert_eq!(diagnostic("a\nb\x1b[31mc\0"), "a b [31mc");
}

#[test]
fn an_account_is_for_a_time() {
    let now = Moment::from_millis(1_748_441_115_000);
    let ticks = |moment: Moment| ((moment.as_millis() + WINDOWS_EPOCH_MILLIS) * 10_000).to_string();
    assert_eq!(is_past("0", now), Some(false));
    assert_eq!(is_past("9223372036854775807", now), Some(false));
    assert_eq!(is_past(&ticks(now), now), Some(true));
    assert_eq!(is_past(&ticks(Moment::from_millis(now.as_millis() + 1)), now), Some(false));
    assert_eq!(is_past("133900000000000000", now), Some(true));
    assert_eq!(is_past("1", now), Some(true));
    for odd in ["", "-1", "x", "9223372036854775808", "1.5"] {
        assert_eq!(is_past(odd, now), None, "{odd}");
    }
}

proptest! {
    #[test]
    fn nothing_that_is_said_makes_it_panic(
        code: u32, text in "\\PC{0,32}|AcceptSecurityContext error, data [0-9a-g]{0,20}", value: Vec<u8>
    ) {
        let mut said = with_control(code, POLICY_CONTROL, Some(&value));
        said.text = text;
        for origin in [Origin::Template, Origin::Search] {
            let bound = judge_bind(&said, origin);
            prop_assert!(bound != Bound::In || code == 0);
        }
        let _ = (judge_search("x", &said), judge_service_bind(&said));
    }
}
