//! The administration API from the outside: what `user`, `role`, `realm`, `app`, `key`, `session` and `audit list` call.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use ureq::http::{Method, Request};
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};
use zeroize::Zeroizing;

use crate::command::Failure;

/// Entries of a list that the server gives at once.
const PAGE: usize = 1_000;
/// Longest answer that is read.
const MAX_ANSWER: u64 = 16 * 1024 * 1024;

/// Where the server is, and who asks.
#[derive(clap::Args)]
pub(crate) struct Server {
    /// The server and its mount
    #[arg(
        long,
        value_name = "URL",
        env = "DOORWARD_SERVER",
        default_value = "http://127.0.0.1:8764/api",
        global = true
    )]
    server: String,
    /// Whose name the command works in; the password comes from DOORWARD_PASSWORD or a prompt
    #[arg(long, value_name = "NAME", env = "DOORWARD_LOGIN", default_value = "admin", global = true)]
    login: String,
    /// The realm of --login
    #[arg(long, value_name = "NAME", env = "DOORWARD_LOGIN_REALM", default_value = "native", global = true)]
    login_realm: String,
    /// Answer in JSON, for scripts
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

/// A server that is asked.
pub(crate) struct Remote {
    agent: ureq::Agent,
    base: String,
    realm: String,
    authorization: Zeroizing<String>,
}

impl Server {
    /// Gets ready to ask; reads the password.
    pub(crate) fn reach(&self) -> Result<Remote, Failure> {
        let base = self.server.trim_end_matches('/').to_owned();
        let password = secret("DOORWARD_PASSWORD", &format!("password of {}: ", self.login))?;
        let basic = Zeroizing::new(format!("{}:{}", self.login, *password));
        let roots = rustls_native_certs::load_native_certs().certs;
        let roots: Vec<_> = roots.iter().map(|der| Certificate::from_der(der).to_owned()).collect();
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .root_certs(RootCerts::Specific(Arc::new(roots)))
            .build();
        let config = ureq::Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(Duration::from_secs(60)))
            .build();
        Ok(Remote {
            agent: ureq::Agent::new_with_config(config),
            base,
            realm: self.login_realm.clone(),
            authorization: Zeroizing::new(format!("Basic {}", STANDARD.encode(basic.as_bytes()))),
        })
    }
}

/// A secret from the environment, or from the person at the terminal.
pub(crate) fn secret(variable: &str, prompt: &str) -> Result<Zeroizing<String>, Failure> {
    match std::env::var(variable) {
        Ok(secret) => Ok(Zeroizing::new(secret)),
        Err(_) => rpassword::prompt_password(prompt)
            .map(Zeroizing::new)
            .map_err(|error| Failure::because(format!("no password: {variable} is not set, and {error}"))),
    }
}

impl Remote {
    /// Asks for something below the mount.
    pub(crate) fn ask(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        self.exchange(method, path, query, body).map(|(told, _)| told)
    }

    /// Asks for something at the server's root, beside the mounts.
    pub(crate) fn ask_at_root(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<Value, Failure> {
        let place = format!("{}{path}", root(&self.base));
        self.exchange_at(method, &place, query, None).map(|(told, _)| told)
    }

    /// As [`ask`](Self::ask); and whether the answer names a next page.
    fn exchange(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<(Value, bool), Failure> {
        self.exchange_at(method, &format!("{}{path}", self.base), query, body)
    }

    fn exchange_at(
        &self,
        method: Method,
        place: &str,
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<(Value, bool), Failure> {
        let mut url = format!("{place}?realmName={}", escape(&self.realm));
        for (name, value) in query {
            url.push_str(&format!("&{name}={}", escape(value)));
        }
        let unreachable = |error: &dyn std::fmt::Display| Failure::because(format!("{}: {error}", self.base));
        let request = Request::builder()
            .method(method)
            .uri(&url)
            .header("Authorization", self.authorization.as_str())
            .header("Content-Type", "application/json")
            .header("User-Agent", "doorward");
        let bytes = match body {
            Some(body) => Zeroizing::new(body.to_string()),
            None => Zeroizing::new(String::new()),
        };
        let request = request.body(bytes.as_str()).map_err(|error| unreachable(&error))?;
        let mut answer = self.agent.run(request).map_err(|error| unreachable(&error))?;
        let status = answer.status().as_u16();
        let goes_on = answer.headers().contains_key("link");
        let text = answer.body_mut().with_config().limit(MAX_ANSWER).read_to_string();
        let text = text.map_err(|error| unreachable(&error))?;
        let told: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
        match status {
            200..=299 => Ok((told, goes_on)),
            401 | 403 => Err(Failure::Refused(said(status, &told))),
            404 => Err(Failure::NotFound(said(status, &told))),
            _ => Err(Failure::Other(said(status, &told))),
        }
    }

    /// The whole of a list, page by page.
    pub(crate) fn all(&self, path: &str, query: &[(&str, &str)]) -> Result<Vec<Value>, Failure> {
        self.first(path, query, usize::MAX)
    }

    /// The first entries of a list, `most` of them where there are so many, page by page.
    pub(crate) fn first(
        &self,
        path: &str,
        query: &[(&str, &str)],
        most: usize,
    ) -> Result<Vec<Value>, Failure> {
        let mut found: Vec<Value> = Vec::new();
        while found.len() < most {
            let limit = PAGE.min(most - found.len());
            let asked_limit = limit.to_string();
            // Lines of the audit log have numbers for ids, the rest texts.
            let after = found.last().map(|last| match &last["id"] {
                Value::String(id) => id.clone(),
                id => id.to_string(),
            });
            let mut asked = query.to_vec();
            asked.push(("limit", &asked_limit));
            if let Some(after) = &after {
                asked.push(("after", after));
            }
            let (Value::Array(page), goes_on) = self.exchange(Method::GET, path, &asked, None)? else {
                return Err(Failure::because("the server's answer is no list"));
            };
            found.extend(page);
            if !goes_on {
                break;
            }
        }
        Ok(found)
    }

    /// The one entry of a list that a name or an id names.
    pub(crate) fn one(&self, path: &str, query: &[(&str, &str)], named: &str) -> Result<Value, Failure> {
        let mut found = self.all(path, query)?;
        match found.len() {
            0 => Err(Failure::NotFound(format!("{named}: there is none"))),
            1 => Ok(found.remove(0)),
            _ => Err(Failure::because(format!("{named}: there are several"))),
        }
    }
}

/// The server of a URL, without its path.
fn root(url: &str) -> &str {
    let server = url.find("://").map_or(0, |at| at + 3);
    url[server..].find('/').map_or(url, |at| &url[..server + at])
}

fn said(status: u16, told: &Value) -> String {
    let code = told["code"].as_str().unwrap_or("no code");
    match (told["field"].as_str(), told["message"].as_str()) {
        (Some(field), Some(message)) => format!("{field}: {message}"),
        (None, Some(message)) => message.to_owned(),
        _ => format!("the server says {status} {code}"),
    }
}

/// A name as a segment of a path: blanks and what is beyond ASCII are escaped, as the server has it.
pub(crate) fn path_segment(name: &str) -> String {
    escape(name).replace("%40", "@")
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                escaped.push(char::from(byte));
            }
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

/// Prints rows as a table, or the values as JSON.
pub(crate) fn print(json: bool, values: &[Value], columns: &[(&str, &str)]) {
    if json {
        crate::command::say(&Value::Array(values.to_vec()).to_string());
        return;
    }
    let cell = |value: &Value| match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.chars().flat_map(printable).collect(),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(|item| item.as_str().unwrap_or("…").to_owned()).collect();
            items.join(",")
        }
        other => other.to_string(),
    };
    let mut rows = vec![columns.iter().map(|(title, _)| (*title).to_owned()).collect::<Vec<String>>()];
    rows.extend(values.iter().map(|value| columns.iter().map(|(_, key)| cell(&value[*key])).collect()));
    let widths: Vec<usize> = (0..columns.len())
        .map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0))
        .collect();
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        crate::command::say(cells.collect::<Vec<_>>().join("  ").trim_end());
    }
}

/// A character as a terminal may see it: names come from strangers.
pub(crate) fn printable(c: char) -> Vec<char> {
    if c.is_control() { c.escape_default().collect() } else { vec![c] }
}
