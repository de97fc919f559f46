//! The step in which a real bridge is an application service, as `tests/interop/bridge/story.py` plays it.

use std::path::PathBuf;

use super::postgres::Postgres;
use super::steps::Steps;
use crate::shell::{self, Failure, Outcome, Program};

/// The bridge, a Python package, with the library for IRC that it brings.
const PACKAGE: &str = "heisenbridge==1.15.4";

/// Plays the story on each database.
pub(super) fn run(steps: &mut Steps, postgres: Option<&Postgres>) {
    if !steps.wants("bridge") {
        return;
    }
    let environment = match install() {
        Ok(environment) => environment,
        Err(failure) => {
            println!("{failure}");
            steps.skip("bridge", "heisenbridge cannot be installed: NO REAL APPLICATION SERVICE IS TESTED");
            return;
        }
    };
    steps.run("bridge", || {
        let server = shell::build_parvis()?;
        let play = |database: &str| {
            Program::new(environment.join("bin/python"))
                .argument(shell::workspace().join("tests/interop/bridge/story.py"))
                .arguments(["--parvis".as_ref(), server.as_os_str()])
                .arguments(["--database", database])
                .run_and_recall()
        };
        play("sqlite")?;
        postgres.map_or(Ok(()), |postgres| play(&postgres.empty_database("interop_bridge")?))
    });
}

/// Installs the bridge into a Python environment of its own, once; gives the environment.
fn install() -> Outcome<PathBuf> {
    let environment = shell::cache()?.join(PACKAGE.replace("==", "-"));
    let done = environment.join("installed");
    if !done.is_file() {
        println!("installing {PACKAGE} into {}", environment.display());
        Program::new("python3").arguments(["-m", "venv"]).argument(&environment).run()?;
        Program::new(environment.join("bin/pip")).arguments(["install", "--quiet", PACKAGE]).run()?;
        std::fs::write(&done, PACKAGE).map_err(Failure::at(&done))?;
    }
    Ok(environment)
}
