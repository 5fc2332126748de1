//! Registering a sale: put into the table first, announced after the response.

use sales::event::Event;
use sales::ports::{InsertSale, PortError, SaleTable, StoredSale};
use sales::sale::{Amount, Fact, IdempotencyKey, Product, Sale, SaleId};
use sales::trace::TraceParent;
use thiserror::Error;

use crate::sales::Sales;
use crate::sign_in::caller::Caller;

/// A client's order.
#[derive(Clone, Debug)]
pub struct Order {
    /// The product.
    pub product: Product,
    /// The price.
    pub amount: Amount,
}

/// Outcome of an order.
#[derive(Debug)]
pub enum Registered {
    /// A new sale.
    Accepted(Sale),
    /// The sale that its key had already registered.
    Repeated(StoredSale),
}

/// Why an order did not become a sale.
#[derive(Debug, Error)]
pub enum RegisterError {
    /// The key belongs to a different order of the client.
    #[error("key was already used for another order")]
    KeyReused,
    /// It is unknown whether the sale is in the table.
    #[error(transparent)]
    Table(#[from] PortError),
}

/// Registers an order. Once `Accepted` is returned, the sale will reach the lake.
pub async fn register_sale<T: SaleTable>(
    sales: &Sales<T>,
    order: Order,
    key: Option<&IdempotencyKey>,
    caller: &Caller,
    trace: TraceParent,
) -> Result<Registered, RegisterError> {
    let client = caller.client();
    let new = || SaleId::new(sales.entropy.uuid_v7(&sales.clock));
    let id = key.map_or_else(new, |key| SaleId::from_key(client, key));
    let sale = Sale {
        id,
        product: order.product,
        amount: order.amount,
        timestamp: sales.clock.now(),
        region: Some(sales.site.region().clone()),
        client: client.cloned(),
    };
    if key.is_some() {
        // On the heap: each request reserves space for its largest await, and most requests have no key.
        match Box::pin(sales.table.insert_sale(&sale)).await? {
            InsertSale::Inserted => {}
            InsertSale::AlreadyExists(stored) if stored.sale.same_order(&sale) => {
                sales.metrics.repeated.inc();
                return Ok(Registered::Repeated(stored));
            }
            InsertSale::AlreadyExists(_) => return Err(RegisterError::KeyReused),
        }
    } else {
        sales.writes.put(sale.clone()).await?;
    }
    sales.metrics.accepted.inc();
    let event = Event { fact: Fact::Sale(sale.clone()), home: sales.site.home(), trace: Some(trace) };
    sales.announcer.announce(event);
    Ok(Registered::Accepted(sale))
}
