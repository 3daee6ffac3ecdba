//! A disk that takes nothing any more (security.md figure 17, row 112): what cannot be written is not acknowledged, what
//! was acknowledged holds, and all is well again once the disk is.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use testkit::backend::Recorder;
use testkit::patience::wait_until_within;
use testkit::process::Doorward;
use testkit::raw::{self, Raw};

use crate::common::{BINARY, PASSWORD, code, judged, log_in, login_bytes, with_session};

/// How soon after the end of the fault everything works again.
const RECOVERY: Duration = Duration::from_secs(5);

/// How long a file of the process may become: every write beyond it fails, as on a full disk.
fn limit_files(gateway: &Doorward, bytes: Option<u64>) {
    let pid = Pid::from_raw(i32::try_from(gateway.pid()).unwrap());
    prlimit(pid, Resource::Fsize, Rlimit { current: bytes, maximum: None }).expect("our own process");
}

#[test]
fn asvs_112_figure_17_a_full_disk_acknowledges_nothing_and_loses_nothing() {
    let backend = Recorder::start();
    // The limit's signal would end the process; who ignores it gets the error instead, as from a disk.
    let folder = tempfile::tempdir().unwrap();
    let wrapper = folder.path().join("doorward");
    std::fs::write(&wrapper, format!("#!/bin/sh\ntrap '' XFSZ\nexec {BINARY} \"$@\"\n")).unwrap();
    std::fs::set_permissions(&wrapper, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut gateway = Doorward::new(&wrapper)
        .argument("--upstream")
        .argument(backend.url())
        .environment("DOORWARD_ADMIN_PASSWORD", PASSWORD)
        .start();
    let address = gateway.address();
    let [stays, ends, refused] = [(); 3].map(|()| log_in(address, "admin", PASSWORD));
    assert_eq!(with_session(address, "DELETE", "/api/session", &ends).status, 204);

    limit_files(&gateway, Some(1));
    for _ in 0..3 {
        let login = raw::once(address, login_bytes("admin", PASSWORD));
        assert_eq!((login.status, code(&login).as_str()), (503, "store-unavailable"), "{login:?}");
        assert_eq!(login.set_cookie("id"), None, "no token for what is not on disk");
        let logout = with_session(address, "DELETE", "/api/session", &refused);
        assert_eq!(logout.status, 503, "an end that is not on disk is none: {logout:?}");
        let mut client = Raw::connect(address);
        assert_eq!(judged(&mut client, &stays).0, 200);
        assert_eq!(judged(&mut client, &ends), (401, "session-unknown".to_owned()));
        assert_eq!(
            with_session(address, "GET", "/api/collections", &stays).status,
            200,
            "the backend is served"
        );
    }
    assert!(gateway.is_running());

    limit_files(&gateway, None);
    let again =
        || Some(raw::once(address, login_bytes("admin", PASSWORD))).filter(|login| login.status == 201);
    let login = wait_until_within(RECOVERY, again).expect("logins again");
    let new = login.set_cookie("id").expect("a token").to_owned();
    assert_eq!(with_session(address, "DELETE", "/api/session", &refused).status, 204);
    gateway.kill();
    gateway.restart();
    let mut client = Raw::connect(address);
    assert_eq!((judged(&mut client, &stays).0, judged(&mut client, &new).0), (200, 200));
    for dead in [&ends, &refused] {
        assert_eq!(judged(&mut client, dead), (401, "session-unknown".to_owned()));
    }
}
