//! What DNS answers, and why: its health checks' questions asked from here, and the name itself.
//!
//! Route 53 is not asked: its control plane is in one region, and at the worst moment it is the one that does not answer.
//! What its health checks ask, anybody can ask, and who answers at the name is what clients meet.

use std::fmt;

use serde::Serialize;
use url::Url;

use super::{Figure, RegionStatus};
use crate::cloud::trouble::Trouble;

/// What DNS answers for the name in front of all regions.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Dns {
    /// The name.
    pub(crate) url: Url,
    /// The region that answered there just now, as the resolver of this machine has it.
    pub(crate) answered_by: Figure<String>,
    /// Which of its choices DNS has.
    pub(crate) choice: Choice,
    /// The regions of that choice.
    pub(crate) regions: Vec<String>,
}

/// How a region looks to the health checks of DNS, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Choice {
    /// Its `/active` says that it is, and its `/readiness` that it can work: the first choice.
    Active,
    /// Its `/readiness` says that it can work: the second choice.
    Ready,
    /// Neither: DNS answers with it only when there is no better one.
    Any,
}

impl Choice {
    /// How this region looks.
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
    /// What the regions' health checks come to.
    pub(super) fn new(url: &Url, answered_by: Result<String, Trouble>, regions: &[RegionStatus]) -> Self {
        let choice = regions.iter().map(Choice::of).min().unwrap_or(Choice::Any);
        let regions = regions.iter().filter(|region| Choice::of(region) == choice);
        let regions = regions.map(|region| region.region.clone()).collect();
        Self { url: url.clone(), answered_by: answered_by.into(), choice, regions }
    }

    /// The region that answers although DNS has a better choice by now.
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
