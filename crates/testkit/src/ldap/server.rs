//! A directory server's process: started on known addresses, waited for, killed, frozen.
//!
//! Called by `slapd` and `samba`. Must never leave a process behind: dropping kills.
#![allow(clippy::expect_used, reason = "a server that cannot start is a failed test; the message says why")]

use std::fs::File;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::patience::{PATIENCE, wait_until};

/// A server that writes its log to stderr or stdout, which go to one file.
#[derive(Debug)]
pub(crate) struct Server {
    addresses: Vec<SocketAddr>,
    log: PathBuf,
    child: Option<Child>,
}

impl Server {
    /// A server that does not run yet, and will count as started when all these addresses accept.
    pub(crate) fn new(addresses: Vec<SocketAddr>, log: &Path) -> Self {
        Self { addresses, log: log.to_owned(), child: None }
    }

    /// Starts it, and waits until it accepts. One that still runs is killed first.
    pub(crate) fn start(&mut self, command: &mut Command) {
        self.kill();
        let log = File::options().create(true).append(true).open(&self.log).expect("the log's file");
        let name = command.get_program().display().to_string();
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle of the log"))
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("{name} cannot be started: {error}"));
        self.child = Some(child);
        let listens = wait_until(|| {
            let ended = !self.is_running();
            let accepts = self.addresses.iter().all(|address| TcpStream::connect(address).is_ok());
            (ended || accepts).then_some(!ended)
        });
        assert_eq!(listens, Some(true), "{name} does not listen within {PATIENCE:?}: {}", self.log());
    }

    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _already_gone = child.kill();
            let _status = child.wait();
        }
    }

    pub(crate) fn stop(&mut self) {
        self.signal(Signal::TERM);
        let ended = wait_until(|| self.child.as_mut()?.try_wait().ok().flatten());
        assert!(ended.is_some(), "it has not ended within {PATIENCE:?} after SIGTERM: {}", self.log());
        self.child = None;
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let child = self.child.as_ref().expect("it was killed or stopped; start_again() starts it again");
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a process id");
        kill_process(pid, signal).expect("the server takes the signal");
    }

    /// SIGSTOP, and waits until every one of its threads stands still: until then some of them go on answering.
    pub(crate) fn freeze(&self) {
        self.signal(Signal::STOP);
        let child = self.child.as_ref().expect("it took the signal");
        let tasks = format!("/proc/{}/task", child.id());
        let stands_still = |task: std::io::Result<std::fs::DirEntry>| {
            let status = task.and_then(|task| std::fs::read_to_string(task.path().join("status")));
            status.is_ok_and(|status| status.contains("State:\tT"))
        };
        let stopped = wait_until(|| std::fs::read_dir(&tasks).ok()?.all(stands_still).then_some(()));
        assert!(stopped.is_some(), "it does not stand still within {PATIENCE:?}");
    }

    /// Everything it has written.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Forgets the log so far. It is opened for appending, so the server goes on at the new end.
    pub(crate) fn clear_log(&self) {
        File::create(&self.log).expect("the log can be emptied");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}
