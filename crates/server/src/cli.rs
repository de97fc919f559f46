//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

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
    /// Find out why something does not work.
    #[command(subcommand)]
    Doctor(DoctorCommand),
    /// Say that the database was restored from a backup: once, before the server starts. What the server gave to
    /// others since the backup is void then, one-time keys above all.
    Restored,
    /// See and change what the organisation has decided. A server that is running follows within a second or two.
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Give out tokens that let their holders register, where the configuration lets those register who have one.
    #[command(subcommand)]
    RegistrationToken(TokenCommand),
    /// Manage accounts. A server that is running takes notice of changes within a minute.
    #[command(subcommand)]
    User(UserCommand),
}

#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Say whether the configuration can be used, and if not, why.
    Check,
    /// Print what holds, and where each value comes from. Secrets are masked.
    Show,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DoctorCommand {
    /// Look for another server, or for this one, as other servers do: every step, and what it shows.
    Federation {
        /// The server name, as `example.org`. Without it, this server's own.
        name: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Print every setting, its value, and who has set it.
    Show {
        /// Only this setting, or this section, as `encryption`.
        setting: Option<String>,
    },
    /// Change a setting: `parvis policy set encryption.private required`.
    ///
    /// Rooms that exist are not changed. What the configuration file says cannot be changed here.
    Set {
        /// The setting, as `parvis policy show` names it.
        setting: String,
        /// Its value: a word, or JSON such as `["lawyers"]`.
        value: String,
        /// Who decided so, for the history.
        #[arg(long, value_name = "NAME", env = "USER", default_value = "somebody")]
        by: String,
    },
    /// Take a setting back to its default.
    Reset {
        /// The setting, as `parvis policy show` names it.
        setting: String,
        /// Who decided so, for the history.
        #[arg(long, value_name = "NAME", env = "USER", default_value = "somebody")]
        by: String,
    },
    /// Print who changed what, when, and from what: the newest last.
    History {
        /// How many changes.
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Say why a room is encrypted or plain, by which setting, and who may turn encryption on.
    Explain {
        /// The room's id.
        room: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token and print it.
    Create {
        /// The token. Without it, one is made up.
        token: Option<String>,
        /// How many accounts may be made with it. Without it, any number.
        #[arg(long)]
        uses: Option<u32>,
        /// After how many days it is no good any more. Without it, never.
        #[arg(long, value_name = "DAYS")]
        days: Option<u32>,
        /// Who gives it out.
        #[arg(long, value_name = "NAME", env = "USER", default_value = "somebody")]
        by: String,
    },
    /// List the tokens that were made, the newest first; not those of the configuration.
    List,
    /// Take a token away. Accounts that were made with it stay.
    Revoke {
        /// The token.
        token: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// Make an account.
    Create {
        /// The name, as `alice` or `@alice:example.org`.
        name: String,
        /// Make the user an administrator.
        #[arg(long)]
        admin: bool,
        #[command(flatten)]
        password: PasswordSource,
    },
    /// List the accounts.
    List,
    /// Keep a user out until unlocked. Their sessions stay.
    Lock {
        /// The name, as `alice` or `@alice:example.org`.
        name: String,
    },
    /// Let a locked user in again.
    Unlock {
        /// The name, as `alice` or `@alice:example.org`.
        name: String,
    },
    /// Give a user a new password and end their sessions.
    ResetPassword {
        /// The name, as `alice` or `@alice:example.org`.
        name: String,
        /// Leave the user logged in.
        #[arg(long)]
        keep_sessions: bool,
        #[command(flatten)]
        password: PasswordSource,
    },
    /// Make a user an administrator.
    Promote {
        /// The name, as `alice` or `@alice:example.org`.
        name: String,
        /// Make the user one no more.
        #[arg(long)]
        revoke: bool,
    },
}

#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct PasswordSource {
    /// Read the password from the first line of standard input. Without it, you are asked.
    #[arg(long)]
    pub(crate) password_stdin: bool,
}
