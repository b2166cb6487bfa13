//! Requests of which nobody knows what became: every further copy of an event is announced, and where events are held there is none.

use std::collections::{BTreeSet, HashSet};

use longshore_batch_sandbox::{FaultKind, FaultRule, Running};
use longshore_sdk::{
    harness::{UncertainRows, Written},
    prelude::*,
};
use proptest::{prelude::*, test_runner::TestCaseError};
use serde_json::{Value as Json, json};

use crate::rows::{destination, events, profiles, project, sandbox, spec};

const EVENTS: i64 = 3_000;
const HOLD: UncertainRows = UncertainRows {
    delivered_before: 0,
    hold: true,
    leave_values_out: false,
};

/// Small requests, short waits, and so many attempts.
fn changes(max_attempts: u32) -> Json {
    json!({
        "requests": { "update_operations": 20, "linger": "5ms" },
        "retry": { "max_attempts": max_attempts, "first_delay": "5ms", "max_delay": "20ms", "rate_limited_delay": "20ms" },
    })
}

/// More attempts than faults, and requests that are given up within the test when they stall.
fn patient_but_for_stalls() -> Json {
    let mut changes = changes(30);
    changes["timeouts"] = json!({ "request": "500ms" });
    changes
}

fn status(status: u16, applied: bool) -> FaultKind {
    FaultKind::Status {
        status,
        retry_after_s: None,
        error_code: None,
        applied,
    }
}

/// A request takes effect, and its answer does not say so.
fn lost_answers() -> Vec<FaultKind> {
    let slow = FaultKind::Slow {
        ms: 2_000,
        applied: true,
    };
    vec![
        FaultKind::CutAfter,
        slow,
        status(408, true),
        status(500, true),
        status(504, true),
    ]
}

/// A request takes no effect.
fn lost_requests() -> Vec<FaultKind> {
    let slow = FaultKind::Slow {
        ms: 2_000,
        applied: false,
    };
    vec![
        FaultKind::CutBefore,
        slow,
        status(502, false),
        status(503, false),
        status(429, false),
    ]
}

/// Writes events, in batches of 100, to a sandbox with these faults.
async fn written(
    running: &Running,
    faults: Vec<FaultRule>,
    spec_changes: &Json,
    uncertain: UncertainRows,
) -> (Written, Result<()>) {
    running.sandbox().set_faults(faults);
    let harness = destination(spec(running.address(), "profile_events", spec_changes)).await;
    let (mut table, batch) = events(EVENTS, 1_000);
    table.primary_key = vec!["number".to_owned()];
    let rows = batch.num_rows();
    let batches: Vec<_> = (0..rows)
        .step_by(100)
        .map(|first| batch.slice(first, 100.min(rows - first)))
        .collect();
    harness
        .write_to_the_end(table, WriteMode::Append, &batches, uncertain)
        .await
}

/// Each fault twice, one after the other.
fn in_turn(kinds: Vec<FaultKind>) -> Vec<FaultRule> {
    let places = (0_u64..).step_by(4);
    let rules = kinds.into_iter().zip(places);
    rules
        .map(|(kind, place)| FaultRule::always(kind).after(place).next(2))
        .collect()
}

fn fired(running: &Running) -> u64 {
    running.sandbox().faults().iter().map(|report| report.fired).sum()
}

/// Copies of events beyond the first of each.
fn copies(running: &Running) -> u64 {
    project(running).duplicates(0).repeated as u64
}

fn numbers_there(running: &Running) -> BTreeSet<i64> {
    let events = project(running).events(0, 1_000_000);
    let number = |attributes: &str| serde_json::from_str::<Json>(attributes).unwrap()["number"].as_i64();
    events.iter().map(|event| number(&event.attributes).unwrap()).collect()
}

/// Those that are missing and that no reject names.
fn lost_without_a_word(running: &Running, written: &Written) -> Vec<i64> {
    let there = numbers_there(running);
    let named: HashSet<&str> = written.rejects.iter().map(|reject| reject.key.as_str()).collect();
    (0..EVENTS)
        .filter(|number| !there.contains(number) && !named.contains(format!("number = {number}").as_str()))
        .collect()
}

#[tokio::test]
async fn as_many_copies_are_announced_as_are_sent() {
    let running = sandbox(|_| ()).await;
    let certain = [status(429, false), status(503, false)];
    // No stalls: a time-out that is short enough for a test may also hit a request that nothing was done to.
    let lost = lost_answers()
        .into_iter()
        .filter(|kind| !matches!(kind, FaultKind::Slow { .. }));
    let faults = in_turn(lost.chain(certain).collect());
    let (written, end) = written(&running, faults, &changes(30), UncertainRows::default()).await;
    end.unwrap();
    assert_eq!(written.counts.delivered, EVENTS as u64);
    assert_eq!(numbers_there(&running).len(), EVENTS as usize);
    assert!(written.resent > 0);
    assert_eq!(
        copies(&running),
        written.resent,
        "every one of these requests had taken effect, or certainly none"
    );
    running.stop().await;
}

#[tokio::test]
async fn copies_are_announced_even_when_attempts_are_used_up() {
    let running = sandbox(|_| ()).await;
    let faults = vec![FaultRule::always(FaultKind::CutAfter)];
    let (written, end) = written(&running, faults, &changes(3), UncertainRows::default()).await;
    let error = end.unwrap_err();
    assert_eq!(
        (error.code.as_str(), error.retryable, error.scope),
        ("connection_lost", true, Scope::Run),
        "each partition would try as often again"
    );
    let copies = copies(&running);
    assert!(
        copies > 0 && copies <= written.resent,
        "{copies} copies, {} announced",
        written.resent
    );
    running.stop().await;
}

#[tokio::test]
async fn held_events_are_never_there_twice_and_each_that_is_missing_is_named() {
    let running = sandbox(|_| ()).await;
    let faults = in_turn([lost_answers(), lost_requests()].concat());
    let (written, end) = written(&running, faults, &patient_but_for_stalls(), HOLD).await;
    end.unwrap();
    assert_eq!((copies(&running), written.resent), (0, 0));
    assert_eq!(lost_without_a_word(&running, &written), Vec::<i64>::new());
    assert!(written.counts.rejected > 0);
    assert_eq!(written.counts.total(), EVENTS as u64);
    assert_eq!(written.counts.rejected, written.rejects.len() as u64);
    assert!(
        written
            .rejects
            .iter()
            .all(|reject| reject.whole_row && reject.rule == "uncertain_delivery")
    );
    running.stop().await;
}

#[tokio::test]
async fn what_certainly_took_no_effect_is_sent_again_and_not_held() {
    let running = sandbox(|_| ()).await;
    let faults = in_turn(vec![status(429, false), status(503, false)]);
    let (written, end) = written(&running, faults, &changes(8), HOLD).await;
    end.unwrap();
    assert_eq!(fired(&running), 4);
    assert_eq!((written.counts.delivered, written.rejects.len()), (EVENTS as u64, 0));
    assert_eq!(copies(&running), 0);
    running.stop().await;
}

#[tokio::test]
async fn while_nothing_gets_through_the_table_does_not_end_among_the_rejects() {
    let running = sandbox(|_| ()).await;
    let mut impatient = changes(3);
    impatient["concurrency"] = json!(1);
    let faults = vec![FaultRule::always(FaultKind::CutBefore)];
    let (_, end) = written(&running, faults, &impatient, HOLD).await;
    let error = end.unwrap_err();
    assert_eq!((error.code.as_str(), error.scope), ("connection_lost", Scope::Run));
    assert_eq!(fired(&running), 3);
    running.stop().await;
}

#[tokio::test]
async fn attributes_bear_to_be_sent_again_and_are_neither_announced_nor_held() {
    let running = sandbox(|_| ()).await;
    running.sandbox().set_faults(in_turn(lost_answers()));
    let harness = destination(spec(running.address(), "profile_attributes", &patient_but_for_stalls())).await;
    let (table, batch) = profiles(1_000);
    for wish in [UncertainRows::default(), HOLD] {
        let (written, end) = harness
            .write_to_the_end(table.clone(), WriteMode::Overwrite, std::slice::from_ref(&batch), wish)
            .await;
        end.unwrap();
        assert_eq!(
            (written.counts.delivered, written.resent, written.rejects.len()),
            (1_000, 0, 0)
        );
    }
    assert_eq!(fired(&running), 10);
    running.stop().await;
}

/// Whatever goes wrong, wherever, under either policy.
async fn survives(faults: Vec<FaultRule>, hold: bool) -> Result<(), TestCaseError> {
    let running = sandbox(|_| ()).await;
    let uncertain = UncertainRows {
        delivered_before: 0,
        hold,
        leave_values_out: false,
    };
    let (written, end) = written(&running, faults, &patient_but_for_stalls(), uncertain).await;
    prop_assert!(end.is_ok(), "{end:?}");
    let copies = copies(&running);
    prop_assert_eq!(written.counts.total(), EVENTS as u64);
    prop_assert_eq!(lost_without_a_word(&running, &written), Vec::<i64>::new());
    if hold {
        prop_assert_eq!((copies, written.resent), (0, 0));
    } else {
        prop_assert_eq!(written.rejects.len(), 0);
        prop_assert!(
            copies <= written.resent,
            "{} copies, {} announced",
            copies,
            written.resent
        );
    }
    running.stop().await;
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn no_copy_goes_unannounced_and_no_event_is_lost(
        faults in prop::collection::vec((prop::sample::select([lost_answers(), lost_requests()].concat()), 0_u64..40, 1_u64..4), 0..6),
        hold: bool,
    ) {
        let rules = faults.into_iter().map(|(kind, place, times)| FaultRule::always(kind).after(place).next(times));
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(survives(rules.collect(), hold))?;
    }
}
