//! The demo's sample backend: the collections of the documents, over plain HTTP/1.1 on a loopback port. A few lines of
//! blocking code in threads: it serves one curious person.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use serde_json::{Value, json};

/// Bytes of a request's head at the most.
const MAX_HEAD: u64 = 64 * 1024;

/// A sample backend that serves until the process ends.
pub(crate) struct Sample {
    address: SocketAddr,
}

impl Sample {
    /// Starts it on a free port of this machine.
    pub(crate) fn start() -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        std::thread::Builder::new().name("sample".to_owned()).spawn(move || {
            for stream in listener.incoming().flatten() {
                // A connection that cannot have a thread is closed; the gateway says 502.
                let _ = std::thread::Builder::new().spawn(move || serve(stream));
            }
        })?;
        Ok(Self { address })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

fn serve(stream: TcpStream) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut writer = stream;
    loop {
        let mut request = String::new();
        if reader.by_ref().take(MAX_HEAD).read_line(&mut request)? == 0 {
            return Ok(());
        }
        let (mut identity, mut length) = (Vec::new(), 0u64);
        loop {
            let mut line = String::new();
            reader.by_ref().take(MAX_HEAD).read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            let (name, value) = (name.to_ascii_lowercase(), value.trim().to_owned());
            if name == "content-length" {
                length = value.parse().unwrap_or(0);
            }
            if name.starts_with("fusion-") || name.starts_with("x-forwarded-") {
                identity.push((name, Value::String(value)));
            }
        }
        std::io::copy(&mut reader.by_ref().take(length), &mut std::io::sink())?;
        let mut words = request.split(' ');
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let path = target.split('?').next().unwrap_or_default();
        let (status, body) = answer(path, identity);
        let body = serde_json::to_vec_pretty(&body).unwrap_or_default();
        write!(
            writer,
            "HTTP/1.1 {status}\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: {}\r\n\r\n",
            body.len() + 1
        )?;
        if method != "HEAD" {
            writer.write_all(&body)?;
            writer.write_all(b"\n")?;
        }
    }
}

fn answer(path: &str, identity: Vec<(String, Value)>) -> (&'static str, Value) {
    let collection = |id: &str, kind: &str| {
        json!({
            "id": id,
            "createdAt": "2016-03-04T23:29:47.779Z",
            "searchClusterId": "default",
            "commitWithin": 10000,
            "solrParams": { "name": id, "numShards": 1, "replicationFactor": 1 },
            "type": kind,
            "metadata": {},
        })
    };
    let all = [collection("demo", "DATA"), collection("system_logs", "METRICS")];
    match path.strip_prefix("/api/collections").map(|rest| rest.trim_matches('/')) {
        Some("") => ("200 OK", Value::Array(all.to_vec())),
        Some(id) => match all.into_iter().find(|collection| collection["id"] == id) {
            Some(collection) => ("200 OK", collection),
            None => ("404 Not Found", json!({ "code": "no-such-collection" })),
        },
        None if path == "/api/whoami" => ("200 OK", Value::Object(identity.into_iter().collect())),
        None => {
            ("404 Not Found", json!({ "code": "no-such-thing", "try": ["/api/collections", "/api/whoami"] }))
        }
    }
}
