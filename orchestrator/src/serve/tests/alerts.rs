//! Whoever wants to be told of failures is told.

use axum::{Json, Router, extract::State, routing::post};
use serde_json::Value;
use tokio::{net::TcpListener, sync::mpsc};

use super::{PATIENCE, Serving};

#[tokio::test]
async fn a_run_that_fails_is_told_to_its_webhook_once() {
    let (received, mut arriving) = mpsc::channel::<Value>(8);
    let hook = async |State(received): State<mpsc::Sender<Value>>, Json(message): Json<Value>| {
        received.send(message).await.unwrap();
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().route("/hook", post(hook)).with_state(received);
    let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });

    let mut serving = Serving::start_with(&format!("alerts: {{ url: 'http://{address}/hook' }},")).await;
    serving.handle.run_now("a").await.unwrap();
    let told = tokio::time::timeout(PATIENCE, arriving.recv())
        .await
        .expect("it is told")
        .unwrap();
    assert_eq!(
        (&told["alert"], &told["sync"]),
        (&"failure".into(), &"a".into()),
        "{told}"
    );
    // A second failure is no news, also after everything that waited was told.
    serving.handle.run_now("a").await.unwrap();
    serving.end().await;
    assert!(arriving.try_recv().is_err());
    server.abort();
}
