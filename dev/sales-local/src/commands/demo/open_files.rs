//! The limit of open files, for the connections of a demo.

use anyhow::bail;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files per request in flight: both sides of the accelerator's stand-in, and both sides of the region's AWS endpoint.
const OF_A_REQUEST: u64 = 4;

/// Other files, mostly both sides of the workers' connections to AWS; measured: 260 with few requests.
const OF_ALL_ELSE: u64 = 256;

/// Allows as many open files as `requests` in flight need; an error if the limit cannot be raised that far.
pub(crate) fn allow(requests: u32) -> anyhow::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    let needed = needed(requests);
    // There may be no limit.
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
    // Child processes inherit the raised limit.
    Ok(setrlimit(Resource::Nofile, Rlimit { current: Some(needed), maximum: limit.maximum })?)
}

fn needed(requests: u32) -> u64 {
    u64::from(requests) * OF_A_REQUEST + OF_ALL_ELSE
}
