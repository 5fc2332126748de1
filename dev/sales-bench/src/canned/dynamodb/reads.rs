//! Reads by key: only pending facts exist.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Key;
use crate::canned::answer::{Answer, JSON_1_0, NotUnderstood};
use crate::canned::facts::{self, PendingFacts};
use crate::canned::ids::LENGTH;
use crate::sample::{AMOUNT, PRODUCT, REGION};

/// Substring of the name of the table of marks.
const MARKS: &str = "idempotency";

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
}

/// Cost of reading a missing item: only the services' probes read single items.
pub(in crate::canned) fn get(body: &[u8]) -> Result<f64, NotUnderstood> {
    let Get { consistent_read } = serde_json::from_slice(body)?;
    Ok(units(consistent_read))
}

/// The items of a batch, and its cost.
pub(in crate::canned) fn batch_get(body: &[u8], facts: &PendingFacts) -> Result<(f64, Answer), NotUnderstood> {
    let BatchGet { request_items } = serde_json::from_slice(body)?;
    let keys = request_items.values().map(|keys| keys.keys.len()).sum::<usize>();
    let mut found = String::with_capacity(keys * ITEM + ITEM);
    let mut cost = 0.0;
    found.push_str(r#"{"Responses":{"#);
    for (place, (table, keys)) in request_items.iter().enumerate() {
        cost += units(keys.consistent_read) * keys.keys.len() as f64;
        found.extend([if place == 0 { "\"" } else { ",\"" }, table, "\":["]);
        if !table.contains(MARKS) {
            write_items(&keys.keys, facts, &mut found);
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

    fn facts() -> PendingFacts {
        PendingFacts::new(20, 1, Duration::from_secs(1_764_547_200))
    }

    fn ask(table: &str, consistent: bool, ids: &[&str]) -> (f64, serde_json::Value) {
        let keys: Vec<_> = ids.iter().map(|id| serde_json::json!({ "id": { "S": id } })).collect();
        let body = serde_json::json!({ "RequestItems": { table: { "Keys": keys, "ConsistentRead": consistent } } });
        let (units, answer) = batch_get(body.to_string().as_bytes(), &facts()).unwrap();
        (units, serde_json::from_str(answer.text()).unwrap())
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
