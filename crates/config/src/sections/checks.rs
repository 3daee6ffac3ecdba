//! What two settings say to each other. `settings.rs` calls this when all sections are read. It must never repeat what a
//! section checks by itself.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use auth::RealmName;

use super::identity_token;
use super::listen::Listen;
use super::mount::Mount;
use super::realm::{Realm, RealmType};
use super::upstream::Upstream;
use crate::mistake::Report;
use crate::settings::Settings;

/// Checks the settings as a whole. `overridden` tells that the backend comes from the command line.
pub(crate) fn check(settings: &Settings, overridden: bool, report: &mut Report) {
    check_addresses(settings, report);
    check_mounts(settings, overridden, report);
    check_realms(&settings.realms, report);
}

fn check_addresses(settings: &Settings, report: &mut Report) {
    for (index, listen) in settings.listen.iter().enumerate() {
        let address = listen.address;
        if let Some((how, earlier)) = first_collision(address, &settings.listen[..index]) {
            report.add(&listen.key, format!("{address} {how} {earlier}"));
        }
    }
    if let Some(admin) = settings.admin
        && let Some((how, other)) = first_collision(admin, &settings.listen)
    {
        let message = format!("{admin} {how} {other}, where clients connect: it needs an address of its own");
        report.add("admin", message);
    }
}

fn first_collision(address: SocketAddr, listen: &[Listen]) -> Option<(&'static str, SocketAddr)> {
    listen.iter().find_map(|other| Some((collision(address, other.address)?, other.address)))
}

/// How two addresses get into each other's way, as a verb. The system would let both be bound and share the connections out.
fn collision(one: SocketAddr, other: SocketAddr) -> Option<&'static str> {
    if one.port() != other.port() || one.port() == 0 || one.is_ipv4() != other.is_ipv4() {
        return None;
    }
    if one.ip() == other.ip() {
        return Some("is the same as");
    }
    (one.ip().is_unspecified() || other.ip().is_unspecified()).then_some("overlaps with")
}

fn check_mounts(settings: &Settings, overridden: bool, report: &mut Report) {
    if settings.mounts.is_empty() && !report.speaks_of("mount") {
        report.add("mount", "is missing: without a [[mount]] there is nothing to serve");
    }
    for (index, mount) in settings.mounts.iter().enumerate() {
        let same = |earlier: &Mount| earlier.path == mount.path && !mount.path.is_empty();
        if settings.mounts[..index].iter().any(same) {
            report.add(&format!("{}.path", mount.key), format!("{:?} is mounted already", mount.path));
        }
        identity_token::check_audiences(mount, &settings.issuer, report);
        check_forward_auth(settings, mount, report);
        let key = if overridden { "--upstream".to_owned() } else { format!("{}.upstream", mount.key) };
        check_loop(settings, &mount.upstream, &key, report);
        for route in &mount.routes {
            let key = format!("{}.upstream", route.key);
            check_loop(settings, route.upstream.as_deref().unwrap_or_default(), &key, report);
        }
    }
}

/// Nobody is answered who asks about requests that he holds, unless he is a trusted proxy.
fn check_forward_auth(settings: &Settings, mount: &Mount, report: &mut Report) {
    if !settings.trusted_proxies.is_empty() || report.speaks_of("trusted_proxies") {
        return;
    }
    let key = format!("{}.upstream", mount.key);
    if mount.upstream.is_empty() && !report.speaks_of(&key) {
        let message = "is an empty list: at least one backend is needed, or `trusted_proxies` that ask at /.doorward/auth";
        report.add(&key, message.to_owned());
    }
    for (key, _) in mount.identity_tokens().filter(|(_, token)| token.forward_auth) {
        let message = "has no effect: nobody may ask at /.doorward/auth without `trusted_proxies`";
        report.add(&format!("{key}.identity_token.forward_auth"), message.to_owned());
    }
}

/// A backend that is the gateway itself would be asked for ever.
fn check_loop(settings: &Settings, upstream: &[Upstream], key: &str, report: &mut Report) {
    for one in upstream {
        let addresses = settings.listen.iter().map(|listen| listen.address).chain(settings.admin);
        if let Some(own) = addresses.into_iter().find(|own| reaches(one, *own)) {
            report.add(key, format!("\"{one}\" is this gateway itself, which listens on {own}"));
        }
    }
}

fn reaches(upstream: &Upstream, own: SocketAddr) -> bool {
    let loopback = |ip: IpAddr| ip.is_loopback() || ip.is_unspecified();
    if upstream.port != own.port() {
        return false;
    }
    match upstream.address() {
        Some(ip) => {
            ip == own.ip() || (loopback(ip) && own.ip().is_unspecified() && ip.is_ipv4() == own.is_ipv4())
        }
        None => {
            upstream.host == "localhost"
                && (own.ip().is_unspecified()
                    || own.ip() == IpAddr::V4(Ipv4Addr::LOCALHOST)
                    || own.ip() == IpAddr::V6(Ipv6Addr::LOCALHOST))
        }
    }
}

fn check_realms(realms: &[Realm], report: &mut Report) {
    for (index, realm) in realms.iter().enumerate() {
        if realms[..index].iter().any(|earlier| earlier.name == realm.name) {
            report.add(
                &format!("{}.name", realm.key()),
                format!("\"{}\" is the name of another realm", realm.name),
            );
        }
        if realm.name == RealmName::native() && realm.kind != RealmType::Native {
            let message = format!(
                "\"{}\" cannot be the type of the realm native, which is always there",
                realm.kind.as_str()
            );
            report.add(&format!("{}.type", realm.key()), message);
        }
    }
}
