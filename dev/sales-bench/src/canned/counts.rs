//! What was called.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::operation::Operation;

/// How many unknown requests are named.
const MOST_UNKNOWN: usize = 10;

/// What was called since the load. A call counts once it is answered: one that waits at an empty queue does not yet.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Counts {
    /// Calls, by service and operation, such as `DynamoDB.BatchWriteItem`; those that there were none of are left out.
    pub(crate) calls: BTreeMap<String, u64>,
    /// The first ten requests that were not understood: method, path, target, and why if they were almost understood.
    pub(crate) unknown: Vec<String>,
    /// Items that were put, updated or deleted, alone or in a batch.
    pub(crate) items_written: u64,
    /// DynamoDB's write request units in one region, as an upper bound: one for each KiB that is begun of an item's
    /// JSON, one for an update or a deletion, and one more for what changes the pending index.
    pub(crate) write_units: u64,
    /// DynamoDB's read request units: of items, one each that is read consistently and a half each that is not; of the
    /// index, a half for each 4 KiB that are begun.
    pub(crate) read_units: f64,
    /// Events that were published, alone or in a batch.
    pub(crate) events_published: u64,
    /// Objects that were put.
    pub(crate) objects_put: u64,
    /// Messages that were given out.
    pub(crate) messages_received: u64,
    /// Messages that were deleted.
    pub(crate) messages_deleted: u64,
    /// Pending facts that were taken out of the index.
    pub(crate) settled: u64,
    /// Connections that were accepted for calls of AWS.
    pub(crate) connections: u64,
}

/// The counts in the making: counting a call allocates nothing.
#[derive(Debug, Default)]
pub(super) struct Tally {
    calls: [u64; Operation::ALL.len()],
    /// All the rest; its calls stay empty.
    pub(super) counts: Counts,
}

impl Tally {
    /// Counts a call.
    pub(super) fn call(&mut self, operation: Operation) {
        self.calls[operation as usize] += 1;
    }

    /// Names a request that was not understood.
    pub(super) fn unknown(&mut self, request: impl FnOnce() -> String) {
        if self.counts.unknown.len() < MOST_UNKNOWN {
            self.counts.unknown.push(request());
        }
    }

    /// Counts an item that was written.
    pub(super) fn item_written(&mut self, units: u64) {
        self.counts.items_written += 1;
        self.counts.write_units += units;
    }

    /// The counts so far.
    pub(super) fn so_far(&self) -> Counts {
        let called = Operation::ALL.into_iter().zip(self.calls).filter(|&(_, calls)| calls > 0);
        let calls = called.map(|(operation, calls)| (operation.full_name(), calls)).collect();
        Counts { calls, ..self.counts.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_named_by_service_and_operation() {
        let mut tally = Tally::default();
        tally.call(Operation::BatchWriteItem);
        tally.call(Operation::BatchWriteItem);
        tally.call(Operation::PublishBatch);
        let expected = [("DynamoDB.BatchWriteItem".to_owned(), 2), ("SNS.PublishBatch".to_owned(), 1)];
        assert_eq!(tally.so_far().calls, BTreeMap::from(expected));
    }

    #[test]
    fn the_first_unknown_requests_are_named_and_no_more() {
        let mut tally = Tally::default();
        for number in 0..12 {
            tally.unknown(|| number.to_string());
        }
        let unknown = tally.so_far().unknown;
        assert_eq!((unknown.len(), unknown[9].as_str()), (10, "9"));
    }
}
