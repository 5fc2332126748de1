//! The sales table and its pending index.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use futures::future::join_all;

use super::client::{partly_refused, within};
use super::global_table::GlobalTable;
use super::link::Links;
use super::{Client, CloudService, CloudState, Moment, Network, Refused, Situation, milliseconds};
use crate::clock::Timestamp;
use crate::ports::{
    Backlog, FailureKind, FoundSale, Insert, InsertSale, LoadedFacts, PageToken, PendingPage, PortError, PortResult,
    SaleTable, StoredSale,
};
use crate::sale::{Fact, FactId, Sale, SaleId};
use crate::shard::{Shard, Shards};

/// The real one's deadline.
const DEADLINE: Duration = Duration::from_millis(4_200);

/// Small, so that a few pending facts already fill several pages.
const PAGE: usize = 4;

/// [`SaleTable`] in memory.
#[derive(Clone)]
pub struct MemorySaleTable(Client);

/// An item, for inspection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemView {
    /// Its fact.
    pub fact: Fact,
    /// Whether it is known to be in the lake.
    pub processed: bool,
    /// Whether it is pending.
    pub pending: bool,
    /// The call that wrote it conditionally, if any.
    attempt: Option<u64>,
    /// Whether it has an attribute that the services do not know, as a later version's API would add.
    pub later: bool,
}

/// An entry of the index, in its order.
type Entry = (Shard, Timestamp, FactId);

pub(super) struct Sales {
    shards: Shards,
    pub(super) table: GlobalTable<FactId, ItemView>,
    pub(super) registered: BTreeMap<FactId, Vec<Fact>>,
    /// Sales that were adopted or settled before any table had held them.
    pub(super) never_stored: BTreeSet<FactId>,
    /// How each attempt to mark a fact fails, and the first fact that was written since.
    pub(super) resists: Option<(FailureKind, Option<FactId>)>,
    /// Facts that workers wrote from their events somewhere.
    pub(super) created: BTreeSet<FactId>,
    indexes: Vec<Index>,
    /// Versions of items in transit from each replica to its index.
    trailing: Links<Version>,
    versions: u64,
}

/// An item's future entry in an index; a higher number is a later version.
struct Version {
    number: u64,
    id: FactId,
    entry: Option<Entry>,
}

/// The index of one replica.
#[derive(Clone, Default)]
struct Index {
    entries: BTreeSet<Entry>,
    /// The version of each item that it shows.
    shown: BTreeMap<FactId, (u64, Option<Entry>)>,
}

impl Index {
    /// Applies a version of an item. One that was overtaken in transit is ignored.
    fn show(&mut self, Version { number, id, entry }: Version) {
        let (shown, before) = self.shown.get(&id).copied().unwrap_or_default();
        if shown < number {
            before.map(|before| self.entries.remove(&before));
            self.entries.extend(entry);
            self.shown.insert(id, (number, entry));
        }
    }
}

impl Sales {
    pub(super) fn new(regions: usize, shards: Shards) -> Self {
        Self {
            shards,
            table: GlobalTable::new(regions),
            registered: BTreeMap::new(),
            never_stored: BTreeSet::new(),
            created: BTreeSet::new(),
            resists: None,
            indexes: vec![Index::default(); regions],
            trailing: Links::new(regions),
            versions: 0,
        }
    }

    pub(super) fn advance(&mut self, now: Moment, network: &dyn Network) {
        for (region, id) in self.table.advance(now) {
            self.index(region, id, now, network);
        }
        for (_, region, version) in self.trailing.arrived(now) {
            self.indexes[region].show(version);
        }
    }

    pub(super) fn is_settling(&self) -> bool {
        self.table.links.are_busy() || self.trailing.are_busy()
    }

    pub(super) fn view(&self, region: usize) -> BTreeMap<FactId, ItemView> {
        self.table.items(region).map(|(id, item)| (*id, item.clone())).collect()
    }

    /// Fails for the fact that can never be marked.
    pub(super) fn resist(&self, id: FactId, operation: &'static str) -> PortResult<()> {
        match self.resists {
            Some((kind, Some(resisting))) if resisting == id => {
                Err(PortError { operation, kind, detail: "this fact cannot be marked".into() })
            }
            _ => Ok(()),
        }
    }

    fn put(&mut self, region: usize, item: ItemView, now: Moment, network: &dyn Network) {
        let id = item.fact.id();
        if let Some((_, resisting)) = &mut self.resists {
            resisting.get_or_insert(id);
        }
        let versions = self.registered.entry(id).or_default();
        if !versions.contains(&item.fact) {
            versions.push(item.fact.clone());
        }
        self.table.put(region, id, item, now, network);
        self.index(region, id, now, network);
    }

    /// Notes a fact that a worker is about to write from its event.
    fn note_created(&mut self, id: FactId) {
        self.created.insert(id);
        if matches!(id, FactId::Sale(_)) && !self.registered.contains_key(&id) {
            self.never_stored.insert(id);
        }
    }

    /// Sends an item's state to the index of its replica.
    fn index(&mut self, region: usize, id: FactId, now: Moment, network: &dyn Network) {
        let pending = self.table.get(region, &id).filter(|item| item.pending);
        let entry = pending.map(|item| (id.sale().shard(self.shards), item.fact.timestamp(), id));
        self.versions += 1;
        let version = Version { number: self.versions, id, entry };
        self.trailing.send(region, region, now + milliseconds(network.index_lag()), version);
    }

    fn shard(&self, region: usize, shard: Shard) -> impl Iterator<Item = &Entry> {
        self.indexes[region].entries.iter().filter(move |entry| entry.0 == shard)
    }
}

impl CloudState {
    /// The previous item; none, either, if the same attempt has put it and its response was lost.
    fn insert(
        &mut self,
        region: usize,
        fact: &Fact,
        attempt: u64,
        adopts: bool,
        network: &dyn Network,
    ) -> Option<ItemView> {
        let there = self.sales.table.get(region, &fact.id()).cloned();
        if there.is_none() {
            let (processed, pending, attempt) = (false, true, Some(attempt));
            let item = ItemView { fact: fact.clone(), processed, pending, attempt, later: !adopts };
            self.sales.put(region, item, self.now, network);
        }
        there.filter(|item| item.attempt != Some(attempt))
    }
}

impl Client {
    /// The sales table.
    #[must_use]
    pub fn sale_table(&self) -> MemorySaleTable {
        MemorySaleTable(self.clone())
    }
}

impl MemorySaleTable {
    async fn call<R: Send>(
        &self,
        operation: &'static str,
        effect: impl Fn(&mut CloudState, &dyn Network, Refused) -> R + Send + Sync + 'static,
    ) -> PortResult<R> {
        self.0.call(CloudService::SaleTable, operation, DEADLINE, effect).await
    }
}

impl MemorySaleTable {
    /// Settles facts as one write of whole items would, which drops what it does not name.
    pub async fn replace(&self, facts: &[Fact]) -> Vec<PortResult<()>> {
        let (region, facts) = (self.0.region, facts.to_vec());
        let count = facts.len();
        let replaced = self.call("BatchWriteItem", move |state, network, _| {
            for fact in &facts {
                let (processed, pending) = (true, false);
                let item = ItemView { fact: fact.clone(), processed, pending, attempt: None, later: false };
                state.sales.put(region, item, state.now, network);
            }
        });
        vec![replaced.await; count]
    }

    async fn settle_or_create(&self, fact: &Fact) -> PortResult<()> {
        let (region, fact) = (self.0.region, fact.clone());
        self.call("UpdateItem", move |state, network, _| {
            let there = state.sales.table.get(region, &fact.id()).cloned();
            state.situations.meet(Situation::SettledWhereMissing, there.is_none());
            if there.is_none() {
                state.sales.note_created(fact.id());
            }
            let new = || ItemView { fact: fact.clone(), processed: true, pending: false, attempt: None, later: false };
            let item = there.map_or_else(new, |item| ItemView { processed: true, pending: false, ..item });
            state.sales.put(region, item, state.now, network);
        })
        .await
    }

    /// Puts a fact unless one with its id exists; returns the existing one. A worker `adopts` it from its event.
    async fn put_if_new(&self, fact: Fact, adopts: bool) -> PortResult<Option<ItemView>> {
        let (region, attempt) = (self.0.region, self.0.new_attempt());
        self.call("PutItem", move |state, network, _| {
            if adopts {
                state.sales.note_created(fact.id());
            }
            let there = state.insert(region, &fact, attempt, adopts, network);
            state.situations.meet(Situation::Adoption, adopts && there.is_none());
            there
        })
        .await
    }
}

impl SaleTable for MemorySaleTable {
    async fn insert_sale(&self, sale: &Sale) -> PortResult<InsertSale> {
        let there = self.put_if_new(Fact::Sale(sale.clone()), false).await?;
        Ok(match there {
            Some(ItemView { fact: Fact::Sale(sale), processed, .. }) => {
                InsertSale::AlreadyExists(StoredSale { sale, processed })
            }
            Some(_) | None => InsertSale::Inserted,
        })
    }

    async fn insert_new_sales(&self, sales: &[Sale]) -> Vec<PortResult<()>> {
        // A lone sale is put conditionally, as in the real one.
        if let [sale] = sales {
            return vec![self.put_if_new(Fact::Sale(sale.clone()), false).await.map(drop)];
        }
        let operation = "BatchWriteItem";
        if let Err(error) = within(Self::GROUP, sales.len(), operation) {
            return vec![Err(error); sales.len()];
        }
        let (region, facts) = (self.0.region, sales.iter().cloned().map(Fact::Sale).collect::<Vec<_>>());
        let put = self.call(operation, move |state, network, refused| {
            let put = facts.iter().enumerate().map(|(place, fact)| {
                refused.entry(place, operation)?;
                let item = ItemView { fact: fact.clone(), processed: false, pending: true, attempt: None, later: true };
                state.sales.put(region, item, state.now, network);
                Ok(())
            });
            let put: Vec<PortResult<()>> = put.collect();
            state.situations.meet(Situation::GroupedWrite, true);
            state.situations.meet(Situation::FullGroupedWrite, put.len() == Self::GROUP);
            state.situations.meet(Situation::GroupedWriteWithRefusals, partly_refused(&put));
            put
        });
        put.await.unwrap_or_else(|error| sales.iter().map(|_| Err(error.clone())).collect())
    }

    async fn insert(&self, fact: &Fact) -> PortResult<Insert> {
        // Clients cancel this way; a sale is only adopted by it.
        let there = self.put_if_new(fact.clone(), matches!(fact, Fact::Sale(_))).await?;
        Ok(if there.is_some() { Insert::AlreadyExists } else { Insert::Inserted })
    }

    async fn find(&self, id: SaleId) -> PortResult<Option<FoundSale>> {
        let region = self.0.region;
        self.call("BatchGetItem", move |state, _, _| {
            let cancelled = state.sales.table.get(region, &FactId::Cancellation(id)).is_some();
            match state.sales.table.get(region, &FactId::Sale(id)) {
                Some(ItemView { fact: Fact::Sale(sale), processed, .. }) => {
                    Some(FoundSale { stored: StoredSale { sale: sale.clone(), processed: *processed }, cancelled })
                }
                Some(_) | None => None,
            }
        })
        .await
    }

    async fn held(&self, ids: &[FactId]) -> PortResult<HashSet<FactId>> {
        let (region, ids) = (self.0.region, ids.to_vec());
        self.call("BatchGetItem", move |state, _, _| {
            ids.iter().copied().filter(|id| state.sales.table.get(region, id).is_some()).collect()
        })
        .await
    }

    async fn load_pending(&self, ids: &[FactId]) -> PortResult<LoadedFacts> {
        let (region, ids) = (self.0.region, ids.to_vec());
        self.call("BatchGetItem", move |state, _, _| {
            let ids: BTreeSet<FactId> = ids.iter().copied().collect();
            let items = ids.iter().filter_map(|id| state.sales.table.get(region, id));
            let facts = items.filter(|item| item.pending).map(|item| item.fact.clone()).collect();
            LoadedFacts { facts, unreadable: Vec::new() }
        })
        .await
    }

    async fn settle(&self, facts: &[Fact], _processed_at: Timestamp) -> Vec<PortResult<()>> {
        if let [fact] = facts {
            return vec![self.settle_or_create(fact).await];
        }
        let operation = "BatchExecuteStatement";
        if let Err(error) = within(Self::GROUP, facts.len(), operation) {
            return vec![Err(error); facts.len()];
        }
        let (region, ids) = (self.0.region, facts.iter().map(Fact::id).collect::<Vec<_>>());
        let updated = self.call(operation, move |state, network, refused| {
            let updated = ids.iter().enumerate().map(|(place, id)| {
                refused.entry(place, operation)?;
                let there = state.sales.table.get(region, id).cloned();
                let settled = there.map(|item| ItemView { processed: true, pending: false, ..item });
                Ok(settled.map(|item| state.sales.put(region, item, state.now, network)).is_some())
            });
            let updated: Vec<PortResult<bool>> = updated.collect();
            state.situations.meet(Situation::GroupSettled, true);
            state.situations.meet(Situation::GroupSettledWithRefusals, partly_refused(&updated));
            updated
        });
        let updated = updated.await.unwrap_or_else(|error| facts.iter().map(|_| Err(error.clone())).collect());
        let settled = facts.iter().zip(updated).map(
            async |(fact, updated)| {
                if updated? { Ok(()) } else { self.settle_or_create(fact).await }
            },
        );
        join_all(settled).await
    }

    async fn pending(&self, shard: Shard, before: Timestamp, page: Option<PageToken>) -> PortResult<PendingPage> {
        let region = self.0.region;
        let after =
            page.and_then(|token| Some((token.timestamp.parse::<i64>().ok()?, token.id.parse::<FactId>().ok()?)));
        self.call("Query", move |state, _, _| {
            let entries = state.sales.shard(region, shard).filter(|(_, timestamp, _)| *timestamp < before);
            let entries = entries
                .map(|(_, timestamp, id)| (timestamp.unix_seconds(), *id))
                .skip_while(|entry| after.is_some_and(|after| *entry <= after));
            let page: Vec<(i64, FactId)> = entries.take(PAGE).collect();
            // A full page has a next one, which may turn out to be empty.
            let last = page.last().filter(|_| page.len() == PAGE);
            let next = last.map(|(timestamp, id)| PageToken { id: id.to_string(), timestamp: timestamp.to_string() });
            PendingPage { ids: page.iter().map(|(_, id)| *id).collect(), unreadable: Vec::new(), next }
        })
        .await
    }

    async fn backlog(&self, shard: Shard) -> PortResult<Backlog> {
        let region = self.0.region;
        self.call("Query", move |state, _, _| {
            let facts = state.sales.shard(region, shard).count();
            let oldest = state.sales.shard(region, shard).map(|(_, timestamp, _)| *timestamp).min();
            Backlog { facts: u64::try_from(facts).unwrap_or(u64::MAX), oldest, unreadable: Vec::new() }
        })
        .await
    }

    async fn probe(&self) -> PortResult<()> {
        self.call("GetItem", |_, _, _| ()).await
    }
}
