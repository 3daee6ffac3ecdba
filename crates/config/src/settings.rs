//! The settings as a whole: read from a file, or made for `serve` without one. The binary calls this at start, for `check` and
//! at each SIGHUP. It must never half-succeed: there are settings, or there are mistakes.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use auth::{RealmName, SigningAlgorithm};
use ipnet::IpNet;

use crate::document::reader::{Reader, Taken};
use crate::document::tree::{self, under};
use crate::environment::{Environment, System, reason};
use crate::limits::{MAX_MOUNTS, MAX_REALMS, MAX_SETTINGS_BYTES, MAX_TRUSTED_PROXIES, MAX_WORKERS};
use crate::mistake::{COMMAND_LINE, Mistakes, Place, Report};
use crate::sections::audit::{self, Audit};
use crate::sections::identity_token;
use crate::sections::listen::{self, Listen, Surroundings};
use crate::sections::login::{self, Login};
use crate::sections::logs::{self, Log};
use crate::sections::mount::{self, Mount};
use crate::sections::realm::{self, Realm};
use crate::sections::upstream::{Upstream, parse_upstream};
use crate::sections::{TOP_KEYS, TOP_TABLES, checks};
use crate::value::{Fault, parse_listen_address};

/// The folder of the embedded store when nothing else is said, in the current folder.
pub const DEFAULT_DATA: &str = "doorward-data";

/// Everything that a settings file says, checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// Where clients connect; at least one.
    pub listen: Vec<Listen>,
    /// The folder of the embedded store. A relative one in a file is seen from the folder of that file.
    pub data: PathBuf,
    /// Worker threads, 1 to 256; 0 = one per core, the default.
    pub workers: u16,
    /// Whose `X-Forwarded-*` are believed; nobody's by default.
    pub trusted_proxies: Vec<IpNet>,
    /// Where administration listens apart from the clients; `None` = on the same listeners.
    pub admin: Option<SocketAddr>,
    /// What the `iss` of every token says that the gateway signs; `doorward` by default.
    pub issuer: String,
    /// How tokens are signed with keys that are made from now on; ES256 by default.
    pub signing_algorithm: SigningAlgorithm,
    /// `[login]`.
    pub login: Login,
    /// `[log]`.
    pub log: Log,
    /// `[audit]`.
    pub audit: Audit,
    /// `[[mount]]`; at least one, no two with the same path.
    pub mounts: Vec<Mount>,
    /// `[[realm]]`; always holds `native`, no two with the same name.
    pub realms: Vec<Realm>,
    /// Where everything stands.
    places: Report,
}

/// What the command line says in place of the file.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Overrides {
    /// `--listen ADDR`.
    pub listen: Option<String>,
    /// `--upstream URL`.
    pub upstream: Option<String>,
    /// `--data DIR`.
    pub data: Option<PathBuf>,
}

impl Settings {
    /// Reads the settings file at `path`.
    ///
    /// # Errors
    /// All mistakes in it.
    pub fn load(path: &Path) -> Result<Self, Mistakes> {
        Self::load_with(path, &Overrides::default())
    }

    /// Reads the settings file at `path`, with what the command line says in place of it.
    ///
    /// # Errors
    /// All mistakes in it.
    pub fn load_with(path: &Path, overrides: &Overrides) -> Result<Self, Mistakes> {
        let name = path.display().to_string();
        let mut report = Report::new(&name);
        let bytes = match System.read(path, MAX_SETTINGS_BYTES) {
            Ok(bytes) => bytes,
            Err(error) => {
                report.add_at(Place::default(), "", format!("cannot be read: {}", reason(&error)), None);
                return Err(report.finish().err().unwrap_or_else(|| Mistakes(Vec::new())));
            }
        };
        match std::str::from_utf8(&bytes) {
            Ok(text) => Self::parse_with(&name, text, &System, overrides),
            Err(error) => {
                let before = &bytes[..error.valid_up_to()];
                let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
                let place = Place { line: u32::try_from(line).unwrap_or(u32::MAX), column: 1 };
                report.add_at(place, "", "this line is not UTF-8 text".to_owned(), None);
                Err(report.finish().err().unwrap_or_else(|| Mistakes(Vec::new())))
            }
        }
    }

    /// Reads settings from `text`. `file_name` is what mistakes call it, and its folder is where relative paths begin.
    ///
    /// # Errors
    /// All mistakes in it.
    pub fn parse(file_name: &str, text: &str, environment: &dyn Environment) -> Result<Self, Mistakes> {
        Self::parse_with(file_name, text, environment, &Overrides::default())
    }

    /// As [`Settings::parse`], with what the command line says in place of the text.
    ///
    /// # Errors
    /// All mistakes in it.
    pub fn parse_with(
        file_name: &str,
        text: &str,
        environment: &dyn Environment,
        overrides: &Overrides,
    ) -> Result<Self, Mistakes> {
        let mut report = Report::new(file_name);
        if text.len() > MAX_SETTINGS_BYTES {
            report.add_at(Place::default(), "", format!("is longer than {MAX_SETTINGS_BYTES} bytes"), None);
        }
        let folder = Path::new(file_name).parent().unwrap_or(Path::new(""));
        let surroundings = Surroundings { folder, environment };
        let mut read = None;
        if report.is_clean()
            && let Some(top) = tree::parse(text, TOP_TABLES, folder, environment, &mut report)
        {
            read = Some(read_all(top.read(TOP_KEYS, &mut report), surroundings, overrides));
        }
        let Some(mut settings) = read else {
            // Nothing could be read, so the report holds why.
            return Err(report.finish().err().unwrap_or_else(|| Mistakes(Vec::new())));
        };
        checks::check(&settings, overrides.upstream.is_some(), &mut report);
        settings.places = report.fresh();
        report.finish().map(|()| settings)
    }

    /// The settings of `serve` without a file: one `fusion` mount at `/api` in front of `upstream`.
    ///
    /// # Errors
    /// A mistake of the command line; also where there is no `upstream`, as there is nothing to serve then.
    pub fn default_for(
        upstream: Option<&str>,
        listen: Option<&str>,
        data: Option<&Path>,
    ) -> Result<Self, Mistakes> {
        let overrides = Overrides {
            listen: listen.map(str::to_owned),
            upstream: upstream.map(str::to_owned),
            data: data.map(Path::to_path_buf),
        };
        if upstream.is_none() {
            let mut report = Report::new(COMMAND_LINE);
            let message = "is missing: without a settings file, `serve` needs the backend's URL";
            report.add_option("--upstream", message.to_owned(), None);
            report.finish()?;
        }
        Self::parse_with(COMMAND_LINE, "", &System, &overrides)
    }

    /// A settings file with every key and its default, explained: the example of the documentation.
    #[must_use]
    pub fn example() -> &'static str {
        include_str!("../example.toml")
    }

    /// An empty report about this file, for mistakes that only the wiring can find: `report.add("mount[0].dialect", …)`
    /// knows the line. It is also what a [`Reader`] of a realm's own keys needs.
    #[must_use]
    pub fn report(&self) -> Report {
        self.places.clone()
    }
}

fn read_all(mut top: Reader<'_>, surroundings: Surroundings<'_>, overrides: &Overrides) -> Settings {
    let instead = read_overrides(&mut top, overrides);
    let from_file = listen::read(&mut top, surroundings);
    let data = top.take_text("data").given().map(|data| under(surroundings.folder, &data));
    let settings = Settings {
        listen: instead
            .listen
            .map_or(from_file, |address| vec![Listen { key: "--listen".to_owned(), address, tls: None }]),
        data: overrides.data.clone().or(data).unwrap_or_else(|| PathBuf::from(DEFAULT_DATA)),
        workers: u16::try_from(top.take_integer("workers", 0..=MAX_WORKERS).or(0)).unwrap_or(0),
        trusted_proxies: trusted_proxies(&mut top),
        admin: top.take_parsed("admin", parse_listen_address).given(),
        issuer: identity_token::read_issuer(&mut top),
        signing_algorithm: identity_token::read_algorithm(&mut top),
        login: Login::default(),
        log: Log::default(),
        audit: Audit::default(),
        mounts: Vec::new(),
        realms: Vec::new(),
        places: Report::default(),
    };
    let [login, log, audit] = ["login", "log", "audit"].map(|name| top.take_section(name));
    let mounts_written = top.peek("mount").is_some();
    let (mounts, realms) = (top.take_sections("mount", MAX_MOUNTS), top.take_sections("realm", MAX_REALMS));
    if mounts.len() > 1 && instead.upstream.is_some() {
        let message = format!("could be meant for each of the {} mounts in the file", mounts.len());
        top.report().add_option("--upstream", message, None);
    }
    let login = login::read(login.read(login::KEYS, top.report()));
    let log = logs::read(log.read(logs::KEYS, top.report()));
    let audit = audit::read(audit.read(audit::KEYS, top.report()), surroundings.folder);
    let upstream = instead.upstream.as_ref();
    let mut mounts: Vec<Mount> =
        mounts.iter().map(|section| mount::read(section, top.report(), upstream)).collect();
    if let Some(upstream) = upstream.filter(|_| !mounts_written) {
        mounts.push(Mount::standard(vec![upstream.clone()]));
    }
    let mut realms: Vec<Realm> =
        realms.iter().filter_map(|section| realm::read(section, top.report())).collect();
    if !realms.iter().any(|realm| realm.name == RealmName::native()) {
        realms.insert(0, Realm::native());
    }
    top.finish();
    Settings { login, log, audit, mounts, realms, ..settings }
}

struct Instead {
    listen: Option<SocketAddr>,
    upstream: Option<Upstream>,
}

fn read_overrides(top: &mut Reader<'_>, overrides: &Overrides) -> Instead {
    let mut option = |name: &str, text: &str, fault: Fault| {
        let subject = if fault.secret { "the value".to_owned() } else { format!("{text:?}") };
        let better = fault.better.filter(|_| !fault.secret).map(|better| better.trim_matches('"').to_owned());
        top.report().add_option(name, format!("{subject} {}", fault.message), better);
    };
    let mut instead = Instead { listen: None, upstream: None };
    if let Some(text) = &overrides.listen {
        match parse_listen_address(text) {
            Ok(address) => instead.listen = Some(address),
            Err(fault) => option("--listen", text, fault),
        }
    }
    if let Some(text) = &overrides.upstream {
        match parse_upstream(text) {
            Ok(upstream) => instead.upstream = Some(upstream),
            Err(fault) => option("--upstream", text, fault),
        }
    }
    instead
}

fn trusted_proxies(top: &mut Reader<'_>) -> Vec<IpNet> {
    match top.take_one_or_list("trusted_proxies", MAX_TRUSTED_PROXIES, parse_network) {
        Taken::Given(networks) => networks,
        Taken::Absent | Taken::Wrong => Vec::new(),
    }
}

/// A network such as `10.0.0.0/8`, or one address.
fn parse_network(text: &str) -> Result<IpNet, Fault> {
    if let Ok(address) = text.parse() {
        return Ok(IpNet::from(std::net::IpAddr::clone(&address)));
    }
    let network: IpNet = text.parse().map_err(|_| {
        Fault::new("is not a network: an IP address and the length of its prefix, such as \"10.0.0.0/8\"")
    })?;
    if network.trunc() != network {
        let message = "has bits set after its prefix";
        return Err(Fault::with_better(message, format!("\"{}\"", network.trunc())));
    }
    Ok(network)
}

#[cfg(test)]
mod tests;
