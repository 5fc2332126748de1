//! TLS with a certificate of an authority that exists only as long as the process, and that clients are told to trust.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::TlsAcceptor;

/// A TLS acceptor for this machine. Writes the certificate of its authority, as PEM.
pub(super) fn acceptor(certificate: &Path) -> anyhow::Result<TlsAcceptor> {
    let authority = authority()?;
    fs::write(certificate, authority.pem()).with_context(|| format!("cannot write {}", certificate.display()))?;

    let key = KeyPair::generate()?;
    let server =
        CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()])?.signed_by(&key, &authority)?;
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![server.der().clone()], key.into())?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn authority() -> anyhow::Result<CertifiedIssuer<'static, KeyPair>> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "AWS endpoint of sales-bench");
    Ok(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?)
}
