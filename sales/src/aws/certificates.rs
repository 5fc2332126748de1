//! The certificates that calls of AWS trust, where variables replace the system's.

use std::path::Path;

/// Which of `SSL_CERT_FILE` and `SSL_CERT_DIR`, given by their values, leaves no trusted certificates, and what is wrong with
/// it. Without any, the TLS library ends the process at its first call.
#[must_use]
pub fn invalid_certificates(file: Option<&str>, directory: Option<&str>) -> Option<(&'static str, String)> {
    if let Some(path) = file
        && !std::fs::read(path).is_ok_and(|text| String::from_utf8_lossy(&text).contains("BEGIN CERTIFICATE"))
    {
        return Some(("SSL_CERT_FILE", format!("must be a file with certificates (PEM), not {path:?}")));
    }
    let path = directory.filter(|path| !Path::new(path).is_dir())?;
    Some(("SSL_CERT_DIR", format!("must be a directory, not {path:?}")))
}
