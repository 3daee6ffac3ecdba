//! The tables of `load directory`, as markdown.
//!
//! Called by `directory`. Must never leave out the machine, the commit or a slice.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::time::Duration;

use crate::arguments::Arguments;
use crate::directory::Stormed;
use crate::engine::Seen;
use crate::histogram::Histogram;
use crate::machine;
use crate::report::traffic;

/// Which share of the gateway's core others may have in a slice that counts as undisturbed: the kernel's own work, and the
/// steps in which it is counted.
const MOST_DISTURBED: f64 = 0.05;

/// The report.
pub(crate) fn storms(arguments: &Arguments, about: &str, all: &[Stormed]) -> String {
    let mut text = String::from("# What a storm of log-ins through LDAP does to traffic\n\n");
    for line in machine::describe().lines {
        let _infallible = writeln!(text, "* {line}");
    }
    let _infallible = writeln!(
        text,
        "* directory: {about}\n* method: {} requests/s on {} connections, in {} rounds of {} s, in turns alone and beside {} \
         log-ins/s (`POST /api/session?realmName=`, at fixed times, each of another user from another client address); \
         latency counts from the time a request was due; the gateway (one worker, its office, its store) on core {}; \
         generator, backend, slapd and the line to it on core {}\n",
        arguments.rate,
        arguments.connections,
        arguments.rounds,
        arguments.slice.as_secs_f64(),
        arguments.logins,
        machine::PROXY_CORE,
        machine::LOAD_CORE
    );
    text.push_str(
        "| traffic beside | p50 µs without | with | p99 µs without | with | p99 with ÷ without | by rounds | max ms \
         without | with | gateway's core busy with | waited for core with |\n|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for shown in all {
        let _infallible =
            writeln!(text, "| {}: all rounds | {} |", shown.name, traffic(&shown.quiet, &shown.busy));
        let (quiet, busy) = undisturbed(shown);
        let (count, rounds) = (busy.len(), shown.busy.len());
        if count > 0 {
            let cells = traffic(&quiet, &busy);
            let _infallible = writeln!(text, "| … the {count} of {rounds} undisturbed | {cells} |");
        }
    }
    let _infallible = writeln!(
        text,
        "\nUndisturbed: others than the gateway had at most {:.0} % of its core, without log-ins and with.",
        MOST_DISTURBED * 100.0
    );
    text.push_str(
        "\n| log-ins | due | 201/s meanwhile | 201 | p50 ms | p99 ms | 503 `realm-unavailable` | p50 ms | p99 ms | max ms of all | most on \
         the way | gateway's core busy without |\n|---|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for shown in all {
        let _infallible = writeln!(text, "| {} | {} |", shown.name, log_ins(shown));
    }
    threads(&mut text, all);
    rounds(&mut text, all);
    text
}

/// What a log-in costs, by the gateway's threads.
fn threads(text: &mut String, all: &[Stormed]) {
    text.push_str("\n| CPU of the gateway's threads, µs per answered log-in, above the traffic's |");
    let names: BTreeSet<_> = all.iter().flat_map(|shown| shown.busy_threads.keys()).collect();
    for name in &names {
        let _infallible = write!(text, " {name} |");
    }
    text.push_str(" all |\n|---|");
    text.push_str(&"---|".repeat(names.len() + 1));
    text.push('\n');
    for shown in all {
        let costs: Vec<f64> = names.iter().map(|name| cost(shown, name)).collect();
        let cells: Vec<String> = costs.iter().map(|cost| format!("{cost:.0}")).collect();
        let sum: f64 = costs.iter().sum();
        let _infallible = writeln!(text, "| {} | {} | {sum:.0} |", shown.name, cells.join(" | "));
    }
}

/// Every round by itself.
fn rounds(text: &mut String, all: &[Stormed]) {
    text.push_str(
        "\nEach round in order, p99 of the traffic in µs without and with, and which share of the core others had \
         meanwhile:\n\n",
    );
    for shown in all {
        let cell = |(seen, others): (&Seen, &f64)| {
            format!("{:.0} ({:.0} %)", seen.latency.quantile(0.99).as_secs_f64() * 1e6, others * 100.0)
        };
        let quiet = shown.quiet.iter().zip(&shown.quiet_others).map(cell);
        let busy = shown.busy.iter().zip(&shown.busy_others).map(cell);
        let rounds: Vec<_> = quiet.zip(busy).map(|(quiet, busy)| format!("{quiet} {busy}")).collect();
        let _infallible = writeln!(text, "* {}: {}", shown.name, rounds.join(" · "));
    }
}

/// The pairs of slices in which nobody else had much of the gateway's core.
fn undisturbed(shown: &Stormed) -> (Vec<Seen>, Vec<Seen>) {
    let others = shown.quiet_others.iter().zip(&shown.busy_others);
    let slices = shown.quiet.iter().zip(&shown.busy);
    let pairs = slices.zip(others).filter(|(_, (quiet, busy))| quiet.max(**busy) <= MOST_DISTURBED);
    pairs.map(|((quiet, busy), _)| (quiet.clone(), busy.clone())).unzip()
}

/// One line of progress.
pub(crate) fn in_short(shown: &Stormed) -> String {
    format!("{}: traffic {}; log-ins {}", shown.name, traffic(&shown.quiet, &shown.busy), log_ins(shown))
}

fn log_ins(shown: &Stormed) -> String {
    let (mut good, mut busy) = (Histogram::default(), Histogram::default());
    for seen in &shown.logged_in {
        good.merge(&seen.good);
        busy.merge(&seen.busy);
    }
    let sum = |of: fn(&crate::storm::LoggedIn) -> u64| shown.logged_in.iter().map(of).sum::<u64>();
    let millis = |latency: &Histogram, share| latency.quantile(share).as_secs_f64() * 1e3;
    let longest = shown.logged_in.iter().map(|seen| seen.longest).max().unwrap_or_default();
    let most = shown.logged_in.iter().map(|seen| seen.most_on_the_way).max().unwrap_or_default();
    let wall: Duration = shown.quiet.iter().map(|seen| seen.wall).sum();
    let beside: Duration = shown.busy.iter().map(|seen| seen.wall).sum();
    let ran: Duration = shown.quiet.iter().map(|seen| seen.proxy_cpu).sum();
    format!(
        "{} | {:.0} | {} | {:.0} | {:.0} | {} | {:.0} | {:.0} | {:.0} | {most} | {:.0} %",
        sum(|seen| seen.asked),
        sum(|seen| seen.good_meanwhile) as f64 / beside.as_secs_f64(),
        sum(|seen| seen.good_count),
        millis(&good, 0.5),
        millis(&good, 0.99),
        sum(|seen| seen.busy_count),
        millis(&busy, 0.5),
        millis(&busy, 0.99),
        longest.as_secs_f64() * 1e3,
        ran.as_secs_f64() / wall.as_secs_f64() * 100.0,
    )
}

/// Microseconds of the threads of this name for each log-in that was answered meanwhile, without what they need for as much traffic.
fn cost(shown: &Stormed, name: &str) -> f64 {
    let requests = |slices: &[Seen]| slices.iter().map(|seen| seen.requests).sum::<u64>() as f64;
    let ran = |threads: &std::collections::BTreeMap<String, machine::Scheduled>| {
        threads.get(name).map_or(0.0, |times| times.ran as f64 / 1e3)
    };
    let answered = shown.logged_in.iter().map(|seen| seen.answered_meanwhile).sum::<u64>() as f64;
    let of_traffic = ran(&shown.quiet_threads) * requests(&shown.busy) / requests(&shown.quiet);
    (ran(&shown.busy_threads) - of_traffic) / answered
}
