//! `parvis serve`

use std::{error::Error, io};

use parvis_ambient::Ambient;
use parvis_server::{
    Process,
    config::{Config, Loaded},
    start_logging,
};
use tokio::{
    runtime::Runtime,
    signal::unix::{Signal, SignalKind, signal},
};

use super::{Outcome, say};

pub(crate) fn serve(loaded: Loaded) -> Outcome {
    start_logging(&loaded.config.process.logging);
    Runtime::new()?.block_on(run(loaded.config))
}

async fn run(config: Config) -> Outcome {
    let mut ends = Ends::new()?;
    let development = config.organisations.iter().any(|organisation| organisation.development);
    let mut process = Process::start(config, Ambient::system()).await?;
    if development {
        greet(&process).await;
    }
    let ended: Result<(), Box<dyn Error>> = tokio::select! {
        name = ends.next() => {
            tracing::info!(signal = name, "stopping");
            Ok(())
        }
        error = process.failure() => Err(error.into()),
    };
    tokio::select! {
        () = process.stop() => tracing::info!("stopped"),
        name = ends.next() => tracing::warn!(signal = name, "stopping at once"),
    }
    ended
}

/// What somebody needs who has just started the program for the first time.
async fn greet(process: &Process) {
    let Some(address) = process.client_address else { return };
    let mut new = false;
    for homeserver in process.homeservers() {
        new |= homeserver.is_without_accounts().await;
    }
    let which = if new { "the first" } else { "another" };
    say(format_args!(
        "This is an organisation for development, at http://localhost:{}. Its data lies under ./data.\n\
         To make {which} account:  parvis user create NAME",
        address.port()
    ));
}

/// The signals that end the process.
struct Ends {
    interrupt: Signal,
    terminate: Signal,
}

impl Ends {
    fn new() -> io::Result<Self> {
        let (interrupt, terminate) = (SignalKind::interrupt(), SignalKind::terminate());
        Ok(Self { interrupt: signal(interrupt)?, terminate: signal(terminate)? })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}
