//! Cancelling a sale: the cancellation is a fact of its own; the sale stays unchanged.

use sales::event::Event;
use sales::ports::{Insert, PortError, SaleTable};
use sales::sale::{Cancellation, Fact, SaleId};
use sales::trace::TraceParent;

use crate::sales::Sales;
use crate::sign_in::caller::Caller;

/// Outcome of a request to cancel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancelled {
    /// The sale is cancelled now.
    Now,
    /// It was cancelled before.
    Before,
    /// There is no such sale, as far as the caller may know.
    UnknownSale,
}

/// Cancels a sale. Once `Now` is returned, the cancellation will reach the lake.
pub async fn cancel_sale<T: SaleTable>(
    sales: &Sales<T>,
    id: SaleId,
    caller: &Caller,
    trace: TraceParent,
) -> Result<Cancelled, PortError> {
    let sale = match sales.table.find(id).await?.filter(|found| caller.may_see(&found.stored.sale)) {
        None => return Ok(Cancelled::UnknownSale),
        Some(found) if found.cancelled => return Ok(Cancelled::Before),
        Some(found) => found.stored.sale,
    };
    let (region, client) = (Some(sales.site.region().clone()), caller.client().cloned());
    let (timestamp, sale_timestamp) = (sales.clock.now(), Some(sale.timestamp));
    let fact = Fact::Cancellation(Cancellation { sale: id, timestamp, sale_timestamp, region, client });
    if sales.table.insert(&fact).await? == Insert::AlreadyExists {
        return Ok(Cancelled::Before);
    }
    sales.metrics.cancelled.inc();
    sales.announcer.announce(Event { fact, home: sales.site.home(), trace: Some(trace) });
    Ok(Cancelled::Now)
}
