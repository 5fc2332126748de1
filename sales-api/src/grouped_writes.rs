//! Grouped writes: a lone sale is put at once; sales that arrive while puts are in flight are put together.

use sales::ports::{FailureKind, PortError, PortResult, SaleTable};
use sales::sale::Sale;
use sales_service::batcher::{Batcher, Unsent};
use sales_service::gathering::Gathering;

use crate::metrics::Metrics;

/// Sales of one server thread that may wait for their put; the API rejects one more with 503 instead of making it wait.
const WAITING: usize = 4096;

/// Concurrent puts of one server thread.
const IN_FLIGHT: usize = 8;

/// Puts the new sales of one server thread. Cheap to clone.
#[derive(Clone, Debug)]
pub struct GroupedWrites(Batcher<Sale, PortResult<()>>);

impl GroupedWrites {
    /// Grouped writes to `table` on this thread, until the last clone of the result is dropped.
    ///
    /// A client that no longer waits got a 503: its sale is not put, since no one would know of it.
    pub fn start<T: SaleTable>(table: T, metrics: Metrics) -> Self {
        Self(Batcher::start(Gathering::at_once(T::GROUP, IN_FLIGHT), WAITING, move |sales: Vec<Sale>| {
            metrics.group_size.observe(sales.len() as f64);
            let table = table.clone();
            async move { table.insert_new_sales(&sales).await }
        }))
    }

    /// Puts a sale with a unique id, and waits until it is in the table.
    pub async fn put(&self, sale: Sale) -> PortResult<()> {
        let overloaded = |detail: &str| {
            Err(PortError { operation: "PutItem", kind: FailureKind::Unavailable, detail: detail.to_owned() })
        };
        match self.0.try_call(sale).await {
            Ok(result) => result,
            Err(Unsent::NoRoom) => overloaded("too many sales waiting for their put"),
            Err(Unsent::Abandoned) => overloaded("the put was abandoned"),
        }
    }
}
