//! Tables with nothing in them, and rows that are too much.

use longshore_tests::{Finished, Result};

use super::{assert_no_cursor, assert_refused, exit};
use crate::generated::Generated;

#[tokio::test]
async fn an_empty_table_is_a_run_that_reads_nothing_and_stores_no_cursor() -> Result<()> {
    let generated = Generated::with(0, &[], &[])?;
    let report = generated.sync_well().await?;
    let table = report.only_table();
    assert_eq!(
        (table.table.as_str(), table.read, table.cursor.as_deref()),
        ("numbers", 0, None)
    );
    // What comes later is read from the beginning.
    generated.configure(&["tables: [{ name: numbers, rows: 5, cursor: id }]"], &[])?;
    assert_eq!(generated.sync_well().await?.only_table().delivered, 5);
    Ok(())
}

#[tokio::test]
async fn one_row_larger_than_a_message_is_an_error_that_names_its_key() -> Result<()> {
    let generated = Generated::with(1, &[], &[])?;
    let huge = "tables: [{ name: numbers, rows: 3, cursor: id, row_bytes: 20000000 }]";
    generated.configure(&[huge], &[])?;
    let finished = generated.sync().await?;
    assert_refused(&finished, exit::SOURCE, &["row", "numbers", "1"]);
    assert_no_cursor(&generated.longshore).await;
    Ok(())
}

#[tokio::test]
async fn one_large_row_that_fits_is_delivered() -> Result<()> {
    let generated = Generated::with(1, &[], &[])?;
    let large = "tables: [{ name: numbers, rows: 3, cursor: id, row_bytes: 12000000 }]";
    generated.configure(&[large], &[])?;
    assert_eq!(generated.sync_well().await?.only_table().delivered, 3);
    Ok(())
}

#[tokio::test]
async fn more_rejects_than_allowed_end_the_run_with_their_own_exit_code() -> Result<()> {
    let generated = Generated::with(10_000, &["checkpoint_rows: 100"], &["reject_every: 10"])?;
    let all_allowed = generated.sync_well().await?;
    assert_eq!((all_allowed.only_table().rejected, all_allowed.rejects), (1_000, 1_000));

    let limited = Generated::with(10_000, &["checkpoint_rows: 100"], &["reject_every: 10"])?;
    let text = std::fs::read_to_string(limited.longshore.folder().join("longshore.yml")).unwrap();
    let with_limit = text.replacen("  path: generate\n", "  path: generate\n  max_rejects: 50\n", 1);
    limited.longshore.write("longshore.yml", &with_limit)?;
    let finished = limited.sync().await?;
    assert_refused(&finished, exit::REJECTS, &["rejected", "max_rejects"]);
    let refused = limited.longshore.json(["rejects", "list"]).await?;
    assert!(
        refused.as_array().is_some_and(|refused| !refused.is_empty()),
        "the user is sent to an empty ledger"
    );
    Ok(())
}

#[tokio::test]
async fn rejects_are_listed_with_key_and_rule() -> Result<()> {
    let generated = Generated::with(100, &[], &["reject_every: 25"])?;
    let report = generated.sync_well().await?;
    let rejects = generated.longshore.json(["rejects", "list"]).await?;
    let rejects = rejects.as_array().unwrap();
    assert_eq!(rejects.len(), 4);
    for reject in rejects {
        assert_eq!(reject["rule"], "reject_every");
        assert_eq!(reject["run_id"].as_str(), report.run_id.as_deref());
        assert!(reject["key"].as_str().is_some_and(|key| !key.is_empty()), "{reject}");
    }
    let id = rejects[0]["id"].to_string();
    let shown: Finished = generated.longshore.run(["rejects", "show", &id]).await?.succeeded()?;
    assert!(shown.stdout.contains("reject_every"), "{shown}");
    Ok(())
}
