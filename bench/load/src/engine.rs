//! The generator and its backend: one thread, one epoll, both ends of the proxy under test.
//!
//! Called by `compare`, `rate`, `administer`, `directory` and `footprint`. Must never hide a wrong answer: anything but a `200` of the expected
//! length is counted, and the callers refuse to print a number that has one.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags};
use rustix::time::{timerfd_create, timerfd_settime};

use crate::Outcome;
use crate::histogram::Histogram;
use crate::machine::Scheduled;
use crate::message::{self, ANSWER_BYTES, TOKEN_BYTES, Template};
use crate::others::TENTH;

/// Room for one answer through the proxy: the backend's 523 bytes and the headers that the proxy adds.
const BUFFER_BYTES: usize = 8 * 1024;

/// Events taken from the kernel at a time.
const EVENTS: usize = 256;

/// Longest wait for an event, so that the clock is looked at.
const LONGEST_WAIT: Duration = Duration::from_millis(20);

/// No time at all.
const NOW: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };

/// Where the listener's events are told from those of connections.
const LISTENER: u64 = u64::MAX;

/// Where the timer's events are told from those of connections.
const TIMER: u64 = u64::MAX - 1;

/// Set in the event data of the generator's connections; the backend's have it clear.
const CLIENT: u64 = 1 << 32;

/// Set in the event data of the connections of what works beside the generator.
const BESIDE: u64 = 1 << 33;

/// How long what works beside a slice may take to its last answer.
const FINISHING: Duration = Duration::from_secs(30);

/// When requests are sent.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pace {
    /// The next as soon as the answer is there.
    Closed,
    /// So many a second, at times fixed before; latency counts from those times, not from the sending.
    Fixed(f64),
}

/// One slice of measurement.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slice<'a> {
    pub(crate) target: SocketAddr,
    pub(crate) connections: usize,
    pub(crate) pace: Pace,
    pub(crate) warm_up: Duration,
    pub(crate) length: Duration,
    /// One is drawn for each request; with none, the template's own stands.
    pub(crate) tokens: &'a [String],
    /// Tells tenths of a second apart, beginning here.
    pub(crate) tenths_from: Option<Instant>,
}

/// Something that asks the gateway for other things than the generator, beside it and on its thread.
pub(crate) trait Beside {
    /// A slice begins with its warm-up: opens what is to be open, and has it listed.
    fn open(&mut self, list: &Listing<'_>) -> Outcome<()>;
    /// The warm-up is over.
    fn measure(&mut self) -> Outcome<()>;
    /// Sends what is due. `None`: nothing will be due before an answer comes.
    fn send_due(&mut self, now: Instant, list: &Listing<'_>) -> Outcome<Option<Instant>>;
    /// The connection that was listed under this number can be read.
    fn is_ready(&mut self, number: u32, list: &Listing<'_>) -> Outcome<()>;
    /// The slice is over: asks for nothing more.
    fn stop(&mut self);
    /// Nothing more will be asked, and everything is answered. Ends a slice early.
    fn is_done(&self) -> bool;
}

/// Has connections of a [`Beside`] looked after.
pub(crate) struct Listing<'a>(&'a OwnedFd);

impl Listing<'_> {
    /// Tells when this connection can be read, by this number, until it is closed.
    pub(crate) fn add(&self, stream: &TcpStream, number: u32) -> Outcome<()> {
        let data = epoll::EventData::new_u64(BESIDE | u64::from(number));
        Ok(epoll::add(self.0, stream, data, epoll::EventFlags::IN)?)
    }
}

/// What a slice showed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) requests: u64,
    pub(crate) wall: Duration,
    pub(crate) proxy_cpu: Duration,
    /// Time the proxy could have run and something else had its core.
    pub(crate) proxy_waited: Duration,
    pub(crate) latency: Histogram,
    /// The same by the tenth in which a request was due, if they are told apart; empty for those before the measurement.
    pub(crate) by_tenth: Vec<Histogram>,
    /// Answers that were not a `200` with the backend's length, with the first of them.
    pub(crate) wrong: u64,
    pub(crate) first_wrong: Option<String>,
    /// Connections that the proxy closed and that were opened again.
    pub(crate) reconnects: u64,
    /// Connections that the proxy opened to the backend: with a working pool, few.
    pub(crate) upstream_connections: u64,
}

impl Seen {
    fn record(&mut self, since: Instant, now: Instant, tenths_from: Option<Instant>) {
        let took = now.saturating_duration_since(since);
        self.requests += 1;
        self.latency.record(took);
        let Some(from) = tenths_from else { return };
        let tenth = since.saturating_duration_since(from).as_nanos() / TENTH.as_nanos();
        let tenth = usize::try_from(tenth).unwrap_or(usize::MAX);
        if tenth >= self.by_tenth.len() {
            self.by_tenth.resize(tenth + 1, Histogram::default());
        }
        self.by_tenth[tenth].record(took);
    }
}

struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
    filled: usize,
    waiting_since: Option<Instant>,
}

struct Upstream {
    stream: TcpStream,
    buffer: Vec<u8>,
    filled: usize,
}

/// The event loop. It lives through all slices, because the proxies keep their connections to its backend.
pub(crate) struct Engine {
    epoll: OwnedFd,
    listener: TcpListener,
    backend: SocketAddr,
    upstreams: Vec<Option<Upstream>>,
    clients: Vec<Client>,
    idle: Vec<usize>,
    template: Template,
    answer: Vec<u8>,
    body_bytes: usize,
    random: u64,
    measuring: bool,
    /// Wakes the generator where it sleeps: `epoll_wait` alone counts milliseconds.
    timer: Option<OwnedFd>,
    seen: Seen,
}

impl Engine {
    /// Starts the backend on a free loopback port. It answers while a slice runs.
    pub(crate) fn start() -> Outcome<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &listener, epoll::EventData::new_u64(LISTENER), epoll::EventFlags::IN)?;
        let answer = message::backend_answer();
        let whole = message::whole_answer(&answer)?.ok_or("the backend's own answer is not whole")?;
        Ok(Self {
            epoll,
            backend: listener.local_addr()?,
            listener,
            upstreams: Vec::new(),
            clients: Vec::new(),
            idle: Vec::new(),
            template: message::template(),
            answer,
            body_bytes: whole.body_bytes,
            random: 0x9E37_79B9_7F4A_7C15,
            measuring: false,
            timer: None,
            seen: Seen::default(),
        })
    }

    /// Others have work to do on the generator's core: it sleeps until the next request is due, and does not look all the
    /// time. Only for who has made sure that he gets the core back at once.
    pub(crate) fn share_core(&mut self) -> Outcome<()> {
        let timer =
            timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK)?;
        epoll::add(&self.epoll, &timer, epoll::EventData::new_u64(TIMER), epoll::EventFlags::IN)?;
        self.timer = Some(timer);
        Ok(())
    }

    /// Where the backend listens.
    pub(crate) fn backend(&self) -> SocketAddr {
        self.backend
    }

    /// Runs one slice; `clock` gives the proxy's CPU times and is asked at both ends.
    pub(crate) fn run(
        &mut self,
        slice: &Slice<'_>,
        clock: impl FnMut() -> Outcome<Scheduled>,
    ) -> Outcome<Seen> {
        self.run_with(slice, None, clock)
    }

    /// As [`run`](Self::run), with something that works beside it. The slice ends early once that is done; what the end of
    /// the slice cut off is waited for, so that it does not reach into the next.
    pub(crate) fn run_beside(
        &mut self,
        slice: &Slice<'_>,
        beside: &mut dyn Beside,
        clock: impl FnMut() -> Outcome<Scheduled>,
    ) -> Outcome<Seen> {
        let seen = self.run_with(slice, Some(&mut *beside), clock)?;
        beside.stop();
        let idle = Slice { pace: Pace::Closed, connections: 0, ..*slice };
        let end = Instant::now() + FINISHING;
        self.turn_until(&idle, Some(&mut *beside), end, &mut Instant::now())?;
        if !beside.is_done() {
            return Err("the last call of a slice is not answered".into());
        }
        Ok(seen)
    }

    fn run_with(
        &mut self,
        slice: &Slice<'_>,
        mut beside: Option<&mut dyn Beside>,
        mut clock: impl FnMut() -> Outcome<Scheduled>,
    ) -> Outcome<Seen> {
        self.seen = Seen::default();
        self.measuring = false;
        self.open_clients(slice)?;
        if let Some(beside) = &mut beside {
            beside.open(&Listing(&self.epoll))?;
        }
        let begin = Instant::now();
        let mut next_due = begin;
        self.turn_until(slice, reborrow(&mut beside), begin + slice.warm_up, &mut next_due)?;
        self.measuring = true;
        let (before, start) = (clock()?, Instant::now());
        if let Some(beside) = &mut beside {
            beside.measure()?;
        }
        self.turn_until(slice, beside, start + slice.length, &mut next_due)?;
        let (after, wall) = (clock()?, start.elapsed());
        self.clients.clear();
        self.idle.clear();
        let mut seen = std::mem::take(&mut self.seen);
        seen.proxy_cpu = Duration::from_nanos(after.ran.saturating_sub(before.ran));
        seen.proxy_waited = Duration::from_nanos(after.waited.saturating_sub(before.waited));
        seen.wall = wall;
        Ok(seen)
    }

    fn open_clients(&mut self, slice: &Slice<'_>) -> Outcome<()> {
        for index in 0..slice.connections {
            let stream = connect(slice.target)?;
            let data = epoll::EventData::new_u64(CLIENT | index as u64);
            epoll::add(&self.epoll, &stream, data, epoll::EventFlags::IN)?;
            let client = Client { stream, buffer: vec![0; BUFFER_BYTES], filled: 0, waiting_since: None };
            self.clients.push(client);
            match slice.pace {
                Pace::Closed => self.send(index, slice.tokens, Instant::now())?,
                Pace::Fixed(_) => self.idle.push(index),
            }
        }
        Ok(())
    }

    fn turn_until(
        &mut self,
        slice: &Slice<'_>,
        mut beside: Option<&mut dyn Beside>,
        end: Instant,
        next_due: &mut Instant,
    ) -> Outcome<()> {
        let mut events = Vec::with_capacity(EVENTS);
        loop {
            let now = Instant::now();
            let is_done = self.measuring && beside.as_ref().is_some_and(|beside| beside.is_done());
            if now >= end || is_done {
                return Ok(());
            }
            let mut wake = now + LONGEST_WAIT;
            if let Pace::Fixed(rate) = slice.pace {
                self.send_what_is_due(slice.tokens, now, next_due, rate)?;
                match self.timer {
                    Some(_) if self.idle.is_empty() => {}
                    Some(_) => wake = wake.min(*next_due),
                    // The core is ours: looking again at once keeps to the schedule better than any timer.
                    None => wake = now,
                }
            }
            if let Some(beside) = &mut beside
                && let Some(due) = beside.send_due(now, &Listing(&self.epoll))?
            {
                wake = wake.min(due);
            }
            let mut wait = Timespec::try_from(wake.saturating_duration_since(Instant::now()))?;
            if let Some(timer) = &self.timer
                && wait != NOW
            {
                // Setting it also takes back that it rang.
                let once = Itimerspec { it_interval: NOW, it_value: wait };
                timerfd_settime(timer, TimerfdTimerFlags::empty(), &once)?;
                wait = Timespec::try_from(LONGEST_WAIT)?;
            }
            epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&wait))?;
            for event in events.drain(..) {
                match event.data.u64() {
                    LISTENER => self.accept()?,
                    TIMER => {}
                    data if data & BESIDE != 0 => match &mut beside {
                        Some(beside) => beside.is_ready(data as u32, &Listing(&self.epoll))?,
                        None => return Err("an event of nobody".into()),
                    },
                    data if data & CLIENT != 0 => self.client_is_ready((data & !CLIENT) as usize, slice)?,
                    data => self.upstream_is_ready(data as usize),
                }
            }
        }
    }

    fn send_what_is_due(
        &mut self,
        tokens: &[String],
        now: Instant,
        next_due: &mut Instant,
        rate: f64,
    ) -> Outcome<()> {
        // A request whose time has come and that finds no free connection waits, and its waiting counts.
        while *next_due <= now
            && let Some(index) = self.idle.pop()
        {
            self.send(index, tokens, *next_due)?;
            *next_due += Duration::from_secs_f64(1.0 / rate);
        }
        Ok(())
    }

    fn send(&mut self, index: usize, tokens: &[String], since: Instant) -> Outcome<()> {
        if !tokens.is_empty() {
            self.random ^= self.random << 13;
            self.random ^= self.random >> 7;
            self.random ^= self.random << 17;
            let token = &tokens[(self.random % tokens.len() as u64) as usize];
            let at = self.template.token_at;
            self.template.bytes[at..at + TOKEN_BYTES].copy_from_slice(token.as_bytes());
        }
        let client = &mut self.clients[index];
        client.filled = 0;
        client.waiting_since = Some(since);
        // A socket without anything outstanding takes 420 bytes at once.
        match client.stream.write(&self.template.bytes) {
            Ok(written) if written == self.template.bytes.len() => Ok(()),
            // The proxy has closed: reading will show it, and opens the connection again.
            Err(error) if is_gone(error.kind()) => Ok(()),
            other => Err(format!("a request was not taken whole: {other:?}").into()),
        }
    }

    fn client_is_ready(&mut self, index: usize, slice: &Slice<'_>) -> Outcome<()> {
        let client = &mut self.clients[index];
        let read = match client.stream.read(&mut client.buffer[client.filled..]) {
            Ok(0) => return self.reconnect(index, slice),
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) if is_gone(error.kind()) => return self.reconnect(index, slice),
            Err(error) => return Err(error.into()),
        };
        client.filled += read;
        let bytes = &client.buffer[..client.filled];
        let Some(whole) = message::whole_answer(bytes)? else {
            return if bytes.len() < BUFFER_BYTES { Ok(()) } else { Err("an answer that never ends".into()) };
        };
        let good = whole.status == 200 && whole.body_bytes == self.body_bytes;
        if !good {
            self.seen.wrong += 1;
            let text = || String::from_utf8_lossy(bytes).into_owned();
            self.seen.first_wrong.get_or_insert_with(text);
        }
        let now = Instant::now();
        if let Some(since) = client.waiting_since.take()
            && self.measuring
        {
            self.seen.record(since, now, slice.tenths_from);
        }
        match slice.pace {
            Pace::Closed => self.send(index, slice.tokens, now),
            Pace::Fixed(_) => {
                self.idle.push(index);
                Ok(())
            }
        }
    }

    fn reconnect(&mut self, index: usize, slice: &Slice<'_>) -> Outcome<()> {
        self.seen.reconnects += 1;
        if self.seen.reconnects > 10_000 {
            return Err("the proxy closes every connection".into());
        }
        let stream = connect(slice.target)?;
        let data = epoll::EventData::new_u64(CLIENT | index as u64);
        epoll::add(&self.epoll, &stream, data, epoll::EventFlags::IN)?;
        let client = &mut self.clients[index];
        client.stream = stream;
        match client.waiting_since {
            Some(since) => self.send(index, slice.tokens, since),
            None => Ok(()),
        }
    }

    fn accept(&mut self) -> Outcome<()> {
        loop {
            let stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            stream.set_nonblocking(true)?;
            stream.set_nodelay(true)?;
            self.seen.upstream_connections += 1;
            let free = self.upstreams.iter().position(Option::is_none).unwrap_or(self.upstreams.len());
            epoll::add(&self.epoll, &stream, epoll::EventData::new_u64(free as u64), epoll::EventFlags::IN)?;
            let upstream = Some(Upstream { stream, buffer: vec![0; BUFFER_BYTES], filled: 0 });
            match self.upstreams.get_mut(free) {
                Some(place) => *place = upstream,
                None => self.upstreams.push(upstream),
            }
        }
    }

    fn upstream_is_ready(&mut self, index: usize) {
        let Some(upstream) = &mut self.upstreams[index] else {
            return;
        };
        match upstream.stream.read(&mut upstream.buffer[upstream.filled..]) {
            Ok(read @ 1..) => upstream.filled += read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            Ok(_) | Err(_) => {
                self.upstreams[index] = None;
                return;
            }
        }
        while let Some(end) = message::head_end(&upstream.buffer[..upstream.filled]) {
            // The answer is small and the proxy reads it: anything but a whole write is a dead connection.
            if !matches!(upstream.stream.write(&self.answer), Ok(ANSWER_BYTES)) {
                self.upstreams[index] = None;
                return;
            }
            upstream.buffer.copy_within(end..upstream.filled, 0);
            upstream.filled -= end;
        }
        if upstream.filled == BUFFER_BYTES {
            self.upstreams[index] = None;
        }
    }
}

/// Lends it for a while: `as_deref_mut` would borrow it for as long as it lives.
fn reborrow<'a>(beside: &'a mut Option<&mut dyn Beside>) -> Option<&'a mut dyn Beside> {
    match beside {
        Some(beside) => Some(&mut **beside),
        None => None,
    }
}

pub(crate) fn connect(target: SocketAddr) -> Outcome<TcpStream> {
    // Loopback connects at once; blocking here keeps the loop simple.
    let stream = TcpStream::connect(target).map_err(|error| format!("{target}: {error}"))?;
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    Ok(stream)
}

fn is_gone(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_measures_its_own_backend_at_both_paces() {
        let mut engine = Engine::start().unwrap();
        let token = "0".repeat(TOKEN_BYTES);
        for pace in [Pace::Closed, Pace::Fixed(1000.0)] {
            let slice = Slice {
                target: engine.backend(),
                connections: 4,
                pace,
                warm_up: Duration::from_millis(20),
                length: Duration::from_millis(200),
                tokens: std::slice::from_ref(&token),
                tenths_from: None,
            };
            let seen = engine.run(&slice, || Ok(Scheduled::default())).unwrap();
            assert_eq!((seen.wrong, seen.reconnects), (0, 0), "{:?}", seen.first_wrong);
            assert!(seen.requests > 50, "{pace:?}: {} requests", seen.requests);
            assert!(matches!(pace, Pace::Closed) || seen.requests < 260, "{}", seen.requests);
            assert!(seen.latency.quantile(0.5) > Duration::ZERO);
            assert!(seen.by_tenth.is_empty());
        }
    }

    #[test]
    fn a_latency_is_in_the_tenth_in_which_the_request_was_due() {
        let from = Instant::now();
        let at = |millis| from + Duration::from_millis(millis);
        let mut seen = Seen::default();
        seen.record(at(199), at(450), Some(from));
        seen.record(at(200), at(201), Some(from));
        seen.record(at(299), at(300), Some(from));
        let counts: Vec<u64> = seen.by_tenth.iter().map(Histogram::count).collect();
        assert_eq!(counts, [0, 1, 2]);
        assert!(seen.by_tenth[1].quantile(1.0) >= Duration::from_millis(251));
        assert_eq!((seen.requests, seen.latency.count()), (3, 3));
    }
}
