//! The region that DNS answers with, and why: the same requests as its health checks make, and a request to the name
//! itself.
//!
//! Route 53 is not called: its control plane is in one region, which may be the one that is lost. Everyone can make the
//! requests of its health checks, and the name shows what clients reach.

use std::fmt;

use serde::Serialize;
use url::Url;

use super::{Figure, RegionStatus};
use crate::cloud::trouble::Trouble;

/// The answer of DNS for the name in front of all regions.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Dns {
    /// The URL.
    pub(crate) url: Url,
    /// The region that responded there just now, as this machine resolves the name.
    pub(crate) answered_by: Figure<String>,
    /// The current choice of DNS.
    pub(crate) choice: Choice,
    /// The regions of that choice.
    pub(crate) regions: Vec<String>,
}

/// A region's rank for the health checks of DNS, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Choice {
    /// `/active` and `/readiness` succeed: the first choice.
    Active,
    /// `/readiness` succeeds: the second choice.
    Ready,
    /// Neither succeeds: DNS answers with it only if there is no better one.
    Any,
}

impl Choice {
    /// The rank of this region.
    pub(crate) fn of(region: &RegionStatus) -> Self {
        let is_ready = region.api.known().is_some_and(|api| api.ready);
        match region.active.known() {
            Some(true) if is_ready => Self::Active,
            _ if is_ready => Self::Ready,
            _ => Self::Any,
        }
    }

    /// In one word.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Ready => "ready",
            Self::Any => "down",
        }
    }
}

impl Dns {
    /// Combines the regions' health checks.
    pub(super) fn new(url: &Url, answered_by: Result<String, Trouble>, regions: &[RegionStatus]) -> Self {
        let choice = regions.iter().map(Choice::of).min().unwrap_or(Choice::Any);
        let regions = regions.iter().filter(|region| Choice::of(region) == choice);
        let regions = regions.map(|region| region.region.clone()).collect();
        Self { url: url.clone(), answered_by: answered_by.into(), choice, regions }
    }

    /// The region that responds although DNS has a better choice.
    pub(super) fn strays_to(&self) -> Option<&str> {
        let answered_by = self.answered_by.known()?;
        (!self.regions.contains(answered_by)).then_some(answered_by)
    }
}

impl fmt::Display for Dns {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (url, answered_by) = (self.url.as_str().trim_end_matches('/'), self.answered_by.known());
        let regions = self.regions.join(", ");
        write!(formatter, "{url} is answered by {}; ", answered_by.map_or("?", String::as_str))?;
        match self.choice {
            Choice::Active => write!(formatter, "first choice (ACTIVE and ready): {regions}"),
            Choice::Ready => {
                write!(formatter, "no region is ACTIVE and ready; second choice (ready): {regions}")
            }
            Choice::Any => write!(formatter, "no region is ready"),
        }
    }
}
