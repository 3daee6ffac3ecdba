//! `doorward backup` and `doorward restore`: consistent copies of the embedded store, while a server uses it or not.

use std::path::{Path, PathBuf};
use std::time::Duration;

use auth::Clock;
use rustix::process::{Pid, Signal, kill_process};
use store_embedded::{EmbeddedStore, Progress, REQUEST_HOLDS, RestoreRequest};

use super::{Failure, StoreFolder, runtime, say};
use crate::clock::HouseClock;

#[derive(clap::Args)]
pub(crate) struct BackupArguments {
    /// The copy that is written
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Write over a file that is there
    #[arg(long)]
    overwrite: bool,
    #[command(flatten)]
    store: StoreFolder,
}

#[derive(clap::Args)]
pub(crate) struct RestoreArguments {
    /// The copy that is put in place
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    store: StoreFolder,
}

pub(crate) fn backup(arguments: &BackupArguments) -> Result<(), Failure> {
    let folder = arguments.store.path()?;
    let done = store_embedded::backup(&folder, &arguments.file, arguments.overwrite);
    runtime()?.block_on(done).map_err(Failure::because)?;
    say(&format!("{} holds the store of {}", arguments.file.display(), folder.display()));
    Ok(())
}

/// How often the server's answer is looked for.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// How long a server may be at it once it has begun.
const MAX_RESTORE: Duration = Duration::from_secs(600);

pub(crate) fn restore(arguments: &RestoreArguments) -> Result<(), Failure> {
    let folder = arguments.store.path()?;
    if let Some(server) = EmbeddedStore::holder(&folder) {
        let server = reach(server, &folder)?;
        let replaced = runtime()?.block_on(restore_in(server, &arguments.file, &folder))?;
        let file = arguments.file.display();
        say(&format!("{file} is in place in {}; the server goes on with it", folder.display()));
        say(&format!("what was there is kept as {}", replaced.display()));
        return Ok(());
    }
    let done = store_embedded::restore(&arguments.file, &folder, HouseClock::new().wall());
    let replaced = runtime()?.block_on(done).map_err(Failure::because)?;
    say(&format!("{} is in place in {}", arguments.file.display(), folder.display()));
    if let Some(replaced) = replaced {
        say(&format!("what was there is kept as {}", replaced.display()));
    }
    Ok(())
}

/// The process that has the folder, if it is a server: another one would die of the signal.
fn reach(server: u32, folder: &Path) -> Result<Pid, Failure> {
    let pid = i32::try_from(server).ok().and_then(Pid::from_raw);
    match pid {
        Some(pid) if EmbeddedStore::is_held_by(folder, server) && listens(server) => Ok(pid),
        Some(_) => Err(Failure::because(format!(
            "process {server} is using the data folder {}, and no server can be seen under that number; run this as the \
             server's user and in its container, or stop it first",
            folder.display()
        ))),
        None => Err(Failure::because(format!(
            "another process is using the data folder {}, and cannot be found; stop it first",
            folder.display()
        ))),
    }
}

/// Whether a process is one of this program, with a handler for SIGHUP. Where that cannot be told (no /proc), it is believed.
fn listens(process: u32) -> bool {
    let Ok(own) = std::fs::read_to_string("/proc/self/status") else { return true };
    let Ok(status) = std::fs::read_to_string(format!("/proc/{process}/status")) else { return false };
    let named = |name| move |line: &str| line.strip_prefix(name).map(|value: &str| value.trim().to_owned());
    let caught = status.lines().find_map(named("SigCgt:"));
    // Signal 1 is the lowest bit.
    let hears =
        caught.and_then(|caught| u64::from_str_radix(&caught, 16).ok()).is_some_and(|caught| caught & 1 == 1);
    hears && status.lines().find_map(named("Name:")) == own.lines().find_map(named("Name:"))
}

/// Has a server put a backup in place, and waits for its answer.
async fn restore_in(server: Pid, backup: &Path, folder: &Path) -> Result<PathBuf, Failure> {
    let wall = HouseClock::new().wall();
    let request = RestoreRequest::make(backup, folder, wall).await.map_err(Failure::because)?;
    if let Err(error) = kill_process(server, Signal::HUP) {
        let _ = request.withdraw();
        return Err(Failure::because(format!("the server cannot be told: {error}")));
    }
    let lost = || Err("the server ended before it answered; start it and look".to_owned());
    let mut waited = Duration::ZERO;
    loop {
        let progress = request.progress();
        let answer = match progress {
            // The server may see the folder under another path.
            Progress::Done(replaced) => {
                Ok(replaced.file_name().map_or(replaced.clone(), |name| folder.join(name)))
            }
            Progress::Refused(reason) => Err(format!("{} cannot be restored: {reason}", backup.display())),
            Progress::Lost => lost(),
            Progress::Waiting if waited >= REQUEST_HOLDS && request.withdraw() => {
                Err("the server did not take the backup; nothing has changed".to_owned())
            }
            Progress::Taken if waited >= MAX_RESTORE => {
                Err("the server is still at it; its log will tell".to_owned())
            }
            Progress::Waiting | Progress::Taken if EmbeddedStore::holder(folder).is_none() => {
                let _ = request.withdraw();
                lost()
            }
            Progress::Waiting | Progress::Taken => {
                tokio::time::sleep(LOOK_AGAIN).await;
                waited += LOOK_AGAIN;
                continue;
            }
        };
        request.forget_answer();
        return answer.map_err(Failure::because);
    }
}
