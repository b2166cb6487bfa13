//! What networks do: authorities of one's own, connections that end or never do, names that lead nowhere.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    http::{Version, request::Parts},
    response::IntoResponse,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use longshore_sdk::{harness::UncertainRows, prelude::*};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::{Value as Json, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::Notify,
    task::JoinHandle,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer},
};

use crate::{
    endpoint::{Endpoint, answer},
    rows::{destination, events, profiles, spec},
};

/// Few attempts, and short waits.
fn impatient(more: &[(&str, Json)]) -> Json {
    let mut changes = json!({
        "timeouts": { "connect": "2s", "request": "400ms", "idle": "10s" },
        "retry": { "max_attempts": 2, "first_delay": "5ms" },
        "concurrency": 1,
    });
    for (key, value) in more {
        changes[*key] = value.clone();
    }
    changes
}

/// How a connection ends when a request has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Not at all.
    Never,
    /// The first one is told that the server goes away, in the middle of the first request, which is still answered (GOAWAY).
    GoAway,
    /// The first one breaks off in the middle of the first request.
    Breaks,
}

/// A server behind TLS, as `localhost`; it ends with the value.
struct TlsServer {
    address: SocketAddr,
    authority: PathBuf,
    /// Keeps the file.
    _folder: tempfile::TempDir,
    seen: Arc<Mutex<Vec<(Version, Json)>>>,
    connections: Arc<AtomicUsize>,
    serving: JoinHandle<()>,
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl TlsServer {
    async fn start(end: End) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = folder.path().join("authority.pem");
        let acceptor = acceptor(&authority);
        let (seen, connections) = (Arc::default(), Arc::<AtomicUsize>::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (log, counter) = (Arc::clone(&seen), Arc::clone(&connections));
        let serving = tokio::spawn(async move {
            let mut tasks = tokio::task::JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let is_first = counter.fetch_add(1, Ordering::Relaxed) == 0;
                let end = if is_first { end } else { End::Never };
                tasks.spawn(serve(acceptor.clone(), client, Arc::clone(&log), end));
            }
        });
        Self {
            address,
            authority,
            _folder: folder,
            seen,
            connections,
            serving,
        }
    }

    fn spec(&self, target: &str, changes: &Json) -> Json {
        let mut spec = spec(self.address, target, changes);
        spec["base_url"] = json!(format!("https://localhost:{}", self.address.port()));
        spec
    }

    fn trusted(&self) -> (&'static str, Json) {
        ("ssl_root_certificate", json!(self.authority))
    }
}

fn acceptor(authority_file: &PathBuf) -> TlsAcceptor {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    std::fs::write(authority_file, authority.pem()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &authority).unwrap();
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

async fn serve(acceptor: TlsAcceptor, client: TcpStream, log: Arc<Mutex<Vec<(Version, Json)>>>, end: End) {
    // A client that does not trust the certificate goes away: that is its test.
    let Ok(client) = acceptor.accept(client).await else {
        return;
    };
    let (came, goes_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (told, waits) = (Arc::clone(&came), Arc::clone(&goes_on));
    let handler = move |head: Parts, body: Bytes| {
        let (log, told, waits) = (Arc::clone(&log), Arc::clone(&told), Arc::clone(&waits));
        async move {
            log.lock()
                .unwrap()
                .push((head.version, serde_json::from_slice(&body).unwrap()));
            if end != End::Never {
                told.notify_one();
                waits.notified().await;
            }
            (axum::http::StatusCode::ACCEPTED, r#"{"code":"SUCCESS"}"#).into_response()
        }
    };
    let builder = auto::Builder::new(TokioExecutor::new());
    let service = TowerToHyperService::new(Router::new().fallback(handler));
    let connection = builder.serve_connection(TokioIo::new(client), service);
    tokio::pin!(connection);
    loop {
        tokio::select! {
            _ = connection.as_mut() => return,
            () = came.notified() => match end {
                End::Breaks => return,
                End::GoAway | End::Never => {
                    connection.as_mut().graceful_shutdown();
                    goes_on.notify_one();
                }
            }
        }
    }
}

fn numbers(requests: &[(Version, Json)]) -> Vec<i64> {
    let operations = requests.iter().flat_map(|(_, body)| body.as_array().unwrap());
    let events = operations.flat_map(|operation| operation["events"].as_array().unwrap());
    events
        .map(|event| event["attributes"]["number"].as_i64().unwrap())
        .collect()
}

#[tokio::test]
async fn an_authority_of_ones_own_is_trusted_by_its_file_and_http_2_is_spoken_where_it_is_offered() {
    let server = TlsServer::start(End::Never).await;
    let (table, batch) = profiles(1_000);
    let strange = destination(server.spec("profile_attributes", &impatient(&[]))).await;
    let error = strange
        .write(table.clone(), WriteMode::Overwrite, std::slice::from_ref(&batch))
        .await
        .unwrap_err();
    assert_eq!(error.code, "unreachable");
    assert!(error.remedy.contains("certificates"), "{}", error.remedy);
    // Each request is counted: none may be given up because the machine is busy.
    let patient = ("timeouts", json!({ "connect": "10s", "request": "10s", "idle": "10s" }));
    let known = destination(server.spec("profile_attributes", &impatient(&[server.trusted(), patient]))).await;
    let before = server.connections.load(Ordering::Relaxed);
    let written = known.write(table, WriteMode::Overwrite, &[batch]).await.unwrap();
    assert_eq!(written.counts.delivered, 1_000);
    let seen = server.seen.lock().unwrap();
    assert!(
        seen.iter().all(|(version, _)| *version == Version::HTTP_2),
        "{:?}",
        seen[0].0
    );
    assert_eq!(seen.len(), 5);
    let connections = server.connections.load(Ordering::Relaxed) - before;
    assert_eq!(connections, 1, "a connection is kept for the next request");
}

#[tokio::test]
async fn a_certificate_file_that_can_not_be_read_is_named() {
    let changes = json!({ "ssl_root_certificate": "/no/such/file", "base_url": "https://localhost:9" });
    let refused = longshore_sdk::harness::DestinationHarness::configure::<longshore_destination_batch::BatchDestination>(
        spec("127.0.0.1:9", "profile_attributes", &changes),
    );
    let error = refused.await.err().unwrap();
    assert_eq!(
        (error.code.as_str(), error.field.as_str()),
        ("certificate_unreadable", "/ssl_root_certificate")
    );
}

#[tokio::test]
async fn a_server_that_goes_away_in_good_order_makes_nothing_uncertain() {
    let server = TlsServer::start(End::GoAway).await;
    let mut changes = impatient(&[server.trusted()]);
    changes["timeouts"]["request"] = json!("30s");
    let harness = destination(server.spec("profile_events", &changes)).await;
    let (table, batch) = events(1_000, 1_000);
    let written = harness.write(table, WriteMode::Append, &[batch]).await.unwrap();
    assert_eq!((written.counts.delivered, written.resent), (1_000, 0));
    let mut numbers = numbers(&server.seen.lock().unwrap());
    numbers.sort_unstable();
    assert_eq!(numbers, (0..1_000).collect::<Vec<_>>(), "each once");
    assert!(server.connections.load(Ordering::Relaxed) > 1);
}

#[tokio::test]
async fn an_http_2_connection_that_breaks_makes_its_request_uncertain() {
    let server = TlsServer::start(End::Breaks).await;
    let mut changes = impatient(&[server.trusted()]);
    changes["timeouts"]["request"] = json!("30s");
    let harness = destination(server.spec("profile_events", &changes)).await;
    let (table, batch) = events(1_000, 1_000);
    let written = harness.write(table, WriteMode::Append, &[batch]).await.unwrap();
    assert_eq!(written.counts.delivered, 1_000);
    let numbers = numbers(&server.seen.lock().unwrap());
    let repeated = numbers.len() - 1_000;
    assert!(repeated > 0);
    assert_eq!(written.resent, repeated as u64, "and it was announced");
}

/// A server that begins an answer and never ends it: a byte now and then. Gives its address.
async fn dripping(head: &'static str) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move {
        let mut tasks = tokio::task::JoinSet::new();
        while let Ok((mut client, _)) = listener.accept().await {
            tasks.spawn(async move {
                let mut request = [0; 65_536];
                let _ = client.read(&mut request).await;
                let mut alive = client.write_all(head.as_bytes()).await.is_ok();
                while alive {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    alive = client.write_all(b" ").await.is_ok();
                }
            });
        }
    });
    (address, serving)
}

#[tokio::test]
async fn an_answer_that_never_ends_is_given_up_within_the_time_of_a_request() {
    for (head, code, resent) in [
        // Whether the rows were taken would stand in the body.
        (
            "HTTP/1.1 202 Accepted\r\ncontent-length: 1000000\r\n\r\n{",
            "connection_lost",
            1,
        ),
        // The head alone says what is to be done.
        (
            "HTTP/1.1 503 Maintenance\r\ncontent-length: 1000000\r\n\r\n{",
            "server_unavailable",
            0,
        ),
        // Not even a head.
        ("HTTP/1.1 202 Acc", "connection_lost", 1),
    ] {
        let (address, serving) = dripping(head).await;
        let harness = destination(spec(address, "profile_events", &impatient(&[]))).await;
        let (table, batch) = events(1, 1);
        let written = harness.write_to_the_end(
            table,
            WriteMode::Append,
            std::slice::from_ref(&batch),
            UncertainRows::default(),
        );
        let (written, end) = tokio::time::timeout(Duration::from_secs(20), written)
            .await
            .expect("it does not wait for ever");
        let error = end.unwrap_err();
        assert_eq!((error.code.as_str(), error.retryable), (code, true), "{head:?}");
        assert_eq!(written.resent, resent, "{head:?}");
        serving.abort();
    }
}

#[tokio::test]
async fn an_answer_without_an_end_in_bytes_is_read_no_further_than_memory_allows() {
    let endpoint = Endpoint::start(|_, _| answer(202, " ".repeat(17 * 1024 * 1024) + r#"{"code":"SUCCESS"}"#)).await;
    let changes = json!({ "timeouts": { "request": "30s" } });
    let harness = destination(spec(endpoint.address, "profile_attributes", &changes)).await;
    let (table, batch) = profiles(1);
    let error = harness.write(table, WriteMode::Overwrite, &[batch]).await.unwrap_err();
    assert_eq!((error.code.as_str(), error.retryable), ("answer_unreadable", false));
    assert_eq!(endpoint.seen().len(), 1);
}

#[tokio::test]
async fn a_name_that_leads_nowhere_is_unreachable_and_nothing_is_uncertain() {
    // A label of more than 63 characters is no name: no server is asked for it.
    let base_url = format!("http://{}.example", "a".repeat(64));
    let more = [("base_url", json!(base_url)), ("allow_insecure_http", json!(true))];
    let harness = destination(spec("127.0.0.1:9", "profile_events", &impatient(&more))).await;
    let (table, batch) = events(1, 1);
    let (written, end) = harness
        .write_to_the_end(table, WriteMode::Append, &[batch], UncertainRows::default())
        .await;
    let error = end.unwrap_err();
    assert_eq!(
        (error.code.as_str(), error.retryable),
        ("unreachable", true),
        "{error:?}"
    );
    assert_eq!(written.resent, 0);
}
