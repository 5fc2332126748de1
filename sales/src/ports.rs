//! What the services need from the outside, named by role.
//!
//! An expected outcome is a value; an error ([`PortError`]) means that the call did not do its work, or that
//! nobody can tell whether it did. Every effect here may be repeated.

use std::collections::HashSet;
use std::fmt;
use std::future::Future;
use std::time::Duration;

use thiserror::Error;
use uuid::Uuid;

use crate::attributes::Attributes;
use crate::clock::Timestamp;
use crate::event::Event;
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
    /// The cause in full, for the log alone: it may name resources.
    pub detail: String,
}

/// What a failure says about whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// The resource does not exist.
    Missing,
    /// Credentials are missing, expired, or do not allow it.
    Denied,
    /// Throttled, timed out, unreachable, or failing by itself: worth another try.
    Unavailable,
    /// The resource answered something that it must not hold.
    Invalid,
    /// This one call was refused; others may well succeed. Another try may, too (a conflict, an expired receipt).
    Rejected,
    /// Refused with a code that is not known here: this one call or all of them. If it repeats, all of them.
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

    /// Whether it is known to concern the dependency as a whole, and not the one call alone.
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

/// What became of a sale put under the condition that it is new.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InsertSale {
    /// It is in the table now.
    Inserted,
    /// One with this id was there before.
    AlreadyExists(StoredSale),
}

/// What became of a fact put under the condition that it is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Insert {
    /// It is in the table now, and pending.
    Inserted,
    /// It was there before, whatever became of it since.
    AlreadyExists,
}

/// A sale as the table holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSale {
    /// As it was accepted.
    pub sale: Sale,
    /// Whether it is known to be in the lake.
    pub processed: bool,
}

/// What the table knows of an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundSale {
    /// The sale.
    pub stored: StoredSale,
    /// Whether its cancellation is there.
    pub cancelled: bool,
}

/// Some ids of a shard of the pending index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PendingPage {
    /// Oldest first. Entries that are no id of ours are left out.
    pub ids: Vec<FactId>,
    /// The keys of the entries that were left out, as text.
    pub unreadable: Vec<String>,
    /// Where the next page begins; `None` after the last, which may be empty.
    pub next: Option<PageToken>,
}

/// What was loaded of some facts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadedFacts {
    /// Those that are held and still pending.
    pub facts: Vec<Fact>,
    /// Those that are held and pending, but whose items cannot be read.
    pub unreadable: Vec<FactId>,
}

/// How much of a shard of the pending index is owed to the lake.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// How many facts.
    pub facts: u64,
    /// When the oldest of those was accepted that say when.
    pub oldest: Option<Timestamp>,
    /// The keys, as text, of some entries whose id or time cannot be read: those that are first or last in the index's order.
    pub unreadable: Vec<String>,
}

/// The place where a page of the pending index ended: the last item's key. Opaque outside the adapters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageToken {
    /// The last item's id.
    pub id: String,
    /// The last item's range key.
    pub timestamp: String,
}

/// The record of what was accepted, and the index of what is still owed to the lake.
pub trait SaleTable: Clone + Send + Sync + 'static {
    /// Puts one sale unless there is one with its id.
    fn insert_sale(&self, sale: &Sale) -> impl Future<Output = PortResult<InsertSale>> + Send;

    /// Puts up to [`SaleTable::GROUP`] sales whose ids nobody else can have; one result each, in order. A lone sale
    /// that is there already stays as it is.
    fn insert_new_sales(&self, sales: &[Sale]) -> impl Future<Output = Vec<PortResult<()>>> + Send;

    /// Puts a cancellation, or a fact that never replicated to this region, unless one with its id is there.
    fn insert(&self, fact: &Fact) -> impl Future<Output = PortResult<Insert>> + Send;

    /// Finds a sale, as this region knows it now.
    fn find(&self, id: SaleId) -> impl Future<Output = PortResult<Option<FoundSale>>> + Send;

    /// Which of these facts this region's table holds.
    fn held(&self, ids: &[FactId]) -> impl Future<Output = PortResult<HashSet<FactId>>> + Send;

    /// The facts among `ids` that are held and still pending.
    fn load_pending(&self, ids: &[FactId]) -> impl Future<Output = PortResult<LoadedFacts>> + Send;

    /// Notes that a fact is in the lake, and takes it out of the pending index. Creates the item where it has not
    /// replicated yet, and says what it does not say; what it says stays.
    fn settle(&self, fact: &Fact, processed_at: Timestamp) -> impl Future<Output = PortResult<()>> + Send;

    /// A page of a shard's facts that were accepted before `before`.
    fn pending(
        &self,
        shard: Shard,
        before: Timestamp,
        page: Option<PageToken>,
    ) -> impl Future<Output = PortResult<PendingPage>> + Send;

    /// How much of a shard is pending. The cost grows with the answer: some ten thousand facts a call.
    fn backlog(&self, shard: Shard) -> impl Future<Output = PortResult<Backlog>> + Send;

    /// Asks for something that is not there, to learn whether the table answers.
    fn probe(&self) -> impl Future<Output = PortResult<()>> + Send;

    /// The most sales one call of [`SaleTable::insert_new_sales`] takes.
    const GROUP: usize = 25;
}

/// Tells every region of a fact.
pub trait SaleTopic: Clone + Send + Sync + 'static {
    /// Publishes up to [`SaleTopic::BATCH`] events, which together are never larger than a topic takes (256 KiB); one
    /// result each, in order.
    fn publish(&self, events: &[Event]) -> impl Future<Output = Vec<PortResult<()>>> + Send;

    /// The most events one call takes.
    const BATCH: usize = 10;
}

/// A message as a queue delivered it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its text.
    pub body: String,
    /// Its attributes, those of type string or number.
    pub attributes: Attributes,
    /// Names this delivery, for what is to become of it.
    pub receipt: String,
    /// How often it has been delivered, this time included.
    pub receive_count: u32,
    /// When it was delivered for the first time, by the queue's clock; unknown to queues that do not say.
    pub first_received: Option<Timestamp>,
}

/// What became of a message that cannot be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeadLetter {
    /// It is in the dead-letter queue.
    Sent,
    /// The queue has no redrive policy, so that nobody knows where to.
    NoQueue,
}

/// This region's copy of what was announced. It counts in whole seconds.
pub trait SaleQueue: Clone + Send + Sync + 'static {
    /// Waits for messages for up to `wait` (at most [`SaleQueue::LONGEST_WAIT`]); at most ten, hidden from others for
    /// `hidden_for`.
    fn receive(&self, wait: Duration, hidden_for: Duration) -> impl Future<Output = PortResult<Vec<Delivery>>> + Send;

    /// Takes messages off the queue for good (at most ten).
    fn acknowledge(&self, receipts: &[&str]) -> impl Future<Output = PortResult<()>> + Send;

    /// Hides messages for a time counted from now: longer to go on working, shorter or longer to retry (at most ten).
    /// Only those that their delivery still hides.
    fn hide(&self, receipts: &[(&str, Duration)]) -> impl Future<Output = PortResult<()>> + Send;

    /// Copies a message to the queue that the redrive policy names, with `reason` as an attribute.
    fn dead_letter(&self, delivery: &Delivery, reason: &str) -> impl Future<Output = PortResult<DeadLetter>> + Send;

    /// The longest that a queue holds an empty answer back.
    const LONGEST_WAIT: Duration = Duration::from_secs(20);
}

/// What became of an object put under the condition that it is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LakePut {
    /// It is there now.
    Stored,
    /// It was there before, with the same bytes.
    AlreadyThere,
}

/// Where every fact ends, as one object.
pub trait Lake: Clone + Send + Sync + 'static {
    /// Puts a fact's object.
    fn put(&self, fact: &Fact) -> impl Future<Output = PortResult<LakePut>> + Send;

    /// Asks whether the lake answers.
    fn probe(&self) -> impl Future<Output = PortResult<()>> + Send;
}

/// How long a mark is kept: much longer than a message can come back (14 days).
pub const MARK_RETENTION: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Which facts are in the lake, known in every region.
pub trait Marks: Clone + Send + Sync + 'static {
    /// Which of these facts are marked as in the lake.
    fn present(&self, ids: &[FactId]) -> impl Future<Output = PortResult<HashSet<FactId>>> + Send;

    /// Marks facts until `expires_at`; one result each, in order.
    fn record(&self, ids: &[FactId], expires_at: Timestamp) -> impl Future<Output = Vec<PortResult<()>>> + Send;

    /// Asks for something that is not there, to learn whether the marks answer.
    fn probe(&self) -> impl Future<Output = PortResult<()>> + Send;
}

/// Names a task among those of its region, for as long as it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Holder(Uuid);

impl Holder {
    /// A task of this name, which no other has.
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

/// Who holds a shard, and until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lease {
    /// Whoever asked.
    Own(Timestamp),
    /// Another task.
    Other(Timestamp),
}

/// Which task of this region sweeps which shard. A lease saves work; nothing goes wrong when two tasks hold the same.
pub trait Leases: Clone + Send + Sync + 'static {
    /// Takes a shard until `until`, or keeps it for longer, unless another task holds it at `now`.
    fn acquire(
        &self,
        shard: Shard,
        holder: Holder,
        now: Timestamp,
        until: Timestamp,
    ) -> impl Future<Output = PortResult<Lease>> + Send;

    /// Lets a shard go, if `holder` holds it.
    fn release(&self, shard: Shard, holder: Holder) -> impl Future<Output = PortResult<()>> + Send;
}

/// Where an operator says whether this region works.
pub trait SiteSwitch: Clone + Send + Sync + 'static {
    /// What it says now.
    fn read(&self) -> impl Future<Output = PortResult<SiteState>> + Send;
}
