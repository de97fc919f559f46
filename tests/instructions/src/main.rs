//! The hot paths, as a script that does the same each time: `cargo xtask instructions` runs it under callgrind and
//! compares what each path costs with the figures that are committed.
//!
//! It is called twice. `prepare DIRECTORY` makes a homeserver with people, rooms and a past, as fast as the machine
//! can. `run DIRECTORY` walks the paths, each a few times, with a warm memory; only that is counted. Time stands
//! still, chance has a seed, and everything asynchronous happens on one thread, SQLite's aside.

#![expect(clippy::print_stdout, reason = "what it prints is read by the task that started it")]
#![expect(clippy::unwrap_used, reason = "a script that cannot go on must end")]

mod counted;
mod pure;
mod room;
mod served;
mod states;
mod world;

use std::path::PathBuf;

use crate::{counted::Script, world::World};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (Some(what), Some(directory)) = (arguments.next(), arguments.next().map(PathBuf::from)) else {
        panic!("parvis-instructions prepare|run DIRECTORY");
    };
    match what.as_str() {
        "prepare" => world::prepare(&directory),
        "run" => run(&directory),
        other => panic!("{other} is neither prepare nor run"),
    }
}

fn run(directory: &std::path::Path) {
    let mut script = Script::default();
    pure::walk(&mut script);
    states::walk(&mut script, directory);
    let world = World::open(directory);
    served::walk(&mut script, &world);
    world.close();
}
