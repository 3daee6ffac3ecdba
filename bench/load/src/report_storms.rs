//! The tables of `load directory`, as markdown.
//!
//! Called by `directory`. Must never leave out the machine, the commit or a slice.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::time::Duration;

use crate::arguments::Arguments;
use crate::directory::Stormed;
use crate::engine::Seen;
use crate::histogram::Histogram;
use crate::machine;
use crate::others::{Account, MOST_TAKEN, TENTH, Taken};
use crate::report::traffic;

/// How many of the others are named.
const MOST_NAMES: usize = 5;

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
            writeln!(text, "| {}: all slices | {} |", shown.name, traffic(&shown.quiet, &shown.busy));
        let _infallible = writeln!(text, "| … {} |", undisturbed(shown));
    }
    let accounts = || all.iter().flat_map(|shown| shown.quiet_others.iter().chain(&shown.busy_others));
    let _infallible = writeln!(
        text,
        "\nUndisturbed: others than the gateway took at most {:.1} ms of its core in a slice of {} ms, and in the slice before. \
         To look took at most {:.1} % of core {}, and came at most {:.1} ms late.",
        MOST_TAKEN.as_secs_f64() * 1e3,
        TENTH.as_millis(),
        accounts().map(|account| account.cost).fold(0.0, f64::max) * 100.0,
        machine::LOAD_CORE,
        accounts().map(|account| account.latest).max().unwrap_or_default().as_secs_f64() * 1e3,
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
    names(&mut text, all);
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
        let cell = |(seen, others): (&Seen, &Account)| {
            let (seens, accounts) = (std::slice::from_ref(seen), std::slice::from_ref(others));
            let share: f64 = shares(seens, accounts, Account::others).values().sum();
            format!("{:.0} ({:.1} %)", seen.latency.quantile(0.99).as_secs_f64() * 1e6, share * 100.0)
        };
        let quiet = shown.quiet.iter().zip(&shown.quiet_others).map(cell);
        let busy = shown.busy.iter().zip(&shown.busy_others).map(cell);
        let rounds: Vec<_> = quiet.zip(busy).map(|(quiet, busy)| format!("{quiet} {busy}")).collect();
        let _infallible = writeln!(text, "* {}: {}", shown.name, rounds.join(" · "));
    }
}

/// The traffic that was due in undisturbed tenths, as cells.
fn undisturbed(shown: &Stormed) -> String {
    let quiet = pooled(&shown.quiet, &shown.quiet_others);
    let busy = pooled(&shown.busy, &shown.busy_others);
    let micros = |pooled: &Pooled, share| pooled.latency.quantile(share).as_secs_f64() * 1e6;
    let counts = |pooled: &Pooled| format!("{} of {}", pooled.undisturbed, pooled.tenths);
    let name = format!("undisturbed slices: {} without, {} with", counts(&quiet), counts(&busy));
    if quiet.latency.count() == 0 || busy.latency.count() == 0 {
        return format!("{name} | – | – | – | – | – | – | – | – | – | –");
    }
    format!(
        "{name} | {:.0} | {:.0} | {:.0} | {:.0} | {:.2} | – | {:.1} | {:.1} | – | –",
        micros(&quiet, 0.5),
        micros(&busy, 0.5),
        micros(&quiet, 0.99),
        micros(&busy, 0.99),
        micros(&busy, 0.99) / micros(&quiet, 0.99),
        micros(&quiet, 1.0) / 1e3,
        micros(&busy, 1.0) / 1e3,
    )
}

/// Tenths of all rounds of a kind.
#[derive(Default)]
struct Pooled {
    /// Those in which traffic was due that was measured.
    tenths: usize,
    undisturbed: usize,
    /// Of what was due in the undisturbed ones.
    latency: Histogram,
}

fn pooled(slices: &[Seen], others: &[Account]) -> Pooled {
    let mut pooled = Pooled::default();
    for (seen, account) in slices.iter().zip(others) {
        for tenth in measured(seen) {
            pooled.tenths += 1;
            if account.is_undisturbed(tenth) {
                pooled.undisturbed += 1;
                pooled.latency.merge(&seen.by_tenth[tenth]);
            }
        }
    }
    pooled
}

/// The tenths in which traffic was due that was measured.
fn measured(seen: &Seen) -> impl Iterator<Item = usize> {
    seen.by_tenth.iter().enumerate().filter(|(_, latency)| latency.count() > 0).map(|(tenth, _)| tenth)
}

/// Which share of the core each of these had in the measured tenths of these slices.
fn shares(
    slices: &[Seen],
    accounts: &[Account],
    of: fn(&Account, usize) -> Option<&Taken>,
) -> BTreeMap<String, f64> {
    let tenths = slices.iter().map(|seen| measured(seen).count()).sum::<usize>() as f64;
    let mut shares: BTreeMap<String, f64> = BTreeMap::new();
    for (seen, account) in slices.iter().zip(accounts) {
        for (name, time) in measured(seen).filter_map(|tenth| of(account, tenth)).flatten() {
            *shares.entry(name.clone()).or_default() += time.as_secs_f64() / TENTH.as_secs_f64() / tenths;
        }
    }
    shares
}

/// Who the others were, and what served the gateway.
fn names(text: &mut String, all: &[Stormed]) {
    let _infallible = writeln!(
        text,
        "\nWho the others were, the {MOST_NAMES} with the most time, in % of the gateway's core without log-ins and with; then \
         the kernel's threads that serve the gateway there, which are not counted as others:\n"
    );
    for shown in all {
        let others = longest(shown, Account::others);
        let _infallible = writeln!(text, "* {}: {others}; {}", shown.name, longest(shown, Account::serving));
    }
}

/// Those of them with the most time, without log-ins and with.
fn longest(shown: &Stormed, of: fn(&Account, usize) -> Option<&Taken>) -> String {
    let quiet = shares(&shown.quiet, &shown.quiet_others, of);
    let busy = shares(&shown.busy, &shown.busy_others, of);
    let percent =
        |shares: &BTreeMap<String, f64>, name: &str| shares.get(name).copied().unwrap_or(0.0) * 100.0;
    let names: BTreeSet<&String> = quiet.keys().chain(busy.keys()).collect();
    let mut rows: Vec<_> =
        names.into_iter().map(|name| (name, percent(&quiet, name), percent(&busy, name))).collect();
    // What two decimals show as nothing says nothing.
    rows.retain(|(_, quiet, busy)| quiet.max(*busy) >= 0.005);
    rows.sort_by(|one, other| (other.1 + other.2).total_cmp(&(one.1 + one.2)));
    let row = |(name, quiet, busy): &(&String, f64, f64)| format!("`{name}` {quiet:.2} {busy:.2}");
    rows.iter().take(MOST_NAMES).map(row).collect::<Vec<_>>().join(" · ")
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
    let ran = |threads: &BTreeMap<String, machine::Scheduled>| {
        threads.get(name).map_or(0.0, |times| times.ran as f64 / 1e3)
    };
    let answered = shown.logged_in.iter().map(|seen| seen.answered_meanwhile).sum::<u64>() as f64;
    let of_traffic = ran(&shown.quiet_threads) * requests(&shown.busy) / requests(&shown.quiet);
    (ran(&shown.busy_threads) - of_traffic) / answered
}
