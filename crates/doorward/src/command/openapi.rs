//! `doorward openapi`: what the gateway answers itself, as an OpenAPI 3.1 document. Talks to nobody.

use dialects::Fusion;

use super::{Failure, say};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The mount's path, which becomes the server of the document
    #[arg(long, value_name = "PATH", default_value = "/api")]
    mount: String,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    if !arguments.mount.starts_with('/') {
        return Err(Failure::Other(format!("--mount {:?}: a mount's path begins with `/`", arguments.mount)));
    }
    let document = Fusion::description(&arguments.mount);
    say(&serde_json::to_string_pretty(&document).map_err(Failure::because)?);
    Ok(())
}
