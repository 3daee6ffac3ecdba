//! The reader of statements for `fuzz/`, with what must hold of whatever it accepts.
//!
//! Only with the feature `fuzzing`, and in tests. Must never be part of a build that ships. A broken promise is a panic.

use auth::path::normalise;
use auth::permission::Method;
use bytes::BytesMut;

use super::stated::{Asked, STATEMENTS, read, values};
use crate::h1;

/// Reads what the request at the front states.
pub fn statement(data: &[u8]) {
    let Ok(Some(head)) = h1::take_request(&mut BytesMut::from(data)) else { return };
    let Some(own) = Method::parse(head.method()) else { return };
    let Ok(stated) = read(&head, own, Asked::InFields) else { return };
    // What it was read from is all that is there, and it is what a request of its own would say.
    let all =
        STATEMENTS.iter().map(|(target, ..)| *target).chain(["X-Forwarded-Method", "X-Original-Method"]);
    assert_eq!(all.map(|name| values(&head, name).count()).sum::<usize>(), 2);
    let line =
        format!("{} {} HTTP/1.0\r\n\r\n", stated.method.as_str(), String::from_utf8_lossy(&stated.target));
    let direct = h1::take_request(&mut BytesMut::from(line.as_bytes())).expect("a request").expect("whole");
    assert_eq!(direct.path_and_query(), &*stated.target);
    assert_eq!(normalise(h1::path_of(&stated.target)).expect("a path"), *stated.path);
    assert!(stated.host.is_none_or(|host| h1::is_host(host.as_bytes())));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn promises_of_the_reader_of_statements_hold(lines in proptest::collection::vec(
            ("(?i)x-(forwarded|original)-(method|ur[il])|cookie", "GET|POST|get|(http://[a-z@?#]{0,3})?/[a-c/.%2f?# ;]{0,8}"),
            0..5,
        )) {
            let fields: String = lines.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
            super::statement(format!("GET /.doorward/auth HTTP/1.0\r\n{fields}\r\n").as_bytes());
        }
    }
}
