//! Tests of `slapd` against the real thing, heard by OpenLDAP's own command line tools.

use super::*;
use crate::ldap::Slow;
use std::net::TcpStream;
use std::time::Duration;

fn small() -> SlapdPlan {
    Slapd::new()
        .user(User::named("alice", "correct horse").mail("alice@example.org").cn("Alice Example"))
        .user(User::named("bob", "battery staple").hashed())
        .group(Group::named("inner").user("alice"))
        .group(Group::named("outer").nested("inner").user("bob"))
        .posix_group(PosixGroup::named("posix", 5000).user("alice"))
}

/// `ldapsearch` over TCP; gives the exit code and the output.
fn search(slapd: &Slapd, dn: &str, password: &str, more: &[&str]) -> (i32, String) {
    let url = slapd.url();
    let mut arguments = vec!["-x", "-LLL", "-o", "ldif-wrap=no", "-H", &url];
    if !dn.is_empty() {
        arguments.extend(["-D", dn, "-w", password]);
    }
    arguments.extend(more);
    let ended = crate::ldap::tool::run_tool("ldapsearch", &arguments, &Trust::Nobody);
    (ended.code.unwrap(), format!("{}{}", ended.stdout, ended.stderr))
}

fn entries(text: &str) -> usize {
    text.lines().filter(|line| line.starts_with("dn:")).count()
}

fn code(slapd: &Slapd, uid: &str, password: impl AsRef<[u8]>) -> i32 {
    slapd.bind(&user_dn(uid), password).code
}

#[test]
fn users_bind_and_have_their_groups() {
    let slapd = small().start();
    assert_eq!(code(&slapd, "alice", "correct horse"), 0);
    assert_eq!(code(&slapd, "bob", "battery staple"), 0);
    assert_eq!(code(&slapd, "alice", "wrong"), 49);
    assert_eq!(code(&slapd, "nobody", "wrong"), 49);
    assert_eq!(slapd.values(&user_dn("alice"), "memberOf"), [group_dn("inner")]);
    assert_eq!(slapd.values(&group_dn("inner"), "memberOf"), [group_dn("outer")]);
    assert_eq!(slapd.values(&group_dn("posix"), "memberUid"), ["alice"]);
    assert!(slapd.values(&user_dn("bob"), "userPassword")[0].starts_with("{SSHA}"));
    assert_eq!(slapd.values(&user_dn("alice"), "mail"), ["alice@example.org"]);
}

#[test]
fn passwords_are_kept_byte_by_byte() {
    let long = "x".repeat(1000);
    let passwords: [&[u8]; 6] = [
        "pässwörd ✓".as_bytes(),
        b"nul\0inside",
        b" spaces ",
        b"{SSHA}not a hash",
        long.as_bytes(),
        b"line\n",
    ];
    let name = |index: usize, kind: &str| format!("{kind}{index}");
    let users = passwords.iter().enumerate().flat_map(|(index, password)| {
        [User::named(&name(index, "plain"), password), User::named(&name(index, "hashed"), password).hashed()]
    });
    let slapd = Slapd::new().users(users).start();
    for (index, password) in passwords.iter().enumerate() {
        for kind in ["plain", "hashed"] {
            assert_eq!(code(&slapd, &name(index, kind), password), 0, "{kind} {password:?}");
            let cut = &password[..password.len() - 1];
            assert_eq!(code(&slapd, &name(index, kind), cut), 49, "{kind} {cut:?}");
        }
    }
}

#[test]
fn it_changes_while_it_runs() {
    let slapd = small().policy("pwdMustChange", "FALSE").start();
    slapd.add_user(&User::named("carol", "old").mail("carol@example.org"));
    slapd.add_group(&Group::named("late").user("carol"));
    slapd.add_posix_group(&PosixGroup::named("later", 5001));
    assert_eq!(code(&slapd, "carol", "old"), 0);
    assert_eq!(slapd.values(&user_dn("carol"), "memberOf"), [group_dn("late")]);
    slapd.set_password("carol", b"new\0one");
    assert_eq!((code(&slapd, "carol", "old"), code(&slapd, "carol", b"new\0one")), (49, 0));
    slapd.add_member("inner", &user_dn("carol"));
    slapd.remove_member("inner", &user_dn("alice"));
    assert_eq!(slapd.values(&user_dn("alice"), "memberOf"), [""; 0]);
    slapd.add_member("inner", &group_dn("outer"));
    assert_eq!(slapd.values(&group_dn("outer"), "memberOf"), [group_dn("inner")]);
    slapd.replace(&user_dn("carol"), "mail", &[b"c@example.org"]);
    assert_eq!(slapd.values(&user_dn("carol"), "mail"), ["c@example.org"]);
    slapd.delete(&user_dn("carol"));
    assert_eq!(code(&slapd, "carol", b"new\0one"), 49);
    assert_eq!(slapd.values(&group_dn("inner"), "member"), [group_dn("outer")]);
}

#[test]
fn names_with_specials_are_entries_like_others() {
    let odd = ["a,b", "a*b", "(a)", "a\\b", "#a", " a", "a=b+c", "é", "a\"b;<>"];
    let slapd = Slapd::new().users(odd.map(|uid| User::named(uid, uid))).start();
    for uid in odd {
        assert_eq!(code(&slapd, uid, uid), 0, "{uid:?}");
    }
}

#[test]
fn only_the_service_reads_others_and_only_users_read_groups() {
    let slapd = small().start();
    let (service, password) = (Slapd::SERVICE_DN, Slapd::SERVICE_PASSWORD);
    let people = ["-b", Slapd::PEOPLE, "(uid=*)", "userPassword", "mail"];
    let (ended, text) = search(&slapd, service, password, &people);
    assert_eq!((ended, entries(&text)), (0, 2), "{text}");
    assert!(!text.contains("userPassword"), "{text}");
    let alice = user_dn("alice");
    let (_, text) = search(&slapd, &alice, "correct horse", &people);
    assert_eq!(entries(&text), 0, "{text}");
    let own = ["-b", &alice, "-s", "base"];
    assert_eq!(entries(&search(&slapd, &alice, "correct horse", &own).1), 1);
    let groups = ["-b", Slapd::GROUPS, "(member=*)"];
    assert_eq!(entries(&search(&slapd, &alice, "correct horse", &groups).1), 2);
    for what in [&people[..], &groups, &own] {
        let (ended, text) = search(&slapd, "", "", what);
        assert_eq!((ended, entries(&text)), (32, 0), "{text}");
    }
}

#[test]
fn reading_can_be_opened_and_closed() {
    let slapd = small().anonymous_reading().hides_own_entry().start();
    let people = ["-b", Slapd::PEOPLE, "(uid=*)"];
    assert_eq!(entries(&search(&slapd, "", "", &people).1), 2);
    let alice = user_dn("alice");
    let (ended, _) = search(&slapd, &alice, "correct horse", &["-b", &alice, "-s", "base"]);
    assert_eq!(ended, 32);
    assert_eq!(slapd.bind(&alice, "correct horse").code, 0);
}

#[test]
fn an_empty_password_is_refused_unless_anonymous_binds_may_have_a_name() {
    let slapd = small().start();
    let refused = slapd.bind(&user_dn("alice"), "");
    assert_eq!(refused.code, 53, "{refused:?}");
    assert!(refused.text.contains("unauthenticated bind (DN with no password) disallowed"), "{refused:?}");
    let slapd = small().bind_anon_dn().start();
    let let_in = slapd.bind(&user_dn("alice"), "");
    assert_eq!((let_in.code, let_in.text.as_str()), (0, "anonymous\n"));
    assert_eq!(slapd.bind(&user_dn("nobody"), "").code, 0);
}

#[test]
fn a_size_limit_needs_pages() {
    let users = (0..25).map(|number| User::named(&format!("user{number}"), "secret"));
    let slapd = Slapd::new().users(users).size_limit(10).start();
    let (service, password) = (Slapd::SERVICE_DN, Slapd::SERVICE_PASSWORD);
    let (ended, text) = search(&slapd, service, password, &["-b", Slapd::PEOPLE, "(uid=*)"]);
    assert_eq!((ended, entries(&text)), (4, 10), "{text}");
    let paged = ["-b", Slapd::PEOPLE, "-E", "pr=7/noprompt", "(uid=*)"];
    let (ended, text) = search(&slapd, service, password, &paged);
    assert_eq!((ended, entries(&text)), (0, 25), "{text}");
}

#[test]
fn certificates_are_right_or_wrong_in_the_way_asked_for() {
    let authority = Authority::new();
    let alice = user_dn("alice");
    let ask = |certificate| {
        let slapd = small().authority(&authority).certificate(certificate).start();
        let whoami = |url: &str| Whoami::new(url, &alice, "correct horse").trusting(&authority.file());
        let implicit = whoami(&slapd.tls_url()).ask();
        let started = whoami(&slapd.url()).start_tls().ask();
        // Nothing was sent in the clear after TLS had failed.
        (implicit.code, started.code, slapd.binds().len())
    };
    assert_eq!(ask(Certificate::Right), (0, 0, 2));
    for wrong in [Certificate::WrongName, Certificate::Expired, Certificate::SelfSigned] {
        let (implicit, started, binds) = ask(wrong);
        assert!(implicit != 0 && started != 0, "{wrong:?}");
        assert_eq!(binds, 0, "{wrong:?}");
    }
    let slapd = small().start();
    let stranger = Whoami::new(&slapd.tls_url(), &alice, "correct horse").trusting(&authority.file()).ask();
    assert_eq!(stranger.code, 255, "another authority's: {stranger:?}");
}

#[test]
fn the_log_tells_binds_and_filters_of_clients_alone() {
    let slapd = small().start();
    assert_eq!((slapd.binds(), slapd.filters()), (vec![], vec![]));
    let (service, password) = (Slapd::SERVICE_DN, Slapd::SERVICE_PASSWORD);
    let _wrong = slapd.bind(&user_dn("a,b"), "wrong");
    let _found = search(&slapd, service, password, &["-b", Slapd::PEOPLE, "(uid=a\\2a\\29\\28b\\00)"]);
    let _own = slapd.values(&user_dn("alice"), "memberOf");
    assert_eq!(slapd.binds(), ["uid=a\\2Cb,ou=people,dc=example,dc=org", service]);
    assert_eq!(slapd.filters(), ["(uid=a\\2A\\29\\28b\\00)"]);
    assert!(
        slapd.log().iter().any(|line| line.contains("SRCH base=\"ou=people,dc=example,dc=org\" scope=2"))
    );
    slapd.clear_log();
    let _found = search(&slapd, service, password, &["-b", Slapd::PEOPLE, "(uid=b)"]);
    assert_eq!((slapd.binds().len(), slapd.filters()), (1, vec!["(uid=b)".to_owned()]));
}

#[test]
fn it_is_killed_stopped_frozen_and_starts_again_where_it_was() {
    let mut slapd = small().start();
    let (port, tls_port) = (slapd.port(), slapd.tls_port());
    slapd.add_user(&User::named("dave", "here to stay"));
    for stop in [Slapd::kill, Slapd::stop] {
        stop(&mut slapd);
        assert!(!slapd.is_running());
        assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
        assert!(TcpStream::connect(("127.0.0.1", tls_port)).is_err());
        slapd.start_again();
        assert_eq!((slapd.port(), slapd.tls_port()), (port, tls_port));
        assert_eq!(code(&slapd, "dave", "here to stay"), 0);
    }
    slapd.freeze();
    let (url, alice) = (slapd.url(), user_dn("alice"));
    let asking = std::thread::spawn(move || Whoami::new(&url, &alice, "correct horse").ask());
    assert!(TcpStream::connect(("127.0.0.1", port)).is_ok(), "the kernel still accepts");
    assert!(!asking.is_finished());
    slapd.thaw();
    assert_eq!(asking.join().unwrap().code, 0);
    let folder = slapd.folder.path().to_owned();
    slapd.freeze();
    drop(slapd);
    assert!(!folder.exists() && TcpStream::connect(("127.0.0.1", port)).is_err());
}

#[test]
fn a_slow_line_lies_before_it() {
    let slapd = small().start();
    let line = Slow::before(slapd.port(), Duration::from_millis(1));
    let url = format!("ldap://localhost:{}", line.port());
    let ask = || Whoami::new(&url, &user_dn("alice"), "correct horse").ask();
    assert_eq!(ask().code, 0);
    line.refuse();
    assert_eq!(ask().code, 255);
}

#[test]
fn ten_thousand_users_load_before_patience_ends() {
    // `slapadd` and the start each panic where they take longer than `PATIENCE`.
    let users = (0..10_000).map(|number| User::named(&format!("user{number}"), format!("secret{number}")));
    let slapd = Slapd::new().users(users).start();
    assert_eq!(code(&slapd, "user9999", "secret9999"), 0);
}
