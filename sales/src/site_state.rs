//! The state of a region, as an operator sets it.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// The operator's setting for a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SiteState {
    /// Processes sales.
    Active,
    /// Stands by.
    Passive,
}

impl SiteState {
    /// As the parameter spells it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Passive => "PASSIVE",
        }
    }
}

impl fmt::Display for SiteState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for SiteState {
    type Err = UnknownState;

    /// Parses `ACTIVE` or `PASSIVE`, in capitals; surrounding white space is ignored, since editors add a line feed.
    fn from_str(text: &str) -> Result<Self, UnknownState> {
        match text.trim() {
            "ACTIVE" => Ok(Self::Active),
            "PASSIVE" => Ok(Self::Passive),
            _ => Err(UnknownState),
        }
    }
}

/// Text that is not a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("state is neither ACTIVE nor PASSIVE")]
pub struct UnknownState;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_read_strictly() {
        assert_eq!("ACTIVE".parse(), Ok(SiteState::Active));
        assert_eq!("PASSIVE\n".parse(), Ok(SiteState::Passive));
        for text in ["", "active", "Passive", "ACTIVE,PASSIVE", "ACTIVE PASSIVE", "true"] {
            assert_eq!(text.parse::<SiteState>(), Err(UnknownState), "{text}");
        }
    }
}
