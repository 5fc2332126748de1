//! DynamoDB's responses, in its JSON protocol.

mod query;
mod reads;
mod writes;

use serde::Deserialize;

use super::answer::{Answer, JSON_1_0};

pub(super) use query::query;
pub(super) use reads::{Held, batch_get, get};
pub(super) use writes::{Flagged, Units, Written, batch_write, execute, put, update};

/// Substring of the name of the table of marks and leases.
const MARKS: &str = "idempotency";

/// The key of an item.
#[derive(Deserialize)]
struct Key<'a> {
    #[serde(borrow)]
    id: Text<'a>,
}

/// A string attribute; the services send none with escaped characters.
#[derive(Deserialize)]
struct Text<'a> {
    #[serde(rename = "S")]
    text: &'a str,
}

/// A number attribute.
#[derive(Deserialize)]
struct Number<'a> {
    #[serde(rename = "N")]
    digits: &'a str,
}

/// An empty response: an item was written, or does not exist.
pub(super) fn nothing() -> Answer {
    Answer::fixed(JSON_1_0, "{}")
}

/// A batch without unprocessed items.
pub(super) fn all_written() -> Answer {
    Answer::fixed(JSON_1_0, r#"{"UnprocessedItems":{}}"#)
}
