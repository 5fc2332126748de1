//! The sale that is posted repeatedly.

use sales::clock::Timestamp;
use sales::region::Region;
use sales::sale::{Amount, InvalidSale, Product, Sale, SaleId};

/// The product.
pub(crate) const PRODUCT: &str = "O Pequeno Principe";

/// The price.
pub(crate) const AMOUNT: &str = "14";

/// The region, also of the services under measurement.
pub(crate) const REGION: &str = "sa-east-1";

/// The sale under this id.
pub(crate) fn sale(id: SaleId, timestamp: Timestamp) -> Result<Sale, InvalidSale> {
    let (product, amount) = (Product::new(PRODUCT.to_owned())?, Amount::from_json_number(AMOUNT)?);
    Ok(Sale { id, product, amount, timestamp, region: region() })
}

/// The region that does not accept it.
pub(crate) fn other_region() -> Option<Region> {
    "us-east-1".parse().ok()
}

/// The region that accepts it.
pub(crate) fn region() -> Option<Region> {
    REGION.parse().ok()
}
