//! What the services of a region report about themselves.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use reqwest::{Client, StatusCode};
use serde::{Deserialize, Serialize};
use url::Url;

use super::{connections, trouble::Trouble};

/// Timeout of a request to a service.
const PATIENCE: Duration = Duration::from_secs(2);

/// The report of a service that responded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ServiceReport {
    /// Whether all its dependencies are available.
    pub(crate) ready: bool,
    /// The region's state as this service knows it.
    pub(crate) state: String,
    /// Failing dependencies, with their conditions.
    pub(crate) failing: BTreeMap<String, String>,
}

/// Response of `/readiness`.
#[derive(Deserialize)]
struct Readiness {
    status: u16,
    region: String,
    state: String,
    dependencies: BTreeMap<String, String>,
}

/// Client of the services. It opens a new connection each time: an existing one does not show whether new ones succeed.
#[derive(Debug, Default)]
pub(crate) struct Services(Mutex<HashMap<String, Client>>);

impl Services {
    /// A client without connections.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// The client for a service's host; `key` is the setting of its URL.
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

    /// Reads the readiness of the service at the URL of the setting `key`.
    pub(crate) async fn ask(&self, key: &str, url: Option<&Url>) -> Result<ServiceReport, Trouble> {
        let readiness = self.readiness(key, url).await?;
        let is_well = |state: &String| matches!(state.as_str(), "ok" | "unknown");
        Ok(ServiceReport {
            ready: readiness.status == 200,
            state: readiness.state,
            failing: readiness.dependencies.into_iter().filter(|(_, state)| !is_well(state)).collect(),
        })
    }

    /// Whether the API at the URL of the setting `key` reports its region as ACTIVE, as the health checks of DNS ask
    /// it.
    pub(crate) async fn is_active(&self, key: &str, url: Option<&Url>) -> Result<bool, Trouble> {
        let address = address(key, url, "active")?;
        let answer = self.client(key, &address)?.get(address.clone()).send().await;
        match answer.map_err(|error| Trouble::new(reason(&address, &error)))?.status() {
            StatusCode::OK => Ok(true),
            StatusCode::SERVICE_UNAVAILABLE => Ok(false),
            other => Err(Trouble::new(format_args!("{address}: unexpected status {other}: expected 200 or 503"))),
        }
    }

    /// The region that responds at the URL of the setting `key`, over a new connection.
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

/// The URL of a route below the URL of the setting `key`.
fn address(key: &str, url: Option<&Url>, path: &str) -> Result<Url, Trouble> {
    let url = url.ok_or_else(|| Trouble::not_set(key))?;
    below(url, path)
        .ok_or_else(|| Trouble::new(format_args!("invalid {key} \"{url}\": expected http(s)://HOST[:PORT]")))
}

/// A URL below another one, which may have a path.
pub(crate) fn below(url: &Url, path: &str) -> Option<Url> {
    let mut url = url.clone();
    url.path_segments_mut().ok()?.pop_if_empty().push(path);
    Some(url)
}

/// The URL that failed, and the root cause.
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
