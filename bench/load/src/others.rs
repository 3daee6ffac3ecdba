//! What others than the gateway take of its core, in tenths of a second: the kernel's threads, whatever else runs on the
//! machine, and the hypervisor.
//!
//! Called by `directory`, and by `report_storms` for which tenths count. Must never run on the gateway's core itself, nor look
//! at it with anything that interrupts it: it reads what the scheduler has counted anyway, exact to the nanosecond.
//!
//! Threads of the kernel that work for whoever runs on this core are no others: if the gateway causes more of their work beside
//! log-ins, then that is what log-ins cost, and must not take slices out of the measurement. They are listed by themselves.
//!
//! It cannot see a task that began and ended between two looks, nor what a task did after the last look at it. A task that was
//! running at a look is counted up to the scheduler's last tick (4 ms before at the most); the rest is in the next tenth.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::machine::{PROXY_CORE, children};

/// How long each of the stretches is that are told apart.
pub(crate) const TENTH: Duration = Duration::from_millis(100);
/// The most that others may take of the gateway's core in a tenth that counts as undisturbed.
pub(crate) const MOST_TAKEN: Duration = Duration::from_micros(500);
/// What a tick of `/proc/stat` is (`USER_HZ`), the same on every Linux that this runs on.
const TICK: Duration = Duration::from_millis(10);
/// What the hypervisor took is listed under this name.
const HYPERVISOR: &str = "the hypervisor (steal)";
/// How the names of the kernel's threads begin that do for the gateway what it causes: what its packets and its disk need after
/// an interrupt, what it queued on its core, and the release of the memory it let go.
const SERVING: [&str; 3] = ["ksoftirqd/0", "kworker/0:", "rcu_preempt"];
/// The most that one of the files is read of: the lines of the cores in `/proc/stat` come first.
const MOST_BYTES: usize = 1024;

/// Who took how much of the gateway's core.
pub(crate) type Taken = BTreeMap<String, Duration>;

/// What was taken of one tenth.
#[derive(Clone, Debug, Default)]
struct Tenth {
    others: Taken,
    serving: Taken,
}

/// What others took while a slice ran, with its warm-up.
#[derive(Clone, Debug, Default)]
pub(crate) struct Account {
    tenths: Vec<Tenth>,
    /// Which share of the generator's core the looking took.
    pub(crate) cost: f64,
    /// The most that a look came after its tenth's end.
    pub(crate) latest: Duration,
}

impl Account {
    /// Which others took what in this tenth, if it was looked at.
    pub(crate) fn others(&self, tenth: usize) -> Option<&Taken> {
        self.tenths.get(tenth).map(|tenth| &tenth.others)
    }

    /// What the kernel's threads took that serve the gateway.
    pub(crate) fn serving(&self, tenth: usize) -> Option<&Taken> {
        self.tenths.get(tenth).map(|tenth| &tenth.serving)
    }

    /// Others took next to nothing of this tenth, and of the one before: what piles up then is worked off in this.
    pub(crate) fn is_undisturbed(&self, tenth: usize) -> bool {
        let is_calm = |tenth: &Tenth| tenth.others.values().sum::<Duration>() <= MOST_TAKEN;
        let before_and_now = tenth.checked_sub(1).and_then(|before| self.tenths.get(before..=tenth));
        before_and_now.is_some_and(|both| both.iter().all(is_calm))
    }
}

/// A thread beside the generator that keeps the account.
pub(crate) struct Watch {
    /// Where the first tenth begins.
    pub(crate) origin: Instant,
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<Result<Account, String>>,
}

impl Watch {
    /// Begins with the first tenth. The caller is on the generator's core, and so is what this starts.
    pub(crate) fn start(gateway: u32) -> Outcome<Self> {
        let origin = Instant::now();
        let is_over = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&is_over);
        let keep =
            move || keep(gateway, origin, &until).map_err(|error| format!("what others take: {error}"));
        let thread = Builder::new().name("others".to_owned()).spawn(keep)?;
        Ok(Self { origin, is_over, thread })
    }

    /// Waits for the end of the tenth that is running.
    pub(crate) fn end(self) -> Outcome<Account> {
        self.is_over.store(true, Ordering::Relaxed);
        Ok(self.thread.join().map_err(|_| "the thread that looks at the others panicked")??)
    }
}

fn keep(gateway: u32, origin: Instant, is_over: &AtomicBool) -> Outcome<Account> {
    // Before the directory's threads, after the generator (which is not on this scale): a late look blurs two tenths.
    // Without the right to that the look is late at times, which the report shows.
    let _is_allowed = rustix::process::setpriority_process(None, -20);
    let mut others = Others::find(gateway)?;
    let own = File::open("/proc/thread-self/schedstat")?;
    let ran = |file: &File| read(file).and_then(|text| ran(&text)).ok_or("no schedstat of this thread");
    let (ran_before, begin) = (ran(&own)?, Instant::now());
    let mut account = Account::default();
    loop {
        let ended = account.tenths.len();
        let due = origin + TENTH * u32::try_from(ended + 1)?;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let now = Instant::now();
        let taken = others.look()?;
        account.latest = account.latest.max(now.saturating_duration_since(due));
        // Whoever comes too late for a tenth cannot tell it from the next: both have had it all.
        let over = usize::try_from((now - origin).as_nanos() / TENTH.as_nanos())?.max(ended + 1);
        account.tenths.resize(over, taken);
        if is_over.load(Ordering::Relaxed) {
            let ran = Duration::from_nanos(ran(&own)? - ran_before);
            account.cost = ran.as_secs_f64() / begin.elapsed().as_secs_f64();
            return Ok(account);
        }
    }
}

/// A task that can run on the gateway's core. Its files stay open: to read them is a microsecond, to open them is ten.
struct Task {
    name: String,
    is_serving: bool,
    schedstat: File,
    stat: File,
    /// Nanoseconds it had run at the last look.
    ran: u64,
    /// It was last seen on the gateway's core.
    was_here: bool,
}

struct Others {
    /// The processes under test.
    gateway: Vec<u32>,
    tasks: Vec<Task>,
    /// Numbers of all tasks that there were at the last listing, also those that are not looked at.
    known: HashSet<u32>,
    load: File,
    stat: File,
    /// The youngest task at the last listing: as long as it is the same, there is no new one.
    youngest: Option<u32>,
    /// Ticks that the hypervisor had taken at the last look.
    stolen: u64,
}

impl Others {
    fn find(gateway: u32) -> Outcome<Self> {
        let mut others = Self {
            gateway: std::iter::once(gateway).chain(children(gateway)).collect(),
            tasks: Vec::new(),
            known: HashSet::new(),
            load: File::open("/proc/loadavg")?,
            stat: File::open("/proc/stat")?,
            youngest: None,
            stolen: 0,
        };
        // Sets where they all begin: what they had run before is in nobody's account.
        others.look()?;
        Ok(others)
    }

    /// What each took since the last look.
    fn look(&mut self) -> Outcome<Tenth> {
        let youngest = read(&self.load).and_then(|text| youngest(&text)).ok_or("no /proc/loadavg")?;
        if self.youngest != Some(youngest) {
            self.list()?;
            self.youngest = Some(youngest);
        }
        let mut tenth = Tenth::default();
        self.tasks.retain_mut(|task| {
            // One that has ended says so here.
            let Some(ran) = read(&task.schedstat).and_then(|text| ran(&text)) else { return false };
            let time = ran.saturating_sub(task.ran);
            if time == 0 {
                return true;
            }
            task.ran = ran;
            let Some(core) = read(&task.stat).and_then(|text| last_core(&text)) else { return false };
            let is_here = core == PROXY_CORE;
            // One that came or went has been on both: all of it counts, rather than none.
            if is_here || task.was_here {
                let taken = if task.is_serving { &mut tenth.serving } else { &mut tenth.others };
                *taken.entry(task.name.clone()).or_default() += Duration::from_nanos(time);
            }
            task.was_here = is_here;
            true
        });
        let stolen =
            read(&self.stat).and_then(|text| stolen(&text, PROXY_CORE)).ok_or("no steal in /proc/stat")?;
        let ticks = stolen.saturating_sub(std::mem::replace(&mut self.stolen, stolen));
        if ticks > 0 {
            tenth.others.insert(HYPERVISOR.to_owned(), TICK * u32::try_from(ticks)?);
        }
        Ok(tenth)
    }

    /// Finds the tasks that are new. All that they have run counts from the next look on, as nobody has seen it yet.
    fn list(&mut self) -> Outcome<()> {
        let mut known = HashSet::new();
        for process in numbers(Path::new("/proc"))? {
            // It may end while we look.
            let Ok(tasks) = numbers(Path::new(&format!("/proc/{process}/task"))) else { continue };
            for task in tasks {
                known.insert(task);
                if !self.known.contains(&task) && !self.gateway.contains(&process) {
                    self.tasks.extend(open(process, task));
                }
            }
        }
        self.known = known;
        Ok(())
    }
}

/// Opens the task's files if it can run on the gateway's core and has not ended meanwhile.
fn open(process: u32, task: u32) -> Option<Task> {
    let folder = format!("/proc/{process}/task/{task}");
    let text = |path: &str| fs::read_to_string(path).ok();
    if !may_run_on(&text(&format!("{folder}/status"))?, PROXY_CORE) {
        return None;
    }
    let name = text(&format!("{folder}/comm"))?.trim_end().to_owned();
    let of = text(&format!("/proc/{process}/comm"))?.trim_end().to_owned();
    let stat = File::open(format!("{folder}/stat")).ok()?;
    Some(Task {
        // The kernel's threads are processes without a program, whose link is not there; anybody can take their names.
        is_serving: is_serving(&name) && fs::read_link(format!("{folder}/exe")).is_err(),
        name: if task == process || name == of { name } else { format!("{name} of {of}") },
        schedstat: File::open(format!("{folder}/schedstat")).ok()?,
        was_here: last_core(&read(&stat)?)? == PROXY_CORE,
        stat,
        ran: 0,
    })
}

/// Whether a thread of the kernel with this name does what the gateway causes.
fn is_serving(name: &str) -> bool {
    SERVING.iter().any(|begin| name.starts_with(begin))
}

/// The names in a folder that are numbers.
fn numbers(folder: &Path) -> Outcome<Vec<u32>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(folder)? {
        numbers.extend(entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok()));
    }
    Ok(numbers)
}

/// The beginning of a file of the kernel's, as it is now.
fn read(file: &File) -> Option<String> {
    let mut bytes = [0; MOST_BYTES];
    let length = file.read_at(&mut bytes, 0).ok()?;
    Some(String::from_utf8_lossy(&bytes[..length]).into_owned())
}

/// Nanoseconds on a core, from `schedstat`: the first number.
fn ran(text: &str) -> Option<u64> {
    text.split_whitespace().next()?.parse().ok()
}

/// The core that the task is on or was on last, from `stat`: field 39 (proc_pid_stat(5)). Field 2 is a name in brackets, with
/// anything in it.
fn last_core(text: &str) -> Option<usize> {
    text.rsplit_once(')')?.1.split_whitespace().nth(39 - 3)?.parse().ok()
}

/// Whether the task may run on this core, from `status`. What says nothing about it may.
fn may_run_on(text: &str, core: usize) -> bool {
    let Some(list) = text.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")) else {
        return true;
    };
    list.trim().split(',').any(|part| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        match (first.parse::<usize>(), last.parse::<usize>()) {
            (Ok(first), Ok(last)) => (first..=last).contains(&core),
            _ => false,
        }
    })
}

/// Ticks that the hypervisor took of this core, from `/proc/stat`: the eighth number (proc_stat(5)).
fn stolen(text: &str, core: usize) -> Option<u64> {
    let name = format!("cpu{core} ");
    let line = text.lines().find_map(|line| line.strip_prefix(&name))?;
    line.split_whitespace().nth(7)?.parse().ok()
}

/// The number of the youngest task, from `/proc/loadavg`: the last.
fn youngest(text: &str) -> Option<u32> {
    text.split_whitespace().next_back()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(micros: &[u64]) -> Account {
        let tenth = |micros: &u64| {
            let half = Duration::from_micros(*micros) / 2;
            let others = Taken::from([("one".to_owned(), half), ("other".to_owned(), half)]);
            Tenth { others, serving: Taken::from([("ksoftirqd/0".to_owned(), TENTH)]) }
        };
        Account { tenths: micros.iter().map(tenth).collect(), ..Account::default() }
    }

    #[test]
    fn a_tenth_counts_when_others_took_little_of_it_and_of_the_one_before() {
        let account = account(&[0, 500, 500, 502, 0, 0, 9_000, 0]);
        let counts: Vec<bool> = (0..9).map(|tenth| account.is_undisturbed(tenth)).collect();
        // Nothing is known of what was before the first, nor of the one after the last.
        assert_eq!(counts, [false, true, true, false, false, true, false, false, false]);
        assert_eq!(account.others(3).unwrap().values().sum::<Duration>(), Duration::from_micros(502));
        assert_eq!(account.serving(3).unwrap()["ksoftirqd/0"], TENTH);
        assert!(account.others(8).is_none() && account.serving(8).is_none());
        assert!(!Account::default().is_undisturbed(0));
    }

    #[test]
    fn what_a_task_ran_and_where_is_read() {
        assert_eq!(ran("571126776836 604711000075 488987\n"), Some(571_126_776_836));
        assert_eq!((ran(""), ran("many 1 2")), (None, None));
        let fields: Vec<String> = (4..=52).map(|field| field.to_string()).collect();
        let line = format!("75 (a) b (c) R {}\n", fields.join(" "));
        assert_eq!(last_core(&line), Some(39));
        assert_eq!((last_core("75 (short) R 1 2"), last_core("")), (None, None));
    }

    #[test]
    fn who_serves_the_gateway_is_told_by_name() {
        for name in ["ksoftirqd/0", "kworker/0:1H-kblockd", "kworker/0:0-events", "rcu_preempt"] {
            assert!(is_serving(name), "{name}");
        }
        for name in
            ["ksoftirqd/1", "kworker/1:0", "kworker/u8:1-writeback", "kdamond.0", "tokio-rt-worker", ""]
        {
            assert!(!is_serving(name), "{name}");
        }
    }

    #[test]
    fn where_a_task_may_run_is_read() {
        let status =
            |list| format!("Name:\tx\nCpus_allowed:\t3\nCpus_allowed_list:\t{list}\nMems_allowed:\t1\n");
        for (list, zero, three) in [
            ("0-1", true, false),
            ("1", false, false),
            ("0", true, false),
            ("1-2,4-15", false, false),
            ("0,2-3", true, true),
            ("10,30", false, false),
        ] {
            let status = status(list);
            assert_eq!((may_run_on(&status, 0), may_run_on(&status, 3)), (zero, three), "{list}");
        }
        assert!(may_run_on("Name:\tx\n", 0));
    }

    #[test]
    fn steal_and_the_youngest_task_are_read() {
        let stat =
            "cpu  9 9 9 9 9 9 9 9 0 0\ncpu0 1 2 3 4 5 6 7 2232 0 0\ncpu1 1 2 3 4 5 6 7 8 0 0\nintr 5\n";
        assert_eq!((stolen(stat, 0), stolen(stat, 1), stolen(stat, 2)), (Some(2_232), Some(8), None));
        assert_eq!(youngest("2.06 1.51 1.20 3/106 3763\n"), Some(3763));
        assert_eq!(youngest(""), None);
    }

    #[test]
    fn tasks_of_this_machine_are_found_but_not_those_under_test() {
        let (release, wait) = std::sync::mpsc::channel::<()>();
        let thread = Builder::new().name("watched".to_owned()).spawn(move || wait.recv().is_err()).unwrap();
        let own = std::process::id();
        let is_listed = |gateway| {
            let mut others = Others::find(gateway).unwrap();
            assert!(others.known.contains(&own) && others.youngest.is_some());
            others.look().unwrap();
            others.tasks.iter().any(|task| task.name.starts_with("watched of "))
        };
        let may_run_here = may_run_on(&fs::read_to_string("/proc/self/status").unwrap(), PROXY_CORE);
        // No process has the number 0.
        assert_eq!(is_listed(0), may_run_here);
        assert!(!is_listed(own));
        drop(release);
        assert!(thread.join().unwrap());
    }

    #[test]
    fn whoever_comes_late_charges_every_tenth_that_has_passed() {
        let is_over = AtomicBool::new(true);
        let origin = Instant::now() - TENTH * 5 / 2;
        let account = keep(std::process::id(), origin, &is_over).unwrap();
        assert!(account.tenths.len() >= 2 && account.latest >= TENTH, "{account:?}");
        let others: Vec<_> = (0..account.tenths.len()).map(|tenth| account.others(tenth)).collect();
        assert!(others.iter().all(|taken| *taken == others[0]));
    }
}
