//! Finding a sale: a cancelled sale is as unknown as one that never existed.

use sales::ports::{PortError, SaleTable, StoredSale};
use sales::sale::SaleId;

use crate::sales::Sales;

/// The sale with this id, unless it is cancelled.
pub async fn find_sale<T: SaleTable>(sales: &Sales<T>, id: SaleId) -> Result<Option<StoredSale>, PortError> {
    let found = sales.table.find(id).await?;
    Ok(found.filter(|found| !found.cancelled).map(|found| found.stored))
}
