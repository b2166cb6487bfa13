//! Plugins in another language, written from the .proto files alone, under the orchestrator.

use std::{collections::BTreeSet, os::unix::fs::PermissionsExt as _, path::Path};

use longshore_tests::{Context, Longshore, Result, python};
use serde_json::Value;

use crate::{
    bad_input::{assert_refused, exit},
    report::Report,
};

/// A source of square numbers, to a file of JSON lines. The lines become options of the two plugins.
fn configured(source_options: &str, destination_options: &str) -> Result<Longshore> {
    let longshore = Longshore::new()?;
    for plugin in ["source", "destination"] {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("python/{plugin}.py"));
        let interpreter = python::interpreter()?;
        let program = format!(
            "#!/bin/sh\nexec '{}' '{}' \"$@\"\n",
            interpreter.display(),
            script.display()
        );
        longshore.write(plugin, &program)?;
        let executable = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(longshore.folder().join(plugin), executable)
            .context("a script can be made executable")?;
    }
    configure(&longshore, source_options, destination_options)?;
    Ok(longshore)
}

fn configure(longshore: &Longshore, source_options: &str, destination_options: &str) -> Result<()> {
    let text = format!(
        "kind: source\nspec:\n  name: squares\n  registry: local\n  path: ./source\n  tables: [squares]\n  destinations: [lines]\n  \
         spec: {{ {source_options} }}\n---\nkind: destination\nspec:\n  name: lines\n  registry: local\n  path: ./destination\n  \
         spec: {{ path: arrived.jsonl, {destination_options} }}\n"
    );
    longshore.write("longshore.yml", &text)
}

/// The lines that arrived, in their order.
fn arrived(longshore: &Longshore) -> Vec<Value> {
    let text = std::fs::read_to_string(longshore.folder().join("arrived.jsonl")).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

async fn sync_well(longshore: &Longshore) -> Result<Report> {
    Report::of(&longshore.run(["sync", "--json"]).await?.succeeded()?)
}

#[tokio::test]
async fn a_source_and_a_destination_in_python_move_a_table_incrementally() -> Result<()> {
    let longshore = configured("rows: 2500, batch_rows: 400", "")?;
    let report = sync_well(&longshore).await?;
    let table = report.only_table();
    assert_eq!(
        (table.read, table.delivered, table.cursor.as_deref()),
        (2_500, 2_500, Some("2500")),
        "{report:?}"
    );

    configure(&longshore, "rows: 2600, batch_rows: 400", "")?;
    assert_eq!(sync_well(&longshore).await?.only_table().read, 100);
    assert_eq!(sync_well(&longshore).await?.only_table().read, 0);

    let lines = arrived(&longshore);
    assert_eq!(lines.len(), 2_600);
    for (line, n) in lines.iter().zip(1_u64..) {
        let row = &line["row"];
        assert_eq!((&line["table"], &row["n"]), (&Value::from("squares"), &Value::from(n)));
        assert_eq!(row["square"].as_str(), Some((n * n).to_string().as_str()), "{row}");
        assert_eq!(row["label"].is_null(), n % 5 == 0, "{row}");
    }
    longshore.leaves_nothing_running().await
}

#[tokio::test]
async fn a_destination_in_python_rejects_rows_into_the_ledger() -> Result<()> {
    // "10 × 10" has seven characters, "9 × 9" has five.
    let longshore = configured("rows: 19", "max_text: 6")?;
    let report = sync_well(&longshore).await?;
    let table = report.only_table();
    // Of 10 to 19, 10 and 15 have no label.
    assert_eq!((table.read, table.delivered, table.rejected), (19, 11, 8), "{report:?}");
    let rejects = longshore.json(["rejects", "list"]).await?;
    let rejects = rejects.as_array().unwrap();
    assert_eq!(rejects.len(), 8);
    assert!(
        rejects
            .iter()
            .all(|reject| reject["rule"] == "string_too_long" && reject["column"] == "label"),
        "{rejects:?}"
    );

    let ids: Vec<String> = rejects.iter().map(|reject| reject["id"].to_string()).collect();
    let shown = longshore.json(["rejects", "show", &ids[0]]).await?;
    assert_eq!(shown["row"]["n"], 19, "{shown}");
    configure(&longshore, "rows: 19", "max_text: 7")?;
    let again = longshore.json(["sync"]).await?;
    assert_eq!(
        (&again["retries"][0]["redelivered"], &again["tables"][0]["read"]),
        (&Value::from(8), &Value::from(0)),
        "{again}"
    );
    assert_eq!(arrived(&longshore).len(), 19);
    Ok(())
}

#[tokio::test]
async fn an_error_in_python_arrives_with_its_code_and_the_next_sync_goes_on() -> Result<()> {
    let longshore = configured("rows: 1000, batch_rows: 100, fail_at: 550", "")?;
    let first = longshore.run(["sync", "--json"]).await?;
    let report = Report::of(&first)?;
    if first.code() != Some(0) {
        assert_eq!(
            (first.code(), report.error_code()),
            (Some(exit::SOURCE), "out_of_chalk"),
            "{first}"
        );
        configure(&longshore, "rows: 1000, batch_rows: 100", "")?;
        sync_well(&longshore).await?;
    }
    // Rows on their way when it failed come twice: the destination only appends.
    let numbers: BTreeSet<u64> = arrived(&longshore)
        .iter()
        .map(|line| line["row"]["n"].as_u64().unwrap())
        .collect();
    assert!(numbers.into_iter().eq(1..=1_000));
    longshore.leaves_nothing_running().await
}

#[tokio::test]
async fn a_wrong_option_of_a_plugin_in_python_is_shown_at_its_place() -> Result<()> {
    let longshore = configured("rows: many", "")?;
    let finished = longshore.run(["validate"]).await?;
    assert_refused(&finished, exit::CONFIGURATION, &["rows", "longshore.yml:8"]);
    Ok(())
}

#[tokio::test]
async fn a_destination_that_does_not_declare_dry_runs_is_not_given_one() -> Result<()> {
    let longshore = configured("rows: 10", "")?;
    let finished = longshore.run(["sync", "--dry-run"]).await?;
    assert_refused(&finished, exit::CONFIGURATION, &["lines", "can not take a dry run"]);
    assert_eq!(arrived(&longshore), Vec::<Value>::new());
    Ok(())
}
