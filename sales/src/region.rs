//! Names of regions.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use thiserror::Error;

/// The name of an AWS region, such as `sa-east-1`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Region(Arc<str>);

/// Text that is not the name of a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not the name of a region such as sa-east-1")]
pub struct InvalidRegion;

impl Region {
    /// Its name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Region {
    type Err = InvalidRegion;

    /// At least two words of lower-case letters and a number, separated by hyphens: new regions are added.
    fn from_str(name: &str) -> Result<Self, InvalidRegion> {
        let parts: Vec<&str> = name.split('-').collect();
        let is_word = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase());
        match parts.split_last() {
            Some((number, words)) if words.len() >= 2 && words.iter().all(is_word) && number.parse::<u8>().is_ok() => {
                Ok(Self(name.into()))
            }
            _ => Err(InvalidRegion),
        }
    }
}

impl fmt::Display for Region {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_has_words_and_a_number() {
        for name in ["sa-east-1", "us-gov-west-1", "ap-southeast-15"] {
            assert_eq!(name.parse::<Region>().map(|region| region.to_string()), Ok(name.to_owned()));
        }
        for wrong in ["", "sa", "sa-east", "east-1", "sa-east-1a", "SA-east-1", "sa--1", "sa east 1", "sa-east-1 "] {
            assert_eq!(wrong.parse::<Region>(), Err(InvalidRegion), "{wrong:?}");
        }
    }
}
