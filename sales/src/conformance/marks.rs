//! The marks: which facts are in the lake.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::samples::{self, id};
use super::{Ports, Regions, eventually};
use crate::clock::Timestamp;
use crate::ports::{Holder, Leases, Mark, Marks};
use crate::sale::FactId;

/// Neither for unknown facts, nor for none.
pub async fn nothing_is_marked_at_first(regions: &Regions<impl Ports>) {
    let marks = regions.here.marks();
    assert_eq!(marks.present(&[]).await.expect("asked"), HashSet::new());
    assert_eq!(marks.present(&ids(3)).await.expect("asked"), HashSet::new());
    assert_eq!(marks.record(&[], expiry(regions)).await.len(), 0);
}

/// None, some, and more than one call of a store takes, including duplicates.
pub async fn the_facts_present_are_exactly_those_that_were_recorded(regions: &Regions<impl Ports>) {
    let marks = regions.here.marks();
    for count in [1, 25, 40, 130] {
        let recorded = ids(count);
        let twice: Vec<FactId> = recorded.iter().chain(recorded.iter().take(count / 2)).copied().collect();
        record(&marks, &twice, expiry(regions)).await;
        let sides = recorded.iter().map(|id| FactId::Cancellation(id.sale()));
        let asked: Vec<FactId> = twice.iter().copied().chain(ids(3)).chain(sides).collect();
        let expected: HashSet<FactId> = recorded.into_iter().collect();
        assert_eq!(marks.present(&asked).await.expect("asked"), expected);
    }
    let sale = id();
    record(&marks, &[FactId::Cancellation(sale)], expiry(regions)).await;
    let both = [FactId::Sale(sale), FactId::Cancellation(sale)];
    assert_eq!(marks.present(&both).await.expect("asked"), HashSet::from([FactId::Cancellation(sale)]));
}

/// So that it does not process again what the first one has processed.
pub async fn a_mark_is_seen_in_the_other_region_after_a_while(regions: &Regions<impl Ports>) {
    let (here, there) = (regions.here.marks(), regions.there.marks());
    let ids = ids(30);
    record(&here, &ids, expiry(regions)).await;
    let all = async || (there.present(&ids).await.expect("asked").len() == ids.len()).then_some(());
    eventually("the marks replicate", all).await;
}

/// In the same region or in the other one, until a later time or an earlier one.
pub async fn recording_again_changes_nothing(regions: &Regions<impl Ports>) {
    let (here, there) = (regions.here.marks(), regions.there.marks());
    let ids = ids(2);
    for (marks, later) in [(&here, 0), (&here, 60)] {
        record(marks, &ids, expiry(regions).plus(Duration::from_secs(later))).await;
    }
    record(&there, &ids, expiry(regions)).await;
    for present in [here.present(&ids).await, there.present(&ids).await] {
        assert_eq!(present.expect("asked"), ids.iter().copied().collect());
    }
}

/// Both may be in one table.
pub async fn a_lease_is_no_mark(regions: &Regions<impl Ports>) {
    let (marks, leases) = (regions.here.marks(), regions.here.leases());
    let marked = ids(1);
    record(&marks, &marked, expiry(regions)).await;
    let now = regions.clock.now();
    for shard in regions.shards.iter() {
        leases.acquire(shard, Holder::new(samples::uuid()), now, expiry(regions)).await.expect("acquired");
    }
    let asked: Vec<FactId> = marked.iter().copied().chain(ids(3)).collect();
    assert_eq!(marks.present(&asked).await.expect("asked"), marked.into_iter().collect());
}

/// In both regions.
pub async fn the_marks_can_be_asked_whether_they_answer(regions: &Regions<impl Ports>) {
    for region in [&regions.here, &regions.there] {
        region.marks().probe().await.expect("they answer");
    }
}

fn ids(count: usize) -> Vec<FactId> {
    std::iter::repeat_with(|| FactId::Sale(id())).take(count).collect()
}

/// Late enough that nothing expires during a check.
fn expiry(regions: &Regions<impl Ports>) -> Timestamp {
    regions.clock.now().plus(Duration::from_secs(86_400))
}

async fn record<M: Marks>(marks: &M, ids: &[FactId], expires_at: Timestamp) {
    let object: Arc<str> = "journal/dt=2025-11-30/hour=23/x.ndjson".into();
    let all: Vec<Mark> = ids.iter().map(|id| Mark { id: *id, object: object.clone() }).collect();
    for group in all.chunks(M::GROUP) {
        let results = marks.record(group, expires_at).await;
        assert_eq!(results.len(), group.len(), "a result each");
        for result in results {
            result.expect("recorded");
        }
    }
}
