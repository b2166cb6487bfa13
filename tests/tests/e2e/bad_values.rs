//! A table of 100,000 rows with every kind of bad value: each row is delivered or rejected, each reject names its column and rule, the sandbox holds what is
//! left, a dry run has said all of it before, and mended rows arrive.

mod case;
mod events;
mod profiles;
mod rules;
mod stage;

use std::collections::{BTreeMap, BTreeSet};

use longshore_tests::{Result, shop::Target};

use crate::dry_run::only_table;
use stage::{Stage, kinds};

async fn every_bad_value_is_accounted_for(target: Target) -> Result<()> {
    let stage = Stage::open(target).await?;
    let expected = stage.table.rejects();

    // What is going to happen, by a run that sends nothing.
    let said = stage.dry_run().await?;
    assert_eq!(stage.sandbox.counts().await?.requests, 0);

    let report = stage.sync().await?;
    let table = report.only_table();
    let kinds_of_table = stage.table.counts_by_kind();
    let whole_rows: u64 = kinds_of_table
        .iter()
        .filter(|((_, _, whole_row), _)| *whole_row)
        .map(|(_, count)| count)
        .sum();
    assert_eq!(table.read, stage.table.rows);
    assert_eq!(
        (table.delivered, table.rejected),
        (table.read - whole_rows, whole_rows),
        "{report:?}"
    );
    assert_eq!(report.status, "completed_with_rejects");

    let recorded = stage.ledger().await?;
    let mut recorded_kinds = BTreeMap::new();
    for reject in &recorded {
        *recorded_kinds.entry(reject.kind()).or_default() += 1;
    }
    assert_eq!(recorded_kinds, kinds_of_table);
    assert!(
        recorded.into_iter().collect::<BTreeSet<_>>() == expected,
        "other rows were rejected"
    );
    stage.assert_arrived().await?;

    let foretold = only_table(&said);
    assert_eq!(
        (foretold.read, foretold.delivered, foretold.rejected, foretold.filtered),
        (table.read, table.delivered, table.rejected, table.filtered),
        "{said}"
    );
    assert_eq!(kinds(&said), kinds_of_table);
    let sent = stage.sandbox.counts().await?;
    assert_eq!(
        said["estimates"][0]["requests"][0]["operations"], sent.operations,
        "{said}"
    );

    stage.mend_and_deliver_again().await
}

#[tokio::test]
async fn every_bad_value_of_100_000_profiles_is_accounted_for() -> Result<()> {
    every_bad_value_is_accounted_for(Target::Profiles).await
}

#[tokio::test]
async fn every_bad_value_of_events_is_accounted_for() -> Result<()> {
    every_bad_value_is_accounted_for(Target::Events).await
}
