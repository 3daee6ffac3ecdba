//! Cookies: many, long, and nearly called like ours.

use testkit::raw;

use super::Stage;
use crate::common::code;

impl Stage {
    /// Status and code for a request with exactly these lines.
    fn answers(&self, lines: &str) -> (u16, String) {
        let answer =
            raw::once(self.gateway.address(), format!("GET /api/x HTTP/1.1\r\nHost: a\r\n{lines}\r\n"));
        (answer.status, code(&answer))
    }
}

#[test]
fn case_31_a_thousand_cookies_and_64_kib_of_them() {
    let stage = Stage::new();
    let many: Vec<String> = (0..1_000).map(|number| format!("cookie{number}=value{number}")).collect();
    let many = many.join("; ");
    let expected = (200, String::new());
    assert_eq!(stage.answers(&format!("Cookie: {many}; {}\r\n", stage.cookie)), expected);
    let seen = stage.backend.requests().pop().unwrap();
    assert_eq!(seen.header("cookie"), Some(many.as_str()), "all but ours, as they came");
    for lines in [
        format!("Cookie: {}; big={}\r\n", stage.cookie, "x".repeat(65_536)),
        format!("Cookie: {}\r\n", format!("{}; ", stage.cookie).repeat(1_400)),
    ] {
        assert_eq!(stage.answers(&lines), (431, "header-too-large".to_owned()));
    }
    assert_eq!(stage.answers(&format!("Cookie: {}; big={}\r\n", stage.cookie, "x".repeat(30_000))), expected);
    let odd = ";;;===,,,\t ;=;==;\"";
    assert_eq!(
        stage.answers(&format!("Cookie: {odd}{}\r\n", ";".repeat(20_000))),
        (401, "unauthorized".to_owned())
    );
}

#[test]
fn case_31_names_that_only_look_like_ours() {
    let stage = Stage::new();
    let token = stage.cookie.trim_start_matches("id=").to_owned();
    for name in [
        "ID",
        "Id",
        "__Host-id",
        "__Secure-id",
        "__host-id",
        "$id",
        "\"id\"",
        "id ",
        "id\u{a0}",
        "idx",
        "xid",
        "i d",
        "%69d",
        "=id",
        "id_",
        "id[]",
        "_id",
    ] {
        let (status, code) = stage.answers(&format!("Cookie: {name}={token}\r\n"));
        assert_eq!((status, code.as_str()), (401, "unauthorized"), "{name}");
    }
    for value in [
        format!("id=\"{token}\""),
        format!("id={token}x"),
        format!("id={}", token.to_uppercase()),
        format!("id={{{token}}}"),
        format!("id= {token}"),
        format!("id={}", token.replace('-', "")),
        format!("id={}", "9".repeat(6)),
        "id=*".to_owned(),
        format!("id=%20{token}"),
        format!("id={token}%00"),
        format!("id=={token}"),
        "id=;id".to_owned() + "=x",
        format!("id={}", "a".repeat(20_000)),
    ] {
        let (status, code) = stage.answers(&format!("Cookie: {value}\r\n"));
        // A token's digits have one spelling.
        assert_eq!((status, code.as_str()), (401, "session-unknown"), "{value}");
    }
    let empty = stage.answers("Cookie: id=\r\n");
    assert_eq!(empty, (401, "unauthorized".to_owned()), "an empty cookie is none");
}

#[test]
fn asvs_42_cookies_in_one_line_or_in_many() {
    let stage = Stage::new();
    for lines in [1, 2, 50] {
        let mut pairs: Vec<String> = (0..49).map(|number| format!("c{number}=v{number}")).collect();
        pairs.insert(20, stage.cookie.clone());
        let head: String = pairs
            .chunks(50_usize.div_ceil(lines))
            .map(|line| format!("Cookie: {}\r\n", line.join("; ")))
            .collect();
        assert_eq!(stage.answers(&head).0, 200, "{lines} lines");
        let seen = stage.backend.requests().pop().unwrap();
        let left = seen.header_values("cookie").join("; ");
        pairs.remove(20);
        assert_eq!(left, pairs.join("; "), "{lines} lines");
    }
}
