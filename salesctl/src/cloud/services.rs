//! What the services of a region say of themselves.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use reqwest::{Client, StatusCode};
use serde::{Deserialize, Serialize};
use url::Url;

use super::{connections, trouble::Trouble};

/// How long a service that is looked at may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// A service that answered, with what it says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ServiceReport {
    /// Whether all that it needs works.
    pub(crate) ready: bool,
    /// The region's state as this service knows it.
    pub(crate) state: String,
    /// What it depends on and is not well, with how it is.
    pub(crate) failing: BTreeMap<String, String>,
}

/// The answer of `/readiness`.
#[derive(Deserialize)]
struct Readiness {
    status: u16,
    region: String,
    state: String,
    dependencies: BTreeMap<String, String>,
}

/// Asks services. A new connection each time, since one that is open says nothing of whether others get in.
#[derive(Debug, Default)]
pub(crate) struct Services(Mutex<HashMap<String, Client>>);

impl Services {
    /// Somebody who asks.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// The client for the services of a host, which the setting `key` names.
    fn client(&self, key: &str, url: &Url) -> Result<Client, Trouble> {
        let mut clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let host = url.origin().ascii_serialization();
        if let Some(client) = clients.get(&host) {
            return Ok(client.clone());
        }
        let builder = Client::builder().timeout(PATIENCE).connect_timeout(PATIENCE / 2).pool_max_idle_per_host(0);
        let client = connections::client(url, builder);
        let client = client.map_err(|error| Trouble::new(format_args!("{key}: {error:#}")))?;
        clients.insert(host, client.clone());
        Ok(client)
    }

    /// Asks the service whose address the setting `key` holds.
    pub(crate) async fn ask(&self, key: &str, url: Option<&Url>) -> Result<ServiceReport, Trouble> {
        let readiness = self.readiness(key, url).await?;
        let is_well = |state: &String| matches!(state.as_str(), "ok" | "unknown");
        Ok(ServiceReport {
            ready: readiness.status == 200,
            state: readiness.state,
            failing: readiness.dependencies.into_iter().filter(|(_, state)| !is_well(state)).collect(),
        })
    }

    /// Whether the API whose address the setting `key` holds says that its region is ACTIVE, as the health checks of DNS
    /// ask it.
    pub(crate) async fn is_active(&self, key: &str, url: Option<&Url>) -> Result<bool, Trouble> {
        let address = address(key, url, "active")?;
        let answer = self.client(key, &address)?.get(address.clone()).send().await;
        match answer.map_err(|error| Trouble::new(reason(&address, &error)))?.status() {
            StatusCode::OK => Ok(true),
            StatusCode::SERVICE_UNAVAILABLE => Ok(false),
            other => Err(Trouble::new(format_args!("{address}: unexpected status {other}: expected 200 or 503"))),
        }
    }

    /// The region that answers where the setting `key` says, over a connection of its own.
    pub(crate) async fn region_at(&self, key: &str, url: Option<&Url>) -> Result<String, Trouble> {
        Ok(self.readiness(key, url).await?.region)
    }

    async fn readiness(&self, key: &str, url: Option<&Url>) -> Result<Readiness, Trouble> {
        let address = address(key, url, "readiness")?;
        let client = self.client(key, &address)?;
        let answer = async { client.get(address.clone()).send().await?.json::<Readiness>().await };
        answer.await.map_err(|error| Trouble::new(reason(&address, &error)))
    }
}

/// Where to ask for something at the address that the setting `key` holds.
fn address(key: &str, url: Option<&Url>, path: &str) -> Result<Url, Trouble> {
    let url = url.ok_or_else(|| Trouble::not_set(key))?;
    below(url, path)
        .ok_or_else(|| Trouble::new(format_args!("invalid {key} \"{url}\": expected http(s)://HOST[:PORT]")))
}

/// An address below another one, which may have a path of its own.
pub(crate) fn below(url: &Url, path: &str) -> Option<Url> {
    let mut url = url.clone();
    url.path_segments_mut().ok()?.pop_if_empty().push(path);
    Some(url)
}

/// Where nobody answered, and the last cause of it.
pub(crate) fn reason(url: &Url, error: &reqwest::Error) -> String {
    let what = match () {
        () if error.is_timeout() => "no answer in time".to_owned(),
        () if error.is_decode() => "unexpected response: not from this service".to_owned(),
        () => std::iter::successors(std::error::Error::source(error), |error| error.source())
            .last()
            .map_or_else(|| error.to_string(), ToString::to_string),
    };
    format!("{url}: {what}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_kept() {
        for (url, expected) in [
            ("http://api:8080", "http://api:8080/readiness"),
            ("https://example.com/prod/", "https://example.com/prod/readiness"),
            ("https://example.com/prod", "https://example.com/prod/readiness"),
        ] {
            assert_eq!(below(&url.parse().unwrap(), "readiness").unwrap().as_str(), expected);
        }
    }
}
