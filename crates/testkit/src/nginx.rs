//! Debian's nginx as a real backend: files and JSON on a free port, one process, gone when dropped.
//!
//! Called by end-to-end tests. Must never use the system's own nginx configuration or service.
//!
//! ```no_run
//! # use testkit::Nginx;
//! let backend = Nginx::new().file("/api/hello.txt", "hello").json("/api/items", "[1,2]").start();
//! // … backend.url() …
//! ```
#![allow(clippy::expect_used, reason = "a backend that cannot start is a failed test; the message says why")]

use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::patience::{PATIENCE, wait_until};
use crate::ports::Reservation;

/// Where Debian puts it; `PATH` of an ordinary user often lacks this folder.
const DEBIAN: &str = "/usr/sbin/nginx";

/// What a real nginx is to serve.
#[derive(Debug, Default)]
pub struct NginxPlan {
    files: Vec<(String, Vec<u8>)>,
    snippet: String,
}

impl NginxPlan {
    /// Serves this content at this path.
    #[must_use]
    pub fn file(mut self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.files.push((path.to_owned(), content.as_ref().to_vec()));
        self
    }

    /// Answers this exact path with JSON, whatever the method.
    #[must_use]
    pub fn json(self, path: &str, text: &str) -> Self {
        assert!(!text.contains(['\'', '$']), "nginx's own quoting: no quote and no variable in {text:?}");
        self.snippet(&format!("location = {path} {{ default_type application/json; return 200 '{text}'; }}"))
    }

    /// Lines of one's own inside `server { … }`.
    #[must_use]
    pub fn snippet(mut self, lines: &str) -> Self {
        self.snippet.push_str(lines);
        self.snippet.push('\n');
        self
    }

    /// Starts, and waits until it accepts connections.
    ///
    /// # Panics
    /// When nginx is not installed or does not start; the message says what to do.
    #[must_use]
    pub fn start(self) -> Nginx {
        let folder = TempDir::with_prefix("doorward-nginx-").expect("a temporary folder");
        for (path, content) in &self.files {
            let file = folder.path().join("files").join(path.trim_start_matches('/'));
            std::fs::create_dir_all(file.parent().expect("a file is in a folder")).expect("a folder");
            std::fs::write(file, content).expect("a file");
        }
        let reservation = Reservation::take();
        let address = reservation.address();
        let settings = folder.path().join("nginx.conf");
        std::fs::write(&settings, configuration(folder.path(), address, &self.snippet)).expect("nginx.conf");
        let program = if Path::new(DEBIAN).exists() { DEBIAN } else { "nginx" };
        let child = Command::new(program)
            .arg("-p")
            .arg(folder.path())
            .arg("-c")
            .arg(&settings)
            .args(["-e", "error.log"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("install nginx: apt-get install nginx-light ({error})"));
        let mut nginx = Nginx { child, folder, address, _reservation: reservation };
        let listens = wait_until(|| {
            let ended = !matches!(nginx.child.try_wait(), Ok(None));
            (ended || TcpStream::connect(address).is_ok()).then_some(!ended)
        });
        assert_eq!(listens, Some(true), "nginx does not listen within {PATIENCE:?}: {}", nginx.error_log());
        nginx
    }
}

/// A running nginx.
#[derive(Debug)]
pub struct Nginx {
    child: Child,
    folder: TempDir,
    address: SocketAddr,
    _reservation: Reservation,
}

impl Nginx {
    /// Plans an nginx that serves nothing yet.
    #[expect(clippy::new_ret_no_self, reason = "the plan is what one begins with, as with `Doorward::new`")]
    #[must_use]
    pub fn new() -> NginxPlan {
        NginxPlan::default()
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:PORT`, as settings want it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The access log so far: method, target and status of each request.
    #[must_use]
    pub fn access_log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("access.log")).unwrap_or_default()
    }

    /// The error log so far.
    #[must_use]
    pub fn error_log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("error.log")).unwrap_or_default()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _already_gone = self.child.kill();
        let _status = self.child.wait();
    }
}

fn configuration(folder: &Path, address: SocketAddr, snippet: &str) -> String {
    let folder = folder.display();
    // One process without a master: killing it is enough. `reuseport` lets it bind beside the reservation.
    format!(
        "daemon off;
master_process off;
worker_processes 1;
pid {folder}/nginx.pid;
events {{ worker_connections 1024; }}
http {{
    types {{ text/html html; text/plain txt; application/json json; }}
    default_type application/octet-stream;
    log_format short '$request_method $request_uri $status';
    access_log {folder}/access.log short;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    client_max_body_size 0;
    keepalive_requests 1000000;
    sendfile on;
    server {{
        listen {address} reuseport;
        root {folder}/files;
{snippet}
    }}
}}
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raw;

    #[test]
    fn files_and_json_are_served_and_two_live_side_by_side() {
        let first = Nginx::new().file("/a/b.txt", "hello").json("/j", r#"{"a":[1]}"#).start();
        let second = Nginx::new().snippet("location / { return 418; }").start();
        let fetch = |nginx: &Nginx, path: &str| {
            raw::once(nginx.address(), raw::request("GET", path, &[("Connection", "close")], ""))
        };
        let file = fetch(&first, "/a/b.txt");
        assert_eq!(
            (file.status, file.body_text(), file.header("content-type")),
            (200, "hello", Some("text/plain"))
        );
        let json = fetch(&first, "/j");
        assert_eq!(
            (json.body_text(), json.header("content-type")),
            (r#"{"a":[1]}"#, Some("application/json"))
        );
        assert_eq!(fetch(&first, "/none").status, 404);
        assert_eq!(fetch(&second, "/").status, 418);
        assert!(first.access_log().starts_with("GET /a/b.txt 200\n"), "{}", first.access_log());
        let address = first.address();
        drop(first);
        assert!(TcpStream::connect(address).is_err());
    }
}
