//! `parvis config`

use parvis_server::config::{ConfigError, Loaded};

use super::{Outcome, say};
use crate::cli::ConfigCommand;

pub(crate) fn config(command: ConfigCommand, loaded: Result<Loaded, ConfigError>) -> Outcome {
    let loaded = loaded?;
    match command {
        ConfigCommand::Check => say("The configuration can be used."),
        ConfigCommand::Show => say(loaded.show().trim_end()),
    }
    Ok(())
}
