//! `doorward demo`: the whole product on a fresh machine.

use config::Settings;
use zeroize::Zeroizing;

use super::{Failure, Running, say};
use crate::core::random;
use crate::sample::Sample;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Listen here; without it 127.0.0.1:8764, or a free port where that is taken
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let folder = tempfile::Builder::new().prefix("doorward-demo-").tempdir().map_err(Failure::because)?;
    let sample = Sample::start().map_err(Failure::because)?;
    let upstream = format!("http://{}", sample.address());
    let listen = match &arguments.listen {
        Some(given) => given.clone(),
        None => free_address(),
    };
    let settings = Settings::default_for(Some(&upstream), Some(&listen), Some(folder.path()))?;
    let password = password();
    let running = Running::start(&settings, Some(password.clone()))?;
    let address = running.served.addresses.first().map(ToString::to_string).unwrap_or_default();
    say(&format!("listening on http://{address}"));
    say(&lines(&address, &password));
    running.until_stopped(|| Ok(settings.clone()))
    // The folder and all that is in it go with this function.
}

fn free_address() -> String {
    let usual = config::DEFAULT_LISTEN;
    match std::net::TcpListener::bind(usual) {
        Ok(_) => usual.to_owned(),
        Err(_) => "127.0.0.1:0".to_owned(),
    }
}

/// A password that can be typed: 100 random bits in groups of letters and digits that are not mistaken for each other.
fn password() -> Zeroizing<String> {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut bytes = Zeroizing::new([0; 20]);
    random(bytes.as_mut());
    let mut password = Zeroizing::new(String::with_capacity(23));
    for (at, byte) in bytes.iter().enumerate() {
        if at > 0 && at % 5 == 0 {
            password.push('-');
        }
        password.push(char::from(LETTERS[usize::from(byte & 31)]));
    }
    password
}

fn lines(address: &str, password: &str) -> String {
    let api = format!("http://{address}/api");
    format!(
        "
A sample backend is behind /api. Log in, call it, see your session and end it:

  curl -i -c cookies -H 'Content-Type: application/json' -d '{{\"username\":\"admin\",\"password\":\"{password}\"}}' '{api}/session?realmName=native'
  curl -b cookies {api}/collections
  curl -b cookies {api}/session --next -i -b cookies -X DELETE {api}/session

Everything is in a temporary folder that goes when you press Ctrl-C. To put it in front of your own backend:

  doorward serve --upstream http://127.0.0.1:9000
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_drawn_anew() {
        let (one, other) = (password(), password());
        assert_ne!(*one, *other);
        assert_eq!(one.len(), 23);
    }
}
