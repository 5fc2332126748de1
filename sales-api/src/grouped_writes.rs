//! Grouped writes: a lone sale is put at once; sales that arrive while puts are in flight are put together.

use std::time::Duration;

use sales::ports::{FailureKind, PortError, PortResult, SaleTable};
use sales::sale::Sale;
use sales_service::gathering::Gathering;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;

/// Sales of one server thread that may wait for their put; the API rejects one more with 503 instead of making it wait.
const WAITING: usize = 4096;

/// Puts the new sales of one server thread. Cheap to clone.
#[derive(Clone, Debug)]
pub struct GroupedWrites {
    waiting: mpsc::Sender<Write>,
}

#[derive(Debug)]
struct Write {
    sale: Sale,
    done: oneshot::Sender<PortResult<()>>,
}

impl GroupedWrites {
    /// Grouped writes to `table` on this thread, until the last clone of the result is dropped.
    pub fn start<T: SaleTable>(table: T, metrics: Metrics) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        let gathering = Gathering { batch: T::GROUP, eager: 8, in_flight: 8, pace: Duration::ZERO };
        actix_web::rt::spawn(gathering.run(receiver, CancellationToken::new(), move |group: Vec<Write>| {
            let (table, metrics) = (table.clone(), metrics.clone());
            async move { put(&table, &metrics, group).await }
        }));
        Self { waiting: sender }
    }

    /// Puts a sale with a unique id, and waits until it is in the table.
    pub async fn put(&self, sale: Sale) -> PortResult<()> {
        let (done, result) = oneshot::channel();
        let overloaded = |detail: &str| PortError {
            operation: "PutItem",
            kind: FailureKind::Unavailable,
            detail: detail.to_owned(),
        };
        self.waiting.try_send(Write { sale, done }).map_err(|_| overloaded("too many sales waiting for their put"))?;
        result.await.unwrap_or_else(|_| Err(overloaded("the put was abandoned")))
    }
}

/// Puts a group; each sale has its own result.
async fn put<T: SaleTable>(table: &T, metrics: &Metrics, group: Vec<Write>) {
    // A client that no longer waits got a 503: its sale must not be put now, since no one would know of it.
    let (sales, waiting): (Vec<_>, Vec<_>) =
        group.into_iter().filter(|write| !write.done.is_closed()).map(|write| (write.sale, write.done)).unzip();
    if sales.is_empty() {
        return;
    }
    metrics.group_size.observe(sales.len() as f64);
    for (done, result) in waiting.into_iter().zip(table.insert_new_sales(&sales).await) {
        // An error means that the client has gone; its sale is in the table, pending, and will be swept.
        let _ = done.send(result);
    }
}
