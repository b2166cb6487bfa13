use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use axum::{Router, extract::State, http::StatusCode, routing::post};
use longshore_config::Loader;
use longshore_core::{CursorValue, Error};
use longshore_state::{CursorReplacement, sqlite::SqliteStore};
use serde_json::Value;
use tokio::net::TcpListener;

use super::{condition::Outcome, *};
use crate::{engine::run::SyncOutcome, failure::Failure};

const NOW: UnixMicros = UnixMicros(1_795_000_000_000_000);

/// A receiver of alerts that answers as it is told, then with 200.
#[derive(Clone, Default)]
struct Receiver {
    answers: Arc<Mutex<VecDeque<StatusCode>>>,
    messages: Arc<Mutex<Vec<Value>>>,
}

async fn receive(State(receiver): State<Receiver>, body: String) -> StatusCode {
    let answer = receiver
        .answers
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .pop_front();
    let answer = answer.unwrap_or(StatusCode::OK);
    if answer.is_success() {
        let message = serde_json::from_str(&body).unwrap();
        receiver.messages.lock().unwrap().push(message);
    }
    answer
}

impl Receiver {
    async fn start(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/hook", post(receive)).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        format!("http://{address}/hook")
    }

    fn answer(&self, answers: &[StatusCode]) {
        self.answers.lock().unwrap().extend(answers);
    }

    /// What arrived since the last question, as "condition state".
    fn arrived(&self) -> Vec<String> {
        let messages = std::mem::take(&mut *self.messages.lock().unwrap());
        let word = |message: &Value, name: &str| message[name].as_str().unwrap().to_owned();
        let words = messages
            .iter()
            .map(|message| word(message, "alert") + " " + &word(message, "state"));
        words.collect()
    }
}

struct Scene {
    receiver: Receiver,
    source: Source,
    secrets: Secrets,
    store: Arc<dyn StateStore>,
    metrics: Metrics,
    _folder: tempfile::TempDir,
}

impl Scene {
    async fn with(rules: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let receiver = Receiver::default();
        let url = receiver.start().await;
        let file = folder.path().join("longshore.yml");
        let text = format!(
            "kind: source\nspec:\n  name: shop\n  path: p\n  tables: [t]\n  destinations: [d]\n  alerts: {{ url: '{url}', {rules} }}\n\
             ---\nkind: destination\nspec: {{ name: d, path: p }}\n"
        );
        std::fs::write(&file, text).unwrap();
        let configuration = Loader::new().load(&[file]).unwrap();
        Self {
            receiver,
            source: configuration.sources[0].clone(),
            secrets: configuration.secrets,
            store: Arc::new(SqliteStore::open(&folder.path().join("state.db")).await.unwrap()),
            metrics: Metrics::default(),
            _folder: folder,
        }
    }

    /// As after a restart: nothing is known but what is stored.
    fn alerter(&self) -> Alerter {
        Alerter::new(Arc::clone(&self.store), self.secrets.clone(), self.metrics.clone())
    }

    async fn end_with(&self, ended: &Ended, patience: Patience) {
        let alerter = self.alerter();
        alerter.run_ended(&self.source, ended, NOW, patience).await.unwrap();
    }

    /// The cursor of the table `orders` stands at the beginning of this day now.
    async fn move_cursor(&self, sync: &str, day: i32) {
        let stored = self.store.get_state(sync, "orders").await.unwrap();
        let replacement = CursorReplacement {
            sync: sync.to_owned(),
            table: "orders".to_owned(),
            from_revision: stored.map_or(0, |stored| stored.revision),
            cursor_column: "day".to_owned(),
            cursor: CursorValue::Date(day),
            at: NOW,
        };
        self.store.set_state(replacement).await.unwrap();
    }

    async fn ended(&self, ended: &Ended) -> Vec<String> {
        self.end_with(ended, Patience::AGAIN).await;
        self.receiver.arrived()
    }

    async fn time_passed(&self, now: UnixMicros) -> Vec<String> {
        let alerter = self.alerter();
        let telling = alerter.time_passed(&self.source, now, Patience::AGAIN);
        telling.await.unwrap();
        self.receiver.arrived()
    }
}

fn failed() -> Ended {
    Ended {
        run_id: Some("run".to_owned()),
        outcome: Outcome::Failed,
        error: Some(Error::source("gone", "The table is gone").with_remedy("Look")),
        ..Ended::default()
    }
}

fn succeeded(read: u64, rejected: u64) -> Ended {
    Ended {
        outcome: Outcome::Succeeded,
        read,
        rejected,
        ..Ended::default()
    }
}

#[tokio::test]
async fn a_failure_is_told_of_once_over_restarts_and_so_is_the_recovery() {
    let scene = Scene::with("max_rejects: 10").await;
    assert_eq!(scene.ended(&succeeded(5, 0)).await, [""; 0]);
    assert_eq!(scene.ended(&failed()).await, ["failure firing"]);
    assert_eq!(scene.ended(&failed()).await, [""; 0]);
    assert_eq!(
        scene.ended(&Ended::default()).await,
        [""; 0],
        "a cancelled run says nothing"
    );
    assert!(
        scene
            .metrics
            .scraped()
            .contains(r#"longshore_alerts_firing{sync="shop",condition="failure"} 1"#)
    );
    assert_eq!(scene.ended(&succeeded(5, 0)).await, ["failure resolved"]);
    assert_eq!(scene.ended(&succeeded(5, 0)).await, [""; 0]);
    assert_eq!(scene.store.list_alerts(None).await.unwrap(), []);
}

#[tokio::test]
async fn what_did_not_arrive_is_told_with_the_next_occasion_and_once() {
    let scene = Scene::with("failure: true").await;
    scene.receiver.answer(&[StatusCode::BAD_GATEWAY, StatusCode::NOT_FOUND]);
    assert_eq!(scene.ended(&failed()).await, [""; 0]);
    assert_eq!(scene.time_passed(NOW).await, [""; 0]);
    assert_eq!(scene.time_passed(NOW).await, ["failure firing"]);
    assert_eq!(scene.time_passed(NOW).await, [""; 0]);
    let text = scene.metrics.scraped();
    assert!(
        text.contains(r#"longshore_alert_deliveries_total{sync="shop",outcome="failed"} 2"#),
        "{text}"
    );
}

#[tokio::test]
async fn a_server_that_is_busy_is_asked_again_and_one_that_refuses_is_not() {
    let scene = Scene::with("failure: true").await;
    scene.receiver.answer(&[StatusCode::SERVICE_UNAVAILABLE]);
    scene.end_with(&failed(), Patience::NEW).await;
    assert_eq!(scene.receiver.arrived(), ["failure firing"]);

    let refusing = Scene::with("failure: true").await;
    refusing.receiver.answer(&[StatusCode::FORBIDDEN]);
    refusing.end_with(&failed(), Patience::NEW).await;
    assert_eq!(refusing.receiver.arrived(), [""; 0]);
}

#[tokio::test]
async fn a_lag_beyond_the_bound_is_told_of_until_the_cursor_has_caught_up() {
    let scene = Scene::with("max_lag: 30m").await;
    assert_eq!(scene.time_passed(NOW).await, [""; 0], "no cursor is known yet");
    // By whatever process: the state tells.
    scene.move_cursor("shop", 0).await;
    scene.move_cursor("other", -5).await;
    let minutes = |minutes: i64| UnixMicros(minutes * 60_000_000);
    assert_eq!(scene.time_passed(minutes(30)).await, [""; 0]);
    assert_eq!(scene.time_passed(minutes(31)).await, ["lag firing"]);
    assert_eq!(scene.time_passed(minutes(60)).await, [""; 0]);
    scene.move_cursor("shop", 1).await;
    assert_eq!(scene.time_passed(minutes(24 * 60 + 1)).await, ["lag resolved"]);
    assert_eq!(scene.time_passed(minutes(24 * 60 + 31)).await, ["lag firing"]);
    scene.store.reset_state("shop", Some("orders"), NOW).await.unwrap();
    assert_eq!(
        scene.time_passed(minutes(24 * 60 + 32)).await,
        ["lag resolved"],
        "no table is left that could be behind"
    );
}

#[tokio::test]
async fn rejects_beyond_the_bound_are_told_of_also_when_the_run_stopped_for_them() {
    let scene = Scene::with("max_rejects: 1%, failure: false").await;
    assert_eq!(scene.ended(&succeeded(1_000, 10)).await, [""; 0]);
    assert_eq!(scene.ended(&succeeded(1_000, 11)).await, ["rejects firing"]);
    assert_eq!(
        scene.ended(&failed()).await,
        [""; 0],
        "it says nothing of rejects, and failures are not wanted"
    );
    assert_eq!(scene.ended(&succeeded(0, 0)).await, ["rejects resolved"]);
    let stopped = Ended {
        outcome: Outcome::Failed,
        error: Some(Error::destination("too_many_rejects", "500 of 1000")),
        read: 1_000,
        rejected: 500,
        ..Ended::default()
    };
    assert_eq!(scene.ended(&stopped).await, ["rejects firing"]);
}

#[tokio::test]
async fn a_message_says_what_to_do_and_no_secret() {
    let scene = Scene::with("failure: true").await;
    let address = scene.source.spec.alerts.as_ref().unwrap().url.reveal().to_owned();
    let error = Error::source("gone", format!("It is not at {address}")).with_remedy("Look");
    let ended = Ended {
        error: Some(error),
        ..failed()
    };
    scene.end_with(&ended, Patience::AGAIN).await;
    let message = scene.receiver.messages.lock().unwrap()[0].clone();
    assert_eq!(message["version"], 1);
    assert_eq!((&message["sync"], &message["run_id"]), (&"shop".into(), &"run".into()));
    assert_eq!(message["error"]["remedy"], "Look");
    assert_eq!(message["since"], "2026-11-18T11:06:40Z");
    assert_eq!(message["summary"], "The sync shop failed: It is not at *** (gone)");
    assert!(!message.to_string().contains(&address));
}

#[tokio::test]
async fn a_sync_whose_alerts_are_taken_out_of_the_configuration_is_forgotten() {
    let mut scene = Scene::with("failure: true").await;
    assert_eq!(scene.ended(&failed()).await, ["failure firing"]);
    scene.source.spec.alerts = None;
    assert_eq!(scene.ended(&succeeded(1, 0)).await, [""; 0]);
    assert_eq!(scene.store.list_alerts(None).await.unwrap(), []);
}

#[test]
fn a_sync_that_was_stopped_or_that_another_process_runs_has_not_failed() {
    let of = |failure: Failure, tried_again| {
        let outcome = SyncOutcome {
            failure: Some(failure),
            ..SyncOutcome::default()
        };
        Ended::of(&outcome, tried_again).outcome
    };
    let error = |code: &str| Failure::Error(Error::config(code, "no"));
    assert_eq!(of(error("sync_held"), false), Outcome::Open);
    assert_eq!(of(Failure::Cancelled, false), Outcome::Open);
    assert_eq!(of(error("source_down"), true), Outcome::Open);
    assert_eq!(of(error("source_down"), false), Outcome::Failed);
    let before_it_began = SyncOutcome {
        failure: Some(error("source_down")),
        failed_start: Some("run".to_owned()),
        ..SyncOutcome::default()
    };
    let run = Ended::of(&before_it_began, false).run_id;
    assert_eq!(run.as_deref(), Some("run"), "the history tells of it");
}
