//! A server that says what takes other programs down. What it can say, `net/tests/hostile.rs` tries out.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};

use testkit::ldap::{Slapd, User};

use super::house::{House, by_search};

/// Answers whatever it is asked first with 600 KB of sequences in sequences.
fn hostile() -> u16 {
    const LEVELS: u32 = 100_000;
    const HEADER: u32 = 6;
    // A bind's answer, around sequences that each have the rest within.
    let mut answer = b"\x02\x01\x01".to_vec();
    for (tag, within) in std::iter::once((0x61, LEVELS)).chain((0..LEVELS).rev().map(|within| (0x30, within)))
    {
        answer.extend([tag, 0x84]);
        answer.extend((within * HEADER).to_be_bytes());
    }
    let length = u32::try_from(answer.len()).unwrap().to_be_bytes();
    let answer = [&[0x30, 0x84][..], &length, &answer].concat();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut client in listener.incoming().map_while(Result::ok) {
            let answer = answer.clone();
            std::thread::spawn(move || {
                let mut request = [0; 1_024];
                let _asked = client.read(&mut request);
                let _hung_up_on = client.write_all(&answer);
                // Until the other side hangs up.
                let _end = client.read(&mut request);
            });
        }
    });
    port
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_nested_without_end_is_unavailable_and_the_next_server_is_asked() {
    let (hostile, slapd) = (hostile(), Slapd::new().user(User::named("alice", "secret")).start());
    let (why, _) = House::of(&by_search(&[hostile])).unavailable("alice", "secret").await;
    assert!(why.contains("the server sent a message that is nested more than"), "{why}");
    let house = House::of(&by_search(&[hostile, slapd.port()]));
    for _ in 0..2 {
        assert_eq!(house.says("alice", "secret").await, "alice");
    }
}
