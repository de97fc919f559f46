//! `cargo xtask instructions`: how many instructions the hot paths take, counted by callgrind and compared with the
//! committed figures. Time differs from machine to machine and from minute to minute; instructions hardly do, so a
//! path that has become dearer is seen on any machine, however busy.
//!
//! The script of the paths is a program of its own (`tests/instructions`), built like the tests: with little
//! optimisation. The figures are for comparison with themselves and say nothing about time. Does not know what the
//! paths do.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde::{Deserialize, Serialize};

use crate::shell::{self, Failure, Outcome, Program};

/// By how many per cent a path may become dearer.
const TOLERATED_PERCENT: u64 = 10;
/// The longest run under callgrind, in seconds.
const LIMIT_SECONDS: &str = "300";
/// The functions of the script between which is counted.
const BEGIN: &str = "*counted_begin*";
const END: &str = "*counted_end*";

/// Arguments of `cargo xtask instructions`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Write the counts down as the figures to compare with from now on.
    #[arg(long)]
    bless: bool,
    /// Count so many times, and tell by how much the counts differ; the smallest is compared.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=20))]
    repeat: u32,
    /// Keep callgrind's profiles of the paths in this directory, for `callgrind_annotate`.
    #[arg(long)]
    profiles: Option<PathBuf>,
}

/// The committed figures.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Figures {
    /// The compiler that the counts are of.
    rustc: String,
    /// Instructions for one walk of each path.
    paths: BTreeMap<String, u64>,
}

/// The counts of one path, of each run.
#[derive(Debug)]
struct Counted {
    name: String,
    counts: Vec<u64>,
}

impl Counted {
    fn least(&self) -> u64 {
        self.counts.iter().copied().min().unwrap_or(0)
    }

    /// How much the largest count is above the smallest, in per cent.
    fn spread(&self) -> f64 {
        percent_above(self.counts.iter().copied().max().unwrap_or(0), self.least())
    }
}

/// The comparison as a step of the tests.
pub(crate) fn step() -> Outcome<()> {
    let code = run(&Arguments { bless: false, repeat: 1, profiles: None })?;
    if code == ExitCode::SUCCESS { Ok(()) } else { Err(Failure::new("a path has become dearer, see above")) }
}

/// Counts, and compares or writes down.
pub(crate) fn run(arguments: &Arguments) -> Outcome<ExitCode> {
    let counted = count(arguments)?;
    let rustc = Program::new("rustc").argument("--version").capture()?.trim().to_owned();
    let file = shell::workspace().join("tests/instructions/instructions.toml");
    if arguments.bless {
        let paths = counted.iter().map(|path| (path.name.clone(), path.least())).collect();
        write(&file, &Figures { rustc, paths })?;
        println!("{}\nwritten to {}", table(&counted, &Figures::default()), file.display());
        return Ok(ExitCode::SUCCESS);
    }
    let figures = read(&file)?;
    println!("{}", table(&counted, &figures));
    let faults = faults(&counted, &figures);
    if faults.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    faults.iter().for_each(|fault| println!("{fault}"));
    if rustc != figures.rustc {
        // Another compiler makes other instructions of the same code, which says nothing about the code.
        println!("The figures are of {}; this is {rustc}: nothing is concluded.", figures.rustc);
        return Ok(ExitCode::SUCCESS);
    }
    println!(
        "Where the change is meant: cargo xtask instructions --bless, and say in the commit what it buys."
    );
    Ok(ExitCode::FAILURE)
}

/// Builds and prepares the script, and runs it under callgrind as often as wanted.
fn count(arguments: &Arguments) -> Outcome<Vec<Counted>> {
    if shell::find("valgrind").is_none() {
        shell::install(&["valgrind"])?;
    }
    Program::cargo().arguments(["build", "--quiet", "--package", "parvis-instructions"]).run()?;
    let script = shell::target().join("debug/parvis-instructions");
    let directory = tempfile::Builder::new().prefix("parvis-instructions-").tempdir()?;
    let mut counted: Vec<Counted> = Vec::new();
    for round in 0..arguments.repeat {
        let place = directory.path().join(round.to_string());
        std::fs::create_dir_all(&place).map_err(Failure::at(&place))?;
        Program::new(&script).argument("prepare").argument(&place).run()?;
        for (number, (name, times)) in run_counted(&script, &place)?.into_iter().enumerate() {
            let profile = profile(&place, number);
            let count = total(&profile)? / times;
            if let Some(keep) = &arguments.profiles {
                keep_profile(&profile, keep, &name)?;
            }
            match counted.get_mut(number) {
                Some(path) => path.counts.push(count),
                None => counted.push(Counted { name, counts: vec![count] }),
            }
        }
    }
    Ok(counted)
}

/// Runs the script under callgrind; gives the paths that it walked, each with how often.
fn run_counted(script: &Path, place: &Path) -> Outcome<Vec<(String, u64)>> {
    let said = Program::new("timeout")
        .arguments([LIMIT_SECONDS, "valgrind", "--tool=callgrind", "--quiet", "--vgdb=no"])
        .argument(format!("--zero-before={BEGIN}"))
        .argument(format!("--dump-before={END}"))
        .argument(format!("--callgrind-out-file={}", place.join("counts").display()))
        .argument(script)
        .argument("run")
        .argument(place)
        .capture()?;
    said.lines().map(path_in).collect()
}

fn path_in(line: &str) -> Outcome<(String, u64)> {
    let path = line.split_once('\t').and_then(|(name, times)| Some((name.to_owned(), times.parse().ok()?)));
    path.filter(|(_, times)| *times > 0).ok_or_else(|| Failure::new(format!("the script said {line:?}")))
}

/// Where callgrind has put the profile of a path.
fn profile(place: &Path, number: usize) -> PathBuf {
    place.join(format!("counts.{}", number + 1))
}

/// How many instructions a profile holds in all.
fn total(profile: &Path) -> Outcome<u64> {
    let text = std::fs::read_to_string(profile).map_err(Failure::at(profile))?;
    total_in(&text).ok_or_else(|| Failure::new(format!("{} has no total", profile.display())))
}

fn total_in(profile: &str) -> Option<u64> {
    profile.lines().rev().find_map(|line| line.strip_prefix("totals:"))?.trim().parse().ok()
}

fn keep_profile(profile: &Path, directory: &Path, name: &str) -> Outcome<()> {
    std::fs::create_dir_all(directory).map_err(Failure::at(directory))?;
    let letter = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '-' };
    let kept = directory.join(name.chars().map(letter).collect::<String>());
    std::fs::copy(profile, &kept).map_err(Failure::at(&kept))?;
    Ok(())
}

fn read(file: &Path) -> Outcome<Figures> {
    let text = std::fs::read_to_string(file).map_err(Failure::at(file))?;
    toml::from_str(&text).map_err(|error| Failure::new(format!("{}: {error}", file.display())))
}

fn write(file: &Path, figures: &Figures) -> Outcome<()> {
    let text = toml::to_string(figures).map_err(|error| Failure::new(error.to_string()))?;
    let head = "# Instructions for one walk of each hot path, in the development profile.\n\
                # Written by `cargo xtask instructions --bless`; see docs/performance.md.\n\n";
    std::fs::write(file, format!("{head}{text}")).map_err(Failure::at(file))
}

#[expect(clippy::cast_precision_loss, reason = "a percentage for a person")]
fn percent_above(now: u64, before: u64) -> f64 {
    if before == 0 { 0.0 } else { (now as f64 / before as f64 - 1.0) * 100.0 }
}

/// What is to be complained about.
fn faults(counted: &[Counted], figures: &Figures) -> Vec<String> {
    let mut faults = Vec::new();
    for path in counted {
        match figures.paths.get(&path.name) {
            None => faults.push(format!("{}: there is no figure to compare with", path.name)),
            Some(before) => {
                if path.least() * 100 > before * (100 + TOLERATED_PERCENT) {
                    let change = percent_above(path.least(), *before);
                    faults.push(format!("{}: {change:.1} % more instructions than before", path.name));
                }
            }
        }
    }
    let walked = |name: &String| counted.iter().any(|path| path.name == *name);
    faults.extend(
        figures.paths.keys().filter(|name| !walked(name)).map(|name| format!("{name}: is not walked")),
    );
    faults
}

/// All paths with their counts, and how they compare.
fn table(counted: &[Counted], figures: &Figures) -> String {
    let repeated = counted.iter().any(|path| path.counts.len() > 1);
    let mut text = format!("{:<48} {:>13} {:>13} {:>8}", "instructions for one", "before", "now", "change");
    text.push_str(if repeated { "   differ by" } else { "" });
    for path in counted {
        let before = figures.paths.get(&path.name);
        let was = before.map_or_else(|| "-".to_owned(), |before| grouped(*before));
        let change = before.map(|before| percent_above(path.least(), *before));
        let change = change.map_or_else(|| "-".to_owned(), |change| format!("{change:+.1} %"));
        let now = grouped(path.least());
        // Writing into a text cannot fail.
        let _ = write!(text, "\n{:<48} {was:>13} {now:>13} {change:>8}", path.name);
        if repeated {
            let _ = write!(text, " {:>9.2} %", path.spread());
        }
    }
    text
}

/// A number with its thousands apart.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(paths: &[(&str, u64)]) -> Figures {
        let paths = paths.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
        Figures { rustc: "rustc 1".to_owned(), paths }
    }

    fn counted(name: &str, counts: &[u64]) -> Counted {
        Counted { name: name.to_owned(), counts: counts.to_vec() }
    }

    #[test]
    fn path_that_has_become_dearer_by_more_than_a_tenth_is_complained_about() {
        let before = figures(&[("send", 1_000), ("sync", 1_000)]);
        assert_eq!(faults(&[counted("send", &[1_100]), counted("sync", &[200])], &before), [""; 0]);
        let found = faults(&[counted("send", &[1_101]), counted("sync", &[1_000])], &before);
        assert_eq!(found, ["send: 10.1 % more instructions than before"]);
    }

    #[test]
    fn path_without_a_figure_and_figure_without_a_path_are_complained_about() {
        let found = faults(&[counted("new", &[5])], &figures(&[("old", 5)]));
        assert_eq!(found, ["new: there is no figure to compare with", "old: is not walked"]);
    }

    #[test]
    fn least_of_several_counts_is_compared_and_their_spread_is_told() {
        let paths = [counted("send", &[1_000_000, 1_005_000])];
        let text = table(&paths, &figures(&[("send", 2_000_000)]));
        assert!(text.contains("2,000,000     1,000,000  -50.0 %      0.50 %"), "{text}");
    }

    #[test]
    fn figures_come_back_as_they_were_written() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("instructions.toml");
        write(&file, &figures(&[("GET /versions", 7)])).unwrap();
        assert_eq!(read(&file).unwrap().paths, figures(&[("GET /versions", 7)]).paths);
    }

    #[test]
    fn total_of_a_profile_is_the_one_at_its_end() {
        assert_eq!(total_in("events: Ir\nfn=(1) totals: 3\n1 2\ntotals: 123\n"), Some(123));
        assert_eq!(total_in("events: Ir\n"), None);
    }
}
