//! One row that is refused several times, and rows of which nobody knows whether newer versions were delivered.

use longshore_tests::Result;
use serde_json::{Value, json};

use super::scene::{Ledger, number, retried};

/// What was said about rows of unknown version.
fn of_unknown_version(report: &Value) -> Option<&str> {
    let warnings = report["warnings"].as_array().into_iter().flatten();
    warnings
        .filter_map(Value::as_str)
        .find(|warning| warning.contains("not known whether a newer version"))
}

#[tokio::test]
async fn a_profile_that_is_refused_in_run_after_run_has_one_pending_reject() -> Result<()> {
    let ledger = Ledger::of_profiles().await?;
    ledger.insert(1, "ref, name", "NULL, 'first'").await?;
    ledger.insert(2, "ref, name", "NULL, 'another'").await?;
    ledger.sync().await?;
    for name in ["second", "third"] {
        ledger.update(&format!("name = '{name}'"), "id = 1").await?;
        let report = ledger.sync().await?;
        assert_eq!((number(&report, "rejects"), number(&report, "pending_rejects")), (1, 2));
    }
    assert_eq!(
        ledger.statuses().await?,
        ["superseded", "pending", "superseded", "pending"]
    );
    let newest = &ledger.rejects().await?[3];
    let shown = ledger
        .longshore
        .json(["rejects", "show", &newest["id"].to_string()])
        .await?;
    assert_eq!(shown["row"]["name"], "third");
    Ok(())
}

#[tokio::test]
async fn an_event_that_is_read_again_and_refused_again_is_sent_once_when_it_is_mended() -> Result<()> {
    let ledger = Ledger::of_events().await?;
    ledger
        .insert(1, "ref, event_name, name", "'ada', NULL, 'first'")
        .await?;
    ledger.sync().await?;
    for _ in 0..2 {
        let again = ["sync", "longshore.yml", "--from", "2000-01-01T00:00:00Z"];
        let report = ledger.longshore.json(again).await?;
        assert_eq!(number(&report, "rejects"), 1, "{report}");
    }
    assert_eq!(ledger.statuses().await?, ["superseded", "superseded", "pending"]);
    let exported = ledger
        .run(&["rejects", "export", "--status", "pending"])
        .await?
        .succeeded()?;
    let mut line: Value = serde_json::from_str(&exported.stdout).unwrap();
    line["row"]["event_name"] = json!("did");
    ledger.longshore.write("mended.ndjson", &line.to_string())?;
    let replayed = ledger
        .longshore
        .json(["rejects", "replay", "--file", "mended.ndjson"])
        .await?;
    assert_eq!(retried(&replayed), (1, 1, 0));
    assert_eq!(ledger.sandbox.events().await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_row_whose_version_nobody_knows_is_sent_by_a_person_alone() -> Result<()> {
    let ledger = Ledger::of_profiles().await?;
    let under = |column: &str, retry: &str| {
        let options = [
            format!("custom_id: {column}"),
            "mapping: { id: { ignore: true }, ref: { ignore: true }, alias: { ignore: true } }".to_owned(),
        ];
        ledger.configure(
            &[&format!("rejects: {{ retry: {retry} }}")],
            &options.each_ref().map(String::as_str),
        )
    };
    under("ref", "never")?;
    // One without an id, and one that was refused under an id that is another one later.
    ledger.insert(1, "ref, alias, name", "'ada', 'a', 'old'").await?;
    ledger.refuse_once().await?;
    ledger.sync().await?;
    ledger.sandbox.clear_faults().await?;
    ledger.insert(2, "ref, alias, name", "NULL, 'e', 'old'").await?;
    ledger.sync().await?;
    under("alias", "never")?;
    // Other rows of the same profiles: nothing but the id says so.
    ledger.insert(3, "ref, alias, name", "NULL, 'a', 'new'").await?;
    ledger.insert(4, "ref, alias, name", "NULL, 'e', 'new'").await?;
    ledger.sync().await?;
    under("alias", "next_run")?;
    let report = ledger.sync().await?;
    assert_eq!(report["retries"], json!([]), "{report}");
    assert!(
        of_unknown_version(&report).is_some_and(|said| said.starts_with("2 rejected rows")),
        "{report}"
    );
    assert_eq!(ledger.statuses().await?, ["pending", "pending"]);
    for profile in ["a", "e"] {
        assert_eq!(ledger.name_of(profile).await?.as_deref(), Some("new"), "{profile}");
    }

    let ids: Vec<String> = ledger
        .rejects()
        .await?
        .iter()
        .map(|reject| reject["id"].to_string())
        .collect();
    let replayed = ledger.longshore.json(["rejects", "replay", "--id", &ids[0]]).await?;
    assert!(of_unknown_version(&replayed).is_some(), "{replayed}");
    assert_eq!(ledger.name_of("a").await?.as_deref(), Some("old"), "a person insisted");
    let asked = ledger.run(&["rejects", "discard", "--id", &ids[1]]).await?;
    assert_eq!(asked.code(), Some(2), "{asked}");
    assert!(asked.stderr.contains("not_confirmed"), "{asked}");
    ledger
        .run(&["rejects", "discard", "--id", &ids[1], "--yes"])
        .await?
        .succeeded()?;
    assert_eq!(ledger.statuses().await?, ["redelivered", "discarded"]);
    assert_eq!(of_unknown_version(&ledger.sync().await?), None);
    let chosen = ledger.run(&["rejects", "discard", "--yes"]).await?;
    assert!(chosen.stderr.contains("nothing_chosen"), "{chosen}");
    Ok(())
}

#[tokio::test]
async fn each_line_of_a_row_may_mend_what_is_wrong_with_its_own_column() -> Result<()> {
    let ledger = Ledger::of_profiles().await?;
    ledger
        .insert(1, "ref, name, url__home", "'ada', repeat('x', 5000), 'no url'")
        .await?;
    assert_eq!(number(&ledger.sync().await?, "rejects"), 2);
    let exported = ledger.run(&["rejects", "export"]).await?.succeeded()?;
    let mut lines: Vec<Value> = exported
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let mend = |line: &mut Value| {
        let column = line["column"].as_str().unwrap_or_default().to_owned();
        line["row"][&column] = match column.as_str() {
            "name" => json!("Ada"),
            _ => json!("https://example.com"),
        };
    };
    lines.iter_mut().for_each(mend);
    let write = |lines: &[Value]| {
        let text: Vec<String> = lines.iter().map(Value::to_string).collect();
        // As some editors write it.
        ledger
            .longshore
            .write("mended.ndjson", &format!("\u{feff}{}", text.join("\n")))
    };
    let mut disputed = lines.clone();
    disputed
        .iter_mut()
        .zip(["Ada", "Eve"])
        .for_each(|(line, name)| line["row"]["name"] = json!(name));
    write(&disputed)?;
    let refused = ledger.run(&["rejects", "replay", "--file", "mended.ndjson"]).await?;
    assert_eq!(refused.code(), Some(2), "{refused}");
    assert!(
        refused.stderr.contains("line 2, field `row.name`") && refused.stderr.contains("line 1"),
        "{refused}"
    );
    write(&lines)?;
    let replayed = ledger
        .longshore
        .json(["rejects", "replay", "--file", "mended.ndjson"])
        .await?;
    assert_eq!(retried(&replayed), (1, 1, 0), "{replayed}");
    assert_eq!(ledger.statuses().await?, ["redelivered", "redelivered"]);
    assert_eq!(ledger.name_of("ada").await?.as_deref(), Some("Ada"));
    Ok(())
}

#[tokio::test]
async fn a_row_that_is_delivered_by_a_range_supersedes_its_own_rejects_and_no_others() -> Result<()> {
    for events in [false, true] {
        let ledger = match events {
            true => Ledger::of_events().await?,
            false => Ledger::of_profiles().await?,
        };
        ledger.insert(1, "ref, name", "'ada', 'old'").await?;
        ledger.refuse_once().await?;
        ledger.sync().await?;
        ledger.sandbox.clear_faults().await?;
        // Mended in the database without moving the cursor: a range is what brings it.
        if !events {
            ledger.database.execute("UPDATE people SET name = 'new'").await?;
        }
        let again = ["sync", "longshore.yml", "--from", "2000-01-01T00:00:00Z"];
        ledger.longshore.json(again).await?;
        assert_eq!(ledger.statuses().await?, ["superseded"], "events: {events}");
        assert_eq!(ledger.sync().await?["retries"], json!([]));
        match events {
            true => assert_eq!(ledger.sandbox.events().await?.len(), 1),
            false => assert_eq!(ledger.name_of("ada").await?.as_deref(), Some("new")),
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_row_that_is_delivered_under_the_old_column_is_not_sent_again_under_the_new_one() -> Result<()> {
    let ledger = Ledger::of_profiles().await?;
    ledger.insert(1, "ref, alias, name", "NULL, 'u1', 'old'").await?;
    ledger.sync().await?;
    ledger.update("ref = 'u1', name = 'new'", "true").await?;
    ledger.sync().await?;
    assert_eq!(
        ledger.statuses().await?,
        ["superseded"],
        "its key says that it is the same row"
    );
    let options = [
        "custom_id: alias",
        "mapping: { id: { ignore: true }, ref: { ignore: true } }",
    ];
    ledger.configure(&[], &options)?;
    assert_eq!(ledger.sync().await?["retries"], json!([]));
    assert_eq!(ledger.name_of("u1").await?.as_deref(), Some("new"));
    Ok(())
}

#[tokio::test]
async fn a_mended_row_stays_mended_when_another_of_its_columns_is_refused_again() -> Result<()> {
    let ledger = Ledger::of_profiles().await?;
    ledger
        .insert(1, "ref, name, url__home", "'ada', repeat('x', 5000), 'no url'")
        .await?;
    assert_eq!(number(&ledger.sync().await?, "rejects"), 2);
    let exported = ledger.run(&["rejects", "export"]).await?.succeeded()?;
    let line = exported.stdout.lines().next().expect("two were exported");
    let mut line: Value = serde_json::from_str(line).unwrap();
    line["row"]["name"] = json!("Ada");
    ledger.longshore.write("mended.ndjson", &line.to_string())?;
    let replay = ["rejects", "replay", "--file", "mended.ndjson"];
    assert_eq!(ledger.run(&replay).await?.code(), Some(5), "the address is as it was");
    assert_eq!(ledger.name_of("ada").await?.as_deref(), Some("Ada"));
    let kept = ledger
        .run(&["rejects", "export", "--status", "pending"])
        .await?
        .succeeded()?;
    let kept: Vec<Value> = kept
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!((kept.len(), &kept[0]["row"]["name"]), (1, &json!("Ada")), "{kept:?}");
    Ok(())
}

#[tokio::test]
async fn the_newer_of_two_rows_of_a_profile_wins_whatever_the_order_of_replays() -> Result<()> {
    let ledger = Ledger::of_profiles().await?;
    ledger
        .insert(1, "ref, alias, name, url__home", "NULL, 'ada', 'old', 'no url'")
        .await?;
    ledger.insert(2, "ref, alias, name", "NULL, 'ada', 'new'").await?;
    ledger.sync().await?;
    let options = [
        "custom_id: alias",
        "mapping: { id: { ignore: true }, ref: { ignore: true } }",
    ];
    ledger.configure(&[], &options)?;
    let newer = ledger.rejects().await?[1]["id"].to_string();
    ledger.longshore.json(["rejects", "replay", "--id", &newer]).await?;
    let report = ledger.sync().await?;
    assert_eq!(
        report["retries"],
        json!([]),
        "the older one waits for a person: {report}"
    );
    assert_eq!(ledger.name_of("ada").await?.as_deref(), Some("new"));
    Ok(())
}
