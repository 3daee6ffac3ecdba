//! Which cookies come where, against a browser that is written after RFC 6265 and knows nothing of the code under test.

use proptest::prelude::*;

use super::*;

/// The host of every request.
const ASKED_HOST: &str = "gateway.example.com";

/// A mount, as far as cookies are concerned: its path, and the cookie that it reads with the path that it was given out with.
#[derive(Clone, Debug)]
struct Place {
    path: &'static str,
    reads: Option<(&'static str, &'static str)>,
}

/// A cookie as a browser keeps it.
#[derive(Debug)]
struct Kept {
    name: String,
    path: String,
}

/// What a browser makes of a `Set-Cookie` (RFC 6265 sections 5.2 and 5.3): nothing, where it is for another host.
fn keeps(set_cookie: &str, asked: &str) -> Option<Kept> {
    let mut pieces = set_cookie.split(';');
    let pair = pieces.next().unwrap();
    let (name, _) = pair.split_once('=')?;
    let directory = &asked[..asked.rfind('/').unwrap()];
    let standard = if directory.is_empty() { "/" } else { directory };
    let mut path = standard;
    let mut domain = "";
    for attribute in pieces {
        let (key, value) = attribute.split_once('=').unwrap_or((attribute, ""));
        let (key, value) = (key.trim_matches([' ', '\t']), value.trim_matches([' ', '\t']));
        match key.to_ascii_lowercase().as_str() {
            // RFC 6265bis section 5.6: what is longer is passed over.
            "path" if value.len() > 1_024 => {}
            "path" => path = if value.starts_with('/') { value } else { standard },
            "domain" => domain = value.strip_prefix('.').unwrap_or(value),
            _ => {}
        }
    }
    let is_within = domain.is_empty() || ASKED_HOST == domain || ASKED_HOST.ends_with(&format!(".{domain}"));
    is_within.then(|| Kept { name: name.trim_matches([' ', '\t']).to_owned(), path: path.to_owned() })
}

/// Whether a cookie of this path goes with a request for that one (RFC 6265 section 5.1.4).
fn goes_with(cookie: &str, asked: &str) -> bool {
    asked == cookie
        || asked.strip_prefix(cookie).is_some_and(|rest| cookie.ends_with('/') || rest.starts_with('/'))
}

/// The mount of a request, if it is let in: the longest.
fn place_of<'p>(places: &'p [Place], asked: &str) -> Option<&'p Place> {
    let path = normalise(asked.as_bytes()).ok()?.into_owned();
    let fits = |place: &&Place| {
        place.path == "/" || path == place.path || path.starts_with(&format!("{}/", place.path))
    };
    places.iter().filter(fits).max_by_key(|place| place.path.len())
}

fn cookies_of(places: &[Place]) -> SessionCookies {
    let mut all = SessionCookies(Vec::new());
    for (name, path) in places.iter().filter_map(|place| place.reads) {
        all.add(name, path);
    }
    all
}

/// Mounts at some of a few paths, each with a session cookie of its own path, of the host's, or with none.
fn places() -> impl Strategy<Value = Vec<Place>> {
    let paths = proptest::sample::subsequence(
        vec!["/", "/api", "/e", "/e/api", "/e/api/v3", "/apix", "/e/sso"],
        1..=7,
    );
    let kinds = proptest::collection::vec(0..4, 7);
    (paths, kinds).prop_map(|(paths, kinds)| {
        let place = |(path, kind): (&'static str, i32)| Place {
            path,
            reads: match kind {
                0 => Some(("id", path)),
                1 => Some(("SID", path)),
                2 => Some(("host", "/")),
                _ => None,
            },
        };
        paths.into_iter().zip(kinds).map(place).collect()
    })
}

/// Paths of requests and of cookies: some are mounts', above them or below, some nearly, some in another spelling.
fn paths() -> impl Strategy<Value = String> {
    let segment = prop_oneof![
        4 => prop_oneof![Just("api"), Just("e"), Just("v3"), Just("sso"), Just("x")],
        1 => prop_oneof![Just("apix"), Just("ap"), Just("%61pi"), Just("%65"), Just("API"), Just("api;a=b"), Just("")],
    ];
    (proptest::collection::vec(segment, 0..4), any::<bool>()).prop_map(|(segments, ends)| {
        let path: String = segments.iter().map(|segment| format!("/{segment}")).collect();
        if path.is_empty() || ends { format!("{path}/") } else { path }
    })
}

/// The attributes of a `Set-Cookie`, and whether all clients read its path alike.
fn attributes() -> impl Strategy<Value = (String, bool)> {
    let word = prop_oneof![
        4 => prop_oneof![Just("Path"), Just("path"), Just(" PATH "), Just("\tpAtH")],
        1 => Just("\u{a0}Path"),
    ];
    let value = prop_oneof![
        6 => paths().prop_map(|path| (path, true)),
        1 => paths().prop_map(|path| (format!(" {path}\t"), true)),
        1 => paths().prop_map(|path| (format!("\"{path}\""), false)),
        1 => paths().prop_map(|path| (format!("\u{a0}{path}"), false)),
        1 => paths().prop_map(|path| (format!("{path}/{}", "y".repeat(1_024)), false)),
        1 => prop_oneof![Just(("".to_owned(), true)), Just(("api".to_owned(), true))],
    ];
    let path = prop_oneof![
        4 => (word, value).prop_map(|(word, (value, alike))| (format!(";{word}={value}"), alike && word.is_ascii())),
        1 => Just((";Path".to_owned(), true)),
        1 => Just((String::new(), true)),
    ];
    let domain = prop_oneof![
        2 => Just(""),
        1 => Just(";Domain=gateway.example.com"),
        1 => Just("; domain=.example.com"),
        1 => Just("; Domain=other.example.com"),
    ];
    let rest = prop_oneof![Just("; HttpOnly; Secure"), Just("; Max-Age=0"), Just("")];
    (proptest::collection::vec(path, 0..3), domain, rest).prop_map(|(paths, domain, rest)| {
        let alike = paths.len() < 2 && paths.iter().all(|(_, alike)| *alike);
        let text: String = paths.into_iter().map(|(text, _)| text).collect();
        (format!("{text}{domain}{rest}"), alike)
    })
}

fn names() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        8 => prop_oneof![Just("id"), Just("SID"), Just("host")],
        1 => prop_oneof![Just(" id"), Just("SID\t"), Just("sid"), Just("theme")],
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn case_31_no_backend_plants_what_a_mount_takes_for_a_session(
        places in places(),
        name in names(),
        (attributes, alike) in attributes(),
        asked in paths(),
        later in proptest::collection::vec(paths(), 1..40),
    ) {
        let set_cookie = format!("{name}=planted{attributes}");
        let dropped = cookies_of(&places).could_be_set_by(set_cookie.as_bytes(), &asked);
        let kept = keeps(&set_cookie, &asked);
        let below = kept.iter().flat_map(|kept| ["", "/x"].map(|more| format!("{}{more}", kept.path)));
        let of_mounts = places.iter().flat_map(|place| ["", "/", "/x"].map(|more| format!("{}{more}", place.path)));
        let requests: Vec<String> = later.into_iter().chain(below).chain(of_mounts).collect();
        let arrives = |kept: &Kept| requests.iter().find(|request| {
            let reads = place_of(&places, request).and_then(|place| place.reads);
            goes_with(&kept.path, request) && reads.is_some_and(|(own, _)| own == kept.name)
        });
        if !dropped {
            let arrives = kept.as_ref().and_then(arrives);
            prop_assert_eq!(arrives, None, "{} passes to {}", set_cookie, asked);
        } else if alike {
            // What is dropped would have met the session's own cookie somewhere.
            let path = keeps(&format!("{name}={}", attributes.replace("omain", "")), &asked).unwrap().path;
            let Ok(path) = normalise(path.as_bytes()) else { return Ok(()) };
            let own: Vec<_> = places.iter().filter_map(|place| place.reads).filter(|(own, _)| *own == name.trim()).collect();
            let meets = |own: &str| {
                let path = path.trim_end_matches('/');
                let own = own.trim_end_matches('/');
                goes_with(&format!("{own}/"), &format!("{path}/")) || goes_with(&format!("{path}/"), &format!("{own}/"))
            };
            prop_assert!(own.iter().any(|(_, own)| meets(own)), "{} is dropped at {}", set_cookie, asked);
        }
    }

    #[test]
    fn case_31_every_session_that_a_client_sends_to_a_mount_is_known_there(places in places(), asked in paths()) {
        let Some(place) = place_of(&places, &asked) else { return Ok(()) };
        let sent_to = cookies_of(&places).sent_to(place.path);
        for (name, path) in places.iter().filter_map(|place| place.reads) {
            if goes_with(path, &asked) {
                prop_assert!(sent_to.iter().any(|sent| **sent == *name), "{} of {} at {}", name, path, asked);
            }
        }
        // And no other: an application's cookie of that name is its own.
        for sent in sent_to {
            let comes = |(name, path): (&str, &str)| *name == *sent && goes_with(path, place.path);
            prop_assert!(places.iter().filter_map(|place| place.reads).any(comes), "{} at {}", sent, place.path);
        }
    }
}

/// An engine's mount within another one, and one of the host's cookies.
fn engine() -> SessionCookies {
    cookies_of(&[
        Place { path: "/", reads: Some(("id", "/")) },
        Place { path: "/ovirt-engine/api", reads: Some(("SID", "/ovirt-engine/api")) },
        Place { path: "/p", reads: Some(("host", "/")) },
    ])
}

#[test]
fn case_31_what_reaches_a_mount_is_dropped_and_what_does_not_passes() {
    let asked = "/ovirt-engine/webadmin/x";
    for planted in [
        "SID=x; Path=/ovirt-engine/api",
        "SID=x; Path=/ovirt-engine/api/",
        "SID=x; Path=/ovirt-engine/api/vms/1",
        "SID=x; Path=/ovirt-engine",
        "SID=x; Path=/ovirt-engine/",
        "SID=x; Path=/",
        "SID=; Max-Age=0; Path=/",
        "SID=x; path = \t/ovirt-engine/api",
        "SID=x; PATH=/%6fvirt-engine/api",
        "SID=x; Path=\"/ovirt-engine/api\"",
        "SID=x; Path=/app; Path=/",
        "SID=x; Path=app; Path=/",
        "SID=x; Path=/; Path=/app",
        "SID=x; Path=/; Domain=example.com",
        "SID=x; Path=/a//b",
        "\u{a0}SID\u{a0}=x; Path=/",
        "\tSID =x; Path=/",
        "SID; Path=/",
        "id=x; Path=/anywhere",
        "host=x; Path=/anywhere",
        "=SID=x; Path=/app",
        "; Path=/app",
        "",
    ] {
        assert!(engine().could_be_set_by(planted.as_bytes(), asked), "{planted}");
    }
    for other in [
        "SID=x; Path=/ovirt-engine/webadmin",
        "SID=x; Path=/ovirt-engine/apis",
        "SID=x; Path=/ovirt-engine/ap",
        "SID=x; Path=/app",
        "SID=x",
        "SID=x; Path=relative",
        "sid=x; Path=/",
        "theme=SID; Path=/",
    ] {
        assert!(!engine().could_be_set_by(other.as_bytes(), asked), "{other}");
    }
    // Without a path, it is the directory of what was asked for.
    for (asked, dropped) in [
        ("/ovirt-engine/api/vms", true),
        ("/ovirt-engine/api", true),
        ("/ovirt-engine/x", true),
        ("/x", true),
        ("/", true),
        ("/app/x", false),
        ("/ovirt-engine/webadmin/", false),
    ] {
        let long = format!("SID=x; Path=/app/{}", "y".repeat(1_020));
        for without in
            ["SID=x; HttpOnly", "SID=x; Path=", "SID=x; Path=\u{a0}/app", "SID=x; \u{a0}Path=/app", &long]
        {
            assert_eq!(engine().could_be_set_by(without.as_bytes(), asked), dropped, "{asked} {without}");
        }
    }
    let longest = format!("SID=x; Path=/{}", "y".repeat(LONGEST_PATH - 1));
    assert!(!engine().could_be_set_by(longest.as_bytes(), "/"));
    assert!(engine().could_be_set_by(format!("{longest}y").as_bytes(), "/"));
}

#[test]
fn case_31_cookies_come_to_the_mounts_below_their_path() {
    let sent = |mount: &str| engine().sent_to(mount).iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(sent("/"), ["host", "id"]);
    assert_eq!(sent("/ovirt-engine/api"), ["SID", "host", "id"]);
    assert_eq!(sent("/ovirt-engine/api/v3"), ["SID", "host", "id"]);
    assert_eq!(sent("/ovirt-engine/apis"), ["host", "id"]);
}
