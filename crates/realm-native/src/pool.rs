//! The bounded pool of threads that hash passwords. Called by the realm and by whoever sets a password; the workers only
//! wait for its answers. Must never queue without a bound, hash for a caller who left, or lose a thread to a panic.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use argon2::Params;
use auth::{Password, PasswordHash, PasswordHasher, Pending, Unavailability};
use rustix::process::{getpid, getpriority_process, setpriority_process};
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use crate::limits::{MEMORY_KEPT, OUTPUT_BYTES, SALT_BYTES};
use crate::settings::{HashSettings, SettingsFault};
use crate::slot::{Checked, Meter, Slot};
use crate::stored::encode;

/// Said when the queue is full.
pub(crate) const FULL: &str = "too many logins wait for a password hash";
/// Said when no answer will come: the pool ended, or the hash failed.
const NO_ANSWER: &str = "the password hash could not be computed";

/// What the pool did since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Hashes that were computed.
    pub hashes: u64,
    /// The work in them, in KiB times passes.
    pub kib_passes: u64,
    /// Callers who were turned away because the queue was full.
    pub refused: u64,
    /// Callers who left before their turn; nothing was computed for them.
    pub abandoned: u64,
    /// Callers who wait now.
    pub waiting: usize,
}

/// Hashes passwords on threads of its own. Its threads end when it is dropped; who waits then is told "unavailable".
pub struct HashPool {
    shared: Arc<Shared>,
}

struct Shared {
    params: Params,
    queue: usize,
    /// A hash that no password has, of the present parameters: for users who are not there.
    nobody: PasswordHash,
    meter: Meter,
    refused: AtomicU64,
    abandoned: AtomicU64,
    state: Mutex<State>,
    news: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    closed: bool,
}

/// How many steps of nice the threads that hash are behind the thread that the process began with, and so behind those that
/// forward requests. A hash is 15 ms for which somebody waits who is not in yet; on a core where requests are never done these
/// steps leave it a quarter, which is half of what it had, and ten would leave a tenth (docs/decisions/0017-priorities.md).
const HASHING_GIVES_WAY: i32 = 5;

/// Lowers the priority of the calling thread: on Linux nice is a thread's own.
fn give_way() {
    let before = getpriority_process(Some(getpid())).unwrap_or(0);
    // Where that is forbidden all threads are equals: slower for others beside many logins, and no reason to let nobody in.
    let _ = setpriority_process(None, before + HASHING_GIVES_WAY);
}

/// What to compute, and who waits for it. The password is a copy that is wiped with the job.
enum Job {
    Check { password: Zeroizing<String>, hash: PasswordHash, rehash: bool, answer: oneshot::Sender<Checked> },
    Make { password: Zeroizing<String>, answer: oneshot::Sender<PasswordHash> },
}

impl Job {
    fn is_abandoned(&self) -> bool {
        match self {
            Self::Check { answer, .. } => answer.is_closed(),
            Self::Make { answer, .. } => answer.is_closed(),
        }
    }

    /// Computes and answers. Where it fails, dropping the sender is the answer.
    fn run(self, slot: &mut Slot<'_>) {
        match self {
            Self::Check { password, hash, rehash, answer } => {
                if let Ok(checked) = slot.check(&password, &hash, rehash) {
                    // He may have left meanwhile: then nobody needs it.
                    let _ = answer.send(checked);
                }
            }
            Self::Make { password, answer } => {
                if let Ok(hash) = slot.make(&password) {
                    let _ = answer.send(hash);
                }
            }
        }
    }
}

/// What a thread does next.
enum Next {
    Run(Job),
    GiveMemoryBack,
    End,
}

impl HashPool {
    /// Starts the threads. They take their memory with the first hash.
    ///
    /// # Errors
    /// [`SettingsFault`]: settings out of range, no random bytes, no threads.
    pub fn start(settings: HashSettings) -> Result<Self, SettingsFault> {
        let pool = Self::without_threads(settings)?;
        pool.start_threads(settings.parallel)?;
        Ok(pool)
    }

    /// The pool before its threads: what is asked of it waits.
    pub(crate) fn without_threads(settings: HashSettings) -> Result<Self, SettingsFault> {
        let params = settings.params()?;
        let shared = Shared {
            nobody: nobody(&params)?,
            params,
            queue: settings.queue,
            meter: Meter::default(),
            refused: AtomicU64::new(0),
            abandoned: AtomicU64::new(0),
            state: Mutex::default(),
            news: Condvar::new(),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    fn start_threads(&self, threads: usize) -> Result<(), SettingsFault> {
        for number in 0..threads {
            let shared = Arc::clone(&self.shared);
            let thread = thread::Builder::new().name(format!("hash-{number}"));
            // Not joined: a thread in the middle of a hash ends by itself, and nothing waits for it.
            let serve = move || {
                give_way();
                shared.serve();
            };
            drop(thread.spawn(serve).map_err(SettingsFault::NoThread)?);
        }
        Ok(())
    }

    /// What the pool did so far.
    #[must_use]
    pub fn tally(&self) -> Tally {
        Tally {
            hashes: self.shared.meter.hashes.load(Ordering::Relaxed),
            kib_passes: self.shared.meter.kib_passes.load(Ordering::Relaxed),
            refused: self.shared.refused.load(Ordering::Relaxed),
            abandoned: self.shared.abandoned.load(Ordering::Relaxed),
            waiting: self.shared.lock().jobs.len(),
        }
    }

    /// Whether `password` is the one of `hash`. Without a hash the work is done all the same, and the answer is no.
    pub(crate) async fn check(
        &self,
        password: &Password,
        hash: Option<PasswordHash>,
        rehash: bool,
    ) -> Result<Checked, Unavailability> {
        let password = copy(password);
        let hash = hash.unwrap_or_else(|| self.shared.nobody.clone());
        self.ask(|answer| Job::Check { password, hash, rehash, answer }).await
    }

    async fn ask<T>(&self, job: impl FnOnce(oneshot::Sender<T>) -> Job) -> Result<T, Unavailability> {
        let (answer, promised) = oneshot::channel();
        self.shared.push(job(answer))?;
        promised.await.map_err(|_| Unavailability(Cow::Borrowed(NO_ANSWER)))
    }
}

impl PasswordHasher for HashPool {
    fn hash<'a>(&'a self, password: &'a Password) -> Pending<'a, Result<PasswordHash, Unavailability>> {
        Box::pin(async move {
            let password = copy(password);
            self.ask(|answer| Job::Make { password, answer }).await
        })
    }
}

impl Drop for HashPool {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.closed = true;
        state.jobs.clear();
        self.shared.news.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, job: Job) -> Result<(), Unavailability> {
        let mut state = self.lock();
        if state.jobs.len() >= self.queue {
            // Those who left take nobody's place.
            let before = state.jobs.len();
            state.jobs.retain(|job| !job.is_abandoned());
            self.abandoned.fetch_add((before - state.jobs.len()) as u64, Ordering::Relaxed);
        }
        if state.jobs.len() >= self.queue {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return Err(Unavailability(Cow::Borrowed(FULL)));
        }
        state.jobs.push_back(job);
        self.news.notify_one();
        Ok(())
    }

    /// Waits for something to do.
    fn next(&self, holds_memory: bool) -> Next {
        let mut state = self.lock();
        loop {
            while let Some(job) = state.jobs.pop_front() {
                if !job.is_abandoned() {
                    return Next::Run(job);
                }
                self.abandoned.fetch_add(1, Ordering::Relaxed);
            }
            if state.closed {
                return Next::End;
            }
            if !holds_memory {
                state = self.news.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let waited = self.news.wait_timeout(state, MEMORY_KEPT).unwrap_or_else(PoisonError::into_inner);
            state = waited.0;
            if waited.1.timed_out() && state.jobs.is_empty() && !state.closed {
                return Next::GiveMemoryBack;
            }
        }
    }

    /// One thread's life.
    fn serve(&self) {
        let mut slot = Slot::new(&self.params, &self.meter);
        loop {
            match self.next(slot.holds_memory()) {
                // A panic costs one login its answer, not everybody the slot. It may leave the memory in any state;
                // the next hash reads nothing of it.
                Next::Run(job) => drop(catch_unwind(AssertUnwindSafe(|| job.run(&mut slot)))),
                Next::GiveMemoryBack => slot.release(),
                Next::End => return,
            }
        }
    }
}

fn copy(password: &Password) -> Zeroizing<String> {
    Zeroizing::new(password.expose().to_owned())
}

/// A random output for a random salt: a hash that is verified like any other and that nobody's password has.
fn nobody(params: &Params) -> Result<PasswordHash, SettingsFault> {
    let mut bytes = [0; SALT_BYTES + OUTPUT_BYTES];
    getrandom::fill(&mut bytes).map_err(SettingsFault::NoRandom)?;
    let (salt, output) = bytes.split_at(SALT_BYTES);
    match encode(params, salt, output) {
        Some(hash) => Ok(hash),
        None => unreachable!("PHC knows these lengths"),
    }
}

#[cfg(test)]
mod tests;
