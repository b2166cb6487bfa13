//! An old version of a profile is never sent over a newer one.

use super::scene::{Ledger, number, retried};
use longshore_tests::Result;
use rustix::process::Signal;

#[tokio::test]
async fn a_newer_version_in_the_same_run_supersedes_a_refused_one() -> Result<()> {
    let ledger = Ledger::of_profiles().await?;
    // One request, merged: the first row loses its address, the second has one.
    ledger
        .insert(1, "ref, name, url__home", "'ada', 'old', 'no url'")
        .await?;
    ledger
        .insert(2, "ref, name, url__home", "'ada', 'new', 'https://example.com'")
        .await?;
    ledger
        .insert(3, "ref, name, url__home", "'bob', 'Bob', 'no url'")
        .await?;
    let report = ledger.sync().await?;
    assert_eq!(
        (number(&report, "rejects"), number(&report["tables"][0], "delivered")),
        (2, 3),
        "{report}"
    );
    assert_eq!(ledger.statuses().await?, ["superseded", "pending"]);
    Ok(())
}

#[tokio::test]
async fn a_version_that_is_refused_behind_a_delivered_one_is_not_superseded_by_it() -> Result<()> {
    let ledger = Ledger::of_profiles().await?;
    ledger
        .insert(1, "ref, name, url__home", "'ada', 'old', 'https://example.com'")
        .await?;
    ledger
        .insert(2, "ref, name, url__home", "'ada', 'new', 'no url'")
        .await?;
    ledger.sync().await?;
    assert_eq!(ledger.statuses().await?, ["pending"]);
    Ok(())
}

#[tokio::test]
async fn a_newer_version_in_a_later_run_supersedes_a_refused_one_in_a_new_process() -> Result<()> {
    let ledger = Ledger::of_profiles().await?;
    ledger.configure(&["rejects: { retry: never }"], &[])?;
    ledger.insert(1, "ref, name", "'ada', 'old'").await?;
    ledger.refuse_once().await?;
    ledger.sync().await?;
    ledger.sandbox.clear_faults().await?;
    ledger.update("name = 'new'", "id = 1").await?;
    ledger.sync().await?;
    assert_eq!(ledger.statuses().await?, ["superseded"]);
    let refused = ledger.run(&["rejects", "replay"]).await?;
    assert_eq!(refused.code(), Some(2), "{refused}");
    assert_eq!(ledger.name_of("ada").await?.as_deref(), Some("new"));
    Ok(())
}

#[tokio::test]
async fn an_old_version_goes_before_the_new_one_of_the_same_run() -> Result<()> {
    let ledger = Ledger::of_profiles().await?;
    ledger.insert(1, "ref, name", "'ada', 'old'").await?;
    ledger.refuse_once().await?;
    ledger.sync().await?;
    ledger.sandbox.clear_faults().await?;
    ledger.update("name = 'new'", "id = 1").await?;
    let report = ledger.sync().await?;
    assert_eq!(retried(&report), (1, 1, 0));
    assert_eq!(ledger.name_of("ada").await?.as_deref(), Some("new"));
    Ok(())
}

#[tokio::test]
async fn a_newer_version_on_its_way_in_a_crash_supersedes_when_it_has_come_through() -> Result<()> {
    let ledger = Ledger::of_profiles().await?;
    ledger.configure(&["rejects: { retry: never }"], &[])?;
    ledger.insert(1, "ref, name", "'ada', 'old'").await?;
    ledger.refuse_once().await?;
    ledger.sync().await?;
    ledger.sandbox.clear_faults().await?;
    ledger.update("name = 'new'", "id = 1").await?;
    ledger.keep_the_next_answer().await?;
    let sync = ledger.start_sync()?;
    ledger.has_arrived("ada", "new").await?;
    sync.signal(Signal::KILL)?;
    sync.finish().await?;
    ledger.longshore.leaves_nothing_running().await?;
    ledger.sandbox.clear_faults().await?;
    assert_eq!(ledger.statuses().await?, ["pending"], "nothing was committed");
    ledger.sync().await?;
    assert_eq!(ledger.statuses().await?, ["superseded"]);
    assert_eq!(ledger.name_of("ada").await?.as_deref(), Some("new"));
    Ok(())
}

#[tokio::test]
async fn an_event_is_superseded_by_no_other_of_its_profile() -> Result<()> {
    let ledger = Ledger::of_events().await?;
    ledger
        .insert(1, "ref, event_name, name", "'ada', NULL, 'first'")
        .await?;
    ledger.insert(2, "ref, name", "'ada', 'second'").await?;
    ledger.sync().await?;
    ledger.insert(3, "ref, name", "'ada', 'third'").await?;
    let report = ledger.sync().await?;
    assert_eq!(retried(&report), (1, 0, 1));
    assert_eq!(report["status"], "completed_with_rejects", "it was rejected again");
    assert_eq!(ledger.statuses().await?, ["pending"]);
    Ok(())
}
