//! Connections: through the proxy of the usual variables, except to this machine and to link-local addresses.

use std::net::IpAddr;

use anyhow::Context;
use aws_smithy_http_client::{
    Builder, Connector,
    proxy::ProxyConfig,
    tls::{self, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{
    connector_metadata::ConnectorMetadata,
    http::{
        HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
    },
    orchestrator::HttpRequest,
    result::ConnectorError,
    runtime_components::RuntimeComponents,
};
use reqwest::{Client, ClientBuilder};
use sales::aws::invalid_certificates;
use url::{Host, Url};

/// The variables that name a proxy, those for HTTPS first.
const PROXIES: [&str; 6] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy"];

/// Whether an address is this machine's own, or one where a machine or container requests its credentials: a proxy
/// would reach something else at such an address.
pub(crate) fn is_near(url: &Url) -> bool {
    let is_near = |address: IpAddr| match address.to_canonical() {
        IpAddr::V4(address) => address.is_loopback() || address.is_link_local() || address.is_unspecified(),
        // The last is the metadata address of EC2 and ECS.
        IpAddr::V6(address) => {
            address.is_loopback() || address.is_unspecified() || address.segments()[..3] == [0xfd00, 0x0ec2, 0]
        }
    };
    match url.host() {
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            name == "localhost" || name.ends_with(".localhost")
        }
        Some(Host::Ipv4(address)) => is_near(address.into()),
        Some(Host::Ipv6(address)) => is_near(address.into()),
        None => false,
    }
}

/// The first variable that sets a proxy, with the proxy's address.
pub(crate) fn proxy() -> Option<String> {
    let named =
        PROXIES.into_iter().find_map(|name| Some((name, std::env::var(name).ok()?)).filter(|(_, url)| !url.is_empty()));
    named.map(|(name, url)| match Url::parse(&url).ok().and_then(|url| Some((url.host()?.to_owned(), url.port()))) {
        // Without the user name and password that it may contain.
        Some((host, Some(port))) => format!("{name} is {host}:{port}"),
        Some((host, None)) => format!("{name} is {host}"),
        None => format!("{name} is set"),
    })
}

/// An HTTP client for this address.
pub(crate) fn client(url: &Url, builder: ClientBuilder) -> anyhow::Result<Client> {
    let builder = if is_near(url) { builder.no_proxy() } else { builder };
    // Unreadable certificates do not matter where none is needed.
    let is_plain = url.scheme() == "http" && (is_near(url) || proxy().is_none());
    let builder = if is_plain { builder.tls_certs_only([]) } else { builder };
    builder.build().context("cannot create an HTTP client")
}

/// Connector of the SDK's clients.
pub(super) fn of_sdk() -> SharedHttpClient {
    let encrypted = |proxy: ProxyConfig| {
        Builder::new().build_with_connector_fn(move |settings, components| {
            let mut connector =
                Connector::builder().tls_provider(tls::Provider::Rustls(CryptoMode::AwsLc)).proxy_config(proxy.clone());
            connector.set_connector_settings(settings.cloned());
            connector.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
            connector.build()
        })
    };
    let set = |name: &str| std::env::var(name).ok().filter(|path| !path.is_empty());
    SharedHttpClient::new(Ways {
        plain: Builder::new().build_http(),
        direct: encrypted(ProxyConfig::disabled()),
        proxied: encrypted(ProxyConfig::from_env()),
        fault: invalid_certificates(set("SSL_CERT_FILE").as_deref(), set("SSL_CERT_DIR").as_deref())
            .map(|(variable, problem)| format!("{variable} {problem}")),
    })
}

/// The connectors for all destinations.
#[derive(Debug, Clone)]
struct Ways {
    /// For near destinations without TLS; reads no certificates.
    plain: SharedHttpClient,
    /// For other near destinations.
    direct: SharedHttpClient,
    /// For remote destinations.
    proxied: SharedHttpClient,
    /// Why none of them can be encrypted.
    fault: Option<String>,
}

/// Selects a connector for each request.
#[derive(Debug)]
struct Choice {
    ways: Ways,
    settings: HttpConnectorSettings,
    components: RuntimeComponents,
}

impl HttpClient for Ways {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let (ways, settings, components) = (self.clone(), settings.clone(), components.clone());
        SharedHttpConnector::new(Choice { ways, settings, components })
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.plain.connector_metadata()
    }
}

impl HttpConnector for Choice {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        if let Some(fault) = self.ways.fault.as_deref().filter(|_| request.uri().starts_with("https:")) {
            return HttpConnectorFuture::ready(Err(ConnectorError::user(fault.into())));
        }
        let way = match Url::parse(request.uri()) {
            Ok(url) if is_near(&url) && url.scheme() == "http" => &self.ways.plain,
            Ok(url) if is_near(&url) => &self.ways.direct,
            _ => &self.ways.proxied,
        };
        // Each keeps the connectors it has made.
        way.http_connector(&self.settings, &self.components).call(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_and_where_credentials_come_from_are_near() {
        for url in [
            "http://localhost:8080/sales",
            "http://sa.localhost./",
            "http://127.0.0.1:4567",
            "http://127.1.2.3",
            "https://[::1]:8080",
            "http://[::ffff:127.0.0.1]/",
            "http://169.254.169.254/latest",
            "http://169.254.170.2/v2",
            "http://[fd00:ec2::254]/latest",
        ] {
            assert!(is_near(&url.parse().unwrap()), "{url}");
        }
        for url in
            ["https://ssm.sa-east-1.amazonaws.com", "http://localhost.example", "http://10.0.0.1", "http://[fd00::1]"]
        {
            assert!(!is_near(&url.parse().unwrap()), "{url}");
        }
    }
}
