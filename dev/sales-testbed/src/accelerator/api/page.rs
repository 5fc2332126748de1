//! Pagination of lists.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{super::resources::Identity, ApiError};

const DEFAULT_SIZE: usize = 10;
const LARGEST: usize = 100;

/// The requested page of a list.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Page {
    max_results: Option<usize>,
    next_token: Option<String>,
}

impl Page {
    /// The response with this page of the `items`, as the member `name`. `list` identifies the list, since a token is
    /// valid only for the list that returned it.
    ///
    /// A token holds the last item's position in the order of creation, so nothing is skipped or repeated if something
    /// is created or deleted between two pages.
    pub(super) fn answer<'item>(
        &self,
        list: &str,
        name: &str,
        items: impl Iterator<Item = (&'item Identity, Value)>,
    ) -> Result<Value, ApiError> {
        let size = self.max_results.unwrap_or(DEFAULT_SIZE);
        if !(1..=LARGEST).contains(&size) {
            return Err(ApiError::invalid(format!("MaxResults must be between 1 and {LARGEST}")));
        }
        let after = self.after(list)?;
        let mut rest = items.filter(|(identity, _)| identity.serial > after).peekable();
        let mut last = after;
        let page: Vec<_> = rest.by_ref().take(size).inspect(|(identity, _)| last = identity.serial).collect();
        let mut answer = json!({ name: page.into_iter().map(|(_, item)| item).collect::<Vec<_>>() });
        if rest.peek().is_some() {
            answer["NextToken"] = format!("{last}@{list}").into();
        }
        Ok(answer)
    }

    fn after(&self, list: &str) -> Result<u64, ApiError> {
        let Some(token) = &self.next_token else { return Ok(0) };
        let serial = token.split_once('@').filter(|(_, of)| *of == list).and_then(|(serial, _)| serial.parse().ok());
        serial.ok_or_else(|| ApiError::new("InvalidNextTokenException", "the token is not from this list"))
    }
}
