//! Every limit of a setting, on both sides.

use super::*;
use crate::limits::*;
use auth::limits::MAX_NAME_BYTES;

#[track_caller]
fn both_sides(fits: &str, too_much: &str, says: &str) {
    assert_eq!(shown(fits), "no mistake", "{fits:.200}");
    let mistakes = shown(too_much);
    assert!(mistakes.contains(says), "{mistakes}\n{too_much:.200}");
}

fn top(keys: &str) -> String {
    format!("{keys}\n{MOUNT}")
}

fn below(keys: &str) -> String {
    format!("{MOUNT}{keys}\n")
}

#[test]
fn numbers() {
    both_sides(&top("workers = 256"), &top("workers = 257"), "257 is not between 0 and 256");
    both_sides(&top("workers = 0"), &top("workers = -1"), "-1 is not between 0 and 256");
    let login = |keys: &str| top(&format!("[login]\n{keys}"));
    both_sides(
        &login("attempts_per_user = 1"),
        &login("attempts_per_user = 0"),
        "0 is not between 1 and 100",
    );
    both_sides(&login("attempts_per_user = 100"), &login("attempts_per_user = 101"), "101 is not between");
    both_sides(
        &login("attempts_per_address = 1"),
        &login("attempts_per_address = 0"),
        "0 is not between 1 and",
    );
    both_sides(
        &login("attempts_per_address = 1000000"),
        &login("attempts_per_address = 1000001"),
        "is not between",
    );
    both_sides(&login("hash_parallel = 256"), &login("hash_parallel = 257"), "257 is not between 0 and 256");
    let length = |count: u64| login(&format!("min_password_length = {count}"));
    both_sides(
        &length(LEAST_PASSWORD_LENGTH),
        &length(LEAST_PASSWORD_LENGTH - 1),
        "7 is not between 8 and 64",
    );
    both_sides(
        &length(MOST_PASSWORD_LENGTH),
        &length(MOST_PASSWORD_LENGTH + 1),
        "65 is not between 8 and 64",
    );
    let sessions = |count: u64| below(&format!("max_sessions_per_user = {count}"));
    both_sides(
        &sessions(MAX_SESSIONS_PER_USER),
        &sessions(MAX_SESSIONS_PER_USER + 1),
        "is not between 0 and 1000000",
    );
}

#[test]
fn durations_and_sizes() {
    let login = |keys: &str| top(&format!("[login]\n{keys}"));
    both_sides(&login("window = \"1s\""), &login("window = \"999ms\""), "\"999ms\" is shorter than 1s");
    both_sides(&login("window = \"24h\""), &login("window = \"86401s\""), "is longer than 1d");
    both_sides(&login("hash_memory = \"19MiB\""), &login("hash_memory = \"19455KiB\""), "is less than 19MiB");
    both_sides(
        &login("hash_memory = \"256MiB\""),
        &login("hash_memory = \"262145KiB\""),
        "is more than 256MiB",
    );
    both_sides(
        &login("hash_memory = \"20MiB\""),
        &login("hash_memory = \"19922945B\""),
        "whole number of KiB",
    );
    both_sides(&below("idle_timeout = \"1s\""), &below("idle_timeout = \"999ms\""), "is shorter than 1s");
    both_sides(
        &below("idle_timeout = \"30d\"\nmax_lifetime = \"30d\""),
        &below("idle_timeout = \"2592001s\"\nmax_lifetime = \"30d\""),
        "is longer than 30d",
    );
    both_sides(&below("max_lifetime = \"30d\""), &below("max_lifetime = \"2592001s\""), "is longer than 30d");
    both_sides(
        &below("idle_timeout = \"1s\"\nmax_lifetime = \"1s\""),
        &below("idle_timeout = \"1s\"\nmax_lifetime = \"999ms\""),
        "is shorter than 1s",
    );
    both_sides(
        &below("idle_timeout = \"8h\""),
        &below("idle_timeout = \"28801s\""),
        "longer than the default",
    );
    let keep = |time: &str| top(&format!("[audit]\nkeep = \"{time}\""));
    both_sides(&keep("1d"), &keep("86399s"), "\"86399s\" is shorter than 1d");
    both_sides(&keep("3650d"), &keep("3651d"), "\"3651d\" is longer than 3650d");
    both_sides(
        &below("upstream_timeout = \"1ms\""),
        &below("upstream_timeout = \"0ms\""),
        "is shorter than 1ms",
    );
    both_sides(
        &below("upstream_timeout = \"1d\""),
        &below("upstream_timeout = \"86401s\""),
        "is longer than 1d",
    );
}

#[test]
fn counts() {
    let listen = |count: usize| {
        let list: Vec<String> = (0..count).map(|n| format!("\"127.0.0.1:{}\"", n + 1)).collect();
        top(&format!("listen = [{}]", list.join(",")))
    };
    both_sides(&listen(MAX_LISTENERS), &listen(MAX_LISTENERS + 1), "has 65 entries; 64 are allowed");
    let proxies = |count: usize| top(&format!("trusted_proxies = [{}]", "\"10.0.0.0/8\",".repeat(count)));
    both_sides(&proxies(MAX_TRUSTED_PROXIES), &proxies(MAX_TRUSTED_PROXIES + 1), "has 257 entries");
    let mounts = |count: usize| (0..count).map(|n| format!("{MOUNT}path = \"/{n}\"\n")).collect::<String>();
    both_sides(&mounts(MAX_MOUNTS), &mounts(MAX_MOUNTS + 1), "mount: has 65 entries");
    let routes = |count: usize| {
        below(&(0..count).map(|n| format!("[[mount.route]]\npath = \"/{n}\"\n")).collect::<String>())
    };
    both_sides(&routes(MAX_ROUTES), &routes(MAX_ROUTES + 1), "mount[0].route: has 257 entries");
    let no_refresh = |count: usize| {
        let list: Vec<String> = (0..count).map(|n| format!("\"GET:/{n}\"")).collect();
        below(&format!("no_refresh = [{}]", list.join(",")))
    };
    both_sides(
        &no_refresh(MAX_NO_REFRESH),
        &no_refresh(MAX_NO_REFRESH + 1),
        "mount[0].no_refresh: has 65 entries; 64 are allowed",
    );
    let flag = |length: usize| below(&format!("no_refresh_query = \"{}\"", "q".repeat(length)));
    both_sides(&flag(MAX_QUERY_NAME_BYTES), &flag(MAX_QUERY_NAME_BYTES + 1), "is longer than 64 bytes");
    let chain = |count: usize| {
        let list: Vec<String> = (0..count).map(|n| format!("\"r{n}\"")).collect();
        below(&format!("realms = [{}]", list.join(",")))
    };
    both_sides(&chain(MAX_REALMS), &chain(MAX_REALMS + 1), "mount[0].realms: has 65 entries");
    let told = |count: usize| {
        let list: Vec<String> = (0..count).map(|n| format!("a{n} = \"X-{n}\"")).collect();
        below(&format!("attribute_headers = {{ {} }}", list.join(",")))
    };
    let most = MAX_ATTRIBUTE_HEADERS;
    both_sides(&told(most), &told(most + 1), "mount[0].attribute_headers: has 17 entries; 16 are allowed");
    let name = |length: usize| below(&format!("attribute_headers = {{ a = \"{}\" }}", "x".repeat(length)));
    both_sides(&name(MAX_HEADER_NAME_BYTES), &name(MAX_HEADER_NAME_BYTES + 1), "is no name for it");
    let upstream = |count: usize| {
        let list: Vec<String> = (0..count).map(|n| format!("\"http://h{n}\"")).collect();
        format!("[[mount]]\nupstream = [{}]", list.join(","))
    };
    both_sides(&upstream(MAX_UPSTREAMS), &upstream(MAX_UPSTREAMS + 1), "has 65 entries");
    let realms = |count: usize| {
        below(
            &(0..count).map(|n| format!("[[realm]]\nname = \"r{n}\"\ntype = \"jwt\"\n")).collect::<String>(),
        )
    };
    both_sides(&realms(MAX_REALMS), &realms(MAX_REALMS + 1), "realm: has 65 entries");
    let roles = |count: usize| {
        let list: Vec<String> = (0..count).map(|n| format!("\"r{n}\"")).collect();
        below(&format!("[[realm]]\nname = \"r\"\ntype = \"jwt\"\nroles = [{}]", list.join(",")))
    };
    both_sides(&roles(MAX_ROLES), &roles(MAX_ROLES + 1), "has 257 entries");
    let name =
        |length: usize| below(&format!("[[realm]]\nname = \"{}\"\ntype = \"jwt\"\n", "r".repeat(length)));
    both_sides(&name(MAX_NAME_BYTES), &name(MAX_NAME_BYTES + 1), "is longer than 128 bytes");
}

#[test]
fn texts() {
    let padded = |length: usize| format!("{MOUNT}#{}", "x".repeat(length - MOUNT.len() - 1));
    both_sides(&padded(MAX_SETTINGS_BYTES), &padded(MAX_SETTINGS_BYTES + 1), "is longer than 1048576 bytes");
    let data = |length: usize| {
        let environment =
            Tables::default().with_variable("D", &"x".repeat(length)).with_file("d", "x".repeat(length));
        ["{ env = \"D\" }", "{ file = \"d\" }"].map(|reference| {
            Settings::parse("d.toml", &top(&format!("data = {reference}")), &environment).is_ok()
        })
    };
    assert_eq!(data(MAX_REFERENCE_BYTES), [true, true]);
    assert_eq!(data(MAX_REFERENCE_BYTES + 1), [false, false]);
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let chain = |length: usize| {
        let padding = "\n".repeat(length - certificate.len());
        let environment =
            Tables::default().with_file("c", format!("{certificate}{padding}")).with_file("k", key.clone());
        let text = top("listen = { address = \"127.0.0.1:1\", certificate = \"c\", key = \"k\" }");
        Settings::parse("d.toml", &text, &environment).is_ok()
    };
    assert!(chain(MAX_PEM_BYTES));
    assert!(!chain(MAX_PEM_BYTES + 1));
}

#[test]
fn nesting() {
    // The realm's table itself is three levels deep: the list, the table, the key.
    let deep = |open: &str, close: &str, count: usize| {
        below(&format!(
            "[[realm]]\nname = \"r\"\ntype = \"jwt\"\nx = {}1{}",
            open.repeat(count),
            close.repeat(count)
        ))
    };
    for (open, close) in [("[", "]"), ("{ a = ", " }")] {
        both_sides(
            &deep(open, close, MAX_DEPTH - 3),
            &deep(open, close, MAX_DEPTH - 2),
            "nested deeper than 32 levels",
        );
        assert!(shown(&deep(open, close, 100_000)).contains("doorward.toml:"));
    }
    let dotted = |count: usize| {
        below(&format!("[[realm]]\nname = \"r\"\ntype = \"jwt\"\n{}x = 1", "a.".repeat(count)))
    };
    both_sides(&dotted(MAX_DEPTH - 3), &dotted(MAX_DEPTH - 2), "nested deeper than 32 levels");
    for hostile in [
        dotted(100_000),
        format!("[{}x]", "a.".repeat(100_000)),
        format!("[[{}x]]", "a .\t".repeat(100_000)),
        format!("x = {{ {}x = 1 }}", "a.".repeat(100_000)),
        format!("x = [\n{{ {}x = 1 }}]", "\"a\".'b'.".repeat(50_000)),
        format!("x = [ 'a', {{ \"\\\"\".{}x = 1 }}]", "a.".repeat(100_000)),
    ] {
        assert!(shown(&hostile).contains("nested deeper than 32 levels"), "{hostile:.60}");
    }
    // Dots elsewhere are no nesting.
    let dots = format!("data = \"{}\" # {}", "./".repeat(1000), "a.".repeat(1000));
    assert_eq!(shown(&top(&dots)), "no mistake");
    assert_eq!(shown(&top(&format!("data = '''\n{}'''", "a.\"".repeat(1000)))), "no mistake");
}
