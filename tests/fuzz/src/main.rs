//! Nonsense for what other servers reach: events as bytes, and whole transactions. Runs for as long as it is told,
//! from a seed; a finding is printed with the seed that shows it again.
//!
//! The damage is random and not led by coverage: that needs a compiler with instruments, which stable has not.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a tool for tests")]

mod mutate;
mod pdu;
mod transactions;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    process::ExitCode,
    time::Duration,
};

use clap::Parser;
use parvis_ambient::{Clock, SystemClock};

use crate::{mutate::Damage, pdu::Sound, transactions::Target};

/// Tries nonsense.
#[derive(Parser)]
struct Arguments {
    /// How long, half of it for events and half for transactions.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// One round of each with this seed, and no more.
    #[arg(long)]
    once: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let half = if arguments.once { Duration::ZERO } else { Duration::from_millis(arguments.seconds * 500) };
    let events_hold = try_events(arguments.seed, half);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let transactions_hold = runtime.block_on(try_transactions(arguments.seed, half));
    if events_hold && transactions_hold { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn try_events(first: u64, time: Duration) -> bool {
    let (clock, sound) = (SystemClock::new(), Sound::new());
    let end = clock.now().plus(time);
    let (mut seed, mut came) = (first, [0_u64; 5]);
    loop {
        let damage = Damage::new(seed);
        match catch_unwind(AssertUnwindSafe(|| sound.round(&damage))) {
            Ok(far) => came[far] += 1,
            Err(_) => {
                println!("an event makes it panic: --once --seed {seed}");
                return false;
            }
        }
        seed += 1;
        if clock.now() >= end {
            break;
        }
    }
    println!(
        "{} events: {} were no JSON, {} had no form, {} could not be read, {} had false signatures, {} were sound",
        seed - first,
        came[0],
        came[1],
        came[2],
        came[3],
        came[4]
    );
    true
}

async fn try_transactions(first: u64, time: Duration) -> bool {
    let (clock, mut target) = (SystemClock::new(), Target::new().await);
    let end = clock.now().plus(time);
    let (mut seed, mut answers) = (first, std::collections::BTreeMap::<u16, u64>::new());
    loop {
        match target.round(&Damage::new(seed)).await {
            Ok(status) => *answers.entry(status).or_default() += 1,
            Err(problem) => {
                println!("a transaction makes the homeserver fail: --once --seed {seed}: {problem}");
                return false;
            }
        }
        seed += 1;
        if clock.now() >= end {
            break;
        }
    }
    target.still_serves().await;
    println!(
        "{} transactions, by the status of the answer (0: could not be signed): {answers:?}",
        seed - first
    );
    true
}
