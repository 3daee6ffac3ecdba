//! The proxies under test as processes: nginx and the gateway, each on the proxy's core, with its settings from
//! the files in `bench/`.
//!
//! Called by `compare`, `rate`, `footprint`, `administer` and `directory`. Must never tune one and not the other.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::arguments::Arguments;
use crate::machine;
use crate::message::TOKEN_BYTES;

/// How long a proxy may take to start, or to answer a login.
const PATIENCE: Duration = Duration::from_secs(60);

/// The administrator of the measured gateway; its store is thrown away afterwards.
pub(crate) const PASSWORD: &str = "a password for measuring only";

const NGINX_SETTINGS: &str = include_str!("../../nginx.conf");
const DOORWARD_SETTINGS: &str = include_str!("../../doorward.toml");

/// A folder that goes away with the measurement.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Outcome<Self> {
        let path = std::env::temp_dir().join(format!("doorward-bench-{}-{name}", std::process::id()));
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _best_effort = fs::remove_dir_all(&self.0);
    }
}

/// A running proxy. Dropping stops it.
pub(crate) struct Proxy {
    child: Child,
    pub(crate) address: SocketAddr,
    folder: Folder,
}

impl Proxy {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // TERM first: nginx's master takes its worker along only when it is asked.
        let pid = i32::try_from(self.pid()).ok().and_then(rustix::process::Pid::from_raw);
        if let Some(pid) = pid {
            let _already_gone = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let end = Instant::now() + Duration::from_secs(5);
        while Instant::now() < end && matches!(self.child.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(5));
        }
        let _already_gone = self.child.kill();
        let _status = self.child.wait();
    }
}

/// Starts nginx in front of `upstream`, with or without its access log.
pub(crate) fn start_nginx(program: &Path, upstream: SocketAddr, log: bool) -> Outcome<Proxy> {
    if !program.exists() {
        return Err(format!("{} is missing: apt-get install nginx-light", program.display()).into());
    }
    let folder = Folder::new(if log { "nginx-log" } else { "nginx" })?;
    let address = free_address()?;
    let access_log = if log { folder.path().join("access.log").display().to_string() } else { "off".into() };
    let settings = NGINX_SETTINGS
        .replace("@FOLDER@", &folder.path().display().to_string())
        .replace("@ACCESS_LOG@", &access_log)
        .replace("@UPSTREAM@", &upstream.to_string())
        .replace("@LISTEN@", &address.to_string());
    let file = folder.path().join("nginx.conf");
    fs::write(&file, settings)?;
    let mut command = Command::new(program);
    command.arg("-p").arg(folder.path()).arg("-c").arg(&file).arg("-e").arg(folder.path().join("error.log"));
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let proxy = Proxy { child: spawn_on_its_core(&mut command)?, address, folder };
    wait_until_it_listens(proxy)
}

/// Starts the gateway in front of `upstream`, with or without a line per request in its log.
pub(crate) fn start_doorward(
    arguments: &Arguments,
    upstream: SocketAddr,
    log: bool,
    data: Option<&Path>,
) -> Outcome<Proxy> {
    start_doorward_with(arguments, upstream, log, data, DOORWARD_SETTINGS)
}

/// The same, with a signed identity for the backend in each request.
pub(crate) fn start_signing_doorward(arguments: &Arguments, upstream: SocketAddr) -> Outcome<Proxy> {
    let settings = format!(
        "issuer = \"https://gateway.example.org\"\n{DOORWARD_SETTINGS}\
         identity_token = {{ audience = \"https://backend.example.org\" }}\n"
    );
    start_doorward_with(arguments, upstream, false, None, &settings)
}

/// The same by other settings than those of `bench/doorward.toml`, with the same places to be filled in.
pub(crate) fn start_doorward_with(
    arguments: &Arguments,
    upstream: SocketAddr,
    log: bool,
    data: Option<&Path>,
    settings: &str,
) -> Outcome<Proxy> {
    let address = free_address()?;
    let folder = Folder::new(&format!("doorward-{}", address.port()))?;
    let own_data = folder.path().join("data");
    let settings = settings
        .replace("@LISTEN@", &address.to_string())
        .replace("@DATA@", &data.unwrap_or(&own_data).display().to_string())
        .replace("@UPSTREAM@", &upstream.to_string())
        .replace("@REQUESTS@", &log.to_string());
    let file = folder.path().join("doorward.toml");
    fs::write(&file, settings)?;
    let log_file = fs::File::create(folder.path().join("log"))?;
    let mut command = Command::new(&arguments.doorward);
    command.arg("serve").arg("-c").arg(&file).env("DOORWARD_ADMIN_PASSWORD", PASSWORD);
    command.stdout(Stdio::null()).stderr(log_file);
    let proxy = Proxy { child: spawn_on_its_core(&mut command)?, address, folder };
    wait_until_it_listens(proxy)
}

/// The tokens that requests are to carry: read from a file, or made by logging in.
pub(crate) fn tokens(arguments: &Arguments, gateway: SocketAddr) -> Outcome<Vec<String>> {
    let tokens = match &arguments.tokens {
        Some(file) => fs::read_to_string(file)?.lines().map(str::to_owned).collect(),
        None => log_in(gateway, arguments.sessions)?,
    };
    if tokens.is_empty() || tokens.iter().any(|token: &String| token.len() != TOKEN_BYTES) {
        return Err(format!("tokens of {TOKEN_BYTES} characters are needed").into());
    }
    Ok(tokens)
}

/// Logs the administrator in so many times: the tokens.
pub(crate) fn log_in(gateway: SocketAddr, sessions: usize) -> Outcome<Vec<String>> {
    let stream = TcpStream::connect(gateway)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut answers = BufReader::new(stream.try_clone()?);
    let body = format!(r#"{{"username":"admin","password":"{PASSWORD}"}}"#);
    let request = format!(
        "POST /api/session?realmName=native HTTP/1.1\r\nHost: {gateway}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    (0..sessions)
        .map(|_| {
            (&stream).write_all(request.as_bytes())?;
            let (status, cookie) = read_login(&mut answers)?;
            cookie
                .filter(|_| status.contains(" 201 "))
                .ok_or_else(|| format!("a login was answered {status:?}").into())
        })
        .collect()
}

fn read_login(answers: &mut BufReader<TcpStream>) -> Outcome<(String, Option<String>)> {
    let (mut status, mut token, mut length) = (String::new(), None, 0);
    answers.read_line(&mut status)?;
    loop {
        let mut line = String::new();
        answers.read_line(&mut line)?;
        let line = line.trim_end();
        let Some((name, value)) = line.split_once(':') else {
            break;
        };
        match name.to_ascii_lowercase().as_str() {
            "set-cookie" => {
                token = value
                    .trim()
                    .strip_prefix("id=")
                    .and_then(|rest| rest.split(';').next())
                    .map(str::to_owned);
            }
            "content-length" => length = value.trim().parse()?,
            _ => {}
        }
    }
    answers.read_exact(&mut vec![0; length])?;
    Ok((status.trim_end().to_owned(), token))
}

fn spawn_on_its_core(command: &mut Command) -> Outcome<Child> {
    // A child inherits the core of the thread that starts it; this needs no code between fork and exec.
    machine::pin(machine::PROXY_CORE)?;
    let child = command.stdin(Stdio::null()).spawn();
    machine::pin(machine::LOAD_CORE)?;
    Ok(child.map_err(|error| format!("{}: {error}", command.get_program().display()))?)
}

fn wait_until_it_listens(mut proxy: Proxy) -> Outcome<Proxy> {
    let end = Instant::now() + PATIENCE;
    while TcpStream::connect(proxy.address).is_err() {
        let ended = proxy.child.try_wait()?;
        if ended.is_some() || Instant::now() > end {
            let log = ["log", "error.log"].map(|name| fs::read_to_string(proxy.folder.path().join(name)));
            let log: String = log.into_iter().flatten().collect();
            return Err(format!("a proxy does not listen on {} ({ended:?}):\n{log}", proxy.address).into());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(proxy)
}

fn free_address() -> Outcome<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}
