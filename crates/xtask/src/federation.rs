//! `cargo xtask federation`: two homeservers that federate over real TLS on this machine, Parvis with Synapse and
//! Parvis with Parvis, and the story of `tests/interop/federation` between them.
//!
//! It builds, installs and hands over; the servers are started by the story.

use std::process::ExitCode;

use clap::ValueEnum;

use crate::bench::server;
use crate::postgres::{Cluster, Commits};
use crate::rust_client;
use crate::shell::{self, Outcome};
use crate::synapse;

/// Arguments of `cargo xtask federation`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Which servers meet; all pairs with Parvis when not given.
    #[arg(long = "pair", value_delimiter = ',')]
    pairs: Vec<Pair>,
    /// How long the line between them is cut.
    #[arg(long, default_value_t = 20)]
    partition_seconds: u32,
    /// Cut it so that nobody is told: packets are lost. Otherwise connections are refused.
    #[arg(long)]
    silent: bool,
    /// How many messages each side sends in the chapter of messages.
    #[arg(long, default_value_t = 500)]
    messages: u32,
    /// Only these chapters.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Play the chapter of encryption with clients of matrix-sdk too, which are built first.
    #[arg(long)]
    rust: bool,
}

/// Two servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Pair {
    /// Parvis with its embedded database, and Synapse.
    SqliteSynapse,
    /// Parvis on PostgreSQL, and Synapse.
    PostgresSynapse,
    /// Parvis with its embedded database, and Parvis on PostgreSQL.
    Parvis,
    /// Synapse with itself: whether the story is right.
    Synapse,
}

impl Pair {
    /// What meets when nothing is said.
    pub(crate) const USUAL: [Self; 3] = [Self::SqliteSynapse, Self::PostgresSynapse, Self::Parvis];

    /// Whether Synapse takes part.
    pub(crate) fn needs_synapse(self) -> bool {
        self != Self::Parvis
    }

    /// Whether Parvis on PostgreSQL takes part.
    pub(crate) fn needs_postgres(self) -> bool {
        matches!(self, Self::PostgresSynapse | Self::Parvis)
    }
}

/// How the story is told.
pub(crate) struct Story<'a> {
    /// How long the line between the servers is cut.
    pub(crate) partition_seconds: u32,
    /// Whether nobody is told of it.
    pub(crate) silent: bool,
    /// How many messages each side sends.
    pub(crate) messages: u32,
    /// The chapters; all if there is none.
    pub(crate) only: &'a [String],
    /// Whether clients of matrix-sdk play too.
    pub(crate) rust: bool,
}

impl Default for Story<'_> {
    fn default() -> Self {
        Self { partition_seconds: 20, silent: false, messages: 100, only: &[], rust: true }
    }
}

/// Plays the story between each pair. A pair that fails does not keep the others from being played.
pub(crate) fn run(arguments: &Arguments) -> Outcome<ExitCode> {
    let pairs = if arguments.pairs.is_empty() { &Pair::USUAL[..] } else { &arguments.pairs };
    let story = Story {
        partition_seconds: arguments.partition_seconds,
        silent: arguments.silent,
        messages: arguments.messages,
        only: &arguments.only,
        rust: arguments.rust,
    };
    let mut failed = false;
    for pair in pairs {
        println!("== {pair:?}");
        let cluster = if pair.needs_postgres() { Some(Cluster::start(Commits::Forgettable)?) } else { None };
        let database = cluster.as_ref().map(|cluster| {
            cluster.create("federation")?;
            Ok(cluster.url("federation"))
        });
        let played = database.transpose().and_then(|database| play(*pair, database.as_deref(), &story));
        if let Err(failure) = played {
            eprintln!("{pair:?} failed: {failure}");
            failed = true;
        }
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Plays the story between two servers. `database` is an empty PostgreSQL database for the Parvis that needs one.
pub(crate) fn play(pair: Pair, database: Option<&str>, story: &Story<'_>) -> Outcome<()> {
    let postgres = || database.map_or_else(|| "parvis-sqlite".to_owned(), |url| format!("parvis={url}"));
    let (left, right) = match pair {
        Pair::SqliteSynapse => ("parvis-sqlite".to_owned(), "synapse".to_owned()),
        Pair::PostgresSynapse => (postgres(), "synapse".to_owned()),
        Pair::Parvis => ("parvis-sqlite".to_owned(), postgres()),
        Pair::Synapse => ("synapse".to_owned(), "synapse".to_owned()),
    };
    let mut program = server::mortal()
        .arguments(["--", "node"])
        .argument(shell::workspace().join("tests/interop/federation/run.mjs"))
        .arguments(["--left", &left, "--right", &right])
        .arguments(["--partition-seconds", &story.partition_seconds.to_string()])
        .arguments(["--messages", &story.messages.to_string()]);
    if pair.needs_synapse() {
        synapse::install()?;
        program = program.argument("--synapse").argument(synapse::environment()?);
    }
    if pair != Pair::Synapse {
        program = program.argument("--parvis").argument(shell::build_parvis()?);
    }
    if story.silent {
        program = program.argument("--silent");
    }
    if story.rust {
        program = program.argument("--rust").argument(rust_client::build()?);
    }
    if !story.only.is_empty() {
        program = program.arguments(["--only", &story.only.join(",")]);
    }
    program.run_and_recall()
}
