//! Processing of well-formed messages: each is brought to the lake or stood by for, and has its own outcome.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use sales::clock::Timestamp;
use sales::event::Event;
use sales::ports::{Delivery, FailureKind, Lake, LakePut, Marks, PortError, PortResult, SaleTable};
use sales::sale::{Fact, FactId};
use sales::site::Site;

use crate::bring_to_lake::LakeWriter;
use crate::outcome::{Done, Outcome};
use crate::ownership::{Decision, decide};
use crate::stand_by::{Awaited, StandBy, stand_by};

/// A well-formed message.
#[derive(Clone, Debug)]
pub struct Message<'a> {
    /// As delivered by the queue.
    pub delivery: &'a Delivery,
    /// Its event.
    pub event: Event,
}

impl Message<'_> {
    fn id(&self) -> FactId {
        self.event.fact.id()
    }

    /// How long its fact has been looked for here: since the first delivery or, if the queue does not report it, since
    /// the fact was accepted.
    fn waited(&self, now: Timestamp) -> Duration {
        now.since(self.delivery.first_received.unwrap_or_else(|| self.event.fact.timestamp()))
    }
}

/// The resources to process messages. Cheap to clone.
#[derive(Clone)]
pub struct Handler<T, L, M> {
    /// Brings facts to the lake.
    pub lake_writer: LakeWriter<T, L, M>,
    /// This region.
    pub site: Site,
    /// Time after which a fact that has not replicated is adopted.
    pub grace: Duration,
}

impl<T: SaleTable, L: Lake, M: Marks> Handler<T, L, M> {
    /// Processes messages; returns each with its outcome, in any order.
    pub async fn handle<'a>(&self, messages: Vec<Message<'a>>) -> Vec<(Message<'a>, Outcome)> {
        if messages.is_empty() {
            return Vec::new();
        }
        let ids: Vec<FactId> = messages.iter().map(Message::id).collect();
        let marked = match self.lake_writer.marks.present(&ids).await {
            Ok(marked) => marked,
            Err(error) => return messages.into_iter().map(|it| (it, Outcome::Failed(error.clone()))).collect(),
        };
        let (state, own) = (self.site.state(), self.site.region());
        let (mut ours, mut others) = (Vec::new(), Vec::new());
        for message in messages {
            match decide(state, own, message.event.home.as_ref(), marked.contains(&message.id())) {
                Decision::Process => ours.push(message),
                decision @ (Decision::Done | Decision::StandBy) => others.push((message, decision == Decision::Done)),
            }
        }
        let (mut processed, stood_by) = tokio::join!(self.process(ours), self.stand_by(others));
        processed.extend(stood_by);
        processed
    }

    async fn process<'a>(&self, messages: Vec<Message<'a>>) -> Vec<(Message<'a>, Outcome)> {
        let facts: Vec<&Fact> = messages.iter().map(|message| &message.event.fact).collect();
        let brought = self.lake_writer.bring_to_lake(&facts).await;
        let mut seen = HashSet::new();
        let with_outcome = |message: Message<'a>| {
            let outcome = of_processed(&brought, message.id(), seen.insert(message.id()));
            (message, outcome)
        };
        messages.into_iter().map(with_outcome).collect()
    }

    /// Messages, each with whether its fact is marked.
    async fn stand_by<'a>(&self, messages: Vec<(Message<'a>, bool)>) -> Vec<(Message<'a>, Outcome)> {
        let (table, now) = (&self.lake_writer.table, self.lake_writer.clock.now());
        let awaited = messages.into_iter().map(|(message, in_lake)| Awaited {
            fact: message.event.fact.clone(),
            waited: message.waited(now),
            in_lake,
            of: message,
        });
        let covered = stand_by(table, self.grace, now, awaited.collect()).await;
        covered.into_iter().map(|(awaited, covered)| (awaited.of, of_stood_by(covered, awaited.in_lake))).collect()
    }
}

fn of_processed(brought: &BTreeMap<FactId, PortResult<LakePut>>, id: FactId, is_first: bool) -> Outcome {
    match brought.get(&id) {
        Some(Ok(_)) if !is_first => Outcome::Acknowledge(Done::Duplicate),
        Some(Ok(LakePut::Stored)) => Outcome::Acknowledge(Done::Processed),
        Some(Ok(LakePut::AlreadyThere)) => Outcome::Acknowledge(Done::AlreadyThere),
        Some(Err(error)) => Outcome::Failed(error.clone()),
        // Every fact has a result; without one, it counts as not done.
        None => Outcome::Failed(undecided()),
    }
}

fn of_stood_by(covered: PortResult<StandBy>, in_lake: bool) -> Outcome {
    match covered {
        Ok(StandBy::Held | StandBy::Noted) if in_lake => Outcome::Acknowledge(Done::Duplicate),
        Ok(StandBy::Held | StandBy::Noted) => Outcome::Acknowledge(Done::StoodBy),
        Ok(StandBy::Adopted) => Outcome::Acknowledge(Done::Adopted),
        Ok(StandBy::NotReplicated { adopted_in }) => Outcome::NotReplicated { adopted_in },
        Err(error) => Outcome::Failed(error),
    }
}

fn undecided() -> PortError {
    let detail = "no result for this message".to_owned();
    PortError { operation: "decide", kind: FailureKind::Rejected, detail }
}
