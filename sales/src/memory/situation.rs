//! What has happened in a cloud, so that a simulation can show which cases it has met.

use std::collections::BTreeMap;

/// A case that is easy to get wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Situation {
    /// Several new sales were put by one call.
    GroupedWrite,
    /// As many as one call takes.
    FullGroupedWrite,
    /// Of several new sales, some were refused.
    GroupedWriteWithRefusals,
    /// A message with several facts was published.
    MessageOfManyFacts,
    /// A message with several facts was delivered again.
    MessageOfManyFactsAgain,
    /// A message was delivered as often as the redrive policy allows.
    LastDelivery,
    /// A message that was delivered too often became a dead letter.
    GivenUpByTheQueue,
    /// Of several marks, some were refused.
    MarksWithRefusals,
    /// Of several receipts, some were refused.
    ReceiptsWithRefusals,
    /// A fact that had not replicated was written from its event.
    Adoption,
    /// Several facts were settled by one call.
    GroupSettled,
    /// Of several facts to settle, some were refused.
    GroupSettledWithRefusals,
    /// A fact was settled where its item was missing.
    SettledWhereMissing,
    /// As many marks were written as one call takes.
    FullGroupOfMarks,
    /// An object of many lines was put.
    LargeObject,
    /// An object was put under its key again.
    ObjectPutAgain,
    /// An object repeated a line of another one.
    LineRepeated,
    /// A worker was asked to shut down with messages in work.
    StoppedWithWork,
    /// A lease passed from one task to another.
    LeaseTakenOver,
    /// A call took effect long after its caller had given up.
    LateEffect,
    /// A call took effect twice.
    RepeatedEffect,
}

impl Situation {
    /// All of them.
    pub const ALL: [Self; 21] = [
        Self::GroupedWrite,
        Self::FullGroupedWrite,
        Self::GroupedWriteWithRefusals,
        Self::MessageOfManyFacts,
        Self::MessageOfManyFactsAgain,
        Self::LastDelivery,
        Self::GivenUpByTheQueue,
        Self::MarksWithRefusals,
        Self::ReceiptsWithRefusals,
        Self::Adoption,
        Self::GroupSettled,
        Self::GroupSettledWithRefusals,
        Self::SettledWhereMissing,
        Self::FullGroupOfMarks,
        Self::LargeObject,
        Self::ObjectPutAgain,
        Self::LineRepeated,
        Self::StoppedWithWork,
        Self::LeaseTakenOver,
        Self::LateEffect,
        Self::RepeatedEffect,
    ];

    /// In words.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::GroupedWrite => "several new sales put by one call",
            Self::FullGroupedWrite => "as many new sales as one call takes",
            Self::GroupedWriteWithRefusals => "a grouped write of which some sales were refused",
            Self::MessageOfManyFacts => "a message with several facts published",
            Self::MessageOfManyFactsAgain => "a message with several facts delivered again",
            Self::LastDelivery => "the last delivery that the redrive policy allows",
            Self::GivenUpByTheQueue => "messages that became dead letters after it",
            Self::MarksWithRefusals => "a call for several marks of which some were refused",
            Self::ReceiptsWithRefusals => "a call with several receipts of which some were refused",
            Self::Adoption => "a sale adopted that had not replicated",
            Self::GroupSettled => "several facts settled by one call",
            Self::GroupSettledWithRefusals => "a call that settles several facts of which some were refused",
            Self::SettledWhereMissing => "a fact settled where its item was missing",
            Self::FullGroupOfMarks => "as many marks as one call takes",
            Self::LargeObject => "a journal object of many lines",
            Self::ObjectPutAgain => "a journal object put again",
            Self::LineRepeated => "a journal object with a line of another one",
            Self::StoppedWithWork => "a worker stopped with messages in work",
            Self::LeaseTakenOver => "a lease that passed to another task",
            Self::LateEffect => "a call that took effect after its caller had given up",
            Self::RepeatedEffect => "a call that took effect twice",
        }
    }
}

/// How often each situation happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Situations(BTreeMap<Situation, u64>);

impl Situations {
    /// Counts a situation, if it is one.
    pub(super) fn meet(&mut self, situation: Situation, holds: bool) {
        if holds {
            *self.0.entry(situation).or_default() += 1;
        }
    }

    /// Adds those of another cloud.
    pub fn add(&mut self, other: &Self) {
        for (situation, count) in &other.0 {
            *self.0.entry(*situation).or_default() += count;
        }
    }

    /// How often a situation happened.
    #[must_use]
    pub fn count(&self, situation: Situation) -> u64 {
        self.0.get(&situation).copied().unwrap_or(0)
    }
}
