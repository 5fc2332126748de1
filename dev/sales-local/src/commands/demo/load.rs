//! Posts sales to the common address, each until it is answered.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use futures::{StreamExt, TryStreamExt, stream};
use reqwest::{Client, Response, StatusCode};
use serde::Deserialize;
use tokio::{sync::watch, time::sleep};
use uuid::Uuid;

const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// Longer than it takes to find a region unhealthy and replace it.
const ANSWER_DEADLINE: Duration = Duration::from_secs(60);

#[derive(Deserialize)]
struct Accepted {
    id: String,
}

/// A client of the pipeline.
#[derive(Debug)]
pub(crate) struct Load {
    client: Client,
    sales: String,
}

impl Load {
    /// A client of the API at `address`.
    pub(crate) fn new(address: &str) -> anyhow::Result<Self> {
        // A new connection for each request: the accelerator's stand-in chooses a region per connection, not per
        // request.
        let client =
            sales_testbed::http_client::builder().pool_max_idle_per_host(0).timeout(Duration::from_secs(10)).build()?;
        Ok(Self { client, sales: format!("{address}/sales") })
    }

    /// Posts `count` sales, `concurrency` at a time, reports their number to `answered`, and returns their ids.
    pub(crate) async fn post(
        &self,
        count: usize,
        concurrency: usize,
        answered: &watch::Sender<usize>,
    ) -> anyhow::Result<BTreeSet<String>> {
        let ids: BTreeSet<_> = stream::iter(0..count)
            .map(async |number| {
                let id = self.post_one(number).await?;
                answered.send_modify(|answered| *answered += 1);
                anyhow::Ok(id)
            })
            .buffer_unordered(concurrency)
            .try_collect()
            .await?;
        if ids.len() != count {
            bail!("{count} sales got only {} different ids", ids.len());
        }
        Ok(ids)
    }

    /// The key makes a retry safe: the same key is the same sale.
    async fn post_one(&self, number: usize) -> anyhow::Result<String> {
        let key = Uuid::new_v4().to_string();
        let body = format!(r#"{{"product":"book {number}","amount":{}.{:02}}}"#, 1 + number % 90, number % 100);
        let request = || self.client.post(&self.sales).header("Idempotency-Key", &key).body(body.clone());
        let answer = until_answered(request).await.with_context(|| format!("posting sale {number}"))?;
        match answer.status() {
            StatusCode::CREATED | StatusCode::OK => Ok(answer.json::<Accepted>().await?.id),
            status => bail!("posting sale {number} was answered with {status}: {}", answer.text().await?),
        }
    }

    /// Cancels a sale.
    pub(crate) async fn cancel(&self, id: &str) -> anyhow::Result<()> {
        let answer = until_answered(|| self.client.delete(format!("{}/{id}", self.sales))).await?;
        match answer.status() {
            StatusCode::NO_CONTENT => Ok(()),
            status => bail!("cancelling {id} was answered with {status}: {}", answer.text().await?),
        }
    }
}

/// Retries while connections fail and the service is unavailable, as a client of the API should.
async fn until_answered(request: impl Fn() -> reqwest::RequestBuilder) -> anyhow::Result<Response> {
    let deadline = Instant::now() + ANSWER_DEADLINE;
    loop {
        let failure = match request().send().await {
            Ok(answer) if answer.status() != StatusCode::SERVICE_UNAVAILABLE => return Ok(answer),
            Ok(answer) => format!("it was answered with {}", answer.status()),
            Err(error) => format!("{:#}", anyhow::Error::from(error)),
        };
        if Instant::now() > deadline {
            bail!("no answer within {} s, last because {failure}", ANSWER_DEADLINE.as_secs());
        }
        sleep(RETRY_PAUSE).await;
    }
}
