//! What is remembered of runs: what began them, with which programs, how each attempt ended, what was logged, and for how long.

use longshore_tests::{Context, Result};
use serde_json::Value;

use crate::generated::Generated;

/// A sync whose destination dies once in the middle, so that a second attempt ends it.
async fn synced_at_the_second_attempt() -> Result<(Generated, String)> {
    let generated = Generated::with(
        200_000,
        &[],
        &["exit_after_rows: 50000", "once_file: fired", "reject_every: 40000"],
    )?;
    let report = generated.sync_well().await?;
    assert_eq!(report.attempt, 2);
    Ok((generated, report.run_id.context("the run has an id")?))
}

fn messages(log: &Value, of: impl Fn(&Value) -> bool) -> Vec<&str> {
    let lines = log["lines"].as_array().expect("a log has lines");
    let chosen = lines.iter().filter(|line| of(line));
    chosen.map(|line| line["message"].as_str().expect("a text")).collect()
}

#[tokio::test]
async fn a_run_is_shown_with_its_attempts_their_origin_and_its_log() -> Result<()> {
    let (generated, run_id) = synced_at_the_second_attempt().await?;
    let shown = generated.longshore.json(["runs", "show", &run_id, "--logs"]).await?;

    let attempts = shown["attempts"].as_array().context("a run has attempts")?;
    let outcomes: Vec<_> = attempts.iter().map(|attempt| &attempt["outcome"]).collect();
    assert_eq!(outcomes, ["failed", "completed_with_rejects"]);
    assert_eq!(attempts[0]["error"]["code"], "plugin_died");
    assert_eq!(attempts[0]["error"]["domain"], "destination");
    assert_eq!(attempts[0]["error"]["retryable"], true);
    assert!(
        attempts[0]["error"]["remedy"]
            .as_str()
            .is_some_and(|text| !text.is_empty())
    );
    for attempt in attempts {
        assert_eq!(attempt["trigger"]["kind"], "command");
        let plugins = attempt["plugins"].as_array().context("an attempt has plugins")?;
        let named: Vec<_> = plugins
            .iter()
            .map(|plugin| (&plugin["role"], &plugin["name"], &plugin["plugin"]))
            .collect();
        assert_eq!(named[0], (&"source".into(), &"numbers".into(), &"generate".into()));
        assert_eq!(named[1], (&"destination".into(), &"nowhere".into(), &"discard".into()));
        assert!(
            plugins
                .iter()
                .all(|plugin| plugin["version"] == env!("CARGO_PKG_VERSION"))
        );
    }

    let log = &shown["log"];
    let of_the_destination = |line: &Value| {
        line["plugin"]
            .as_str()
            .is_some_and(|name| name.starts_with("destination"))
    };
    let faults = messages(log, of_the_destination);
    assert_eq!(faults.len(), 1, "the plugin's own words are kept: {log}");
    assert!(faults[0].contains("a fault fires"), "{faults:?}");
    let own = messages(log, |line| line["plugin"].is_null());
    let begun = own.iter().filter(|message| message.starts_with("the attempt begins"));
    assert_eq!(begun.count(), 2, "{own:?}");
    let warned = messages(log, |line| line["level"] == "warn" && line["plugin"].is_null());
    assert!(
        warned
            .iter()
            .any(|message| message.contains("another one is to follow")),
        "{warned:?}"
    );
    assert!(
        own.last().is_some_and(|message| message.contains("the attempt ended")),
        "{own:?}"
    );
    assert_eq!((log["left_out"].as_u64(), log["lost"].as_u64()), (Some(0), Some(0)));
    assert_eq!(shown["tables"][0]["cursor_after"], "200000");

    let in_words = generated
        .longshore
        .run(["runs", "show", "last", "--logs"])
        .await?
        .succeeded()?;
    for words in [
        "attempt 1 ",
        "failed",
        "begun by a command",
        "source numbers: generate",
        "plugin_died",
        "help: ",
        "a fault fires",
    ] {
        assert!(in_words.stdout.contains(words), "{words} is missing\n{in_words}");
    }
    Ok(())
}

#[tokio::test]
async fn runs_are_found_by_status_and_by_when_they_began() -> Result<()> {
    let generated = Generated::with(10, &[], &[])?;
    generated.sync_well().await?;
    generated.configure(
        &["tables: [{ name: numbers, rows: 20, cursor: id }]"],
        &["fail_after_rows: { rows: 1 }"],
    )?;
    generated.sync().await?;
    let listed = async |filters: &[&str]| -> Result<Vec<String>> {
        let runs = generated.longshore.json([&["runs", "list"], filters].concat()).await?;
        let runs = runs.as_array().context("a list")?;
        Ok(runs
            .iter()
            .filter_map(|run| Some(run["status"].as_str()?.to_owned()))
            .collect())
    };
    assert_eq!(listed(&[]).await?, ["failed", "completed"]);
    assert_eq!(listed(&["--status", "failed"]).await?, ["failed"]);
    assert_eq!(
        listed(&["--status", "completed", "--sync", "numbers"]).await?,
        ["completed"]
    );
    assert_eq!(listed(&["--since", "1h"]).await?, ["failed", "completed"]);
    assert_eq!(listed(&["--since", "2999-01-01"]).await?, [""; 0]);
    let refused = generated
        .longshore
        .run(["runs", "list", "--since", "yesterday"])
        .await?;
    assert_eq!(refused.code(), Some(2), "{refused}");
    Ok(())
}

#[tokio::test]
async fn old_runs_are_forgotten_as_the_settings_say_and_those_with_rejects_are_not() -> Result<()> {
    let generated = Generated::with(10, &[], &["reject_every: 5"])?;
    let settings = "---\nkind: settings\nspec:\n  history: { max_runs: 2, retention: 1d }\n";
    let longshore = &generated.longshore;
    let remember_two = || -> Result<()> {
        let path = longshore.folder().join("longshore.yml");
        let text = std::fs::read_to_string(&path).context("the configuration can not be read")?;
        longshore.write("longshore.yml", &(text + settings))
    };
    remember_two()?;
    let with_rejects = generated.sync_well().await?;
    assert_eq!(with_rejects.rejects, 2);
    generated.configure(&["tables: [{ name: numbers, rows: 10, cursor: id }]"], &[])?;
    remember_two()?;
    let mut later = Vec::new();
    for _ in 0..4 {
        later.push(generated.sync_well().await?.run_id.context("the run has an id")?);
    }
    let runs = longshore.json(["runs", "list"]).await?;
    let ids: Vec<_> = runs
        .as_array()
        .into_iter()
        .flatten()
        .map(|run| &run["run_id"])
        .collect();
    // The second run has sent them again: the ledger names both.
    let first = with_rejects.run_id.context("the run has an id")?;
    assert!(ids.contains(&&Value::from(first)), "the ledger names it: {runs}");
    assert!(!ids.contains(&&Value::from(later[1].clone())), "it is too old: {runs}");
    assert_eq!(
        ids[..2],
        [&Value::from(later[3].clone()), &Value::from(later[2].clone())]
    );
    Ok(())
}
