//! Facts as items of the sales table, attribute by attribute. The functions to read an item are public, for tools that
//! read the table.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

use crate::clock::Timestamp;
use crate::entropy::Entropy;
use crate::ports::StoredSale;
use crate::sale::{Amount, Cancellation, ClientId, Fact, FactId, Product, Sale};
use crate::shard::Shards;

/// An item, or its key.
pub type Item = HashMap<String, AttributeValue>;

/// The key attribute.
pub(super) fn id(id: FactId) -> (String, AttributeValue) {
    ("id".into(), AttributeValue::S(id.to_string()))
}

/// The attributes of a fact, without its key and its progress.
pub(super) fn content(fact: &Fact) -> Vec<(&'static str, AttributeValue)> {
    let mut content = match fact {
        Fact::Sale(sale) => vec![
            ("product", AttributeValue::S(sale.product.as_str().to_owned())),
            ("amount", AttributeValue::N(sale.amount.to_string())),
        ],
        Fact::Cancellation(cancellation) => {
            let accepted = cancellation.sale_timestamp.map(|moment| moment.unix_seconds().to_string());
            let accepted = accepted.map(|seconds| ("sale_timestamp", AttributeValue::N(seconds)));
            [Some(("sale_id", AttributeValue::S(cancellation.sale.to_string()))), accepted]
                .into_iter()
                .flatten()
                .collect()
        }
    };
    content.push(("timestamp", AttributeValue::N(fact.timestamp().unix_seconds().to_string())));
    content.extend(fact.region().map(|region| ("region", AttributeValue::S(region.to_string()))));
    content.extend(fact.client().map(|id| ("client", AttributeValue::S(id.to_string()))));
    content
}

/// Identifies a conditional write: if the item exists, it shows whether the same write, retried after its response was
/// lost, or another one created it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Attempt(String);

impl Attempt {
    /// A unique id.
    pub(super) fn new(entropy: &Entropy) -> Self {
        Self(format!("{:016x}", u64::from_le_bytes(entropy.bytes())))
    }

    /// Whether this write created an item.
    pub(super) fn wrote(&self, item: &Item) -> bool {
        item.get("attempt").is_some_and(|attempt| attempt.as_s() == Ok(&self.0))
    }
}

/// A new item for a conditional put.
pub(super) fn attempted(fact: &Fact, shards: Shards, attempt: &Attempt) -> Item {
    let mut item = pending(fact, shards);
    item.insert("attempt".into(), AttributeValue::S(attempt.0.clone()));
    item
}

/// A new, pending item.
pub(super) fn pending(fact: &Fact, shards: Shards) -> Item {
    let shard = fact.id().sale().shard(shards);
    let mut item: Item = content(fact).into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    item.extend([id(fact.id()), ("pending".into(), AttributeValue::S(shard.to_string()))]);
    if matches!(fact, Fact::Sale(_)) {
        item.insert("sale_processed".into(), AttributeValue::Bool(false));
    }
    item
}

/// Whether the item is pending.
#[must_use]
pub fn is_pending(item: &Item) -> bool {
    item.contains_key("pending")
}

/// Whether the item shows that its fact is in the lake.
#[must_use]
pub fn is_processed(item: &Item) -> bool {
    item.get("sale_processed").is_some_and(|flag| flag.as_bool() == Ok(&true))
}

/// When it was settled.
#[must_use]
pub fn processed_at(item: &Item) -> Option<Timestamp> {
    moment(item, "processed_at")
}

/// Expiry of a mark, an item of the idempotency table.
#[must_use]
pub fn expires_at(item: &Item) -> Option<Timestamp> {
    moment(item, "expires_at")
}

/// The key of the object of the journal that a mark names; `None` for a mark of an earlier version.
#[must_use]
pub fn object(item: &Item) -> Option<&str> {
    item.get("object")?.as_s().ok().map(String::as_str)
}

/// The item's key as text, even if it is not a valid id.
pub(super) fn key(item: &Item) -> String {
    match item.get("id") {
        Some(AttributeValue::S(id)) => id.clone(),
        other => format!("{other:?}"),
    }
}

/// The item's fact id, if valid and spelled as the services spell it: by any other spelling it is not found again.
#[must_use]
pub fn fact_id(item: &Item) -> Option<FactId> {
    let text = item.get("id")?.as_s().ok()?;
    text.parse().ok().filter(|id: &FactId| id.to_string() == *text)
}

/// When the item's fact was accepted.
pub(super) fn timestamp(item: &Item) -> Option<Timestamp> {
    moment(item, "timestamp")
}

fn moment(item: &Item, name: &str) -> Option<Timestamp> {
    Timestamp::from_unix_seconds(item.get(name)?.as_n().ok()?.parse().ok()?)
}

/// The fact that an item holds; `None` if it holds none.
#[must_use]
pub fn fact(item: &Item) -> Option<Fact> {
    let text = |name: &str| item.get(name)?.as_s().ok();
    let timestamp = timestamp(item)?;
    let region = text("region").and_then(|name| name.parse().ok());
    let client = text("client").and_then(|id| ClientId::new(id));
    match fact_id(item)? {
        FactId::Sale(id) => {
            let product = Product::new(text("product")?.clone()).ok()?;
            let amount = Amount::from_json_number(item.get("amount")?.as_n().ok()?).ok()?;
            Some(Fact::Sale(Sale { id, product, amount, timestamp, region, client }))
        }
        FactId::Cancellation(sale) => {
            let sale_timestamp = moment(item, "sale_timestamp");
            Some(Fact::Cancellation(Cancellation { sale, timestamp, sale_timestamp, region, client }))
        }
    }
}

/// The sale that an item holds, and whether it is in the lake.
pub(super) fn stored_sale(item: &Item) -> Option<StoredSale> {
    match fact(item)? {
        Fact::Sale(sale) => Some(StoredSale { sale, processed: is_processed(item) }),
        Fact::Cancellation(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0192f5c0-7c1d-7a3e-8f11-0123456789ab";

    fn facts() -> [Fact; 2] {
        let timestamp = Timestamp::from_unix_seconds(1_764_547_199).unwrap();
        let region = Some("sa-east-1".parse().unwrap());
        let product = Product::new("Livro".into()).unwrap();
        let amount = Amount::from_json_number("12345678901234.5678").unwrap();
        [
            Fact::Sale(Sale {
                id: ID.parse().unwrap(),
                product,
                amount,
                timestamp,
                region: region.clone(),
                client: None,
            }),
            Fact::Cancellation(Cancellation {
                sale: ID.parse().unwrap(),
                timestamp,
                sale_timestamp: Timestamp::from_unix_seconds(1_764_540_000),
                region,
                client: ClientId::new("shop-a"),
            }),
        ]
    }

    #[test]
    fn a_fact_is_read_as_it_was_written() {
        for written in facts() {
            let item = pending(&written, Shards::DEFAULT);
            assert_eq!(fact(&item), Some(written));
            assert!(is_pending(&item));
        }
    }

    #[test]
    fn a_new_sale_has_the_attributes_of_the_design_and_no_other() {
        let item = pending(&facts()[0], Shards::DEFAULT);
        let mut names: Vec<&str> = item.keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["amount", "id", "pending", "product", "region", "sale_processed", "timestamp"]);
        assert_eq!(item["pending"], AttributeValue::S("11".into()));
        assert_eq!(item["sale_processed"], AttributeValue::Bool(false));

        let Fact::Sale(sale) = facts()[0].clone() else { panic!("the first is a sale") };
        let signed_in = Fact::Sale(Sale { client: ClientId::new("shop-a"), ..sale });
        let mut of_client = pending(&signed_in, Shards::DEFAULT);
        assert_eq!(fact(&of_client), Some(signed_in));
        assert_eq!(of_client.remove("client"), Some(AttributeValue::S("shop-a".into())));
        assert_eq!(of_client, item);
    }

    #[test]
    fn an_item_tells_which_write_it_is_from() {
        let entropy = Entropy::system();
        let (own, other) = (Attempt::new(&entropy), Attempt::new(&entropy));
        let item = attempted(&facts()[0], Shards::DEFAULT, &own);
        assert!(own.wrote(&item) && !other.wrote(&item));
        assert!(!own.wrote(&pending(&facts()[0], Shards::DEFAULT)));
        assert_eq!(fact(&item), Some(facts()[0].clone()));
    }

    #[test]
    fn what_became_of_a_fact_is_read_from_its_item() {
        let mut item = pending(&facts()[0], Shards::DEFAULT);
        assert_eq!((is_processed(&item), processed_at(&item)), (false, None));
        item.insert("sale_processed".into(), AttributeValue::Bool(true));
        item.insert("processed_at".into(), AttributeValue::N("1764547201".into()));
        assert!(is_processed(&item));
        assert_eq!(processed_at(&item), Timestamp::from_unix_seconds(1_764_547_201));
    }

    #[test]
    fn an_item_of_somebody_else_is_no_fact() {
        let mut item = pending(&facts()[0], Shards::DEFAULT);
        item.remove("product");
        assert_eq!(fact(&item), None);
        assert_eq!(fact(&Item::from([("id".into(), AttributeValue::N("1".into()))])), None);
    }
}
