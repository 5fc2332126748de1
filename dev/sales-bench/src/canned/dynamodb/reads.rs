//! Reads by key: pending facts exist, and of those that messages announce the key.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Key, MARKS};
use crate::canned::answer::{Answer, JSON_1_0, NotUnderstood};
use crate::canned::facts::{self, PendingFacts};
use crate::canned::ids::LENGTH;
use crate::canned::queue::Queue;
use crate::sample::{AMOUNT, PRODUCT, REGION};

/// Approximate length of an item's JSON.
const ITEM: usize = 256;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Get {
    consistent_read: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct BatchGet<'a> {
    #[serde(borrow)]
    request_items: BTreeMap<&'a str, Keys<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Keys<'a> {
    #[serde(borrow)]
    keys: Vec<Key<'a>>,
    consistent_read: Option<bool>,
    projection_expression: Option<&'a str>,
}

/// What the sales table holds.
#[derive(Clone, Copy, Debug)]
pub(in crate::canned) struct Held<'a> {
    /// The pending facts.
    pub(in crate::canned) facts: &'a PendingFacts,
    /// The messages, whose facts have replicated.
    pub(in crate::canned) queue: &'a Queue,
}

/// Cost of reading a missing item: only the services' probes read single items.
pub(in crate::canned) fn get(body: &[u8]) -> Result<f64, NotUnderstood> {
    let Get { consistent_read } = serde_json::from_slice(body)?;
    Ok(units(consistent_read))
}

/// The items of a batch, and its cost.
pub(in crate::canned) fn batch_get(body: &[u8], held: Held<'_>) -> Result<(f64, Answer), NotUnderstood> {
    let BatchGet { request_items } = serde_json::from_slice(body)?;
    let keys = request_items.values().map(|keys| keys.keys.len()).sum::<usize>();
    let mut found = String::with_capacity(keys * ITEM + ITEM);
    let mut cost = 0.0;
    found.push_str(r#"{"Responses":{"#);
    for (place, (table, keys)) in request_items.iter().enumerate() {
        cost += units(keys.consistent_read) * keys.keys.len() as f64;
        found.extend([if place == 0 { "\"" } else { ",\"" }, table, "\":["]);
        if !table.contains(MARKS) {
            match keys.projection_expression {
                None => write_items(&keys.keys, held.facts, &mut found),
                Some("id") => write_ids(&keys.keys, held, &mut found),
                Some(other) => return Err(NotUnderstood(format!("projection {other}"))),
            }
        }
        found.push(']');
    }
    found.push_str(r#"},"UnprocessedKeys":{}}"#);
    Ok((cost, Answer::ok(JSON_1_0, found)))
}

/// Cost of an item of up to 4 KiB, existing or not.
fn units(consistent_read: Option<bool>) -> f64 {
    if consistent_read == Some(true) { 1.0 } else { 0.5 }
}

fn write_items(keys: &[Key<'_>], facts: &PendingFacts, list: &mut String) {
    let numbers = keys.iter().filter_map(|key| facts.find(key.id.text));
    for (place, number) in numbers.enumerate() {
        list.push_str(if place == 0 { "" } else { "," });
        write_item(number, facts, list);
    }
}

fn write_ids(keys: &[Key<'_>], Held { facts, queue }: Held<'_>, list: &mut String) {
    let ids = keys.iter().map(|key| key.id.text).filter(|id| facts.find(id).is_some() || queue.announces(id));
    for (place, id) in ids.enumerate() {
        list.extend([if place == 0 { "" } else { "," }, r#"{"id":{"S":""#, id, r#""}}"#]);
    }
}

/// A pending sale, with the attributes that the services write.
fn write_item(number: u32, facts: &PendingFacts, list: &mut String) {
    let (timestamp, shard) = (facts.timestamp(number).to_string(), facts::shard(number).to_string());
    list.extend([
        r#"{"id":{"S":""#,
        facts.id(number, &mut [0; LENGTH]),
        r#""},"product":{"S":""#,
        PRODUCT,
        r#""},"amount":{"N":""#,
        AMOUNT,
        r#""},"timestamp":{"N":""#,
        &timestamp,
        r#""},"region":{"S":""#,
        REGION,
        r#""},"pending":{"S":""#,
        &shard,
        r#""},"sale_processed":{"BOOL":false}}"#,
    ]);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::canned::ids::{Kind, Series};

    fn facts() -> PendingFacts {
        PendingFacts::new(20, 1, Duration::from_secs(1_764_547_200))
    }

    fn queue() -> Queue {
        Queue::new(2, 2, None, 1, Duration::from_secs(1_764_547_200)).unwrap()
    }

    fn try_ask(
        table: &str,
        consistent: bool,
        projection: Option<&str>,
        ids: &[&str],
    ) -> Result<(f64, serde_json::Value), NotUnderstood> {
        let keys: Vec<_> = ids.iter().map(|id| serde_json::json!({ "id": { "S": id } })).collect();
        let keys = serde_json::json!({
            "Keys": keys, "ConsistentRead": consistent, "ProjectionExpression": projection
        });
        let body = serde_json::json!({ "RequestItems": { table: keys } });
        let held = Held { facts: &facts(), queue: &queue() };
        let (units, answer) = batch_get(body.to_string().as_bytes(), held)?;
        Ok((units, serde_json::from_str(answer.text()).unwrap()))
    }

    fn ask(table: &str, consistent: bool, ids: &[&str]) -> (f64, serde_json::Value) {
        try_ask(table, consistent, None, ids).unwrap()
    }

    #[test]
    fn pending_facts_are_found_and_nothing_else() {
        let id = facts().id(18, &mut [0; LENGTH]).to_owned();
        let (units, answer) = ask("sales", true, &[&id, "probe"]);
        assert!((units - 2.0).abs() < f64::EPSILON);
        assert_eq!(
            answer,
            serde_json::json!({
                "Responses": { "sales": [{
                    "id": { "S": id },
                    "product": { "S": PRODUCT },
                    "amount": { "N": AMOUNT },
                    "timestamp": { "N": "1764543600" },
                    "region": { "S": REGION },
                    "pending": { "S": "2" },
                    "sale_processed": { "BOOL": false },
                }] },
                "UnprocessedKeys": {},
            })
        );
    }

    #[test]
    fn the_ids_of_pending_facts_and_of_those_in_messages_are_found() {
        let series = Series::new(Kind::Message, 1);
        let (pending, announced) = (facts().id(18, &mut [0; LENGTH]).to_owned(), series.id(3).to_string());
        let ids = [&pending, &announced, &series.id(4).to_string(), "probe"];
        let (_, answer) = try_ask("sales", true, Some("id"), &ids).unwrap();
        let found = serde_json::json!([{ "id": { "S": pending } }, { "id": { "S": announced } }]);
        assert_eq!(answer["Responses"]["sales"], found);
        assert!(try_ask("sales", true, Some("product"), &ids).is_err());
    }

    #[test]
    fn no_mark_is_ever_found() {
        let id = facts().id(18, &mut [0; LENGTH]).to_owned();
        let (units, answer) = ask("sales-idempotency", false, &[&id]);
        assert!((units - 0.5).abs() < f64::EPSILON);
        assert_eq!(answer["Responses"], serde_json::json!({ "sales-idempotency": [] }));
    }

    #[test]
    fn a_single_item_costs_by_its_consistency() {
        for (body, expected) in [("{}", 0.5), (r#"{"ConsistentRead":false}"#, 0.5), (r#"{"ConsistentRead":true}"#, 1.0)]
        {
            assert!((get(body.as_bytes()).unwrap() - expected).abs() < f64::EPSILON, "{body}");
        }
    }
}
