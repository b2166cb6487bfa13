//! What a handle answers, and what it tells.

use std::time::Duration;

use longshore_core::Domain;
use longshore_state::{Holder, TurnStatus, UnixMicros};
use tokio::sync::broadcast::Receiver;

use super::{PATIENCE, Serving};
use crate::{
    engine::replay::Replay,
    serve::handle::{Event, Phase, Readiness, RunOutcome},
};

/// The next event that is of interest.
async fn next<T>(events: &mut Receiver<Event>, of_interest: impl Fn(Event) -> Option<T>) -> T {
    let waiting = async {
        loop {
            if let Some(found) = of_interest(events.recv().await.unwrap()) {
                return found;
            }
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("it is told")
}

#[tokio::test]
async fn a_sync_that_another_process_runs_is_waited_for_and_not_counted() {
    let serving = Serving::start().await;
    let (store, lease) = (serving.store(), Duration::from_secs(600));
    let holder = Holder::current("another");
    store.acquire("a", holder, UnixMicros::now(), lease).await.unwrap();
    serving.handle.run_now("a").await.unwrap();
    let mut handle = serving.handle.clone();
    let waiting = async {
        while handle
            .view("a")
            .unwrap()
            .activity
            .is_none_or(|activity| activity.waits_for.is_none())
        {
            handle.changed().await.unwrap();
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("it waits");
    let scraped = serving.observation.metrics.scraped();
    let counts = ["longshore_runs_in_progress{", "longshore_runs_total{"];
    let counted = scraped
        .lines()
        .find(|line| counts.iter().any(|metric| line.starts_with(metric)) && !line.ends_with(" 0"));
    assert_eq!(counted, None, "{scraped}");
}

/// On two threads, as a daemon runs: who was answered asks while the daemon goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_answered_sees_what_came_of_the_wish() {
    let serving = Serving::start().await;
    for _ in 0..100 {
        serving.handle.pause("a").await.unwrap();
        assert!(serving.handle.view("a").unwrap().paused);
        serving.handle.resume("a").await.unwrap();
        assert!(!serving.handle.view("a").unwrap().paused);
    }
}

#[tokio::test]
async fn a_run_that_somebody_asks_for_is_told_from_its_wish_to_its_end() {
    let serving = Serving::start().await;
    assert_eq!(serving.handle.readiness(), Readiness::Ready);
    let mut events = serving.handle.events();
    let started = serving.handle.run_now("a").await.unwrap();
    assert!(started.at_once, "{started:?}");
    let queued = next(&mut events, |event| match event {
        Event::RunQueued { sync, due_at } => Some((sync, due_at)),
        _ => None,
    });
    assert_eq!(queued.await, ("a".to_owned(), None));
    let ended = next(&mut events, |event| match event {
        Event::RunEnded(ended) => Some(ended),
        _ => None,
    });
    let ended = ended.await;
    assert_eq!(
        (ended.outcome, ended.tries, ended.retry_at),
        (RunOutcome::Failed, 1, None)
    );
    assert_eq!((ended.report.is_some(), ended.previous_succeeded), (false, None));
    let error = ended.error.unwrap();
    assert_eq!((error.domain, error.retryable), (Domain::Config, false));

    let mut handle = serving.handle.clone();
    while handle.view("a").unwrap().phase != Phase::Idle {
        handle.changed().await.unwrap();
    }
    let turns = serving.store().list_turns(Some("a"), 10).await.unwrap();
    assert_eq!(
        (turns.len(), turns[0].status, turns[0].tries),
        (1, TurnStatus::Failed, 1)
    );
    assert_eq!(turns[0].error.as_ref().map(|error| &error.code), Some(&error.code));
}

#[tokio::test]
async fn a_pause_is_told_and_stored_before_it_is_answered() {
    let serving = Serving::start().await;
    let mut events = serving.handle.events();
    let view = serving.handle.view("a").unwrap();
    assert!(view.next_run_at.is_some() && view.schedule.is_some());
    let paused = serving.handle.pause("a").await.unwrap();
    assert!(paused.paused && paused.changed && paused.next_run_at.is_none());
    assert!(serving.store().list_scheduled().await.unwrap()[0].paused);
    let told = next(&mut events, |event| match event {
        Event::Paused { sync, paused } => Some((sync, paused)),
        _ => None,
    });
    assert_eq!(told.await, ("a".to_owned(), true));
    assert!(!serving.handle.pause("a").await.unwrap().changed);
    let resumed = serving.handle.resume("a").await.unwrap();
    assert_eq!(resumed.next_run_at, view.next_run_at);
}

#[tokio::test]
async fn what_is_unknown_or_idle_is_refused_by_name() {
    let serving = Serving::start().await;
    let handle = &serving.handle;
    let code = |error: longshore_core::Error| error.code;
    assert_eq!(handle.run_now("b").await.map_err(code).unwrap_err(), "sync_unknown");
    assert_eq!(handle.view("b").map_err(code).unwrap_err(), "sync_unknown");
    assert_eq!(handle.cancel_sync("a").await.map_err(code).unwrap_err(), "sync_idle");
    assert_eq!(
        handle.cancel_run("r").await.map_err(code).unwrap_err(),
        "run_not_running"
    );
    let replay = handle.replay("a", Replay::default()).await.map_err(code);
    assert_eq!(replay.unwrap_err(), "nothing_to_replay");
    let replay = handle.replay("b", Replay::default()).await.map_err(code);
    assert_eq!(replay.unwrap_err(), "sync_unknown");
}

#[tokio::test]
async fn a_reload_is_refused_whole_with_every_place_that_is_wrong() {
    let serving = Serving::start().await;
    let mut events = serving.handle.events();
    // Two sources of one name; and a plugin that does not exist, which only a start of the plugins shows.
    for (syncs, wrong) in [(["a", "a"], "two sources"), (["a", "b"], "missing")] {
        serving.reconfigure(&syncs);
        let refused = serving.handle.reload().await.unwrap_err();
        assert_eq!(refused.code, "configuration_invalid");
        let diagnostics = next(&mut events, |event| match event {
            Event::ReloadRefused { diagnostics } => Some(diagnostics),
            _ => None,
        });
        let first = diagnostics.await.remove(0);
        assert!(first.contains("longshore.yml:") && first.contains(wrong), "{first}");
        let names: Vec<String> = serving.handle.views().into_iter().map(|sync| sync.name).collect();
        assert_eq!(names, ["a"]);
        assert!(serving.handle.configuration().source("b").is_none());
    }
}

#[tokio::test]
async fn a_daemon_that_has_ended_says_so_and_lets_the_next_one_in() {
    let mut serving = Serving::start().await;
    serving.end().await;
    assert_eq!(serving.handle.run_now("a").await.unwrap_err().code, "daemon_ended");
    assert_eq!(serving.handle.readiness(), Readiness::Draining);
    let held = serving.store().current_hold(longshore_state::DAEMON).await.unwrap();
    assert_eq!(held, None);
}
