//! Finding a sale: one that is cancelled, or of another client, is as unknown as one that never existed.

use sales::ports::{PortError, SaleTable, StoredSale};
use sales::sale::SaleId;

use crate::sales::Sales;
use crate::sign_in::caller::Caller;

/// The sale with this id, unless it is cancelled, or the caller may not know of it.
pub async fn find_sale<T: SaleTable>(
    sales: &Sales<T>,
    id: SaleId,
    caller: &Caller,
) -> Result<Option<StoredSale>, PortError> {
    let found = sales.table.find(id).await?;
    let found = found.filter(|found| !found.cancelled && caller.may_see(&found.stored.sale));
    Ok(found.map(|found| found.stored))
}
