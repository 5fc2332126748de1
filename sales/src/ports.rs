//! The services' external dependencies, named by role.
//!
//! An expected outcome is a value; an error ([`PortError`]) means that the call failed, or that its effect is unknown.
//! Every effect here may be repeated.

use std::collections::HashSet;
use std::fmt;
use std::future::Future;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use uuid::Uuid;

use crate::attributes::Attributes;
use crate::clock::Timestamp;
use crate::event::Event;
use crate::journal::JournalObject;
use crate::sale::{Fact, FactId, Sale, SaleId};
use crate::shard::Shard;
use crate::site_state::SiteState;

/// A call that failed.
#[derive(Clone, Debug, Error)]
#[error("{operation}: {detail}")]
pub struct PortError {
    /// The operation, such as `PutItem`.
    pub operation: &'static str,
    /// What kind of failure it is.
    pub kind: FailureKind,
    /// The cause in full, for the log only: it may name resources.
    pub detail: String,
}

impl PortError {
    /// The error that shows most of a dependency: one that concerns all calls, then one with an unknown code; the first of equals.
    pub fn worst<'a>(errors: impl Iterator<Item = &'a Self>) -> Option<&'a Self> {
        errors.min_by_key(|error| match error.kind {
            kind if kind.concerns_all_calls() => 0,
            FailureKind::Unrecognized => 1,
            _ => 2,
        })
    }
}

/// Kinds of failures, by what they concern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// The resource does not exist.
    Missing,
    /// Credentials are missing, expired, or not sufficient.
    Denied,
    /// Throttled, timed out, unreachable, or an internal failure: worth a retry.
    Unavailable,
    /// The resource holds an invalid value.
    Invalid,
    /// Only this call was rejected; others may succeed. A retry may succeed, too (a conflict, an expired receipt).
    Rejected,
    /// Rejected with an unknown code: only this call or all of them. If it repeats, all of them.
    Unrecognized,
}

impl FailureKind {
    /// A fixed word for logs, metrics and readiness.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Denied => "denied",
            Self::Unavailable => "unavailable",
            Self::Invalid => "invalid",
            Self::Rejected => "rejected",
            Self::Unrecognized => "unrecognized",
        }
    }

    /// Whether it is known to concern the dependency as a whole, rather than a single call.
    #[must_use]
    pub fn concerns_all_calls(self) -> bool {
        match self {
            Self::Missing | Self::Denied | Self::Unavailable | Self::Invalid => true,
            Self::Rejected | Self::Unrecognized => false,
        }
    }
}

/// The result of a port's call.
pub type PortResult<T> = Result<T, PortError>;

/// Outcome of a conditional put of a sale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InsertSale {
    /// The sale was put.
    Inserted,
    /// One with this id exists.
    AlreadyExists(StoredSale),
}

/// Outcome of a conditional put of a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Insert {
    /// The fact was put, and is pending.
    Inserted,
    /// It exists, whatever its progress.
    AlreadyExists,
}

/// A sale as stored in the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSale {
    /// As it was accepted.
    pub sale: Sale,
    /// Whether it is known to be in the lake.
    pub processed: bool,
}

/// A sale with its status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundSale {
    /// The sale.
    pub stored: StoredSale,
    /// Whether it is cancelled.
    pub cancelled: bool,
}

/// Some ids of a shard of the pending index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PendingPage {
    /// Oldest first. Entries without a valid id are left out.
    pub ids: Vec<FactId>,
    /// The keys of the entries that were left out, as text.
    pub unreadable: Vec<String>,
    /// Start of the next page; `None` after the last, which may be empty.
    pub next: Option<PageToken>,
}

/// The result of loading some facts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadedFacts {
    /// Those that exist and are pending.
    pub facts: Vec<Fact>,
    /// Those that exist and are pending, but are unreadable.
    pub unreadable: Vec<FactId>,
}

/// Size and age of a shard of the pending index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Number of facts.
    pub facts: u64,
    /// When the oldest was accepted, of those with a time.
    pub oldest: Option<Timestamp>,
    /// The keys, as text, of some entries with an unreadable id or time: those at either end of the index's order.
    pub unreadable: Vec<String>,
}

/// The position after a page of the pending index: the last item's key. Opaque outside the adapters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageToken {
    /// The last item's id.
    pub id: String,
    /// The last item's range key.
    pub timestamp: String,
}

/// The sales table, with its pending index.
pub trait SaleTable: Clone + Send + Sync + 'static {
    /// Puts one sale unless one with its id exists.
    fn insert_sale(&self, sale: &Sale) -> impl Future<Output = PortResult<InsertSale>> + Send;

    /// Puts up to [`SaleTable::GROUP`] sales with unique ids; one result each, in order. An existing lone sale stays
    /// unchanged.
    fn insert_new_sales(&self, sales: &[Sale]) -> impl Future<Output = Vec<PortResult<()>>> + Send;

    /// Puts a cancellation, or a fact that has not replicated to this region, unless one with its id exists.
    fn insert(&self, fact: &Fact) -> impl Future<Output = PortResult<Insert>> + Send;

    /// Finds a sale, as this region knows it now.
    fn find(&self, id: SaleId) -> impl Future<Output = PortResult<Option<FoundSale>>> + Send;

    /// Which of these facts this region's table holds.
    fn held(&self, ids: &[FactId]) -> impl Future<Output = PortResult<HashSet<FactId>>> + Send;

    /// The facts among `ids` that exist and are pending.
    fn load_pending(&self, ids: &[FactId]) -> impl Future<Output = PortResult<LoadedFacts>> + Send;

    /// Settles up to [`SaleTable::GROUP`] facts: records that they are in the lake, and removes them from the pending
    /// index; one result each, in order. Creates items that have not replicated yet; what existing ones say stays.
    fn settle(&self, facts: &[Fact], processed_at: Timestamp) -> impl Future<Output = Vec<PortResult<()>>> + Send;

    /// A page of a shard's facts that were accepted before `before`.
    fn pending(
        &self,
        shard: Shard,
        before: Timestamp,
        page: Option<PageToken>,
    ) -> impl Future<Output = PortResult<PendingPage>> + Send;

    /// Measures a shard's pending facts. The cost grows with their number: a call per some ten thousand facts.
    fn backlog(&self, shard: Shard) -> impl Future<Output = PortResult<Backlog>> + Send;

    /// Reads something that does not exist, to check whether the table responds.
    fn probe(&self) -> impl Future<Output = PortResult<()>> + Send;

    /// Maximum facts of one call of [`SaleTable::insert_new_sales`] and [`SaleTable::settle`].
    const GROUP: usize = 25;
}

/// Announces facts to every region.
pub trait SaleTopic: Clone + Send + Sync + 'static {
    /// Publishes up to [`SaleTopic::GROUP`] events, in as few messages as possible; one result each, in order.
    fn publish(&self, events: &[Event]) -> impl Future<Output = Vec<PortResult<()>>> + Send;

    /// Maximum events of one call.
    const GROUP: usize = 500;
}

/// A message as delivered by a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Body.
    pub body: String,
    /// Its attributes.
    pub attributes: Attributes,
    /// Identifies this delivery, to acknowledge or hide the message.
    pub receipt: String,
    /// Number of deliveries, this one included.
    pub receive_count: u32,
    /// Time of the first delivery, by the queue's clock; unknown if the queue does not report it.
    pub first_received: Option<Timestamp>,
}

/// Outcome of a malformed message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeadLetter {
    /// Copied to the dead-letter queue.
    Sent,
    /// The queue has no redrive policy, so there is no dead-letter queue.
    NoQueue,
}

/// This region's queue of announced facts. It counts in whole seconds.
pub trait SaleQueue: Clone + Send + Sync + 'static {
    /// Waits for messages for up to `wait` (at most [`SaleQueue::LONGEST_WAIT`]); returns at most ten, hidden from
    /// other consumers for `hidden_for`.
    fn receive(&self, wait: Duration, hidden_for: Duration) -> impl Future<Output = PortResult<Vec<Delivery>>> + Send;

    /// Acknowledges messages (at most ten).
    fn acknowledge(&self, receipts: &[&str]) -> impl Future<Output = PortResult<()>> + Send;

    /// Hides messages for a time counted from now: longer to continue processing, shorter or longer to retry (at most
    /// ten). Only those that their delivery still hides.
    fn hide(&self, receipts: &[(&str, Duration)]) -> impl Future<Output = PortResult<()>> + Send;

    /// Copies a message to the queue that the redrive policy names, with `reason` as an attribute.
    fn dead_letter(&self, delivery: &Delivery, reason: &str) -> impl Future<Output = PortResult<DeadLetter>> + Send;

    /// Maximum long-polling time.
    const LONGEST_WAIT: Duration = Duration::from_secs(20);
}

/// The journal of the lake.
pub trait Journal: Clone + Send + Sync + 'static {
    /// Puts an object under its unique key.
    fn put(&self, object: &JournalObject) -> impl Future<Output = PortResult<()>> + Send;

    /// Checks whether the lake responds.
    fn probe(&self) -> impl Future<Output = PortResult<()>> + Send;
}

/// Lifetime of a mark: much longer than a message can be redelivered (14 days).
pub const MARK_RETENTION: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// A fact that is in the lake, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The fact.
    pub id: FactId,
    /// The key of an object of the journal that holds it.
    pub object: Arc<str>,
}

/// The marks of facts in the lake, replicated to every region.
pub trait Marks: Clone + Send + Sync + 'static {
    /// Which of these facts are marked.
    fn present(&self, ids: &[FactId]) -> impl Future<Output = PortResult<HashSet<FactId>>> + Send;

    /// Marks up to [`Marks::GROUP`] facts until `expires_at`; one result each, in order.
    fn record(&self, marks: &[Mark], expires_at: Timestamp) -> impl Future<Output = Vec<PortResult<()>>> + Send;

    /// Reads something that does not exist, to check whether the table of marks responds.
    fn probe(&self) -> impl Future<Output = PortResult<()>> + Send;

    /// Maximum facts of one call of [`Marks::record`].
    const GROUP: usize = 25;
}

/// Identifies a task among those of its region, for as long as it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Holder(Uuid);

impl Holder {
    /// A task with this unique name.
    #[must_use]
    pub fn new(name: Uuid) -> Self {
        Self(name)
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// What one task of a region does at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Duty {
    /// Sweeps a shard of the pending index.
    Sweep(Shard),
    /// Builds the table of the lake.
    Table,
}

impl From<Shard> for Duty {
    fn from(shard: Shard) -> Self {
        Self::Sweep(shard)
    }
}

/// The holder of a duty, and the expiry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lease {
    /// The caller.
    Own(Timestamp),
    /// Another task.
    Other(Timestamp),
}

/// Divides duties among a region's tasks. A lease saves work; if two tasks hold the same one, nothing goes wrong.
pub trait Leases: Clone + Send + Sync + 'static {
    /// Acquires a duty until `until`, or renews its lease, unless another task holds it at `now`.
    fn acquire(
        &self,
        duty: impl Into<Duty> + Send,
        holder: Holder,
        now: Timestamp,
        until: Timestamp,
    ) -> impl Future<Output = PortResult<Lease>> + Send;

    /// Releases a duty, if `holder` holds it.
    fn release(&self, duty: impl Into<Duty> + Send, holder: Holder) -> impl Future<Output = PortResult<()>> + Send;
}

/// An object of the lake, without its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredObject {
    /// Its key.
    pub key: String,
    /// Its size in bytes.
    pub size: u64,
    /// When it was written last.
    pub modified: Timestamp,
}

/// Some of the objects under a prefix, in the order of their keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectPage {
    /// The objects; without those in `folders`.
    pub objects: Vec<StoredObject>,
    /// The prefixes up to the next slash, if the caller asked for folders.
    pub folders: Vec<String>,
    /// Start of the next page; `None` after the last.
    pub next: Option<String>,
}

/// What a page of objects holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listing {
    /// All objects under the prefix.
    Deep,
    /// Those directly under the prefix, and its folders.
    Folders,
}

/// Outcome of a put that never replaces an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Create {
    /// The object was put.
    Created,
    /// One with this key exists; an earlier attempt of this very call may have put it.
    AlreadyExists,
}

/// The objects of this region's lake, as the builder of the table sees them.
pub trait LakeStore: Clone + Send + Sync + 'static {
    /// Lists objects with a prefix whose keys sort after `after`: at most a thousand, and more with each `next`.
    fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        listing: Listing,
    ) -> impl Future<Output = PortResult<ObjectPage>> + Send;

    /// Reads an object, or a part of it that begins within the object; `None` if there is none.
    fn read(&self, key: &str, part: Option<Range<u64>>) -> impl Future<Output = PortResult<Option<Vec<u8>>>> + Send;

    /// Puts an object unless there is one with its key.
    fn create(&self, key: &str, content: Vec<u8>) -> impl Future<Output = PortResult<Create>> + Send;

    /// Puts an object in place of whatever is there.
    fn replace(&self, key: &str, content: Vec<u8>) -> impl Future<Output = PortResult<()>> + Send;

    /// Deletes objects (at most a thousand); one that is not there is no failure.
    fn delete(&self, keys: &[String]) -> impl Future<Output = PortResult<()>> + Send;
}

/// The keys of the issuers of tokens, as they were last fetched: for tasks of this region that start while an issuer is
/// unavailable. Public keys only.
pub trait KeyStore: Clone + Send + Sync + 'static {
    /// The keys of an issuer, if any were saved in this region.
    fn load(&self, issuer: &str) -> impl Future<Output = PortResult<Option<String>>> + Send;

    /// Saves the keys of an issuer, in place of those saved before.
    fn save(&self, issuer: &str, keys: &str) -> impl Future<Output = PortResult<()>> + Send;
}

/// The operator's setting of this region's state.
pub trait SiteSwitch: Clone + Send + Sync + 'static {
    /// Reads the current state.
    fn read(&self) -> impl Future<Output = PortResult<SiteState>> + Send;
}
