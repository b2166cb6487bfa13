//! Certificate files that specifications name.

use longshore_core::{Error, Result};
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};

/// The authorities that may have signed a server's certificate: those of the file that the field `ssl_root_certificate` names, otherwise the system's.
///
/// # Errors
/// `certificate_unreadable`, with the field.
pub fn roots(file: Option<&str>) -> Result<RootCertStore> {
    let mut store = RootCertStore::empty();
    if let Some(file) = file {
        for certificate in chain(file, "/ssl_root_certificate")? {
            store
                .add(certificate)
                .map_err(|error| unreadable(file, "/ssl_root_certificate", &error))?;
        }
        return Ok(store);
    }
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "a certificate of the system can not be read");
    }
    store.add_parsable_certificates(found.certs);
    Ok(store)
}

/// The certificates (PEM) in a file that `field`, a JSON pointer, names.
///
/// # Errors
/// `certificate_unreadable`, with the field.
pub fn chain(file: &str, field: &str) -> Result<Vec<CertificateDer<'static>>> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_file_iter(file)
        .map_err(|error| unreadable(file, field, &error))?
        .collect();
    let read = read.map_err(|error| unreadable(file, field, &error))?;
    if read.is_empty() {
        return Err(Error::config(
            "certificate_unreadable",
            format!("{file} holds no certificate in PEM form"),
        )
        .with_field(field));
    }
    Ok(read)
}

/// A file with a certificate or key can not be used.
#[must_use]
pub fn unreadable(file: &str, field: &str, cause: &(dyn std::error::Error + 'static)) -> Error {
    Error::config("certificate_unreadable", format!("{file} can not be read"))
        .with_field(field)
        .with_cause(cause)
}
