//! Fills a data folder with users and live sessions, for measurements at a size that nobody logs in by hand:
//! `fill FOLDER SESSIONS TOKENS_FILE`. Writes the tokens, one on a line. Run by people and by `bench/run.sh`.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use auth::{
    AuthMethod, Change, DirectoryStore, Initialised, Moment, Origin, RealmName, RoleName, Scope, SessionId,
    SessionLimits, SessionRecord, SessionStore, SessionToken, User, UserId, Username,
};
use store_embedded::EmbeddedStore;

/// One user for so many sessions.
const SESSIONS_PER_USER: u64 = 10;
/// Sessions that are written at a time.
const AT_A_TIME: u64 = 512;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, sessions, tokens] = arguments.as_slice() else {
        return said("usage: fill FOLDER SESSIONS TOKENS_FILE");
    };
    let Ok(sessions) = sessions.parse::<u64>() else { return said("SESSIONS is a number") };
    let Ok(runtime) = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()
    else {
        return said("no runtime");
    };
    match runtime.block_on(fill(Path::new(folder), sessions)) {
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

async fn fill(folder: &Path, sessions: u64) -> Result<String, String> {
    let store = EmbeddedStore::open(folder).await.map_err(|error| error.to_string())?;
    let now = now();
    let users = sessions.div_ceil(SESSIONS_PER_USER).max(1);
    for first in (0..users).step_by(1_000) {
        let mut changes: Vec<Change> = Vec::new();
        for number in first..users.min(first + 1_000) {
            changes.push(Change::PutUser(Box::new(user(number, now)?)));
        }
        store.apply(changes).await.map_err(|error| error.to_string())?;
    }
    let initialised = Initialised { version: "bench".to_owned(), at: now };
    store.apply(vec![Change::Initialise(initialised)]).await.map_err(|error| error.to_string())?;
    let mut text = String::new();
    for first in (0..sessions).step_by(usize::try_from(AT_A_TIME).unwrap_or(1)) {
        let mut waiting = Vec::new();
        for number in first..sessions.min(first + AT_A_TIME) {
            let token = token(number);
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{token}");
            waiting.push(store.insert(session(number, users, &token, now)?));
        }
        // All at once, so that they share commits.
        for outcome in join(waiting).await {
            outcome.map_err(|error| error.to_string())?;
        }
    }
    store.close().await;
    Ok(text)
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

fn user(number: u64, now: Moment) -> Result<User, String> {
    let username = Username::chosen(&format!("user{number}")).map_err(|fault| fault.to_string())?;
    let realm = RealmName::native();
    Ok(User {
        id: UserId::of(&realm, &username),
        realm,
        username,
        roles: vec![RoleName::parse("developer").map_err(|fault| fault.to_string())?],
        permissions: Vec::new(),
        enabled: true,
        password: None,
        password_version: 1,
        created: now,
        updated: now,
    })
}

/// A token that is easy to make again: what is measured does not depend on its being secret.
fn token(number: u64) -> String {
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let text = format!("{mixed:016x}{number:016x}");
    format!("{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..])
}

fn session(number: u64, users: u64, token: &str, now: Moment) -> Result<SessionRecord, String> {
    let username =
        Username::presented(&format!("user{}", number % users)).map_err(|fault| fault.to_string())?;
    let realm = RealmName::native();
    let mut id = [0; 16];
    id[..8].copy_from_slice(&number.to_be_bytes());
    id[8..].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    Ok(SessionRecord {
        token: SessionToken::from_text(token).ok_or("a token of no form")?.hash(),
        id: SessionId::from_random(id),
        user: UserId::of(&realm, &username),
        realm,
        scope: Scope::new("/api"),
        app: None,
        method: AuthMethod::Password,
        created: now,
        last_seen: now,
        limits: SessionLimits {
            idle_timeout: Duration::from_secs(4 * 3_600),
            max_lifetime: Duration::from_secs(8 * 3_600),
        },
        origin: Origin::new(
            IpAddr::from([192, 0, 2, 1]),
            Some("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko"),
        ),
        ended: None,
    })
}
