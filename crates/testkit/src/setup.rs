//! The configuration of a homeserver under test, and where its data lies.

use std::{net::TcpListener, path::PathBuf};

use tempfile::TempDir;
use toml::{Table, Value};

use crate::Engine;

/// What every homeserver under test has in common: open to all, and in nobody's way.
const COMMON: &str = r#"
    [registration]
    mode = "open"
    anyone_may_register_without_token = true

    [presence]
    mode = "on"

    [rate_limits]
    login = { per_second = 0.0, burst = 1 }
    registration = { per_second = 0.0, burst = 1 }
    messages = { per_second = 0.0, burst = 1 }
    joins = { per_second = 0.0, burst = 1 }
    invites = { per_second = 0.0, burst = 1 }
    reports = { per_second = 0.0, burst = 1 }
    mails = { per_second = 0.0, burst = 1 }
    searches = { per_second = 0.0, burst = 1 }

    [logging]
    level = "warn"
"#;

/// A configuration file, in a directory that goes when this does.
#[derive(Debug)]
pub(crate) struct Setup {
    _directory: TempDir,
    pub(crate) file: PathBuf,
    pub(crate) server_name: String,
    pub(crate) base_url: String,
}

impl Setup {
    /// Writes the configuration: what all have in common, then `settings` in TOML, which overrule it. The server
    /// is on the real network, so it calls no other one unless the settings say so.
    pub(crate) async fn new(engine: &Engine, settings: &str) -> Self {
        let mut table = parse("federation.mode = \"off\"");
        merge(&mut table, parse(settings));
        Self::of_server("parvis.test", engine, &table.to_string()).await
    }

    /// The same, for a server of this name on a network of the test's own.
    pub(crate) async fn of_server(name: &str, engine: &Engine, settings: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let port = free_port();
        let mut table = parse(COMMON);
        merge(&mut table, parse(&place(name, &directory, port, engine.new_schema().await)));
        merge(&mut table, parse(settings));
        let server_name = table["server"]["name"].as_str().unwrap().to_owned();
        let file = directory.path().join("parvis.toml");
        std::fs::write(&file, table.to_string()).unwrap();
        Self { _directory: directory, file, server_name, base_url: format!("http://127.0.0.1:{port}") }
    }

    /// Adds settings, which overrule what is there.
    pub(crate) fn add(&self, settings: &str) {
        let mut table = parse(&std::fs::read_to_string(&self.file).unwrap());
        merge(&mut table, parse(settings));
        std::fs::write(&self.file, table.to_string()).unwrap();
    }

    /// A file beside the configuration.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.file.with_file_name(name)
    }
}

fn place(name: &str, directory: &TempDir, port: u16, schema: Option<String>) -> String {
    let path = |name: &str| directory.path().join(name).display().to_string();
    let storage = match schema {
        Some(url) => format!("engine = \"postgres\"\npostgres = {{ url = {url:?}, connections = 6 }}"),
        None => format!("sqlite = {{ path = {:?} }}", path("parvis.db")),
    };
    format!(
        "[server]\nname = \"{name}\"\nhost_names = [\"*\"]\npublic_base_url = \"http://127.0.0.1:{port}\"\n\
         [listeners]\nclient = \"127.0.0.1:{port}\"\n\
         [media]\ndirectory = {:?}\n\
         [storage]\n{storage}\n",
        path("media")
    )
}

/// A port that nobody listens on at the moment.
fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

fn parse(text: &str) -> Table {
    text.parse().unwrap_or_else(|error| panic!("{error} in\n{text}"))
}

fn merge(into: &mut Table, from: Table) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(Value::Table(section)), Value::Table(more)) => merge(section, more),
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}
