//! What stands between the source and the server in a test: TLS, or an old server's way to fail.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer},
};

use super::Database;

/// A listener before a server; it ends with the value.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    serving: JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Speaks TLS for a server that does not, as `localhost`. The second part is a file with the authority to trust.
pub(crate) async fn with_tls(database: &Database, directory: &std::path::Path) -> (Proxy, PathBuf) {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".to_owned()])
        .unwrap()
        .signed_by(&key, &authority)
        .unwrap();
    let file = directory.join("authority.pem");
    std::fs::write(&file, authority.pem()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let server = address(database);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = tokio::spawn(async move {
        let mut connections = tokio::task::JoinSet::new();
        while let Ok((client, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            connections.spawn(async move {
                // A client that does not trust the certificate goes away: that is its test.
                let Ok(mut client) = acceptor.accept(client).await else {
                    return;
                };
                let mut server = TcpStream::connect(server).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    (Proxy { port, serving }, file)
}

/// Passes everything on, but ends the first ordered read as servers before 24.11 end a query that fails on its way: with the words of an exception after the
/// data, the body ended in good order. The words come in two pieces, as the network likes.
pub(crate) async fn failing_once(database: &Database, exception: &'static str) -> Proxy {
    let server = address(database);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = tokio::spawn(async move {
        let mut failed = false;
        // One after the other: the source asks one thing at a time here.
        while let Ok((mut client, _)) = listener.accept().await {
            let Some(request) = request(&mut client).await else {
                continue;
            };
            let fails = !failed && find(&request, b"ORDER BY `at`").is_some();
            failed |= fails;
            let mut upstream = TcpStream::connect(server).await.unwrap();
            upstream.write_all(&request).await.unwrap();
            let mut answer = Vec::new();
            let _ = upstream.read_to_end(&mut answer).await;
            if fails {
                answer = ended_by(&answer, exception);
            }
            let _ = client.write_all(&answer).await;
        }
    });
    Proxy { port, serving }
}

fn address(database: &Database) -> SocketAddr {
    format!("{}:{}", database.server.host(), database.server.port())
        .parse()
        .unwrap()
}

/// A whole request, changed so that its answer ends the connection.
async fn request(client: &mut TcpStream) -> Option<Vec<u8>> {
    let mut request = Vec::new();
    loop {
        let mut part = vec![0; 65_536];
        let count = client.read(&mut part).await.ok().filter(|count| *count > 0)?;
        request.extend_from_slice(&part[..count]);
        let Some(head_end) = find(&request, b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8_lossy(&request[..head_end]).to_lowercase();
        let length = head
            .split("content-length: ")
            .nth(1)
            .and_then(|rest| rest.split("\r\n").next())
            .map_or(0, |length| length.trim().parse().unwrap());
        if request.len() >= head_end + 4 + length {
            request.splice(head_end..head_end, b"\r\nConnection: close".iter().copied());
            return Some(request);
        }
    }
}

/// The answer without its end mark and with these words instead.
fn ended_by(answer: &[u8], exception: &str) -> Vec<u8> {
    let head_end = find(answer, b"\r\n\r\n").unwrap();
    let head = String::from_utf8_lossy(&answer[..head_end]);
    assert!(head.to_lowercase().contains("transfer-encoding: chunked"), "{head}");
    let kept: Vec<&str> = head
        .split("\r\n")
        .filter(|line| !line.to_lowercase().starts_with("x-clickhouse-exception"))
        .collect();
    let mut data = joined(&answer[head_end + 4..]);
    data.truncate(data.len() - 8);
    let (first, second) = exception.as_bytes().split_at(exception.len() / 2);
    let mut changed = format!("{}\r\n\r\n", kept.join("\r\n")).into_bytes();
    for chunk in [&data[..], first, second, &[]] {
        changed.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        changed.extend_from_slice(chunk);
        changed.extend_from_slice(b"\r\n");
    }
    changed
}

fn joined(mut chunked: &[u8]) -> Vec<u8> {
    let mut data = Vec::new();
    while let Some(end) = find(chunked, b"\r\n") {
        let length = usize::from_str_radix(std::str::from_utf8(&chunked[..end]).unwrap(), 16).unwrap();
        data.extend_from_slice(&chunked[end + 2..end + 2 + length]);
        chunked = &chunked[end + 2 + length + 2..];
    }
    data
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
