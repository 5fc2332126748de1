//! Parts that can be lost in a drill.

use clap::{ValueEnum, builder::PossibleValue};
use sales_testbed::resources::REGIONS;
use serde::{Deserialize, Serialize};

/// A part that can be lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) enum Part {
    /// The region at this position in [`REGIONS`].
    Region(usize),
    /// SSM, in every region.
    Ssm,
    /// The API of Global Accelerator.
    Accelerator,
}

impl ValueEnum for Part {
    fn value_variants<'all>() -> &'all [Self] {
        &[Self::Region(0), Self::Region(1), Self::Ssm, Self::Accelerator]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let (name, help) = match self {
            Self::Region(position) => (*REGIONS.get(*position)?, "its services, and all of AWS in it"),
            Self::Ssm => ("ssm", "SSM in every region; everything else goes on"),
            Self::Accelerator => ("accelerator", "Global Accelerator's API; the traffic goes on"),
        };
        Some(PossibleValue::new(name).help(help))
    }
}

impl TryFrom<String> for Part {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        Self::from_str(&name, false)
    }
}

impl From<Part> for String {
    fn from(part: Part) -> Self {
        part.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}
