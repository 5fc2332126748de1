//! Processing of an event: its fact is brought to the lake or stood by for, whatever becomes of others in its message.

use std::time::Duration;

use sales::clock::{Clock, Timestamp};
use sales::event::Event;
use sales::ports::PortResult;
use sales::site::Site;

use crate::outcome::{Done, Outcome};
use crate::ownership::{Decision, decide};
use crate::stages::Stages;
use crate::stand_by::{StandBy, stand_by};

/// The resources to process events. Cheap to clone.
#[derive(Clone)]
pub struct Handler {
    /// The calls.
    pub stages: Stages,
    /// This region.
    pub site: Site,
    /// The clock.
    pub clock: Clock,
    /// Time after which a fact that has not replicated is adopted.
    pub grace: Duration,
}

impl Handler {
    /// Processes an event of a message that was first delivered at `first_received`, if the queue reports that.
    pub async fn handle(&self, event: &Event, first_received: Option<Timestamp>) -> Outcome {
        self.work_on(event, first_received).await.unwrap_or_else(Outcome::Failed)
    }

    async fn work_on(&self, event: &Event, first_received: Option<Timestamp>) -> PortResult<Outcome> {
        let marked = self.stages.is_marked(event.fact.id()).await?;
        match decide(self.site.state(), self.site.region(), event.home.as_ref(), marked) {
            Decision::Process => self.stages.bring_to_lake(&event.fact).await.map(|()| Outcome::Done(Done::Processed)),
            decision @ (Decision::Done | Decision::StandBy) => {
                let in_lake = decision == Decision::Done;
                // Without a time of the first delivery, the fact has been looked for since it was accepted.
                let waited = self.clock.now().since(first_received.unwrap_or_else(|| event.fact.timestamp()));
                let covered = stand_by(&self.stages, &event.fact, in_lake, waited, self.grace).await;
                covered.map(|covered| of_stood_by(covered, in_lake))
            }
        }
    }
}

fn of_stood_by(covered: StandBy, in_lake: bool) -> Outcome {
    match covered {
        StandBy::Held | StandBy::Noted if in_lake => Outcome::Done(Done::Duplicate),
        StandBy::Held | StandBy::Noted => Outcome::Done(Done::StoodBy),
        StandBy::Adopted => Outcome::Done(Done::Adopted),
        StandBy::NotReplicated { adopted_in } => Outcome::NotReplicated { adopted_in },
    }
}
