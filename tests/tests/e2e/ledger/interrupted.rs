//! Longshore is killed while rejects are sent again: none is lost, and what may be there twice is counted.

use longshore_tests::{Result, RunningLongshore};
use rustix::process::Signal;
use serde_json::{Value, json};

use super::scene::{Ledger, number, retried};

const ROWS: u64 = 30;

const MENDED: [&str; 2] = [
    "custom_id: alias",
    "mapping: { id: { ignore: true }, ref: { ignore: true } }",
];

/// Rows without a custom id, and a configuration that finds them one.
async fn mended(ledger: &Ledger, source_lines: &[&str]) -> Result<()> {
    ledger
        .database
        .execute(&format!(
            "INSERT INTO people (id, alias, name) SELECT n, 'a-' || n, 'name ' || n FROM generate_series(1, {ROWS}) AS n"
        ))
        .await?;
    ledger.configure(source_lines, &[])?;
    let report = ledger.sync().await?;
    assert_eq!(number(&report["tables"][0], "rejected"), ROWS, "{report}");
    ledger.configure(source_lines, &MENDED)
}

/// Profiles that the API refuses, for a reason that is gone.
async fn refused_profiles(ledger: &Ledger) -> Result<()> {
    ledger
        .database
        .execute(&format!(
            "INSERT INTO people (id, ref, name) SELECT n, 'a-' || n, 'name ' || n FROM generate_series(1, {ROWS}) AS n"
        ))
        .await?;
    let fault = json!([{ "kind": "partial_errors", "operations": ROWS, "next": 1 }]);
    ledger.sandbox.set_faults(fault).await?;
    let report = ledger.sync().await?;
    assert_eq!(number(&report["tables"][0], "rejected"), ROWS, "{report}");
    ledger.sandbox.clear_faults().await
}

/// Kills it when the API has the rows and has not answered.
async fn kill_in_the_middle(ledger: &Ledger, start: impl FnOnce() -> Result<RunningLongshore>) -> Result<()> {
    ledger.keep_the_next_answer().await?;
    let running = start()?;
    ledger.has_arrived("a-1", "name 1").await?;
    running.signal(Signal::KILL)?;
    let finished = running.finish().await?;
    assert!(finished.ended_by(Signal::KILL), "{finished}");
    ledger.longshore.leaves_nothing_running().await?;
    ledger.sandbox.clear_faults().await
}

fn names(events: &[longshore_tests::ReceivedEvent]) -> std::collections::BTreeSet<String> {
    events.iter().map(|event| event.custom_id.clone()).collect()
}

#[tokio::test]
async fn profiles_are_sent_again_by_the_run_after() -> Result<()> {
    let ledger = Ledger::of_profiles().await?;
    refused_profiles(&ledger).await?;
    kill_in_the_middle(&ledger, || ledger.start_sync()).await?;
    // The interrupted run has tried each of them once; it is finished without a second try, and the next one tries again.
    let finished = ledger.sync().await?;
    assert_eq!(
        (number(&finished, "attempt"), &finished["retries"]),
        (2, &json!([])),
        "{finished}"
    );
    let report = ledger.sync().await?;
    assert_eq!(
        (retried(&report), number(&report, "uncertain")),
        ((ROWS, ROWS, 0), 0),
        "{report}"
    );
    assert_eq!(ledger.sandbox.profiles().await?.len() as u64, ROWS);
    Ok(())
}

#[tokio::test]
async fn events_that_may_be_there_are_counted_and_sent_again() -> Result<()> {
    let ledger = Ledger::of_events().await?;
    mended(&ledger, &[]).await?;
    kill_in_the_middle(&ledger, || ledger.start_sync()).await?;
    let finished = ledger.sync().await?;
    let uncertain = number(&finished, "uncertain");
    assert!(uncertain > 0 && uncertain <= ROWS, "{finished}");
    assert!(
        finished["warnings"].to_string().contains("being sent again"),
        "{finished}"
    );
    let report = ledger.sync().await?;
    let (sent, redelivered, _) = retried(&report);
    assert_eq!((sent, redelivered), (ROWS, ROWS), "{report}");
    let events = ledger.sandbox.events().await?;
    assert_eq!(names(&events).len() as u64, ROWS, "none is lost");
    assert!(
        events.len() as u64 - ROWS <= uncertain,
        "{} events, {uncertain} uncertain",
        events.len()
    );
    Ok(())
}

#[tokio::test]
async fn events_that_may_be_there_wait_for_a_person_where_the_user_holds_them() -> Result<()> {
    let ledger = Ledger::of_events().await?;
    mended(&ledger, &["uncertain: hold"]).await?;
    kill_in_the_middle(&ledger, || ledger.start_sync()).await?;
    ledger.sync().await?;
    let report = ledger.sync().await?;
    assert_eq!(report["retries"], json!([]), "{report}");
    let rejects = ledger.rejects().await?;
    let uncertain = rejects.iter().filter(|reject| reject["uncertain"] == true).count() as u64;
    assert_eq!(uncertain, ROWS, "{rejects:?}");
    let replayed = ledger.longshore.json(["rejects", "replay"]).await?;
    assert_eq!(retried(&replayed), (ROWS, ROWS, 0), "a person decides");
    Ok(())
}

#[tokio::test]
async fn a_replay_that_is_killed_loses_nothing_and_the_next_command_says_what_may_be_there_twice() -> Result<()> {
    for events in [false, true] {
        let ledger = match events {
            true => Ledger::of_events().await?,
            false => Ledger::of_profiles().await?,
        };
        mended(&ledger, &["rejects: { retry: never }"]).await?;
        let replay = || ledger.longshore.start(["rejects", "replay", "longshore.yml", "--json"]);
        kill_in_the_middle(&ledger, replay).await?;
        let again: Value = ledger.longshore.json(["rejects", "replay"]).await?;
        assert_eq!(retried(&again), (ROWS, ROWS, 0), "{again}");
        assert_eq!(
            again["warnings"].to_string().contains("being sent again"),
            events,
            "{again}"
        );
        let runs = ledger.longshore.json(["runs", "list"]).await?;
        let killed = &runs[1];
        assert_eq!(
            (&killed["kind"], &killed["status"]),
            (&json!("replay"), &json!("failed")),
            "{runs}"
        );
        assert_eq!(number(killed, "uncertain") > 0, events, "{killed}");
        let arrived = match events {
            true => names(&ledger.sandbox.events().await?).len(),
            false => ledger.sandbox.profiles().await?.len(),
        };
        assert_eq!(arrived as u64, ROWS);
    }
    Ok(())
}
