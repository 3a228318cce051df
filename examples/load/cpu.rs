//! CPU time and memory of other processes, from procfs.

use std::time::Duration;

fn stat(pid: u32) -> Option<f64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command name may hold blanks; fields are counted from its closing parenthesis. 14 and 15 are user and system.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks: f64 = fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?;
    Some(ticks / 100.0)
}

/// CPU seconds used so far by all threads of these processes.
pub(crate) fn seconds(pids: &[u32]) -> f64 {
    pids.iter().filter_map(|pid| stat(*pid)).sum()
}

/// Waits until the processes use at most 4 % of a core over half a second, at most ten seconds: a JVM is never quite idle.
pub(crate) fn settle(pids: &[u32]) {
    for _ in 0..20 {
        let before = seconds(pids);
        std::thread::sleep(Duration::from_millis(500));
        if seconds(pids) - before <= 0.02 {
            return;
        }
    }
}

/// Resident memory of the processes in MiB.
pub(crate) fn rss_mib(pids: &[u32]) -> u64 {
    let one = |pid: &u32| {
        let text = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = text.lines().find(|line| line.starts_with("VmRSS:"))?;
        line.split_whitespace().nth(1)?.parse::<u64>().ok()
    };
    pids.iter().filter_map(one).sum::<u64>() / 1024
}
