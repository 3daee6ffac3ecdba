//! The tables, as markdown: what is printed is what is kept.
//!
//! Called by the measurements. Must never leave out the machine, the commit or a slice.

use std::fmt::Write;
use std::fs;
use std::time::Duration;

use crate::Outcome;
use crate::administer::Administered;
use crate::arguments::Arguments;
use crate::compare::Variant;
use crate::decide::{Compiled, Decided, RULES};
use crate::engine::Seen;
use crate::footprint::Start;
use crate::histogram::Histogram;
use crate::machine;
use crate::statistics::{Spread, paired_ratios};

/// The report of `load compare`; the first variant is what the others are divided by.
pub(crate) fn comparison(arguments: &Arguments, variants: &[Variant], ceiling: &[Seen]) -> String {
    let mut text = heading("What a request costs beside nginx", arguments);
    text.push_str(
        "| variant | CPU µs/request: min | median | max | paired ratio to nginx: median (min-max) | min/min | \
         requests/s median | core busy | waited for core | p50 µs | p99 µs | RSS MB | connections to backend |\n\
         |---|---|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    let base = variants.first().map(Variant::costs).unwrap_or_default();
    for variant in variants {
        let costs = variant.costs();
        let ratios = paired_ratios(&costs, &base);
        let (Some(cost), Some(ratio), Some(least)) =
            (Spread::of(&costs), Spread::of(&ratios), Spread::of(&base))
        else {
            continue;
        };
        let line = format!(
            "| {} | {:.2} | {:.2} | {:.2} | {:.2} ({:.2}-{:.2}) | {:.2} | {} |\n",
            variant.name,
            cost.min,
            cost.median,
            cost.max,
            ratio.median,
            ratio.min,
            ratio.max,
            cost.min / least.min,
            throughput(variant),
        );
        text.push_str(&line);
    }
    let rates: Vec<f64> = ceiling.iter().map(|seen| seen.requests as f64 / seen.wall.as_secs_f64()).collect();
    if let Some(rate) = Spread::of(&rates) {
        let line = format!(
            "\nThe generator against its own backend, without a proxy: {:.0} requests/s (median; {:.0}-{:.0}). A proxy \
             whose core is not busy was not the bottleneck; one that waited for its core shared it with other work, and its numbers are not to be \
             quoted.\n",
            rate.median, rate.min, rate.max
        );
        text.push_str(&line);
    }
    text.push_str("\nEach slice in order, CPU µs/request:\n\n");
    for variant in variants {
        let costs: Vec<String> = variant.costs().iter().map(|cost| format!("{cost:.2}")).collect();
        let _infallible = writeln!(text, "* {}: {}", variant.name, costs.join(" "));
    }
    text
}

/// The report of `load rate`.
pub(crate) fn rates(arguments: &Arguments, variants: &[Variant]) -> String {
    let mut text = heading(&format!("Latency at {} requests/s", arguments.rate), arguments);
    text.push_str(
        "| variant | CPU µs/request: min | median | max | requests/s median | core busy | waited for core | p50 µs | p99 µs | \
         RSS MB | connections to backend |\n|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for variant in variants {
        if let Some(cost) = Spread::of(&variant.costs()) {
            let _infallible = writeln!(
                text,
                "| {} | {:.2} | {:.2} | {:.2} | {} |",
                variant.name,
                cost.min,
                cost.median,
                cost.max,
                throughput(variant)
            );
        }
    }
    text
}

/// The report of `load footprint`.
pub(crate) fn footprint(binary_bytes: u64, rows: &[(String, Start)]) -> String {
    let mut text = String::from("# What the gateway takes without load\n\n");
    for line in machine::describe().lines {
        let _infallible = writeln!(text, "* {line}");
    }
    let _infallible = writeln!(text, "* binary: {:.1} MB\n", binary_bytes as f64 / 1e6);
    text.push_str("| state | RSS MB | start to first good answer, ms |\n|---|---|---|\n");
    for (state, start) in rows {
        let (rss, first) = (megabytes(start.rss_kib), start.first_answer.as_millis());
        let _infallible = writeln!(text, "| {state} | {rss:.1} | {first} |");
    }
    text
}

/// The report of `load administer`.
pub(crate) fn administration(arguments: &Arguments, about: &str, all: &[Administered]) -> String {
    let mut text = String::from("# What administration takes, and what traffic takes meanwhile\n\n");
    for line in machine::describe().lines {
        let _infallible = writeln!(text, "* {line}");
    }
    let _infallible = writeln!(
        text,
        "* store: {about}\n* method: one administrator, who makes a call as soon as the last one is answered: without \
         traffic, then beside {} requests/s on {} connections, in {} rounds of at most {} s in turns with traffic \
         alone; the traffic's latency counts from the time a request was due; the gateway (one worker, its store's \
         threads) on core {}, generator, backend and administrator on core {}; every answer is checked\n",
        arguments.rate,
        arguments.connections,
        arguments.rounds,
        arguments.slice.as_secs_f64(),
        machine::PROXY_CORE,
        machine::LOAD_CORE
    );
    text.push_str(
        "| call | allowed, ms | alone: calls | p50 ms | p99 ms | max ms | beside traffic: calls | p50 ms | p99 ms | \
         max ms |\n|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for shown in all {
        for (place, kind) in shown.script.kinds().into_iter().enumerate() {
            let (name, allowed) = kind.described();
            let allowed = allowed.map_or_else(|| "-".to_owned(), |allowed| format!("{allowed:.0}"));
            let cells = [&shown.alone, &shown.beside].map(|taken| latencies(taken.get(&place)));
            let _infallible = writeln!(text, "| {name} | {allowed} | {} | {} |", cells[0], cells[1]);
        }
    }
    text.push_str(
        "\n| traffic beside | p50 µs without | with | p99 µs without | with | p99 with ÷ without | by rounds | max ms \
         without | with | gateway's core busy with | waited for core with |\n|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for shown in all {
        let names: Vec<_> = shown.script.kinds().into_iter().map(|kind| kind.described().0).collect();
        let _infallible = writeln!(text, "| {} | {} |", names.join(", "), traffic(&shown.quiet, &shown.busy));
    }
    text
}

/// One line of progress.
pub(crate) fn in_short(shown: &Administered) -> String {
    let kinds = shown.script.kinds();
    let names: Vec<_> = kinds.iter().map(|kind| kind.described().0).collect();
    let alone: Vec<_> = (0..kinds.len()).map(|place| latencies(shown.alone.get(&place))).collect();
    format!("{}: {}; traffic {}", names.join(", "), alone.join(" / "), traffic(&shown.quiet, &shown.busy))
}

/// Number, median, 99th percentile and maximum, as cells.
fn latencies(taken: Option<&Vec<Duration>>) -> String {
    let mut sorted = taken.cloned().unwrap_or_default();
    sorted.sort_unstable();
    let at = |share: f64| {
        let place = (sorted.len() as f64 * share).ceil() as usize;
        sorted.get(place.saturating_sub(1)).map_or(f64::NAN, |took| took.as_secs_f64() * 1e3)
    };
    format!("{} | {:.2} | {:.2} | {:.2}", sorted.len(), at(0.5), at(0.99), at(1.0))
}

/// Latencies of slices without something and beside it, in pairs, as cells.
pub(crate) fn traffic(quiet_slices: &[Seen], busy_slices: &[Seen]) -> String {
    let [quiet, busy] = [quiet_slices, busy_slices].map(|slices| {
        let mut latency = Histogram::default();
        slices.iter().for_each(|seen| latency.merge(&seen.latency));
        latency
    });
    let micros = |latency: &Histogram, share| latency.quantile(share).as_secs_f64() * 1e6;
    let [each_quiet, each_busy] = [quiet_slices, busy_slices]
        .map(|slices| slices.iter().map(|seen| micros(&seen.latency, 0.99)).collect::<Vec<_>>());
    let ratios: Vec<_> =
        paired_ratios(&each_busy, &each_quiet).iter().map(|ratio| format!("{ratio:.2}")).collect();
    let of_wall = |part: fn(&Seen) -> Duration| {
        let sum = |of: fn(&Seen) -> Duration| busy_slices.iter().map(of).sum::<Duration>().as_secs_f64();
        sum(part) / sum(|seen| seen.wall) * 100.0
    };
    format!(
        "{:.0} | {:.0} | {:.0} | {:.0} | {:.2} | {} | {:.1} | {:.1} | {:.0} % | {:.1} %",
        micros(&quiet, 0.5),
        micros(&busy, 0.5),
        micros(&quiet, 0.99),
        micros(&busy, 0.99),
        micros(&busy, 0.99) / micros(&quiet, 0.99),
        ratios.join(" "),
        micros(&quiet, 1.0) / 1e3,
        micros(&busy, 1.0) / 1e3,
        of_wall(|seen| seen.proxy_cpu),
        of_wall(|seen| seen.proxy_waited),
    )
}

/// The report of `load decide`.
pub(crate) fn decisions(decided: &[Decided], compiled: &[Compiled]) -> String {
    let mut text = format!("# What a decision of {RULES} permission rules costs\n\n");
    for line in machine::describe().lines {
        let _infallible = writeln!(text, "* {line}");
    }
    text.push_str(
        "* method: one user has the rules in so many roles; what is asked is what every request asks \
         (`Snapshot::permission`), each time for another path; batches of at least 0.2 ms, p99 over batches\n\n\
         | rules and paths | roles | ns/decision: min | median | p99 | max |\n|---|---|---|---|---|---|\n",
    );
    for case in decided {
        let Spread { min, median, max } = case.nanoseconds;
        let (name, roles, p99) = (case.name, case.roles, case.p99);
        let _infallible =
            writeln!(text, "| {name} | {roles} | {min:.0} | {median:.0} | {p99:.0} | {max:.0} |");
    }
    text.push_str("\n| what a change compiles | µs: min | median | max |\n|---|---|---|---|\n");
    for case in compiled {
        let Spread { min, median, max } = case.microseconds;
        let _infallible = writeln!(text, "| {} | {min:.0} | {median:.0} | {max:.0} |", case.name);
    }
    text
}

/// Writes `DATE-NAME.md` into the folder of results, where there is to be one; a second run of the day takes a number.
pub(crate) fn write(arguments: &Arguments, name: &str, text: &str) -> Outcome<()> {
    let Some(folder) = &arguments.results else {
        return Ok(());
    };
    fs::create_dir_all(folder)?;
    let date = machine::describe().date;
    let file = (1..)
        .map(|number| match number {
            1 => folder.join(format!("{date}-{name}.md")),
            _ => folder.join(format!("{date}-{name}-{number}.md")),
        })
        .find(|file| !file.exists())
        .ok_or("no free name for the report")?;
    fs::write(&file, text)?;
    eprintln!("written: {}", file.display());
    Ok(())
}

fn heading(title: &str, arguments: &Arguments) -> String {
    let mut text = format!("# {title}\n\n");
    for line in machine::describe().lines {
        let _infallible = writeln!(text, "* {line}");
    }
    let nginx = machine::output(&arguments.nginx.display().to_string(), &["-v"]);
    let _infallible = writeln!(
        text,
        "* method: {nginx}; {} keep-alive connections; {} rounds of {} s per variant, order reversed every second \
         round; proxy on core {}, generator and backend on core {}; settings in `bench/nginx.conf` and \
         `bench/doorward.toml`; CPU from `schedstat`, loopback's kernel work included\n",
        arguments.connections,
        arguments.rounds,
        arguments.slice.as_secs_f64(),
        machine::PROXY_CORE,
        machine::LOAD_CORE
    );
    text
}

/// The cells that both tables end with.
fn throughput(variant: &Variant) -> String {
    let spread = |of: fn(&Seen) -> f64| {
        let numbers: Vec<f64> = variant.slices.iter().map(of).collect();
        Spread::of(&numbers).map_or(f64::NAN, |spread| spread.median)
    };
    let mut latency = Histogram::default();
    for seen in &variant.slices {
        latency.merge(&seen.latency);
    }
    format!(
        "{:.0} | {:.0} % | {:.1} % | {:.0} | {:.0} | {:.1} | {}",
        spread(|seen| seen.requests as f64 / seen.wall.as_secs_f64()),
        spread(|seen| seen.proxy_cpu.as_secs_f64() / seen.wall.as_secs_f64() * 100.0),
        spread(|seen| seen.proxy_waited.as_secs_f64() / seen.wall.as_secs_f64() * 100.0),
        latency.quantile(0.5).as_secs_f64() * 1e6,
        latency.quantile(0.99).as_secs_f64() * 1e6,
        megabytes(variant.rss_kib),
        variant.slices.iter().map(|seen| seen.upstream_connections).sum::<u64>(),
    )
}

fn megabytes(kib: u64) -> f64 {
    kib as f64 * 1024.0 / 1e6
}
