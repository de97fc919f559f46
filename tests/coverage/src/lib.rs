//! The table of endpoints: what is answered, where it is handled, and which test proves it.
//!
//! What is answered and where is asked of the API crates, from whose lists the router itself is made. Which test proves
//! it is taken from a record of the requests that tests have sent (`parvis-record`). The table is committed as
//! [`TABLE`]; `cargo xtask coverage` writes it, and a test compares it with what is there.

pub mod endpoints;
pub mod record;
pub mod table;

use std::path::PathBuf;

/// Where the table stands in the workspace.
pub const TABLE: &str = "docs/specification/endpoints.md";

/// The root of the workspace.
pub fn workspace() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(&here).to_owned()
}
