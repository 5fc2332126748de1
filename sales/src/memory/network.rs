//! What happens to calls in the network, and the delays between regions.

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

/// What flows between regions without calls.
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
    /// Number of the region in which it is made.
    pub region: usize,
    /// The calling process.
    pub caller: u32,
    /// The called service.
    pub service: CloudService,
    /// The operation, such as `PutItem`.
    pub operation: &'static str,
}

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passage {
    /// It takes effect, and is answered.
    Through {
        /// Time until it takes effect.
        there: Duration,
        /// Time from then to the response.
        back: Duration,
        /// The rejected entries of a batch, one bit each, the lowest for the first.
        refused: u32,
    },
    /// It fails without effect.
    Refused {
        /// Time until the response.
        after: Duration,
        /// The response.
        kind: FailureKind,
    },
    /// It takes effect, but the caller sees a failure.
    AnswerLost {
        /// Time until it takes effect.
        there: Duration,
        /// Time from then to the failure.
        back: Duration,
    },
    /// It takes effect twice: the response was lost, and the client library retried.
    Repeated {
        /// Time until it takes effect first.
        there: Duration,
        /// Time between both.
        between: Duration,
        /// Time from then to the response.
        back: Duration,
    },
    /// No response arrives within the caller's deadline.
    Hanging {
        /// When it takes effect nevertheless; `None` for never.
        effect_after: Option<Duration>,
    },
    /// The caller dies before the response.
    Never {
        /// Whether it takes effect, immediately.
        takes_effect: bool,
    },
}

/// Decides what happens to calls, and all delays.
pub trait Network: Send + Sync + 'static {
    /// What happens to this call.
    fn call(&self, call: Call) -> Passage;

    /// Delay of a change to another region.
    fn replication_lag(&self, flow: Flow) -> Duration;

    /// Delay of a change to the table's index.
    fn index_lag(&self) -> Duration;

    /// The delays after which a published message with these events is in a queue: once, repeatedly, or never.
    fn deliveries(&self, from: usize, to: usize, events: &[Event]) -> Vec<Duration>;

    /// How far the storage clock of a region is ahead of the others when writes are ordered.
    fn storage_clock(&self, region: usize) -> Duration;
}

/// All calls succeed without delay.
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

    fn deliveries(&self, _: usize, _: usize, _: &[Event]) -> Vec<Duration> {
        vec![Duration::ZERO]
    }

    fn storage_clock(&self, _: usize) -> Duration {
        Duration::ZERO
    }
}
