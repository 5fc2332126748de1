//! Posts one sale: a connection of its own, one attempt.

use std::time::Duration;

use reqwest::{Client, StatusCode};
use sales::{clock::Timestamp, sale::SaleId};
use serde::Deserialize;
use url::Url;

use super::token::Tokens;
use crate::cloud::{connections, services::reason};

/// Longer than the API's own timeout (5 s).
const PATIENCE: Duration = Duration::from_secs(10);

/// Characters of a response shown.
const TOLD: usize = 200;

/// Posts sales.
#[derive(Debug, Clone)]
pub(super) struct Poster {
    client: Client,
    sales: Url,
    tokens: Tokens,
}

/// A sale answered with 201.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Accepted {
    /// Its id.
    pub(super) id: SaleId,
    /// Time of acceptance, by the API's clock.
    pub(super) at: Timestamp,
    /// The region that accepted it, if the response names it.
    pub(super) region: Option<String>,
}

/// A request that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failed {
    /// The status, or what happened instead.
    pub(super) status: String,
    /// The reason.
    pub(super) reason: String,
}

/// The response to a sale; other fields do not matter.
#[derive(Deserialize)]
struct Answer {
    id: String,
    timestamp: i64,
    region: Option<String>,
}

/// Any other response, RFC 9457.
#[derive(Deserialize)]
struct Problem {
    detail: String,
}

impl Poster {
    /// Posts to the API at this address.
    pub(super) fn new(mut url: Url, tokens: Tokens) -> anyhow::Result<Self> {
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        let builder = Client::builder().timeout(PATIENCE).pool_max_idle_per_host(0);
        Ok(Self { client: connections::client(&url, builder)?, sales: url.join("sales")?, tokens })
    }

    /// Posts one sale.
    pub(super) async fn post(&self, body: String) -> Result<Accepted, Failed> {
        let token =
            self.tokens.current().await.map_err(|error| Failed::new("no token", shown(&format!("{error:#}"))))?;
        let request = self.client.post(self.sales.clone()).body(body);
        let answer = token.into_iter().fold(request, |request, token| request.bearer_auth(token)).send().await;
        let answer = answer.map_err(|error| self.unanswered(&error))?;
        let status = answer.status();
        let text = answer.text().await.map_err(|error| self.unanswered(&error))?;
        if status == StatusCode::CREATED {
            return accepted(&text).ok_or_else(|| Failed::new("no sale in the answer", shown(&text)));
        }
        let problem = serde_json::from_str::<Problem>(&text).map(|problem| problem.detail);
        if status == StatusCode::UNAUTHORIZED && self.tokens.are_none() {
            let next = "the API asks for a token: set token_command in salesctl.toml, or SALES_TOKEN";
            return Err(Failed::new(status.as_str(), next.to_owned()));
        }
        Err(Failed::new(status.as_str(), shown(&problem.unwrap_or(text))))
    }

    fn unanswered(&self, error: &reqwest::Error) -> Failed {
        let what = match () {
            () if error.is_timeout() => "timeout",
            () if error.is_connect() => "no connection",
            () => "no answer",
        };
        Failed::new(what, reason(&self.sales, error))
    }
}

impl Failed {
    /// A failure.
    pub(super) fn new(status: &str, reason: String) -> Self {
        Self { status: status.to_owned(), reason }
    }
}

fn accepted(text: &str) -> Option<Accepted> {
    let Answer { id, timestamp, region } = serde_json::from_str(text).ok()?;
    Some(Accepted { id: id.parse().ok()?, at: Timestamp::from_unix_seconds(timestamp)?, region })
}

/// On one line, without characters that control a terminal.
fn shown(text: &str) -> String {
    text.chars().take(TOLD).collect::<String>().escape_debug().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_says_which_sale_it_is_and_where_it_was_accepted() {
        let id = "0192f5c0-7c1d-7a3e-8f11-0123456789ab";
        let answer =
            format!(r#"{{"id":"{id}","product":"Livro","amount":1,"timestamp":1764547199,"region":"sa-east-1"}}"#);
        let sale = accepted(&answer).unwrap();
        assert_eq!((sale.id.to_string(), sale.region.as_deref()), (id.to_owned(), Some("sa-east-1")));
        assert_eq!(sale.at.unix_seconds(), 1_764_547_199);
        for wrong in ["", "<html>", r#"{"id":"1","timestamp":1}"#, r#"{"timestamp":1}"#] {
            assert_eq!(accepted(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn sales_are_below_the_address_with_and_without_a_slash_at_its_end() {
        for (url, sales) in [
            ("http://localhost:8080", "http://localhost:8080/sales"),
            ("https://example.com/shop", "https://example.com/shop/sales"),
            ("https://example.com/shop/", "https://example.com/shop/sales"),
        ] {
            assert_eq!(Poster::new(url.parse().unwrap(), Tokens::None).unwrap().sales.as_str(), sales);
        }
    }
}
