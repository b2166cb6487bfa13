//! Mistakes in the configuration: each is shown at its place, and nothing is started.

use longshore_tests::{Longshore, Result};

use super::{assert_refused, exit};
use crate::generated::Generated;

const GOOD: &str = "\
kind: source
spec:
  name: numbers
  path: generate
  tables: ['*']
  destinations: [nowhere]
  spec:
    tables: [{ name: numbers, rows: 10 }]
---
kind: destination
spec:
  name: nowhere
  path: discard
  spec:
    ack_delay: 0
";

/// Validates the good configuration with one change.
async fn validated(from: &str, to: &str) -> Result<longshore_tests::Finished> {
    assert!(GOOD.contains(from), "{from}");
    let longshore = Longshore::new()?;
    longshore.write("longshore.yml", &GOOD.replace(from, to))?;
    let finished = longshore.run(["validate"]).await?;
    // What `validate` finds, `sync` finds too, before it does anything.
    let synced = longshore.run(["sync"]).await?;
    assert_eq!(synced.code(), finished.code(), "{synced}");
    Ok(finished)
}

#[tokio::test]
async fn a_good_configuration_is_valid() -> Result<()> {
    validated("ack_delay: 0", "ack_delay: 1").await?.succeeded()?;
    Ok(())
}

#[tokio::test]
async fn an_unknown_key_is_shown_with_its_place_and_a_suggestion() -> Result<()> {
    let finished = validated("tables: ['*']", "tabels: ['*']").await?;
    assert_refused(
        &finished,
        exit::CONFIGURATION,
        &["tabels", "longshore.yml:5", "did you mean `tables`"],
    );
    Ok(())
}

#[tokio::test]
async fn an_unknown_option_of_a_plugin_is_shown_with_its_place_and_a_suggestion() -> Result<()> {
    let finished = validated("ack_delay: 0", "ack_dealy: 0").await?;
    assert_refused(
        &finished,
        exit::CONFIGURATION,
        &["ack_dealy", "longshore.yml:15", "ack_delay"],
    );
    Ok(())
}

#[tokio::test]
async fn a_value_of_the_wrong_type_is_shown_with_its_place() -> Result<()> {
    let finished = validated("tables: ['*']", "tables: things").await?;
    assert_refused(
        &finished,
        exit::CONFIGURATION,
        &["`tables` must be a list", "longshore.yml:5"],
    );
    Ok(())
}

#[tokio::test]
async fn a_missing_environment_variable_is_named() -> Result<()> {
    let finished = validated("ack_delay: 0", "ack_delay: ${NOT_SET_ANYWHERE}").await?;
    assert_refused(
        &finished,
        exit::CONFIGURATION,
        &["NOT_SET_ANYWHERE", "longshore.yml:15", "export"],
    );
    Ok(())
}

#[tokio::test]
async fn two_sources_with_one_name_are_shown_with_both_places() -> Result<()> {
    let second = format!("---\n{}---\nkind: destination", GOOD.split("---\n").next().unwrap());
    let finished = validated("---\nkind: destination", &second).await?;
    assert_refused(
        &finished,
        exit::CONFIGURATION,
        &["two sources", "numbers", "longshore.yml:3", "longshore.yml:12"],
    );
    Ok(())
}

#[tokio::test]
async fn a_plugin_that_does_not_exist_is_named_with_those_that_do() -> Result<()> {
    let finished = validated("path: generate", "path: genrate").await?;
    assert_refused(&finished, exit::CONFIGURATION, &["genrate", "generate", "postgresql"]);
    Ok(())
}

#[tokio::test]
async fn a_missing_file_is_named() -> Result<()> {
    let longshore = Longshore::new()?;
    let finished = longshore.run(["sync", "nowhere.yml"]).await?;
    assert_refused(&finished, exit::CONFIGURATION, &["nowhere.yml"]);
    Ok(())
}

#[tokio::test]
async fn a_table_name_that_matches_nothing_is_an_error() -> Result<()> {
    let longshore = Longshore::new()?;
    longshore.write("longshore.yml", &GOOD.replace("'*'", "'other_*'"))?;
    let finished = longshore.run(["sync"]).await?;
    assert_refused(&finished, exit::CONFIGURATION, &["other_*", "matches"]);
    let finished = longshore.run(["test-connection"]).await?;
    assert_refused(&finished, exit::CONFIGURATION, &["other_*"]);
    Ok(())
}

#[tokio::test]
async fn a_source_that_is_not_in_the_configuration_is_named_with_those_that_are() -> Result<()> {
    let generated = Generated::with(10, &[], &[])?;
    let finished = generated.longshore.run(["sync", "--source", "shop"]).await?;
    assert_refused(&finished, exit::CONFIGURATION, &["shop", "numbers"]);
    Ok(())
}

#[tokio::test]
async fn a_command_that_does_not_exist_is_a_usage_error() -> Result<()> {
    let finished = Longshore::new()?.run(["snyc"]).await?;
    assert_eq!(finished.code(), Some(exit::CONFIGURATION), "{finished}");
    assert!(
        finished.stdout.is_empty() && finished.stderr.contains("sync"),
        "{finished}"
    );
    Ok(())
}
