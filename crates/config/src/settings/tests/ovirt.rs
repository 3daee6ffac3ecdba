//! What only the dialect `ovirt` has, and `session_scope`.

use super::*;
use crate::limits::{MAX_PROFILE_BYTES, MAX_PROFILES, MAX_SCOPE_BYTES};
use crate::sections::ovirt::{EndSession, Ovirt};

const ENGINE: &str = "[[mount]]\ndialect = \"ovirt\"\nupstream = \"http://127.0.0.1:9000\"\n";

fn mount(more: &str) -> Mount {
    good(&format!("{ENGINE}{more}")).mounts.remove(0)
}

fn profiles(mount: &Mount) -> Vec<(&str, &str)> {
    let profiles = mount.ovirt.profiles.iter();
    profiles.map(|(profile, realm)| (profile.as_str(), realm.as_str())).collect()
}

#[test]
fn its_defaults_are_the_contracts() {
    let mount = mount("");
    assert_eq!(mount.path, "/ovirt-engine/api");
    assert_eq!((mount.idle_timeout, mount.max_lifetime), (30 * MINUTE, 600 * MINUTE));
    assert_eq!((mount.cookie_secure, mount.cookie_same_site), (CookieSecure::Auto, SameSite::Off));
    assert_eq!(mount.at_session_cap, AtSessionCap::EndOldestOfClient);
    assert_eq!(mount.ovirt, Ovirt::default());
    assert_eq!(profiles(&mount), [("internal", "native")]);
    assert_eq!((mount.ovirt.csrf_protection, mount.ovirt.end_session), (false, EndSession::Before));
    assert_eq!(mount.session_scope, None);
}

#[test]
fn each_key_is_read() {
    let mount = mount(
        "cookie_same_site = \"strict\"\nmax_sessions_per_user = 2\nat_session_cap = \"end-oldest\"\ncsrf_protection = true\n\
         end_session = \"after-response\"\nsession_scope = \"lab.1\"\nprofiles = { internal = \"native\", \"lab.org\" = \"acme\" }\n",
    );
    assert_eq!((mount.cookie_same_site, mount.at_session_cap), (SameSite::Strict, AtSessionCap::EndOldest));
    assert_eq!((mount.ovirt.csrf_protection, mount.ovirt.end_session), (true, EndSession::AfterResponse));
    assert_eq!(profiles(&mount), [("internal", "native"), ("lab.org", "acme")]);
    assert_eq!(mount.session_scope.as_deref(), Some("lab.1"));
    let plain = good(&format!("{MOUNT}session_scope = \"x\"\n")).mounts.remove(0);
    assert_eq!(plain.session_scope.as_deref(), Some("x"));
}

#[test]
fn a_key_that_has_no_effect_does_not_stand() {
    for key in ["profiles = {}", "csrf_protection = false", "end_session = \"before\""] {
        let told = shown(&format!("{MOUNT}{key}\n"));
        assert!(told.contains("means nothing to the dialect fusion: leave it out"), "{told}");
    }
    for key in ["own = []", "realms = [\"native\"]", "basic_challenge = true"] {
        let told = shown(&format!("{ENGINE}{key}\n"));
        assert!(told.contains("means nothing to the dialect ovirt, where "), "{told}");
    }
}

#[test]
fn what_is_wrong_is_told() {
    for (more, part) in [
        ("profiles = {}", "mount[0].profiles: is empty"),
        ("profiles = []", "is not a table"),
        ("profiles = { internal = 1 }", "mount[0].profiles.internal: 1 is not the name of a realm"),
        ("profiles = { internal = \"a/b\" }", "mount[0].profiles.internal: "),
        ("profiles = { \"a@b\" = \"native\" }", "is no name of a profile"),
        ("profiles = { \"\" = \"native\" }", "is no name of a profile"),
        ("end_session = \"after\"", "is not one of before, after-response"),
        ("csrf_protection = \"yes\"", "mount[0].csrf_protection: "),
        ("session_scope = \"/api\"", "is no name for it"),
        ("session_scope = \"\"", "is no name for it"),
    ] {
        let told = shown(&format!("{ENGINE}{more}\n"));
        assert!(told.contains(part), "{more}: {told}");
        assert_eq!(told.lines().count(), 1, "{more}: {told}");
    }
}

#[test]
fn names_and_lists_have_limits_on_both_sides() {
    let scope =
        |length: usize| parse(&format!("{MOUNT}session_scope = \"{}\"\n", "x".repeat(length))).is_ok();
    assert!(scope(MAX_SCOPE_BYTES) && !scope(MAX_SCOPE_BYTES + 1));
    let profile = |length: usize| {
        parse(&format!("{ENGINE}profiles = {{ \"{}\" = \"r\" }}\n", "x".repeat(length))).is_ok()
    };
    assert!(profile(MAX_PROFILE_BYTES) && !profile(MAX_PROFILE_BYTES + 1));
    let many = |count: usize| {
        let entries: Vec<String> = (0..count).map(|number| format!("p{number} = \"r\"")).collect();
        parse(&format!("{ENGINE}profiles = {{ {} }}\n", entries.join(", "))).is_ok()
    };
    assert!(many(MAX_PROFILES) && !many(MAX_PROFILES + 1));
}
