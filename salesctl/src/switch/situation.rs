//! The situation before a switch, and its target.

use std::fmt;

use sales::site_state::SiteState;

use crate::cloud::{fleet::Fleet, trouble::Trouble};

/// The regions that will process sales and get traffic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// One region; the others become PASSIVE.
    Only(String),
    /// All regions.
    All,
    /// None: sales are accepted and wait.
    None,
}

impl Target {
    /// Whether this region will process sales.
    pub(crate) fn includes(&self, region: &str) -> bool {
        match self {
            Self::Only(name) => name == region,
            Self::All => true,
            Self::None => false,
        }
    }

    /// The new state of a region.
    pub(super) fn state(&self, region: &str) -> SiteState {
        if self.includes(region) { SiteState::Active } else { SiteState::Passive }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Only(region) => write!(formatter, "{region} alone processes sales and gets the traffic"),
            Self::All => formatter.write_str("every region processes sales and gets traffic"),
            Self::None => formatter.write_str("no region processes sales; they are accepted and wait"),
        }
    }
}

/// The situation of a region before the switch.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Before {
    /// Its state, as the parameter spells it.
    pub(crate) state: Option<String>,
    /// Its dial in percent.
    pub(crate) dial: Option<f32>,
    /// Its tasks, or why they are unknown.
    pub(crate) fleet: Result<Fleet, Trouble>,
}

impl Before {
    /// Whether it processes sales, as far as is known.
    pub(crate) fn may_work(&self) -> bool {
        self.state.as_deref().is_none_or(|state| state.parse() == Ok(SiteState::Active))
    }
}
