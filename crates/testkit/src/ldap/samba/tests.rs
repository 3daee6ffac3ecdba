//! Tests of `samba` against the real thing: one domain, asked everything, because it takes seconds to make.

use super::*;
use crate::ldap::Slow;
use std::net::TcpStream;

/// The sub-code of an answer: nothing where the bind succeeded.
fn sub_code(bind: &Bind) -> Option<&str> {
    assert!(matches!(bind.code, 0 | 49), "{bind:?}");
    let (_, rest) = bind.text.split_once("AcceptSecurityContext error, data ")?;
    rest.split_once(", v1db1").map(|(code, _)| code)
}

fn upn(name: &str) -> String {
    format!("{name}@{DOMAIN}")
}

/// Accounts in every state, with the sub-code that the right password gets.
fn states() -> [(DomainUser, &'static str); 6] {
    let user = |name: &str| DomainUser::named(name, "secret");
    [
        (user("hours").with("logonHours", [0; 21]), "530"),
        (user("old").password_expired(), "532"),
        (user("disabled").disabled(), "533"),
        (user("expired").expired(), "701"),
        (user("must").must_change(), "773"),
        (user("locked").locked(), "775"),
    ]
}

fn lee() -> DomainUser {
    DomainUser::named("lee", "secret").cn("Lee, Ann").mail("lee@example.org").display_name("Ann Lee")
}

fn domain() -> Samba {
    let alice = DomainUser::named("alice", "sécret").mail("alice@example.org");
    Samba::new()
        .users(states().map(|(user, _)| user))
        .user(lee())
        .user(alice.principal("a.example@ad.example.org"))
        .group(DomainGroup::named("inner").user("alice").member(&lee().dn()))
        .group(DomainGroup::named("middle").nested("inner"))
        .group(DomainGroup::named("outer").nested("middle"))
        .start()
}

#[test]
fn one_domain_is_as_the_table_and_the_methods_say() {
    let mut samba = domain();
    sub_codes_are_as_the_table_has_them(&samba);
    names_have_five_forms(&samba);
    groups_are_nested_three_deep(&samba);
    certificates_are_right(&samba);
    it_changes_while_it_runs(&samba);
    it_is_killed_and_frozen_and_starts_again(&mut samba);
}

fn sub_codes_are_as_the_table_has_them(samba: &Samba) {
    for (user, code) in states() {
        let who = upn(user.name());
        assert_eq!(sub_code(&samba.bind(&who, "secret")), Some(code), "{who}");
        let wrong = if code == "775" { "775" } else { "52e" };
        assert_eq!(sub_code(&samba.bind(&who, "wrong")), Some(wrong), "{who}");
        assert_eq!(sub_code(&samba.bind(&who, "")), Some(wrong), "{who}");
    }
    assert_eq!(sub_code(&samba.bind(&upn("lee"), "wrong")), Some("52e"));
}

fn names_have_five_forms(samba: &Samba) {
    let alice = Samba::user_dn("alice");
    for who in
        [&alice, "a.example@ad.example.org", "alice@ad.example.org", "EXAMPLE\\alice", "example\\ALICE"]
    {
        assert_eq!(sub_code(&samba.bind(who, "sécret")), None, "{who}");
    }
    assert_eq!(sub_code(&samba.bind(&lee().dn(), "secret")), None);
    assert_eq!(sub_code(&samba.bind(Samba::SERVICE_DN, Samba::SERVICE_PASSWORD)), None);
    let nobody = Samba::user_dn("nobody");
    for who in [&nobody, "nobody@ad.example.org", "EXAMPLE\\nobody", "nobody", "alice", "alice@elsewhere.org"]
    {
        assert_eq!(sub_code(&samba.bind(who, "sécret")), Some("52e"), "{who}");
    }
}

fn groups_are_nested_three_deep(samba: &Samba) {
    let alice = Samba::user_dn("alice");
    assert_eq!(samba.values(&alice, "memberOf"), [Samba::group_dn("inner")]);
    assert_eq!(samba.values(&alice, "mail"), ["alice@example.org"]);
    let url = samba.tls_url();
    let filter = format!("(member:1.2.840.113556.1.4.1941:={alice})");
    let service = ["-D", Samba::SERVICE_DN, "-w", Samba::SERVICE_PASSWORD];
    let asked = ["-x", "-LLL", "-H", &url, "-b", SUFFIX, &filter, "cn"];
    let text = must_run("ldapsearch", &[&service[..], &asked].concat(), &Trust::Anybody);
    let mut found: Vec<_> = text.lines().filter_map(|line| value_of(line, "cn")).collect();
    found.sort();
    assert_eq!(found, [&b"inner"[..], b"middle", b"outer"]);
    assert!(text.contains("# refldaps://ad.example.org/"), "{text}");
}

fn certificates_are_right(samba: &Samba) {
    let authority = samba.authority().file();
    let ask = |url: &str| Whoami::new(url, "alice@ad.example.org", "sécret").by_search().trusting(&authority);
    assert_eq!(ask(&samba.tls_url()).ask().code, 0);
    assert_eq!(ask(&samba.url()).start_tls().ask().code, 0);
    let plain = ask(&samba.url()).ask();
    assert_eq!(plain.code, 8, "{plain:?}");
    let line = Slow::before_address(samba.tls_address(), Duration::from_millis(1));
    assert_eq!(ask(&format!("ldaps://localhost:{}", line.port())).ask().code, 0);
}

fn it_changes_while_it_runs(samba: &Samba) {
    samba.add_user(&DomainUser::named("late", "first"));
    samba.add_group(&DomainGroup::named("added").user("late"));
    let late = Samba::user_dn("late");
    assert_eq!(samba.values(&late, "memberOf"), [Samba::group_dn("added")]);
    samba.remove_member("added", &late);
    samba.add_member("middle", &late);
    assert_eq!(samba.values(&late, "memberOf"), [Samba::group_dn("middle")]);
    samba.set_password(&late, "second");
    assert_eq!(sub_code(&samba.bind(&late, "second")), None);
    samba.disable(&late);
    assert_eq!(sub_code(&samba.bind(&late, "second")), Some("533"));
    samba.enable(&late);
    assert_eq!(sub_code(&samba.bind(&late, "second")), None);
    samba.replace(&late, "mail", &[b"late@example.org"]);
    assert_eq!(samba.values(&late, "mail"), ["late@example.org"]);
    samba.delete(&late);
    assert_eq!(sub_code(&samba.bind(&late, "second")), Some("52e"));
}

fn it_is_killed_and_frozen_and_starts_again(samba: &mut Samba) {
    for stop in [Samba::kill, Samba::stop] {
        stop(samba);
        assert!(!samba.is_running());
        assert!(TcpStream::connect(samba.address()).is_err());
        samba.start_again();
        assert_eq!(sub_code(&samba.bind("alice@ad.example.org", "sécret")), None);
    }
    assert!(samba.log().contains("samba version"), "{}", samba.log());
    samba.freeze();
    assert!(TcpStream::connect(samba.address()).is_ok(), "the kernel still accepts");
    samba.thaw();
    assert_eq!(sub_code(&samba.bind("alice@ad.example.org", "sécret")), None);
}

#[test]
fn two_domains_live_side_by_side_and_one_takes_plain_binds_with_a_wrong_name() {
    let alice = || DomainUser::named("alice", "secret");
    let first = Samba::new().user(alice()).plain_binds().start();
    let second = Samba::new().user(alice()).certificate(Certificate::WrongName).start();
    assert_ne!(first.address(), second.address());
    let plain = Whoami::new(&first.url(), &upn("alice"), "secret").by_search().ask();
    assert_eq!(plain.code, 0, "{plain:?}");
    let wrong = Whoami::new(&second.tls_url(), &upn("alice"), "secret").trusting(&second.authority().file());
    assert_eq!(wrong.by_search().ask().code, 255);
    assert_eq!(sub_code(&second.bind(&upn("alice"), "secret")), None);
}
