//! Synapse from its Python package, in an environment of its own that is kept from run to run.

use std::path::PathBuf;

use crate::shell::{self, Failure, Outcome, Program};

/// The version that results are compared with.
const VERSION: &str = "1.163.2";

/// Installs Synapse into a Python environment of its own, once.
pub(crate) fn install() -> Outcome<()> {
    let environment = environment()?;
    let done = environment.join("installed");
    if done.is_file() {
        return Ok(());
    }
    println!("installing Synapse {VERSION} into {}", environment.display());
    Program::new("python3").arguments(["-m", "venv"]).argument(&environment).run()?;
    Program::new(environment.join("bin/pip"))
        .arguments(["install", "--quiet", &format!("matrix-synapse=={VERSION}"), "psycopg2-binary"])
        .run()?;
    std::fs::write(&done, VERSION).map_err(Failure::at(&done))
}

/// Where the environment is.
pub(crate) fn environment() -> Outcome<PathBuf> {
    Ok(shell::cache()?.join(format!("synapse-{VERSION}")))
}
