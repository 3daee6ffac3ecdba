//! The built binary as a process: started, watched, killed, started again on the same port and data.
//!
//! Called by end-to-end tests in the `doorward` room, which alone knows the binary's path
//! (`env!("CARGO_BIN_EXE_doorward")`). Must never leave a process behind: dropping kills.
//!
//! ```no_run
//! # use testkit::Doorward;
//! # let backend = testkit::Recorder::start();
//! let mut doorward = Doorward::new("target/debug/doorward")
//!     .settings(&format!("[[mount]]\npath = \"/api\"\nupstream = \"{}\"\n", backend.url()))
//!     .environment("DOORWARD_ADMIN_PASSWORD", "correct horse battery")
//!     .start();
//! // … requests to doorward.address() …
//! doorward.kill();
//! doorward.restart();
//! ```
#![allow(
    clippy::expect_used,
    reason = "what cannot be started or written fails the test; the message says why"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::patience::{PATIENCE, Watched, wait_until};
use crate::ports::Reservation;

/// What each line that announces a listener begins with (`contract/config.md`, Commands).
const ANNOUNCEMENT: &str = "listening on ";

/// Text that the system's "address in use" shows in a log.
const TAKEN: &str = "in use";

/// How a gateway is to be started. See [`Doorward::new`].
#[derive(Debug)]
pub struct Plan {
    binary: PathBuf,
    settings: Option<String>,
    adds_places: bool,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    listeners: usize,
    data: Option<PathBuf>,
}

impl Plan {
    /// The settings file's text. `listen` and `data` are put before it where it does not set them.
    #[must_use]
    pub fn settings(mut self, text: &str) -> Self {
        self.settings = Some(text.to_owned());
        self
    }

    /// Takes the settings as they are: neither `listen` nor `data` is added, as a file or as an argument.
    #[must_use]
    pub fn verbatim(mut self) -> Self {
        self.adds_places = false;
        self
    }

    /// One more argument after `serve`.
    #[must_use]
    pub fn argument(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// An environment variable.
    #[must_use]
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// How many listeners it is to announce before it counts as started (default 1).
    #[must_use]
    pub fn listeners(mut self, count: usize) -> Self {
        self.listeners = count;
        self
    }

    /// A data folder of the test's own, instead of one in the temporary folder.
    #[must_use]
    pub fn data(mut self, folder: &Path) -> Self {
        self.data = Some(folder.to_owned());
        self
    }

    /// Starts, and waits until it listens.
    ///
    /// # Panics
    /// When it ends or does not listen within [`PATIENCE`]; the message has its log.
    #[must_use]
    pub fn start(self) -> Doorward {
        self.try_start().unwrap_or_else(|ended| panic!("doorward did not start: {ended:#?}"))
    }

    /// Starts; gives what it wrote where it ends instead of listening (for settings that must not start).
    ///
    /// # Errors
    /// The ended process: exit code and everything it wrote.
    ///
    /// # Panics
    /// When it neither ends nor listens within [`PATIENCE`].
    pub fn try_start(self) -> Result<Doorward, Ended> {
        let folder = TempDir::with_prefix("doorward-test-").expect("a temporary folder");
        let mut doorward = Doorward {
            plan: self,
            folder,
            reservation: Some(Reservation::take()),
            port: None,
            running: None,
        };
        doorward.port = doorward.reservation.as_ref().map(Reservation::address);
        doorward.write_own_settings();
        match doorward.spawn() {
            // A build that refuses to share its port must find it free: once more, without holding it.
            Err(ended) if ended.stderr.contains(TAKEN) => {
                doorward.reservation = None;
                doorward.spawn()?;
            }
            other => other?,
        }
        Ok(doorward)
    }
}

/// A process that has ended, or one that was run to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Everything it wrote to stdout.
    pub stdout: String,
    /// Everything it wrote to stderr.
    pub stderr: String,
}

/// The gateway's process, with a data folder and a port that outlive it.
#[derive(Debug)]
pub struct Doorward {
    plan: Plan,
    folder: TempDir,
    reservation: Option<Reservation>,
    port: Option<SocketAddr>,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    child: Child,
    stdout: Arc<Watched<Output>>,
    stderr: Arc<Watched<Output>>,
}

#[derive(Debug, Default)]
struct Output {
    lines: Vec<String>,
    ended: bool,
}

impl Doorward {
    /// Plans a process of the binary at this path. Without settings it is `serve --listen … --data …` and the
    /// plan's arguments; with settings, `serve -c FILE` and the arguments.
    #[expect(
        clippy::new_ret_no_self,
        reason = "a test begins with the process it wants; the plan is on the way"
    )]
    #[must_use]
    pub fn new(binary: impl Into<PathBuf>) -> Plan {
        Plan {
            binary: binary.into(),
            settings: None,
            adds_places: true,
            arguments: Vec::new(),
            environment: Vec::new(),
            listeners: 1,
            data: None,
        }
    }

    /// The first address it listens on.
    ///
    /// # Panics
    /// When it is not running.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        *self.addresses().first().expect("an address on the announcement")
    }

    /// `http://ADDRESS` of the first listener.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// All addresses it has announced, in that order.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.stdout_lines().iter().filter_map(|line| announced_address(line)).collect()
    }

    /// The folder that holds the settings file and, unless the plan has its own, the data folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The data folder.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.plan.data.clone().unwrap_or_else(|| self.folder.path().join("data"))
    }

    /// The settings file (there is one only where the plan has settings).
    #[must_use]
    pub fn settings_file(&self) -> PathBuf {
        self.folder.path().join("doorward.toml")
    }

    /// Writes other settings, for the next [`Doorward::hangup`] or [`Doorward::restart`].
    ///
    /// # Panics
    /// When the plan began without settings.
    pub fn write_settings(&mut self, text: &str) {
        assert!(self.plan.settings.is_some(), "this process was started without a settings file");
        self.plan.settings = Some(text.to_owned());
        self.write_own_settings();
    }

    /// The process id.
    ///
    /// # Panics
    /// When it is not running.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.running().child.id()
    }

    /// Lines written to stdout so far.
    #[must_use]
    pub fn stdout_lines(&self) -> Vec<String> {
        self.running().stdout.read(|output| output.lines.clone())
    }

    /// Lines written to stderr so far: the log.
    #[must_use]
    pub fn log_lines(&self) -> Vec<String> {
        self.running().stderr.read(|output| output.lines.clone())
    }

    /// Waits for a line of the log that contains `part` and gives it.
    ///
    /// # Panics
    /// After [`PATIENCE`], with the log.
    #[must_use]
    pub fn wait_for_log(&self, part: &str) -> String {
        let found = self
            .running()
            .stderr
            .wait_within(PATIENCE, |output| output.lines.iter().find(|line| line.contains(part)).cloned());
        found.unwrap_or_else(|| panic!("no log line with {part:?}; the log: {:#?}", self.log_lines()))
    }

    /// SIGKILL, and waits until it is gone. Nothing is flushed, as after a power cut of the process.
    pub fn kill(&mut self) {
        if let Some(mut running) = self.running.take() {
            let _already_gone = running.child.kill();
            let _status = running.child.wait();
        }
    }

    /// SIGTERM, and waits until it has drained and ended.
    ///
    /// # Panics
    /// When it is not running, or has not ended within [`PATIENCE`].
    pub fn terminate(&mut self) -> Ended {
        self.signal(Signal::TERM);
        let mut running = self.running.take().expect("a running process");
        let ended = wait_for_end(&mut running);
        ended.unwrap_or_else(|| {
            let _already_gone = running.child.kill();
            panic!(
                "still running {PATIENCE:?} after SIGTERM; the log: {:#?}",
                running.stderr.read(|o| o.lines.clone())
            )
        })
    }

    /// SIGHUP: read the settings file again. Returns at once; wait for the log or for the effect.
    pub fn hangup(&self) {
        self.signal(Signal::HUP);
    }

    /// Sends any signal.
    ///
    /// # Panics
    /// When it is not running.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw).expect("a process id");
        kill_process(pid, signal).expect("the process takes the signal");
    }

    /// Starts again on the same port and data folder; a process that still runs is killed first.
    ///
    /// # Panics
    /// When it does not start.
    pub fn restart(&mut self) {
        self.try_restart().unwrap_or_else(|ended| panic!("doorward did not start again: {ended:#?}"));
    }

    /// As [`Doorward::restart`], where it may refuse.
    ///
    /// # Errors
    /// The ended process.
    pub fn try_restart(&mut self) -> Result<(), Ended> {
        self.kill();
        self.spawn()
    }

    /// Whether the process is still there.
    #[must_use]
    pub fn is_running(&mut self) -> bool {
        self.running.as_mut().is_some_and(|running| matches!(running.child.try_wait(), Ok(None)))
    }

    /// Resident memory in KiB (`VmRSS`).
    #[must_use]
    pub fn rss_kib(&self) -> u64 {
        status_kib(self.pid(), "VmRSS:")
    }

    /// Highest resident memory so far in KiB (`VmHWM`).
    #[must_use]
    pub fn peak_rss_kib(&self) -> u64 {
        status_kib(self.pid(), "VmHWM:")
    }

    /// Number of open file descriptors: shows leaked connections.
    #[must_use]
    pub fn open_files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.pid())).map_or(0, Iterator::count)
    }

    fn running(&self) -> &Running {
        self.running.as_ref().expect("the process was killed or has ended; restart() starts it again")
    }

    fn write_own_settings(&self) {
        let Some(text) = &self.plan.settings else { return };
        let mut whole = String::new();
        if self.plan.adds_places {
            // Keys of the top level end where the first table begins.
            let top = text.split("\n[").next().unwrap_or("");
            let sets = |key: &str| {
                !text.starts_with('[')
                    && top.lines().any(|line| line.split('=').next().is_some_and(|name| name.trim() == key))
            };
            if !sets("listen") {
                whole.push_str(&format!("listen = \"{}\"\n", self.port_text()));
            }
            if !sets("data") {
                whole.push_str(&format!("data = {:?}\n", self.data()));
            }
        }
        whole.push_str(text);
        std::fs::write(self.settings_file(), whole).expect("the settings file can be written");
    }

    fn port_text(&self) -> String {
        self.port.map(|address| address.to_string()).unwrap_or_default()
    }

    fn spawn(&mut self) -> Result<(), Ended> {
        let mut command = command_of(&self.plan.binary);
        command.arg("serve");
        if self.plan.settings.is_some() {
            command.arg("-c").arg(self.settings_file());
        } else if self.plan.adds_places {
            command.args(["--listen", &self.port_text(), "--data"]).arg(self.data());
        }
        command.args(&self.plan.arguments).current_dir(self.folder.path());
        command.envs(self.plan.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{} cannot be started: {error}", self.plan.binary.display()));
        let stdout = watch(child.stdout.take().expect("stdout is a pipe"));
        let stderr = watch(child.stderr.take().expect("stderr is a pipe"));
        let mut running = Running { child, stdout, stderr };
        let (wanted, stdout) = (self.plan.listeners, Arc::clone(&running.stdout));
        let listens = stdout.wait_within(PATIENCE, |output| {
            let announced = output.lines.iter().filter_map(|line| announced_address(line)).count();
            (announced >= wanted || output.ended).then_some(announced >= wanted)
        });
        if listens == Some(true) {
            self.running = Some(running);
            return Ok(());
        }
        if listens.is_none() {
            let _already_gone = running.child.kill();
        }
        let ended = wait_for_end(&mut running).expect("a killed process ends");
        assert!(listens.is_some(), "doorward did not listen within {PATIENCE:?}: {ended:#?}");
        Err(ended)
    }
}

impl Drop for Doorward {
    fn drop(&mut self) {
        // A failed test shows the log: it is usually what explains the failure.
        if std::thread::panicking()
            && let Some(running) = &self.running
        {
            let log = running.stderr.read(|output| output.lines.join("\n"));
            let _nobody_reads = writeln!(std::io::stderr(), "--- doorward's log ---\n{log}\n---");
        }
        self.kill();
    }
}

/// Runs a command of the binary (`check`, `user`, `explain` …) to its end, with this text on stdin.
///
/// # Panics
/// When it cannot be started, or has not ended within [`PATIENCE`].
#[must_use]
pub fn run(binary: impl AsRef<Path>, arguments: &[&str], environment: &[(&str, &str)], stdin: &str) -> Ended {
    let mut child = command_of(binary.as_ref())
        .args(arguments)
        .envs(environment.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{} cannot be started: {error}", binary.as_ref().display()));
    let _may_not_read = child.stdin.take().expect("stdin is a pipe").write_all(stdin.as_bytes());
    let stdout = watch(child.stdout.take().expect("stdout is a pipe"));
    let stderr = watch(child.stderr.take().expect("stderr is a pipe"));
    let mut running = Running { child, stdout, stderr };
    wait_for_end(&mut running).unwrap_or_else(|| {
        let _already_gone = running.child.kill();
        panic!("{arguments:?} has not ended within {PATIENCE:?}")
    })
}

/// The binary without the settings that the developer's own shell may have in its environment.
fn command_of(binary: &Path) -> Command {
    let mut command = Command::new(binary);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("DOORWARD_") {
            command.env_remove(name);
        }
    }
    command
}

fn watch(pipe: impl Read + Send + 'static) -> Arc<Watched<Output>> {
    let output = Arc::new(Watched::new(Output::default()));
    std::thread::spawn({
        let output = Arc::clone(&output);
        move || {
            let mut reader = BufReader::new(pipe);
            let mut line = Vec::new();
            while matches!(reader.read_until(b'\n', &mut line), Ok(1..)) {
                let text = String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned();
                output.change(|output| output.lines.push(text));
                line.clear();
            }
            output.change(|output| output.ended = true);
        }
    });
    output
}

fn wait_for_end(running: &mut Running) -> Option<Ended> {
    let status = wait_until(|| running.child.try_wait().ok().flatten())?;
    let rest = |output: &Watched<Output>| {
        // A grandchild may hold the pipe open; what has been read until then must do.
        let _ended = output.wait_within(PATIENCE, |output| output.ended.then_some(()));
        output.read(|output| output.lines.iter().map(|line| format!("{line}\n")).collect::<String>())
    };
    Some(Ended { code: status.code(), stdout: rest(&running.stdout), stderr: rest(&running.stderr) })
}

fn announced_address(line: &str) -> Option<SocketAddr> {
    let url = line.strip_prefix(ANNOUNCEMENT)?;
    url.split_once("://")?.1.trim_end_matches('/').parse().ok()
}

fn status_kib(pid: u32, key: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the process is running");
    let line = status.lines().find_map(|line| line.strip_prefix(key)).expect("a line of /proc/PID/status");
    line.split_whitespace().next().and_then(|number| number.parse().ok()).expect("a number of KiB")
}

#[cfg(test)]
mod tests;
