//! The keys of issuers that each region knows.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Client, CloudService};
use crate::ports::{KeyStore, PortResult};

/// The real one's deadline.
const DEADLINE: Duration = Duration::from_millis(4_200);

/// The keys of each issuer.
pub(super) type IssuerKeys = BTreeMap<String, String>;

/// [`KeyStore`] in memory.
#[derive(Clone)]
pub struct MemoryKeyStore(Client);

impl Client {
    /// The keys of issuers.
    #[must_use]
    pub fn key_store(&self) -> MemoryKeyStore {
        MemoryKeyStore(self.clone())
    }
}

impl KeyStore for MemoryKeyStore {
    async fn load(&self, issuer: &str) -> PortResult<Option<String>> {
        let (region, issuer) = (self.0.region, issuer.to_owned());
        let load = self.0.call(CloudService::SaleTable, "GetItem", DEADLINE, move |state, _, _| {
            state.issuer_keys[region].get(&issuer).cloned()
        });
        load.await
    }

    async fn save(&self, issuer: &str, keys: &str) -> PortResult<()> {
        let (region, issuer, keys) = (self.0.region, issuer.to_owned(), keys.to_owned());
        let save = self.0.call(CloudService::SaleTable, "PutItem", DEADLINE, move |state, _, _| {
            state.issuer_keys[region].insert(issuer.clone(), keys.clone());
        });
        save.await
    }
}
