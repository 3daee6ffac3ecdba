//! Logins that fail, and why nobody learns more of it than he may: the contract's rows "wrong password …", "too many
//! attempts", "the realm's server cannot be reached" (`fusion.md`).

use testkit::Recorder;
use testkit::raw::{self, Answer, Raw};

use crate::common::{as_admin, ask, assert_refused, basic, code, gateway, log_in, login_bytes, new_user};

/// All bytes of an answer but the date's.
fn undated(answer: &Answer) -> String {
    let lines = answer.head_text();
    let lines: Vec<_> = lines.lines().filter(|line| !line.starts_with("Date: ")).collect();
    format!("{}\n{}", lines.join("\n"), answer.body_text())
}

#[test]
fn asvs_56_wrong_unknown_and_disabled_are_the_same_bytes() {
    let gateway = gateway(&Recorder::start(), "");
    let address = gateway.address();
    let id = new_user(address, "gone", "a good long password", &["admin"]);
    assert_eq!(as_admin(address, "PATCH", &format!("/users/{id}"), r#"{"enabled":false}"#).0, 200);
    let cases = [
        ("admin", "wrong horse"),
        ("nobody", "a good long password"),
        ("gone", "a good long password"),
        ("gone", "x"),
    ];
    let answers = cases.map(|(user, password)| raw::once(address, login_bytes(user, password)));
    assert_refused(&answers[0], 401, "invalid-credentials", "wrong");
    for (answer, case) in answers.iter().zip(cases) {
        assert_eq!(undated(answer), undated(&answers[0]), "{case:?}");
    }
    let by_basic = cases.map(|(user, password)| {
        undated(&ask(address, "GET", "/api/session", &[("Authorization", &basic(user, password))], ""))
    });
    assert!(by_basic.iter().all(|answer| *answer == by_basic[0]), "{by_basic:#?}");
    assert!(by_basic[0].contains("{\"code\":\"invalid-credentials\"}"));
}

#[test]
fn asvs_47_too_many_attempts_are_429_with_a_time_to_come_back() {
    let settings = "[login]\nattempts_per_user = 3\nattempts_per_address = 5\nwindow = \"2m\"";
    let mut gateway = gateway(&Recorder::start(), settings);
    let address = gateway.address();
    new_user(address, "alice", "a good long password", &[]);
    for attempt in 0..3 {
        assert_refused(
            &raw::once(address, login_bytes("alice", "wrong")),
            401,
            "invalid-credentials",
            &attempt.to_string(),
        );
    }
    // The right password is not looked at either, in whatever spelling of the name and by whichever door.
    let refused = |address, name: &str, by_basic: bool| {
        let shown = basic(name, "a good long password");
        let answer = if by_basic {
            ask(address, "GET", "/api/session", &[("Authorization", &shown)], "")
        } else {
            raw::once(address, login_bytes(name, "a good long password"))
        };
        assert_refused(&answer, 429, "too-many-attempts", name);
        let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=120).contains(&wait), "{wait}");
    };
    refused(address, "alice", false);
    refused(address, "ALICE", false);
    refused(address, "alice", true);
    // Case 15: a crash in between frees nobody.
    gateway.kill();
    gateway.restart();
    refused(gateway.address(), "alice", false);
    // And the address: two more strangers, and nobody unknown to it is looked at.
    let unknown = |name| raw::once(gateway.address(), login_bytes(name, "x"));
    assert_eq!((unknown("u1").status, unknown("u2").status), (401, 401));
    assert_refused(&unknown("u3"), 429, "too-many-attempts", "the address");
}

/// Argon2id with much memory makes the queue short: whoever does not fit into it hears so at once, and it is not his
/// failure.
#[test]
fn case_20_a_realm_that_cannot_be_asked_is_503_and_no_attempt() {
    const CROWD: usize = 48;
    let backend = Recorder::start();
    let settings = "[login]\nhash_memory = \"128MiB\"\nhash_parallel = 1\nattempts_per_user = 1\nattempts_per_address = 1000";
    let gateway = gateway(&backend, settings);
    let address = gateway.address();
    let try_one = |name: &str| raw::once(address, login_bytes(name, "wrong"));
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..CROWD).map(|n| scope.spawn(move || try_one(&format!("user-{n}")))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let turned_away: Vec<_> = (0..CROWD).filter(|n| answers[*n].status == 503).collect();
    assert!(!turned_away.is_empty() && turned_away.len() < CROWD, "{}", turned_away.len());
    for (n, answer) in answers.iter().enumerate() {
        if answer.status == 503 {
            assert_refused(answer, 503, "realm-unavailable", &n.to_string());
            assert!(answer.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
        } else {
            assert_refused(answer, 401, "invalid-credentials", &n.to_string());
        }
    }
    // One failure each is the limit here.
    let looked_at = (0..CROWD).find(|n| answers[*n].status == 401).unwrap();
    assert_eq!(code(&try_one(&format!("user-{looked_at}"))), "too-many-attempts");
    assert_eq!(code(&try_one(&format!("user-{}", turned_away[0]))), "invalid-credentials");
}

#[test]
fn asvs_53_a_password_is_compared_exactly_as_it_was_sent() {
    let backend = Recorder::start();
    let gateway = gateway(&backend, "[login]\nattempts_per_user = 100");
    let address = gateway.address();
    // Nothing that repeats: what is guessed at once cannot be set.
    let mixed: String =
        (0..1_024u32).map(|n| char::from(b'!' + u8::try_from(n * n % 7_919 * 31 % 89).unwrap())).collect();
    let longest = format!("{}y", &mixed[..1_023]);
    let cases = [
        ("blank", "a good password ", vec!["a good password", " a good password "]),
        ("case", "A Good Password", vec!["a good password", "A GOOD PASSWORD"]),
        ("bcrypt", &mixed[..80], vec![&mixed[..72]]),
        ("longest", &longest, vec![&longest[..1_023], &longest[..72]]),
        ("nul", "a good\0password", vec!["a good", "a goodpassword"]),
        ("crab", "\u{1f980} \u{1f980} crabs and pass\u{e9}", vec!["\u{1f980} crabs and pass\u{e9}"]),
    ];
    for (name, password, others) in &cases {
        new_user(address, name, password, &[]);
        log_in(address, name, password);
        for other in others {
            let answer = raw::once(address, login_bytes(name, other));
            assert_refused(&answer, 401, "invalid-credentials", name);
        }
    }
    let differing = format!("{}1", &"0123456789".repeat(8)[..79]);
    assert_refused(
        &raw::once(address, login_bytes("bcrypt", &differing)),
        401,
        "invalid-credentials",
        "bcrypt",
    );
    // Asvs 65: both normal forms are one password.
    log_in(address, "crab", "\u{1f980} \u{1f980} crabs and passe\u{301}");
}

#[test]
fn case_38_a_logins_body_has_64_kib_and_no_more() {
    const GOOD: &str = r#"{"username":"admin","password":"correct horse battery"}"#;
    let gateway = gateway(&Recorder::start(), "");
    let padded = |length: usize| format!("{GOOD}{}", " ".repeat(length - GOOD.len()));
    assert_eq!(ask(gateway.address(), "POST", "/api/session", &[], &padded(64 * 1024)).status, 201);
    let mut client = Raw::connect(gateway.address());
    client.send(raw::request(
        "POST",
        "/api/session",
        &[("Content-Type", "application/json")],
        &padded(64 * 1024 + 1),
    ));
    assert_refused(&client.read_answer(), 413, "content-too-large", "one byte too long");
    // Announced, it is refused before it comes.
    let head = "POST /api/session HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 9999999999\r\n\r\n";
    assert_refused(&raw::once(gateway.address(), head), 413, "content-too-large", "announced");
    // In chunks, it is refused when it has come so far.
    let mut client = Raw::connect(gateway.address());
    client.send(format!(
        "{}\r\n",
        head.trim_end().replace("Content-Length: 9999999999", "Transfer-Encoding: chunked\r\n")
    ));
    client.send(format!("10001\r\n{}\r\n", " ".repeat(65_537)));
    assert_refused(&client.read_answer(), 413, "content-too-large", "in chunks");
}
