//! Deliberate bugs, to show that the checker detects them: each changes what one of a service's ports does, or for whom the API
//! takes a client, as a bug in it would.

mod lake_store;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix_http::{HttpMessage, Request};
use actix_web::http::Method;
use actix_web::http::header::{AUTHORIZATION, HeaderValue};
use clap::ValueEnum;
use sales::clock::{Clock, Timestamp};
use sales::journal::{self, Hour, JournalObject};
use sales::memory::{
    Client, LARGE_OBJECT, MemoryJournal, MemoryLeases, MemoryMarks, MemorySaleQueue, MemorySaleTable, MemorySiteSwitch,
};
use sales::message;
use sales::ports::{
    Backlog, DeadLetter, Delivery, Duty, FoundSale, Holder, Insert, InsertSale, Journal, Lease, Leases, LoadedFacts,
    Mark, Marks, PageToken, PendingPage, PortResult, SaleQueue, SaleTable, SiteSwitch,
};
use sales::sale::{Fact, FactId, Sale, SaleId};
use sales::shard::Shard;
use sales::site_state::SiteState;
use tokio::time::Instant;

use crate::shops;

/// A deliberate bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Mutation {
    /// A message is acknowledged when it is received, before its object is put.
    AcknowledgesFirst,
    /// An object lies in the hour in which it is put.
    DatesByProcessing,
    /// A worker that stands by does not check whether its table holds the item.
    StandsByBlindly,
    /// Nothing is swept.
    NeverSweeps,
    /// A fact is marked before its object is put.
    MarksFirst,
    /// A PASSIVE region deletes its copies.
    PassiveDeletes,
    /// An item that never replicates is never adopted.
    NeverAdopts,
    /// A failed put counts as done.
    TrustsFailedPuts,
    /// A dead task's leases never expire.
    KeepsLeasesForever,
    /// A sale is answered before it is stored.
    AnswersFirst,
    /// The results of a grouped write are given to the wrong sales.
    MixesUpResults,
    /// A message of several facts is acknowledged with one of them undone.
    ForgetsOneOfMany,
    /// A large object is put without its last line.
    LosesALine,
    /// The results of a call for several marks are given to the wrong facts.
    MixesUpMarks,
    /// Settling a fact replaces its whole item.
    ErasesAttributes,
    /// A sweep ends at a shard's first fact that cannot be brought to the lake.
    StopsAtFirstFailure,
    /// A state that cannot be read for a minute counts as PASSIVE.
    ForgetsState,
    /// A state that was never read for a minute counts as ACTIVE.
    GuessesState,
    /// Sales of which a grouped write is refused count as stored.
    TrustsRefusedEntries,
    /// An idempotency key belongs to no client: the same key of two clients is one sale.
    ForgetsClientOfKey,
    /// Every client may read and cancel every sale.
    ShowsOthersSales,
    /// The builder of the lake's table does not see the rows that the table has.
    ForgetsRows,
    /// The builder relies on its lease: a commit replaces another builder's.
    OverwritesCommits,
    /// The builder forgets a cancellation that comes before its sale.
    ForgetsWaiting,
    /// Of two versions of a sale the builder keeps the one that it has read first.
    KeepsFirstVersion,
    /// The builder removes what versions need that are still kept.
    RemovesTooSoon,
}

/// A minute, after which a state that cannot be read is made up.
const MADE_UP_AFTER: Duration = Duration::from_secs(60);

/// Where clients sign in, takes a request for one of someone else, as a bug in the API would.
pub fn mistake_caller(mutation: Option<Mutation>, request: &mut Request) {
    let someone = match mutation {
        Some(Mutation::ForgetsClientOfKey) if request.headers().contains_key("idempotency-key") => {
            shops::authorization(0)
        }
        Some(Mutation::ShowsOthersSales) if request.method() != Method::POST => shops::authorization_of_the_operator(),
        _ => return,
    };
    if request.headers().contains_key(AUTHORIZATION)
        && let Ok(someone) = HeaderValue::from_str(&someone)
    {
        request.headers_mut().insert(AUTHORIZATION, someone);
    }
}

/// A port of a service, with or without a bug.
#[derive(Clone)]
pub struct Mutated<P> {
    port: P,
    mutation: Option<Mutation>,
    client: Client,
    clock: Clock,
    began: Instant,
    last_read: Arc<Mutex<Option<Instant>>>,
    first_lines: Arc<Mutex<lake_store::FirstLines>>,
}

impl<P> Mutated<P> {
    /// `port` with `mutation`.
    pub fn new(port: P, mutation: Option<Mutation>, client: &Client, clock: &Clock) -> Self {
        let (client, clock) = (client.clone(), clock.clone());
        Self {
            port,
            mutation,
            client,
            clock,
            began: Instant::now(),
            last_read: Arc::default(),
            first_lines: Arc::default(),
        }
    }

    fn is(&self, mutation: Mutation) -> bool {
        self.mutation == Some(mutation)
    }
}

impl SaleQueue for Mutated<MemorySaleQueue> {
    async fn receive(&self, wait: Duration, hidden_for: Duration) -> PortResult<Vec<Delivery>> {
        let deliveries = self.port.receive(wait, hidden_for).await?;
        let receipts: Vec<&str> = deliveries.iter().map(|delivery| delivery.receipt.as_str()).collect();
        if !receipts.is_empty() && self.is(Mutation::AcknowledgesFirst) {
            self.port.acknowledge(&receipts).await?;
        }
        if !receipts.is_empty()
            && self.is(Mutation::PassiveDeletes)
            && self.client.own_state() == Some(SiteState::Passive)
        {
            self.port.acknowledge(&receipts).await?;
            return Ok(Vec::new());
        }
        if self.is(Mutation::ForgetsOneOfMany) {
            return Ok(deliveries.into_iter().map(without_one_of_many).collect());
        }
        Ok(deliveries)
    }

    async fn acknowledge(&self, receipts: &[&str]) -> PortResult<()> {
        self.port.acknowledge(receipts).await
    }

    async fn hide(&self, receipts: &[(&str, Duration)]) -> PortResult<()> {
        self.port.hide(receipts).await
    }

    async fn dead_letter(&self, delivery: &Delivery, reason: &str) -> PortResult<DeadLetter> {
        self.port.dead_letter(delivery, reason).await
    }
}

impl Journal for Mutated<MemoryJournal> {
    async fn put(&self, object: &JournalObject) -> PortResult<()> {
        let mut object = object.clone();
        if self.is(Mutation::MarksFirst) {
            let marks: Vec<Mark> = facts(&object).map(|fact| self.mark(&fact, &object)).collect();
            let now = self.clock.now();
            self.client.marks().record(&marks, now).await.into_iter().collect::<PortResult<Vec<()>>>()?;
        }
        if self.is(Mutation::DatesByProcessing) {
            let name = object.key.rsplit('/').next().unwrap_or_default();
            object.key = format!("{}{name}", Hour::of(self.clock.now()).prefix());
        }
        if self.is(Mutation::LosesALine) && object.lines.lines().count() >= LARGE_OBJECT {
            let kept = object.lines.trim_end().rfind('\n').map_or(0, |end| end + 1);
            object.lines.truncate(kept);
        }
        match self.port.put(&object).await {
            Err(_) if self.is(Mutation::TrustsFailedPuts) => Ok(()),
            outcome => outcome,
        }
    }

    async fn probe(&self) -> PortResult<()> {
        self.port.probe().await
    }
}

impl Mutated<MemoryJournal> {
    fn mark(&self, fact: &Fact, object: &JournalObject) -> Mark {
        Mark { id: fact.id(), object: object.key.as_str().into() }
    }
}

fn facts(object: &JournalObject) -> impl Iterator<Item = Fact> {
    object.lines.lines().filter_map(|line| journal::parse(line).ok())
}

/// A message without the last of its facts, if it has several.
fn without_one_of_many(delivery: Delivery) -> Delivery {
    let unpacked = message::unpack(&delivery.body, &delivery.attributes);
    let [rest @ .., _] = unpacked.events.as_slice() else { return delivery };
    match message::pack(rest).pop() {
        Some((message, _)) => Delivery { body: message.body, attributes: message.attributes, ..delivery },
        None => delivery,
    }
}

impl Marks for Mutated<MemoryMarks> {
    async fn present(&self, ids: &[FactId]) -> PortResult<HashSet<FactId>> {
        self.port.present(ids).await
    }

    async fn record(&self, marks: &[Mark], expires_at: Timestamp) -> Vec<PortResult<()>> {
        let mut results = self.port.record(marks, expires_at).await;
        if self.is(Mutation::MixesUpMarks) {
            results.rotate_left(1);
        }
        results
    }

    async fn probe(&self) -> PortResult<()> {
        self.port.probe().await
    }
}

impl SiteSwitch for Mutated<MemorySiteSwitch> {
    async fn read(&self) -> PortResult<SiteState> {
        let answer = self.port.read().await;
        let mut last = self.last_read.lock().unwrap_or_else(PoisonError::into_inner);
        if answer.is_ok() {
            *last = Some(Instant::now());
        }
        match (answer, *last) {
            (Err(_), Some(last)) if self.is(Mutation::ForgetsState) && last.elapsed() > MADE_UP_AFTER => {
                Ok(SiteState::Passive)
            }
            (Err(_), None) if self.is(Mutation::GuessesState) && self.began.elapsed() > MADE_UP_AFTER => {
                Ok(SiteState::Active)
            }
            (answer, _) => answer,
        }
    }
}

impl Leases for Mutated<MemoryLeases> {
    async fn acquire(
        &self,
        duty: impl Into<Duty> + Send,
        holder: Holder,
        now: Timestamp,
        until: Timestamp,
    ) -> PortResult<Lease> {
        let years = Duration::from_secs(10 * 365 * 24 * 60 * 60);
        let until = if self.is(Mutation::KeepsLeasesForever) { until.plus(years) } else { until };
        self.port.acquire(duty, holder, now, until).await
    }

    async fn release(&self, duty: impl Into<Duty> + Send, holder: Holder) -> PortResult<()> {
        self.port.release(duty, holder).await
    }
}

impl SaleTable for Mutated<MemorySaleTable> {
    async fn insert_sale(&self, sale: &Sale) -> PortResult<InsertSale> {
        self.port.insert_sale(sale).await
    }

    async fn insert_new_sales(&self, sales: &[Sale]) -> Vec<PortResult<()>> {
        let mut results = self.port.insert_new_sales(sales).await;
        if self.is(Mutation::MixesUpResults) {
            results.rotate_left(1);
        }
        let trusts = self.is(Mutation::TrustsRefusedEntries) && results.iter().any(Result::is_ok);
        if self.is(Mutation::AnswersFirst) || trusts { sales.iter().map(|_| Ok(())).collect() } else { results }
    }

    async fn insert(&self, fact: &Fact) -> PortResult<Insert> {
        if self.is(Mutation::NeverAdopts) && matches!(fact, Fact::Sale(_)) {
            return Ok(Insert::AlreadyExists);
        }
        self.port.insert(fact).await
    }

    async fn find(&self, id: SaleId) -> PortResult<Option<FoundSale>> {
        self.port.find(id).await
    }

    async fn held(&self, ids: &[FactId]) -> PortResult<HashSet<FactId>> {
        if self.is(Mutation::StandsByBlindly) {
            return Ok(ids.iter().copied().collect());
        }
        self.port.held(ids).await
    }

    async fn load_pending(&self, ids: &[FactId]) -> PortResult<LoadedFacts> {
        self.port.load_pending(ids).await
    }

    async fn settle(&self, facts: &[Fact], processed_at: Timestamp) -> Vec<PortResult<()>> {
        if self.is(Mutation::ErasesAttributes) {
            return self.port.replace(facts).await;
        }
        self.port.settle(facts, processed_at).await
    }

    async fn pending(&self, shard: Shard, before: Timestamp, page: Option<PageToken>) -> PortResult<PendingPage> {
        if self.is(Mutation::NeverSweeps) {
            return Ok(PendingPage::default());
        }
        let mut found = self.port.pending(shard, before, page).await?;
        let failing = self.client.resisting().and_then(|failing| found.ids.iter().position(|id| *id == failing));
        if let Some(place) = failing.filter(|_| self.is(Mutation::StopsAtFirstFailure)) {
            found.ids.truncate(place + 1);
            found.next = None;
        }
        Ok(found)
    }

    async fn backlog(&self, shard: Shard) -> PortResult<Backlog> {
        self.port.backlog(shard).await
    }

    async fn probe(&self) -> PortResult<()> {
        self.port.probe().await
    }
}
