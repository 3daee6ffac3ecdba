//! `doorward realm test`: a login that is played through step by step; by a server that runs, or here and now for a realm that
//! stands in a settings file. Called by `realm.rs`. Must never print a password.

use std::fs::read_to_string;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use auth::{Clock, Password, RealmMaker, RehearsedStep, Username};
use config::Settings;
use realm_native::{HashPool, HashSettings};
use serde_json::{Value, json};
use ureq::http::Method;
use zeroize::Zeroizing;

use super::realm::{find, path};
use super::{Failure, runtime, say};
use crate::clock::HouseClock;
use crate::core::realm_record;
use crate::realms::Maker;
use crate::remote::{Server, printable, secret};
use crate::wire;

/// Memory of a password's hash, in KiB; nothing is hashed here.
const UNUSED_HASH_MEMORY: u32 = 19 * 1024;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The realm's name
    name: String,
    /// The user's name; the password comes from --password-file, DOORWARD_TEST_PASSWORD or a prompt
    user: String,
    /// A file with the user's password; - for stdin. A line break at its end is none of the password
    #[arg(long, value_name = "FILE", conflicts_with = "no_password")]
    password_file: Option<PathBuf>,
    /// As far as one comes without the user's password
    #[arg(long)]
    no_password: bool,
    /// Without a server: the realm of this settings file, from this machine
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
}

pub(super) fn run(server: &Server, arguments: &Arguments) -> Result<(), Failure> {
    let played = match &arguments.config {
        Some(file) => play_here(file, arguments)?,
        None => play_there(server, arguments)?,
    };
    if server.json {
        say(&played.to_string());
    } else {
        for step in played["steps"].as_array().into_iter().flatten() {
            say(&line(step));
        }
    }
    match &played["good"] {
        Value::Bool(true) => Ok(()),
        _ => Err(Failure::because("not every step went well")),
    }
}

/// Has a server play it.
fn play_there(server: &Server, arguments: &Arguments) -> Result<Value, Failure> {
    let remote = server.reach()?;
    let path = format!("{}/test", path(&find(&remote, &arguments.name)?));
    let password = arguments.password()?;
    let mut body = json!({ "username": arguments.user });
    if let Some(password) = &password {
        body["password"] = Value::from(password.as_str());
    }
    remote.ask(Method::POST, &path, &[], Some(&body))
}

/// Plays it in this process.
fn play_here(file: &Path, arguments: &Arguments) -> Result<Value, Failure> {
    let settings = Settings::load(file)?;
    wire::check(&settings)?;
    let found = settings.realms.iter().find(|realm| realm.name.as_str() == arguments.name);
    let missing =
        || Failure::NotFound(format!("{}: no realm of {} is called so", arguments.name, file.display()));
    let found = found.ok_or_else(missing)?;
    let username = Username::presented(&arguments.user)
        .map_err(|fault| Failure::because(format!("{}: {fault}", arguments.user)))?;
    let office = runtime()?;
    let clock: Arc<dyn Clock> = Arc::new(HouseClock::new());
    let record = realm_record(found, clock.now());
    let hasher = HashPool::start(HashSettings::standard(UNUSED_HASH_MEMORY, 1)).map_err(Failure::because)?;
    let maker = Maker::new(Arc::new(hasher), office.handle().clone(), clock);
    let realm = maker.make(&record).map_err(Failure::because)?;
    let nothing = || {
        Failure::because(format!("there is nothing to test: a realm of type {} asks no server", record.kind))
    };
    let rehearsal = realm.rehearsal().ok_or_else(nothing)?;
    let unusable = || Failure::because("no user can have this password: it is empty, or too long");
    let password =
        arguments.password()?.map(|text| Password::presented(text).ok_or_else(unusable)).transpose()?;
    let steps = office.block_on(rehearsal.play(&username, password.as_ref()));
    let is_good = !steps.is_empty() && steps.iter().all(|step| step.is_good);
    Ok(json!({ "steps": steps.iter().map(told).collect::<Vec<_>>(), "good": is_good }))
}

/// A step in the words of the API.
fn told(step: &RehearsedStep) -> Value {
    let milliseconds = (step.took.as_secs_f64() * 1e6).round() / 1e3;
    json!({ "what": step.what, "milliseconds": milliseconds, "good": step.is_good, "said": step.said })
}

impl Arguments {
    /// The user's password, if one is to be used.
    fn password(&self) -> Result<Option<Zeroizing<String>>, Failure> {
        if self.no_password {
            return Ok(None);
        }
        let Some(file) = &self.password_file else {
            return secret("DOORWARD_TEST_PASSWORD", &format!("password of {}: ", self.user)).map(Some);
        };
        let read = match file.to_str() {
            Some("-") => std::io::read_to_string(std::io::stdin()),
            _ => read_to_string(file),
        };
        let text = read.map_err(|error| Failure::because(format!("{}: {error}", file.display())))?;
        let text = Zeroizing::new(text);
        let line = text.strip_suffix("\r\n").or_else(|| text.strip_suffix('\n'));
        Ok(Some(Zeroizing::new(line.unwrap_or(&text).to_owned())))
    }
}

/// A step for people: how it went, how long it took, what was done, what came of it.
fn line(step: &Value) -> String {
    let text =
        |name: &str| step[name].as_str().unwrap_or_default().chars().flat_map(printable).collect::<String>();
    let mark = if step["good"] == true { "ok" } else { "FAILED" };
    let milliseconds = step["milliseconds"].as_f64().unwrap_or_default();
    format!("{mark:<6}  {milliseconds:>9.1} ms  {}: {}", text("what"), text("said"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_a_line_whatever_a_server_says() {
        let step =
            json!({ "what": "bind as a", "milliseconds": 12.34, "good": false, "said": "no\n\u{1b}[31mred" });
        assert_eq!(line(&step), "FAILED       12.3 ms  bind as a: no\\n\\u{1b}[31mred");
        let step = json!({ "what": "connect", "milliseconds": 0.04, "good": true, "said": "connected" });
        assert_eq!(line(&step), "ok            0.0 ms  connect: connected");
    }

    #[test]
    fn a_file_has_a_password_without_its_line_break() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let read = |content: &str| {
            std::fs::write(file.path(), content).unwrap();
            let arguments = Arguments {
                name: "x".to_owned(),
                user: "y".to_owned(),
                password_file: Some(file.path().to_owned()),
                no_password: false,
                config: None,
            };
            arguments.password().unwrap().unwrap().as_str().to_owned()
        };
        assert_eq!(
            [read(" a \n"), read(" a \r\n"), read("a\n\n"), read("a\r")],
            [" a ", " a ", "a\n", "a\r"]
        );
        assert_eq!(read(" a "), " a ");
    }
}
