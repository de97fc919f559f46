//! `parvis-resident`: a server that resides in one large generated room and lets others join it over TLS, so
//! that the join can be measured in them.
//!
//! It answers what a joining server asks, says yes to everything, verifies nothing and keeps nothing: it is no
//! homeserver, and for the loopback only.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool speaks to its caller")]

mod answers;
mod clock;
mod room;
mod serve;

use std::{net::SocketAddr, path::PathBuf, process::ExitCode, sync::Arc};

use clap::Parser;
use parvis_events::{RoomVersion, ServerKey};
use ruma::OwnedServerName;

use crate::{answers::Resident, room::Room};

/// Resides in a generated room, and lets other servers join it.
#[derive(Debug, Parser)]
#[command(name = "parvis-resident", version)]
struct Options {
    /// Where to listen. Loopback only.
    #[arg(long)]
    listen: SocketAddr,
    /// The server name, as others will ask for it: with the port.
    #[arg(long)]
    name: OwnedServerName,
    /// The certificate chain in PEM.
    #[arg(long)]
    certificate: PathBuf,
    /// Its key in PEM.
    #[arg(long)]
    key: PathBuf,
    /// How many members the room has.
    #[arg(long, default_value_t = 50_000)]
    members: usize,
    /// The room's version.
    #[arg(long, default_value = "12")]
    room_version: RoomVersion,
    /// Leave the members out of the answer to a join where that is asked for.
    #[arg(long)]
    omit_members: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("parvis-resident: {failure}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options) -> Result<(), Box<dyn std::error::Error>> {
    if !options.listen.ip().is_loopback() {
        return Err(format!("{} is not on the loopback", options.listen).into());
    }
    // The same key and the same room in each run: it is no secret.
    let key = ServerKey::generate([7; 32], "resident")?;
    let began = clock::now();
    let room = Room::generate(&options.name, &key, options.room_version, options.members)?;
    let (events, took) = (room.len(), clock::now().duration_since(began).as_secs_f64());
    eprintln!("parvis-resident: {events} events made and signed in {took:.1} s");
    let room_id = room.id().to_owned();
    let resident = Arc::new(Resident::new(options.name, key, room, options.omit_members)?);
    let serving = serve::serve(options.listen, &options.certificate, &options.key, resident)?;
    // Whoever started us waits for this line.
    println!("{room_id}");
    serving.await?;
    Ok(())
}
