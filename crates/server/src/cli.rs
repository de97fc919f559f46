//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// Parvis, a Matrix homeserver for organisations.
///
/// Without a configuration, `parvis serve` runs an organisation for development on http://localhost:8008, with
/// its data under ./data.
#[derive(Debug, Parser)]
#[command(
    name = "parvis",
    version,
    propagate_version = true,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub(crate) struct CommandLine {
    /// The configuration file. Without it, parvis.toml in the working directory, if there is one.
    #[arg(long, short, global = true, value_name = "FILE", env = "PARVIS_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the server.
    Serve,
    /// Look at the configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
}

#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Say whether the configuration can be used, and if not, why.
    Check,
    /// Print what holds, and where each value comes from. Secrets are masked.
    Show,
}
