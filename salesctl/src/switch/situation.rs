//! Where a switch begins, and where it is to end.

use std::fmt;

use sales::site_state::SiteState;

use crate::cloud::{fleet::Fleet, trouble::Trouble};

/// Which regions shall process sales and get traffic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// One region, with the others standing by.
    Only(String),
    /// All of them.
    All,
    /// None: sales are accepted and wait.
    None,
}

impl Target {
    /// Whether this region shall process.
    pub(crate) fn includes(&self, region: &str) -> bool {
        match self {
            Self::Only(name) => name == region,
            Self::All => true,
            Self::None => false,
        }
    }

    /// What a region shall be told.
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

/// What is known of a region before.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Before {
    /// Its state, as the parameter spells it.
    pub(crate) state: Option<String>,
    /// Its dial in percent.
    pub(crate) dial: Option<f32>,
    /// Its tasks, or why they are not known.
    pub(crate) fleet: Result<Fleet, Trouble>,
}

impl Before {
    /// Whether it processes sales, as far as is known.
    pub(crate) fn may_work(&self) -> bool {
        self.state.as_deref().is_none_or(|state| state.parse() == Ok(SiteState::Active))
    }
}
