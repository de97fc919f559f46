//! What the server costs, read from `/proc`: processor time and memory of the given processes and everything
//! that they started (a database server works in its children). Linux only. It knows nothing of requests.

use std::{collections::HashMap, fs, io};

use serde::Serialize;

/// `/proc` counts processor time in `USER_HZ`, which is 100 on every architecture we run on.
const MS_PER_TICK: u64 = 10;

/// The processes whose cost is counted.
#[derive(Clone, Debug)]
pub(crate) struct Watch {
    roots: Vec<u32>,
}

/// Memory of all watched trees at one moment, in KiB.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Memory {
    /// Resident: private pages of every process, and for each tree the largest shared part of one process
    /// (the children of a database server map the same buffers: a sum would count them many times).
    pub(crate) resident_kib: u64,
    /// The greatest `VmHWM` (peak resident size since its start) of a single process.
    pub(crate) largest_peak_kib: u64,
}

struct Process {
    parent: u32,
    cpu_ticks: u64,
}

impl Watch {
    /// Watches these trees. An error names a process that is not there.
    pub(crate) fn new(roots: Vec<u32>) -> io::Result<Self> {
        for pid in &roots {
            fs::metadata(format!("/proc/{pid}/stat"))
                .map_err(|_| io::Error::other(format!("--pid {pid}: there is no such process")))?;
        }
        Ok(Self { roots })
    }

    /// Whether there is anything to watch.
    pub(crate) fn is_empty(&self) -> bool {
        self.roots.is_empty()
    }

    /// Processor time used so far, in milliseconds, by the trees and by their children that have ended.
    pub(crate) fn cpu_ms(&self) -> u64 {
        let processes = processes();
        let ticks: u64 = self
            .trees(&processes)
            .iter()
            .flatten()
            .filter_map(|pid| processes.get(pid))
            .map(|process| process.cpu_ticks)
            .sum();
        ticks * MS_PER_TICK
    }

    /// Memory held now.
    pub(crate) fn memory(&self) -> Memory {
        let mut memory = Memory::default();
        for tree in self.trees(&processes()) {
            let mut shared = 0;
            for pid in tree {
                let Ok(status) = fs::read_to_string(format!("/proc/{pid}/status")) else { continue };
                memory.resident_kib += kib(&status, "RssAnon:");
                shared = shared.max(kib(&status, "RssFile:") + kib(&status, "RssShmem:"));
                memory.largest_peak_kib = memory.largest_peak_kib.max(kib(&status, "VmHWM:"));
            }
            memory.resident_kib += shared;
        }
        memory
    }

    /// Per root: itself and all descendants.
    fn trees(&self, processes: &HashMap<u32, Process>) -> Vec<Vec<u32>> {
        let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
        for (pid, process) in processes {
            children.entry(process.parent).or_default().push(*pid);
        }
        let tree = |root: &u32| {
            let mut found = vec![*root];
            let mut next = 0;
            while let Some(pid) = found.get(next) {
                let below = children.get(pid).cloned().unwrap_or_default();
                found.extend(below);
                next += 1;
            }
            found
        };
        self.roots.iter().map(tree).collect()
    }
}

/// Processor time of this process in milliseconds.
pub(crate) fn own_cpu_ms() -> u64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    parse_stat(&stat).map_or(0, |process| process.cpu_ticks * MS_PER_TICK)
}

/// Processor time that the whole machine has spent working, in milliseconds.
pub(crate) fn machine_cpu_ms() -> u64 {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = stat.lines().next().unwrap_or_default();
    // user nice system idle iowait irq softirq steal: all but idle and iowait.
    let fields: Vec<u64> = line.split_ascii_whitespace().skip(1).filter_map(|f| f.parse().ok()).collect();
    let busy: u64 =
        fields.iter().take(8).enumerate().filter(|(i, _)| !matches!(i, 3 | 4)).map(|(_, t)| t).sum();
    busy * MS_PER_TICK
}

fn processes() -> HashMap<u32, Process> {
    let Ok(entries) = fs::read_dir("/proc") else { return HashMap::new() };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter_map(|pid| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            Some((pid, parse_stat(&stat)?))
        })
        .collect()
}

/// `pid (name) state ppid … utime stime cutime cstime …`; the name may hold spaces and parentheses.
fn parse_stat(stat: &str) -> Option<Process> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = after_name.split_ascii_whitespace().collect();
    let parent = fields.get(1)?.parse().ok()?;
    let cpu_ticks = fields.get(11..15)?.iter().filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    Some(Process { parent, cpu_ticks })
}

fn kib(status: &str, field: &str) -> u64 {
    status
        .lines()
        .find_map(|line| line.strip_prefix(field))
        .and_then(|value| value.split_ascii_whitespace().next())
        .and_then(|value| value.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{Watch, kib, own_cpu_ms, parse_stat};

    #[test]
    fn stat_line_with_spaces_and_parentheses_in_the_name_is_read() {
        let line = "7 (a) b) c) S 3 7 7 0 -1 0 1 2 3 4 100 20 3 4 20 0 1 0 5 6 7";
        let process = parse_stat(line).unwrap();
        assert_eq!((process.parent, process.cpu_ticks), (3, 127));
    }

    #[test]
    fn status_field_is_read_in_kib() {
        assert_eq!(kib("Name:\tx\nVmHWM:\t   123 kB\n", "VmHWM:"), 123);
        assert_eq!(kib("Name:\tx\n", "VmHWM:"), 0);
    }

    #[test]
    fn child_process_is_counted_into_its_tree() {
        let mut child = std::process::Command::new("sleep").arg("5").spawn().unwrap();
        let watch = Watch::new(vec![std::process::id()]).unwrap();
        let trees = watch.trees(&super::processes());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(trees.iter().flatten().any(|pid| *pid == child.id()));
        assert!(watch.memory().resident_kib > 0);
        assert!(watch.cpu_ms() >= own_cpu_ms().saturating_sub(1000));
    }

    #[test]
    fn absent_process_is_refused() {
        assert!(Watch::new(vec![u32::MAX]).is_err());
    }
}
