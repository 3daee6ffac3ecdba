//! What the settings have backends told in fields of their own names: no client says it himself, in a head or after a body.

use testkit::backend::Recorder;
use testkit::process::Doorward;
use testkit::raw;

use crate::common::{BINARY, PASSWORD, basic};

#[test]
fn case_6_asvs_92_no_trailer_says_what_any_mount_tells_its_backends() {
    let backend = Recorder::start();
    let url = backend.url();
    // A mount that tells nothing, one that tells an attribute, and one whose route tells who it is.
    let settings = format!(
        "[[mount]]\npath = \"/api\"\nupstream = \"{url}\"\n\
         [[mount]]\npath = \"/b\"\nupstream = \"{url}\"\nattribute_headers = {{ mail = \"X-Mail\" }}\n\
         [[mount]]\npath = \"/c\"\nupstream = \"{url}\"\n[[mount.route]]\npath = \"/a\"\n\
         identity_token = {{ audience = \"c\", header = \"X-Assertion\" }}\n\
         [[realm]]\nname = \"front\"\ntype = \"trusted-http\"\n\
         identityKey = \"X-Front-Door\"\nallowedIps = [\"10.0.0.1\"]\n"
    );
    let gateway =
        Doorward::new(BINARY).environment("DOORWARD_ADMIN_PASSWORD", PASSWORD).settings(&settings).start();
    let shown = basic("admin", PASSWORD);
    let forged =
        ["X-Mail", "x_mail", "X.MAIL", "xmail", "X-Assertion", "x_assertion", "X-Front-Door", "x_front_door"];
    let lines: String = forged.iter().map(|name| format!("{name}: forged\r\n")).collect();
    for target in ["/api/x", "/b/x", "/c/x", "/c/a"] {
        backend.forget();
        let request = format!(
            "POST {target} HTTP/1.1\r\nHost: h\r\nAuthorization: {shown}\r\n{lines}TE: trailers\r\nTransfer-Encoding: chunked\r\n\r\n\
             1\r\na\r\n0\r\n{lines}X-Checksum: abc\r\n\r\n"
        );
        let answer = raw::once(gateway.address(), request);
        assert_eq!(answer.status, 200, "{target}: {}", answer.body_text());
        let seen = backend.wait_for(1).remove(0);
        assert_eq!(seen.trailers, [("X-Checksum".to_owned(), "abc".to_owned())], "{target}");
        assert!(!seen.head_text().contains("forged"), "{target}: {}", seen.head_text());
    }
}
