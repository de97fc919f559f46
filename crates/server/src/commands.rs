//! What the subcommands do.

mod config;
mod doctor;
mod password;
mod policy;
mod registration_token;
mod restored;
mod serve;
mod user;

use std::{error::Error, io::Write, path::PathBuf};

use parvis_server::config::{ConfigError, Loaded, Sources, load};

use crate::cli::{Command, CommandLine};

/// Whatever goes wrong is told to the person at the command line, in full.
pub(crate) type Outcome = Result<(), Box<dyn Error>>;

/// Does what the command line says.
pub(crate) fn run(command_line: CommandLine) -> Outcome {
    let loaded = load_configuration(command_line.config);
    match command_line.command {
        Command::Serve => serve::serve(loaded?),
        Command::Config(command) => config::config(command, loaded),
        Command::Doctor(command) => doctor::doctor(command, loaded?.config),
        Command::Restored => restored::restored(loaded?.config),
        Command::Policy(command) => policy::policy(command, loaded?.config),
        Command::RegistrationToken(command) => {
            registration_token::registration_token(command, loaded?.config)
        }
        Command::User(command) => user::user(command, loaded?.config),
    }
}

fn load_configuration(file: Option<PathBuf>) -> Result<Loaded, ConfigError> {
    load(&Sources::of_process(file))
}

/// Writes a line to standard output. Nobody is told where that is closed.
pub(crate) fn say(line: impl std::fmt::Display) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Writes an error and what lies behind it to standard error.
pub(crate) fn complain(error: &dyn Error) {
    let _ = writeln!(std::io::stderr(), "parvis: {error}");
}
