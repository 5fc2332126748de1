//! The calls that both tables make. Unprocessed items of a batch are sent again; each item has its own result.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::builders::KeysAndAttributesBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, BatchStatementError, BatchStatementRequest, PutRequest, WriteRequest};

use super::{Connection, Deadline, failure, item};
use crate::ports::{FailureKind, PortError, PortResult};
use crate::sale::FactId;

/// Maximum items of a `BatchGetItem`.
const GET: usize = 100;

/// Maximum items of a `BatchWriteItem`, and statements of a `BatchExecuteStatement`.
const PUT: usize = 25;

/// Pauses before unprocessed items are sent again; after the last one, they count as throttled.
const PAUSES: [Duration; 4] =
    [Duration::from_millis(50), Duration::from_millis(100), Duration::from_millis(200), Duration::from_millis(400)];

/// A client whose calls have a deadline.
pub(super) fn client(connection: &Connection, deadline: &Deadline) -> Client {
    let config = aws_sdk_dynamodb::config::Builder::from(&connection.0);
    Client::from_conf(config.retry_config(deadline.retries()).timeout_config(deadline.timeouts()).build())
}

/// The items with these ids; missing ones are left out.
pub(super) async fn get(
    client: &Client,
    table: &str,
    how: KeysAndAttributesBuilder,
    ids: &[FactId],
) -> PortResult<Vec<item::Item>> {
    // The call rejects duplicate keys.
    let ids: Vec<FactId> = ids.iter().copied().collect::<HashSet<_>>().into_iter().collect();
    let mut found = Vec::with_capacity(ids.len());
    for ids in ids.chunks(GET) {
        let keys = ids.iter().map(|id| item::Item::from([item::id(*id)])).collect();
        get_chunk(client, table, how.clone().set_keys(Some(keys)), &mut found).await?;
    }
    Ok(found)
}

async fn get_chunk(
    client: &Client,
    table: &str,
    keys: KeysAndAttributesBuilder,
    found: &mut Vec<item::Item>,
) -> PortResult<()> {
    let operation = "BatchGetItem";
    let invalid = |error: aws_sdk_dynamodb::error::BuildError| rejected(operation, &error);
    let mut request = Some(HashMap::from([(table.to_owned(), keys.build().map_err(invalid)?)]));
    for pause in PAUSES.into_iter().map(Some).chain([None]) {
        let answer = client.batch_get_item().set_request_items(request.take()).send().await;
        let answer = answer.map_err(|error| failure::of(operation, error))?;
        // Only one table is read, so all items are of this table, whatever form of its name the response has.
        found.extend(answer.responses.into_iter().flatten().flat_map(|(_, items)| items));
        match answer.unprocessed_keys {
            Some(left) if !left.is_empty() => request = Some(left),
            _ => return Ok(()),
        }
        if let Some(pause) = pause {
            tokio::time::sleep(pause).await;
        }
    }
    Err(throttled(operation))
}

/// Reads an item that does not exist, to check whether the table responds.
pub(super) async fn probe(client: &Client, table: &str) -> PortResult<()> {
    let key = AttributeValue::S("probe".into());
    let answer = client.get_item().table_name(table).key("id", key).send().await;
    answer.map(drop).map_err(|error| failure::of_resource("GetItem", error))
}

/// Puts items, replacing existing ones; one result each, in order.
pub(super) async fn put(client: &Client, table: &str, items: Vec<(FactId, item::Item)>) -> Vec<PortResult<()>> {
    let ids: Vec<FactId> = items.iter().map(|(id, _)| *id).collect();
    // The call rejects duplicate items.
    let mut seen = HashSet::with_capacity(ids.len());
    let mut unique = items.into_iter().filter(|(id, _)| seen.insert(*id)).peekable();
    let mut failures: HashMap<FactId, PortError> = HashMap::new();
    while unique.peek().is_some() {
        put_chunk(client, table, unique.by_ref().take(PUT), &mut failures).await;
    }
    ids.iter().map(|id| failures.get(id).map_or(Ok(()), |error| Err(error.clone()))).collect()
}

async fn put_chunk(
    client: &Client,
    table: &str,
    items: impl Iterator<Item = (FactId, item::Item)>,
    failures: &mut HashMap<FactId, PortError>,
) {
    let operation = "BatchWriteItem";
    let (mut ids, mut writes): (Vec<FactId>, Vec<WriteRequest>) =
        items.filter_map(|(id, item)| Some((id, write_request(item)?))).unzip();
    let mut error = throttled(operation);
    for pause in PAUSES.into_iter().map(Some).chain([None]) {
        let answer = client.batch_write_item().request_items(table, writes).send().await;
        match answer {
            Ok(answer) => writes = answer.unprocessed_items.into_iter().flatten().flat_map(|(_, left)| left).collect(),
            Err(failed) => {
                error = failure::of(operation, failed);
                break;
            }
        }
        if writes.is_empty() {
            return;
        }
        ids = writes.iter().filter_map(|write| item::fact_id(write.put_request()?.item())).collect();
        if let Some(pause) = pause {
            tokio::time::sleep(pause).await;
        }
    }
    failures.extend(ids.into_iter().map(|id| (id, error.clone())));
}

/// Result of an update in a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Updated {
    /// The item has its new attributes.
    Done,
    /// This call does not update it: the item is missing, or the statement is not accepted.
    NotByThisCall,
}

/// Sets attributes of existing items and removes one, whatever else they have; one result each, in order.
pub(super) async fn update(
    client: &Client,
    table: &str,
    ids: &[FactId],
    set: &[(&str, AttributeValue)],
    remove: &str,
) -> Vec<PortResult<Updated>> {
    let assignments: String = set.iter().map(|(name, _)| format!(r#"SET "{name}" = ? "#)).collect();
    let statement = format!(r#"UPDATE "{table}" {assignments}REMOVE "{remove}" WHERE "id" = ?"#);
    // Two statements of a call must not have the same key.
    let unique: BTreeSet<FactId> = ids.iter().copied().collect();
    let unique: Vec<FactId> = unique.into_iter().collect();
    let mut results = HashMap::with_capacity(unique.len());
    for ids in unique.chunks(PUT) {
        update_chunk(client, &statement, ids.to_vec(), set, &mut results).await;
    }
    let operation = "BatchExecuteStatement";
    ids.iter().map(|id| results.get(id).cloned().unwrap_or_else(|| Err(throttled(operation)))).collect()
}

async fn update_chunk(
    client: &Client,
    statement: &str,
    mut ids: Vec<FactId>,
    set: &[(&str, AttributeValue)],
    results: &mut HashMap<FactId, PortResult<Updated>>,
) {
    let operation = "BatchExecuteStatement";
    for pause in PAUSES.into_iter().map(Some).chain([None]) {
        let statements = ids.iter().map(|id| {
            let values = set.iter().map(|(_, value)| value.clone()).chain([item::id(*id).1]).collect();
            BatchStatementRequest::builder().statement(statement).set_parameters(Some(values)).build()
        });
        let statements: Result<Vec<BatchStatementRequest>, _> = statements.collect();
        let statements = match statements {
            Ok(statements) => statements,
            Err(error) => return results.extend(ids.into_iter().map(|id| (id, Err(rejected(operation, &error))))),
        };
        let answer = client.batch_execute_statement().set_statements(Some(statements)).send().await;
        let answers = match answer {
            Ok(answer) => answer.responses.unwrap_or_default(),
            Err(error) => {
                let result = unless_refused(failure::of(operation, error));
                return results.extend(ids.into_iter().map(|id| (id, result.clone())));
            }
        };
        // The answers come in the order of the statements.
        let mut again = Vec::new();
        for (place, id) in ids.into_iter().enumerate() {
            match answers.get(place).map(|answer| updated(operation, answer.error.as_ref())) {
                Some(Err(error)) if error.kind == FailureKind::Unavailable => {
                    results.insert(id, Err(error));
                    again.push(id);
                }
                Some(result) => drop(results.insert(id, result)),
                None => again.push(id),
            }
        }
        ids = again;
        let Some(pause) = pause.filter(|_| !ids.is_empty()) else { return };
        tokio::time::sleep(pause).await;
    }
}

fn updated(operation: &'static str, error: Option<&BatchStatementError>) -> PortResult<Updated> {
    let Some(error) = error else { return Ok(Updated::Done) };
    let code = error.code().map_or("no code", |code| code.as_str());
    unless_refused(failure::of_entry(operation, code, error.message(), code != "InternalServerError"))
}

/// A refusal may be of the statement rather than the update, so another call must tell.
fn unless_refused(error: PortError) -> PortResult<Updated> {
    match error.kind {
        FailureKind::Rejected | FailureKind::Unrecognized => Ok(Updated::NotByThisCall),
        _ => Err(error),
    }
}

fn write_request(item: item::Item) -> Option<WriteRequest> {
    let put = PutRequest::builder().set_item(Some(item)).build().ok()?;
    Some(WriteRequest::builder().put_request(put).build())
}

fn throttled(operation: &'static str) -> PortError {
    PortError { operation, kind: FailureKind::Unavailable, detail: "items stayed unprocessed".into() }
}

fn rejected(operation: &'static str, error: &dyn std::error::Error) -> PortError {
    PortError { operation, kind: FailureKind::Rejected, detail: error.to_string() }
}
