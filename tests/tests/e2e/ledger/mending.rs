//! Rejects sent again by a person's wish, as they were or mended.

use longshore_tests::{Context as _, Finished, Result};
use rustix::process::Signal;
use serde_json::{Value, json};

use super::scene::{Ledger, number, retried, text};

/// Two people whose addresses are no addresses, and one without a custom id.
async fn rejected_people() -> Result<Ledger> {
    let ledger = Ledger::of_profiles().await?;
    ledger.configure(&["rejects: { retry: never }"], &[])?;
    ledger
        .insert(1, "ref, name, url__home", "'ada', 'Ada', 'ada.example'")
        .await?;
    ledger
        .insert(2, "ref, name, url__home", "'bob', 'Bob', 'bob.example'")
        .await?;
    ledger.insert(3, "ref, name", "NULL, 'Eve'").await?;
    ledger.sync().await?;
    Ok(ledger)
}

async fn export(ledger: &Ledger) -> Result<Vec<Value>> {
    let exported = ledger
        .run(&["rejects", "export", "--status", "pending"])
        .await?
        .succeeded()?;
    Ok(exported
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect())
}

async fn replay_file(ledger: &Ledger, lines: &[Value]) -> Result<Finished> {
    let text: Vec<String> = lines.iter().map(Value::to_string).collect();
    ledger.longshore.write("mended.ndjson", &text.join("\n"))?;
    ledger
        .run(&["rejects", "replay", "--file", "mended.ndjson", "--json"])
        .await
}

#[tokio::test]
async fn what_a_person_has_mended_in_an_exported_file_is_delivered() -> Result<()> {
    let ledger = rejected_people().await?;
    let mut lines = export(&ledger).await?;
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[0]["row"]["url__home"], "ada.example");
    for line in &mut lines {
        let id = text(&line["row"], "name").to_lowercase();
        line["row"]["url__home"] = json!(format!("https://example.com/{id}"));
        line["row"]["ref"] = json!(id);
    }
    let replayed = replay_file(&ledger, &lines).await?.succeeded()?.json()?;
    assert_eq!(retried(&replayed), (3, 3, 0), "{replayed}");
    let profiles = ledger.sandbox.profiles().await?;
    for profile in &profiles {
        let url = json!(format!("https://example.com/{}", profile.custom_id));
        assert_eq!(profile.attributes.get("url(home)"), Some(&url), "{profile:?}");
    }
    assert_eq!(
        (profiles.len(), ledger.statuses().await?),
        (3, vec!["redelivered".to_owned(); 3])
    );
    let runs = ledger.longshore.json(["runs", "list"]).await?;
    assert_eq!(
        (&runs[0]["kind"], &runs[0]["run_id"]),
        (&json!("replay"), &replayed["run_id"])
    );
    Ok(())
}

#[tokio::test]
async fn a_row_that_is_refused_again_stays_and_ends_the_replay_with_its_own_exit_code() -> Result<()> {
    let ledger = rejected_people().await?;
    let replayed = ledger.run(&["rejects", "replay", "--json"]).await?;
    assert_eq!(replayed.code(), Some(5), "{replayed}");
    assert_eq!(retried(&replayed.json()?), (3, 2, 1), "{replayed}");
    // The rest of two rows was delivered once more, and their columns are refused as before.
    assert_eq!(ledger.statuses().await?, ["pending", "pending", "pending"]);
    let rejects = ledger.rejects().await?;
    assert!(
        rejects.iter().all(|reject| number(reject, "attempts") == 1),
        "{rejects:?}"
    );
    Ok(())
}

#[tokio::test]
async fn a_file_with_a_mistake_is_refused_by_line_and_field_and_nothing_is_sent() -> Result<()> {
    let ledger = rejected_people().await?;
    let lines = export(&ledger).await?;
    let before = ledger.sandbox.counts().await?.requests;
    let with = |change: &dyn Fn(&mut Value)| {
        let mut lines = lines.clone();
        change(&mut lines[1]);
        lines
    };
    for (mended, words) in [
        (with(&|line| line["row"]["nam"] = json!("Bob")), "field `row.nam`"),
        (with(&|line| line["row"]["name"] = json!(7)), "field `row.name`"),
        (with(&|line| line["row"]["id"] = json!("two")), "field `row.id`"),
        (
            with(&|line| line["row"]["last_updated_at"] = json!("yesterday")),
            "field `row.last_updated_at`",
        ),
        (with(&|line| line["row"] = Value::Null), "field `row`"),
        (with(&|line| line["id"] = json!(4_711)), "field `id`"),
        (with(&|line| line["id"] = lines[0]["id"].clone()), "twice"),
        (with(&|line| *line = json!("nothing")), "no JSON object"),
    ] {
        let refused = replay_file(&ledger, &mended).await?;
        assert_eq!(refused.code(), Some(2), "{refused}");
        assert!(
            refused.stderr.contains(words) && refused.stderr.contains("line 2"),
            "{words}: {refused}"
        );
        assert!(refused.stderr.contains("help:"), "{refused}");
    }
    assert_eq!(ledger.sandbox.counts().await?.requests, before);
    Ok(())
}

#[tokio::test]
async fn only_what_filters_and_numbers_name_is_sent() -> Result<()> {
    let ledger = rejected_people().await?;
    let ids: Vec<String> = ledger
        .rejects()
        .await?
        .iter()
        .map(|reject| reject["id"].to_string())
        .collect();
    ledger.configure(&["rejects: { retry: never }"], &["custom_id: name", "mapping: { id: { ignore: true }, ref: { ignore: true }, alias: { ignore: true }, url__home: { ignore: true } }"])?;
    let by_rule = ledger
        .longshore
        .json(["rejects", "replay", "--rule", "custom_id_missing"])
        .await?;
    assert_eq!(retried(&by_rule), (1, 1, 0));
    assert_eq!(ledger.statuses().await?, ["pending", "pending", "redelivered"]);
    let by_number = ledger.longshore.json(["rejects", "replay", "--id", &ids[1]]).await?;
    assert_eq!(retried(&by_number), (1, 1, 0));
    assert_eq!(ledger.statuses().await?, ["pending", "redelivered", "redelivered"]);
    let twice = ledger.run(&["rejects", "replay", "--id", &ids[1]]).await?;
    assert_eq!(twice.code(), Some(2), "{twice}");
    assert!(twice.stderr.contains("reject_not_pending"), "{twice}");
    Ok(())
}

#[tokio::test]
async fn the_rest_of_an_event_is_not_repeated_unless_somebody_insists() -> Result<()> {
    let ledger = Ledger::of_events().await?;
    ledger
        .insert(1, "ref, name, url__home", "'ada', 'first', 'no url'")
        .await?;
    let report = ledger.sync().await?;
    assert_eq!(
        (number(&report, "rejects"), ledger.sandbox.events().await?.len()),
        (1, 1)
    );
    assert_eq!(ledger.sync().await?["retries"], json!([]), "a run does not try it");
    let refused = ledger.run(&["rejects", "replay"]).await?;
    assert_eq!(refused.code(), Some(2), "{refused}");
    assert!(
        refused.stderr.contains("would_repeat") && refused.stderr.contains("--insist"),
        "{refused}"
    );
    assert_eq!(ledger.sandbox.events().await?.len(), 1);
    let insisted = ledger.run(&["rejects", "replay", "--insist"]).await?;
    assert_eq!(
        (insisted.code(), ledger.sandbox.events().await?.len()),
        (Some(5), 2),
        "the column is refused again: {insisted}"
    );
    Ok(())
}

#[tokio::test]
async fn a_dry_run_says_that_a_sync_would_send_rejects_again() -> Result<()> {
    let ledger = rejected_people().await?;
    ledger.configure(&[], &[])?;
    let said = ledger
        .run(&["sync", "--dry-run", "--json"])
        .await?
        .succeeded()?
        .json()?;
    let warnings = said["warnings"].as_array().context("there are warnings")?;
    let again = warnings
        .iter()
        .filter_map(serde_json::Value::as_str)
        .find(|warning| warning.contains("a sync sends what is in it again"));
    assert!(again.is_some(), "{said}");
    Ok(())
}

#[tokio::test]
async fn a_replay_is_refused_while_the_sync_runs_and_says_who_runs_it() -> Result<()> {
    let ledger = rejected_people().await?;
    ledger.insert(9, "ref, name", "'zoe', 'Zoe'").await?;
    ledger.keep_the_next_answer().await?;
    let sync = ledger.start_sync()?;
    ledger.has_arrived("zoe", "Zoe").await?;
    let refused = ledger.run(&["rejects", "replay"]).await?;
    assert_eq!(refused.code(), Some(2), "{refused}");
    let holder = format!("process {}", sync.pid());
    assert!(
        refused.stderr.contains("sync_held") && refused.stderr.contains(&holder),
        "{refused}"
    );
    sync.signal(Signal::KILL)?;
    sync.finish().await?;
    ledger.longshore.leaves_nothing_running().await
}

#[tokio::test]
async fn a_reject_is_shown_with_its_row_and_both_its_keys() -> Result<()> {
    let ledger = rejected_people().await?;
    let id = ledger.rejects().await?[0]["id"].to_string();
    let shown = ledger.run(&["rejects", "show", &id]).await?.succeeded()?;
    for words in ["ada (id = 1)", "url__home", "ada.example", "pending", "name"] {
        assert!(shown.stdout.contains(words), "{words}: {shown}");
    }
    let json = ledger.longshore.json(["rejects", "show", &id]).await?;
    assert_eq!((&json["row"]["id"], &json["row"]["alias"]), (&json!(1), &Value::Null));
    let array = ledger.longshore.json(["rejects", "export"]).await?;
    assert_eq!(
        (array.as_array().map(Vec::len), &array[0]["row"]),
        (Some(3), &json["row"])
    );
    let none = ledger.longshore.json(["rejects", "export", "--rule", "other"]).await?;
    assert_eq!(none, json!([]));
    Ok(())
}

#[tokio::test]
async fn rejects_of_a_sync_that_the_configuration_does_not_have_are_left_out_and_spoken_of() -> Result<()> {
    let ledger = rejected_people().await?;
    let text = std::fs::read_to_string(ledger.longshore.folder().join("longshore.yml")).context("it is there")?;
    ledger
        .longshore
        .write("others.yml", &text.replace("  name: people\n", "  name: others\n"))?;
    ledger.run(&["sync", "others.yml"]).await?.succeeded()?;
    let listed = ledger.run(&["rejects", "list"]).await?.succeeded()?.stdout;
    assert!(listed.lines().next().unwrap_or_default().contains("  SYNC"), "{listed}");

    let by_number = ledger.run(&["rejects", "replay", "others.yml", "--id", "1"]).await?;
    assert_eq!(by_number.code(), Some(2), "{by_number}");
    let help = "as in `longshore rejects replay longshore.yml people.yml`";
    assert!(by_number.stderr.contains(help), "{by_number}");

    let all = ledger.run(&["rejects", "replay", "others.yml"]).await?;
    let left_out = "3 pending rejects of syncs that this configuration does not have were left out (people: 3)";
    assert!(all.stderr.contains(left_out), "{all}");
    let of_one = ledger
        .run(&["rejects", "replay", "others.yml", "--sync", "others"])
        .await?;
    assert!(!of_one.stderr.contains("left out"), "{of_one}");
    Ok(())
}
