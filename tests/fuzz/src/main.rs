//! Nonsense for what other servers reach: events as bytes, whole transactions of nonsense, and conversations with a
//! server that knows the rules and breaks them one at a time. Runs for as long as it is told, from a seed; a finding
//! is printed with the seed that shows it again.
//!
//! The damage is random and not led by coverage: that needs a compiler with instruments, which stable has not. What
//! became of everything is counted instead, and a run in which something never came about has failed.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a tool for tests")]

mod conversation;
mod edus;
mod elsewhere;
mod graph;
mod mutate;
mod outcomes;
mod pdu;
mod transactions;

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use clap::{Parser, ValueEnum};
use parvis_ambient::{Clock, SystemClock};

use crate::{mutate::Damage, outcomes::Outcomes, pdu::Sound, transactions::Target};

/// Tries nonsense.
#[derive(Parser)]
struct Arguments {
    /// How long; most of it is for the conversations.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// One round of each with this seed, and no more.
    #[arg(long)]
    once: bool,
    /// Only this.
    #[arg(long)]
    only: Option<Part>,
}

/// What is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Events as bytes.
    Events,
    /// Transactions of nonsense.
    Transactions,
    /// Conversations with a server that knows the rules.
    Conversations,
}

/// How a part is tried.
#[derive(Clone)]
struct Course {
    first: u64,
    time: Duration,
    once: bool,
    /// How often anything has panicked, also in tasks that nobody waits for.
    panics: Arc<AtomicU64>,
}

impl Course {
    /// The part of the time that is so many sixths.
    fn sixths(&self, sixths: u32) -> Self {
        Self { time: self.time * sixths / 6, ..self.clone() }
    }

    fn panics(&self) -> u64 {
        self.panics.load(Ordering::SeqCst)
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let time = if arguments.once { Duration::ZERO } else { Duration::from_secs(arguments.seconds) };
    let course = Course { first: arguments.seed, time, once: arguments.once, panics: Arc::default() };
    count_panics(&course);
    let wanted = |part: Part| arguments.only.is_none_or(|only| only == part);
    let share = |sixths: u32| if arguments.only.is_some() { course.clone() } else { course.sixths(sixths) };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let hold = [
        !wanted(Part::Events) || try_events(&share(1)),
        !wanted(Part::Transactions) || runtime.block_on(try_transactions(&share(1))),
        !wanted(Part::Conversations) || runtime.block_on(try_conversations(&share(4))),
    ];
    println!("at most {} MB of memory", most_memory_mb());
    if hold.contains(&false) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn count_panics(course: &Course) {
    let panics = Arc::clone(&course.panics);
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        panics.fetch_add(1, Ordering::SeqCst);
        print(panic);
    }));
}

/// The most memory that this process has had.
fn most_memory_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kilobytes.unwrap_or_default() / 1024
}

fn try_events(course: &Course) -> bool {
    let (clock, sound) = (SystemClock::new(), Sound::new());
    let end = clock.now().plus(course.time);
    let (mut seed, mut came) = (course.first, [0_u64; 5]);
    loop {
        let damage = Damage::new(seed);
        match catch_unwind(AssertUnwindSafe(|| sound.round(&damage))) {
            Ok(far) => came[far] += 1,
            Err(_) => {
                println!("an event makes it panic: --once --only events --seed {seed}");
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
        seed - course.first,
        came[0],
        came[1],
        came[2],
        came[3],
        came[4]
    );
    true
}

async fn try_transactions(course: &Course) -> bool {
    let (clock, mut target) = (SystemClock::new(), Target::new().await);
    let end = clock.now().plus(course.time);
    let (mut seed, mut answers) = (course.first, BTreeMap::<u16, u64>::new());
    loop {
        match target.round(&Damage::new(seed)).await {
            Ok(status) if course.panics() == 0 => *answers.entry(status).or_default() += 1,
            Ok(_) => return panicked("a transaction", "transactions", seed),
            Err(problem) => {
                println!(
                    "a transaction makes the homeserver fail: --once --only transactions --seed {seed}: {problem}"
                );
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
        seed - course.first
    );
    true
}

fn panicked(what: &str, part: &str, seed: u64) -> bool {
    println!("{what} makes the homeserver panic: --once --only {part} --seed {seed}");
    false
}

async fn try_conversations(course: &Course) -> bool {
    let clock = SystemClock::new();
    let end = clock.now().plus(course.time);
    let (mut seed, mut outcomes) = (course.first, Outcomes::default());
    loop {
        // In a task of its own, so that a panic is a finding like any other.
        match tokio::spawn(conversation::have(seed)).await {
            Ok(Ok(_)) if course.panics() > 0 => return panicked("a conversation", "conversations", seed),
            Ok(Ok(one)) => outcomes.add(&one),
            Ok(Err(problem)) => {
                println!("a conversation goes wrong: --once --only conversations --seed {seed}: {problem}");
                return false;
            }
            Err(_) => return panicked("a conversation", "conversations", seed),
        }
        seed += 1;
        if clock.now() >= end {
            break;
        }
    }
    println!("{} conversations; what became of what was sent:{outcomes}", seed - course.first);
    let missing = outcomes.missing();
    let holds = course.once || missing.is_empty();
    if !holds {
        println!("never came about: {missing:?}");
    }
    holds
}
