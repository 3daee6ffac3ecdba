//! The settings file that an import writes. `properties.rs` and `values_yaml.rs` fill it in. It must never come out as a text
//! that `Settings::parse` refuses: what does not fit our limits is bounded here, with a note.

use std::time::Duration;

use super::{Imported, Product};
use crate::limits::MAX_SESSION_TIME;
use crate::value::duration_text;

/// What an import found out.
pub(super) struct Found {
    /// The generation of the product, `"4"` or `"5"`.
    pub(super) generation: &'static str,
    /// Idle time, at least 1 s.
    pub(super) idle: Option<Duration>,
    /// Maximum time, at least 1 s.
    pub(super) most: Option<Duration>,
    pub(super) listen_port: u16,
    pub(super) upstream_port: u16,
}

impl Found {
    /// Writes the settings file. `notes` are told on stderr.
    pub(super) fn write(self, file: &str, mut notes: Vec<String>) -> Imported {
        let (idle_standard, most_standard) = match self.generation {
            "5" => (Duration::from_secs(30 * 60), Duration::from_secs(8 * 60 * 60)),
            _ => (Duration::from_secs(60 * 60), Duration::from_secs(8 * 60 * 60)),
        };
        let mut idle = self.idle.unwrap_or(idle_standard);
        let mut most = self.most.unwrap_or(most_standard);
        let limit = duration_text(MAX_SESSION_TIME);
        if most > MAX_SESSION_TIME {
            notes.push(format!("the maximum time of a session is bounded to {limit}"));
            most = MAX_SESSION_TIME;
        }
        if idle > MAX_SESSION_TIME {
            notes.push(format!("the idle time of a session is bounded to {limit}"));
            idle = MAX_SESSION_TIME;
        }
        if idle > most && self.most.is_some() {
            notes.push(
                "the idle time is longer than the maximum, which ends the session first: bounded to it"
                    .to_owned(),
            );
            idle = most;
        } else if idle > most {
            notes.push(
                "the idle time is longer than our default maximum: the maximum is raised to it".to_owned(),
            );
            most = idle;
        }
        let name = file.rsplit(['/', '\\']).next().unwrap_or(file).escape_default();
        let Self { generation, listen_port, upstream_port, .. } = self;
        let (idle, most) = (duration_text(idle), duration_text(most));
        let text = format!(
            "# Made by `doorward import` from {name}.\n\
             listen = \"127.0.0.1:{listen_port}\"\n\
             \n\
             [[mount]]\n\
             path = \"/api\"\n\
             dialect = \"fusion\"\n\
             generation = \"{generation}\"\n\
             upstream = \"http://127.0.0.1:{upstream_port}\"\n\
             idle_timeout = \"{idle}\"\n\
             max_lifetime = \"{most}\"\n"
        );
        Imported { product: Product::Settings(text), unused: notes }
    }
}
