//! An authority and a certificate for `localhost` that it has signed, made anew for each run of the tests.

use std::{fs, path::PathBuf, sync::OnceLock};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

/// Where the files are. Lives as long as the process.
pub(crate) struct Certificates {
    directory: TempDir,
}

impl Certificates {
    pub(crate) fn directory(&self) -> &std::path::Path {
        self.directory.path()
    }

    /// The authority that signed the server's certificate.
    pub(crate) fn authority(&self) -> PathBuf {
        self.directory().join("ca.crt")
    }

    /// Another authority, which signed nothing.
    pub(crate) fn stranger(&self) -> PathBuf {
        self.directory().join("stranger.crt")
    }
}

pub(crate) fn certificates() -> &'static Certificates {
    static CERTIFICATES: OnceLock<Certificates> = OnceLock::new();
    CERTIFICATES.get_or_init(|| {
        let directory = TempDir::new().unwrap();
        let write = |name: &str, text: String| fs::write(directory.path().join(name), text).unwrap();
        let authority_key = KeyPair::generate().unwrap();
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        write("ca.crt", authority.self_signed(&authority_key).unwrap().pem());
        let stranger_key = KeyPair::generate().unwrap();
        write(
            "stranger.crt",
            authority.clone().self_signed(&stranger_key).unwrap().pem(),
        );
        let issuer = Issuer::new(authority, authority_key);
        let server_key = KeyPair::generate().unwrap();
        let server = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        write("server.crt", server.signed_by(&server_key, &issuer).unwrap().pem());
        write("server.key", server_key.serialize_pem());
        // The server runs as another user when the tests run as root.
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        }
        Certificates { directory }
    })
}
