//! The steps in which real clients use the server's program, as `tests/interop/run.mjs` plays them.
//!
//! Knows nothing of the stories.

use std::path::PathBuf;

use super::postgres::Postgres;
use super::steps::Steps;
use crate::rust_client;
use crate::shell::{self, Failure, Outcome, Program};

/// Clients of matrix-js-sdk, once on each database and once in a browser, where the pages for signing in are looked at
/// too, apps are let in on them, and the widget of Element Call looks for its media server; an app that is let in by a
/// real identity provider; then clients of matrix-sdk, with each other and with the former, by sliding sync, and let in on
/// the pages.
pub(super) fn run(steps: &mut Steps, postgres: Option<&Postgres>) {
    if shell::find("node").is_none() {
        for name in ["interop-sqlite", "interop-postgres", "sign-on", "browser", "interop-rust"] {
            steps.skip(name, "Node is not installed");
        }
        return;
    }
    steps.run("interop-sqlite", || runner("sqlite")?.run_and_recall());
    match postgres {
        Some(postgres) => {
            steps.run("interop-postgres", || runner(&postgres.empty_database("interop")?)?.run_and_recall());
        }
        None => steps.skip("interop-postgres", "there is no PostgreSQL"),
    }
    steps.run("sign-on", || story("single_sign_on.mjs")?.run_and_recall());
    browse(steps);
    steps.run("interop-rust", || {
        let client = rust_client::build()?;
        let clock =
            clock_library().map_err(|failure| println!("{failure}: NO DAYS PASS IN THE STORIES")).ok();
        let play = |database: &str| {
            let story = runner(database)?.argument("--rust").argument(&client);
            match &clock {
                Some(library) => story.argument("--clock").argument(library),
                None => story,
            }
            .run_and_recall()
        };
        play("sqlite")?;
        match chromium() {
            Ok(browser) => {
                let story = story("app_sign_on.mjs")?.argument("--browser").argument(browser);
                story.argument("--rust").argument(&client).run_and_recall()?;
            }
            Err(failure) => println!("{failure}: APPS OF MATRIX-SDK ARE NOT LET IN BY OAUTH"),
        }
        postgres.map_or(Ok(()), |postgres| play(&postgres.empty_database("interop_rust")?))
    });
}

/// Real clients in a real browser, with the crypto and the key store that people have there.
fn browse(steps: &mut Steps) {
    let name = "browser";
    if !steps.wants(name) {
        return;
    }
    match chromium() {
        Ok(browser) => steps.run(name, || {
            for file in ["sign_on_pages.mjs", "app_sign_on.mjs", "element_call.mjs"] {
                story(file)?.argument("--browser").argument(&browser).run_and_recall()?;
            }
            runner("sqlite")?.argument("--browser").argument(browser).run_and_recall()
        }),
        Err(failure) => {
            println!("{failure}");
            steps.skip(name, "Chromium cannot be installed: ENCRYPTION IN A BROWSER IS NOT TESTED");
        }
    }
}

/// Where Debian's libfaketime is, which moves the clock of a process; installed if it is missing and we may.
fn clock_library() -> Outcome<PathBuf> {
    let find = || {
        let architectures = std::fs::read_dir("/usr/lib").ok()?;
        let libraries = architectures.flatten().map(|one| one.path().join("faketime/libfaketimeMT.so.1"));
        libraries.into_iter().find(|library| library.is_file())
    };
    if let Some(library) = find() {
        return Ok(library);
    }
    shell::install(&["libfaketime"])?;
    find().ok_or_else(|| Failure::new("the package libfaketime has no libfaketimeMT.so.1"))
}

/// Where Debian's browser is, installed if it is missing and we may.
fn chromium() -> Outcome<PathBuf> {
    if let Some(program) = shell::find("chromium") {
        return Ok(program);
    }
    shell::install(&["chromium"])?;
    shell::find("chromium").ok_or_else(|| Failure::new("the package chromium has no program chromium"))
}

/// The runner of the stories, against a new Parvis on this database.
fn runner(database: &str) -> Outcome<Program> {
    Ok(story("run.mjs")?.arguments(["--database", database]))
}

/// A story that starts a Parvis of its own.
fn story(file: &str) -> Outcome<Program> {
    let server = shell::build_parvis()?;
    Ok(Program::new("node")
        .argument(shell::workspace().join("tests/interop").join(file))
        .arguments(["--parvis".as_ref(), server.as_os_str()]))
}
