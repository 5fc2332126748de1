//! The shards of the pending index.

use std::fmt;

/// Number of shards of the pending index; every task of every region must have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shards(u16);

impl Shards {
    /// The default of the services.
    pub const DEFAULT: Self = Self(16);

    /// `count` shards; `None` for zero.
    #[must_use]
    pub fn new(count: u16) -> Option<Self> {
        (count > 0).then_some(Self(count))
    }

    /// The shard of a number whose low bits are random.
    pub(crate) fn of(self, number: u128) -> Shard {
        Shard((number % u128::from(self.0)) as u16)
    }

    /// All shards.
    pub fn iter(self) -> impl Iterator<Item = Shard> + use<> {
        (0..self.0).map(Shard)
    }
}

/// A hash key of the pending index, a decimal number from zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Shard(u16);

impl fmt::Display for Shard {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_cover_all_numbers() {
        let shards = Shards::new(3).unwrap();
        assert_eq!(shards.of(5).to_string(), "2");
        assert_eq!(shards.iter().map(|shard| shard.to_string()).collect::<Vec<_>>(), ["0", "1", "2"]);
        assert_eq!(Shards::new(0), None);
    }
}
