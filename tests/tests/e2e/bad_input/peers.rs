//! A database and an API that do not do what the configuration expects of them.

use longshore_tests::{
    Finished, Result,
    shop::{Configuration, Target},
};
use serde_json::json;

use super::{assert_no_cursor, assert_refused, exit};
use crate::{report::Report, scene::Scene};

/// Syncs the events after a change to their configuration, which is to be refused: nothing is sent, and no cursor is stored. The connection test must
/// fail as well.
async fn refused(scene: &Scene, change: impl FnOnce(Configuration) -> Configuration) -> Result<Finished> {
    scene.configure(Target::Events, &change(scene.configuration(Target::Events)))?;
    let tested = scene.longshore.run(["test-connection", "events.yml"]).await?;
    assert_ne!(tested.code(), Some(0), "the connection test notices nothing\n{tested}");
    let finished = scene.sync(Target::Events).await?;
    assert_eq!(
        scene.sandbox.counts().await?.events,
        0,
        "something was sent\n{finished}"
    );
    assert_no_cursor(&scene.longshore).await;
    scene.longshore.leaves_nothing_running().await?;
    Ok(finished)
}

#[tokio::test]
async fn a_wrong_password_is_said_to_be_one() -> Result<()> {
    let scene = Scene::open(1, 1).await?;
    let finished = refused(&scene, |events| events.with_source_option("password: not-this-one")).await?;
    assert_refused(&finished, exit::SOURCE, &["authentication_failed", "password"]);
    assert!(!finished.stderr.contains("not-this-one"), "{finished}");
    Ok(())
}

#[tokio::test]
async fn an_unknown_host_is_named() -> Result<()> {
    let scene = Scene::open(1, 1).await?;
    let finished = refused(&scene, |events| events.with_source_option("host: no-such-host.invalid")).await?;
    assert_refused(&finished, exit::SOURCE, &["host_unknown", "no-such-host.invalid"]);
    Ok(())
}

#[tokio::test]
async fn a_server_that_does_not_listen_is_named() -> Result<()> {
    let scene = Scene::open(1, 1).await?;
    let finished = refused(&scene, |events| events.with_source_option("port: 1")).await?;
    assert_refused(&finished, exit::SOURCE, &["connection_refused", "127.0.0.1", "1"]);
    Ok(())
}

#[tokio::test]
async fn a_database_that_does_not_exist_is_named() -> Result<()> {
    let scene = Scene::open(1, 1).await?;
    let finished = refused(&scene, |events| events.with_source_option("database: warehouse")).await?;
    assert_refused(&finished, exit::SOURCE, &["database_missing", "warehouse"]);
    Ok(())
}

#[tokio::test]
async fn a_table_that_does_not_exist_is_named() -> Result<()> {
    let scene = Scene::open(1, 1).await?;
    scene
        .shop
        .database()
        .execute("ALTER TABLE events RENAME TO happenings")
        .await?;
    let finished = refused(&scene, |events| events).await?;
    assert_refused(
        &finished,
        exit::CONFIGURATION,
        &["no table `events`", "events.yml:5", "happenings"],
    );
    Ok(())
}

#[tokio::test]
async fn a_missing_cursor_column_is_named() -> Result<()> {
    let scene = Scene::open(1, 1).await?;
    let finished = refused(&scene, |events| events.with_source_option("cursor: updated_when")).await?;
    assert_refused(
        &finished,
        exit::CONFIGURATION,
        &["cursor_column_missing", "updated_when", "events"],
    );
    Ok(())
}

#[tokio::test]
async fn a_cursor_column_of_an_unusable_type_is_named() -> Result<()> {
    let scene = Scene::open(1, 1).await?;
    scene
        .shop
        .database()
        .execute("ALTER TABLE events ADD COLUMN flags boolean NOT NULL DEFAULT false")
        .await?;
    let finished = refused(&scene, |events| events.with_source_option("cursor: flags")).await?;
    assert_refused(&finished, exit::CONFIGURATION, &["flags", "events"]);
    Ok(())
}

#[tokio::test]
async fn rows_without_a_cursor_are_counted_before_anything_is_sent() -> Result<()> {
    let scene = Scene::open(5, 20).await?;
    let nulls = "ALTER TABLE events ALTER last_updated_at DROP NOT NULL; UPDATE events SET last_updated_at = NULL WHERE event_id <= 7";
    scene.shop.database().execute(nulls).await?;
    let finished = refused(&scene, |events| events).await?;
    assert_ne!(finished.code(), Some(0), "{finished}");
    assert!(
        finished.stderr.contains('7') && finished.stderr.contains("last_updated_at"),
        "{finished}"
    );
    Ok(())
}

#[tokio::test]
async fn a_required_column_that_is_missing_is_named_with_its_target() -> Result<()> {
    for column in ["custom_id", "event_name"] {
        let scene = Scene::open(1, 1).await?;
        scene
            .shop
            .database()
            .execute(&format!("ALTER TABLE events RENAME COLUMN {column} TO renamed"))
            .await?;
        let finished = refused_by_the_destination(&scene).await?;
        assert_refused(
            &finished,
            exit::CONFIGURATION,
            &["column_missing", column, "profile_events"],
        );
    }
    Ok(())
}

/// As [`refused`], for what a destination learns from the table's schema only, which the connection test may not know.
async fn refused_by_the_destination(scene: &Scene) -> Result<Finished> {
    let finished = scene.sync(Target::Events).await?;
    assert_eq!(
        scene.sandbox.counts().await?.requests,
        0,
        "something was sent\n{finished}"
    );
    assert_no_cursor(&scene.longshore).await;
    Ok(finished)
}

#[tokio::test]
async fn refused_credentials_stop_the_run_at_once() -> Result<()> {
    let scene = Scene::open(100, 5_000).await?;
    let wrong = scene
        .configuration(Target::Events)
        .with_destination_option("rest_api_key: rest_of_somebody_else");
    scene.configure(Target::Events, &wrong)?;
    let finished = scene.sync(Target::Events).await?;
    assert_refused(&finished, exit::DESTINATION, &["credentials_refused", "rest_api_key"]);
    assert!(!finished.stderr.contains("rest_of_somebody_else"), "{finished}");
    assert_no_cursor(&scene.longshore).await;
    // As many calls as may be on their way at once, and not one for each batch of rows.
    let calls = scene.sandbox.requests().await?.len();
    assert!(calls <= 8, "{calls} calls were made with a key that is refused");

    scene.configure(Target::Events, &scene.configuration(Target::Events))?;
    assert_eq!(scene.sync_well(Target::Events).await?.only_table().delivered, 5_000);
    scene.assert_exact(Target::Events).await
}

#[tokio::test]
async fn a_destination_that_is_not_there_fails_the_run_and_keeps_its_place() -> Result<()> {
    let scene = Scene::open(10, 100).await?;
    let impatient = "retry: { max_attempts: 2, first_delay: 10ms }";
    let nowhere = scene
        .configuration(Target::Events)
        .with_destination_option("base_url: http://127.0.0.1:1")
        .with_destination_option(impatient);
    scene.configure(Target::Events, &nowhere)?;
    let finished = scene.sync(Target::Events).await?;
    assert_refused(&finished, exit::DESTINATION, &["unreachable", "base_url"]);
    scene.configure(Target::Events, &scene.configuration(Target::Events))?;
    assert_eq!(scene.sync_well(Target::Events).await?.only_table().delivered, 100);
    scene.assert_exact(Target::Events).await
}

#[tokio::test]
async fn what_the_api_refuses_for_a_while_arrives_in_the_end() -> Result<()> {
    let scene = Scene::open(200, 3_000).await?;
    let patient = scene
        .configuration(Target::Events)
        .with_destination_option("retry: { first_delay: 10ms, rate_limited_delay: 50ms }")
        // Enough requests for all of the faults.
        .with_destination_option("requests: { update_operations: 20 }");
    scene.configure(Target::Events, &patient)?;
    let faults = json!([
        { "kind": "status_500", "next": 2 },
        { "kind": "status_503", "skip": 1, "next": 1 },
        { "kind": "status_429", "skip": 2, "next": 2 },
        { "kind": "cut_before", "skip": 4, "next": 2 },
    ]);
    scene.sandbox.set_faults(faults).await?;
    let report = scene.sync_well(Target::Events).await?;
    scene.sandbox.clear_faults().await?;
    assert_eq!(report.only_table().delivered, 3_000);
    scene.assert_exact(Target::Events).await
}

#[tokio::test]
async fn an_answer_that_was_lost_repeats_only_what_is_announced() -> Result<()> {
    let scene = Scene::open(200, 3_000).await?;
    let patient = scene
        .configuration(Target::Events)
        .with_destination_option("retry: { first_delay: 10ms }");
    scene.configure(Target::Events, &patient)?;
    scene
        .sandbox
        .set_faults(json!([{ "kind": "cut_after", "skip": 1, "next": 1 }]))
        .await?;
    let report: Report = scene.sync_well(Target::Events).await?;
    scene.sandbox.clear_faults().await?;
    let comparison = scene.compare(Target::Events).await?;
    assert!(comparison.is_complete(), "{comparison}");
    let repeated = comparison.repeated.len() as u64;
    assert!(
        repeated > 0 && repeated <= report.uncertain,
        "{repeated} arrived twice: {report:?}"
    );
    Ok(())
}

#[tokio::test]
async fn rows_that_break_a_rule_of_the_api_are_in_the_ledger_and_the_others_arrive() -> Result<()> {
    let scene = Scene::open(50, 500).await?;
    let bad = "
        UPDATE events SET event_name = 'Not A Name!' WHERE event_id = 1;
        UPDATE events SET event_time = now() - interval '3 days' WHERE event_id IN (2, 3);
        UPDATE events SET custom_id = '' WHERE event_id = 4;
        UPDATE events SET url__item_url = 'not a url' WHERE event_id = 5;
        UPDATE events SET item = repeat('x', 301) WHERE event_id = 6;";
    scene.shop.database().execute(bad).await?;
    let report = scene.sync_well(Target::Events).await?;
    let table = report.only_table();
    assert_eq!(
        (table.read, table.rejected, table.delivered),
        (500, 4, 496),
        "{report:?}"
    );
    assert_eq!(report.status, "completed_with_rejects");
    let rejects = scene.longshore.json(["rejects", "list"]).await?;
    let rejects = rejects.as_array().unwrap();
    assert_eq!(
        rejects.iter().filter(|reject| reject["whole_row"] == true).count(),
        4,
        "{rejects:?}"
    );
    for column in ["event_name", "event_time", "custom_id", "url__item_url", "item"] {
        let found = rejects.iter().any(|reject| reject["column"] == column);
        assert!(found, "no reject names {column}: {rejects:?}");
    }
    let shown = serde_json::to_string(rejects).unwrap();
    assert!(
        !shown.contains("Not A Name!") && !shown.contains("xxx"),
        "a value is shown: {shown}"
    );
    assert_eq!(scene.sandbox.violations().await?["count"], 0);
    Ok(())
}
