//! Clients, and the responses they got.

use std::{
    collections::BTreeSet,
    sync::{
        MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::{
    StreamExt,
    future::{join, join_all},
    stream,
};
use reqwest::{Method, StatusCode};
use sales_testbed::testing::eventually;
use serde_json::{Value, json};

use crate::pipeline::{Pipeline, TestRegion};

/// Clients that post concurrently.
const CLIENTS: usize = 8;

/// Pause of a client under load between two sales: about eight sales a second for all of them.
const PACE: Duration = Duration::from_millis(800);

/// Facts answered with 201 and 204.
#[derive(Debug, Default, Clone)]
pub(crate) struct Promised {
    pub(crate) sales: BTreeSet<String>,
    pub(crate) cancelled: BTreeSet<String>,
}

/// Outcome of a POST, as its client sees it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// 201 with this id.
    Accepted(String),
    /// 200: its key had already registered this id.
    Repeated(String),
    /// 503: retry.
    Unavailable,
    /// No response: the outcome is unknown.
    BrokenOff,
}

impl Pipeline {
    /// Posts one sale.
    pub(crate) async fn post(&self, site: &TestRegion) -> Answer {
        static POSTED: AtomicUsize = AtomicUsize::new(0);
        let product = format!("Livro {}", POSTED.fetch_add(1, Ordering::Relaxed));
        self.send(site, json!({ "product": product, "amount": 14.5 }), None).await
    }

    /// Posts the order of this key.
    pub(crate) async fn post_order(&self, site: &TestRegion, key: &str) -> Answer {
        self.send(site, json!({ "product": key, "amount": 0.1 }), Some(key)).await
    }

    async fn send(&self, site: &TestRegion, body: Value, key: Option<&str>) -> Answer {
        let request = self.client.post(format!("{}/sales", site.api.url())).body(body.to_string());
        let request = key.into_iter().fold(request, |request, key| request.header("idempotency-key", key));
        let Ok(answer) = request.send().await else { return Answer::BrokenOff };
        match answer.status() {
            StatusCode::CREATED | StatusCode::OK => {}
            StatusCode::SERVICE_UNAVAILABLE => {
                assert!(answer.headers().contains_key("retry-after"));
                return Answer::Unavailable;
            }
            other => panic!("a POST was answered with {other}"),
        }
        let is_new = answer.status() == StatusCode::CREATED;
        // An incomplete response promises nothing.
        let Ok(sale) = answer.json::<Value>().await else { return Answer::BrokenOff };
        let id = sale["id"].as_str().unwrap().to_owned();
        if !is_new {
            return Answer::Repeated(id);
        }
        assert!(self.promised().sales.insert(id.clone()), "{id} was new twice");
        Answer::Accepted(id)
    }

    /// Posts until this many sales are accepted, some concurrently; returns their ids.
    pub(crate) async fn accept(&self, site: &TestRegion, sales: usize) -> Vec<String> {
        stream::iter(0..sales).map(|_| self.accept_one(site)).buffer_unordered(CLIENTS).collect().await
    }

    /// On a busy machine, the emulator may be slower than the API's timeout: a client that gets 503 retries.
    async fn accept_one(&self, site: &TestRegion) -> String {
        eventually("a sale is accepted", async || match self.post(site).await {
            Answer::Accepted(id) => Some(id),
            Answer::Unavailable => None,
            other => panic!("{other:?} instead of a sale accepted in {}", site.region.name),
        })
        .await
    }

    /// Cancels a sale, which must succeed.
    pub(crate) async fn cancel(&self, site: &TestRegion, id: &str) {
        assert_eq!(self.status(Method::DELETE, site, id).await, StatusCode::NO_CONTENT);
        self.promised().cancelled.insert(id.to_owned());
    }

    /// The response about a sale, other than 503.
    pub(crate) async fn status(&self, method: Method, site: &TestRegion, id: &str) -> StatusCode {
        let url = format!("{}/sales/{id}", site.api.url());
        eventually("there is an answer", async || {
            let answer = self.client.request(method.clone(), &url).send().await.unwrap();
            Some(answer.status()).filter(|status| *status != StatusCode::SERVICE_UNAVAILABLE)
        })
        .await
    }

    /// Clients post to these regions, and tolerate rejections and broken connections, until `events` is over.
    pub(crate) async fn under_load(&self, sites: &[&TestRegion], events: impl Future<Output = ()>) {
        let over = AtomicBool::new(false);
        let client = async |site| {
            while !over.load(Ordering::Relaxed) {
                self.post(site).await;
                tokio::time::sleep(PACE).await;
            }
        };
        let clients = join_all(sites.iter().cycle().take(CLIENTS).map(|site| client(site)));
        let events = async {
            events.await;
            over.store(true, Ordering::Relaxed);
        };
        join(clients, events).await;
    }

    /// Waits until this many more sales are accepted.
    pub(crate) async fn more_accepted(&self, sales: usize) {
        let enough = self.promised().sales.len() + sales;
        let accepted = async || (self.promised().sales.len() >= enough).then_some(());
        eventually(&format!("{sales} more sales are accepted"), accepted).await;
    }

    pub(crate) fn promised(&self) -> MutexGuard<'_, Promised> {
        self.promised.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
