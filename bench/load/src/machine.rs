//! What the machine says: which core runs what, CPU time and memory of a process, and what to write beside a number.
//!
//! Called by `compare`, `rate`, `footprint` and `report`. Must never guess: what cannot be read is an error.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use rustix::thread::{CpuSet, sched_setaffinity};

use crate::Outcome;

/// The core that the measured proxy has to itself.
pub(crate) const PROXY_CORE: usize = 0;

/// The core of the generator and its backend.
pub(crate) const LOAD_CORE: usize = 1;

/// Puts the calling thread, and whatever it starts from now on, on one core.
pub(crate) fn pin(core: usize) -> Outcome<()> {
    let mut cores = CpuSet::new();
    cores.set(core);
    sched_setaffinity(None, &cores)
        .map_err(|error| format!("core {core}: {error}; two cores are needed").into())
}

/// What the scheduler has counted for a process and its children, in nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Scheduled {
    /// Time on a core.
    pub(crate) ran: u64,
    /// Time that it could have run and somebody else did: a run beside other work shows here.
    pub(crate) waited: u64,
}

/// Times of all threads of a process and of its children (nginx: master and worker), from `schedstat`. The kernel
/// charges loopback's softirq work to whoever caused it, so it is included.
pub(crate) fn scheduled(pid: u32) -> Outcome<Scheduled> {
    let mut total = Scheduled::default();
    for process in std::iter::once(pid).chain(children(pid)) {
        for task in fs::read_dir(format!("/proc/{process}/task"))? {
            // A thread may end while we look; its time is lost, which a request's thread never does.
            let Ok(text) = fs::read_to_string(task?.path().join("schedstat")) else {
                continue;
            };
            let mut numbers = text.split_whitespace().filter_map(|text| text.parse::<u64>().ok());
            total.ran += numbers.next().unwrap_or(0);
            total.waited += numbers.next().unwrap_or(0);
        }
    }
    Ok(total)
}

/// Times of a process's threads by their names, those of the same name together.
pub(crate) fn scheduled_by_name(pid: u32) -> Outcome<BTreeMap<String, Scheduled>> {
    let mut by_name: BTreeMap<String, Scheduled> = BTreeMap::new();
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let task = task?.path();
        let read = |file| fs::read_to_string(task.join(file));
        // A thread may end while we look.
        let (Ok(name), Ok(text)) = (read("comm"), read("schedstat")) else { continue };
        let mut numbers = text.split_whitespace().filter_map(|text| text.parse::<u64>().ok());
        let sum = by_name.entry(name.trim_end().to_owned()).or_default();
        sum.ran += numbers.next().unwrap_or(0);
        sum.waited += numbers.next().unwrap_or(0);
    }
    Ok(by_name)
}

/// Gives the calling process's first thread its core whenever it wants it, and what it starts from now on no such thing.
/// Returns what was reached, for the report.
pub(crate) fn take_precedence() -> &'static str {
    let id = std::process::id().to_string();
    let status = Command::new("chrt").args(["--fifo", "--reset-on-fork", "--pid", "1", &id]).status();
    match status {
        Ok(status) if status.success() => "the generator goes before the others (SCHED_FIFO)",
        _ => {
            "the generator HAS NO PRECEDENCE (chrt failed): what it waits for its core counts as the gateway's latency"
        }
    }
}

/// Resident memory in KiB of a process and its children.
pub(crate) fn rss_kib(pid: u32) -> Outcome<u64> {
    let mut total = 0;
    for process in std::iter::once(pid).chain(children(pid)) {
        let status = fs::read_to_string(format!("/proc/{process}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
        total += line.split_whitespace().next().ok_or("no number after VmRSS")?.parse::<u64>()?;
    }
    Ok(total)
}

/// The processes that this one has started and that live.
pub(crate) fn children(pid: u32) -> Vec<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_whitespace().filter_map(|text| text.parse().ok()).collect()
}

/// Lines for a report: processor, cores, kernel, commit, date.
pub(crate) struct Description {
    pub(crate) date: String,
    pub(crate) lines: Vec<String>,
}

pub(crate) fn describe() -> Description {
    let processor = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processor.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("");
    // Not `available_parallelism`: this thread is pinned to one of them.
    let cores = processor.lines().filter(|line| line.starts_with("processor")).count();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let changed = !output("git", &["status", "--porcelain"]).is_empty();
    let commit = match output("git", &["rev-parse", "--short=12", "HEAD"]) {
        none if none.is_empty() => "none yet".to_owned(),
        commit if changed => format!("{commit} and uncommitted changes"),
        commit => commit,
    };
    let command: Vec<String> = std::env::args().skip(1).collect();
    Description {
        date: output("date", &["-u", "+%Y-%m-%d"]),
        lines: vec![
            format!("commit: {commit}"),
            format!(
                "machine: {cores} cores, {}, Linux {}",
                model.trim_start_matches([' ', '\t', ':']),
                kernel.trim()
            ),
            format!("time: {}", output("date", &["-u", "+%Y-%m-%d %H:%M UTC"])),
            format!("load average over 1, 5, 15 minutes: {}", load_average()),
            format!("command: `load {}`", command.join(" ")),
        ],
    }
}

/// How many wanted a core at once: above one or two, somebody else was working.
fn load_average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
}

/// First line of what a program says, or nothing.
pub(crate) fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text = output.map(|output| [output.stdout, output.stderr].concat()).unwrap_or_default();
    let ours = String::from_utf8_lossy(&text);
    let line = ours.lines().next().unwrap_or("").trim();
    if line.starts_with("fatal:") { String::new() } else { line.to_owned() }
}
