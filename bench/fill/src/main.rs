//! Fills a data folder with a directory and live sessions, for measurements at a size that nobody makes by hand:
//! `fill FOLDER TOKENS_FILE --sessions N --users N --roles N --keys N`. Writes the tokens, one on a line. Run by people and by
//! `bench/administer.sh`. The first start of a gateway on the folder makes its `admin`.

mod shape;

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use auth::{Change, DirectoryStore, Moment, SessionStore};
use shape::{FEW, SESSIONS_PER_USER, Shape};
use store_embedded::EmbeddedStore;

/// Sessions that are written at a time.
const SESSIONS_AT_A_TIME: u64 = 512;
/// Changes of the directory that are written at a time.
const CHANGES_AT_A_TIME: usize = 1_000;

const USAGE: &str = "usage: fill FOLDER TOKENS_FILE --sessions N [--users N] [--roles N] [--keys N]";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [folder, tokens, options @ ..] = words.as_slice() else { return said(USAGE) };
    let shape = match read(options) {
        Ok(shape) => shape,
        Err(wrong) => return said(&wrong),
    };
    let Ok(runtime) = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()
    else {
        return said("no runtime");
    };
    match runtime.block_on(fill(Path::new(folder), shape)) {
        Ok(text) => match std::fs::write(tokens, text) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => said(&error.to_string()),
        },
        Err(error) => said(&error),
    }
}

#[expect(clippy::print_stderr, reason = "a command line answers the person at it")]
fn said(what: &str) -> ExitCode {
    eprintln!("fill: {what}");
    ExitCode::FAILURE
}

/// Ten sessions for each user, unless it is said how many users there are.
fn read(options: &[String]) -> Result<Shape, String> {
    let mut shape = Shape { sessions: 0, users: 0, roles: 0, keys: 0 };
    for option in options.chunks(2) {
        let [name, value] = option else { return Err(format!("{} needs a number", option[0])) };
        let number = value.parse().map_err(|_| format!("{name} {value}: not a number"))?;
        match name.as_str() {
            "--sessions" => shape.sessions = number,
            "--users" => shape.users = number,
            "--roles" => shape.roles = number,
            "--keys" => shape.keys = number,
            _ => return Err(USAGE.to_owned()),
        }
    }
    if shape.sessions == 0 {
        return Err(USAGE.to_owned());
    }
    if shape.users == 0 {
        shape.users = shape.sessions.div_ceil(SESSIONS_PER_USER);
    }
    Ok(shape)
}

async fn fill(folder: &Path, shape: Shape) -> Result<String, String> {
    let store = EmbeddedStore::open(folder).await.map_err(|error| error.to_string())?;
    let now = now();
    write_directory(&store, shape, now).await?;
    let mut text = String::new();
    let last = shape.sessions + FEW;
    let mut first = 0;
    while first < last {
        let end = last.min(first + SESSIONS_AT_A_TIME);
        let mut waiting = Vec::new();
        for number in first..end {
            let (session, token) = shape.session(number, now)?;
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{token}");
            waiting.push(store.insert(session));
        }
        // All at once, so that they share commits.
        for outcome in join(waiting).await {
            outcome.map_err(|error| error.to_string())?;
        }
        first = end;
    }
    store.close().await;
    Ok(text)
}

async fn write_directory(store: &EmbeddedStore, shape: Shape, now: Moment) -> Result<(), String> {
    let mut changes = vec![Change::PutRealm(Box::new(shape::realm(now)?))];
    for number in 0..shape.roles {
        changes.push(Change::PutRole(shape::role(&format!("role{number}"), number, now)?));
    }
    if shape.roles > 0 {
        changes.push(Change::PutRole(shape::role("crowd", shape.roles, now)?));
    }
    for number in 0..shape.apps() {
        changes.push(Change::PutApp(Box::new(shape::app(number, now)?)));
    }
    for number in 0..FEW {
        changes.push(Change::PutUser(Box::new(shape::few_user(number, now)?)));
    }
    for number in 0..shape.users {
        changes.push(Change::PutUser(Box::new(shape.user(number, now)?)));
    }
    for number in 0..shape.keys {
        changes.push(Change::PutKey(Box::new(shape.key(number, now)?)));
    }
    for part in changes.chunks(CHANGES_AT_A_TIME) {
        store.apply(part.to_vec()).await.map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// Waits for all futures at once.
async fn join<T>(futures: Vec<auth::Pending<'_, T>>) -> Vec<T> {
    let mut pending: Vec<_> = futures.into_iter().map(Some).collect();
    let mut done: Vec<Option<T>> = pending.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        let mut open = false;
        for (slot, result) in pending.iter_mut().zip(&mut done) {
            let Some(future) = slot else { continue };
            match future.as_mut().poll(context) {
                std::task::Poll::Ready(value) => {
                    *result = Some(value);
                    *slot = None;
                }
                std::task::Poll::Pending => open = true,
            }
        }
        if open { std::task::Poll::Pending } else { std::task::Poll::Ready(()) }
    })
    .await;
    done.into_iter().flatten().collect()
}

#[expect(clippy::disallowed_methods, reason = "sessions of a bench begin when the bench does")]
fn now() -> Moment {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Moment::from_millis(u64::try_from(since.as_millis()).unwrap_or(0))
}
