//! Costs of writes, in write request units.

use std::collections::{BTreeMap, HashSet};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Key, MARKS};
use crate::canned::answer::{Answer, JSON_1_0, NotUnderstood};

/// Bytes written by a unit.
const UNIT: usize = 1024;

/// Maximum statements of a call.
const MOST_STATEMENTS: usize = 25;

/// What an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::canned) enum Written {
    /// A sale or a cancellation.
    Sale,
    /// A mark.
    Mark,
    /// A lease, which is in the table of marks, and written on its own.
    Lease,
}

/// Cost of writing an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::canned) struct Units {
    /// Those of the table.
    pub(in crate::canned) table: u64,
    /// Those of the pending index.
    pub(in crate::canned) index: u64,
    /// The item.
    pub(in crate::canned) of: Written,
}

impl Units {
    /// A lease that is released.
    pub(in crate::canned) const RELEASE: Self = Self { table: 1, index: 0, of: Written::Lease };

    fn update(settles: bool) -> Self {
        Self { table: 1, index: u64::from(settles), of: Written::Sale }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Put<'a> {
    table_name: &'a str,
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
    Put(NewItem<'a>),
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct NewItem<'a> {
    #[serde(borrow)]
    item: &'a RawValue,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Update<'a> {
    #[serde(borrow)]
    key: Key<'a>,
    update_expression: &'a str,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Execute<'a> {
    #[serde(borrow)]
    statements: Vec<Statement<'a>>,
}

/// A statement, with quotes escaped as in JSON, and its values.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Statement<'a> {
    #[serde(borrow)]
    statement: &'a RawValue,
    #[serde(borrow)]
    parameters: Vec<Parameter<'a>>,
}

#[derive(Deserialize)]
struct Parameter<'a> {
    #[serde(rename = "S", borrow)]
    text: Option<&'a str>,
}

/// An update of an item.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::canned) struct Flagged<'a> {
    /// The item's id.
    pub(in crate::canned) id: &'a str,
    /// Whether it removes the item from the pending index.
    pub(in crate::canned) settles: bool,
    /// Its cost.
    pub(in crate::canned) units: Units,
}

/// Cost of putting an item.
pub(in crate::canned) fn put(body: &[u8]) -> Result<Units, NotUnderstood> {
    let Put { table_name, item } = serde_json::from_slice(body)?;
    Ok(units(item, if table_name.contains(MARKS) { Written::Lease } else { Written::Sale }))
}

/// Cost of each write of a batch.
pub(in crate::canned) fn batch_write(body: &[u8]) -> Result<impl Iterator<Item = Units>, NotUnderstood> {
    let BatchWrite { request_items } = serde_json::from_slice(body)?;
    Ok(request_items.into_iter().flat_map(|(table, writes)| {
        let of = if table.contains(MARKS) { Written::Mark } else { Written::Sale };
        writes.into_iter().map(move |Write::Put(put)| units(put.item, of))
    }))
}

/// Effect of an update.
pub(in crate::canned) fn update(body: &[u8]) -> Result<Flagged<'_>, NotUnderstood> {
    let Update { key, update_expression } = serde_json::from_slice(body)?;
    let settles = update_expression.contains("REMOVE pending");
    Ok(Flagged { id: key.id.text, settles, units: Units::update(settles) })
}

/// Effects of a batch of statements that settle items.
pub(in crate::canned) fn execute(body: &[u8]) -> Result<(Vec<Flagged<'_>>, Answer), NotUnderstood> {
    let Execute { statements } = serde_json::from_slice(body)?;
    let flagged = statements.iter().map(Statement::flagged).collect::<Result<Vec<_>, _>>()?;
    let ids: HashSet<&str> = flagged.iter().map(|flagged| flagged.id).collect();
    if ids.len() != statements.len() || !(1..=MOST_STATEMENTS).contains(&statements.len()) {
        return Err(NotUnderstood(format!("{} statements of {} items", statements.len(), ids.len())));
    }
    let answers = vec![r#"{"TableName":"sales"}"#; flagged.len()].join(",");
    Ok((flagged, Answer::ok(JSON_1_0, format!(r#"{{"Responses":[{answers}]}}"#))))
}

impl<'a> Statement<'a> {
    /// Its last value is the item's id.
    fn flagged(&self) -> Result<Flagged<'a>, NotUnderstood> {
        let text = self.statement.get();
        let settles = text.ends_with(r#"REMOVE \"pending\" WHERE \"id\" = ?""#);
        let places = text.matches('?').count();
        let id = self.parameters.last().and_then(|last| last.text);
        match id {
            Some(id) if settles && text.starts_with(r#""UPDATE \""#) && places == self.parameters.len() => {
                Ok(Flagged { id, settles, units: Units::update(settles) })
            }
            _ => Err(NotUnderstood(format!("statement {text} with {} values", self.parameters.len()))),
        }
    }
}

/// The JSON is longer than what DynamoDB counts. A pending item is also written to the index.
fn units(item: &RawValue, of: Written) -> Units {
    let item = item.get();
    // Within a JSON string, the quotes of this text would be escaped.
    let pending = item.contains(r#""pending":"#);
    Units { table: item.len().div_ceil(UNIT) as u64, index: u64::from(pending), of }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(product: &str, pending: &str) -> String {
        format!(r#"{{"id":{{"S":"a"}},"product":{{"S":"{product}"}}{pending}}}"#)
    }

    fn put_of(table: &str, item: &str) -> String {
        format!(r#"{{"TableName":"{table}","Item":{item},"ConditionExpression":"attribute_not_exists(id)"}}"#)
    }

    fn sale(table: u64, index: u64) -> Units {
        Units { table, index, of: Written::Sale }
    }

    const PENDING: &str = r#","pending":{"S":"3"}"#;

    #[test]
    fn a_put_costs_a_unit_for_each_kib_and_one_for_the_index() {
        for (product, pending, units) in [
            ("Livro", "", sale(1, 0)),
            ("Livro", PENDING, sale(1, 1)),
            (&"x".repeat(1024), "", sale(2, 0)),
            (&"x".repeat(1024), PENDING, sale(2, 1)),
            (r#"\"pending\":"#, "", sale(1, 0)),
        ] {
            assert_eq!(put(put_of("sales", &item(product, pending)).as_bytes()).unwrap(), units, "{product}{pending}");
        }
        let lease = put(put_of("sales-idempotency", &item("", "")).as_bytes()).unwrap();
        assert_eq!(lease, Units { of: Written::Lease, ..sale(1, 0) });
    }

    #[test]
    fn a_batch_costs_what_its_writes_cost() {
        let (put, pending) = (item("Livro", ""), item("Livro", PENDING));
        let body = |table: &str| {
            format!(
                r#"{{"RequestItems":{{"{table}":[{{"PutRequest":{{"Item":{put}}}}},{{"PutRequest":{{"Item":{pending}}}}}]}}}}"#
            )
        };
        let costs = |table| batch_write(body(table).as_bytes()).unwrap().collect::<Vec<_>>();
        assert_eq!(costs("sales"), [sale(1, 0), sale(1, 1)]);
        assert_eq!(costs("sales-idempotency")[0], Units { of: Written::Mark, ..sale(1, 0) });
    }

    #[test]
    fn an_update_that_removes_pending_changes_the_index_too() {
        let body = |expression: &str| {
            format!(r##"{{"TableName":"sales","Key":{{"id":{{"S":"a"}}}},"UpdateExpression":"{expression}"}}"##)
        };
        for (expression, settles, units) in [
            ("SET sale_processed = :processed REMOVE pending", true, sale(1, 1)),
            ("SET sale_processed = :processed", false, sale(1, 0)),
        ] {
            let body = body(expression);
            assert_eq!(update(body.as_bytes()).unwrap(), Flagged { id: "a", settles, units });
        }
    }

    const SETTLES: &str =
        r#"UPDATE \"sales\" SET \"sale_processed\" = ? SET \"processed_at\" = ? REMOVE \"pending\" WHERE \"id\" = ?"#;

    fn statements(statement: &str, parameters: &[&str]) -> String {
        let statements = parameters
            .iter()
            .map(|parameters| format!(r#"{{"Statement":"{statement}","Parameters":[{parameters}]}}"#))
            .collect::<Vec<_>>();
        format!(r#"{{"Statements":[{}]}}"#, statements.join(","))
    }

    #[test]
    fn each_statement_settles_the_item_of_its_last_value() {
        let values = |id: &str| format!(r#"{{"BOOL":true}},{{"N":"1"}},{{"S":"{id}"}}"#);
        let body = statements(SETTLES, &[&values("a"), &values("b")]);
        let (flagged, answer) = execute(body.as_bytes()).unwrap();
        assert_eq!(flagged, ["a", "b"].map(|id| Flagged { id, settles: true, units: sale(1, 1) }));
        assert_eq!(answer.text(), r#"{"Responses":[{"TableName":"sales"},{"TableName":"sales"}]}"#);
    }

    #[test]
    fn statements_that_dynamodb_or_the_services_do_not_know_are_not_understood() {
        let values = |id: &str| format!(r#"{{"BOOL":true}},{{"N":"1"}},{{"S":"{id}"}}"#);
        let many: Vec<String> = (0..26).map(|number| values(&number.to_string())).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(execute(statements(SETTLES, &many[..25]).as_bytes()).is_ok());
        for (statement, parameters) in [
            (SETTLES, &many[..]),
            (SETTLES, &[]),
            (SETTLES, &[values("a").as_str(), &values("a")]),
            (SETTLES, &[r#"{"S":"a"},{"BOOL":true},{"N":"1"}"#]),
            (SETTLES, &[r#"{"BOOL":true},{"S":"a"}"#]),
            (r#"DELETE FROM \"sales\" WHERE \"id\" = ?"#, &[r#"{"S":"a"}"#]),
            (&SETTLES.replace(r#"REMOVE \"pending\" "#, ""), &[values("a").as_str()]),
        ] {
            let body = statements(statement, parameters);
            assert!(execute(body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn what_is_no_write_is_not_understood() {
        for body in ["", "{}", r#"{"RequestItems":{"sales":[{"DeleteRequest":{}}]}}"#] {
            assert!(put(body.as_bytes()).is_err(), "{body}");
            assert!(batch_write(body.as_bytes()).is_err(), "{body}");
            assert!(update(body.as_bytes()).is_err(), "{body}");
            assert!(execute(body.as_bytes()).is_err(), "{body}");
        }
    }
}
