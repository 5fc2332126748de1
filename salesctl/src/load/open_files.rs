//! The limit of open files.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::InvalidConfig;

/// Files needed by everything but the requests: files, pipes, and AWS clients.
const OF_ALL_ELSE: u64 = 64;

/// Default maximum of requests in flight.
const USUAL: u16 = 256;

/// Number of requests in flight: as many as `asked` for, or the default, or what the limit allows.
///
/// # Errors
/// If more are asked for than the limit allows.
pub(super) fn concurrency(asked: Option<u16>) -> Result<usize, InvalidConfig> {
    let wanted = asked.unwrap_or(USUAL);
    let allowed = raised(u64::from(wanted) + OF_ALL_ELSE);
    let most = usize::try_from(allowed.saturating_sub(OF_ALL_ELSE)).unwrap_or(usize::MAX);
    match asked {
        Some(asked) if usize::from(asked) > most => {
            let needed = u64::from(asked) + OF_ALL_ELSE;
            let fewer = if most > 0 { format!(", or --concurrency {most}") } else { String::new() };
            Err(InvalidConfig::new(format_args!(
                "--concurrency {asked} needs {needed} open files, and only {allowed} are allowed: `ulimit -n {needed}` raises \
                 the limit{fewer}"
            )))
        }
        _ => Ok(usize::from(wanted).min(most.max(1))),
    }
}

/// Raises the limit to `needed`, if allowed; returns the resulting limit.
fn raised(needed: u64) -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let current = limit.current.unwrap_or(u64::MAX);
    let possible = needed.min(limit.maximum.unwrap_or(u64::MAX));
    if current < possible
        && setrlimit(Resource::Nofile, Rlimit { current: Some(possible), maximum: limit.maximum }).is_ok()
    {
        return possible;
    }
    current
}
