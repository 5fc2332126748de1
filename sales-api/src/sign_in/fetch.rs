//! Fetches the keys of an issuer: without redirects, within a deadline, and never more than a set of keys can be.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::header::{ACCEPT, HeaderValue, USER_AGENT};
use hyper::{Request, StatusCode};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::crypto::aws_lc_rs;
use sales::ports::{FailureKind, PortError, PortResult};
use serde::Deserialize;
use url::Url;

use super::address;
use super::keys::KeySet;

/// The operation, as dependencies are told of it.
pub const OPERATION: &str = "FetchKeys";

/// Time for the discovery document and the keys together.
pub const DEADLINE: Duration = Duration::from_secs(5);

/// Maximum size of a document.
const LARGEST_DOCUMENT: usize = 256 * 1024;

/// Where an issuer's keys are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Where its discovery document says.
    Discovery,
    /// At this address.
    Address(Url),
}

/// The members of a discovery document that are read (OpenID Connect Discovery, section 3).
#[derive(Deserialize)]
struct Discovered {
    issuer: String,
    jwks_uri: String,
}

/// A client for documents of issuers. Cheap to clone.
#[derive(Clone)]
pub struct Fetcher(Client<HttpsConnector<HttpConnector>, Empty<Bytes>>);

impl Fetcher {
    /// A client that trusts the certificates that AWS calls trust.
    ///
    /// # Errors
    /// If there are no such certificates.
    pub fn new() -> io::Result<Self> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let connector = HttpsConnectorBuilder::new().with_provider_and_native_roots(provider)?;
        let connector = connector.https_or_http().enable_http1().build();
        // A connection that is used once a minute is closed before it is needed again.
        Ok(Self(Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector)))
    }

    /// Fetches the keys of `issuer`.
    ///
    /// # Errors
    /// If they cannot be fetched in time, or no key can be used.
    pub async fn keys(&self, issuer: &str, source: &Source) -> PortResult<KeySet> {
        let fetched = tokio::time::timeout(DEADLINE, self.fetch(issuer, source)).await;
        fetched.unwrap_or_else(|_| Err(unavailable(format!("no answer within {} s", DEADLINE.as_secs()))))
    }

    async fn fetch(&self, issuer: &str, source: &Source) -> PortResult<KeySet> {
        let address = match source {
            Source::Address(address) => address.clone(),
            Source::Discovery => self.discover(issuer).await?,
        };
        let keys = self.document(&address).await?;
        KeySet::parse(&keys).map_err(|error| invalid(format!("{address}: {error}")))
    }

    async fn discover(&self, issuer: &str) -> PortResult<Url> {
        let text = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let address = address::parse(&text).ok_or_else(|| invalid(format!("{text} is no address")))?;
        let document = self.document(&address).await?;
        let discovered: Discovered = serde_json::from_slice(&document)
            .map_err(|_| invalid(format!("{address}: no discovery document with issuer and jwks_uri")))?;
        if discovered.issuer != issuer {
            return Err(invalid(format!("{address}: the discovery document is that of another issuer")));
        }
        address::parse_named(&discovered.jwks_uri, &address)
            .ok_or_else(|| invalid(format!("{address}: jwks_uri is no https address")))
    }

    async fn document(&self, address: &Url) -> PortResult<Bytes> {
        let request = Request::get(address.as_str())
            .header(ACCEPT, HeaderValue::from_static("application/json"))
            .header(USER_AGENT, HeaderValue::from_static(concat!("sales-api/", env!("CARGO_PKG_VERSION"))))
            .body(Empty::new())
            .map_err(|error| invalid(format!("{address}: {error}")))?;
        let answer = self.0.request(request).await.map_err(|error| unavailable(causes(address, &error)))?;
        match answer.status() {
            StatusCode::OK => {}
            status if status.is_redirection() => {
                return Err(invalid(format!("{address}: {status}, and redirects are not followed")));
            }
            status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                return Err(unavailable(format!("{address}: {status}")));
            }
            status => return Err(invalid(format!("{address}: {status}"))),
        }
        let body = Limited::new(answer.into_body(), LARGEST_DOCUMENT).collect().await;
        Ok(body.map_err(|error| unavailable(causes(address, &*error)))?.to_bytes())
    }
}

fn causes(address: &Url, error: &(dyn Error + 'static)) -> String {
    let mut text = address.to_string();
    let mut cause = Some(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

fn unavailable(detail: String) -> PortError {
    PortError { operation: OPERATION, kind: FailureKind::Unavailable, detail }
}

fn invalid(detail: String) -> PortError {
    PortError { operation: OPERATION, kind: FailureKind::Invalid, detail }
}
