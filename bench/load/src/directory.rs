//! Log-ins through a directory that is 50 ms away, beside traffic: what the traffic takes meanwhile, and what a log-in does.
//!
//! Called by `main`. Must never let the directory's own work, on the generator's core, be taken for the gateway's.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use testkit::ldap::{Slapd, Slow, User};

use crate::Outcome;
use crate::arguments::Arguments;
use crate::engine::{Engine, Pace, Seen, Slice};
use crate::machine::{self, Scheduled};
use crate::others::{Account, Watch};
use crate::proxies::{self, Folder, Proxy};
use crate::report;
use crate::report_storms;
use crate::storm::{LoggedIn, Storm, name_of, password_of};

/// Added to what the directory needs, in each direction: a log-in's three questions take 150 ms.
const DELAY: Duration = Duration::from_millis(25);
/// The fewest users in the directory.
const LEAST_USERS: usize = 10_000;
/// Until as many log-ins are on their way as there will be: those that wait for their turn do so for a second.
const WARM_UP: Duration = Duration::from_millis(1_500);
/// Binds at a time: enough for the storm, and a third of that.
const POOLS: [usize; 2] = [128, 16];
/// Between two slices: what is written behind gets there.
const SETTLING: Duration = Duration::from_millis(300);

const SETTINGS: &str = include_str!("../../directory.toml");

/// What one kind of storm showed.
pub(crate) struct Stormed {
    pub(crate) name: String,
    /// Traffic in slices without log-ins and beside them, in turns.
    pub(crate) quiet: Vec<Seen>,
    pub(crate) busy: Vec<Seen>,
    /// What others took of the gateway's core, slice by slice.
    pub(crate) quiet_others: Vec<Account>,
    pub(crate) busy_others: Vec<Account>,
    /// The log-ins of the busy slices.
    pub(crate) logged_in: Vec<LoggedIn>,
    /// CPU of the gateway's threads by name, over all slices of a kind.
    pub(crate) quiet_threads: BTreeMap<String, Scheduled>,
    pub(crate) busy_threads: BTreeMap<String, Scheduled>,
}

/// `load directory`.
pub(crate) fn run(arguments: &Arguments) -> Outcome<()> {
    machine::pin(machine::LOAD_CORE)?;
    let of_a_round = arguments.logins * (WARM_UP + arguments.slice).as_secs_f64();
    let users = ((of_a_round * arguments.rounds as f64) as usize + 1).max(LEAST_USERS);
    let people = (0..users).map(|user| User::named(&name_of(user), password_of(user)));
    let directory = Slapd::new().users(people).start();
    let line = Slow::before(directory.tls_port(), DELAY);
    let mut engine = Engine::start()?;
    engine.share_core()?;
    let precedence = machine::take_precedence();
    let data = Folder::new("directory-data")?;
    let everybody: Vec<usize> = (0..users).collect();
    let mut bench = Bench { arguments, directory, line, tokens: Vec::new() };
    let mut all = Vec::new();
    let gateway = bench.start(&engine, data.path(), POOLS[0])?;
    bench.tokens = proxies::log_in(gateway.address, arguments.sessions)?;
    all.push(bench.storm(&mut engine, &gateway, "first log-ins", POOLS[0], &everybody)?);
    let known: Vec<usize> =
        all.iter().flat_map(|shown| &shown.logged_in).flat_map(|seen| seen.users.clone()).collect();
    if known.is_empty() {
        return Err("nobody was logged in".into());
    }
    all.push(bench.storm(&mut engine, &gateway, "log-ins of known users", POOLS[0], &known)?);
    drop(gateway);
    let gateway = bench.start(&engine, data.path(), POOLS[1])?;
    all.push(bench.storm(&mut engine, &gateway, "log-ins of known users", POOLS[1], &known)?);
    let about = format!(
        "{users} users in slapd behind a line of {} ms in each direction, TLS; {precedence}; {:.0} MB of memory at the end; \
         {} connections to the directory at a time at the most",
        DELAY.as_millis(),
        machine::rss_kib(gateway.pid())? as f64 * 1024.0 / 1e6,
        bench.line.most(),
    );
    let text = report_storms::storms(arguments, &about, &all);
    println!("{text}");
    report::write(arguments, "directory", &text)
}

struct Bench<'a> {
    arguments: &'a Arguments,
    directory: Slapd,
    line: Slow,
    tokens: Vec<String>,
}

impl Bench<'_> {
    fn start(&self, engine: &Engine, data: &Path, pool: usize) -> Outcome<Proxy> {
        let settings = SETTINGS
            .replace("@DIRECTORY@", &self.line.port().to_string())
            .replace("@AUTHORITY@", &self.directory.authority().file().display().to_string())
            .replace("@POOL@", &pool.to_string())
            .replace("@PEOPLE@", Slapd::PEOPLE)
            .replace("@SERVICE@", Slapd::SERVICE_DN)
            .replace("@PASSWORD@", Slapd::SERVICE_PASSWORD);
        proxies::start_doorward_with(self.arguments, engine.backend(), false, Some(data), &settings)
    }

    /// In turns: traffic alone, traffic beside log-ins of these users.
    fn storm(
        &self,
        engine: &mut Engine,
        gateway: &Proxy,
        name: &str,
        pool: usize,
        users: &[usize],
    ) -> Outcome<Stormed> {
        let mut shown = Stormed {
            name: format!("{name}, poolSize {pool}"),
            quiet: Vec::new(),
            busy: Vec::new(),
            quiet_others: Vec::new(),
            busy_others: Vec::new(),
            logged_in: Vec::new(),
            quiet_threads: BTreeMap::new(),
            busy_threads: BTreeMap::new(),
        };
        let mut next = 0;
        for round in 0..self.arguments.rounds.max(1) {
            for with in [round % 2 == 1, round % 2 == 0] {
                std::thread::sleep(SETTLING);
                let threads = if with { &mut shown.busy_threads } else { &mut shown.quiet_threads };
                let mut storm = with.then(|| Storm::new(gateway.address, self.arguments.logins, users, next));
                let (seen, others) = self.slice(engine, gateway, storm.as_mut(), threads)?;
                match storm {
                    None => {
                        shown.quiet.push(seen);
                        shown.quiet_others.push(others);
                    }
                    Some(storm) => {
                        shown.busy.push(seen);
                        shown.busy_others.push(others);
                        let (logged_in, after) = storm.end();
                        next = after;
                        if let Some((status, text)) = logged_in.wrong.first_key_value() {
                            return Err(format!("a log-in was answered {status}: {text}").into());
                        }
                        shown.logged_in.push(logged_in);
                    }
                }
            }
            eprintln!("round {}: {}", round + 1, report_storms::in_short(&shown));
        }
        Ok(shown)
    }

    /// One slice, and what others took of the gateway's core in it.
    fn slice(
        &self,
        engine: &mut Engine,
        gateway: &Proxy,
        storm: Option<&mut Storm<'_>>,
        threads: &mut BTreeMap<String, Scheduled>,
    ) -> Outcome<(Seen, Account)> {
        let pid = gateway.pid();
        let watch = Watch::start(pid)?;
        let slice = Slice {
            target: gateway.address,
            connections: self.arguments.connections,
            pace: Pace::Fixed(self.arguments.rate),
            warm_up: WARM_UP,
            length: self.arguments.slice,
            tokens: &self.tokens,
            tenths_from: Some(watch.origin),
        };
        let looks = RefCell::new(Vec::new());
        let clock = || {
            looks.borrow_mut().push(machine::scheduled_by_name(pid)?);
            machine::scheduled(pid)
        };
        let seen = match storm {
            None => engine.run(&slice, clock)?,
            Some(storm) => engine.run_beside(&slice, storm, clock)?,
        };
        let others = watch.end()?;
        if let [before, after] = &looks.borrow()[..] {
            for (name, times) in after {
                let earlier = before.get(name).copied().unwrap_or_default();
                let sum = threads.entry(name.clone()).or_default();
                sum.ran += times.ran.saturating_sub(earlier.ran);
                sum.waited += times.waited.saturating_sub(earlier.waited);
            }
        }
        match &seen.first_wrong {
            None => Ok((seen, others)),
            Some(first) => Err(format!("{} wrong answers beside log-ins; first: {first}", seen.wrong).into()),
        }
    }
}
