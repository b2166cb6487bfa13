//! An API that takes events and does not get to say so: what comes twice was announced, or, where the user wants such events held, nothing comes twice and
//! the ledger names what is missing.

use longshore_tests::{Result, shop::Target};
use serde_json::json;

use crate::{interruptions::held_rows, report::Report, scene::Scene};

const EVENTS: i64 = 20_000;

/// A sync of events to an API that cuts answers for a while.
async fn cut_scene(source_line: &str, retry: &str, faults: serde_json::Value) -> Result<Scene> {
    let scene = Scene::open(20_000, EVENTS).await?;
    let configuration = scene
        .configuration(Target::Events)
        .with_source_line(source_line)
        .with_destination_option(retry);
    scene.configure(Target::Events, &configuration)?;
    scene.sandbox.set_faults(faults).await?;
    Ok(scene)
}

#[tokio::test]
async fn what_comes_twice_was_counted_also_when_the_attempts_at_a_request_are_used_up() -> Result<()> {
    // More than the requests of one attempt of the run can be tried: eight at a time, twice each.
    let faults = json!([{ "kind": "cut_after", "skip": 3, "next": 24 }]);
    let scene = cut_scene(
        "uncertain: resend",
        "retry: { max_attempts: 2, first_delay: 10ms }",
        faults,
    )
    .await?;
    let report = scene.sync_well(Target::Events).await?;
    scene.sandbox.clear_faults().await?;
    assert_eq!(report.status, "completed", "{report:?}");
    assert!(report.attempt > 1, "{report:?}");
    let comparison = scene.compare(Target::Events).await?;
    assert!(comparison.is_complete(), "{comparison}");
    let repeated = comparison.repeated.len() as u64;
    assert!(
        repeated > 0 && repeated <= report.uncertain,
        "{repeated} came twice: {report:?}"
    );
    let again: Report = scene.sync_well(Target::Events).await?;
    assert_eq!((again.only_table().delivered, again.uncertain), (0, 0), "{again:?}");
    scene.longshore.leaves_nothing_running().await
}

#[tokio::test]
async fn events_that_are_held_come_once_or_are_named_in_the_ledger() -> Result<()> {
    let faults = json!([
        { "kind": "cut_after", "skip": 3, "next": 6 },
        { "kind": "cut_before", "skip": 20, "next": 6 },
    ]);
    let scene = cut_scene("uncertain: hold", "retry: { first_delay: 10ms }", faults).await?;
    let report = scene.sync_well(Target::Events).await?;
    scene.sandbox.clear_faults().await?;
    assert_eq!(
        (report.status.as_str(), report.attempt, report.uncertain),
        ("completed_with_rejects", 1, 0),
        "{report:?}"
    );
    let comparison = scene.compare(Target::Events).await?;
    assert!(
        comparison.repeated.is_empty() && comparison.unexpected.is_empty(),
        "{comparison}"
    );
    let held = held_rows(&scene).await?;
    assert_eq!(held.len() as u64, report.rejects, "{report:?}");
    assert!(
        !comparison.missing.is_empty() && comparison.missing.len() < held.len(),
        "{comparison}"
    );
    for missing in &comparison.missing {
        assert!(
            held.contains(&format!("event_id = {missing}")),
            "{missing} is lost without a word"
        );
    }
    Ok(())
}
