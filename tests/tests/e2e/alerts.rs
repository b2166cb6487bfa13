//! A sync that fails, lags or rejects too much tells a webhook once, and tells it once more when it is well again; over processes that end in between.

use std::sync::{Arc, Mutex, PoisonError};

use axum::{Router, extract::State, routing::post};
use longshore_tests::{Context, PATIENCE, Result, eventually};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

use crate::{generated::Generated, served::Quay};

type Messages = Arc<Mutex<Vec<Value>>>;

/// A receiver of alerts.
pub(crate) struct Webhook {
    pub(crate) address: String,
    messages: Messages,
    serving: JoinHandle<()>,
}

async fn receive(State(messages): State<Messages>, body: String) {
    let message = serde_json::from_str(&body).expect("an alert is JSON");
    messages.lock().unwrap_or_else(PoisonError::into_inner).push(message);
}

impl Webhook {
    pub(crate) async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("no socket")?;
        let address = format!("http://{}/canary-hook", listener.local_addr().context("no address")?);
        let messages = Messages::default();
        let router = Router::new()
            .route("/canary-hook", post(receive))
            .with_state(Arc::clone(&messages));
        let serving = tokio::spawn(async move {
            // It ends with the task.
            axum::serve(listener, router).await.ok();
        });
        Ok(Self {
            address,
            messages,
            serving,
        })
    }

    pub(crate) fn messages(&self) -> Vec<Value> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Webhook {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

#[tokio::test]
async fn a_sync_that_fails_tells_its_webhook_once_and_once_more_when_it_is_well_again() -> Result<()> {
    let webhook = Webhook::start().await?;
    let table = "tables: [{ name: numbers, rows: 100, cursor: id }]";
    let mut generated = Generated::with(100, &[], &["fail_after_rows: { rows: 1, code: no_room }"])?;
    generated.longshore.set_variable("ALERT_WEBHOOK", &webhook.address);
    let path = generated.longshore.folder().join("longshore.yml");
    let add_alerts = || -> Result<()> {
        let text = std::fs::read_to_string(&path).context("the configuration can not be read")?;
        let text = text.replacen("  spec:\n", "  alerts: { url: \"${ALERT_WEBHOOK}\" }\n  spec:\n", 1);
        std::fs::write(&path, text).context("the configuration can not be written")
    };
    add_alerts()?;
    for _ in 0..2 {
        let failed = generated.longshore.run(["sync", "--log-level", "debug"]).await?;
        assert_eq!(failed.code(), Some(4), "{failed}");
        assert!(
            !failed.stderr.contains("canary-hook"),
            "the address is a secret\n{failed}"
        );
    }
    let told = webhook.messages();
    assert_eq!(told.len(), 1, "two failures are one alert: {told:?}");
    assert_eq!(
        (&told[0]["alert"], &told[0]["state"]),
        (&"failure".into(), &"firing".into())
    );
    assert_eq!(told[0]["error"]["code"], "no_room");
    let run = generated.longshore.json(["runs", "show", "last"]).await?;
    assert_eq!(told[0]["run_id"], run["run_id"]);

    generated.configure(&[table], &[])?;
    add_alerts()?;
    for _ in 0..2 {
        generated.longshore.run(["sync"]).await?.succeeded()?;
    }
    let told = webhook.messages();
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(
        (&told[1]["state"], &told[1]["since"]),
        (&"resolved".into(), &told[0]["since"])
    );
    Ok(())
}

#[tokio::test]
async fn a_daemon_tells_of_rejects_and_of_lag_beyond_their_bounds_and_when_they_are_within_them_again() -> Result<()> {
    let webhook = Webhook::start().await?;
    let mut quay = Quay::open().await?;
    quay.longshore.set_variable("ALERT_WEBHOOK", &webhook.address);
    quay.add_to_people("alerts: { url: \"${ALERT_WEBHOOK}\", max_rejects: 1, max_lag: 1h }")?;
    quay.add_people(3).await?;
    // Two people are refused as a whole; of one more a column, which does not count.
    let refused = "INSERT INTO people (ref, name) VALUES (E'eve\\n1', 'Eve'), (E'eve\\n2', 'Eve')";
    quay.database.execute(refused).await?;
    quay.add_reject("mallory").await?;
    let old = "UPDATE people SET last_updated_at = now() - interval '2 hours'";
    quay.database.execute(old).await?;
    let served = quay.serve(&[]).await?;
    served.run("people").await?;
    let told = |state: &'static str| {
        let webhook = &webhook;
        eventually(state, PATIENCE, async move || {
            let mut told = webhook.messages();
            told.retain(|message| message["state"] == state);
            told.sort_by_key(|message| message["alert"].to_string());
            (told.len() == 2).then_some(told)
        })
    };
    let firing = told("firing").await?;
    assert_eq!(
        (&firing[0]["alert"], &firing[0]["lag"]["table"]),
        (&"lag".into(), &"people".into())
    );
    assert_eq!(firing[1]["rejects"], json!({ "rejected": 2, "read": 6, "bound": "1" }));

    let new = "UPDATE people SET ref = replace(ref, E'\\n', ' '), last_updated_at = clock_timestamp()";
    quay.database.execute(new).await?;
    served.run("people").await?;
    let resolved = told("resolved").await?;
    for (before, after) in firing.iter().zip(&resolved) {
        assert_eq!((&after["alert"], &after["since"]), (&before["alert"], &before["since"]));
    }
    assert_eq!(webhook.messages().len(), 4, "each is told once");
    Ok(())
}
