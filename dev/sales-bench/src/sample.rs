//! The sale that is sold again and again.

use sales::clock::Timestamp;
use sales::region::Region;
use sales::sale::{Amount, InvalidSale, Product, Sale, SaleId};

/// What was sold.
pub(crate) const PRODUCT: &str = "O Pequeno Principe";

/// For how much.
pub(crate) const AMOUNT: &str = "14";

/// Where: the region of the services under measurement, too.
pub(crate) const REGION: &str = "sa-east-1";

/// The sale under this id.
pub(crate) fn sale(id: SaleId, timestamp: Timestamp) -> Result<Sale, InvalidSale> {
    let (product, amount) = (Product::new(PRODUCT.to_owned())?, Amount::from_json_number(AMOUNT)?);
    Ok(Sale { id, product, amount, timestamp, region: region() })
}

/// The region that accepts it.
pub(crate) fn region() -> Option<Region> {
    REGION.parse().ok()
}
