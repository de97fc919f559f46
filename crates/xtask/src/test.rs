//! `cargo xtask test`: every check and every suite, on SQLite and on PostgreSQL, with a table at the end.
//!
//! Installs what a fresh Debian machine lacks, starts what the suites need, and stops what it started. A step
//! that fails does not keep the later ones from running.

mod bridge;
mod interop;
mod postgres;
mod steps;

use std::process::ExitCode;

use self::postgres::Postgres;
use self::steps::Steps;
use crate::federation::{self, Pair, Story};
use crate::shell::{self, Outcome, Program};
use crate::{instructions, rust_client, synapse, tidy, witness};

/// The variable that tells the suites where PostgreSQL is; without it they test SQLite alone.
const POSTGRES: &str = "PARVIS_TEST_POSTGRES";
/// Names an LDAP server to the tests: OpenLDAP's.
const SLAPD: &str = "PARVIS_TEST_SLAPD";

/// How many simulated worlds are played. In about two of three, some of the servers lie. `cargo xtask simulate` plays
/// others.
const SEEDS: u64 = 300;
/// How many of them may end badly if they end well when they are played once more.
const UNSTEADY: u64 = 1;

/// Arguments of `cargo xtask test`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Run only these steps, by the names in the table.
    #[arg(long = "step", value_name = "NAME")]
    steps: Vec<String>,
    /// Test SQLite alone.
    #[arg(long)]
    without_postgres: bool,
}

/// Runs the steps; fails if one of them fails.
pub(crate) fn run(arguments: &Arguments) -> Outcome<ExitCode> {
    let mut steps = Steps::new(&arguments.steps);
    steps.run("format", || {
        Program::cargo().arguments(["fmt", "--all", "--check"]).run()?;
        Program::cargo().arguments(["fmt", "--manifest-path", rust_client::MANIFEST, "--check"]).run()
    });
    steps.run("tidy", || {
        let code = tidy::run()?;
        if code == ExitCode::SUCCESS { Ok(()) } else { Err(shell::Failure::new("see above")) }
    });
    steps.run("clippy", || {
        Program::cargo().arguments(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]).run()
    });
    licences(&mut steps);

    let postgres = database(&mut steps, arguments)?;
    steps.run("suites", || {
        let suites = Program::cargo().arguments(["test", "--workspace", "--no-fail-fast"]);
        with_directory(with(suites, postgres.as_ref())).run_and_recall()
    });
    steps.run("simulation", || {
        Program::cargo()
            .arguments(["run", "--quiet", "--package", "parvis-simulation", "--"])
            .arguments(["--seeds", &SEEDS.to_string(), "--unsteady", &UNSTEADY.to_string()])
            .run_and_recall()
    });
    instructions(&mut steps);
    witness(&mut steps);
    interop::run(&mut steps, postgres.as_ref());
    bridge::run(&mut steps, postgres.as_ref());
    federate(&mut steps, postgres.as_ref());
    drop(postgres);
    Ok(steps.summary())
}

/// cargo-deny takes minutes to build, so it runs where somebody installed it.
fn licences(steps: &mut Steps) {
    if Program::cargo().arguments(["deny", "--version"]).capture().is_ok() {
        steps.run("deny", || {
            Program::cargo().arguments(["deny", "check", "bans", "licenses", "sources"]).run()
        });
    } else {
        steps.skip("deny", "cargo-deny is not installed");
    }
}

/// A PostgreSQL for the suites: the one that the environment names, or a throw-away cluster.
fn database(steps: &mut Steps, arguments: &Arguments) -> Outcome<Option<Postgres>> {
    if arguments.without_postgres {
        steps.skip("postgres", "left out on request: ONLY SQLite IS TESTED");
        return Ok(None);
    }
    if !["postgres", "suites", "interop", "bridge", "federation"].iter().any(|step| steps.wants(step)) {
        return Ok(None);
    }
    let mut found = None;
    steps.always("postgres", || {
        found = Some(match shell::variable(POSTGRES) {
            Some(url) => Postgres::given(&url.to_string_lossy()),
            None => Postgres::start()?,
        });
        Ok(())
    });
    Ok(found)
}

fn with(program: Program, postgres: Option<&Postgres>) -> Program {
    match postgres {
        Some(postgres) => program.variable(POSTGRES, postgres.url()),
        None => program,
    }
}

/// Lets the tests ask a real directory of people, installed if there is none.
fn with_directory(program: Program) -> Program {
    if shell::find("slapd").is_none()
        && let Err(failure) = shell::install(&["slapd"])
    {
        println!("{failure}: LOGINS BY LDAP ARE NOT TESTED");
    }
    match shell::find("slapd") {
        Some(slapd) => program.variable(SLAPD, slapd),
        None => program,
    }
}

/// Whether the hot paths are as cheap as they were.
fn instructions(steps: &mut Steps) {
    if !steps.wants("instructions") {
        return;
    }
    if shell::find("valgrind").is_none()
        && let Err(failure) = shell::install(&["valgrind"])
    {
        println!("{failure}");
        return steps.skip("instructions", "valgrind cannot be installed: INSTRUCTIONS ARE NOT COUNTED");
    }
    steps.run("instructions", instructions::step);
}

/// Another implementation of the rules, on the same rooms.
fn witness(steps: &mut Steps) {
    if !steps.wants("witness") {
        return;
    }
    match synapse::install() {
        Ok(()) => steps.run("witness", witness::step),
        Err(failure) => {
            println!("{failure}");
            steps
                .skip("witness", "Synapse cannot be installed: NOBODY ELSE WAS ASKED ABOUT STATE RESOLUTION");
        }
    }
}

/// The pairs of servers that meet, and the steps in which they do.
const MEETINGS: [(&str, Pair); 3] = [
    ("federation-sqlite-synapse", Pair::SqliteSynapse),
    ("federation-postgres-synapse", Pair::PostgresSynapse),
    ("federation-parvis", Pair::Parvis),
];

/// Other servers, over real TLS.
fn federate(steps: &mut Steps, postgres: Option<&Postgres>) {
    let wanted: Vec<_> = MEETINGS.into_iter().filter(|(name, _)| steps.wants(name)).collect();
    let synapse = wanted.iter().any(|(_, pair)| pair.needs_synapse()).then(synapse::install).transpose();
    if let Err(failure) = &synapse {
        println!("{failure}");
    }
    for (name, pair) in wanted {
        if shell::find("node").is_none() {
            steps.skip(name, "Node is not installed");
        } else if pair.needs_synapse() && synapse.is_err() {
            steps.skip(name, "Synapse cannot be installed: FEDERATION WITH ANOTHER SERVER IS NOT TESTED");
        } else if let (true, None) = (pair.needs_postgres(), postgres) {
            steps.skip(name, "there is no PostgreSQL");
        } else {
            steps.run(name, || {
                let needed = postgres.filter(|_| pair.needs_postgres());
                let database = needed.map(|postgres| postgres.empty_database(&name.replace('-', "_")));
                federation::play(pair, database.transpose()?.as_deref(), &Story::default())
            });
        }
    }
}
