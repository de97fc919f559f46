//! Writes down which test asks for what, so that it can be said which test proves which endpoint.
//!
//! Whatever carries a test's requests to a homeserver calls [`request`]. Where the environment names no directory in
//! `PARVIS_TEST_RECORD`, nothing happens. Knows nothing of endpoints: `tests/coverage` reads what is written here.

use std::{env, fs::OpenOptions, io::Write as _, path::Path, thread};

/// The variable that names the directory.
pub const DIRECTORY: &str = "PARVIS_TEST_RECORD";

/// Writes down that the test on this thread has sent a request, and how it was answered. The path may have a query,
/// which is left out.
///
/// A line has the package's directory, the test's name, the method, the path and the status, with tabs between them.
/// The test's name is that of the thread on which it runs; a request that is carried on another thread has none.
///
/// # Panics
/// Where it cannot be written: whoever wants a record wants a whole one.
#[expect(clippy::expect_used, reason = "see above")]
pub fn request(method: &str, path: &str, status: u16) {
    let Some(directory) = variable(DIRECTORY) else { return };
    let Some(package) = variable("CARGO_MANIFEST_DIR") else { return };
    let current = thread::current();
    let test = current.name().filter(|name| *name != "main" && !name.starts_with("tokio")).unwrap_or("");
    let path = path.split('?').next().unwrap_or(path);
    let line = format!("{package}\t{test}\t{method}\t{path}\t{status}\n");
    let file = Path::new(&directory).join(format!("{}.tsv", std::process::id()));
    let file = OpenOptions::new().create(true).append(true).open(file);
    file.and_then(|mut file| file.write_all(line.as_bytes())).expect("the record can be written");
}

#[expect(clippy::disallowed_methods, reason = "tests are told by the environment")]
fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}
