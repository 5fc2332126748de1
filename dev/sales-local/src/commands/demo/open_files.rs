//! Whether the operating system lets this program have as many connections open as a demonstration needs.

use anyhow::bail;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Of each request in flight: the client's connection, both sides of the accelerator's stand-in, and both sides of the region's AWS endpoint.
const OF_A_REQUEST: u64 = 5;

/// Of everything else, most of all both sides of what the workers have open to AWS; measured: 260 with few requests.
const OF_ALL_ELSE: u64 = 256;

/// Allows as many open files as so many requests in flight need; an error where that is more than the user may have.
pub(crate) fn allow(requests: u32) -> anyhow::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    let needed = needed(requests);
    // No limit is none.
    let (current, maximum) = (limit.current.unwrap_or(u64::MAX), limit.maximum.unwrap_or(u64::MAX));
    if current >= needed {
        return Ok(());
    }
    if maximum < needed {
        let fewer = maximum.saturating_sub(OF_ALL_ELSE) / OF_A_REQUEST;
        let fewer = if fewer > 0 { format!(", or --concurrency {fewer}") } else { String::new() };
        bail!(
            "{requests} requests at a time need {needed} open files, and only {maximum} are allowed: `ulimit -n {needed}` \
             raises the limit{fewer}"
        );
    }
    // What this program starts has the same limit from then on.
    Ok(setrlimit(Resource::Nofile, Rlimit { current: Some(needed), maximum: limit.maximum })?)
}

fn needed(requests: u32) -> u64 {
    u64::from(requests) * OF_A_REQUEST + OF_ALL_ELSE
}
