//! Registering a sale: into the table first; announced behind the answer.

use sales::event::Event;
use sales::ports::{InsertSale, PortError, SaleTable, StoredSale};
use sales::sale::{Amount, Fact, IdempotencyKey, Product, Sale, SaleId};
use sales::trace::TraceParent;
use thiserror::Error;

use crate::sales::Sales;

/// What a client orders.
#[derive(Clone, Debug)]
pub struct Order {
    /// What.
    pub product: Product,
    /// For how much.
    pub amount: Amount,
}

/// What became of an order.
#[derive(Debug)]
pub enum Registered {
    /// It is a new sale.
    Accepted(Sale),
    /// Its key had registered this sale before.
    Repeated(StoredSale),
}

/// Why an order is no sale.
#[derive(Debug, Error)]
pub enum RegisterError {
    /// The key belongs to a sale of something else.
    #[error("key was already used for another order")]
    KeyReused,
    /// Nobody can tell whether the sale is in the table.
    #[error(transparent)]
    Table(#[from] PortError),
}

/// Registers an order. Once `Accepted` is returned, the sale will reach the lake.
pub async fn register_sale<T: SaleTable>(
    sales: &Sales<T>,
    order: Order,
    key: Option<&IdempotencyKey>,
    trace: TraceParent,
) -> Result<Registered, RegisterError> {
    let id = key.map_or_else(|| SaleId::new(sales.entropy.uuid_v7(&sales.clock)), SaleId::from_key);
    let sale = Sale {
        id,
        product: order.product,
        amount: order.amount,
        timestamp: sales.clock.now(),
        region: Some(sales.site.region().clone()),
    };
    if key.is_some() {
        // On the heap: each request has room for what it may wait for, and most of them have no key.
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
