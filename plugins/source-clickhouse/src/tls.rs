//! TLS with rustls: the server's certificate and name are always checked.

use std::sync::Arc;

use longshore_sdk::{certificates, prelude::*};
use rustls::{ClientConfig, crypto::ring};

use crate::spec::Spec;

/// The TLS settings that the specification asks for. Reads the certificate file.
///
/// # Errors
/// `certificate_unreadable` with the field that names the file; `no_trusted_certificates` when the system has none.
pub(crate) fn client_config(spec: &Spec) -> Result<ClientConfig> {
    let roots = certificates::roots(spec.ssl_root_certificate.as_deref())?;
    if roots.is_empty() {
        return Err(
            Error::config("no_trusted_certificates", "No authority can be trusted").with_field("/ssl_root_certificate")
        );
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::internal("tls_unusable", "TLS can not be set up").with_cause(&error))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}
