//! What DynamoDB answers, in its JSON protocol.

mod query;
mod reads;
mod writes;

use serde::Deserialize;

use super::answer::{Answer, JSON_1_0};

pub(super) use query::query;
pub(super) use reads::{batch_get, get};
pub(super) use writes::{ONE, batch_write, put, update};

/// The key of an item.
#[derive(Deserialize)]
struct Key<'a> {
    #[serde(borrow)]
    id: Text<'a>,
}

/// An attribute that is a string; one with escaped characters is none of ours.
#[derive(Deserialize)]
struct Text<'a> {
    #[serde(rename = "S")]
    text: &'a str,
}

/// An attribute that is a number.
#[derive(Deserialize)]
struct Number<'a> {
    #[serde(rename = "N")]
    digits: &'a str,
}

/// Nothing to say: an item was written, or is not there.
pub(super) fn nothing() -> Answer {
    Answer::fixed(JSON_1_0, "{}")
}

/// Nothing of a batch is left unprocessed.
pub(super) fn all_written() -> Answer {
    Answer::fixed(JSON_1_0, r#"{"UnprocessedItems":{}}"#)
}
