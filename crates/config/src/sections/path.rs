//! Paths as they stand in settings: of mounts, and patterns of routes below them. `mount.rs` and `route.rs` read them. It
//! must never accept two spellings of one path: what is not in normal form is refused, with the form that is.

use auth::permission::Pattern;

use crate::limits::MAX_PATH_BYTES;
use crate::value::Fault;

/// The folder on every listener that belongs to the gateway (contract/config.md).
pub(crate) const OWN_FOLDER: &str = "/.doorward";

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()+,=:@".contains(&byte)
}

/// The path of a mount in normal form: `/`, or segments without a slash at the end.
///
/// # Errors
/// A [`Fault`] where it isn't in normal form but for one slash at the end, or lies in the gateway's own folder.
pub(crate) fn parse_mount_path(text: &str) -> Result<String, Fault> {
    let path = text.strip_suffix('/').unwrap_or(text);
    if path.len() > MAX_PATH_BYTES {
        return Err(Fault::new(format!("is longer than {MAX_PATH_BYTES} bytes")));
    }
    if path.is_empty() && !text.is_empty() {
        return Ok("/".to_owned());
    }
    if let Some(odd) = path.chars().find(|c| *c != '/' && !u8::try_from(*c).is_ok_and(is_plain)) {
        return Err(Fault::new(format!("holds {odd:?}, which the path of a mount may not")));
    }
    let normal = resolved(path);
    if normal != path || path == "/" {
        let message = "is not in normal form: it begins with /, without empty segments, without . and ..";
        return Err(Fault::with_better(message, format!("\"{normal}\"")));
    }
    let lower = path.to_ascii_lowercase();
    if lower == OWN_FOLDER || lower.strip_prefix(OWN_FOLDER).is_some_and(|rest| rest.starts_with('/')) {
        return Err(Fault::new(format!(
            "lies in {OWN_FOLDER}, which belongs to the gateway on every listener"
        )));
    }
    Ok(path.to_owned())
}

/// Without empty segments, `.` and `..`: what to suggest, and whether there is anything to suggest.
fn resolved(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            _ => segments.push(segment),
        }
    }
    format!("/{}", segments.join("/"))
}

/// A route's pattern below its mount, by the kernel's rules for permissions: `*` = one segment, `**` = the rest (last only),
/// `{name}` = one segment.
///
/// # Errors
/// A [`Fault`] where it is no such pattern, or speaks of the caller.
pub(crate) fn parse_route_path(text: &str) -> Result<Pattern, Fault> {
    if text.split('/').any(|segment| segment == "#ID") {
        return Err(Fault::new("has #ID in it: a route is chosen before the caller is known"));
    }
    Pattern::parse(text).map_err(|fault| {
        let rooted = format!("/{text}");
        let better =
            (!text.starts_with('/') && Pattern::parse(&rooted).is_ok()).then(|| format!("\"{rooted}\""));
        let unquoting =
            Some("is no pattern of paths: one below the mount, such as \"/status/**\"".to_owned());
        Fault { better, unquoting, ..Fault::new(format!("is no pattern of paths: {fault}")) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use auth::path::NormalPath;
    use proptest::prelude::*;

    #[test]
    fn mount_paths() {
        for (text, path) in [("/api", "/api"), ("/api/", "/api"), ("/", "/"), ("/a/b.c~d", "/a/b.c~d")] {
            assert_eq!(parse_mount_path(text).unwrap(), path);
        }
        for (text, better) in [
            ("", Some("\"/\"")),
            ("api", Some("\"/api\"")),
            ("//", Some("\"/\"")),
            ("/api//", Some("\"/api\"")),
            ("/a//b", Some("\"/a/b\"")),
            ("/a/./b", Some("\"/a/b\"")),
            ("/a/../b", Some("\"/b\"")),
            ("/a/..", Some("\"/\"")),
            ("/a%2fb", None),
            ("/a?b", None),
            ("/a;b", None),
            ("/a*", None),
            ("/ä", None),
            ("/.doorward", None),
            ("/.doorward/x", None),
            ("/.DOORWARD/x", None),
        ] {
            assert_eq!(parse_mount_path(text).unwrap_err().better.as_deref(), better, "{text}");
        }
        assert!(parse_mount_path("/.doorwards").is_ok());
        assert!(parse_mount_path(&format!("/{}", "a".repeat(MAX_PATH_BYTES - 1))).is_ok());
        assert!(parse_mount_path(&format!("/{}", "a".repeat(MAX_PATH_BYTES))).is_err());
    }

    #[test]
    fn route_paths() {
        for text in ["/", "/**", "/status/**", "/a/*/b", "/a/{id}/{b}", "/a%20b", "/a/", "/.well-known/x"] {
            assert!(parse_route_path(text).is_ok(), "{text}");
        }
        for text in
            ["", "a", "//", "/**/a", "/a*b", "/{", "/{a}/{a}", "/a?b", "/#ID", "/a/./b", "/%2e%2E/a", "/%2f"]
        {
            assert!(parse_route_path(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_mount_is_a_path_that_a_request_can_have(text in "[/a.%*;é-]{0,20}") {
            if let Ok(path) = parse_mount_path(&text) {
                prop_assert_eq!(parse_mount_path(&path), Ok(path.clone()));
                let normal = NormalPath::parse(path.as_bytes()).unwrap();
                prop_assert_eq!(normal.as_str(), path);
            }
            let _ = parse_route_path(&text);
        }
    }
}
