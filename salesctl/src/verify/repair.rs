//! `lake verify --repair`: brings what a journal lacks.
//!
//! A fact that another region's journal holds comes with a copy of its object, which keeps its key: it repeats what
//! replication would have done. A fact that no journal holds becomes pending again. The sweep skips marked facts, so the
//! mark is removed first. After an interruption in between, a fact is processed but not marked, which the next
//! verification finds and the next repair completes.

use std::collections::BTreeSet;

use futures::{Stream, StreamExt, stream};
use sales::sale::FactId;

use super::{
    Kind,
    judge::Source,
    report::{Difference, Repaired},
};
use crate::{
    cloud::{Cloud, lake::Copied, trouble::Trouble},
    output::{Meter, count, note},
};

/// Repairs made concurrently.
const AT_A_TIME: usize = 16;

/// A copy of an object to a region that lacks it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Copy<'a> {
    to: &'a str,
    source: &'a Source,
}

/// What can be repaired.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan<'a> {
    /// Each object once for each region that lacks it.
    copies: BTreeSet<Copy<'a>>,
    /// The facts that no journal holds, each once, with a region whose table holds it.
    owed: Vec<(&'a str, FactId)>,
}

impl<'a> Plan<'a> {
    pub(super) fn of(differences: &'a [Difference]) -> Self {
        let mut plan = Self::default();
        for difference in differences.iter().filter(|difference| difference.kind == Kind::NotInLake) {
            match (&difference.elsewhere, difference.id.parse()) {
                (Some(source), _) => drop(plan.copies.insert(Copy { to: &difference.region, source })),
                (None, Ok(id)) => plan.owed.push((&difference.region, id)),
                (None, Err(_)) => {}
            }
        }
        plan.owed.sort_by_key(|(region, id)| (id.to_string(), *region));
        plan.owed.dedup_by_key(|(_, id)| *id);
        plan
    }

    pub(super) fn is_empty(&self) -> bool {
        self.copies.is_empty() && self.owed.is_empty()
    }

    /// The question before it is carried out.
    pub(super) fn question(&self) -> String {
        let copies = count(self.copies.len() as u64, "object", "objects");
        let owed = count(self.owed.len() as u64, "fact", "facts");
        match (self.copies.is_empty(), self.owed.is_empty()) {
            (_, true) => format!("Copy {copies} between the journals?"),
            (true, _) => format!("Make {owed} pending again?"),
            (false, false) => format!("Copy {copies} between the journals, and make {owed} pending again?"),
        }
    }

    /// Carries it out.
    pub(super) async fn carry_out(&self, cloud: &Cloud) -> Repaired {
        let copies = stream::iter(&self.copies).map(async |Copy { to, source }| {
            let copied = cloud.regions[*to].copy_object(&cloud.regions[&source.region], &source.key).await;
            let copied = copied.and_then(|copied| match copied {
                Copied::Done | Copied::WasThere => Ok(()),
                Copied::IsGone => Err(Trouble::new(format_args!("no longer in the lake of {}", source.region))),
            });
            (format!("{} to {to}", source.key), copied)
        });
        let copied = all(copies.buffer_unordered(AT_A_TIME), self.copies.len(), "copied").await;
        let owed = stream::iter(&self.owed).map(async |(region, id)| {
            let owed = cloud.regions[*region].owe_again(*id).await;
            (format!("{id} in {region}"), owed)
        });
        let owed_again = all(owed.buffer_unordered(AT_A_TIME), self.owed.len(), "made pending again").await;
        Repaired { copied, owed_again }
    }
}

/// Waits for all, reports the first failure, and returns how many succeeded.
async fn all(results: impl Stream<Item = (String, Result<(), Trouble>)>, of: usize, done_to: &str) -> u64 {
    let mut results = std::pin::pin!(results);
    let (mut done, mut failed, mut first_failure) = (0_u64, 0_u64, None);
    let mut meter = Meter::start();
    while let Some((what, result)) = results.next().await {
        match result {
            Ok(()) => done += 1,
            Err(trouble) => {
                failed += 1;
                first_failure.get_or_insert((what, trouble));
            }
        }
        meter.at(format_args!("{done} of {of} {done_to}"));
    }
    if let Some((what, trouble)) = first_failure {
        note(format_args!("{} failed, such as {what}: {trouble}", count(failed, "repair", "repairs")));
    }
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0192f5c0-7c1d-7a3e-8f11-0123456789ab";

    #[test]
    fn an_object_that_another_region_has_is_copied_once_and_a_fact_that_none_has_becomes_pending_once() {
        let source = Source { region: "b".to_owned(), key: "key".to_owned() };
        let difference = |region: &str, kind, id: &str| Difference::new(region, kind, id, String::new());
        let elsewhere = |id| difference("a", Kind::NotInLake, id).with_source(Some(source.clone()));
        let differences = [
            difference("b", Kind::NotInLake, ID),
            difference("a", Kind::NotInLake, ID),
            difference("a", Kind::NotMarked, "0192f5c0-7c1d-7a3e-8f11-0123456789ac"),
            difference("a", Kind::Contradiction, "0192f5c0-7c1d-7a3e-8f11-0123456789ad"),
            elsewhere("0192f5c0-7c1d-7a3e-8f11-0123456789ae"),
            elsewhere("0192f5c0-7c1d-7a3e-8f11-0123456789af"),
        ];
        let plan = Plan::of(&differences);
        assert_eq!(plan.copies, BTreeSet::from([Copy { to: "a", source: &source }]));
        assert_eq!(plan.owed, [("a", ID.parse().unwrap())]);
        assert_eq!(plan.question(), "Copy 1 object between the journals, and make 1 fact pending again?");
        assert!(Plan::of(&differences[2..4]).is_empty());
    }
}
