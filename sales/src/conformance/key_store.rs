//! The keys of issuers: each region's own.

use super::{Ports, Regions};
use crate::ports::KeyStore;

const ISSUER: &str = "https://issuer.example/pool";
const KEYS: &str = r#"{"keys":[{"kty":"EC","kid":"á"}]}"#;

/// Neither in an empty store, nor for another issuer.
pub async fn an_issuer_whose_keys_were_never_saved_has_none(regions: &Regions<impl Ports>) {
    let store = regions.here.key_store();
    assert_eq!(store.load(ISSUER).await.expect("loaded"), None);
    store.save("https://issuer.example/", KEYS).await.expect("saved");
    assert_eq!(store.load(ISSUER).await.expect("loaded"), None);
}

/// By any task, and at once.
pub async fn the_keys_that_were_saved_last_are_loaded(regions: &Regions<impl Ports>) {
    for keys in [KEYS, "{}", KEYS] {
        regions.here.key_store().save(ISSUER, keys).await.expect("saved");
        assert_eq!(regions.here.key_store().load(ISSUER).await.expect("loaded").as_deref(), Some(keys));
    }
}

/// Two regions never write the same item.
pub async fn the_other_region_has_keys_of_its_own(regions: &Regions<impl Ports>) {
    let (here, there) = (regions.here.key_store(), regions.there.key_store());
    here.save(ISSUER, KEYS).await.expect("saved");
    assert_eq!(there.load(ISSUER).await.expect("loaded"), None);
    there.save(ISSUER, "{}").await.expect("saved");
    assert_eq!(here.load(ISSUER).await.expect("loaded").as_deref(), Some(KEYS));
}
