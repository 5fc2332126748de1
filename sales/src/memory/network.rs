//! What calls meet on their way, and how long what flows between regions takes.

use std::time::Duration;

use crate::event::Event;
use crate::ports::FailureKind;

/// A service of a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CloudService {
    /// The sales table.
    SaleTable,
    /// The table of marks and leases.
    Marks,
    /// The topic.
    Topic,
    /// The queue.
    Queue,
    /// The lake.
    Lake,
    /// The switch.
    Switch,
}

/// What flows between regions by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Flow {
    /// Items of both tables.
    Tables,
    /// From a topic to the queues.
    Announcements,
    /// Objects.
    Lakes,
}

/// A call that is about to be made.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// The number of the region that it is made in.
    pub region: usize,
    /// The process that makes it.
    pub caller: u32,
    /// Of whom.
    pub service: CloudService,
    /// The operation, such as `PutItem`.
    pub operation: &'static str,
}

/// What a call meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passage {
    /// It takes effect, and is answered.
    Through {
        /// The time until it takes effect.
        there: Duration,
        /// The time from then to the answer.
        back: Duration,
        /// Which entries of a batch are refused, one bit each, the lowest for the first.
        refused: u32,
    },
    /// It fails without effect.
    Refused {
        /// The time until the answer.
        after: Duration,
        /// The answer.
        kind: FailureKind,
    },
    /// It takes effect, but the caller sees a failure.
    AnswerLost {
        /// The time until it takes effect.
        there: Duration,
        /// The time from then to the failure.
        back: Duration,
    },
    /// It takes effect twice: the answer was lost, and the client library tried again.
    Repeated {
        /// The time until it takes effect first.
        there: Duration,
        /// The time between both.
        between: Duration,
        /// The time from then to the answer.
        back: Duration,
    },
    /// No answer comes within the caller's patience.
    Hanging {
        /// When it takes effect all the same; `None` for never.
        effect_after: Option<Duration>,
    },
    /// The caller does not live to see what becomes of it.
    Never {
        /// Whether it takes effect, at once.
        takes_effect: bool,
    },
}

/// Decides what calls meet, and how long everything takes.
pub trait Network: Send + Sync + 'static {
    /// What this call meets.
    fn call(&self, call: Call) -> Passage;

    /// How long a change takes to another region.
    fn replication_lag(&self, flow: Flow) -> Duration;

    /// How long a change takes to the table's index.
    fn index_lag(&self) -> Duration;

    /// After which times a published event is in a queue: once, repeatedly, or never.
    fn deliveries(&self, from: usize, to: usize, event: &Event) -> Vec<Duration>;

    /// By how much the storage of a region is ahead of the others when writes are put in order.
    fn storage_clock(&self, region: usize) -> Duration;
}

/// Everything works and takes no time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Perfect;

impl Network for Perfect {
    fn call(&self, _: Call) -> Passage {
        Passage::Through { there: Duration::ZERO, back: Duration::ZERO, refused: 0 }
    }

    fn replication_lag(&self, _: Flow) -> Duration {
        Duration::ZERO
    }

    fn index_lag(&self) -> Duration {
        Duration::ZERO
    }

    fn deliveries(&self, _: usize, _: usize, _: &Event) -> Vec<Duration> {
        vec![Duration::ZERO]
    }

    fn storage_clock(&self, _: usize) -> Duration {
        Duration::ZERO
    }
}
