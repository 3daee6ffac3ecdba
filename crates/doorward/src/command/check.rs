//! `doorward check`: reads the settings, compiles the rules, tries the certificates.

use std::path::PathBuf;

use config::Settings;

use super::{Failure, say};
use crate::wire;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The settings file
    #[arg(short, long, value_name = "FILE", default_value = "doorward.toml")]
    config: PathBuf,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let settings = Settings::load(&arguments.config)?;
    wire::check(&settings)?;
    let doors = wire::doors(&settings)?;
    let mounts: Vec<_> = settings.mounts.iter().map(|mount| mount.path.as_str()).collect();
    say(&format!(
        "{}: fine: {} listener{}, mount{} {}",
        arguments.config.display(),
        doors.len(),
        if doors.len() == 1 { "" } else { "s" },
        if mounts.len() == 1 { "" } else { "s" },
        mounts.join(", ")
    ));
    Ok(())
}
