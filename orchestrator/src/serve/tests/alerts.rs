//! Whoever wants to be told of failures is told.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{Json, Router, extract::State, routing::post};
use longshore_config::{Loader, Secrets};
use longshore_state::{StateStore, TurnStatus, sqlite::SqliteStore};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{net::TcpListener, sync::mpsc, time::Instant};

use super::{PATIENCE, Serving, configuration, write};
use crate::{
    observe::{
        alerts::{
            Alerter,
            condition::{Ended, Outcome},
        },
        metrics::Metrics,
    },
    serve::alerting::Alerting,
};

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

/// What takes connections and answers none.
async fn hanging() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

#[tokio::test]
async fn what_a_webhook_that_hangs_does_not_take_is_stored_whichever_sync_it_is_about() {
    let (_listener, address) = hanging().await;
    let syncs = ["a", "b", "c"];
    let mut serving = Serving::start_of(&syncs, &format!("alerts: {{ url: 'http://{address}/hook' }},")).await;
    for sync in syncs {
        serving.handle.run_now(sync).await.unwrap();
    }
    let (store, mut handle) = (serving.store(), serving.handle.clone());
    let all_failed = async {
        loop {
            let turns = store.list_turns(None, 10).await.unwrap();
            if turns.iter().filter(|turn| turn.status == TurnStatus::Failed).count() == syncs.len() {
                return;
            }
            handle.changed().await.unwrap();
        }
    };
    tokio::time::timeout(PATIENCE, all_failed).await.expect("all fail");
    serving.end().await;
    let alerts = store.list_alerts(None).await.unwrap();
    let mut untold: Vec<&str> = alerts
        .iter()
        .filter(|alert| alert.firing && !alert.told)
        .map(|alert| alert.sync.as_str())
        .collect();
    untold.sort_unstable();
    assert_eq!(untold, syncs);
}

#[tokio::test]
async fn a_sync_that_leaves_the_configuration_leaves_no_alert_although_its_webhook_hangs() {
    let (_listener, address) = hanging().await;
    let folder = TempDir::new().unwrap();
    let configured = |syncs: &[&str]| {
        let alerts = format!("alerts: {{ url: 'http://{address}/hook' }}, tables");
        write(folder.path(), &configuration(syncs).replace("tables", &alerts));
        let path = folder.path().join("longshore.yml");
        Arc::new(Loader::new().with_secrets(Secrets::new()).load(&[&path]).unwrap())
    };
    let store = SqliteStore::open(&folder.path().join("state.db")).await.unwrap();
    let store: Arc<dyn StateStore> = Arc::new(store);
    let metrics = Metrics::default();
    let alerter = Alerter::new(Arc::clone(&store), Secrets::new(), metrics.clone());
    let mut alerting = Alerting::start(alerter.clone(), configured(&["a", "b"]), []);
    let failed = Ended {
        outcome: Outcome::Failed,
        ..Ended::default()
    };
    alerting.run_ended("a", failed.clone());
    let comes_to = async |firing: bool| {
        let looking = async {
            while store.list_alerts(Some("a")).await.unwrap().is_empty() == firing {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, looking).await.expect("it is so in time");
    };
    comes_to(true).await;
    alerting.reconfigured(configured(&["b"]));
    comes_to(false).await;
    let firing = r#"longshore_alerts_firing{sync="a",condition="failure"} 0"#;
    assert!(metrics.scraped().contains(firing), "{}", metrics.scraped());
    // It may come back, and is told of as ever.
    alerting.reconfigured(configured(&["a"]));
    alerting.run_ended("a", failed);
    comes_to(true).await;
    alerting.end(Instant::now()).await;
    // It may also leave while no daemon runs.
    let alerting = Alerting::start(alerter, configured(&["b"]), ["a".to_owned()]);
    comes_to(false).await;
    alerting.end(Instant::now()).await;
}
