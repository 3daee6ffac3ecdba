//! Administration at a size: what its calls take on a store of a million sessions, alone and beside traffic, and what the
//! traffic takes meanwhile.
//!
//! Called by `main`. Must never work on the filled store itself, which other runs need: it is copied.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::arguments::Arguments;
use crate::calls::{Call, Kind, Script, Supplies, id_in, is_good, request};
use crate::compare::WARM_UP;
use crate::engine::{Beside, Engine, Listing, Pace, Seen, Slice};
use crate::machine;
use crate::message;
use crate::population::Population;
use crate::proxies::{self, Folder};
use crate::report;

/// Calls of a kind without traffic, and beside traffic in a slice, at the most: those that take sessions away run out.
const MOST_CALLS: usize = 200;
/// A login counts as recent for five minutes.
const RECENT: Duration = Duration::from_secs(240);
/// Between a burst of changes and the next slice: what is written behind gets there.
const SETTLING: Duration = Duration::from_millis(300);

/// An administrator on the wire: one connection, one call after the other.
pub(crate) struct Administrator {
    stream: TcpStream,
    buffer: Vec<u8>,
    supplies: Supplies,
    script: Script,
    session: String,
    place: usize,
    most: usize,
    last: String,
    waiting: Option<(Kind, Instant)>,
    /// The latencies of a slice, by the places of the kinds in the script.
    taken: Vec<(Kind, Duration)>,
}

impl Administrator {
    /// Sends the next call, if there is one.
    fn ask(&mut self) -> Outcome<()> {
        self.waiting = None;
        if self.place >= self.most {
            return Ok(());
        }
        let next = self.supplies.next(self.script, self.place, &self.last, &self.session)?;
        let Some(Call { kind, bytes }) = next else { return Ok(()) };
        self.place += 1;
        self.buffer.clear();
        self.waiting = Some((kind, Instant::now()));
        // A call is a few hundred bytes, up to two thousand: a socket without anything outstanding takes them at once.
        match self.stream.write(&bytes) {
            Ok(written) if written == bytes.len() => Ok(()),
            other => Err(format!("a call was not taken whole: {other:?}").into()),
        }
    }
}

impl Beside for Administrator {
    fn open(&mut self, list: &Listing<'_>) -> Outcome<()> {
        list.add(&self.stream, 0)
    }

    fn measure(&mut self) -> Outcome<()> {
        self.ask()
    }

    fn send_due(&mut self, _: Instant, _: &Listing<'_>) -> Outcome<Option<Instant>> {
        Ok(None)
    }

    /// Reads what there is; asks on once an answer is whole.
    fn is_ready(&mut self, _: u32, _: &Listing<'_>) -> Outcome<()> {
        let mut part = [0; 64 * 1024];
        loop {
            match self.stream.read(&mut part) {
                Ok(0) => return Err("the gateway closed the administrator's connection".into()),
                Ok(read) => self.buffer.extend_from_slice(&part[..read]),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        let Some(whole) = message::whole_answer(&self.buffer)? else { return Ok(()) };
        let (kind, since) = self.waiting.ok_or("an answer to nothing")?;
        self.taken.push((kind, since.elapsed()));
        let body = String::from_utf8_lossy(&self.buffer[whole.head_bytes..]).into_owned();
        if !is_good(kind, whole.status, &body) {
            let start: String = body.chars().take(300).collect();
            return Err(format!("{kind:?} was answered {}: {start}", whole.status).into());
        }
        if let Some(id) = id_in(&body) {
            self.last = id.to_owned();
        }
        self.ask()
    }

    fn stop(&mut self) {
        self.most = self.place;
    }

    fn is_done(&self) -> bool {
        self.waiting.is_none()
    }
}

/// What the slices of a script showed.
pub(crate) struct Administered {
    pub(crate) script: Script,
    /// Latencies without traffic, and beside it.
    pub(crate) alone: BTreeMap<usize, Vec<Duration>>,
    pub(crate) beside: BTreeMap<usize, Vec<Duration>>,
    /// Traffic in slices without the calls and with them, in turns.
    pub(crate) quiet: Vec<Seen>,
    pub(crate) busy: Vec<Seen>,
}

/// `load administer`.
pub(crate) fn run(arguments: &Arguments) -> Outcome<()> {
    machine::pin(machine::LOAD_CORE)?;
    let (Some(filled), Some(file)) = (&arguments.data, &arguments.tokens) else {
        return Err("administer needs --data and --tokens: a store that `fill` made".into());
    };
    let mut tokens: Vec<String> = fs::read_to_string(file)?.lines().map(str::to_owned).collect();
    let population = Population::of(arguments.users, tokens.len())?;
    let sessions = tokens.len();
    tokens.truncate(population.lasting);
    let folder = Folder::new("administered")?;
    copy(filled, folder.path())?;
    let mut engine = Engine::start()?;
    let begin = Instant::now();
    let gateway = proxies::start_doorward(arguments, engine.backend(), false, Some(folder.path()))?;
    let started = begin.elapsed();
    let mut bench = Bench {
        arguments,
        address: gateway.address,
        pid: gateway.pid(),
        tokens,
        supplies: None,
        login: None,
    };
    let role = bench.id_of_crowd()?;
    bench.supplies = Some(Supplies::new(population, role));
    let mut all = Vec::new();
    let only = arguments.only.as_deref().unwrap_or("");
    for script in Script::ALL.into_iter().filter(|script| script.is_called(only)) {
        let shown = bench.measure(&mut engine, script)?;
        eprintln!("{}", report::in_short(&shown));
        all.push(shown);
    }
    let about = format!(
        "{sessions} live sessions, {} users; the start took {:.1} s; {:.0} MB of memory at the end",
        arguments.users,
        started.as_secs_f64(),
        machine::rss_kib(gateway.pid())? as f64 * 1024.0 / 1e6
    );
    let text = report::administration(arguments, &about, &all);
    println!("{text}");
    report::write(arguments, "administration", &text)
}

struct Bench<'a> {
    arguments: &'a Arguments,
    address: SocketAddr,
    pid: u32,
    tokens: Vec<String>,
    /// Lent to the administrator for each slice.
    supplies: Option<Supplies>,
    login: Option<(String, Instant)>,
}

impl Bench<'_> {
    /// Without traffic first, then in turns: traffic alone, traffic beside the calls.
    fn measure(&mut self, engine: &mut Engine, script: Script) -> Outcome<Administered> {
        let mut shown = Administered {
            script,
            alone: BTreeMap::new(),
            beside: BTreeMap::new(),
            quiet: Vec::new(),
            busy: Vec::new(),
        };
        let rounds = self.arguments.rounds.max(1);
        let most = self.most(script, rounds);
        let (_, taken) = self.slice(engine, Some((script, most)), 0)?;
        sort_in(&mut shown.alone, script, taken);
        for round in 0..rounds {
            for with in [round % 2 == 1, round % 2 == 0] {
                std::thread::sleep(SETTLING);
                let calls = with.then_some((script, most));
                let (seen, taken) = self.slice(engine, calls, self.arguments.connections)?;
                if with {
                    sort_in(&mut shown.beside, script, taken);
                    shown.busy.push(seen);
                } else {
                    shown.quiet.push(seen);
                }
            }
        }
        Ok(shown)
    }

    /// Calls of a slice at the most: what there is, dealt out evenly.
    fn most(&self, script: Script, rounds: usize) -> usize {
        let Some(supplies) = &self.supplies else { return 0 };
        let population = &supplies.population;
        let left = match script {
            Script::Of(Kind::RevokeTen) => population.ten.len(),
            Script::Of(Kind::RevokeMany) => population.many.len() - 1,
            Script::Of(Kind::RevokeApp) => population.apps,
            // A making and its undoing belong together.
            _ => MOST_CALLS * (rounds + 1),
        };
        (left / (rounds + 1)).clamp(1, MOST_CALLS)
    }

    fn slice(
        &mut self,
        engine: &mut Engine,
        calls: Option<(Script, usize)>,
        connections: usize,
    ) -> Outcome<(Seen, Vec<(Kind, Duration)>)> {
        let session = self.session()?;
        let pid = self.pid;
        let slice = Slice {
            target: self.address,
            connections,
            pace: Pace::Fixed(self.arguments.rate),
            warm_up: WARM_UP,
            length: self.arguments.slice,
            tokens: &self.tokens,
            tenths_from: None,
        };
        let Some((script, most)) = calls else {
            return Ok((checked(engine.run(&slice, || machine::scheduled(pid))?)?, Vec::new()));
        };
        let supplies = self.supplies.take().ok_or("nobody to work on")?;
        let stream = TcpStream::connect(self.address)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let mut administrator = Administrator {
            stream,
            buffer: Vec::new(),
            supplies,
            script,
            session,
            place: 0,
            most,
            last: String::new(),
            waiting: None,
            taken: Vec::new(),
        };
        let seen = engine.run_beside(&slice, &mut administrator, || machine::scheduled(pid))?;
        self.supplies = Some(administrator.supplies);
        Ok((checked(seen)?, administrator.taken))
    }

    /// The administrator's session: a new one where the last login is not recent any more.
    fn session(&mut self) -> Outcome<String> {
        if let Some((session, since)) = &self.login
            && since.elapsed() < RECENT
        {
            return Ok(session.clone());
        }
        let session = proxies::log_in(self.address, 1)?.pop().ok_or("no session")?;
        self.login = Some((session.clone(), Instant::now()));
        Ok(session)
    }

    fn id_of_crowd(&mut self) -> Outcome<String> {
        let session = self.session()?;
        let mut stream = TcpStream::connect(self.address)?;
        stream.write_all(&request("GET /api/roles?name=crowd", &session, ""))?;
        let mut answer = Vec::new();
        let mut part = [0; 4096];
        while message::whole_answer(&answer)?.is_none() {
            let read = stream.read(&mut part)?;
            if read == 0 {
                break;
            }
            answer.extend_from_slice(&part[..read]);
        }
        let text = String::from_utf8_lossy(&answer).into_owned();
        Ok(id_in(&text).ok_or_else(|| format!("no role crowd: {text}"))?.to_owned())
    }
}

fn checked(seen: Seen) -> Outcome<Seen> {
    match &seen.first_wrong {
        None => Ok(seen),
        Some(first) => {
            Err(format!("{} wrong answers beside administration; first: {first}", seen.wrong).into())
        }
    }
}

fn sort_in(into: &mut BTreeMap<usize, Vec<Duration>>, script: Script, taken: Vec<(Kind, Duration)>) {
    for (place, kind) in script.kinds().into_iter().enumerate() {
        let of_kind = taken.iter().filter(|(taken, _)| *taken == kind).map(|(_, took)| *took);
        into.entry(place).or_default().extend(of_kind);
    }
}

fn copy(from: &Path, to: &Path) -> Outcome<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            fs::create_dir_all(&target)?;
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
