//! Tests of the path: list A of `security.md` 2a entry by entry, the limits, and four backends that normalise further.

use proptest::prelude::*;

use super::*;

fn parsed(input: &str) -> Result<String, PathFault> {
    NormalPath::parse(input.as_bytes()).map(|path| path.as_str().to_owned())
}

fn accepts(input: &str, normal: &str) {
    assert_eq!(parsed(input), Ok(normal.to_owned()), "{input}");
    assert_eq!(is_normal(input.as_bytes()), Ok(input == normal), "{input}");
    assert_eq!(parsed(normal), Ok(normal.to_owned()), "{input}: a normal form stays as it is");
}

fn refuses(input: &str, fault: PathFault) {
    assert_eq!(parsed(input), Err(fault), "{input}");
    assert_eq!(is_normal(input.as_bytes()), Err(fault), "{input}");
}

#[test]
fn case_01_list_a() {
    accepts("/admin", "/admin");
    accepts("/admin/", "/admin/");
    refuses("//admin", PathFault::EmptySegment);
    refuses("/./admin", PathFault::DotSegment);
    refuses("/x/../admin", PathFault::DotSegment);
    refuses("/x/..;/admin", PathFault::DotSegment);
    accepts("/admin;a=b", "/admin;a=b");
    refuses("/;a/admin", PathFault::OnlyParameters);
    accepts("/%61dmin", "/admin");
    accepts("/%2561dmin", "/%2561dmin");
    refuses("/x%2f..%2fadmin", PathFault::EscapedSlash);
    refuses("/x%5c..%5cadmin", PathFault::EscapedBackslash);
    refuses("/x\\..\\admin", PathFault::ForbiddenByte(b'\\'));
    refuses("/admin%2f", PathFault::EscapedSlash);
    refuses("/admin%00", PathFault::EscapedControl(0));
    refuses("/admin%0a", PathFault::EscapedControl(b'\n'));
    refuses("/admin%09", PathFault::EscapedControl(b'\t'));
    accepts("/admin.", "/admin.");
    accepts("/admin%2e", "/admin.");
    accepts("/ADMIN", "/ADMIN");
    refuses("/admin?", PathFault::ForbiddenByte(b'?'));
    refuses("/admin#", PathFault::ForbiddenByte(b'#'));
    accepts("/admin%23", "/admin%23");
    accepts("/admin%3f", "/admin%3F");
    refuses("/%c0%aeadmin", PathFault::NotUtf8);
    refuses("/%e0%80%afadmin", PathFault::NotUtf8);
    refuses("/admin/..%3b/", PathFault::DotSegment);
    refuses("http://h/admin", PathFault::NotAbsolute);
    refuses("http://h:80//admin", PathFault::NotAbsolute);
    refuses("*", PathFault::NotAbsolute);
    refuses("", PathFault::Empty);
    refuses("/%", PathFault::MalformedEscape);
    refuses("/%zz", PathFault::MalformedEscape);
    accepts("/%c5%bf", "/%C5%BF");
    refuses("/\u{17f}", PathFault::ForbiddenByte(0xc5));
    refuses(&"/".repeat(MAX_PATH), PathFault::EmptySegment);
}

#[test]
fn case_02_escaped_delimiters_are_ordinary_bytes() {
    refuses("/public/#/../admin", PathFault::ForbiddenByte(b'#'));
    accepts("/foo/secret%23/bar", "/foo/secret%23/bar");
    assert_eq!(NormalPath::parse(b"/a%23b%3fc%3bd/e").unwrap().segments().count(), 2);
}

#[test]
fn case_04_bytes_that_rules_stumble_over() {
    refuses("/admin/x%0a", PathFault::EscapedControl(b'\n'));
    accepts("/admin%20", "/admin%20");
    accepts("/a/*", "/a/*");
    assert_eq!(NormalPath::parse(b"/a\xff"), Err(PathFault::ForbiddenByte(0xff)));
    assert_eq!(NormalPath::parse(b"/%ff"), Err(PathFault::NotUtf8));
    for byte in (0..=0x20).chain(0x7f..=0xff).chain(*b"\\#?\"<>^`{|}") {
        assert_eq!(NormalPath::parse(&[b'/', byte]), Err(PathFault::ForbiddenByte(byte)));
    }
    for byte in (0..=0x1f).chain([0x7f]) {
        refuses(&format!("/a%{byte:02x}"), PathFault::EscapedControl(byte));
        refuses(&format!("/a%{byte:02X}"), PathFault::EscapedControl(byte));
    }
    for byte in *b"-._~azAZ09" {
        accepts(&format!("/x%{byte:02x}"), &format!("/x{}", char::from(byte)));
    }
    for byte in *b"!$&'()*+,:=@[] %" {
        accepts(&format!("/x%{byte:02x}"), &format!("/x%{byte:02X}"));
    }
}

#[test]
fn dot_segments_in_every_spelling() {
    for dots in [".", "..", "%2e", "%2E", ".%2e", "%2e.", "%2e%2E"] {
        for tail in
            ["", ";", ";a=b", "%3b", "%3Ba", ";;", "%20", "%20%20", "%20;a", "%20%3b", "%c2%a0", "%E3%80%80;"]
        {
            for (before, after) in [("/", ""), ("/", "/"), ("/a/", ""), ("/a/", "/b"), ("/%20", "/b")] {
                refuses(&format!("{before}{dots}{tail}{after}"), PathFault::DotSegment);
            }
        }
    }
    accepts("/...", "/...");
    accepts("/.well-known/x", "/.well-known/x");
    accepts("/..a/a../.a", "/..a/a../.a");
    accepts("/..%2520", "/..%2520");
    accepts("/%252e%252e/x", "/%252e%252e/x");
}

#[test]
fn empty_segments_in_every_spelling() {
    accepts("/", "/");
    accepts("/a/", "/a/");
    refuses("/a//", PathFault::EmptySegment);
    refuses("/a//b", PathFault::EmptySegment);
    refuses("//", PathFault::EmptySegment);
    refuses("/a/%20/b", PathFault::EmptySegment);
    refuses("/a/%20%20", PathFault::EmptySegment);
    refuses("/a/%c2%a0/b", PathFault::EmptySegment);
    refuses("/a/;", PathFault::OnlyParameters);
    refuses("/a/%3bx/b", PathFault::OnlyParameters);
    refuses("/a/%20;x/b", PathFault::EmptySegment);
}

#[test]
fn escapes_must_be_whole_and_utf8() {
    for input in ["/%", "/%4", "/a%", "/%g0", "/%0g", "/%%41", "/%+1", "/% 1"] {
        assert_eq!(parsed(input), Err(PathFault::MalformedEscape), "{input}");
    }
    accepts("/%e2%82%ac", "/%E2%82%AC");
    accepts("/%E2%82%AC", "/%E2%82%AC");
    for input in ["/%80", "/%e2%82", "/%e2/%82%ac", "/%e2a%82%ac", "/%ed%a0%80", "/%f4%90%80%80", "/%C1%81"] {
        refuses(input, PathFault::NotUtf8);
    }
}

#[test]
fn limits_on_both_sides() {
    let longest = format!("/{}", "a".repeat(MAX_PATH - 1));
    accepts(&longest, &longest);
    refuses(&format!("{longest}a"), PathFault::TooLong);
    let most = "/a".repeat(MAX_SEGMENTS);
    accepts(&most, &most);
    refuses(&format!("{most}/"), PathFault::TooManySegments);
    refuses(&format!("{most}/a"), PathFault::TooManySegments);
}

#[test]
fn mounts_end_with_a_segment() {
    let below = |path: &str, mount: &str| {
        NormalPath::parse(path.as_bytes()).unwrap().strip_prefix(mount).map(str::to_owned)
    };
    assert_eq!(below("/api", "/api").as_deref(), Some("/"));
    assert_eq!(below("/api/", "/api").as_deref(), Some("/"));
    assert_eq!(below("/api/x/", "/api").as_deref(), Some("/x/"));
    assert_eq!(below("/apix", "/api"), None);
    assert_eq!(below("/api;a/x", "/api"), None);
    assert_eq!(below("/API/x", "/api"), None);
    assert_eq!(below("/x", "/").as_deref(), Some("/x"));
    assert_eq!(below("/", "/").as_deref(), Some("/"));
    assert_eq!(below("/a/b/c", "/a/b").as_deref(), Some("/c"));
}

#[test]
fn segments_of_a_path() {
    let of = |path: &str| segments(path).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(of("/"), [""]);
    assert_eq!(of("/a"), ["a"]);
    assert_eq!(of("/a/b/"), ["a", "b", ""]);
}

/// What an ordinary backend makes of a path: some of these steps, in some order.
#[derive(Clone, Copy, Debug)]
enum Step {
    Decode,
    StripParameters,
    Trim,
    FoldCase,
}

/// Merges slashes and resolves dots, as all of them do at the end.
fn resolve(path: &str) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for segment in path.split(['/', '\\']) {
        match segment {
            "" | "." => {}
            ".." => drop(kept.pop()),
            _ => kept.push(segment.to_owned()),
        }
    }
    kept
}

/// The whole path at once, as backends do it; written without any of the code under test.
fn apply(step: Step, path: &str) -> String {
    match step {
        Step::Decode => {
            let mut bytes = Vec::new();
            let mut at = 0;
            while at < path.len() {
                let hex = path.get(at + 1..at + 3).and_then(|digits| u8::from_str_radix(digits, 16).ok());
                match (path.as_bytes()[at], hex) {
                    (b'%', Some(byte)) => {
                        bytes.push(byte);
                        at += 3;
                    }
                    (byte, _) => {
                        bytes.push(byte);
                        at += 1;
                    }
                }
            }
            String::from_utf8(bytes).unwrap()
        }
        Step::StripParameters => {
            let mut inside = false;
            path.chars()
                .filter(|&character| {
                    inside = character != '/' && (inside || character == ';');
                    !inside
                })
                .collect()
        }
        Step::Trim => path.split('/').map(str::trim).collect::<Vec<_>>().join("/"),
        Step::FoldCase => path.to_lowercase(),
    }
}

/// nginx, Python, `;`-stripping before and after decoding, case-folding, and the mixes of them.
const BACKENDS: [&[Step]; 9] = [
    &[Step::Decode],
    &[Step::StripParameters],
    &[Step::StripParameters, Step::Decode],
    &[Step::Decode, Step::StripParameters],
    &[Step::StripParameters, Step::Decode, Step::StripParameters],
    &[Step::Decode, Step::Trim],
    &[Step::Decode, Step::StripParameters, Step::Trim],
    &[Step::Decode, Step::FoldCase],
    &[Step::FoldCase, Step::Decode, Step::StripParameters, Step::Trim, Step::FoldCase],
];

/// For an accepted path no backend sees more, fewer or other segments than we do: each of its segments comes from ours at the
/// same place, so nothing leaves a protected prefix.
fn no_backend_leaves(path: &NormalPath) {
    for steps in BACKENDS {
        let of = |text: &str| steps.iter().fold(text.to_owned(), |text, &step| apply(step, &text));
        let served = resolve(&of(path.as_str()));
        let expected: Vec<String> = path.segments().map(of).filter(|segment| !segment.is_empty()).collect();
        assert_eq!(served, expected, "{path} by {steps:?}");
        let named = path.segments().filter(|segment| !segment.is_empty()).count();
        assert_eq!(served.len(), named, "{path} by {steps:?}");
    }
}

fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => prop::sample::select(vec![
            "/", "//", ".", "..", ";", "%2e", "%2E", "%2f", "%5c", "\\", "%3b", "%3B", "%20", "%23", "%3f", "%25", "%2561",
            "%252e", "%00", "%0a", "%09", "%c0%ae", "%e0%80%af", "%c5%bf", "%C2%A0", "%ff", "%zz", "%", "#", "?", "admin",
            "ADMIN", "%61dmin", "a=b", "..;", "x", "public", "*", "K", "\u{212a}", "%e2%84%aa", "%2e%2e",
        ])
        .prop_map(str::to_owned),
        1 => "[ -~]{0,3}",
        1 => "[a-z/.;]{1,6}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn case_01_no_backend_leaves_its_segments(pieces in prop::collection::vec(piece(), 0..10)) {
        let input = format!("/{}", pieces.concat());
        if let Ok(path) = NormalPath::parse(input.as_bytes()) {
            no_backend_leaves(&path);
            prop_assert_eq!(is_normal(path.as_str().as_bytes()), Ok(true));
            prop_assert_eq!(apply(Step::Decode, path.as_str()), apply(Step::Decode, &input));
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(input in prop::collection::vec(any::<u8>(), 0..40)) {
        if let Ok(path) = NormalPath::parse(&input) {
            prop_assert!(path.as_str().bytes().all(|byte| byte.is_ascii_graphic()));
        }
    }

    #[test]
    fn what_is_normal_is_borrowed(input in "(/[a-zA-Z0-9_~-]{1,8}){1,6}/?") {
        prop_assert!(matches!(normalise(input.as_bytes()), Ok(Cow::Borrowed(_))));
    }
}
