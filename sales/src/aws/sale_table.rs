//! The sales table, in DynamoDB.

use std::collections::{BTreeSet, HashMap, HashSet};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes, ReturnValuesOnConditionCheckFailure, Select};
use futures::future::join_all;

use super::dynamo::Updated;
use super::item::Attempt;
use super::{Connection, TABLE, dynamo, failure, item};
use crate::clock::Timestamp;
use crate::entropy::Entropy;
use crate::health::Dependency;
use crate::ports::{
    Backlog, FailureKind, FoundSale, Insert, InsertSale, LoadedFacts, PageToken, PendingPage, PortError, PortResult,
    SaleTable,
};
use crate::sale::{Fact, FactId, Sale, SaleId};
use crate::shard::{Shard, Shards};

const PENDING_INDEX: &str = "pending-index";

/// Entries of the pending index per read; as many as one read of the table takes.
const PAGE: i32 = 100;

/// Entries checked for readability at either end of a shard. A time in milliseconds, for example, sorts after all
/// others.
const ENDS: i32 = 10;

/// How many entries of a shard are read whole; the rest is only counted, which costs the same and transfers less.
const READ: i32 = 1_000;

/// How many entries at an end are looked at when none of them can be read.
const MOST_UNREADABLE: usize = 2_000;

/// Where a query goes on.
type Key = HashMap<String, AttributeValue>;

fn is_readable(entry: &item::Item) -> bool {
    item::fact_id(entry).is_some() && item::timestamp(entry).is_some()
}

/// [`SaleTable`] on DynamoDB.
#[derive(Clone, Debug)]
pub struct DynamoSaleTable {
    client: Client,
    table: String,
    shards: Shards,
    dependency: Dependency,
    entropy: Entropy,
}

/// Result of a conditional put of an item.
enum Put {
    Done,
    /// The existing item.
    Taken(item::Item),
}

impl DynamoSaleTable {
    /// The table of this name.
    #[must_use]
    pub fn new(
        connection: &Connection,
        table: String,
        shards: Shards,
        dependency: Dependency,
        entropy: Entropy,
    ) -> Self {
        Self { client: dynamo::client(connection, &TABLE), table, shards, dependency, entropy }
    }

    /// The SDK retries a call whose response was lost: the item it then finds may be its own.
    async fn put_if_new(&self, fact: &Fact) -> PortResult<Put> {
        let attempt = Attempt::new(&self.entropy);
        let new = item::attempted(fact, self.shards, &attempt);
        let put = self.client.put_item().table_name(&self.table).set_item(Some(new));
        let put = put
            .condition_expression("attribute_not_exists(id)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let taken = match put.send().await {
            Ok(_) => return Ok(Put::Done),
            Err(SdkError::ServiceError(answer)) if answer.err().is_conditional_check_failed_exception() => {
                match answer.into_err() {
                    PutItemError::ConditionalCheckFailedException(taken) => taken.item,
                    _ => None,
                }
            }
            Err(error) => return Err(failure::of("PutItem", error)),
        };
        let taken = match taken {
            Some(item) => Some(item),
            None => self.items(&[fact.id()]).await?.pop(),
        };
        // Items are never deleted: an existing one stays.
        let taken = taken.unwrap_or_default();
        Ok(if attempt.wrote(&taken) { Put::Done } else { Put::Taken(taken) })
    }

    /// Reads the oldest or the newest entries of a shard, `least` of them, and more while none of them is readable. Also returns
    /// the key to continue from, if there are more.
    async fn end_of(
        &self,
        shard: Shard,
        from_the_oldest: bool,
        least: i32,
    ) -> PortResult<(Vec<item::Item>, Option<Key>)> {
        let (mut entries, mut from) = (Vec::new(), None);
        loop {
            let limit = if entries.is_empty() { least } else { READ };
            let query = self.client.query().table_name(&self.table).index_name(PENDING_INDEX).limit(limit);
            let query = query.scan_index_forward(from_the_oldest).key_condition_expression("pending = :shard");
            let query = query.expression_attribute_values(":shard", AttributeValue::S(shard.to_string()));
            let answer = query.set_exclusive_start_key(from).send().await;
            let answer = answer.map_err(|error| failure::of_resource("Query", error));
            let answer = self.dependency.observe("Query", answer)?;
            let is_over = answer.items().iter().any(is_readable);
            entries.extend(answer.items.unwrap_or_default());
            from = answer.last_evaluated_key;
            if is_over || from.is_none() || entries.len() >= MOST_UNREADABLE {
                return Ok((entries, from));
            }
        }
    }

    /// Settles a fact on its own, and creates its item if it is missing.
    async fn settle_or_create(&self, fact: &Fact, processed_at: Timestamp) -> PortResult<()> {
        let mut assignments = vec!["sale_processed = :processed".to_owned(), "processed_at = :processed_at".to_owned()];
        let mut names = HashMap::new();
        let mut values = HashMap::from([
            (":processed".to_owned(), AttributeValue::Bool(true)),
            (":processed_at".to_owned(), AttributeValue::N(processed_at.unix_seconds().to_string())),
        ]);
        // Attribute names use placeholders, since some are reserved words.
        for (name, value) in item::content(fact) {
            assignments.push(format!("#{name} = if_not_exists(#{name}, :{name})"));
            names.insert(format!("#{name}"), name.to_owned());
            values.insert(format!(":{name}"), value);
        }
        let update =
            self.client.update_item().table_name(&self.table).set_key(Some(HashMap::from([item::id(fact.id())])));
        let update = update.update_expression(format!("SET {} REMOVE pending", assignments.join(", ")));
        let update = update.set_expression_attribute_names(Some(names)).set_expression_attribute_values(Some(values));
        let answer = update.send().await;
        self.dependency.observe("UpdateItem", answer.map(drop).map_err(|error| failure::of("UpdateItem", error)))
    }

    /// The current items with these ids, in any order; missing ones are left out.
    ///
    /// # Errors
    /// If the table is unavailable.
    pub async fn items(&self, ids: &[FactId]) -> PortResult<Vec<item::Item>> {
        let found = dynamo::get(&self.client, &self.table, KeysAndAttributes::builder().consistent_read(true), ids);
        self.dependency.observe("BatchGetItem", found.await)
    }
}

impl SaleTable for DynamoSaleTable {
    async fn insert_sale(&self, sale: &Sale) -> PortResult<InsertSale> {
        let put = self.put_if_new(&Fact::Sale(sale.clone())).await;
        match self.dependency.observe("PutItem", put)? {
            Put::Done => Ok(InsertSale::Inserted),
            Put::Taken(found) => item::stored_sale(&found).map(InsertSale::AlreadyExists).ok_or_else(|| PortError {
                operation: "PutItem",
                kind: FailureKind::Rejected,
                detail: format!("the item {} is not a sale", sale.id),
            }),
        }
    }

    async fn insert_new_sales(&self, sales: &[Sale]) -> Vec<PortResult<()>> {
        // A lone sale is put conditionally, so that a retry after a lost response does not put it again.
        if let [sale] = sales {
            let put = self.put_if_new(&Fact::Sale(sale.clone())).await;
            return vec![self.dependency.observe("PutItem", put.map(|_| ()))];
        }
        let items = sales.iter().map(|sale| {
            let fact = Fact::Sale(sale.clone());
            (fact.id(), item::pending(&fact, self.shards))
        });
        let results = dynamo::put(&self.client, &self.table, items.collect()).await;
        self.dependency.observe_entries("BatchWriteItem", results)
    }

    async fn insert(&self, fact: &Fact) -> PortResult<Insert> {
        let put = self.put_if_new(fact).await;
        self.dependency.observe("PutItem", put).map(|put| match put {
            Put::Done => Insert::Inserted,
            Put::Taken(_) => Insert::AlreadyExists,
        })
    }

    async fn find(&self, id: SaleId) -> PortResult<Option<FoundSale>> {
        let items = self.items(&[FactId::Sale(id), FactId::Cancellation(id)]).await?;
        let cancelled = items.iter().any(|item| item::fact_id(item) == Some(FactId::Cancellation(id)));
        Ok(items.iter().find_map(item::stored_sale).map(|stored| FoundSale { stored, cancelled }))
    }

    async fn held(&self, ids: &[FactId]) -> PortResult<HashSet<FactId>> {
        let keys = KeysAndAttributes::builder().consistent_read(true).projection_expression("id");
        let found = dynamo::get(&self.client, &self.table, keys, ids).await;
        Ok(self.dependency.observe("BatchGetItem", found)?.iter().filter_map(item::fact_id).collect())
    }

    async fn load_pending(&self, ids: &[FactId]) -> PortResult<LoadedFacts> {
        let mut loaded = LoadedFacts::default();
        for item in self.items(ids).await?.iter().filter(|item| item::is_pending(item)) {
            match item::fact(item) {
                Some(fact) => loaded.facts.push(fact),
                None => loaded.unreadable.extend(item::fact_id(item)),
            }
        }
        Ok(loaded)
    }

    async fn settle(&self, facts: &[Fact], processed_at: Timestamp) -> Vec<PortResult<()>> {
        // One call in either case, and this one needs no second if the item is missing.
        if let [fact] = facts {
            return vec![self.settle_or_create(fact, processed_at).await];
        }
        let ids: Vec<FactId> = facts.iter().map(Fact::id).collect();
        let flags = [
            ("sale_processed", AttributeValue::Bool(true)),
            ("processed_at", AttributeValue::N(processed_at.unix_seconds().to_string())),
        ];
        let updated = dynamo::update(&self.client, &self.table, &ids, &flags, "pending").await;
        let updated = self.dependency.observe_entries("BatchExecuteStatement", updated);
        let settled = facts.iter().zip(updated).map(async |(fact, updated)| match updated? {
            Updated::Done => Ok(()),
            Updated::NotByThisCall => self.settle_or_create(fact, processed_at).await,
        });
        join_all(settled).await
    }

    async fn pending(&self, shard: Shard, before: Timestamp, page: Option<PageToken>) -> PortResult<PendingPage> {
        let from = page.map(|token| {
            HashMap::from([
                ("id".to_owned(), AttributeValue::S(token.id)),
                ("timestamp".to_owned(), AttributeValue::N(token.timestamp)),
                ("pending".to_owned(), AttributeValue::S(shard.to_string())),
            ])
        });
        let query = self.client.query().table_name(&self.table).index_name(PENDING_INDEX).limit(PAGE);
        let query = query.key_condition_expression("pending = :shard AND #timestamp < :before");
        let query = query.expression_attribute_names("#timestamp", "timestamp");
        let query = query.expression_attribute_values(":shard", AttributeValue::S(shard.to_string()));
        let before = AttributeValue::N(before.unix_seconds().to_string());
        let query = query.expression_attribute_values(":before", before).set_exclusive_start_key(from);
        let answer = query.send().await.map_err(|error| failure::of_resource("Query", error));
        let answer = self.dependency.observe("Query", answer)?;

        let (mut ids, mut unreadable) = (Vec::with_capacity(answer.items().len()), Vec::new());
        for entry in answer.items() {
            match item::fact_id(entry) {
                Some(id) => ids.push(id),
                None => unreadable.push(item::key(entry)),
            }
        }
        let next = answer.last_evaluated_key.as_ref().and_then(|key| {
            let (id, timestamp) = (key.get("id")?.as_s().ok()?, key.get("timestamp")?.as_n().ok()?);
            Some(PageToken { id: id.clone(), timestamp: timestamp.clone() })
        });
        Ok(PendingPage { ids, unreadable, next })
    }

    async fn backlog(&self, shard: Shard) -> PortResult<Backlog> {
        let (entries, rest) = self.end_of(shard, true, READ).await?;
        let oldest = entries.iter().find_map(item::timestamp);
        let mut backlog = Backlog { facts: entries.len() as u64, oldest, ..Backlog::default() };
        let newest = if rest.is_some() { self.end_of(shard, false, ENDS).await?.0 } else { Vec::new() };
        let unreadable = entries.iter().chain(&newest).filter(|entry| !is_readable(entry)).map(item::key);
        backlog.unreadable = unreadable.collect::<BTreeSet<_>>().into_iter().collect();
        if rest.is_some() {
            let query = self.client.query().table_name(&self.table).index_name(PENDING_INDEX);
            let query = query.key_condition_expression("pending = :shard").set_exclusive_start_key(rest);
            let query = query.expression_attribute_values(":shard", AttributeValue::S(shard.to_string()));
            let mut pages = query.select(Select::Count).into_paginator().send();
            while let Some(page) = pages.next().await {
                let page = page.map_err(|error| failure::of_resource("Query", error));
                backlog.facts += u64::try_from(self.dependency.observe("Query", page)?.count).unwrap_or(0);
            }
        }
        Ok(backlog)
    }

    async fn probe(&self) -> PortResult<()> {
        self.dependency.observe("GetItem", dynamo::probe(&self.client, &self.table).await)
    }
}
