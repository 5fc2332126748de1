//! Resources used by a process, as reported by the operating system.

use std::time::Duration;

use anyhow::Context;
use procfs::process::Process;

/// CPU time of a process so far, user and system, of all its threads; to hundredths of a second.
///
/// # Errors
/// If there is no such process, or no Linux `/proc`.
pub(crate) fn cpu_time(process: u32) -> anyhow::Result<Duration> {
    let usage = find(process)?.stat()?;
    let seconds = (usage.utime + usage.stime) as f64 / procfs::ticks_per_second() as f64;
    Ok(Duration::from_secs_f64(seconds))
}

/// Peak resident set size of a process, in bytes.
///
/// # Errors
/// If there is no such process, or no Linux `/proc`.
pub(crate) fn peak_memory(process: u32) -> anyhow::Result<u64> {
    let kibibytes = find(process)?.status()?.vmhwm.context("the peak memory of a process is not available")?;
    Ok(kibibytes * 1024)
}

fn find(process: u32) -> anyhow::Result<Process> {
    Process::new(i32::try_from(process)?).context("Linux's /proc, the source of CPU time, is not available")
}
