//! TLS: with whom a password is shared, and that it never goes in clear (security.md case 18).

use serde_json::{Value, json};
use testkit::ldap::{Authority, Certificate, Slapd, SlapdPlan, User};

use super::house::{House, by_search, by_template, with};

fn plan() -> SlapdPlan {
    Slapd::new().user(User::named("alice", "secret"))
}

/// Over TLS from the first byte, and over StartTLS.
fn both(slapd: &Slapd, host: &str, ca: Option<&str>) -> [Value; 2] {
    let secured = |port: u16, way: &str| {
        let mut config = with(by_search(&[]), json!({ "host": format!("{host}:{port}"), way: true }));
        if let Some(ca) = ca {
            config["ca"] = json!(ca);
        }
        config
    };
    [secured(slapd.tls_port(), "ssl"), secured(slapd.port(), "startTls")]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_proves_its_name_is_spoken_to() {
    let slapd = plan().start();
    for host in ["localhost", "127.0.0.1"] {
        for config in both(&slapd, host, Some(slapd.authority().pem())) {
            assert_eq!(House::of(&config).says("alice", "secret").await, "alice", "{config}");
        }
    }
    let log = slapd.log();
    let binds = log.iter().filter(|line| line.contains("mech=SIMPLE"));
    assert!(binds.clone().count() >= 8);
    for bind in binds {
        assert!(bind.contains("ssf=256") || bind.contains("ssf=128"), "in clear: {bind}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn case_18_a_server_that_does_not_hears_no_password() {
    let authority = Authority::new();
    for certificate in [Certificate::WrongName, Certificate::Expired, Certificate::SelfSigned] {
        let slapd = plan().authority(&authority).certificate(certificate).start();
        let mut configs = both(&slapd, "localhost", Some(authority.pem())).to_vec();
        configs.push(with(
            by_template(slapd.port()),
            json!({ "host": format!("localhost:{}", slapd.port()), "startTls": true, "ca": authority.pem() }),
        ));
        for config in configs {
            let (why, _) = House::of(&config).unavailable("alice", "secret").await;
            assert!(why.contains("certificate"), "{certificate:?}: {why}");
        }
        assert!(slapd.binds().is_empty() && slapd.filters().is_empty(), "{certificate:?}: {:?}", slapd.log());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn case_18_only_the_given_authority_is_believed() {
    let slapd = plan().start();
    let stranger = Authority::new();
    for ca in [None, Some(stranger.pem())] {
        for config in both(&slapd, "localhost", ca) {
            let (why, _) = House::of(&config).unavailable("alice", "secret").await;
            assert!(why.contains("certificate"), "{why}");
        }
    }
    assert!(slapd.binds().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn case_18_what_speaks_no_tls_hears_no_password() {
    let slapd = plan().start();
    let ca = slapd.authority().pem();
    // The ports are mixed up: TLS to the plain one, StartTLS to the one of TLS.
    for (port, way) in [(slapd.port(), "ssl"), (slapd.tls_port(), "startTls")] {
        let config = with(
            by_search(&[]),
            json!({ "host": format!("localhost:{port}"), way: true, "ca": ca, "connectTimeout": "500ms" }),
        );
        House::of(&config).unavailable("alice", "secret").await;
    }
    assert!(slapd.binds().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_certificate_is_not_a_reason_for_the_next_server_to_be_trusted_less() {
    let authority = Authority::new();
    let wrong = plan().authority(&authority).certificate(Certificate::WrongName).start();
    let right = plan().authority(&authority).start();
    let hosts = [format!("localhost:{}", wrong.tls_port()), format!("localhost:{}", right.tls_port())];
    let config = with(by_search(&[]), json!({ "host": hosts, "ssl": true, "ca": authority.pem() }));
    assert_eq!(House::of(&config).says("alice", "secret").await, "alice");
    assert!(wrong.binds().is_empty());
}
