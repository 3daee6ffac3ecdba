//! CPU time per request of each proxy, in rounds of alternating order, and the ratio to nginx within each round.
//!
//! Called by `main`. Must never compare slices of different runs.

use std::time::Duration;

use crate::Outcome;
use crate::arguments::Arguments;
use crate::engine::{Engine, Pace, Seen, Slice};
use crate::machine::{self, Scheduled};
use crate::proxies::{self, Proxy};
use crate::report;

/// Before each slice, so that connections are open and caches warm.
pub(crate) const WARM_UP: Duration = Duration::from_millis(300);

/// One proxy in one way of running it, and what its slices showed.
pub(crate) struct Variant {
    pub(crate) name: &'static str,
    proxy: Proxy,
    tokens: Vec<String>,
    pub(crate) slices: Vec<Seen>,
    pub(crate) rss_kib: u64,
}

impl Variant {
    /// CPU time of the proxy per request in microseconds, slice by slice.
    pub(crate) fn costs(&self) -> Vec<f64> {
        self.slices.iter().map(|seen| seen.proxy_cpu.as_secs_f64() * 1e6 / seen.requests as f64).collect()
    }

    /// Runs one slice and keeps what it showed.
    pub(crate) fn measure(&mut self, engine: &mut Engine, arguments: &Arguments, pace: Pace) -> Outcome<()> {
        let slice = Slice {
            target: self.proxy.address,
            connections: arguments.connections,
            pace,
            warm_up: WARM_UP,
            length: arguments.slice,
            tokens: &self.tokens,
            tenths_from: None,
        };
        let pid = self.proxy.pid();
        let seen = engine.run(&slice, || machine::scheduled(pid))?;
        if seen.wrong > 0 || seen.requests == 0 {
            let (requests, wrong) = (seen.requests, seen.wrong);
            let first = seen.first_wrong.unwrap_or_default();
            return Err(
                format!("{}: {requests} requests, {wrong} wrong answers; first: {first}", self.name).into()
            );
        }
        self.rss_kib = machine::rss_kib(pid)?;
        self.slices.push(seen);
        Ok(())
    }
}

/// Starts every proxy that there is, nginx first.
pub(crate) fn variants(engine: &Engine, arguments: &Arguments) -> Outcome<Vec<Variant>> {
    let backend = engine.backend();
    let variant = |name, proxy, tokens| Variant { name, proxy, tokens, slices: Vec::new(), rss_kib: 0 };
    let mut variants = vec![
        variant("nginx, no login", proxies::start_nginx(&arguments.nginx, backend, false)?, Vec::new()),
        variant(
            "nginx, no login, access log",
            proxies::start_nginx(&arguments.nginx, backend, true)?,
            Vec::new(),
        ),
    ];
    if !arguments.doorward.exists() {
        eprintln!("{} is missing: nginx alone is measured", arguments.doorward.display());
        return Ok(variants);
    }
    let gateway = proxies::start_doorward(arguments, backend, false, arguments.data.as_deref())?;
    eprintln!("logging in …");
    let tokens = proxies::tokens(arguments, gateway.address)?;
    variants.push(variant("doorward, session checked", gateway, tokens));
    // A store that was filled before serves one process at a time: the variant with a log has sessions of its own.
    let fresh = Arguments { tokens: None, data: None, ..arguments.clone() };
    let gateway = proxies::start_doorward(&fresh, backend, true, None)?;
    let tokens = proxies::tokens(&fresh, gateway.address)?;
    variants.push(variant("doorward, session checked, request log", gateway, tokens));
    let gateway = proxies::start_signing_doorward(&fresh, backend)?;
    let tokens = proxies::tokens(&fresh, gateway.address)?;
    variants.push(variant("doorward, session checked, signed identity", gateway, tokens));
    Ok(variants)
}

/// `load compare`.
pub(crate) fn run(arguments: &Arguments) -> Outcome<()> {
    machine::pin(machine::LOAD_CORE)?;
    let mut engine = Engine::start()?;
    let mut variants = variants(&engine, arguments)?;
    let mut ceiling = Vec::new();
    for round in 0..arguments.rounds {
        ceiling.push(direct_slice(&mut engine, arguments)?);
        let mut order: Vec<usize> = (0..variants.len()).collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for index in order {
            variants[index].measure(&mut engine, arguments, Pace::Closed)?;
        }
        eprintln!("round {} of {}: {}", round + 1, arguments.rounds, last_costs(&variants));
    }
    let text = report::comparison(arguments, &variants, &ceiling);
    println!("{text}");
    report::write(arguments, "proxy", &text)
}

/// `load direct`: no proxy between the generator and its backend.
pub(crate) fn direct(arguments: &Arguments) -> Outcome<()> {
    machine::pin(machine::LOAD_CORE)?;
    let mut engine = Engine::start()?;
    for _ in 0..arguments.rounds {
        let seen = direct_slice(&mut engine, arguments)?;
        println!("{:.0} requests/s", seen.requests as f64 / seen.wall.as_secs_f64());
    }
    Ok(())
}

fn direct_slice(engine: &mut Engine, arguments: &Arguments) -> Outcome<Seen> {
    let slice = Slice {
        target: engine.backend(),
        connections: arguments.connections,
        pace: Pace::Closed,
        warm_up: WARM_UP / 3,
        length: arguments.slice / 4,
        tokens: &[],
        tenths_from: None,
    };
    let seen = engine.run(&slice, || Ok(Scheduled::default()))?;
    match &seen.first_wrong {
        None => Ok(seen),
        Some(first) => Err(format!("the generator's own backend answers wrongly: {first}").into()),
    }
}

fn last_costs(variants: &[Variant]) -> String {
    let shown = variants.iter().map(|variant| {
        let last = variant.costs().last().copied().unwrap_or(f64::NAN);
        format!("{} {last:.2} µs", variant.name)
    });
    shown.collect::<Vec<_>>().join(" · ")
}
