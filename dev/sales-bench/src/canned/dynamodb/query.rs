//! Queries of the pending index.

use serde::Deserialize;

use super::{Key, Number, Text};
use crate::canned::answer::{Answer, JSON_1_0, NotUnderstood};
use crate::canned::facts::{PendingFacts, SHARDS};
use crate::canned::ids::LENGTH;

const INDEX: &str = "pending-index";

/// Maximum entries of a call: about 1 MB of them.
const MOST: usize = 10_000;

/// Size of an index entry: its three attributes with their names have 62 bytes.
const ENTRY: usize = 64;

/// Bytes read by half a unit, since the read is not consistent.
const HALF_UNIT: usize = 4 * 1024;

/// Approximate length of an entry's JSON.
const ENTRY_JSON: usize = 110;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Query<'a> {
    index_name: &'a str,
    #[serde(borrow)]
    expression_attribute_values: Values<'a>,
    #[serde(borrow)]
    exclusive_start_key: Option<Key<'a>>,
    limit: Option<usize>,
    select: Option<&'a str>,
}

#[derive(Deserialize)]
struct Values<'a> {
    #[serde(rename = ":shard", borrow)]
    shard: Text<'a>,
    #[serde(rename = ":before", borrow)]
    before: Option<Number<'a>>,
}

/// The requested page of the pending index, and its cost. It begins with the oldest, even if the newest are requested:
/// the services check those only for unreadable entries, and there are none.
pub(in crate::canned) fn query(body: &[u8], facts: &PendingFacts) -> Result<(f64, Answer), NotUnderstood> {
    let query: Query<'_> = serde_json::from_slice(body)?;
    let shard = query.shard()?;
    let (after, before) = (query.after(facts), query.before()?);
    let older = facts.of_shard(shard, after).take_while(|number| facts.timestamp(*number) < before);
    let counts = query.select == Some("COUNT");

    let mut page = Page::new(facts, shard);
    let most = query.limit.unwrap_or(MOST).min(MOST);
    let mut older = older.peekable();
    for number in older.by_ref().take(most) {
        page.add(number, counts);
    }
    let more = older.peek().is_some();
    Ok((page.units(), Answer::ok(JSON_1_0, page.json(counts, more))))
}

impl Query<'_> {
    fn shard(&self) -> Result<u32, NotUnderstood> {
        let shard = self.expression_attribute_values.shard.text;
        let known = shard.parse().ok().filter(|shard| *shard < SHARDS && self.index_name == INDEX);
        known.ok_or_else(|| NotUnderstood(format!("shard {shard} of {}", self.index_name)))
    }

    /// A start key of an earlier load precedes all facts of this one.
    fn after(&self, facts: &PendingFacts) -> Option<u32> {
        facts.number(self.exclusive_start_key.as_ref()?.id.text)
    }

    fn before(&self) -> Result<u64, NotUnderstood> {
        let Some(before) = &self.expression_attribute_values.before else { return Ok(u64::MAX) };
        before.digits.parse().map_err(|_| NotUnderstood(format!("before {}", before.digits)))
    }
}

/// A page in progress.
struct Page<'a> {
    facts: &'a PendingFacts,
    shard: String,
    count: usize,
    last: Option<u32>,
    items: String,
}

impl<'a> Page<'a> {
    fn new(facts: &'a PendingFacts, shard: u32) -> Self {
        Self { facts, shard: shard.to_string(), count: 0, last: None, items: String::new() }
    }

    fn add(&mut self, number: u32, only_counted: bool) {
        if !only_counted {
            self.items.push_str(if self.count == 0 { "" } else { "," });
            write_entry(number, &self.shard, self.facts, &mut self.items);
        }
        self.count += 1;
        self.last = Some(number);
    }

    fn units(&self) -> f64 {
        0.5 * (self.count * ENTRY).div_ceil(HALF_UNIT).max(1) as f64
    }

    fn json(&self, only_counted: bool, more: bool) -> String {
        let count = self.count.to_string();
        let mut json = String::with_capacity(self.items.len() + 2 * ENTRY_JSON);
        json.extend([r#"{"Count":"#, &count, r#","ScannedCount":"#, &count]);
        if !only_counted {
            json.extend([r#","Items":["#, &self.items, "]"]);
        }
        if let Some(number) = self.last.filter(|_| more) {
            json.push_str(r#","LastEvaluatedKey":"#);
            write_entry(number, &self.shard, self.facts, &mut json);
        }
        json.push('}');
        json
    }
}

/// An index entry, which is the key of the index and of the table.
fn write_entry(number: u32, shard: &str, facts: &PendingFacts, json: &mut String) {
    let timestamp = facts.timestamp(number).to_string();
    let id = &mut [0; LENGTH];
    json.extend([
        r#"{"id":{"S":""#,
        facts.id(number, id),
        r#""},"timestamp":{"N":""#,
        &timestamp,
        r#""},"pending":{"S":""#,
        shard,
        r#""}}"#,
    ]);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::*;

    fn facts(count: u32) -> PendingFacts {
        PendingFacts::new(count, 1, Duration::from_secs(1_764_547_200))
    }

    fn ask(facts: &PendingFacts, more: Value) -> Result<(f64, Value), NotUnderstood> {
        let mut asked = json!({ "IndexName": INDEX, "ExpressionAttributeValues": { ":shard": { "S": "3" } } });
        if let (Some(asked), Value::Object(more)) = (asked.as_object_mut(), more) {
            asked.extend(more);
        }
        let (units, answer) = query(asked.to_string().as_bytes(), facts)?;
        Ok((units, serde_json::from_str(answer.text()).unwrap()))
    }

    fn key(facts: &PendingFacts, number: u32) -> Value {
        let (id, timestamp) = (facts.id(number, &mut [0; LENGTH]).to_owned(), facts.timestamp(number).to_string());
        json!({ "id": { "S": id }, "timestamp": { "N": timestamp }, "pending": { "S": "3" } })
    }

    #[test]
    fn a_page_ends_at_the_limit_and_tells_where_when_more_is_left() {
        let facts = facts(48);
        let (_, page) = ask(&facts, json!({ "Limit": 2 })).unwrap();
        let items = json!([key(&facts, 3), key(&facts, 19)]);
        let last = key(&facts, 19);
        assert_eq!(page, json!({ "Count": 2, "ScannedCount": 2, "Items": items, "LastEvaluatedKey": last }));

        let (_, page) = ask(&facts, json!({ "Limit": 2, "ExclusiveStartKey": last })).unwrap();
        assert_eq!(page, json!({ "Count": 1, "ScannedCount": 1, "Items": [key(&facts, 35)] }));
    }

    #[test]
    fn counting_shows_no_items_and_goes_by_pages_of_ten_thousand() {
        let facts = facts(16 * 10_001);
        let (units, page) = ask(&facts, json!({ "Select": "COUNT" })).unwrap();
        let last = key(&facts, 9_999 * 16 + 3);
        assert_eq!(page, json!({ "Count": 10_000, "ScannedCount": 10_000, "LastEvaluatedKey": last }));
        assert!((units - 78.5).abs() < f64::EPSILON);
        let (units, page) = ask(&facts, json!({ "Select": "COUNT", "ExclusiveStartKey": last })).unwrap();
        assert_eq!(page, json!({ "Count": 1, "ScannedCount": 1 }));
        assert!((units - 0.5).abs() < f64::EPSILON);
    }

    #[test]
    fn only_facts_from_before_are_seen() {
        let facts = facts(16_000);
        let before = |seconds: u64| {
            let values = json!({ ":shard": { "S": "3" }, ":before": { "N": seconds.to_string() } });
            ask(&facts, json!({ "ExpressionAttributeValues": values })).unwrap().1["Count"].clone()
        };
        let oldest = facts.timestamp(0);
        assert_eq!([before(oldest), before(oldest + 1), before(oldest + 16)], [json!(0), json!(63), json!(1_000)]);
    }

    #[test]
    fn an_empty_index_costs_half_a_unit() {
        let (units, page) = ask(&facts(0), json!({})).unwrap();
        assert!((units - 0.5).abs() < f64::EPSILON);
        assert_eq!(page, json!({ "Count": 0, "ScannedCount": 0, "Items": [] }));
    }

    #[test]
    fn another_index_or_shard_is_not_understood() {
        for more in
            [json!({ "IndexName": "other" }), json!({ "ExpressionAttributeValues": { ":shard": { "S": "16" } } })]
        {
            assert!(ask(&facts(20), more.clone()).is_err(), "{more}");
        }
    }

    #[test]
    fn a_page_that_follows_one_of_an_earlier_load_is_the_first() {
        let earlier = PendingFacts::new(20, 0, Duration::from_secs(1_764_547_100));
        let (_, page) = ask(&facts(20), json!({ "ExclusiveStartKey": key(&earlier, 3) })).unwrap();
        assert_eq!(page["Count"], 2);
    }
}
