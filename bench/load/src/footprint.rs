//! What the gateway takes without any load: memory, binary, time until the first good answer.
//!
//! Called by `main`. Must never be run on a debug build (the callers give it a release binary).

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::arguments::Arguments;
use crate::engine::Engine;
use crate::machine;
use crate::proxies;
use crate::report;

/// After the start, so that whatever it does once is over: memory for password hashes is given back after 10 s.
const SETTLING: Duration = Duration::from_secs(12);

/// `load footprint`.
pub(crate) fn run(arguments: &Arguments) -> Outcome<()> {
    let engine = Engine::start()?;
    let empty = start(arguments, engine.backend(), false)?;
    let mut rows = vec![("idle, empty store, before any login".to_owned(), empty)];
    if let (Some(_), Some(file)) = (&arguments.data, &arguments.tokens) {
        let sessions = std::fs::read_to_string(file)?.lines().count();
        let filled = start(arguments, engine.backend(), true)?;
        let per_session =
            (filled.rss_kib.saturating_sub(empty.rss_kib) * 1024) as f64 / sessions.max(1) as f64;
        rows.push((
            format!("{sessions} sessions in the store ({per_session:.0} bytes of memory each)"),
            filled,
        ));
    }
    let binary = std::fs::metadata(&arguments.doorward)?.len();
    let text = report::footprint(binary, &rows);
    println!("{text}");
    report::write(arguments, "footprint", &text)
}

/// One start of the gateway.
#[derive(Clone, Copy)]
pub(crate) struct Start {
    pub(crate) rss_kib: u64,
    pub(crate) first_answer: Duration,
}

fn start(arguments: &Arguments, backend: SocketAddr, filled: bool) -> Outcome<Start> {
    let begin = Instant::now();
    let data = arguments.data.as_deref().filter(|_| filled);
    let gateway = proxies::start_doorward(arguments, backend, false, data)?;
    let (target, wanted) = if filled {
        let file = arguments.tokens.as_deref().ok_or("no tokens")?;
        let text = std::fs::read_to_string(file)?;
        let token = text.lines().next_back().ok_or("no tokens")?.to_owned();
        (format!("GET /api/session HTTP/1.1\r\nCookie: id={token}\r\n"), " 200 ")
    } else {
        ("GET /api HTTP/1.1\r\n".to_owned(), " 200 ")
    };
    let mut stream = TcpStream::connect(gateway.address)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    stream.write_all(format!("{target}Host: {}\r\nConnection: close\r\n\r\n", gateway.address).as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let first_answer = begin.elapsed();
    let status = answer.lines().next().unwrap_or("");
    if !status.contains(wanted) {
        return Err(format!("the first answer was {status:?}").into());
    }
    std::thread::sleep(SETTLING);
    Ok(Start { rss_kib: machine::rss_kib(gateway.pid())?, first_answer })
}
