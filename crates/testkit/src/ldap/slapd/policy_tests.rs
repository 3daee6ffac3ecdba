//! What slapd's password policy says to a bind that asks for it: the table in `ldap/mod.rs`.

use super::*;

#[test]
fn what_the_policy_says_is_as_the_table_has_it() {
    let slapd = Slapd::new()
        .user(User::named("disabled", "secret").disabled())
        .user(User::named("eager", "secret"))
        .user(User::named("reset", "secret"))
        .policy("pwdMaxFailure", "2")
        .start();
    let say = |uid: &str, password: &str| {
        let bind = slapd.bind(&user_dn(uid), password);
        (bind.code, bind.text.lines().last().unwrap_or_default().to_owned())
    };
    let said = |code: i32, text: &str| (code, format!("ldap_bind: {text}"));
    let locked = said(49, "Invalid credentials (49); Account locked");
    let wrong = said(49, "Invalid credentials (49)");
    assert_eq!(say("disabled", "secret"), locked);
    assert_eq!(say("disabled", "wrong"), locked);
    assert_eq!(say("eager", "wrong"), wrong);
    assert_eq!(say("eager", "wrong"), wrong);
    assert_eq!(say("eager", "wrong"), locked);
    assert_eq!(say("eager", "secret"), locked);
    assert_eq!(say("nobody", "secret"), wrong);
    slapd.set_password("reset", "other");
    assert_eq!(say("reset", "other"), said(0, "Success (0); Password must be changed"));
    slapd.enable("disabled");
    assert_eq!(slapd.bind(&user_dn("disabled"), "secret").code, 0);
    slapd.disable("disabled");
    assert_eq!(say("disabled", "secret"), locked);
}

#[test]
fn old_passwords_expire_with_a_warning_before_and_perhaps_some_grace() {
    let plan = || {
        let old = User::named("old", "secret").with("pwdChangedTime", "20200101000000Z");
        Slapd::new().user(old).policy("pwdMaxAge", "1000").policy("pwdMustChange", "FALSE")
    };
    let last = |slapd: &Slapd, uid: &str, password: &str| {
        slapd.bind(&user_dn(uid), password).text.lines().last().unwrap_or_default().to_owned()
    };
    let expired = "ldap_bind: Invalid credentials (49); Password expired";
    let slapd = plan().policy("pwdExpireWarning", "2000").start();
    assert_eq!(last(&slapd, "old", "secret"), expired);
    assert_eq!(last(&slapd, "old", "wrong"), "ldap_bind: Invalid credentials (49)");
    slapd.set_password("old", "new");
    let warned = last(&slapd, "old", "new");
    assert!(warned.starts_with("ldap_bind: Success (0) (Password expires in "), "{warned}");
    let slapd = plan().policy("pwdGraceAuthNLimit", "1").start();
    let grace = "ldap_bind: Success (0) (Password expired, 0 grace logins remain)";
    assert_eq!(last(&slapd, "old", "secret"), grace);
    assert_eq!(last(&slapd, "old", "secret"), expired);
}

#[test]
fn who_does_not_ask_is_told_nothing_and_who_must_change_may_not_search() {
    let disabled = User::named("disabled", "secret").disabled();
    let slapd = Slapd::new().user(disabled).user(User::named("reset", "secret")).start();
    slapd.set_password("reset", "other");
    let search = |uid: &str, password: &str| {
        let (url, dn) = (slapd.url(), user_dn(uid));
        let arguments = ["-x", "-H", &url, "-D", &dn, "-w", password, "-b", &dn, "-s", "base"];
        let ended = crate::ldap::tool::run_tool("ldapsearch", &arguments, &Trust::Nobody);
        (ended.code, format!("{}{}", ended.stdout, ended.stderr))
    };
    let (code, text) = search("disabled", "secret");
    assert_eq!((code, text.as_str()), (Some(49), "ldap_bind: Invalid credentials (49)\n"));
    let (code, text) = search("reset", "other");
    assert_eq!(code, Some(50), "{text}");
    let restricted = "Operations are restricted to bind/unbind/abandon/StartTLS/modify password";
    assert!(text.contains(restricted), "{text}");
}
