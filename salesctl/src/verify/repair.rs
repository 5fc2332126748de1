//! `lake verify --repair`: makes facts that are missing from the lake pending again.
//!
//! The sweep skips marked facts, so the mark is removed first. After an interruption in between, a fact is processed
//! but not marked, which the next verification finds and the next repair completes.

use futures::{StreamExt, stream};
use sales::sale::FactId;

use super::{Kind, report::Difference};
use crate::{
    cloud::{Cloud, trouble::Trouble},
    output::{Meter, count, note},
};

/// Facts repaired concurrently.
const AT_A_TIME: usize = 16;

/// The repairable facts, each once, with a region whose lake lacks it.
pub(super) fn repairable(differences: &[Difference]) -> Vec<(&str, FactId)> {
    let lacking = differences.iter().filter(|difference| difference.kind == Kind::NotInLake);
    let mut facts: Vec<_> =
        lacking.filter_map(|difference| Some((difference.region.as_str(), difference.id.parse().ok()?))).collect();
    facts.sort_by_key(|(region, id): &(&str, FactId)| (id.to_string(), *region));
    facts.dedup_by_key(|(_, id)| *id);
    facts
}

/// Makes these facts pending again; returns how many succeeded.
pub(super) async fn repair(cloud: &Cloud, facts: &[(&str, FactId)]) -> u64 {
    let mut done = 0;
    let mut meter = Meter::start();
    let mut results = stream::iter(facts)
        .map(async |(region, id)| (region, id, cloud.regions[*region].owe_again(*id).await))
        .buffer_unordered(AT_A_TIME);
    let mut first_failure: Option<(&str, FactId, Trouble)> = None;
    let mut failed: u64 = 0;
    while let Some((region, id, result)) = results.next().await {
        match result {
            Ok(()) => done += 1,
            Err(trouble) => {
                failed += 1;
                first_failure.get_or_insert((region, *id, trouble));
            }
        }
        meter.at(format_args!("{done} of {} made pending again", facts.len()));
    }
    if let Some((region, id, trouble)) = first_failure {
        let failed = count(failed, "fact could", "facts could");
        note(format_args!("{failed} not be repaired, such as {id} in {region}: {trouble}"));
    }
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_lake_lacks_is_repaired_and_each_fact_once() {
        let id = "0192f5c0-7c1d-7a3e-8f11-0123456789ab";
        let difference = |region: &str, kind, id: &str| Difference::new(region, kind, id, String::new());
        let differences = [
            difference("b", Kind::NotInLake, id),
            difference("a", Kind::NotInLake, id),
            difference("a", Kind::NotMarked, "0192f5c0-7c1d-7a3e-8f11-0123456789ac"),
            difference("a", Kind::NotInLake, "sales/readme.txt"),
        ];
        assert_eq!(repairable(&differences), [("a", id.parse().unwrap())]);
    }
}
