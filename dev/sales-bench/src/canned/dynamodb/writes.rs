//! Costs of writes, in write request units.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::Key;
use crate::canned::answer::NotUnderstood;

/// Bytes written by a unit.
const UNIT: usize = 1024;

/// Cost of a write of an item without a pending attribute.
pub(in crate::canned) const ONE: u64 = 1;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Put<'a> {
    #[serde(borrow)]
    item: &'a RawValue,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct BatchWrite<'a> {
    #[serde(borrow)]
    request_items: BTreeMap<&'a str, Vec<Write<'a>>>,
}

#[derive(Deserialize)]
enum Write<'a> {
    #[serde(rename = "PutRequest", borrow)]
    Put(Put<'a>),
    #[serde(rename = "DeleteRequest")]
    Delete(IgnoredAny),
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Update<'a> {
    #[serde(borrow)]
    key: Key<'a>,
    update_expression: &'a str,
}

/// An update of an item.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::canned) struct Updated<'a> {
    /// The item's id.
    pub(in crate::canned) id: &'a str,
    /// Whether it removes the item from the pending index.
    pub(in crate::canned) settles: bool,
    /// Its cost.
    pub(in crate::canned) units: u64,
}

/// Cost of putting an item.
pub(in crate::canned) fn put(body: &[u8]) -> Result<u64, NotUnderstood> {
    Ok(serde_json::from_slice::<Put<'_>>(body)?.units())
}

/// Cost of each write of a batch.
pub(in crate::canned) fn batch_write(body: &[u8]) -> Result<impl Iterator<Item = u64>, NotUnderstood> {
    let BatchWrite { request_items } = serde_json::from_slice(body)?;
    Ok(request_items.into_values().flatten().map(|write| match write {
        Write::Put(put) => put.units(),
        Write::Delete(IgnoredAny) => ONE,
    }))
}

/// Effect of an update.
pub(in crate::canned) fn update(body: &[u8]) -> Result<Updated<'_>, NotUnderstood> {
    let Update { key, update_expression } = serde_json::from_slice(body)?;
    let settles = update_expression.contains("REMOVE pending");
    Ok(Updated { id: key.id.text, settles, units: ONE + u64::from(settles) })
}

impl Put<'_> {
    /// The JSON is longer than what DynamoDB counts. A pending item is also written to the index.
    fn units(&self) -> u64 {
        let item = self.item.get();
        // Within a JSON string, the quotes of this text would be escaped.
        let pending = item.contains(r#""pending":"#);
        item.len().div_ceil(UNIT) as u64 + u64::from(pending)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(product: &str, pending: &str) -> String {
        format!(r#"{{"id":{{"S":"a"}},"product":{{"S":"{product}"}}{pending}}}"#)
    }

    fn put_of(item: &str) -> String {
        format!(r#"{{"TableName":"sales","Item":{item},"ConditionExpression":"attribute_not_exists(id)"}}"#)
    }

    const PENDING: &str = r#","pending":{"S":"3"}"#;

    #[test]
    fn a_put_costs_a_unit_for_each_kib_and_one_for_the_index() {
        for (product, pending, units) in [
            ("Livro", "", 1),
            ("Livro", PENDING, 2),
            (&"x".repeat(1024), "", 2),
            (&"x".repeat(1024), PENDING, 3),
            (r#"\"pending\":"#, "", 1),
        ] {
            assert_eq!(put(put_of(&item(product, pending)).as_bytes()).unwrap(), units, "{product}{pending}");
        }
    }

    #[test]
    fn a_batch_costs_what_its_writes_cost() {
        let (put, pending) = (item("Livro", ""), item("Livro", PENDING));
        let body = format!(
            r#"{{"RequestItems":{{"sales":[{{"PutRequest":{{"Item":{put}}}}},{{"PutRequest":{{"Item":{pending}}}}},
            {{"DeleteRequest":{{"Key":{{"id":{{"S":"a"}}}}}}}}]}}}}"#
        );
        assert_eq!(batch_write(body.as_bytes()).unwrap().collect::<Vec<_>>(), [1, 2, 1]);
    }

    #[test]
    fn an_update_that_removes_pending_changes_the_index_too() {
        let body = |expression: &str| {
            format!(r##"{{"TableName":"sales","Key":{{"id":{{"S":"a"}}}},"UpdateExpression":"{expression}"}}"##)
        };
        for (expression, settles, units) in
            [("SET sale_processed = :processed REMOVE pending", true, 2), ("SET sale_processed = :processed", false, 1)]
        {
            let body = body(expression);
            assert_eq!(update(body.as_bytes()).unwrap(), Updated { id: "a", settles, units });
        }
    }

    #[test]
    fn what_is_no_write_is_not_understood() {
        for body in ["", "{}", r#"{"RequestItems":{"sales":[{"Other":{}}]}}"#] {
            assert!(put(body.as_bytes()).is_err(), "{body}");
            assert!(batch_write(body.as_bytes()).is_err(), "{body}");
            assert!(update(body.as_bytes()).is_err(), "{body}");
        }
    }
}
