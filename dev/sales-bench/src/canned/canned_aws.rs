//! The endpoint's state, and the response to each operation: no clock, no socket.

use std::time::Duration;

use super::answer::{Answer, JSON_1_1, NotUnderstood};
use super::counts::{Counts, Tally};
use super::facts::PendingFacts;
use super::load::Load;
use super::operation::Operation;
use super::queue::{Queue, units};
use super::s3;
use super::sqs::Receive;
use super::{dynamodb, sns, sqs};
use crate::sample;

/// The current load, and the counts since.
#[derive(Debug)]
pub(super) struct CannedAws {
    generation: u16,
    facts: PendingFacts,
    queue: Queue,
    relays: bool,
    tally: Tally,
}

/// What happens to a request.
#[derive(Debug)]
pub(super) enum Progress {
    /// It is answered.
    Answer(Answer),
    /// It waits for messages.
    Wait(Receive),
}

impl CannedAws {
    /// Offers nothing.
    pub(super) fn empty() -> Self {
        let facts = PendingFacts::new(0, 0, Duration::ZERO);
        Self { generation: 0, facts, queue: Queue::empty(), relays: false, tally: Tally::default() }
    }

    /// Resets the counts, and offers the load.
    pub(super) fn load(&mut self, load: Load, now: Duration) -> Result<(), NotUnderstood> {
        let count = |count: u64| u32::try_from(count).map_err(|error| NotUnderstood(format!("{count}: {error}")));
        let (messages, pending) = (count(load.messages)?, count(load.pending)?);
        let generation = self.generation.wrapping_add(1);
        let home = if load.elsewhere { sample::other_region() } else { sample::region() };
        let queue = Queue::new(messages, count(load.events.max(1))?, home.as_ref(), generation, now)?;
        let facts = PendingFacts::new(pending, generation, now);
        *self = Self { generation, facts, queue, relays: load.relays, tally: Tally::default() };
        Ok(())
    }

    /// The counts since the load.
    pub(super) fn counts(&self) -> Counts {
        self.tally.so_far()
    }

    /// Counts a connection.
    pub(super) fn connected(&mut self) {
        self.tally.counts.connections += 1;
    }

    /// Records an unknown request.
    pub(super) fn unknown(&mut self, request: impl FnOnce() -> String) {
        self.tally.unknown(request);
    }

    /// Answers and counts a call. A waiting call is counted when it is answered.
    pub(super) fn answer(&mut self, operation: Operation, body: &[u8]) -> Result<Progress, NotUnderstood> {
        let answer = match operation {
            Operation::ReceiveMessage => {
                let receive = Receive::parse(body)?;
                return Ok(self.receive(receive).map_or(Progress::Wait(receive), Progress::Answer));
            }
            Operation::PutItem => {
                self.tally.item_written(dynamodb::put(body)?);
                dynamodb::nothing()
            }
            Operation::UpdateItem => {
                self.flag(&dynamodb::update(body)?);
                dynamodb::nothing()
            }
            Operation::BatchExecuteStatement => {
                let (flagged, answer) = dynamodb::execute(body)?;
                flagged.iter().for_each(|flagged| self.flag(flagged));
                answer
            }
            Operation::DeleteItem => {
                self.tally.item_written(dynamodb::Units::RELEASE);
                dynamodb::nothing()
            }
            Operation::BatchWriteItem => {
                dynamodb::batch_write(body)?.for_each(|units| self.tally.item_written(units));
                dynamodb::all_written()
            }
            Operation::GetItem => self.read((dynamodb::get(body)?, dynamodb::nothing())),
            Operation::BatchGetItem => {
                let held = dynamodb::Held { facts: &self.facts, queue: &self.queue };
                self.read(dynamodb::batch_get(body, held)?)
            }
            Operation::Query => {
                let (units, answer) = dynamodb::query(body, &self.facts)?;
                self.tally.counts.query_units += units;
                self.read((units, answer))
            }
            Operation::Publish => self.publish(body)?,
            Operation::DeleteMessageBatch => {
                let (count, answer) = sqs::batch(body)?;
                self.tally.counts.messages_deleted += count;
                self.tally.counts.sqs_units += 1;
                answer
            }
            Operation::ChangeMessageVisibilityBatch => {
                self.tally.counts.sqs_units += 1;
                sqs::batch(body)?.1
            }
            Operation::GetQueueAttributes => sqs::attributes(),
            Operation::SendMessage => sqs::sent(),
            Operation::PutObject => {
                self.tally.counts.lines_put += s3::lines(body)?;
                self.tally.counts.objects_put += 1;
                Answer::stored()
            }
            Operation::HeadBucket => Answer::status(hyper::StatusCode::OK),
            Operation::GetParameter => parameter(),
        };
        self.tally.call(operation);
        Ok(Progress::Answer(answer))
    }

    /// Answers a receiver with available messages; `None` if the queue is empty.
    pub(super) fn receive(&mut self, receive: Receive) -> Option<Answer> {
        let received = receive.take(&mut self.queue)?;
        self.tally.counts.messages_received += u64::from(received.count);
        self.tally.counts.sqs_units += received.units();
        self.tally.call(Operation::ReceiveMessage);
        Some(sqs::messages(&received))
    }

    /// Answers a receiver whose wait has ended without a message.
    pub(super) fn receive_nothing(&mut self) -> Answer {
        self.tally.call(Operation::ReceiveMessage);
        sqs::nothing()
    }

    fn flag(&mut self, flagged: &dynamodb::Flagged<'_>) {
        self.tally.item_written(flagged.units);
        self.tally.counts.flagged += u64::from(flagged.settles);
        self.tally.counts.settled += u64::from(flagged.settles && self.facts.settle(flagged.id));
    }

    fn publish(&mut self, form: &[u8]) -> Result<Answer, NotUnderstood> {
        let published = sns::Published::parse(form)?;
        self.tally.counts.events_published += published.events;
        self.tally.counts.sns_units += published.units;
        if self.relays {
            let (body, attributes) = published.content();
            self.tally.counts.sqs_units += units(body.len());
            self.queue.publish(&body, &attributes);
        }
        Ok(sns::done())
    }

    fn read(&mut self, (units, answer): (f64, Answer)) -> Answer {
        self.tally.counts.read_units += units;
        answer
    }
}

/// The only parameter in use is a site's switch.
fn parameter() -> Answer {
    Answer::fixed(JSON_1_1, r#"{"Parameter":{"Name":"site","Type":"String","Value":"ACTIVE","Version":1}}"#)
}
