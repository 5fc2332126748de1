//! Counts of calls.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::dynamodb::{Units, Written};
use super::operation::Operation;

/// Maximum unknown requests recorded.
const MOST_UNKNOWN: usize = 10;

/// Calls since the load was set. A call counts once it is answered: one that waits at an empty queue does not yet.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Counts {
    /// Calls, by service and operation, such as `DynamoDB.BatchWriteItem`; operations without calls are left out.
    pub(crate) calls: BTreeMap<String, u64>,
    /// The first ten unknown requests: method, path, target, and the reason if the operation was known.
    pub(crate) unknown: Vec<String>,
    /// Items put, updated or deleted, alone or in a batch.
    pub(crate) items_written: u64,
    /// DynamoDB's write request units in one region, as an upper bound: one for each started KiB of an item's JSON, one
    /// for an update or a deletion, and one more for a change of the pending index.
    pub(crate) write_units: u64,
    /// Those of them that the sales table took, without its index.
    pub(crate) sales_table_units: u64,
    /// Those of them that the pending index took.
    pub(crate) index_units: u64,
    /// Those of them that marks took.
    pub(crate) mark_units: u64,
    /// DynamoDB's read request units: for items, one per consistent and a half per other read; for the index, a half
    /// per started 4 KiB.
    pub(crate) read_units: f64,
    /// Those of them that the index took.
    pub(crate) query_units: f64,
    /// Events published, alone or in one message.
    pub(crate) events_published: u64,
    /// What SNS bills: each started 64 KiB of a message.
    pub(crate) sns_units: u64,
    /// What SQS bills: each started 64 KiB of a message when it is sent, and of a response with messages; other calls once.
    /// Receives of nothing are left out: an idle queue has them, too.
    pub(crate) sqs_units: u64,
    /// Objects put.
    pub(crate) objects_put: u64,
    /// Their lines.
    pub(crate) lines_put: u64,
    /// Messages delivered.
    pub(crate) messages_received: u64,
    /// Messages deleted.
    pub(crate) messages_deleted: u64,
    /// Facts whose flags were set, whether they are in the index or not.
    pub(crate) flagged: u64,
    /// Pending facts removed from the index.
    pub(crate) settled: u64,
    /// Connections accepted for AWS calls.
    pub(crate) connections: u64,
}

/// The counts in progress: counting a call allocates nothing.
#[derive(Debug, Default)]
pub(super) struct Tally {
    calls: [u64; Operation::ALL.len()],
    /// All other counts; its calls stay empty.
    pub(super) counts: Counts,
}

impl Tally {
    /// Counts a call.
    pub(super) fn call(&mut self, operation: Operation) {
        self.calls[operation as usize] += 1;
    }

    /// Records an unknown request.
    pub(super) fn unknown(&mut self, request: impl FnOnce() -> String) {
        if self.counts.unknown.len() < MOST_UNKNOWN {
            self.counts.unknown.push(request());
        }
    }

    /// Counts an item that was written.
    pub(super) fn item_written(&mut self, Units { table, index, of }: Units) {
        self.counts.items_written += 1;
        self.counts.write_units += table + index;
        self.counts.index_units += index;
        match of {
            Written::Sale => self.counts.sales_table_units += table,
            Written::Mark => self.counts.mark_units += table,
            Written::Lease => {}
        }
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
        tally.call(Operation::Publish);
        let expected = [("DynamoDB.BatchWriteItem".to_owned(), 2), ("SNS.Publish".to_owned(), 1)];
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
