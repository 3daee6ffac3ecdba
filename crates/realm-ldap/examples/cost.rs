//! What a login through the realm costs this process in CPU, above the raw bind that it cannot do without.
//!
//! `cargo run --release -p realm-ldap --example cost [LOGINS]`. Starts a slapd of its own; only this process's CPU time is
//! counted. Must never be taken for what the directory needs.
#![allow(clippy::print_stdout, clippy::expect_used, reason = "a tool for a terminal")]

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use auth::{DirectoryImage, Realm, RealmName, Verdict};
use ldap3::LdapConnAsync;
use realm_ldap::LdapRealm;
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};
use testkit::ldap::{Group, Slapd, User};
use testkit::suites::realms::evidence;
use testkit::suites::{FixedClock, maker};
use tokio::runtime::{Builder, Runtime};

const WARM_UP: u32 = 200;

/// CPU time of all threads of this process so far.
fn spent() -> Duration {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).expect("less than a second"))
}

fn main() {
    let logins = std::env::args().nth(1).map_or(10_000, |count| count.parse().expect("a number of logins"));
    let slapd = Slapd::new()
        .user(User::named("alice", "secret").mail("alice@example.org"))
        .group(Group::named("staff").user("alice"))
        .group(Group::named("everybody").nested("staff"))
        .start();
    // As in the gateway: who asks has a thread of its own, and connections are driven on another.
    let office = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let worker = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let raw = raw_binds(&worker, &slapd, logins);
    println!("raw bind                                {:>7.1} us", micros(raw, logins));
    let service = json!({ "searchBase": Slapd::PEOPLE, "bindDn": Slapd::SERVICE_DN, "bindPassword": Slapd::SERVICE_PASSWORD });
    let roles = json!([["staff", "user"], ["everybody", "all"]]);
    for (what, config) in [
        ("search, bind", json!({ "login": with_filter(&service, "") })),
        ("search, bind, disabled?", json!({ "login": service })),
        (
            "search, bind, disabled?, memberOf",
            json!({ "login": service, "groups": { "roleMapping": roles, "nested": false } }),
        ),
        (
            "search, bind, disabled?, memberOf nested",
            json!({ "login": service, "groups": { "roleMapping": roles } }),
        ),
        (
            "search, bind, disabled?, search nested",
            json!({ "login": service, "groups": { "roleMapping": roles, "searchBase": Slapd::GROUPS } }),
        ),
        (
            "template, read",
            json!({ "login": { "bindDnTemplate": Slapd::USER_TEMPLATE, "disabledFilter": "" } }),
        ),
    ] {
        let cost = realm_logins(&worker, &office, &slapd, &config, logins);
        let above = micros(cost, logins) - micros(raw, logins);
        println!("{what:<40}{:>7.1} us, {above:>6.1} above", micros(cost, logins));
    }
}

fn with_filter(login: &Value, disabled: &str) -> Value {
    let mut login = login.clone();
    login["disabledFilter"] = json!(disabled);
    login
}

fn micros(cost: Duration, logins: u32) -> f64 {
    cost.as_secs_f64() * 1e6 / f64::from(logins)
}

fn raw_binds(worker: &Runtime, slapd: &Slapd, logins: u32) -> Duration {
    worker.block_on(async {
        let (connection, mut ldap) =
            LdapConnAsync::new(&format!("ldap://127.0.0.1:{}", slapd.port())).await.expect("slapd listens");
        tokio::spawn(connection.drive());
        let dn = Slapd::user_dn("alice");
        let mut began = spent();
        for number in 0..logins + WARM_UP {
            if number == WARM_UP {
                began = spent();
            }
            let answer = ldap.simple_bind(&dn, "secret").await.expect("an answer");
            assert_eq!(answer.rc, 0);
        }
        spent() - began
    })
}

fn realm_logins(worker: &Runtime, office: &Runtime, slapd: &Slapd, config: &Value, logins: u32) -> Duration {
    let mut config = config.clone();
    config["host"] = json!(format!("127.0.0.1:{}", slapd.port()));
    let settings = realm_ldap::parse(&config.to_string()).expect("a good config");
    let name = RealmName::parse("corp").expect("a name");
    let realm = LdapRealm::new(name, settings, office.handle().clone(), Arc::new(FixedClock::new()));
    let directory = maker::snapshot(DirectoryImage::default(), HashMap::new());
    let shown = evidence("alice", "secret");
    worker.block_on(async {
        let mut began = spent();
        for number in 0..logins + WARM_UP {
            if number == WARM_UP {
                began = spent();
            }
            let verdict = realm.verify(&shown, &directory).await;
            assert!(matches!(verdict, Verdict::Verified(_)), "{verdict:?}");
        }
        spent() - began
    })
}
