//! `parvis-bench`: a load generator that speaks only the public Matrix client-server API, so that it runs
//! against any homeserver. It knows nothing of Parvis. `docs/performance.md` says how to read what it prints.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool speaks to its caller")]

mod accounts;
mod clock;
mod connection;
mod load;
mod matrix;
mod measure;
mod options;
mod process;
mod report;
mod scan;
mod scenarios;

use std::{process::ExitCode, sync::Arc};

use clap::Parser as _;

use crate::{
    accounts::{Accounts, Source},
    connection::{Failure, Server},
    options::{Options, Users},
    process::Watch,
    report::Report,
    scenarios::Ground,
};

#[tokio::main]
async fn main() -> ExitCode {
    match run(Options::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("parvis-bench: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// Whether everything could be measured.
async fn run(options: Options) -> Result<bool, Failure> {
    let server = Arc::new(Server::parse(&options.url)?);
    let run = format!("b{:x}", clock::epoch_ms());
    let source = source(&server, options.users, &run).await?;
    let watch = Watch::new(options.pids).map_err(|e| Failure::Unexpected(e.to_string()))?;
    let sizes = options.sizes.settle(options.quick);
    let accounts = Accounts::new(&server, source);
    let mut ground = Ground::new(server, accounts, watch, sizes, run);
    let (outcomes, not_measured) = scenarios::run(&mut ground, &options.only).await;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let report = Report { url: options.url, cores, quick: options.quick, outcomes, not_measured };
    print!("{}", report.table());
    if let Some(path) = options.json {
        let text = serde_json::to_string_pretty(&report).map_err(|e| Failure::Unexpected(e.to_string()))?;
        std::fs::write(&path, text).map_err(|e| Failure::Unexpected(format!("{}: {e}", path.display())))?;
    }
    Ok(report.not_measured.is_empty())
}

/// The command line lets exactly one of the three through.
async fn source(server: &Arc<Server>, users: Users, run: &str) -> Result<Source, Failure> {
    let registered = |token| Source::Registered { token, run: run.to_owned() };
    match users {
        Users { file: Some(path), .. } => accounts::from_file(server, &path).await,
        Users { register_token: token @ Some(_), .. } => Ok(registered(token)),
        Users { register_dummy: _, .. } => Ok(registered(None)),
    }
}
