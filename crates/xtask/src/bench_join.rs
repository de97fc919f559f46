//! `cargo xtask bench-join`: the same join into a room of 50,000 members, which lives on another server, into
//! Parvis and into Synapse, and one Markdown table of what it took.
//!
//! The other server is a generated one (`parvis-resident`), the same for all. What is measured, and how, the load
//! generator knows.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitCode};
use std::time::Duration;

use serde::Deserialize;

use crate::bench::server::{self, Running};
use crate::bench::{self, Kind, table};
use crate::postgres;
use crate::shell::{self, Failure, Outcome, Program};
use crate::synapse;

/// How long the machine is watched before anything starts.
const QUIET_LOOK: Duration = Duration::from_secs(3);
/// Longest wait for the resident to end.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// Arguments of `cargo xtask bench-join`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// A small room and programs of the development profile: shows that everything works, measures nothing.
    #[arg(long)]
    quick: bool,
    /// How many members the room has [default: 50000, quick 1000].
    #[arg(long)]
    members: Option<usize>,
    /// Servers to measure, in this order.
    #[arg(long, value_delimiter = ',', default_value = "parvis-sqlite,parvis-postgres,synapse-postgres")]
    servers: Vec<Kind>,
    /// The resident leaves members out of its answer where the joining server asks for that.
    #[arg(long)]
    omit_members: bool,
    /// The Markdown file to write [default: bench/join.md where cargo builds].
    #[arg(long)]
    out: Option<PathBuf>,
    /// Measure this program instead of one that is built as it is packaged.
    #[arg(long)]
    parvis: Option<PathBuf>,
}

impl Arguments {
    fn members(&self) -> usize {
        self.members.unwrap_or(if self.quick { 1_000 } else { 50_000 })
    }

    fn build(&self, package: &str, program: &str) -> Outcome<PathBuf> {
        if self.quick {
            server::build_debug(package, program)
        } else {
            server::build_release(package, program)
        }
    }

    /// The program of Parvis, where it is measured.
    fn parvis(&self) -> Outcome<Option<PathBuf>> {
        if self.servers.iter().all(|kind| kind.is_synapse()) {
            return Ok(None);
        }
        let build =
            || if self.quick { server::build_debug("parvis-server", "parvis") } else { crate::dist::build() };
        self.parvis.clone().map_or_else(build, Ok).map(Some)
    }
}

/// The generator's report, as far as the table needs it.
#[derive(Deserialize)]
struct Report {
    outcomes: Vec<Measured>,
    not_measured: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Measured {
    facts: BTreeMap<String, f64>,
    server: Option<Cost>,
    others_cpu_percent: f64,
}

#[derive(Deserialize)]
struct Cost {
    cpu_ms: f64,
    peak_mib: f64,
}

/// The figures of one server, named, in the order of the table; all are better when smaller.
type Figures = Vec<(&'static str, f64)>;

/// Joins from each server and writes the table. A server that fails is reported, and the others are measured.
pub(crate) fn run(arguments: &Arguments) -> Outcome<ExitCode> {
    let generator = arguments.build("parvis-bench", "parvis-bench")?;
    let resident = arguments.build("parvis-resident", "parvis-resident")?;
    let parvis = arguments.parvis()?;
    if arguments.servers.iter().any(|kind| kind.is_synapse()) {
        synapse::install()?;
    }
    let out = arguments.out.clone().unwrap_or_else(|| shell::target().join("bench/join.md"));
    if let Some(directory) = out.parent() {
        std::fs::create_dir_all(directory).map_err(Failure::at(directory))?;
    }
    let busy_percent = table::busy_percent(QUIET_LOOK);
    let resident = Resident::start(&resident, arguments)?;
    let mut found = Vec::new();
    let mut faults = Vec::new();
    for kind in &arguments.servers {
        println!("== {} ==", kind.name());
        let joined = bench::start(*kind, parvis.as_deref(), Some(&resident.certificate))
            .and_then(|running| join(&running, &resident, &generator, arguments));
        match joined {
            Ok((figures, others)) => found.push((*kind, figures, others)),
            Err(failure) => faults.push(format!("{}: {failure}", kind.name())),
        }
    }
    let text = markdown(arguments, &found, busy_percent, &faults);
    std::fs::write(&out, &text).map_err(Failure::at(&out))?;
    println!("{text}\nwritten to {}", out.display());
    Ok(if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// One join, measured; also the share of the machine that others used meanwhile.
fn join(
    running: &Running,
    resident: &Resident,
    generator: &Path,
    arguments: &Arguments,
) -> Outcome<(Figures, f64)> {
    let json = resident.directory.path().join("report.json");
    let program = server::mortal()
        .argument("--")
        .argument(generator)
        .arguments(["--url", &running.url(), "--register-dummy", "--only", "remote-join"])
        .arguments(["--remote-room", &resident.room_id, "--remote-via", &resident.name])
        .arguments(["--remote-members", &arguments.members().to_string()])
        .arguments(running.pids().iter().flat_map(|pid| ["--pid".to_owned(), pid.to_string()]))
        .argument("--json")
        .argument(&json);
    let complete = program.run();
    let last_words = || format!("the server said last:\n{}", running.last_words());
    let text = std::fs::read_to_string(&json).map_err(Failure::at(&json))?;
    std::fs::remove_file(&json).map_err(Failure::at(&json))?;
    let report: Report =
        serde_json::from_str(&text).map_err(|error| Failure::new(format!("{}: {error}", json.display())))?;
    let why = report.not_measured.into_values().next();
    let Some(measured) = report.outcomes.into_iter().next().filter(|_| complete.is_ok()) else {
        return Err(Failure::new(format!("{}; {}", why.unwrap_or_default(), last_words())));
    };
    Ok((figures(&measured), measured.others_cpu_percent))
}

fn figures(measured: &Measured) -> Figures {
    let fact = |name: &str| measured.facts.get(name).copied().unwrap_or(f64::NAN);
    let cost = |of: fn(&Cost) -> f64| measured.server.as_ref().map_or(f64::NAN, of);
    vec![
        ("join answered, s", fact("answered after s")),
        ("all members known, s", fact("members known after s")),
        ("CPU, s", cost(|cost| cost.cpu_ms / 1000.0)),
        ("peak memory, MiB", cost(|cost| cost.peak_mib)),
    ]
}

fn markdown(
    arguments: &Arguments,
    found: &[(Kind, Figures, f64)],
    busy_percent: f64,
    faults: &[String],
) -> String {
    let members = arguments.members();
    let quick = if arguments.quick { "**A quick run: its figures mean nothing.**\n\n" } else { "" };
    let omitted =
        if arguments.omit_members { "left out where the joining server asks" } else { "always sent" };
    let mut out = format!(
        "# A join into a room of {members} members\n\n{quick}Members are {omitted}. CPU and memory are those of the \
         server and its database. {busy_percent:.0} % of the machine was in use by others before the run. Ratios say how many times \
         better than Synapse.\n\n| figure |"
    );
    let synapse = found.iter().find(|(kind, ..)| kind.is_synapse());
    let others = found.iter().filter(|(kind, ..)| !kind.is_synapse());
    let compared: Vec<_> = others.filter(|_| synapse.is_some()).collect();
    for (kind, ..) in found {
        // Writing to a String cannot fail, here and below.
        let _ = write!(out, " {} |", kind.name());
    }
    for (kind, ..) in &compared {
        let _ = write!(out, " {} × |", kind.name());
    }
    out.push_str("\n|---|");
    out.push_str(&"--:|".repeat(found.len() + compared.len()));
    out.push('\n');
    let names = found.first().map(|(_, figures, _)| figures.as_slice()).unwrap_or_default();
    for (row, (name, _)) in names.iter().enumerate() {
        let value = |figures: &Figures| figures.get(row).map_or(f64::NAN, |(_, value)| *value);
        let _ = write!(out, "| {name} |");
        for (_, figures, _) in found {
            let _ = write!(out, " {:.1} |", value(figures));
        }
        for (_, figures, _) in &compared {
            let ratio = synapse.map_or(f64::NAN, |(_, theirs, _)| value(theirs) / value(figures));
            let _ = write!(out, " {ratio:.1} |");
        }
        out.push('\n');
    }
    for (kind, _, others) in found {
        let _ = write!(out, "\nOthers used {others:.0} % of the machine while {} joined.\n", kind.name());
    }
    for fault in faults {
        let _ = write!(out, "\n**Not measured: {fault}**\n");
    }
    out
}

/// The server that the room lives on. It ends with this value, and with us should we be killed.
struct Resident {
    process: Child,
    name: String,
    room_id: String,
    certificate: PathBuf,
    directory: tempfile::TempDir,
}

impl Resident {
    /// Starts it and waits until the room is there.
    fn start(program: &Path, arguments: &Arguments) -> Outcome<Self> {
        let directory = server::directory()?;
        let (certificate, key) =
            (directory.path().join("resident.crt"), directory.path().join("resident.key"));
        // Trusted as it is, by no authority: it must not be one itself.
        Program::new("openssl")
            .arguments([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
            ])
            .arguments(["-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"])
            .arguments(["-addext", "basicConstraints=critical,CA:false"])
            .arguments(["-keyout".as_ref(), key.as_os_str(), "-out".as_ref(), certificate.as_os_str()])
            .capture()?;
        let name = format!("127.0.0.1:{}", postgres::free_port()?);
        let mut command = server::mortal()
            .argument("--")
            .argument(program)
            .arguments(["--listen", &name, "--name", &name, "--members", &arguments.members().to_string()])
            .arguments(["--room-version", bench::ROOM_VERSION])
            .arguments([
                "--certificate".as_ref(),
                certificate.as_os_str(),
                "--key".as_ref(),
                key.as_os_str(),
            ]);
        if arguments.omit_members {
            command = command.argument("--omit-members");
        }
        let process = command.pipe()?;
        let mut resident = Self { process, name, room_id: String::new(), certificate, directory };
        let output = resident.process.stdout.take().map(BufReader::new);
        let line = output.and_then(|output| output.lines().next()).transpose()?;
        resident.room_id = line.ok_or_else(|| Failure::new("the resident server has ended"))?;
        println!("{} resides in {}", resident.name, resident.room_id);
        Ok(resident)
    }
}

impl Drop for Resident {
    fn drop(&mut self) {
        shell::end(&mut self.process, "TERM", STOP_LIMIT);
    }
}

#[cfg(test)]
mod tests {
    use super::{Arguments, markdown};
    use crate::bench::Kind;

    #[test]
    fn ratios_say_how_many_times_better_than_synapse() {
        let arguments = Arguments {
            quick: false,
            members: Some(9),
            servers: Vec::new(),
            omit_members: false,
            out: None,
            parvis: None,
        };
        let found = [
            (Kind::ParvisSqlite, vec![("join answered, s", 2.0)], 0.0),
            (Kind::SynapsePostgres, vec![("join answered, s", 30.0)], 0.0),
        ];
        let text = markdown(&arguments, &found, 0.0, &["another: broken".to_owned()]);
        assert!(text.contains("| join answered, s | 2.0 | 30.0 | 15.0 |"), "{text}");
        assert!(text.contains("**Not measured: another: broken**"), "{text}");
    }
}
