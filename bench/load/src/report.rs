//! The tables, as markdown: what is printed is what is kept.
//!
//! Called by the measurements. Must never leave out the machine, the commit or a slice.

use std::fmt::Write;
use std::fs;

use crate::Outcome;
use crate::arguments::Arguments;
use crate::compare::Variant;
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
