//! HTTP clients of helpers.

use std::sync::Once;

use reqwest::{Client, ClientBuilder};

/// The beginning of a client for plain HTTP on this machine, whatever proxy the environment names.
pub fn client() -> ClientBuilder {
    static PROVIDER: Once = Once::new();
    // The client insists on a TLS provider, although nothing here uses TLS; one that is there already serves as well.
    PROVIDER.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
    Client::builder().no_proxy()
}
