//! Pending facts: computed from a number, with one bit each.

use std::time::Duration;

use super::ids::{Kind, LENGTH, Series};

/// Shards of the pending index, as in the services.
pub(super) const SHARDS: u32 = 16;

/// Age of the oldest facts when they are offered.
const OLDEST: Duration = Duration::from_secs(60 * 60);

/// Facts accepted per second.
const A_SECOND: u32 = 1_000;

/// Maximum difference in age between the oldest and the youngest fact: the youngest is still older than half an hour.
const SPAN: u32 = 1_700;

/// The pending facts of one load, in the order of the pending index, which is that of their numbers.
#[derive(Debug)]
pub(super) struct PendingFacts {
    series: Series,
    count: u32,
    oldest: u64,
    shards: Vec<Shard>,
}

/// The facts of one shard, one bit each, set while the fact is in the index.
#[derive(Clone, Debug)]
struct Shard {
    words: Vec<u64>,
    /// No word before this one has a bit set.
    lowest: usize,
}

impl PendingFacts {
    /// The first `count` facts of a load at `now`.
    pub(super) fn new(count: u32, generation: u16, now: Duration) -> Self {
        let of_shard = |shard| (count / SHARDS + u32::from(shard < count % SHARDS)) as usize;
        Self {
            series: Series::new(Kind::PendingFact, generation),
            count,
            oldest: now.saturating_sub(OLDEST).as_secs(),
            shards: (0..SHARDS).map(|shard| Shard::full(of_shard(shard))).collect(),
        }
    }

    /// The number of the fact with this id, if it is in the index.
    pub(super) fn find(&self, id: &str) -> Option<u32> {
        self.number(id).filter(|number| self.shards[shard(*number) as usize].holds(place(*number)))
    }

    /// The number of the fact with this id, whether still in the index or not.
    pub(super) fn number(&self, id: &str) -> Option<u32> {
        self.series.number(id).filter(|number| *number < self.count)
    }

    /// Removes the fact with this id from the index. Returns false if it is not there.
    pub(super) fn settle(&mut self, id: &str) -> bool {
        let Some(number) = self.find(id) else { return false };
        self.shards[shard(number) as usize].remove(place(number));
        true
    }

    /// The facts of a shard that are in the index, oldest first, from the one after `after`.
    pub(super) fn of_shard(&self, shard: u32, after: Option<u32>) -> impl Iterator<Item = u32> {
        let from = after.map_or(0, |number| place(number) + 1);
        let places = self.shards.get(shard as usize).map(|facts| facts.from(from));
        // A position in a shard is that of a fact, whose number has 32 bits.
        places.into_iter().flatten().map(move |place| place as u32 * SHARDS + shard)
    }

    /// A fact's id.
    pub(super) fn id<'a>(&self, number: u32, buffer: &'a mut [u8; LENGTH]) -> &'a str {
        self.series.text(number, buffer)
    }

    /// Time of acceptance of a fact, in unix seconds.
    pub(super) fn timestamp(&self, number: u32) -> u64 {
        self.oldest + u64::from((number / A_SECOND).min(SPAN))
    }
}

/// The shard of a fact, as computed by `SaleId::shard`, since the number is the id's low bits.
pub(super) fn shard(number: u32) -> u32 {
    number % SHARDS
}

/// Position of a fact in its shard.
fn place(number: u32) -> usize {
    (number / SHARDS) as usize
}

impl Shard {
    fn full(count: usize) -> Self {
        let (whole, rest) = (count / 64, count % 64);
        let mut words = vec![u64::MAX; whole];
        words.extend((rest > 0).then_some((1 << rest) - 1));
        Self { words, lowest: 0 }
    }

    fn holds(&self, place: usize) -> bool {
        self.words.get(place / 64).is_some_and(|word| word >> (place % 64) & 1 == 1)
    }

    fn remove(&mut self, place: usize) {
        self.words[place / 64] &= !(1 << (place % 64));
        while self.words.get(self.lowest) == Some(&0) {
            self.lowest += 1;
        }
    }

    /// The occupied positions, from this one on.
    fn from(&self, place: usize) -> impl Iterator<Item = usize> {
        let first = self.lowest.max(place / 64);
        let words = self.words.iter().copied().enumerate().skip(first);
        words.flat_map(move |(position, word)| {
            let before = if position == place / 64 { (1 << (place % 64)) - 1 } else { 0 };
            Bits(word & !before).map(move |bit| position * 64 + bit)
        })
    }
}

/// The positions of set bits, lowest first.
struct Bits(u64);

impl Iterator for Bits {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let bit = (self.0 != 0).then(|| self.0.trailing_zeros() as usize)?;
        self.0 &= self.0 - 1;
        Some(bit)
    }
}

#[cfg(test)]
mod tests {
    use sales::sale::SaleId;
    use sales::shard::Shards;

    use super::*;

    const NOW: Duration = Duration::from_secs(1_764_547_200);

    fn id(facts: &PendingFacts, number: u32) -> String {
        facts.id(number, &mut [0; LENGTH]).to_owned()
    }

    fn numbers(facts: &PendingFacts, shard: u32, after: Option<u32>) -> Vec<u32> {
        facts.of_shard(shard, after).collect()
    }

    #[test]
    fn each_fact_is_in_the_shard_that_the_services_look_for_it() {
        let facts = PendingFacts::new(40, 1, NOW);
        for shard in 0..SHARDS {
            for number in numbers(&facts, shard, None) {
                let sale: SaleId = id(&facts, number).parse().unwrap();
                assert_eq!(sale.shard(Shards::DEFAULT).to_string(), shard.to_string());
            }
        }
        assert_eq!(numbers(&facts, 7, None), [7, 23, 39]);
        assert_eq!(numbers(&facts, 8, None), [8, 24]);
        assert_eq!((0..SHARDS).map(|shard| facts.of_shard(shard, None).count()).sum::<usize>(), 40);
        assert_eq!(numbers(&facts, 16, None), [0; 0]);
    }

    #[test]
    fn a_settled_fact_is_gone_once() {
        let mut facts = PendingFacts::new(40, 1, NOW);
        let settled = id(&facts, 23);
        assert!(facts.settle(&settled));
        assert!(!facts.settle(&settled));
        assert_eq!((facts.find(&settled), facts.number(&settled)), (None, Some(23)));
        assert_eq!(numbers(&facts, 7, None), [7, 39]);
    }

    #[test]
    fn ids_that_are_not_offered_are_not_found() {
        let mut facts = PendingFacts::new(40, 1, NOW);
        let (beyond, late) = (id(&facts, 40), id(&PendingFacts::new(40, 0, NOW), 3));
        for unknown in [beyond.as_str(), late.as_str(), "probe", "lease#sa-east-1#3"] {
            assert_eq!(facts.find(unknown), None, "{unknown}");
            assert!(!facts.settle(unknown), "{unknown}");
        }
    }

    #[test]
    fn a_page_begins_behind_the_last_one_whether_that_is_settled_or_not() {
        let mut facts = PendingFacts::new(SHARDS * 200, 1, NOW);
        let all: Vec<u32> = numbers(&facts, 3, None);
        assert_eq!(all.len(), 200);
        for after in [0, 1, 62, 63, 64, 65, 127, 128, 198, 199] {
            assert_eq!(numbers(&facts, 3, Some(all[after])), all[after + 1..], "after {after}");
        }
        for number in &all[..130] {
            assert!(facts.settle(&id(&facts, *number)));
        }
        assert_eq!(numbers(&facts, 3, None), all[130..]);
        assert_eq!(numbers(&facts, 3, Some(all[10])), all[130..]);
        assert_eq!(numbers(&facts, 3, Some(all[150])), all[151..]);
    }

    #[test]
    fn facts_are_older_than_half_an_hour_in_the_order_of_their_numbers() {
        let facts = PendingFacts::new(3_000_000, 1, NOW);
        let timestamps: Vec<u64> = [0, 999, 1_000, 1_700_000, 2_999_999].map(|number| facts.timestamp(number)).into();
        let oldest = 1_764_543_600;
        assert_eq!(timestamps, [oldest, oldest, oldest + 1, oldest + 1_700, oldest + 1_700]);
    }
}
