//! Where keys may be fetched: over HTTPS, but for this machine.

use std::net::{Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// An address of an issuer, or of its keys: HTTPS, or HTTP to this machine.
#[must_use]
pub fn parse(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let is_allowed = match url.scheme() {
        "https" => url.has_host(),
        "http" => is_on_this_machine(&url),
        _ => false,
    };
    (is_allowed && url.username().is_empty() && url.password().is_none()).then_some(url)
}

/// An address that the issuer at `of` names: HTTPS, or on this machine as the issuer itself is.
#[must_use]
pub fn parse_named(text: &str, of: &Url) -> Option<Url> {
    parse(text).filter(|url| url.scheme() == "https" || is_on_this_machine(of))
}

fn is_on_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => Ipv4Addr::is_loopback(&address),
        Some(Host::Ipv6(address)) => Ipv6Addr::is_loopback(&address),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_asked_without_tls() {
        for text in
            ["https://issuer.example/pool", "http://127.0.0.1:9000/pool", "http://[::1]/", "http://localhost:1/"]
        {
            assert!(parse(text).is_some(), "{text}");
        }
        for text in [
            "http://issuer.example/",
            "http://127.0.0.1.example/",
            "http://localhost.example/",
            "http://10.0.0.1/",
            "https://user@issuer.example/",
            "https://:secret@issuer.example/",
            "ftp://127.0.0.1/",
            "issuer.example",
            "",
        ] {
            assert!(parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn an_issuer_elsewhere_names_no_address_on_this_machine_without_tls() {
        let (elsewhere, here) = (parse("https://issuer.example").unwrap(), parse("http://127.0.0.1:9").unwrap());
        assert!(parse_named("http://127.0.0.1:8080/keys", &elsewhere).is_none());
        assert!(parse_named("http://127.0.0.1:8080/keys", &here).is_some());
        assert!(parse_named("https://keys.example/", &elsewhere).is_some());
        assert!(parse_named("http://keys.example/", &here).is_none());
    }
}
