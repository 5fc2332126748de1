//! The HTTP client for this machine: direct and without TLS, and thus independent of settings for either.

use reqwest::{Client, ClientBuilder};

/// A client that uses no proxy and reads no certificates.
pub fn builder() -> ClientBuilder {
    Client::builder().no_proxy().tls_certs_only([])
}
