//! The HTTP client for what listens on this machine: directly, without TLS, and so without anything that could be set for either.

use reqwest::{Client, ClientBuilder};

/// A client that asks no proxy and reads no certificates.
pub fn builder() -> ClientBuilder {
    Client::builder().no_proxy().tls_certs_only([])
}
