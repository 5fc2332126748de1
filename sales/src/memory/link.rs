//! Messages in transit between regions.

use std::collections::BTreeMap;

use super::Moment;

/// One link per pair of regions, including a region and itself.
pub(super) struct Links<T> {
    links: Vec<Vec<Link<T>>>,
    sequence: u64,
}

struct Link<T> {
    cut: bool,
    on_the_way: BTreeMap<(Moment, u64), T>,
}

impl<T> Links<T> {
    pub(super) fn new(regions: usize) -> Self {
        let link = || Link { cut: false, on_the_way: BTreeMap::new() };
        let row = || std::iter::repeat_with(link).take(regions).collect();
        Self { links: std::iter::repeat_with(row).take(regions).collect(), sequence: 0 }
    }

    pub(super) fn cut(&mut self, from: usize, to: usize, cut: bool) {
        self.links[from][to].cut = cut;
    }

    pub(super) fn send(&mut self, from: usize, to: usize, due: Moment, thing: T) {
        self.sequence += 1;
        self.links[from][to].on_the_way.insert((due, self.sequence), thing);
    }

    /// What has arrived until `now`, in the order of its due time, with its source and destination.
    pub(super) fn arrived(&mut self, now: Moment) -> Vec<(usize, usize, T)> {
        let mut arrived = Vec::new();
        for (from, row) in self.links.iter_mut().enumerate() {
            for (to, link) in row.iter_mut().enumerate().filter(|(_, link)| !link.cut) {
                while let Some(entry) = link.on_the_way.first_entry().filter(|entry| entry.key().0 <= now) {
                    let (due, thing) = entry.remove_entry();
                    arrived.push((due, (from, to, thing)));
                }
            }
        }
        arrived.sort_by_key(|(due, _)| *due);
        arrived.into_iter().map(|(_, arrival)| arrival).collect()
    }

    /// Time of the next arrival at `to`, unless its link is cut.
    pub(super) fn next_arrival(&self, to: usize) -> Option<Moment> {
        let links = self.links.iter().map(|row| &row[to]).filter(|link| !link.cut);
        links.filter_map(|link| link.on_the_way.first_key_value()).map(|((due, _), _)| *due).min()
    }

    pub(super) fn are_busy(&self) -> bool {
        self.links.iter().flatten().any(|link| !link.on_the_way.is_empty() && !link.cut)
    }
}
