//! TLS with rustls: what each `sslmode` checks.

use std::sync::Arc;

use longshore_sdk::{certificates, prelude::*};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
};

use crate::spec::{Spec, SslMode};

/// The TLS settings that the specification asks for. Reads the certificate files.
///
/// # Errors
/// `certificate_unreadable` with the field that names the file; `no_trusted_certificates` when the system has none.
pub(crate) fn client_config(spec: &Spec) -> Result<ClientConfig> {
    let provider = Arc::new(ring::default_provider());
    let verifier = verifier(spec, &provider)?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::internal("tls_unusable", "TLS can not be set up").with_cause(&error))?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let (Some(certificate), Some(key)) = (&spec.ssl_client_certificate, &spec.ssl_client_key) else {
        return Ok(builder.with_no_client_auth());
    };
    let chain = certificates::chain(certificate, "/ssl_client_certificate")?;
    let key =
        PrivateKeyDer::from_pem_file(key).map_err(|error| certificates::unreadable(key, "/ssl_client_key", &error))?;
    builder.with_client_auth_cert(chain, key).map_err(|error| {
        Error::config("certificate_unusable", "The client's certificate and key do not fit")
            .with_field("/ssl_client_key")
            .with_cause(&error)
    })
}

fn verifier(spec: &Spec, provider: &Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>> {
    let checked = |checks_name: bool| -> Result<Arc<dyn ServerCertVerifier>> {
        let roots = Arc::new(certificates::roots(spec.ssl_root_certificate.as_deref())?);
        let verifier = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(provider))
            .build()
            .map_err(|error| {
                Error::config("no_trusted_certificates", "No authority can be trusted")
                    .with_field("/ssl_root_certificate")
                    .with_cause(&error)
            })?;
        Ok(if checks_name {
            verifier
        } else {
            Arc::new(AnyName(verifier))
        })
    };
    match spec.sslmode.unwrap_or_default() {
        SslMode::VerifyFull => checked(true),
        SslMode::VerifyCa => checked(false),
        // As libpq does: who names an authority wants it checked.
        SslMode::Require if spec.ssl_root_certificate.is_some() => checked(false),
        SslMode::Require | SslMode::Prefer | SslMode::Disable => Ok(Arc::new(Unchecked(Arc::clone(provider)))),
    }
}

/// Checks who signed the certificate, but not for which host: `verify-ca`.
#[derive(Debug)]
struct AnyName(Arc<WebPkiServerVerifier>);

/// Encrypts without checking who answers: `require` and `prefer`.
#[derive(Debug)]
struct Unchecked(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        // The name is the last thing the inner verifier looks at: when only the name is wrong, the chain is right.
        match self
            .0
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
        {
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            result => result,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

impl ServerCertVerifier for Unchecked {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
